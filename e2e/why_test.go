package e2e

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/pion/transport/v5"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// faulty is a server with guests and an admin, on which each fault has a channel of its own.
type faulty struct {
	t *testing.T
	*server

	admin *person
}

// room makes a channel for a fault.
func (f faulty) room(id string, change ...func(*protocol.ChannelCreate)) string {
	f.t.Helper()
	d := protocol.ChannelCreate{ChannelID: id}
	for _, c := range change {
		c(&d)
	}
	_, err := f.admin.CreateChannel(soon(f.t), d)
	require.NoError(f.t, err)
	return id
}

func (f faulty) arrive(name string, options ...func(*client.Options)) *person {
	f.t.Helper()
	return arrive(f.t, f.server, name, options...)
}

// pair is somebody who listens and somebody who speaks in a room, and is heard.
func (f faulty) pair(room string, options ...func(*client.Options)) (listener, talker *person) {
	f.t.Helper()
	listener, talker = f.arrive("lis", options...).join(room), f.arrive("tom").join(room)
	talker.level.Store(20)
	talker.talk()
	listener.hears(talker)
	return listener, talker
}

// behind gives a client a network on which drop decides of each packet whether it is lost.
func behind(t *testing.T, drop func(up bool, packet []byte) bool) func(*client.Options) {
	t.Helper()
	return func(o *client.Options) {
		o.Engine = loopbackEngine(t, func(c *client.EngineConfig) {
			c.Net = func(system transport.Net) transport.Net { return &sieve{system, drop} }
		})
	}
}

// sieve is a network that loses what it is told to.
type sieve struct {
	transport.Net

	drop func(up bool, packet []byte) bool
}

func (s *sieve) ListenUDP(network string, addr *net.UDPAddr) (transport.UDPConn, error) {
	conn, err := s.Net.ListenUDP(network, addr)
	if err != nil {
		return nil, err
	}
	return &sieveConn{conn, s.drop}, nil
}

type sieveConn struct {
	transport.UDPConn

	drop func(up bool, packet []byte) bool
}

func (c *sieveConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	if c.drop(true, b) {
		return len(b), nil
	}
	return c.UDPConn.WriteTo(b, addr)
}

func (c *sieveConn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, addr, err := c.UDPConn.ReadFrom(b)
		if err != nil || !c.drop(false, b[:n]) {
			return n, addr, err
		}
	}
}

// isRecord reports whether a packet is a DTLS record (RFC 7983).
func isRecord(packet []byte) bool { return len(packet) > 0 && packet[0] >= 20 && packet[0] <= 63 }

func noWait(o *client.JoinOptions) { o.NoWait = true }

// finds asks the server why the listener does not hear the talker, until it names what is broken.
func (f faulty) finds(listener *person, talkerID, want, side string) {
	f.t.Helper()
	var last protocol.WhyFound
	require.Eventually(f.t, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		found, err := listener.Why(ctx, talkerID)
		last = found
		return err == nil && found.Cause == want
	}, 3*patience, 50*time.Millisecond, "%s is named; the last was %v", want, &last)
	require.Equal(f.t, talkerID, last.UserID)
	require.Equal(f.t, side, last.Side)
	require.NotEmpty(f.t, last.What)
	require.NotEmpty(f.t, last.Mend)
}

// fewFaults is how many are tried at a time: more than there are cores, as t.Parallel would have it, since they mostly wait for something to
// show; and few enough that those who join do not wait for each other.
const fewFaults = 5

