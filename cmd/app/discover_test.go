package app

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/stun/v4"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/mini-livechat/mini-livechat/signaling"
)

// fakeMapper is a media port whose STUN servers say what a test wants.
type fakeMapper struct {
	mu   sync.Mutex
	says string // "" for nothing
}

var errSilent = errors.New("silence")

func (f *fakeMapper) say(addr string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.says = addr
}

func (f *fakeMapper) Mapped(context.Context, netip.AddrPort) (netip.AddrPort, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.says == "" {
		return netip.AddrPort{}, errSilent
	}
	return netip.MustParseAddrPort(f.says), nil
}

// toldAfar is what a client from afar is told.
func toldAfar(a *announcer) string { return a.String() }

func TestDiscover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logged := observer.New(zapcore.InfoLevel)
		log := zap.New(core)
		lines := func() (lines []string) {
			for _, entry := range logged.TakeAll() {
				lines = append(lines, entry.Message)
			}
			return lines
		}
		a := testAnnouncer(t, "[::]:9", []string{"192.168.1.5"}, "stun:192.0.2.53", "auto")
		port := &fakeMapper{}
		err := a.discover(t.Context(), port, log)
		require.ErrorIs(t, err, errSilent)
		require.ErrorContains(t, err, "no public address from the STUN server 192.0.2.53:3478 (--announce), to which UDP must get out: ")
		require.Equal(t, "[192.168.1.5:9]", toldAfar(a))
		port.say("0.0.0.0:9")
		require.ErrorIs(t, a.discover(t.Context(), port, log), errNotPublic)

		port.say("203.0.113.7:9")
		require.NoError(t, a.discover(t.Context(), port, log))
		require.Equal(t, "[203.0.113.7:9 192.168.1.5:9]", toldAfar(a))
		require.Equal(t, []string{"the media port's public address"}, lines())

		ctx, cancel := context.WithCancel(t.Context())
		var keeping sync.WaitGroup
		keeping.Go(func() { a.keepDiscovering(ctx, port, log) })
		next := func() {
			time.Sleep(discoverInterval)
			synctest.Wait()
		}
		next()
		require.Empty(t, lines(), "nothing new")
		port.say("")
		next()
		next()
		require.Equal(t, []string{"the last public address stays announced"}, lines(), "said once")
		require.Equal(t, "[203.0.113.7:9 192.168.1.5:9]", toldAfar(a))
		port.say("203.0.113.8:4444")
		next()
		require.Equal(t, "[203.0.113.8:9 203.0.113.8:4444 192.168.1.5:9]", toldAfar(a), "with both ports")
		require.Len(t, lines(), 2, "the address, and that the port differs")
		cancel()
		keeping.Wait()
	})
}

// One family may be silent, or come later, and takes nothing away from the other.
func TestDiscoverInBothFamilies(t *testing.T) {
	var l learned
	require.True(t, l.note(question{"s", true}, netip.MustParseAddrPort("203.0.113.7:9")))
	require.False(t, l.note(question{"s", true}, netip.MustParseAddrPort("203.0.113.7:9")))
	require.True(t, l.note(question{"s", false}, netip.MustParseAddrPort("[2001:db8::7]:9")))
	require.Len(t, distinct(l.of("s", 9)), 2)
	require.Empty(t, l.of("another", 9))

	a := testAnnouncer(t, "0.0.0.0:9", nil)
	_, err := a.resolve(t.Context(), "[2001:db8::1]:3478")
	require.ErrorContains(t, err, "has no address of the media port's family")
}

// A server whose public address a STUN server knows tells it to its clients.
func TestAnnounceBySTUN(t *testing.T) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	var serving sync.WaitGroup
	serving.Go(func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			request := &stun.Message{Raw: append([]byte(nil), buf[:n]...)}
			if request.Decode() != nil {
				continue
			}
			answer := stun.MustBuild(request, stun.BindingSuccess, &stun.XORMappedAddress{
				IP: net.IPv4(203, 0, 113, 7), Port: from.(*net.UDPAddr).Port,
			})
			_, _ = conn.WriteTo(answer.Raw, from)
		}
	})
	t.Cleanup(func() { _ = conn.Close(); serving.Wait() })
	a := startApp(t, func(cfg *Config) { cfg.Announce = []string{"stun:" + conn.LocalAddr().String()} })
	told := a.announcer.mediaAddrs(signaling.Arrival{Host: "voice.example.org"})
	require.Equal(t, []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr("203.0.113.7"), a.MediaAddr().Port())}, told)
}
