package e2e

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// TestBrowserInstalled: the page can be installed; while its server is away it waits for it; and nothing of an older version is seen
// after a newer one was there.
func TestBrowserInstalled(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	to, err := url.Parse(s.URL)
	require.NoError(t, err)
	// In front of the server is a proxy, behind which it goes away and comes back as another version.
	var away atomic.Bool
	var version atomic.Value
	version.Store("first")
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ModifyResponse = func(r *http.Response) error {
		if r.Request.URL.Path != "/" || r.StatusCode != http.StatusOK {
			return nil
		}
		body, readErr := io.ReadAll(r.Body)
		body = bytes.Replace(body, []byte("<title>"), []byte(`<meta name="version" content="`+version.Load().(string)+`"><title>`), 1)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Length", strconv.Itoa(len(body)))
		r.Header.Set("ETag", strconv.Quote(version.Load().(string)))
		return readErr
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			http.Error(w, "away", http.StatusBadGateway)
			return
		}
		r.Header.Del("If-None-Match")
		r.Header.Del("Accept-Encoding")
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	ada := startBrowser(t, "Ada", toneAda)
	load := func() {
		t.Helper()
		ada.do(chromedp.Navigate("about:blank"), chromedp.Navigate(front.URL+"/?audio=raw#channel=lobby"))
	}
	load()
	ada.until("the page runs", "window.livechat")
	ada.until("its worker is there", "navigator.serviceWorker.ready.then(({ active }) => active.state === 'activated')")

	manifest, err := chromedp.Call(ada.tab, page.GetAppManifest, page.GetAppManifestParams{})
	require.NoError(t, err)
	require.Empty(t, manifest.Errors)
	require.NotEmpty(t, manifest.Data)
	require.Equal(t, []string{"192x192", "512x512", "512x512 maskable"}, evaluate[[]string](ada, `fetch(document.querySelector('[rel=manifest]').href).then((r) => r.json())
		.then(({ icons }) => Promise.all(icons.filter(({ type }) => type === 'image/png').map(async ({ src, sizes, purpose }) => {
			const { width, height } = await createImageBitmap(await (await fetch(src)).blob());
			return [sizes === width + 'x' + height ? sizes : 'not ' + sizes, purpose ?? ''].join(' ').trim();
		})))`))

	// It keeps what is shown without the server, and nothing else.
	ada.until("the words are kept", "caches.match('waiting.json')")
	require.Equal(t, "/css/waiting.css /icon.svg /js/waiting.js /waiting.html /waiting.json", evaluate[string](ada, `caches.keys().then((names) =>
		Promise.all(names.map((name) => caches.open(name).then((cache) => cache.keys()))))
		.then((all) => all.flat().map(({ url }) => new URL(url).pathname).sort().join(' '))`))

	away.Store(true)
	load()
	ada.see("h1", "The server does not answer")
	ada.pictures("waiting")
	version.Store("second")
	away.Store(false)
	ada.until("the page is back by itself", "window.livechat && location.hash === '#channel=lobby'")
	for _, newer := range []string{"third", "fourth"} {
		version.Store(newer)
		load()
		ada.until("the page runs", "window.livechat")
		require.Equal(t, newer, evaluate[string](ada, "document.querySelector('[name=version]').content"))
	}

	// Where the server's machine is away, and no proxy says so, it is the same.
	front.Close()
	load()
	ada.see("h1", "The server does not answer")
}
