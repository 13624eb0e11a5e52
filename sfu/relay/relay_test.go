package relay

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// TestVoiceCrossesALink: a talker of one node is heard on another, as loud as at home, whichever of voice and line comes first.
func TestVoiceCrossesALink(t *testing.T) {
	b := newBus(t)
	alpha, beta := newNode(t, b, "alpha", "1"), newNode(t, b, "beta", "1")
	ann := alpha.enter("ann")
	in, h := beta.listen(alpha.id, "ann")
	beta.relay.Want("hall", 4, []string{"ann"})
	meet(t, alpha, beta)
	require.Eventually(t, func() bool { return alpha.wanted().Slots == 4 }, patience, poll, "alpha to know what beta wants")
	require.Equal(t, []string{"ann"}, alpha.wanted().Pins)
	awaitLines(t, beta, 1)

	out := alpha.engine.NewBatch()
	for range 10 {
		ann.say(out, 20)
	}
	require.Eventually(t, func() bool { return len(h.numbers()) == 10 }, patience, poll, "ten packets")
	for i, number := range h.numbers() {
		require.EqualValues(t, i+1, number)
	}
	meter := in.Meter()
	spoke := meter.Read(time.Now()).Spoke // when it was as loud: it falls since
	require.Equal(t, uint8(20), uint8(meter.Read(spoke).Loudness.Level()))
	ssrc, _ := in.SSRC()
	require.EqualValues(t, 1000, ssrc, "under its own SSRC")

	// Another one comes later, and his voice is asked for after his line is told.
	bob := alpha.enter("bob")
	awaitLines(t, beta, 2)
	bob.say(out, 30)
	_, h2 := beta.listen(alpha.id, "bob")
	require.Eventually(t, func() bool {
		bob.say(out, 30)
		return len(h2.numbers()) > 0
	}, patience, frame, "Bob to be heard")
	require.Len(t, h.numbers(), 10, "and nobody by the other's voice")
	require.Zero(t, beta.relay.Links()[0].Unknown)
}

// TestWhatNobodyToldOfIsDropped: an SSRC without a talker is counted, and asked for.
func TestWhatNobodyToldOfIsDropped(t *testing.T) {
	b := newBus(t)
	alpha, beta := newNode(t, b, "alpha", "1"), newNode(t, b, "beta", "1")
	beta.relay.Want("hall", 4, nil)
	meet(t, alpha, beta)
	require.Eventually(t, func() bool { return alpha.wanted().Slots == 4 }, patience, poll, "alpha to know what beta wants")
	_, h := beta.listen(alpha.id, "ann")
	b.setCut(true)
	ann := alpha.enter("ann") // of which beta hears nothing
	out := alpha.engine.NewBatch()
	require.Eventually(t, func() bool {
		ann.say(out, 20)
		return beta.relay.Links()[0].Unknown > 0
	}, patience, frame, "packets to be counted")
	require.Empty(t, h.numbers())
	b.setCut(false)
	require.Eventually(t, func() bool {
		ann.say(out, 20)
		return len(h.numbers()) > 0
	}, patience, frame, "the line to be told again")
}

// TestChannelIsAskedForAgain: what is wanted of a channel that there is not yet is fed once there is.
func TestChannelIsAskedForAgain(t *testing.T) {
	b := newBus(t)
	made := make(chan struct{})
	fed := make(chan Want, 10)
	alpha := newNode(t, b, "alpha", "1", func(c *Config) {
		c.Feed = func(channelID string, _ *Link, slots int, pins []string) bool {
			select {
			case <-made:
				fed <- Want{channelID, slots, pins}
				return true
			default:
				return false
			}
		}
	})
	beta := newNode(t, b, "beta", "1")
	beta.relay.Want("hall", 4, nil)
	meet(t, alpha, beta)
	close(made)
	require.Equal(t, Want{"hall", 4, nil}, <-fed)
	beta.relay.Want("hall", 0, nil)
	require.Equal(t, Want{"hall", 0, nil}, <-fed)
}

