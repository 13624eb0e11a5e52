package httpapi

import (
	"io"
	"net/http"
)

// Health answers GET /healthz with 200, for proxies and containers that want to know whether
// the server is there. It is reached from when the server is ready until it begins to shut
// down, which it does by listening no longer, so there is nothing else to say.
func Health(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, "ok\n")
}
