package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/stun/v4"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// What the media port makes of those who mean it ill, while others have a call. With LIVECHAT_HOSTILE the attacks are as
// hard as `make hostile` says, and the call loses next to nothing. Otherwise they are a tenth, and what is looked at is what
// does not depend on the machine: what is passed on of them, and that the call goes on.

// nowhere is a socket to another that nobody reads: to send there takes what it takes to send, and nothing of a server.
func nowhere(t *testing.T) io.Writer {
	t.Helper()
	sink, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = sink.Close() })
	conn, err := net.DialUDP("udp4", nil, sink.LocalAddr().(*net.UDPAddr))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// A member sends as fast as it can. What goes on of it is no more than Opus could be, of what is larger than Opus nothing.
func TestHostileTalker(t *testing.T) {
	const perSecond = 20_000
	for name, test := range map[string]struct {
		size int
		goes bool
	}{"1,900 bytes": {1900, false}, "voice": {0, true}} {
		t.Run(name, func(t *testing.T) {
			s := besiege(t)
			mallory := intrude(t, s.server)
			var sealed []byte
			payload := make([]byte, test.size)
			rate, sent := s.scaled(perSecond), 0
			began := time.Now()
			flood := func(long time.Duration, to io.Writer) {
				paced(int(float64(rate)*long.Seconds()), rate, func(int) {
					if test.goes {
						payload = voiceFrame(mallory.userID, uint32(sent))
					}
					sealed = mallory.packet(sealed[:0], 7, uint16(sent), payload)
					_, _ = to.Write(sealed)
					sent++
				})
			}
			var all toll
			if !test.goes && s.full { // of the other some is to be heard, which takes its time of those who hear it
				sink := nowhere(t)
				rises(t, 9, "a voice", 5*time.Millisecond, func() (calm, attacked []time.Duration) {
					calm = s.during(func() { flood(time.Second, sink) }).delays
					attack := s.during(func() { flood(time.Second, mallory.conn) })
					all.add(attack)
					return calm, attack.delays
				})
			} else {
				all = s.during(func() { flood(s.long, mallory.conn) })
			}
			took := time.Since(began)
			s.judge(fmt.Sprintf("%d packets/s of %s", rate, name), 0.01, all)
			s.allSound()
			for _, p := range s.call {
				n := p.heardOfID(mallory.userID)
				if !test.goes {
					require.Zero(t, n)
					continue
				}
				require.LessOrEqual(t, n, int(500*(took.Seconds()+1))+1, "what %s gets of the flood", p.UserID())
				require.NotZero(t, n)
			}
			before := s.call[0].heardOfID(mallory.userID)
			eventually(t, "who attacked is still there, and heard", func() bool {
				_, _ = mallory.conn.Write(mallory.packet(nil, 7, uint16(sent), voiceFrame(mallory.userID, uint32(sent))))
				sent++
				return s.call[0].heardOfID(mallory.userID) > before
			})
		})
	}
}

// A member sends each packet under another SSRC. It is out soon, and nothing of it stays.
func TestHostileSSRCs(t *testing.T) {
	s := besiege(t)
	mallory := intrude(t, s.server)
	n := s.scaled(100_000)
	var sealed []byte
	s.judge(fmt.Sprintf("%d SSRCs of one member", n), 0.01, s.during(func() {
		paced(n, s.scaled(20_000), func(k int) {
			sealed = mallory.packet(sealed[:0], uint32(k+1), 1, voiceFrame(mallory.userID, 0))
			_, _ = mallory.conn.Write(sealed)
		})
	}))
	out := told(s.call[0], "the one with the SSRCs is out", func(ev *protocol.ChannelEvent) bool {
		return ev.Event == protocol.ChannelEventLeave && ev.Member.UserID == mallory.userID
	})
	require.Equal(t, protocol.LeaveMediaFailed, out.Cause)
	s.allSound()
	most := 0
	for _, p := range s.call {
		most = max(most, p.heardOfID(mallory.userID))
	}
	t.Logf("out after %d packets", most)
	require.LessOrEqual(t, most, 128, "one packet a stream")
}

