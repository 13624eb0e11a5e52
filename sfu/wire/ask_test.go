package wire

import (
	"net"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// asking reports whether a question is unanswered.
func (ep *Endpoint) asking() bool {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	return ep.question.open
}

// next returns the next STUN message that comes to a peer's socket; nil when none comes for a while.
func next(tb testing.TB, conn *net.UDPConn) *stun.Message {
	tb.Helper()
	require.NoError(tb, conn.SetReadDeadline(time.Now().Add(20*tick)))
	buf := make([]byte, packetBuffer)
	n, err := conn.Read(buf)
	if err != nil {
		return nil
	}
	m := &stun.Message{Raw: buf[:n]}
	require.NoError(tb, m.Decode())
	return m
}

// Who is asked proves by the answer that it is there; who only guesses, repeats or comes from elsewhere does not.
func TestAskedPeerShowsThatItIsThere(t *testing.T) {
	e := startEngine(t, Config{})
	theirs := Credentials{"them", "the-password-of-the-client"}
	ep := e.NewEndpoint(receiverFunc(nil))
	t.Cleanup(ep.Close)
	c, err := ep.Accept(theirs, Fingerprint{})
	require.NoError(t, err)
	conn, other := remote(t, e), remote(t, e)
	ep.Ask()
	require.Nil(t, next(t, conn), "there is no pair yet")
	ask(t, conn, check(t, c, attribute(stun.AttrUseCandidate)), c)

	long := time.Now().Add(-time.Hour)
	ep.Touch(long)
	ep.Ask()
	question := next(t, conn)
	require.NotNil(t, question)
	require.Equal(t, stun.BindingRequest, question.Type)
	require.NoError(t, stun.Fingerprint.Check(question))
	require.NoError(t, stun.NewShortTermIntegrity(theirs.Pwd).Check(question))
	var username stun.Username
	require.NoError(t, username.GetFrom(question))
	require.Equal(t, "them:"+c.Ufrag, username.String(), "RFC 8445 §7.2.2: theirs first")
	require.True(t, question.Contains(stun.AttrICEControlled))
	require.True(t, question.Contains(stun.AttrPriority))
	require.False(t, question.Contains(stun.AttrUseCandidate))
	ep.Ask()
	again := next(t, conn)
	require.NotNil(t, again)
	require.Equal(t, question.TransactionID, again.TransactionID, "an answer to any of them counts")

	answer := func(conn *net.UDPConn, id [stun.TransactionIDSize]byte, kind stun.MessageType, pwd string) {
		m, buildErr := stun.Build(stun.NewTransactionIDSetter(id), kind, stun.NewShortTermIntegrity(pwd), stun.Fingerprint)
		require.NoError(t, buildErr)
		_, buildErr = conn.Write(m.Raw)
		require.NoError(t, buildErr)
	}
	// heard waits until all that was sent before has been worked off.
	heard := func() bool {
		t.Helper()
		refused := e.Stats().STUNRefused
		answer(conn, [stun.TransactionIDSize]byte{1}, stun.BindingSuccess, theirs.Pwd)
		require.Eventually(t, func() bool { return e.Stats().STUNRefused == refused+1 }, pollTimeout, tick)
		return !ep.asking()
	}
	require.False(t, heard(), "another transaction")
	for name, wrong := range map[string]func(){
		"another password":      func() { answer(conn, question.TransactionID, stun.BindingSuccess, c.Pwd) },
		"from another's socket": func() { answer(other, question.TransactionID, stun.BindingSuccess, theirs.Pwd) },
		"an indication": func() {
			answer(conn, question.TransactionID, stun.NewType(stun.MethodBinding, stun.ClassIndication), theirs.Pwd)
		},
	} {
		refused := e.Stats().STUNRefused
		wrong()
		require.Eventually(t, func() bool { return e.Stats().STUNRefused == refused+1 }, pollTimeout, tick, name)
		require.True(t, ep.asking(), name)
	}
	require.WithinDuration(t, long, ep.LastSeen(), time.Minute)

	refused := e.Stats().STUNRefused
	answer(conn, question.TransactionID, stun.BindingSuccess, theirs.Pwd)
	require.Eventually(t, func() bool { return !ep.asking() }, pollTimeout, tick)
	require.WithinDuration(t, time.Now(), ep.LastSeen(), pollTimeout)
	require.Contains(t, ep.LastSeen().String(), " m=", "life is measured on the monotonic clock")
	require.Equal(t, refused, e.Stats().STUNRefused)
	ep.Touch(long)
	answer(conn, question.TransactionID, stun.BindingSuccess, theirs.Pwd)
	require.Eventually(t, func() bool { return e.Stats().STUNRefused == refused+1 }, pollTimeout, tick, "the same once more is no life")
	require.WithinDuration(t, long, ep.LastSeen(), time.Minute)

	ep.Ask()
	second := next(t, conn)
	require.NotNil(t, second)
	require.NotEqual(t, question.TransactionID, second.TransactionID)
	answer(conn, second.TransactionID, stun.BindingError, theirs.Pwd)
	require.Eventually(t, func() bool { return !ep.asking() }, pollTimeout, tick, "a refusal is an answer")
	require.EqualValues(t, 3, e.Stats().Asked)

	// After an ICE restart the peer answers under its new credentials only.
	renewed := Credentials{"anew", "another-password-of-the-client"}
	c, err = ep.Restart(renewed)
	require.NoError(t, err)
	ep.Ask()
	require.NoError(t, stun.NewShortTermIntegrity(theirs.Pwd).Check(next(t, conn)), "it has not gone on yet")
	ask(t, conn, check(t, c), c)
	require.False(t, ep.asking())
	ep.Ask()
	third := next(t, conn)
	require.NoError(t, stun.NewShortTermIntegrity(renewed.Pwd).Check(third))
	answer(conn, third.TransactionID, stun.BindingSuccess, renewed.Pwd)
	require.Eventually(t, func() bool { return !ep.asking() }, pollTimeout, tick)

	ep.silence(ConsentLifetime)
	ep.sweep(time.Now())
	ep.Ask()
	require.Nil(t, next(t, conn), "it consents no more")
}

// A full agent, pion's, answers, also after an ICE restart, and goes on as before.
func TestFullAgentAnswers(t *testing.T) {
	e := startEngine(t, Config{})
	c, s := newClientPeer(t, []webrtc.NetworkType{webrtc.NetworkTypeUDP4}), newServerPeer(t, e, receiverFunc(nil))
	t.Cleanup(func() { _ = c.pc.Close(); s.close(t) })
	join(t, c, s)
	answers := func() {
		t.Helper()
		s.ep.Ask()
		require.Eventually(t, func() bool { return !s.ep.asking() }, pollTimeout, tick)
	}
	answers()
	answers()
	offer, err := c.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: true})
	require.NoError(t, err)
	require.NoError(t, c.pc.SetLocalDescription(offer))
	require.NoError(t, c.pc.SetRemoteDescription(s.answer(t, offer)))
	require.Eventually(t, func() bool { return !s.ep.Restarting() }, pollTimeout, tick)
	answers()
	require.Equal(t, webrtc.PeerConnectionStateConnected, c.pc.ConnectionState())
	require.EqualValues(t, 3, e.Stats().Asked)
}
