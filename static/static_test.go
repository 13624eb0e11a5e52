package static_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/static"
)

func get(t *testing.T, method, target string, header http.Header) *http.Response {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	maps.Copy(request.Header, header)
	recorder := httptest.NewRecorder()
	static.Handler(false, nil).ServeHTTP(recorder, request)
	return recorder.Result()
}

func TestHandlerServesThePage(t *testing.T) {
	t.Parallel()
	for target, contentType := range map[string]string{
		"/":              "text/html; charset=utf-8",
		"/?audio=raw":    "text/html; charset=utf-8",
		"/js/app.js":     "text/javascript; charset=utf-8",
		"/css/base.css":  "text/css; charset=utf-8",
		"/icon.svg":      "image/svg+xml",
		"/js/ui/chat.js": "text/javascript; charset=utf-8",
	} {
		response := get(t, http.MethodGet, target, nil)
		require.Equal(t, http.StatusOK, response.StatusCode, target)
		require.Equal(t, contentType, response.Header.Get("Content-Type"), target)
		require.Equal(t, "nosniff", response.Header.Get("X-Content-Type-Options"), target)
		require.Contains(t, response.Header.Get("Content-Security-Policy"), "default-src 'self'", target)
		require.NoError(t, response.Body.Close())
	}
}

// The page may connect to the server's other nodes, and nowhere else; what is no URL adds nothing to the policy.
func TestHandlerNamesTheNodes(t *testing.T) {
	t.Parallel()
	nodes := []string{"https://two.example.org:8443", "http://127.0.0.1:9000", "https://evil.example; script-src *", "::"}
	recorder := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	static.Handler(false, func() []string { return nodes }).ServeHTTP(recorder, request)
	require.Contains(t, recorder.Header().Get("Content-Security-Policy"),
		"; connect-src 'self' wss://two.example.org:8443 ws://127.0.0.1:9000 wss://example.com ws://example.com; ")
}

func TestHandlerValidatesCaches(t *testing.T) {
	t.Parallel()
	first := get(t, http.MethodGet, "/js/app.js", nil)
	require.NoError(t, first.Body.Close())
	require.Equal(t, "no-cache", first.Header.Get("Cache-Control"))
	etag := first.Header.Get("ETag")
	require.NotEmpty(t, etag)

	second := get(t, http.MethodGet, "/js/app.js", http.Header{"If-None-Match": {etag}})
	require.NoError(t, second.Body.Close())
	require.Equal(t, http.StatusNotModified, second.StatusCode)

	other := get(t, http.MethodGet, "/", nil)
	require.NoError(t, other.Body.Close())
	require.NotEqual(t, etag, other.Header.Get("ETag"))
}

func TestHandlerRefusesTheRest(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/nothing", "/index.html/", "/js", "/js/", "/../static.go", "/page/index.html"} {
		response := get(t, http.MethodGet, target, nil)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusNotFound, response.StatusCode, target)
	}
	response := get(t, http.MethodPost, "/", nil)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusMethodNotAllowed, response.StatusCode)
	require.Equal(t, "GET, HEAD", response.Header.Get("Allow"))
}

