package turn

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"
	"github.com/stretchr/testify/require"
)

// specialPurpose are addresses out of every block of the IANA special-purpose address
// registries (RFC 6890 and what was added since), and some that matter here.
func specialPurpose() []string {
	return []string{
		// IPv4.
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.0.0.53", "127.255.255.254",
		"169.254.169.254", "172.16.0.1", "172.17.0.1", "192.0.0.1", "192.0.0.8", "192.0.0.9", "192.0.0.10",
		"192.0.0.170", "192.0.0.171", "192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.88.99.2",
		"192.168.0.1", "192.175.48.1", "198.18.0.1", "198.51.100.1", "198.51.100.8", "203.0.113.1", "224.0.0.1",
		"239.255.255.250", "240.0.0.1", "255.255.255.255", "8.8.8.8",
		// IPv6.
		"::", "::1", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "100:0:0:1::1", "2001::1", "2001:1::1",
		"2001:1::2", "2001:1::3", "2001:2::1", "2001:3::1", "2001:4:112::1", "2001:10::1", "2001:20::1",
		"2001:30::1", "2001:db8::1", "2001:db8::8", "2002:7f00:1::", "2620:4f:8000::1", "3fff::1", "5f00::1",
		"fc00::1", "fd00::1", "fe80::1", "fec0::1", "ff02::1", "ff0e::1", "2606:4700:4700::1111",
		// IPv4 inside IPv6: mapped, and compatible, the media port's own address too.
		"::ffff:127.0.0.1", "::ffff:0.0.0.0", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:198.51.100.7",
		"::ffff:255.255.255.255", "::127.0.0.1", "::10.0.0.1", "::198.51.100.7", "::ffff:0:127.0.0.1",
	}
}

// dual gives the server a media port in each family.
func dual(t *testing.T) func(*Config) {
	t.Helper()
	v6 := startMedia(t, "[::1]:0")
	return func(cfg *Config) { cfg.Media = append(cfg.Media, v6.addr()) }
}

func family6() stun.Setter { return raw(stun.AttrRequestedAddressFamily, 2, 0, 0, 0) }

// However a client names a place other than the media port, it is refused, nothing is
// sent to it, and the relay's socket could not send there.
func TestRelaysNowhereElse(t *testing.T) {
	r := start(t, dual(t))
	victim := startMedia(t, "127.0.0.1:0")
	c4 := r.overTCP(r.grant("ada")).mustAllocate()
	c6 := r.overTCP(r.grant("ada"))
	require.Zero(t, code(t, c6.request(stun.MethodAllocate, requestedTransport(), family6())))

	ports := []uint16{
		1, 53, 80, 443, publicV4().Port(), victim.addr().Port(), r.media.addr().Port(),
		netip.MustParseAddrPort(r.udp).Port(), netip.MustParseAddrPort(r.tcp).Port(),
	}
	channel := uint16(0x4000)
	for _, c := range []*raws{c4, c6} {
		for i, addr := range specialPurpose() {
			to := netip.AddrPortFrom(netip.MustParseAddr(addr), ports[i%len(ports)])
			channel++
			require.Contains(t, []int{400, 403, 443}, code(t, c.request(stun.MethodCreatePermission, peer(to))), addr)
			require.Contains(t, []int{400, 401, 443},
				code(t, c.request(stun.MethodChannelBind, channelNumber(channel), peer(to))), addr)
			for _, port := range ports {
				c.indicate(netip.AddrPortFrom(to.Addr(), port), "send")
			}
			c.channelData(channel, "channel")
		}
	}
	// A refused address spoils the whole request, beside the permitted one too.
	require.Equal(t, 403, code(t, c4.request(stun.MethodCreatePermission,
		peer(publicV4()), peer(netip.MustParseAddrPort("127.0.0.1:53")))))

	// The port counts as well: on the media port's own address, with a permission.
	require.Zero(t, code(t, c4.request(stun.MethodCreatePermission, peer(publicV4()))))
	for i, port := range ports {
		if to := netip.AddrPortFrom(publicV4().Addr(), port); to != publicV4() {
			c4.indicate(to, "other port")
			require.Zero(t, code(t, c4.request(stun.MethodChannelBind, channelNumber(0x5000+uint16(i)), peer(to))))
			c4.channelData(0x5000+uint16(i), "other port")
		}
	}
	require.Zero(t, code(t, c4.request(stun.MethodRefresh)), "what came before has been handled")

	time.Sleep(50 * time.Millisecond) // what was relayed would be on its way
	require.Zero(t, victim.received())
	require.Zero(t, r.media.received())
	require.Zero(t, r.Stats().Noise, "nothing came to the server's own UDP port")
	// Counted are: each address once by CreatePermission and once by ChannelBind, on the
	// client of its family; the one beside the permitted; and the packets to other ports.
	require.EqualValues(t, 2*len(specialPurpose())+1+2*(len(ports)-1), r.Stats().Refused)
	for _, addr := range r.cfg.Media {
		require.Contains(t, r.remotes(), addr.String())
	}
	require.Len(t, r.remotes(), 2, "each relay's socket is connected to the media port")

	c4.indicate(publicV4(), "to the media port")
	eventually(t, "the media port itself is reached", func() bool { return r.media.heard("to the media port") == 1 })
}

