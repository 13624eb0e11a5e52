package signaling

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestArrival(t *testing.T) {
	t.Parallel()
	arrive := func(local net.Addr, headers ...string) Arrival {
		r := httptest.NewRequestWithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, local), http.MethodGet, "/ws", nil)
		r.Host = "voice.example.org:8443"
		for _, name := range headers {
			r.Header.Set(name, "x")
		}
		return arrivalOf(r, nil)
	}
	a := arrive(&net.TCPAddr{IP: net.ParseIP("::ffff:192.0.2.1"), Port: 80})
	require.Equal(t, "voice.example.org:8443", a.Host)
	require.Equal(t, "192.0.2.1:80", a.Local.String(), "in its own form")
	require.False(t, a.Proxied)
	require.False(t, arrive(&net.UnixAddr{}, "X-Real-Thing").Local.IsValid())
	for _, header := range []string{"Forwarded", "X-Forwarded-For", "Via"} {
		require.True(t, arrive(&net.TCPAddr{}, header).Proxied, header)
	}
}
