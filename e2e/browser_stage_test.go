package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// stage has a channel's owner or an admin say who may speak in it.
func (b *participant) stage(speaking string) {
	b.t.Helper()
	b.click("#room-settings")
	b.replace("#settings-speaking", speaking)
	b.click("#settings-submit")
	b.until("it is set", "!document.getElementById('settings-dialog').open")
}

// checkStage has Ben sit in the audience, raise a hand, speak when he is let, and be heard never without knowing it.
func checkStage(t *testing.T, ada, ben *participant) {
	t.Helper()
	both := []*participant{ada, ben}
	s := startServer(t, func(c *app.Config) { c.Secret, c.AllowGuests = testSecret, new(true) })
	ada.openAs(s, testSecret, auth.Identity{UserID: "ada", Name: "Ada", Role: auth.RoleAdmin})
	ada.join("lobby")
	ben.signIn(s)
	ben.join("lobby")
	ada.hears(both, ben)
	require.False(t, evaluate[bool](ben, "document.getElementById('hand').checkVisibility()"))

	ada.click("#room-settings")
	ada.pictures("stage-settings")
	ada.click("#settings-cancel")
	ada.stage("allowed")
	ben.see("#banner", "You are in the audience now: nobody hears you.")
	ben.see("#voice-status", "You are in the audience: raise a hand to speak")
	ada.see(".person__note", "Audience")
	ada.hears(both)
	require.False(t, evaluate[bool](ben, "document.getElementById('mute').checkVisibility()"))
	ben.pictures("audience")

	ben.click("#hand")
	ben.see("#voice-status", "Your hand is up, you are the first in line")
	ben.see("#hand", "Lower hand")
	ada.see("#room-hands", "1 hand up")
	ada.see(".person__note", "Hand up · 1")
	ada.hears(both)
	ada.pictures("hand")
	ada.moderate("Ben", "Let speak")
	ben.see("#banner", "You may speak now: everybody in the channel hears you.")
	ada.hears(both, ben)
	ada.until("the hand is down", "!document.getElementById('room-hands').checkVisibility()")

	ada.moderate("Ben", "Back to the audience")
	ben.see("#voice-status", "raise a hand")
	ada.hears(both)
	ada.moderate("Ben", "Let speak") // who has not asked for it
	ben.see("#banner", "You may speak now. Switch your microphone on to be heard.")
	ben.see("#mute", "Unmute")
	ada.hears(both)
	ben.pictures("let-speak")
	ben.click("#mute")
	ada.hears(both, ben)
	ada.moderate("Ben", "Back to the audience")

	checkLine(t, s, ada, ben)
	ada.stage("moderators")
	ben.see("#voice-status", "You are in the audience: only moderators speak here")
	ada.until("all hands are down", "!document.getElementById('room-hands').checkVisibility()")
	ada.click(`[aria-label="Moderate Ben"]`)
	ada.see(".menu", "Remove …")
	require.NotContains(t, evaluate[string](ada, "document.querySelector('.menu').innerText"), "Let speak")
	ada.click(`[aria-label="Moderate Ben"]`)
	ada.stage("all")
	ben.see("#banner", "You may speak now. Switch your microphone on to be heard.")
	ada.hears(both)
	ben.click("#mute")
	ada.hears(both, ben)
	ada.noComplaints()
	ben.noComplaints()
}

// checkLine has two raise their hands, who are seen in that order.
func checkLine(t *testing.T, s *server, ada, ben *participant) {
	t.Helper()
	cleo, _ := identify(t, s, "Cleo")
	cleo.joinChannel("lobby")
	ada.see(".person__name", "Cleo")
	cleo.ack(protocol.OpHand, protocol.Hand{Raised: new(true)}, nil)
	ada.see("#room-hands", "1 hand up")
	ben.click("#hand")
	ada.see("#room-hands", "2 hands up")
	ben.see("#voice-status", "Your hand is up, number 2 in line")
	people := func(b *participant) string {
		return strings.Join(evaluate[[]string](b, "[...document.querySelectorAll('.person__name')].map((e) => e.innerText)"), " ")
	}
	require.Equal(t, "Ada Cleo Ben", people(ada))
	require.Equal(t, "Ada Cleo Ben", people(ben))
	ada.pictures("line")
	ada.moderate("Cleo", "Lower their hand")
	ben.see("#voice-status", "you are the first in line")
	cleo.farewell()
	ada.until("she is gone", "!document.getElementById('people').innerText.includes('Cleo')")
}