// remotes are where the relays' sockets are connected to.
func (r *rig) remotes() map[string]bool {
	remotes := make(map[string]bool)
	r.sessions.mu.Lock()
	defer r.sessions.mu.Unlock()
	for _, live := range r.sessions.live {
		for relay := range live.relays {
			remotes[relay.RemoteAddr().String()] = true
		}
	}
	return remotes
}

// What strangers send to a relay's port reaches nobody.
func TestNothingComesInFromElsewhere(t *testing.T) {
	r := start(t)
	c := r.overUDP(r.grant("ada")).mustAllocate()
	require.Zero(t, code(t, c.request(stun.MethodCreatePermission, peer(publicV4()))))
	require.Zero(t, code(t, c.request(stun.MethodChannelBind, channelNumber(0x4000), peer(publicV4()))))
	c.channelData(0x4000, "hello")
	eventually(t, "the relay works", func() bool { return r.media.heard("hello") == 1 })
	r.media.mu.Lock()
	relay := r.media.from
	r.media.mu.Unlock()

	stranger := dialUDP(t, relay.String())
	defer stranger.Close()
	for range 20 {
		_, _ = stranger.Write([]byte("from a stranger"))
	}
	_, err := r.media.WriteTo([]byte("from the media port"), net.UDPAddrFromAddrPort(relay))
	require.NoError(t, err)
	buf := make([]byte, 2048)
	for want := "hello"; want != ""; {
		_ = c.conn.SetReadDeadline(time.Now().Add(patience))
		n, _, err := c.conn.ReadFrom(buf)
		require.NoError(t, err)
		if !isChannelData(buf[:n]) {
			continue // the reply to a request that was sent twice
		}
		require.Equal(t, want, string(buf[4:4+int(buf[3])]))
		if want = "from the media port"; string(buf[4:4+int(buf[3])]) == want {
			want = ""
		}
	}
}

// Only UDP is relayed, to a port of the server's choice, in a family the media port has.
func TestRefusedAllocations(t *testing.T) {
	r := start(t)
	c := r.overTCP(r.grant("ada"))
	require.Equal(t, 508, code(t, c.request(stun.MethodAllocate, raw(stun.AttrRequestedTransport, 6, 0, 0, 0))), "TCP")
	require.Equal(t, 442, code(t, c.request(stun.MethodAllocate, raw(stun.AttrRequestedTransport, 1, 0, 0, 0))), "ICMP")
	require.Equal(t, 508, code(t, c.request(stun.MethodAllocate, requestedTransport(), family6())), "IPv6")
	require.Equal(t, 508, code(t, c.request(stun.MethodAllocate, requestedTransport(), raw(stun.AttrEvenPort, 0x80))))
	require.Equal(t, 508, code(t, c.request(stun.MethodAllocate, requestedTransport(), raw(stun.AttrReservationToken, make([]byte, 8)...))))
	require.Equal(t, 401, code(t, c.request(stun.MethodConnect, peer(publicV4()))))
	require.Equal(t, 401, code(t, c.request(stun.MethodConnectionBind, raw(stun.AttrConnectionID, 0, 0, 0, 1))))
	require.Zero(t, r.Stats().Allocations)
}