// TestALineIsUsedAgain: after a while, by another talker, so that the other end remembers no more streams than talkers there were at once.
func TestALineIsUsedAgain(t *testing.T) {
	b := newBus(t)
	alpha, beta := newNode(t, b, "alpha", "1"), newNode(t, b, "beta", "1")
	beta.relay.Want("hall", 4, nil)
	meet(t, alpha, beta)
	require.Eventually(t, func() bool { return alpha.wanted().Slots == 4 }, patience, poll, "alpha to know what beta wants")
	ann := alpha.enter("ann")
	awaitLines(t, beta, 1)
	out := alpha.engine.NewBatch()
	ann.say(out, 20)
	alpha.leave("ann")
	awaitLines(t, beta, 0)

	bob := alpha.enter("bob")
	awaitLines(t, beta, 1)
	l := alpha.relay.link(beta.id)
	require.Len(t, l.outgoing(), 2, "Ann's has not rested yet")
	alpha.leave("bob")
	l.mu.Lock()
	for _, out := range l.resting {
		out.resting = out.resting.Add(-restTime)
	}
	l.mu.Unlock()
	cid := alpha.enter("cid")
	awaitLines(t, beta, 1)
	require.Len(t, l.outgoing(), 2)
	_, h := beta.listen(alpha.id, "cid")
	require.Eventually(t, func() bool {
		cid.say(out, 20)
		return len(h.numbers()) > 0
	}, patience, frame, "Cid to be heard on Ann's line")
	_ = bob
}

// TestALinkBeginsAnew: with a node that was started again, or that lost sight of this one for a while, under other keys.
func TestALinkBeginsAnew(t *testing.T) {
	b := newBus(t)
	alpha, beta := newNode(t, b, "alpha", "1"), newNode(t, b, "beta", "1")
	ann := alpha.enter("ann")
	_, h := beta.listen(alpha.id, "ann")
	beta.relay.Want("hall", 4, nil)
	meet(t, alpha, beta)
	out := alpha.engine.NewBatch()
	heardMore := func(why string, h *hears) {
		t.Helper()
		before := len(h.numbers())
		require.Eventually(t, func() bool {
			ann.say(out, 20)
			return len(h.numbers()) > before+3
		}, patience, frame, why)
	}
	heardMore("Ann to be heard", h)

	// Only beta lost sight of alpha.
	beta.relay.Remove(alpha.id)
	beta.relay.Put(alpha.id, alpha.engine.LocalAddrs())
	heardMore("Ann to be heard on a link made anew", h)
	require.Len(t, alpha.relay.Links(), 1)

	// Its endpoint ended, as after a panic.
	alpha.relay.link(beta.id).end().Close()
	heardMore("Ann to be heard after a fault", h)

	// Beta is started again.
	beta.stop()
	alpha.relay.Remove(beta.id)
	again := newNode(t, b, "beta", "2")
	_, h = again.listen(alpha.id, "ann")
	again.relay.Want("hall", 4, nil)
	meet(t, alpha, again)
	heardMore("Ann to be heard by beta's next start", h)
}

// TestALostLinkIsSaidAndTriedAgain: packets vanish on the way, the bus lives.
func TestALostLinkIsSaidAndTriedAgain(t *testing.T) {
	b := newBus(t)
	alpha, beta := newNode(t, b, "alpha", "1"), newNode(t, b, "beta", "1")
	ann := alpha.enter("ann")
	_, h := beta.listen(alpha.id, "ann")
	beta.relay.Want("hall", 4, nil)
	way := newWay(t, alpha, beta, 0)
	way.meet(t)
	out := alpha.engine.NewBatch()
	require.Eventually(t, func() bool {
		ann.say(out, 20)
		return len(h.numbers()) > 0
	}, patience, frame, "Ann to be heard")

	way.cut.Store(true)
	require.Eventually(t, func() bool { return !alpha.relay.Links()[0].Up && !beta.relay.Links()[0].Up }, patience, poll, "both to know")
	refused, sent := alpha.relay.Links()[0].Refused, alpha.relay.Links()[0].PacketsOut
	for range 5 {
		ann.say(out, 20)
	}
	require.Equal(t, sent, alpha.relay.Links()[0].PacketsOut, "a lost link carries nothing")
	require.Equal(t, refused, alpha.relay.Links()[0].Refused)
	way.cut.Store(false)
	awaitUp(t, alpha, beta)
	before := len(h.numbers())
	require.Eventually(t, func() bool {
		ann.say(out, 20)
		return len(h.numbers()) > before
	}, patience, frame, "Ann to be heard again")
	require.Equal(t, []bool{true, false, true}, alpha.said())
	require.Positive(t, alpha.relay.Links()[0].RTT)
}

