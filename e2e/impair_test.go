package e2e

import (
	"math"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// carryAll sends n packets 20 ms apart and returns when each arrived.
func carryAll(l *link, n int) [][]time.Duration {
	start := time.Unix(1e9, 0)
	all := make([][]time.Duration, n)
	for i := range all {
		for _, at := range l.carry(start.Add(time.Duration(i) * frameLength)) {
			all[i] = append(all[i], at.Sub(start))
		}
	}
	return all
}

func lostShare(all [][]time.Duration) (share float64, meanBurst float64) {
	lost, bursts := 0, 0
	for i := range all {
		if len(all[i]) > 0 {
			continue
		}
		lost++
		if i == 0 || len(all[i-1]) > 0 {
			bursts++
		}
	}
	return float64(lost) / float64(len(all)), float64(lost) / math.Max(float64(bursts), 1)
}

func TestLinkLosesAsMuchAsItShould(t *testing.T) {
	t.Parallel()
	const n = 200_000
	for _, test := range []struct{ loss, burst, meanBurst float64 }{
		{0, 0, 0}, {0.05, 0, 1 / 0.95}, {0.3, 1, 1 / 0.7}, {0.1, 3, 3}, {0.3, 5, 5}, {1, 0, n}, {1, 3, n},
	} {
		share, burst := lostShare(carryAll(newLink(impairment{loss: test.loss, burst: test.burst}, 1), n))
		require.InDelta(t, test.loss, share, 0.005, "%+v", test)
		require.InEpsilon(t, test.meanBurst+1, burst+1, 0.05, "%+v", test)
	}
}

func TestLinkIsTheSameForTheSameSeed(t *testing.T) {
	t.Parallel()
	bad := impairment{loss: 0.1, burst: 2, delay: 30 * time.Millisecond, jitter: 40 * time.Millisecond, reorder: 0.05, duplicate: 0.05}
	first, second, other := carryAll(newLink(bad, 7), 1000), carryAll(newLink(bad, 7), 1000), carryAll(newLink(bad, 8), 1000)
	require.Equal(t, first, second)
	require.NotEqual(t, first, other)
}

func TestLinkDelays(t *testing.T) {
	t.Parallel()
	bad := impairment{delay: 30 * time.Millisecond, jitter: 40 * time.Millisecond}
	var least, most, last time.Duration = time.Hour, 0, 0
	for i, at := range carryAll(newLink(bad, 1), 5000) {
		require.Len(t, at, 1)
		took := at[0] - time.Duration(i)*frameLength
		least, most = min(least, took), max(most, took)
		require.GreaterOrEqual(t, at[0], last, "overtaken by jitter")
		last = at[0]
	}
	require.InDelta(t, 0.030, least.Seconds(), 0.002)
	require.InDelta(t, 0.070, most.Seconds(), 0.002)
}

func TestLinkReordersDuplicatesAndBlacksOut(t *testing.T) {
	t.Parallel()
	all := carryAll(newLink(impairment{reorder: 0.1, duplicate: 0.2}, 1), 10_000)
	overtaken, twice := 0, 0
	for i, at := range all {
		if len(at) == 2 {
			twice++
			require.Equal(t, at[0], at[1])
		}
		if i > 0 && at[0] < all[i-1][0] {
			overtaken++
		}
	}
	require.InDelta(t, 0.2, float64(twice)/10_000, 0.02)
	require.InDelta(t, 0.1, float64(overtaken)/10_000, 0.02)

	all = carryAll(newLink(impairment{blackoutAfter: time.Second, blackout: 2 * time.Second}, 1), 500)
	for i, at := range all {
		require.Equal(t, i >= 50 && i < 150, len(at) == 0, "packet %d", i)
	}
}

// TestProxyCarries sends packets through real sockets and counts what comes out.
func TestProxyCarries(t *testing.T) {
	verifyNoLeaks(t)
	server, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	p := newProxy(t, server.LocalAddr().(*net.UDPAddr).AddrPort())
	client, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(p.addr()))
	require.NoError(t, err)
	defer client.Close()
	echoed := make(chan struct{})
	go func() { // the server sends everything back
		defer close(echoed)
		b := make([]byte, 100)
		for {
			n, from, err := server.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			_, _ = server.WriteToUDPAddrPort(b[:n], from)
		}
	}()
	defer func() {
		_ = server.Close()
		<-echoed
	}()
	exchange := func(n, want int) (back []byte, first time.Duration) {
		began := time.Now()
		for i := range n {
			_, err := client.Write([]byte{byte(i)})
			require.NoError(t, err)
		}
		b := make([]byte, 100)
		for {
			wait := patience
			if len(back) >= want {
				wait = 500 * time.Millisecond // for what should not come
			}
			require.NoError(t, client.SetReadDeadline(time.Now().Add(wait)))
			_, err := client.Read(b)
			if err != nil {
				return back, first
			}
			if first == 0 {
				first = time.Since(began)
			}
			back = append(back, b[0])
		}
	}
	back, _ := exchange(100, 100)
	require.Len(t, back, 100)
	require.True(t, slices.IsSorted(back))

	p.impair(impairment{loss: 0.3, delay: 30 * time.Millisecond}, impairment{delay: 20 * time.Millisecond}, 1)
	want := 0
	for _, at := range carryAll(newLink(impairment{loss: 0.3}, 2), 100) {
		want += len(at)
	}
	back, first := exchange(100, want)
	require.Len(t, back, want, "the seed says which are lost")
	require.GreaterOrEqual(t, first, 50*time.Millisecond)

	p.impair(impairment{}, impairment{blackout: time.Hour}, 1)
	back, _ = exchange(10, 0)
	require.Empty(t, back)
}