// A real client gets through over each transport and in each family.
func TestClients(t *testing.T) {
	cert := certificate(t)
	for name, addr := range map[string]string{
		"UDP": "127.0.0.1:0", "UDP, IPv6": "[::1]:0", "TCP": "127.0.0.1:0", "TCP, IPv6": "[::1]:0",
	} {
		t.Run(name, func(t *testing.T) {
			udp := strings.HasPrefix(name, "UDP")
			r := start(t, dual(t), func(cfg *Config) {
				if udp {
					pc := listenUDP(t, addr)
					cfg.PacketConns = append(cfg.PacketConns, pc)
					addr = pc.LocalAddr().String()
				} else {
					l := listenTCP(t, addr)
					cfg.Listeners = append(cfg.Listeners, l)
					addr = l.Addr().String()
				}
			})
			want := publicV4()
			if netip.MustParseAddrPort(addr).Addr().Is6() {
				want = publicV6()
			}
			conn := net.PacketConn(nil)
			if udp {
				// The client asks for the family of its own socket.
				local := listenUDP(t, netip.AddrPortFrom(netip.MustParseAddrPort(addr).Addr(), 0).String())
				conn = local
			} else {
				stream := dialTCP(t, addr)
				conn = turn.NewSTUNConn(stream)
			}
			talk(t, r, conn, addr, want)
		})
	}
	t.Run("TLS", func(t *testing.T) {
		l := listenTCP(t, "127.0.0.1:0")
		r := start(t, func(cfg *Config) {
			cfg.Listeners = append(cfg.Listeners, tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}}))
		})
		stream := tls.Client(dialTCP(t, l.Addr().String()), &tls.Config{InsecureSkipVerify: true})
		talk(t, r, turn.NewSTUNConn(stream), l.Addr().String(), publicV4())
	})
}

// talk relays to the media port and back by pion's client.
func talk(t *testing.T, r *rig, conn net.PacketConn, addr string, to netip.AddrPort) {
	t.Helper()
	creds := r.grant("ada")
	client, err := turn.NewClient(&turn.ClientConfig{
		TURNServerAddr: addr, STUNServerAddr: addr, Conn: conn, Username: creds.Username, Password: creds.Password,
	})
	require.NoError(t, err)
	require.NoError(t, client.Listen())
	defer func() { client.Close(); _ = conn.Close() }()
	relay, err := client.Allocate()
	require.NoError(t, err)
	require.Equal(t, to.Addr().String(), relay.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap().String())
	for _, word := range []string{"the first word", "the second word", "the third word"} {
		_, err = relay.WriteTo([]byte(word), net.UDPAddrFromAddrPort(to))
		require.NoError(t, err)
		buf := make([]byte, 2048)
		require.NoError(t, relay.SetReadDeadline(time.Now().Add(patience)))
		n, from, err := relay.ReadFrom(buf)
		require.NoError(t, err)
		require.Equal(t, word, string(buf[:n]))
		require.Equal(t, to.String(), from.String())
	}
	require.NoError(t, relay.Close())
	eventually(t, "the client took its allocation away", func() bool { return r.Stats().Allocations == 0 })
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
	}, &x509.Certificate{SerialNumber: big.NewInt(1)}, key.Public(), key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// A media port that is away for a moment ends no allocation.
