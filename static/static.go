// Package static holds the web page, embedded into the binary, and serves it.
//
// The page is native ES modules without a build step: what lies in page/ is what the
// browser gets, but for comments, and compressed. A [Handler] is immutable after its construction and may be used by any
// number of goroutines.
package static

import (
	"embed"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"sync"
)

//go:embed page
var files embed.FS

// contentSecurityPolicy lets the page run its own files and nothing else: a chat message
// that found a way into the markup would still not become a script, nor send anything elsewhere. The
// page's WebSocket stands beside 'self' because not every browser counts the page's own host under it. 'wasm-unsafe-eval' lets
// WebAssembly be compiled, which RNNoise is (CSP Level 3, section 6.8), and no JavaScript be made of text. To the WebSockets of nodes,
// whose URLs these are, the page goes when its own is gone.
func contentSecurityPolicy(r *http.Request, secure bool, nodes []string) string {
	var socket strings.Builder
	for _, node := range nodes {
		if u, err := url.Parse(node); err == nil && hostOnly.MatchString(u.Host) {
			socket.WriteString(" ws" + strings.TrimPrefix(u.Scheme, "http") + "://" + u.Host)
		}
	}
	if hostOnly.MatchString(r.Host) {
		socket.WriteString(" wss://" + r.Host)
		if !secure {
			socket.WriteString(" ws://" + r.Host)
		}
	}
	return "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'" + socket.String() + "; img-src 'self'; " +
		"media-src 'self' blob: mediastream:; object-src 'none'; base-uri 'none'; form-action 'none'; " +
		"frame-ancestors 'none'"
}

// hostOnly is a Host header (RFC 9110, section 7.2) that has nothing in it which means something in a policy.
var hostOnly = regexp.MustCompile(`^[A-Za-z0-9._:\[\]-]{1,300}$`)

// Handler returns the page's handler; secure says that it is served over TLS, and nodes, where the page may go on when this server is
// gone; nil: nowhere. It serves "/" and the page's files, answers 404
// for any other path and 405 for methods other than GET and HEAD.
//
// Every answer may be kept but must be validated before use, by its ETag: after an update
// of the server a reload gets the new page, and never half of the old one. What "/" leads to stands under [prefix] and a hash of
// all files, and may be kept for good.
func Handler(secure bool, nodes func() []string) http.Handler {
	p, err := embedded()
	if err != nil {
		// The files were embedded by the compiler; only a broken build gets here.
		panic(fmt.Sprintf("static: %v", err))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var others []string
		if nodes != nil {
			others = nodes()
		}
		w.Header().Set("Content-Security-Policy", contentSecurityPolicy(r, secure, others))
		serve(w, r, p)
	})
}

//nolint:gochecknoglobals // what is embedded is one, however many servers a process has
var embedded = sync.OnceValues(func() (*page, error) { return load(files) })

// contentTypeOf does not ask the operating system's tables, which differ: a browser
// refuses a module that does not come as JavaScript.
func contentTypeOf(name string) (string, bool) {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8", true
	case ".css":
		return "text/css; charset=utf-8", true
	case ".js":
		return "text/javascript; charset=utf-8", true
	case ".svg":
		return "image/svg+xml", true
	case ".wasm":
		return "application/wasm", true
	case ".txt":
		return "text/plain; charset=utf-8", true
	case ".png":
		return "image/png", true
	case ".webmanifest":
		return "application/manifest+json", true
	default:
		return "", false
	}
}

func serve(w http.ResponseWriter, r *http.Request, p *page) {
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	a, forGood := p.find(r.URL.Path)
	if a == nil {
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	header.Set("Cache-Control", "no-cache")
	if forGood {
		header.Set("Cache-Control", "max-age=31536000, immutable")
		a.spareHeaders(header)
		a.write(w, r, false)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/js/") {
		header.Set("Access-Control-Allow-Origin", "*") // other pages may be made of these modules; who may connect, the gateway says
	}
	a.write(w, r, true)
}
