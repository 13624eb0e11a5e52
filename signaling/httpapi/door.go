package httpapi

import (
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
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

	// told and hinted have the log say once that there is a proxy of which it was not said whether to believe it, or may be.
	told, hinted sync.Once
}

// Guard returns next behind the door.
func (d *Door) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.lookAtProxy(r)
		if d.admit(w, r, admission.HTTP) {
			next.ServeHTTP(w, r)
		}
	})
}

// admit notes something that a request asks for, or refuses it.
func (d *Door) admit(w http.ResponseWriter, r *http.Request, kind admission.Kind) bool {
	from := admission.Caller{Network: d.network(r)}
	return d.welcome(w, d.Book.Allow(time.Now(), from, admission.Charge{Kind: kind, Cost: 1}))
}

// mayTry refuses a request of an address that has guessed too often, see failed.
func (d *Door) mayTry(w http.ResponseWriter, r *http.Request) bool {
	return d.welcome(w, d.Book.FailedWait(time.Now(), d.network(r)))
}

// failed notes that a secret in a request was none.
func (d *Door) failed(r *http.Request) { d.Book.Failed(time.Now(), d.network(r)) }

func (d *Door) network(r *http.Request) netip.Prefix { return admission.Network(d.Proxies.Client(r)) }

// lookAtProxy has the log say that a proxy in our own network, where strangers are none, is not believed; of one elsewhere, which any
// stranger can play, it is no warning.
func (d *Door) lookAtProxy(r *http.Request) {
	switch from, ours := d.Proxies.Undeclared(r); {
	case ours:
		d.told.Do(func() {
			d.Log.Warn("a proxy says where requests come from and is not believed, so that all its clients count as one address; "+
				"if it is yours, name it with --trusted-proxy", zap.Stringer("proxy", from))
		})
	case from.IsValid():
		d.hinted.Do(func() {
			d.Log.Info("somebody says for whom a request is passed on and is not believed; only if it is a proxy of yours, "+
				"name it with --trusted-proxy", zap.Stringer("address", from))
		})
	}
}

// welcome refuses a request that has to wait.
func (d *Door) welcome(w http.ResponseWriter, wait time.Duration) bool {
	if wait == 0 {
		return true
	}
	d.Tally.Count("http_address_limited")
	seconds := int(math.Ceil(wait.Seconds()))
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Connection", "close") // or refusals would be what is asked for without end
	refuse(w, d.Log, http.StatusTooManyRequests, protocol.CodeRateLimited,
		fmt.Sprintf("too many requests from your address; try again in %d s", seconds))
	return false
}
