package wire

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	pion "github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/leaktest"
	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

// TestEndpointsMoveUnderTraffic keeps two peers talking while they change addresses, take each other's, and close. Each
// packet says whose it is; no receiver may ever see another's, and what comes back must decrypt.
func TestEndpointsMoveUnderTraffic(t *testing.T) {
	defer leaktest.Verify(t)
	e, err := Listen(Config{Addrs: []netip.AddrPort{loopback()}})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()

	const peers = 4
	var stop atomic.Bool
	var wg sync.WaitGroup
	conns := make([]*net.UDPConn, 2*peers)
	at := make([]netip.AddrPort, len(conns))
	for i := range conns {
		conns[i] = remote(t, e)
		at[i] = local(conns[i])
	}
	var got [peers]atomic.Int64
	var wrong, overlaps, undecryptable atomic.Int64
	eps, readers := make([]*Endpoint, peers), make([]oracle, peers)
	for i := range peers {
		var inside atomic.Bool
		r := receiverFunc(func(b *Batch, ep *Endpoint, packet []byte, _ time.Time) {
			if !inside.CompareAndSwap(false, true) {
				overlaps.Add(1)
			}
			defer inside.Store(false)
			if binary.BigEndian.Uint32(packet[8:]) != uint32(i) {
				wrong.Add(1)
			}
			got[i].Add(1)
			_ = ep.Sender(uint32(i)).WriteRTP(b, packet[:rtp.FixedLen], packet[rtp.FixedLen:])
		})
		eps[i], readers[i] = boundEndpoint(t, e, r, at[i], dtls.SRTP_AEAD_AES_128_GCM)
		wg.Go(func() { // the peer sends from all the sockets it may have
			raw := rtpPacket(t, pion.Header{SSRC: uint32(i)}, []byte("mine"))
			for seq := uint16(1); !stop.Load(); seq++ {
				binary.BigEndian.PutUint16(raw[2:], seq)
				sealed, err := readers[i].write.EncryptRTP(nil, raw, nil)
				if err != nil {
					undecryptable.Add(1)
					return
				}
				_, _ = conns[(i+int(seq))%len(conns)].Write(sealed)
				time.Sleep(50 * time.Microsecond)
			}
		})
	}
	var echoed atomic.Int64
	var readMu sync.Mutex
	for _, c := range conns {
		wg.Go(func() {
			buf := make([]byte, packetBuffer)
			for {
				n, err := c.Read(buf)
				if err != nil {
					return
				}
				readMu.Lock()
				_, err = readers[binary.BigEndian.Uint32(buf[8:])].read.DecryptRTP(nil, buf[:n], nil)
				readMu.Unlock()
				if err != nil {
					undecryptable.Add(1)
				}
				echoed.Add(1)
			}
		})
	}
	for range 2 { // two movers at once
		wg.Go(func() {
			for k := 0; !stop.Load(); k++ {
				for i, ep := range eps {
					if err := bind(ep, at[(i+k)%len(at)]); err != nil && !errors.Is(err, ErrClosed) {
						wrong.Add(1)
					}
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	require.Eventually(t, func() bool {
		for i := range got {
			if got[i].Load() < 100 {
				return false
			}
		}
		return echoed.Load() > 400
	}, pollTimeout, tick)
	for _, ep := range eps {
		ep.Close()
		ep.Close()
	}
	time.Sleep(20 * time.Millisecond) // what was under way when they closed
	before := [peers]int64{}
	for i := range got {
		before[i] = got[i].Load()
	}
	time.Sleep(20 * time.Millisecond)
	for i := range got {
		require.Equal(t, before[i], got[i].Load(), "a closed endpoint still receives")
		require.False(t, eps[i].Remote().IsValid())
	}
	stop.Store(true)
	for _, c := range conns {
		_ = c.Close()
	}
	wg.Wait()
	require.Zero(t, wrong.Load(), "misrouted")
	require.Zero(t, overlaps.Load(), "calls of one receiver overlapped")
	require.Zero(t, undecryptable.Load())
}

func TestLatestBindHasTheAddress(t *testing.T) {
	e := startEngine(t, Config{})
	a, b := netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("127.0.0.1:2")
	one, _ := boundEndpoint(t, e, nil, a, dtls.SRTP_AEAD_AES_128_GCM)
	two, _ := boundEndpoint(t, e, nil, a, dtls.SRTP_AEAD_AES_128_GCM)
	require.Same(t, two, e.table.lookup(flow{a, 0}))
	require.False(t, one.Remote().IsValid(), "who lost an address must not go on sending there")
	one.Close()
	require.Same(t, two, e.table.lookup(flow{a, 0}), "closing takes away one's own address only")
	require.NoError(t, bind(two, netip.MustParseAddrPort("[::ffff:127.0.0.1]:2")))
	require.Same(t, two, e.table.lookup(flow{a, 0}), "what was checked may still be on its way")
	require.Same(t, two, e.table.lookup(flow{b, 0}))
	require.NoError(t, bind(two, b), "again")
	two.Close()
	require.Nil(t, e.table.lookup(flow{a, 0}))
	require.Nil(t, e.table.lookup(flow{b, 0}))
	require.ErrorIs(t, bind(two, a), ErrClosed)
	k, _ := testKeys(t, dtls.SRTP_AEAD_AES_128_GCM)
	require.ErrorIs(t, two.setKeys(k), ErrClosed)
}

// TestICERestartMovesTheEndpoint restarts ICE of a real peer in mid-talk: new ufrag, new socket, same DTLS and keys.
func TestICERestartMovesTheEndpoint(t *testing.T) {
	e := startEngine(t, Config{})
	v4 := []webrtc.NetworkType{webrtc.NetworkTypeUDP4}
	talker, listener := newClientPeer(t, v4), newClientPeer(t, v4)
	f := &forwarder{}
	in, out := newServerPeer(t, e, f), newServerPeer(t, e, &forwarder{})
	defer func() {
		require.NoError(t, talker.pc.Close())
		require.NoError(t, listener.pc.Close())
		in.close(t)
		out.close(t)
	}()
	join(t, talker, in)
	join(t, listener, out)
	f.to.Store(out)
	first := in.ep.Remote()
	hear := func(from uint16, n int) {
		t.Helper()
		talker.talk(t, from, n)
		for i := range n {
			select {
			case p := <-listener.heard:
				require.Equal(t, from+uint16(i), p.SequenceNumber)
			case <-time.After(pollTimeout):
				require.Fail(t, "nothing heard", "%+v %+v", in.ep.Stats(), e.Stats())
			}
		}
	}
	hear(1, 20)

	offer, err := talker.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: true})
	require.NoError(t, err)
	gathered := webrtc.GatheringCompletePromise(talker.pc)
	require.NoError(t, talker.pc.SetLocalDescription(offer))
	<-gathered
	require.NoError(t, talker.pc.SetRemoteDescription(in.answer(t, *talker.pc.LocalDescription())))
	require.Eventually(t, func() bool { return in.ep.Remote().IsValid() && in.ep.Remote() != first }, pollTimeout, tick,
		"no new pair was nominated")
	require.Len(t, ufrags(e), 2, "the old credentials ended")
	// Until the answer to its nomination is there, pion drops what it is given to send.
	require.Eventually(t, func() bool { return talker.pc.ICEConnectionState() == webrtc.ICEConnectionStateConnected },
		pollTimeout, tick)
	hear(21, 20)
	require.Zero(t, in.ep.Stats().AuthFailed+in.ep.Stats().Replayed)
}
