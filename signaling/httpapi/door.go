package httpapi

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/admission"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
	"github.com/mini-livechat/mini-livechat/signaling/tally"
)

// Door lets requests in as package admission allows, by where they come from.
type Door struct {
	Book    *admission.Book
	Proxies admission.Proxies
	Tally   *tally.Tally
	Log     *zap.Logger
}

// Guard returns next behind the door.
func (d *Door) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.admit(w, r, admission.HTTP) {
			next.ServeHTTP(w, r)
		}
	})
}

// admit notes something that a request asks for, or refuses it.
func (d *Door) admit(w http.ResponseWriter, r *http.Request, kind admission.Kind) bool {
	from := admission.Caller{Network: admission.Network(d.Proxies.Client(r))}
	wait := d.Book.Allow(time.Now(), from, admission.Charge{Kind: kind, Cost: 1})
	if wait == 0 {
		return true
	}
	d.Tally.Count("http_address_limited")
	seconds := int(math.Ceil(wait.Seconds()))
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	w.Header().Set("Cache-Control", "no-store")
	refuse(w, d.Log, http.StatusTooManyRequests, protocol.CodeRateLimited,
		fmt.Sprintf("too many requests from your address; try again in %d s", seconds))
	return false
}