// Each of these faults is made for real, several at once since some take a while to show, and each is named.
func TestWhyNamesWhatIsBroken(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.Secret, c.AllowGuests, c.PerAddress, c.TURN = testSecret, new(true), 200, false })
	admin := arriveAs(t, s, mint(t, testSecret, auth.Identity{UserID: "root", Role: auth.RoleAdmin}))
	var running sync.WaitGroup
	defer running.Wait()
	few := make(chan struct{}, fewFaults)
	for name, fault := range map[string]func(faulty){
		"nothing": func(f faulty) {
			lis, tom := f.pair(f.room("nothing"))
			f.finds(lis, tom.UserID(), "ok", "")
			tom.silence()
			f.finds(lis, tom.UserID(), "no_packets", "them") // a client that sends nothing at all
		},
		"muted": func(f faulty) {
			lis, tom := f.pair(f.room("muted"))
			_, err := tom.SetVoiceState(soon(f.t), protocol.VoiceState{SelfMute: new(true)})
			require.NoError(f.t, err)
			f.finds(lis, tom.UserID(), "muted", "them")
		},
		"deaf": func(f faulty) {
			lis, tom := f.pair(f.room("deaf"))
			_, err := lis.SetVoiceState(soon(f.t), protocol.VoiceState{SelfDeaf: new(true)})
			require.NoError(f.t, err)
			f.finds(lis, tom.UserID(), "you_deaf", "you")
			f.finds(tom, lis.UserID(), "deaf", "them")
		},
		"moderator's mute": func(f faulty) {
			lis, tom := f.pair(f.room("hushed"))
			require.NoError(f.t, f.admin.Mute(soon(f.t), tom.UserID(), true))
			f.finds(lis, tom.UserID(), "muted_by_moderator", "them")
		},
		"audience": func(f faulty) {
			speaking := protocol.SpeakingModerators
			room := f.room("audience", func(d *protocol.ChannelCreate) { d.Speaking = &speaking })
			lis, tom := f.arrive("lis").join(room), f.arrive("tom").join(room)
			f.finds(lis, tom.UserID(), "audience", "channel")
		},
		"silence": func(f faulty) {
			room := f.room("silence")
			lis, tom := f.arrive("lis").join(room), f.arrive("tom").join(room)
			tom.level.Store(127) // as of a microphone that is muted in the system
			tom.talk()
			f.finds(lis, tom.UserID(), "mic_silent", "them")
		},
		"microphone": func(f faulty) {
			lis, tom := f.pair(f.room("microphone"))
			for state, want := range map[protocol.Mic]string{
				protocol.MicSilent: "mic_silent", protocol.MicHeld: "mic_held", protocol.MicLost: "mic_lost",
			} {
				_, err := tom.SetVoiceState(soon(f.t), protocol.VoiceState{Mic: &state})
				require.NoError(f.t, err)
				f.finds(lis, tom.UserID(), want, "them")
			}
			room := f.room("none")
			lis, tom = f.arrive("lis").join(room), f.arrive("tom").join(room, listenOnly)
			f.finds(lis, tom.UserID(), "no_microphone", "them")
		},
		"no UDP": func(f faulty) {
			room, all := f.room("udp"), func(bool, []byte) bool { return true }
			lis, tom := f.arrive("lis").join(room), f.arrive("tom", behind(f.t, all)).join(room, noWait)
			f.finds(lis, tom.UserID(), "no_udp", "them")
			lis.talk()
			f.finds(tom, lis.UserID(), "you_no_udp", "you")
		},
		"no DTLS": func(f faulty) {
			room, dtls := f.room("dtls"), func(_ bool, packet []byte) bool { return isRecord(packet) }
			lis, tom := f.arrive("lis").join(room), f.arrive("tom", behind(f.t, dtls)).join(room, noWait)
			f.finds(lis, tom.UserID(), "no_dtls", "them")
			lis.talk()
			f.finds(tom, lis.UserID(), "you_no_dtls", "you")
		},
		"failed DTLS": failedHandshake,
		"excluded": func(f faulty) {
			lis, tom := f.pair(f.room("excluded"))
			_, err := lis.Subscribe(soon(f.t), protocol.Subscribe{Exclude: []string{tom.UserID()}})
			require.NoError(f.t, err)
			f.finds(lis, tom.UserID(), "excluded", "you")
		},
		"slots": func(f faulty) {
			room := f.room("slots")
			lis, tom, loud := f.arrive("lis").join(room, slots(1)), f.arrive("tom").join(room), f.arrive("lou").join(room)
			tom.level.Store(40)
			loud.level.Store(10)
			loud.talk()
			tom.talk()
			lis.hears(loud)
			f.finds(lis, tom.UserID(), "not_in_slots", "channel")
			lis.leave()
			lis.join(room, slots(-1))
			f.finds(lis, tom.UserID(), "no_slots", "you")
		},
		"channel": func(f faulty) {
			here, there := f.room("here"), f.room("there")
			lis, tom := f.arrive("lis"), f.arrive("tom").join(there)
			f.finds(lis, tom.UserID(), "you_not_in_channel", "you")
			lis.join(here)
			f.finds(lis, tom.UserID(), "other_channel", "channel")
			_, err := lis.call.Listen(soon(f.t), protocol.Listen{Channels: []string{there}})
			require.NoError(f.t, err)
			tom.talk()
			f.finds(lis, tom.UserID(), "ok", "")
			tom.leave()
			f.finds(lis, tom.UserID(), "not_here", "them") // of whom one may know no more
			tom.gone()
			f.finds(lis, tom.UserID(), "not_here", "them")
			f.finds(lis, lis.UserID(), "yourself", "")
		},
		"hidden": func(f faulty) {
			invited := protocol.AccessInvited
			room := f.room("hidden", func(d *protocol.ChannelCreate) { d.Access = &invited })
			lis := f.arrive("lis").join("lobby")
			boss := arriveAs(f.t, f.server, mint(f.t, testSecret, auth.Identity{UserID: "boss", Role: auth.RoleAdmin})).join(room)
			f.finds(lis, boss.UserID(), "not_here", "them") // where they are is none of one's business
			boss.talk()
			f.finds(boss, lis.UserID(), "other_channel", "channel")
		},
		"floor": func(f faulty) {
			room := f.room("floor", func(d *protocol.ChannelCreate) { d.Mode = protocol.ModePTT })
			lis, tom := f.arrive("lis").join(room), f.arrive("tom").join(room)
			tom.talk()
			f.finds(lis, tom.UserID(), "floor_idle", "channel")
			_, err := lis.call.Floor().Acquire(soon(f.t), client.FloorRequest{})
			require.NoError(f.t, err)
			f.finds(lis, tom.UserID(), "floor_other", "channel")
		},
		"path": func(f faulty) {
			room, p := f.room("path"), newProxy(f.t, f.media)
			lis, tom := f.arrive("lis").join(room), f.arrive("tom", through(f.t, p)).join(room)
			lis.talk()
			tom.talk()
			lis.hears(tom)
			p.impair(impairment{loss: 1}, impairment{loss: 1}, 1)
			f.finds(lis, tom.UserID(), "media_lost", "them")
			f.finds(tom, lis.UserID(), "you_media_lost", "you")
		},
		"loss up": func(f faulty) {
			room, p := f.room("up"), newProxy(f.t, f.media)
			lis, tom := f.arrive("lis").join(room), f.arrive("tom", through(f.t, p)).join(room)
			tom.talk()
			lis.hears(tom)
			p.impair(impairment{loss: 0.6}, impairment{}, 2)
			f.finds(lis, tom.UserID(), "lossy_up", "them")
		},
		"loss down": func(f faulty) {
			room, p := f.room("down"), newProxy(f.t, f.media)
			lis, tom := f.arrive("lis", through(f.t, p)).join(room), f.arrive("tom").join(room)
			tom.talk()
			lis.hears(tom)
			p.impair(impairment{}, impairment{loss: 0.6}, 3)
			f.finds(lis, tom.UserID(), "lossy_down", "you")
		},
		"half open": func(f faulty) {
			room, p := f.room("half"), newProxy(f.t, f.media)
			lis, tom := f.arrive("lis", through(f.t, p)).join(room), f.arrive("tom").join(room)
			tom.talk()
			lis.hears(tom)
			p.impair(impairment{}, impairment{loss: 1}, 4)
			f.finds(lis, tom.UserID(), "half_open", "you")
		},
		"sound": func(f faulty) {
			lis, tom := f.pair(f.room("sound"))
			for state, want := range map[protocol.Sound]string{protocol.SoundBlocked: "sound_blocked", protocol.SoundLost: "sound_lost"} {
				_, err := lis.SetVoiceState(soon(f.t), protocol.VoiceState{Sound: &state})
				require.NoError(f.t, err)
				f.finds(lis, tom.UserID(), want, "you")
			}
		},
		"output": func(f faulty) {
			lis, tom := f.pair(f.room("output"), func(o *client.Options) {
				o.Playback = func(_ string, told *protocol.Playback) { told.Volume = new(0.0) }
			})
			f.finds(lis, tom.UserID(), "output_muted", "you")
			idle := f.arrive("idle")
			_, err := idle.Join(soon(f.t), lis.call.ChannelID(), client.JoinOptions{Slots: 2}) // of which nobody reads
			require.NoError(f.t, err)
			f.finds(idle, tom.UserID(), "not_playing", "you")
		},
	} {
		running.Go(func() {
			few <- struct{}{}
			defer func() { <-few }()
			t.Run(name, func(t *testing.T) { fault(faulty{t: t, server: s, admin: admin}) })
		})
	}
}

