package static_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/stretchr/testify/require"
)

// answer is what the page's handler says, its body still encoded.
type answer struct {
	StatusCode int
	Header     http.Header
}

func ask(t *testing.T, method, target string, header http.Header) (head answer, body string) {
	t.Helper()
	response := get(t, method, target, header)
	content, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return answer{response.StatusCode, response.Header}, string(content)
}

// What "/" leads to stands under a hash and may be kept for good; it is what lies in the page, and all that is imported at the
// beginning is asked for at once.
func TestWhatThePageLeadsToIsKeptForGood(t *testing.T) {
	t.Parallel()
	response, index := ask(t, http.MethodGet, "/", nil)
	require.Equal(t, "no-cache", response.Header.Get("Cache-Control"))
	require.NotContains(t, index, `href="css/`)
	require.NotContains(t, index, `src="js/`)
	loaded := make(map[string]bool)
	for _, match := range regexp.MustCompile(`(?:src|href)="(a/[^/]+)(/[^"]+)"`).FindAllStringSubmatch(index, -1) {
		loaded[match[2]] = true
		kept, content := ask(t, http.MethodGet, "/"+match[1]+match[2], nil)
		require.Equal(t, http.StatusOK, kept.StatusCode, match[2])
		require.Contains(t, kept.Header.Get("Cache-Control"), "immutable", match[2])
		require.Equal(t, "nosniff", kept.Header.Get("X-Content-Type-Options"))
		if strings.HasSuffix(match[2], ".js") {
			_, written := ask(t, http.MethodGet, match[2], nil)
			require.Less(t, len(content), len(written), match[2])
		}
		// A page that was loaded before an update of the server, or from another one of several.
		other, same := ask(t, http.MethodGet, "/a/another"+match[2], nil)
		require.Equal(t, content, same)
		require.Equal(t, "no-cache", other.Header.Get("Cache-Control"))
	}
	for _, name := range []string{"/css/page.css", "/js/app.js", "/js/language.js", "/js/client.js", "/js/ui/dom.js"} {
		require.True(t, loaded[name], name)
	}
	require.False(t, loaded["/js/livechat.js"], "it is for other pages")
	for _, target := range []string{"/a/", "/a/another", "/a/another/", "/a/another/nothing"} {
		response, _ := ask(t, http.MethodGet, target, nil)
		require.Equal(t, http.StatusNotFound, response.StatusCode, target)
	}
}

func TestHandlerCompresses(t *testing.T) {
	t.Parallel()
	plain, content := ask(t, http.MethodGet, "/js/app.js", nil)
	require.Empty(t, plain.Header.Get("Content-Encoding"))
	for accepted, want := range map[string]string{
		"gzip, deflate, br, zstd": "br", "gzip": "gzip", "br;q=0, gzip;q=0.5": "gzip", "BR": "br", "identity": "", "gzip;q=0": "", "*": "",
	} {
		response, got := ask(t, http.MethodGet, "/js/app.js", http.Header{"Accept-Encoding": {accepted}})
		require.Equal(t, want, response.Header.Get("Content-Encoding"), accepted)
		require.Equal(t, "Accept-Encoding", response.Header.Get("Vary"))
		require.Equal(t, strconv.Itoa(len(got)), response.Header.Get("Content-Length"))
		var read io.Reader = strings.NewReader(got)
		switch want {
		case "br":
			read = brotli.NewReader(read)
		case "gzip":
			var err error
			read, err = gzip.NewReader(read)
			require.NoError(t, err)
		}
		decoded, err := io.ReadAll(read)
		require.NoError(t, err)
		require.Equal(t, content, string(decoded), accepted)

		tag := response.Header.Get("ETag")
		require.Equal(t, want != "", tag != plain.Header.Get("ETag"))
		for _, has := range []string{tag, `"other", W/` + tag, "*"} {
			again, nothing := ask(t, http.MethodGet, "/js/app.js", http.Header{"Accept-Encoding": {accepted}, "If-None-Match": {has}})
			require.Equal(t, http.StatusNotModified, again.StatusCode)
			require.Equal(t, tag, again.Header.Get("ETag"))
			require.Empty(t, nothing)
		}
		head, nothing := ask(t, http.MethodHead, "/js/app.js", http.Header{"Accept-Encoding": {accepted}})
		require.Equal(t, response.Header, head.Header)
		require.Empty(t, nothing)
	}
}

// Modules are for pages of any origin to import; who of them may connect is the gateway's to say.
func TestModulesAreForOthersToo(t *testing.T) {
	t.Parallel()
	response, content := ask(t, http.MethodGet, "/js/livechat.js", http.Header{"Origin": {"https://other.example"}})
	require.Equal(t, "*", response.Header.Get("Access-Control-Allow-Origin"))
	require.Contains(t, content, "/**", "with its documentation")
	response, _ = ask(t, http.MethodGet, "/", nil)
	require.Empty(t, response.Header.Get("Access-Control-Allow-Origin"))
}