func TestMediaPortAway(t *testing.T) {
	r := start(t)
	c := r.overTCP(r.grant("ada")).mustAllocate()
	require.Zero(t, code(t, c.request(stun.MethodCreatePermission, peer(publicV4()))))
	addr := r.media.LocalAddr().String()
	require.NoError(t, r.media.Close())
	for range 20 {
		c.indicate(publicV4(), "nobody there")
		require.Zero(t, code(t, c.request(stun.MethodRefresh)))
	}
	back := startMedia(t, addr)
	eventually(t, "it is reached again", func() bool {
		c.indicate(publicV4(), "there you are")
		return back.heard("there you are") > 0
	})
}

func TestConfig(t *testing.T) {
	media := netip.MustParseAddrPort("127.0.0.1:1")
	pc := listenUDP(t, "127.0.0.1:0")
	defer pc.Close()
	for _, cfg := range []Config{
		{Media: []netip.AddrPort{media}},
		{PacketConns: []net.PacketConn{pc}},
		{PacketConns: []net.PacketConn{pc}, Media: []netip.AddrPort{media, media}},
		{PacketConns: []net.PacketConn{pc}, Media: []netip.AddrPort{{}}},
		{PacketConns: []net.PacketConn{pc}, Media: []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:1")}},
		{PacketConns: []net.PacketConn{pc}, Media: []netip.AddrPort{netip.MustParseAddrPort("[::ffff:127.0.0.1]:1")}},
	} {
		_, err := New(cfg)
		require.Error(t, err)
	}
}

// Each session's relays lead to the media port by the address that its client knows. When
// it learns of another, that goes for new allocations; those that are there stay.
func TestEachClientsOwnAddress(t *testing.T) {
	r := start(t, dual(t))
	one, two := publicV4(), netip.MustParseAddrPort("203.0.113.9:10000")
	reaches := func(c *raws, to netip.AddrPort, word string) {
		t.Helper()
		require.Zero(t, code(t, c.request(stun.MethodCreatePermission, peer(to))))
		before := r.media.heard(word)
		eventually(t, "the media port is reached at "+to.String(), func() bool {
			c.indicate(to, word)
			return r.media.heard(word) > before
		})
	}
	ada := r.overTCP(r.grant("ada")).mustAllocate()
	r.Admit("ben", []netip.AddrPort{two, one, publicV6()})
	ben := r.overTCP(r.Mint("ben", time.Now())).mustAllocate()
	reaches(ada, one, "ada")
	reaches(ben, two, "ben")
	// The other's address has a permission, but leads nowhere.
	require.Zero(t, code(t, ada.request(stun.MethodCreatePermission, peer(two))))
	refused := r.Stats().Refused
	ada.indicate(two, "not ada's")
	eventually(t, "it is refused", func() bool { return r.Stats().Refused == refused+1 })
	require.Zero(t, r.media.heard("not ada's"))

	moved := netip.MustParseAddrPort("192.0.2.44:10000")
	r.Admit("ada", []netip.AddrPort{moved})
	reaches(ada, one, "still the old one")
	reaches(r.overTCP(r.Mint("ada", time.Now())).mustAllocate(), moved, "the new one")
	v6 := r.overTCP(r.Mint("ada", time.Now()))
	require.Equal(t, 508, code(t, v6.request(stun.MethodAllocate, requestedTransport(), family6())), "ada knows none of IPv6")

	// Nothing is left of addresses that nobody has any more.
	r.Revoke("ada")
	require.Equal(t, 403, code(t, ben.request(stun.MethodCreatePermission, peer(moved))))
	r.Revoke("ben")
	require.Empty(t, r.sessions.peers)
}

// A client that comes by IPv6 to a media port without it gets a relay of IPv4, unless it
// insists.
func TestClientOfAnotherFamily(t *testing.T) {
	var addr string
	r := start(t, func(cfg *Config) {
		l := listenTCP(t, "[::1]:0")
		cfg.Listeners = append(cfg.Listeners, l)
		addr = l.Addr().String()
	})
	r.tcp = addr
	c := r.overTCP(r.grant("ada")).mustAllocate()
	require.Zero(t, code(t, c.request(stun.MethodCreatePermission, peer(publicV4()))))
	eventually(t, "the media port is reached", func() bool {
		c.indicate(publicV4(), "from IPv6")
		return r.media.heard("from IPv6") > 0
	})
	require.Equal(t, 508, code(t, r.overTCP(r.grant("ada")).request(stun.MethodAllocate, requestedTransport(), family6())))
}

// As many allocations as ask at once, exactly the quota is granted: to one session, and to
// many together.
func TestQuotas(t *testing.T) {
	const racing, perSession, total = 200, 30, 100
	for name, test := range map[string]struct{ sessions, want int }{
		"of one session": {1, perSession},
		"in total":       {20, total},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, func(cfg *Config) {
				cfg.AllocationsPerSession, cfg.Allocations = perSession, total
			})
			clients := make([]*raws, racing)
			for i := range clients {
				clients[i] = r.overTCP(r.grant("session-" + strconv.Itoa(i%test.sessions)))
				clients[i].challenge()
			}
			var granted atomic.Int32
			var wg sync.WaitGroup
			for _, c := range clients {
				wg.Go(func() {
					reply := c.try(patience, c.authenticated(stun.MethodAllocate, requestedTransport())...)
					if reply == nil {
						t.Error("no reply")
						return
					}
					switch e := code(t, reply); e {
					case 0:
						granted.Add(1)
					case 486, 508:
					default:
						t.Errorf("refused with %d", e)
					}
				})
			}
			wg.Wait()
			require.EqualValues(t, test.want, granted.Load())
			require.Equal(t, test.want, r.Stats().Allocations)
			require.Equal(t, 486, code(t, r.overTCP(r.grant("session-0")).allocate()))

			// Room that is given back is there for others.
			for i := range test.sessions {
				r.Revoke("session-" + strconv.Itoa(i))
			}
			require.Zero(t, r.Stats().Allocations)
			for range perSession {
				r.overTCP(r.grant("late")).mustAllocate()
			}
			require.Equal(t, 486, code(t, r.overTCP(r.grant("late")).allocate()))
		})
	}
}