// failedHandshake: who has another certificate than they said is out of the channel, and those who were there may know why.
func failedHandshake(f faulty) {
	room := f.room("failed")
	lis := f.arrive("lis").join(room)
	tom, tomID := identify(f.t, f.server, "tom")
	media := newProbing(f.t, webrtc.RTPTransceiverDirectionSendonly)
	var joined protocol.Joined
	tom.ack(protocol.OpChannelJoin, protocol.ChannelJoin{ChannelID: room, SDPOffer: otherFingerprint(media.LocalDescription().SDP)}, &joined)
	media.answer(f.t, joined.SDPAnswer)
	f.finds(lis, tomID, "media_failed", "them")
	var found protocol.WhyFound
	tom.ack(protocol.OpWhy, protocol.Why{UserID: lis.UserID()}, &found)
	require.Equal(f.t, "you_media_failed", found.Cause)
}

// through has a client's media go through a proxy, and stay there.
func through(t *testing.T, p *proxy) func(*client.Options) {
	t.Helper()
	return func(o *client.Options) {
		o.Engine = loopbackEngine(t, func(c *client.EngineConfig) { c.Net = p.detour })
	}
}

// A handshake that is not done in time ends the connection, and whoever was there may know that it was that. It takes half a minute.
func TestSurviveExpiredHandshakeIsNamed(t *testing.T) {
	survives(t)
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.Secret, c.AllowGuests, c.TURN = testSecret, new(true), false })
	f := faulty{t: t, server: s, admin: arriveAs(t, s, mint(t, testSecret, auth.Identity{UserID: "root", Role: auth.RoleAdmin}))}
	room, dtls := f.room("expired"), func(_ bool, packet []byte) bool { return isRecord(packet) }
	lis := f.arrive("lis").join(room)
	tom := f.arrive("tom", behind(t, dtls)).join(room, noWait)
	f.finds(lis, tom.UserID(), "no_dtls", "them")
	toldAfter(lis, 45*time.Second, "the handshake has expired", func(ev *protocol.ChannelEvent) bool {
		return ev.Event == protocol.ChannelEventLeave && ev.Member.UserID == tom.UserID() && ev.Cause == protocol.LeaveMediaFailed
	})
	f.finds(lis, tom.UserID(), "media_failed", "them")
}
