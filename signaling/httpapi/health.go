package httpapi

import (
	"io"
	"net/http"
	"strings"
)

// Health answers GET /healthz with 200, for containers and service managers that want to know
// whether the server is alive. It is, until it closes its port at the very end.
func Health(w http.ResponseWriter, r *http.Request) {
	if asksForState(w, r) {
		sayState(w, http.StatusOK, "ok\n")
	}
}

// Ready answers GET /readyz, for load balancers that want to know whether to send somebody here:
// 200 while the server takes new clients, 503 from when it was told to end, while nobody can be let in, for which deaf has the reason, and while
// it does not see most of the server's nodes, for which alone has it: what is decided there, such as who is banned, does not get here then, and what
// is done here is not remembered, so clients are better off at another node. Each of troubles says what else is wrong, such as that nothing can be
// remembered at present, or nil; that is told beside: voice goes on, so clients are as well here as elsewhere.
func Ready(draining func() bool, deaf, alone func() error, troubles ...func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !asksForState(w, r):
		case draining():
			sayState(w, http.StatusServiceUnavailable, "draining: the server is about to go and takes nobody new\n")
		case deaf() != nil:
			sayState(w, http.StatusServiceUnavailable, deaf().Error()+"\n")
		case alone() != nil:
			sayState(w, http.StatusServiceUnavailable, alone().Error()+"\n")
		default:
			lines := []string{"ready"}
			for _, trouble := range troubles {
				if err := trouble(); err != nil {
					lines = append(lines, err.Error())
				}
			}
			sayState(w, http.StatusOK, strings.Join(lines, "\n")+"\n")
		}
	}
}

// asksForState refuses all but GET and HEAD.
func asksForState(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD")
	http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	return false
}

func sayState(w http.ResponseWriter, status int, words string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, words)
}