// A member sends what is no voice as fast as it can: checks, which are answered, reports and requests, which are read, and
// what is inside DTLS, which is for nobody.
func TestHostileControl(t *testing.T) {
	const perSecond = 20_000
	for name, send := range map[string]func(*intruder) func(int){
		"ICE checks": func(i *intruder) func(int) {
			check := checkFor(i.ufrag, i.pwd, true)
			return func(int) { _, _ = i.conn.Write(check) }
		},
		"RTCP": func(i *intruder) func(int) {
			plain, err := rtcp.Marshal([]rtcp.Packet{
				&rtcp.SenderReport{SSRC: 7}, &rtcp.TransportLayerNack{MediaSSRC: 8, Nacks: []rtcp.NackPair{{PacketID: 1, LostPackets: 0xffff}}},
			})
			require.NoError(t, err)
			var sealed []byte
			return func(int) {
				if sealed, err = i.keys.EncryptRTCP(sealed[:0], plain, nil); err == nil {
					_, _ = i.conn.Write(sealed)
				}
			}
		},
		"DTLS": func(i *intruder) func(int) {
			return func(int) { _, _ = i.association.Write([]byte("for nobody")) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := besiege(t)
			mallory := intrude(t, s.server)
			rate := s.scaled(perSecond)
			s.under(fmt.Sprintf("%d %s/s of one member", rate, name), 0.01, func() {
				paced(int(float64(rate)*s.long.Seconds()), rate, send(mallory))
			})
			_, err := mallory.conn.Write(mallory.packet(nil, 7, 1, voiceFrame(mallory.userID, 0)))
			require.NoError(t, err)
			eventually(t, "the member is there", func() bool { return s.call[0].heardOfID(mallory.userID) == 1 })
		})
	}
}

// RTP from a stranger's address is nobody's: neither what pretends to be a talker's, nor what was a member's once before.
func TestHostileStranger(t *testing.T) {
	s := besiege(t)
	mallory := intrude(t, s.server)
	stranger, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(s.server.media))
	require.NoError(t, err)
	defer stranger.Close()
	sent := make([][]byte, 0, plenty)
	for k := range plenty {
		sent = append(sent, mallory.packet(nil, 7, uint16(k), voiceFrame(mallory.userID, uint32(k))))
		_, err = mallory.conn.Write(sent[k])
		require.NoError(t, err)
	}
	listener := s.call[0]
	eventually(t, "the member is heard", func() bool { return listener.heardOfID(mallory.userID) == plenty })
	talker := s.call[1]
	s.under("RTP from a stranger", 0.01, func() {
		paced(s.scaled(2000)*int(s.long.Seconds()), s.scaled(2000), func(k int) {
			_, _ = stranger.Write(sent[k%len(sent)])
			_, _ = stranger.Write(junk("", talker.call.SSRC())[7])
		})
	})
	s.allSound()
	passedOn := 0
	for _, p := range s.call {
		passedOn += p.heardOfID(mallory.userID) - plenty
	}
	t.Logf("%d packets of the stranger's passed on", passedOn)
	require.Zero(t, passedOn, "nobody hears anything twice")
}

// A check that nominates a stranger's address moves nobody there whose password it has not.
func TestHostileNomination(t *testing.T) {
	s := besiege(t)
	victim := s.call[talkersUnderSiege-1]
	ufrag := attribute(victim.call.PeerConnection().RemoteDescription().SDP, "ice-ufrag")
	require.NotEmpty(t, ufrag)
	stranger, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(s.server.media))
	require.NoError(t, err)
	defer stranger.Close()
	unsigned := stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.NewUsername(ufrag+":"+intruderUfrag),
		stun.RawAttribute{Type: stun.AttrUseCandidate}, stun.Fingerprint).Raw
	s.under("spoofed nominations", 0.01, func() {
		paced(s.scaled(200)*int(s.long.Seconds()), s.scaled(200), func(int) {
			for _, check := range [][]byte{checkFor(ufrag, intruderPwd, true), checkFor(ufrag, "", true), unsigned} {
				_, _ = stranger.Write(check)
			}
		})
	})
	require.NoError(t, stranger.SetReadDeadline(time.Now().Add(500*time.Millisecond)))
	n, err := stranger.Read(make([]byte, 2048))
	t.Logf("%d bytes came to the stranger", n)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded, "%d bytes to a stranger", n)
}

// Strangers send junk of all kinds.
func TestHostileJunk(t *testing.T) {
	s := besiege(t)
	ufrag := attribute(s.call[0].call.PeerConnection().RemoteDescription().SDP, "ice-ufrag")
	kinds := junk(ufrag, s.call[0].call.SSRC())
	const sockets = 16 // so that all loops of the server get some
	strangers := make([]*net.UDPConn, 0, sockets)
	for range sockets {
		conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(s.server.media))
		require.NoError(t, err)
		defer conn.Close()
		strangers = append(strangers, conn)
	}
	rate := s.scaled(50_000)
	s.under(fmt.Sprintf("%d packets/s of junk", rate), 0.02, func() {
		paced(int(float64(rate)*s.long.Seconds()), rate, func(k int) {
			_, _ = strangers[k%len(strangers)].Write(kinds[k/len(strangers)%len(kinds)])
		})
	})
	s.allSound()
}
