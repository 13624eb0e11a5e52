package httpapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/mini-livechat/mini-livechat/signaling/admission"
	"github.com/mini-livechat/mini-livechat/signaling/tally"
)

// newDoor returns one for ten people an address, which believes 10.0.0.0/8, and what it logs.
func newDoor() (*Door, *observer.ObservedLogs) {
	core, log := observer.New(zapcore.InfoLevel)
	return &Door{
		Book: admission.NewBook(admission.Config{
			PerAddress: 10, RequestRate: 50, RequestBurst: 100, GuestChannels: 3, MemberChannels: 20, FrameBytes: 64 << 10,
		}, time.Now()),
		Proxies: admission.Proxies{netip.MustParsePrefix("10.0.0.0/8")}, Tally: new(tally.Tally), Log: zap.New(core),
	}, log
}

func sent(t *testing.T, from, forwarded string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	r.RemoteAddr = from + ":4711"
	if forwarded != "" {
		r.Header.Set("X-Forwarded-For", forwarded)
	}
	return r
}

func TestDoorIsNarrowForEachAddress(t *testing.T) {
	t.Parallel()
	d, _ := newDoor()
	let := 0
	guarded := d.Guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { let++ }))
	ask := func(from, forwarded string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		guarded.ServeHTTP(w, sent(t, from, forwarded))
		return w
	}
	var refused *httptest.ResponseRecorder
	for range 1100 {
		refused = ask("192.0.2.1", fmt.Sprint("203.0.113.", let%200)) // whatever it says, it is nobody's proxy
	}
	require.InDelta(t, 1000, let, 60)
	require.Equal(t, http.StatusTooManyRequests, refused.Code)
	require.Equal(t, "1", refused.Header().Get("Retry-After"))
	require.Contains(t, refused.Body.String(), `"code":1008`)
	require.Positive(t, d.Tally.Counts()["http_address_limited"])

	require.Equal(t, http.StatusOK, ask("192.0.2.2", "").Code)
	before := let
	for i := range 2000 {
		ask("10.0.0.1", fmt.Sprintf("203.0.113.%d", i%200))
	}
	require.Equal(t, before+2000, let, "a proxy is as many as it has clients")
}

func TestDoorSaysWhoIsNotBelieved(t *testing.T) {
	t.Parallel()
	d, log := newDoor()
	guarded := d.Guard(http.NotFoundHandler())
	ask := func(from, forwarded string) { guarded.ServeHTTP(httptest.NewRecorder(), sent(t, from, forwarded)) }
	ask("10.0.0.1", "203.0.113.1")
	ask("172.18.0.2", "")
	require.Empty(t, log.All())
	for range 2 {
		ask("198.51.100.1", "203.0.113.1") // a stranger may say what it likes
		ask("172.18.0.2", "203.0.113.1")
	}
	require.Len(t, log.All(), 2)
	require.Equal(t, zapcore.InfoLevel, log.All()[0].Level)
	require.Equal(t, zapcore.WarnLevel, log.All()[1].Level)
	require.Contains(t, log.All()[1].Message, "--trusted-proxy")
	require.Equal(t, "172.18.0.2", log.All()[1].ContextMap()["proxy"])
}

// Secrets of invites are not guessed.
func TestInvitesAreNotGuessed(t *testing.T) {
	t.Parallel()
	d, _ := newDoor()
	try := func(from string) bool { return d.mayTry(httptest.NewRecorder(), sent(t, from, "")) }
	tries := 0
	for ; tries < 1000 && try("192.0.2.1"); tries++ {
		d.failed(sent(t, "192.0.2.1", ""))
	}
	require.Equal(t, 11, tries)
	require.True(t, try("192.0.2.2"))
}

// Headers are there whoever answers, and strict only where it is known that people can come so.
func TestStrictTransportIsForTLS(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		w := httptest.NewRecorder()
		Headers(http.NotFoundHandler(), secure).ServeHTTP(w, sent(t, "192.0.2.1", ""))
		require.Equal(t, secure, strings.HasPrefix(w.Header().Get("Strict-Transport-Security"), "max-age="))
		require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
	}
}
