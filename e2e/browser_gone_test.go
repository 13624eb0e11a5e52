package e2e

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

var errCableOut = errors.New("the cable is out")

// TestBrowserSeesWhoIsGone has somebody lose one half of the connection after the other, in front of the page.
func TestBrowserSeesWhoIsGone(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, noRelay)
	ada := startBrowser(t, "Ada", toneAda)
	ada.signIn(s)
	ada.join("lobby")
	var (
		network cable
		shears  scissors
		away    atomic.Bool
	)
	ben := arrive(t, s, "Ben", network.plug(t), func(o *client.Options) {
		shears.plug(o)
		dial := o.Dialer.NetDialContext
		o.Dialer.NetDialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if away.Load() {
				return nil, errCableOut
			}
			return dial(ctx, network, addr)
		}
	}).join("lobby", listenOnly)
	ada.see(".person", "Ben")
	note := "[...document.querySelectorAll('.person')].find((p) => p.innerText.includes('Ben')).querySelector('.person__note').innerText"
	shows := func(words string) {
		t.Helper()
		ada.until("Ben's tile shows "+words, note+" === '"+words+"'")
	}
	shows("Listening")

	network.media.Store(true)
	shows("Cut off")
	require.True(t, evaluate[bool](ada, "document.querySelector('.person--unstable') !== null"))
	network.media.Store(false)
	shows("Listening")
	require.True(t, evaluate[bool](ada, "document.querySelector('.person--unstable') === null"))

	away.Store(true)
	shears.cut()
	shows("Unstable") // he hears and is heard
	away.Store(false)
	shows("Listening")
	require.Equal(t, protocol.MediaOK, ben.mediaOf(ben))
	ada.noComplaints()
}