// TestForgedPacketsCostNothing: a stranger who knows everything but the secret.
func TestForgedPacketsCostNothing(t *testing.T) {
	b := newBus(t)
	alpha, beta := newNode(t, b, "alpha", "1"), newNode(t, b, "beta", "1")
	mallory := newNode(t, b, "mallory", "1", func(c *Config) { c.Secret = []byte("what might be the secret") })
	meet(t, alpha, beta)
	remote := beta.relay.Links()[0].Remote
	// From another address, and by messages that a stranger cannot send in truth.
	mallory.relay.Put(beta.id, beta.engine.LocalAddrs())
	beta.relay.Put(mallory.id, mallory.engine.LocalAddrs())
	require.Eventually(t, func() bool {
		for _, l := range beta.relay.Links() {
			if l.Node == mallory.id && l.Drops.AuthFailed > 2 {
				return true
			}
		}
		return false
	}, patience, poll, "forged reports to be counted")
	for _, l := range beta.relay.Links() {
		require.Equal(t, l.Node == alpha.id, l.Up)
		if l.Node == alpha.id {
			require.Equal(t, remote, l.Remote)
			require.Zero(t, l.Drops)
		}
	}
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	require.NoError(t, err)
	defer conn.Close()
	before := beta.engine.Stats().Unbound
	_, err = conn.WriteToUDPAddrPort([]byte{0x80, 200, 0, 1, 0, 0, 0, 1}, beta.engine.LocalAddrs()[0])
	require.NoError(t, err)
	require.Eventually(t, func() bool { return beta.engine.Stats().Unbound > before }, patience, poll, "a foreign packet to be counted")
}

// TestBadMessagesAreDropped: what is none, or of another link, changes nothing.
func TestBadMessagesAreDropped(t *testing.T) {
	b := newBus(t)
	alpha, beta := newNode(t, b, "alpha", "1"), newNode(t, b, "beta", "1")
	meet(t, alpha, beta)
	l := beta.relay.link(alpha.id)
	for _, raw := range []string{
		"", "{", "[]", "{}", `{"nonce":""}`, `{"lines":[{"ssrc":2,"user":"x"}]}`,
		`{"nonce":"` + l.theirs + `","of":"another","lines":[{"ssrc":2,"channel":"hall","user":"ann"}]}`,
		`{"nonce":"` + l.theirs + `","of":"` + l.nonce + `","lines":[{"ssrc":0,"user":"x"},{"ssrc":1,"user":"x"},{"ssrc":4294967295,"user":"x"},{"ssrc":70000,"user":"x"}]}`,
	} {
		beta.relay.Receive(alpha.id, []byte(raw))
		beta.relay.Receive(Node{"stranger", "1"}, []byte(raw))
	}
	require.Same(t, l, beta.relay.link(alpha.id))
	require.Zero(t, beta.relay.Links()[0].LinesIn)
}

// TestLongMessagesAreCut: nothing of them is lost or out of order.
func TestLongMessagesAreCut(t *testing.T) {
	m := Message{Nonce: "n", Again: true}
	for i := range uint32(2*maxPart + 1) {
		m.Lines = append(m.Lines, LineTold{SSRC: i})
	}
	m.Wants = []Want{{Channel: "hall"}}
	parts := m.Parts()
	require.Len(t, parts, 3)
	next := uint32(0)
	for i, part := range parts {
		require.Equal(t, i == 0, part.Again)
		require.Equal(t, i == 0, len(part.Wants) == 1)
		for _, l := range part.Lines {
			require.Equal(t, next, l.SSRC)
			next++
		}
	}
	require.EqualValues(t, 2*maxPart+1, next)
}