func TestRateLimit(t *testing.T) {
	const rate = 20_000
	r := start(t, func(cfg *Config) { cfg.BytesPerSecond = rate })
	c := r.overTCP(r.grant("ada")).mustAllocate()
	other := r.overTCP(r.grant("ben")).mustAllocate()
	for _, c := range []*raws{c, other} {
		require.Zero(t, code(t, c.request(stun.MethodCreatePermission, peer(publicV4()))))
	}
	go func() { // read what comes back, or TCP stalls
		buf := make([]byte, 2048)
		for {
			if _, _, err := c.conn.ReadFrom(buf); err != nil {
				return
			}
		}
	}()
	began := time.Now()
	packet := string(make([]byte, 1000))
	for range 500 {
		c.indicate(publicV4(), packet)
	}
	eventually(t, "all was handled", func() bool {
		return r.Stats().Throttled+int64(r.media.heard(packet)) >= 500
	})
	// The burst, and what came in meanwhile; what goes back counts as well.
	most := rate + int(time.Since(began).Seconds()*rate) + len(packet)
	require.LessOrEqual(t, r.media.received(), most)
	require.Positive(t, r.media.received())
	// Another session has a rate of its own.
	eventually(t, "the other is heard", func() bool {
		other.indicate(publicV4(), "me too")
		return r.media.heard("me too") > 0
	})
}

// An allocation cannot be filled with channel bindings.
func TestTooManyChannels(t *testing.T) {
	r := start(t)
	c := r.overTCP(r.grant("ada")).mustAllocate()
	for i := range maxChannels + 1 {
		to := netip.AddrPortFrom(publicV4().Addr(), 20_000+uint16(i))
		require.Zero(t, code(t, c.request(stun.MethodChannelBind, channelNumber(0x4000+uint16(i)), peer(to))))
	}
	eventually(t, "the allocation is taken away", func() bool { return r.Stats().Allocations == 0 })
}