// TestPageHoldsTogether checks by text what a build step would: imports and references
// lead to files, and every element a module asks for by its id is in the page.
func TestPageHoldsTogether(t *testing.T) {
	t.Parallel()
	page := os.DirFS("page")
	read := func(name string) string {
		content, err := fs.ReadFile(page, name)
		require.NoError(t, err)
		return string(content)
	}
	index := read("index.html")
	for _, match := range regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(index, -1) {
		require.FileExists(t, path.Join("page", match[1]))
	}

	imports := regexp.MustCompile(`(?:(?m:^)import [^;]*from |\bimport\()'(\.[^']+)'`)
	ids := regexp.MustCompile(`byId\('([^']+)'\)`)
	icons := regexp.MustCompile(`data-icon-name="([^"]+)"`)
	err := fs.WalkDir(page, "js", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text := read(name)
		for _, match := range imports.FindAllStringSubmatch(text, -1) {
			require.FileExists(t, path.Join("page", path.Dir(name), match[1]), "imported by %s", name)
		}
		for _, match := range ids.FindAllStringSubmatch(text, -1) {
			require.Contains(t, index, `id="`+match[1]+`"`, "asked for by %s", name)
		}
		for _, forbidden := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write"} {
			require.NotContains(t, text, forbidden, name)
		}
		return nil
	})
	require.NoError(t, err)

	drawn := read("js/ui/icons.js")
	for _, match := range icons.FindAllStringSubmatch(index, -1) {
		require.Regexp(t, `(?m)^  '?`+regexp.QuoteMeta(match[1])+`'?:`, drawn)
	}
	require.False(t, strings.Contains(index, "style="), "the content security policy forbids inline styles")
}

// TestRNNoiseIsThePackages checks that the page has the files that `make rnnoise` fetches, and their licence.
func TestRNNoiseIsThePackages(t *testing.T) {
	t.Parallel()
	sums, err := os.ReadFile("rnnoise.sums")
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(sums)), "\n")
	require.Len(t, lines, 2)
	for _, line := range lines {
		sum, name, found := strings.Cut(line, "  ")
		require.True(t, found, line)
		_, content := ask(t, http.MethodGet, "/rnnoise/"+name, nil)
		require.Equal(t, sum, fmt.Sprintf("%x", sha256.Sum256([]byte(content))), name)
	}
	licence, err := os.ReadFile("page/rnnoise/LICENSE.txt")
	require.NoError(t, err)
	for _, holder := range []string{"Jean-Marc Valin", "Apache License", "MIT License"} {
		require.Contains(t, string(licence), holder)
	}
}

// TestPageSaysOnlyPhrases finds words that the page's modules would show without their being in a language's file: literals in
// the places of what is shown or read out, and sentences anywhere.
func TestPageSaysOnlyPhrases(t *testing.T) {
	t.Parallel()
	page := os.DirFS("page")
	places := "(?:setText\\([^,]+, |setAttribute\\([^,]+, '(?:aria-label|title|placeholder)', |" +
		"\\b(?:aria-label|title|placeholder|label|text|words)'?: |\\.(?:textContent|ariaLabel|title|placeholder) = |\\b(?:prompt|alert|confirm)\\()"
	shown := regexp.MustCompile(places + "['`\"][^'`\"$]*\\pL{2}")
	sentence := regexp.MustCompile("['`\"](\\p{Lu}\\p{Ll}+ [\\p{Ll}$][^'`\"\n]*)['`\"]")
	comment := regexp.MustCompile(`(?s)/\*.*?\*/|(?m)(^|\s)//.*$`)
	developers := regexp.MustCompile(`Error\(|console\.|super\(|^const GUEST_NAME`)
	index, err := fs.ReadFile(page, "index.html")
	require.NoError(t, err)
	_, body, _ := strings.Cut(regexp.MustCompile(`(?s)<!--.*?-->|<noscript.*?</noscript>`).ReplaceAllString(string(index), ""), "<body>")
	written := regexp.MustCompile(`\s(?:aria-label|title|placeholder|alt)="[^"]*\pL[^"]*"|>[^<]*\pL[^<]*<`)
	require.Empty(t, written.FindAllString(body, -1), "the page's HTML says what is in no language")
	err = fs.WalkDir(page, "js", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Dir(name) == "js/languages" {
			return err
		}
		content, err := fs.ReadFile(page, name)
		require.NoError(t, err)
		for line := range strings.Lines(comment.ReplaceAllString(string(content), "")) {
			if developers.MatchString(line) {
				continue // for a console or a log
			}
			if shown.MatchString(line) || sentence.MatchString(line) {
				t.Errorf("%s says what is in no language: %s", name, strings.TrimSpace(line))
			}
		}
		return nil
	})
	require.NoError(t, err)
}
