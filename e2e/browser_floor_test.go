package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
)

// TestBrowserFloor has two people and an admin talk by turns.
func TestBrowserFloor(t *testing.T) {
	verifyNoLeaks(t)
	ada := startBrowser(t, "Ada", toneAda)
	ben := startBrowser(t, "Ben", toneBen)
	both := []*participant{ada, ben}
	const secret = "a secret for this test, longer than it has to be"
	s := startServer(t, func(c *app.Config) {
		c.Secret, c.AllowGuests = secret, new(true)
		c.Channels = []string{app.DefaultChannel, app.DefaultRadio}
		c.Floor.Talk, c.Floor.Warn = 12*time.Second, 4*time.Second
	})
	_, err := chromedp.Call(ben.tab, page.AddScriptToEvaluateOnNewDocument,
		page.AddScriptToEvaluateOnNewDocumentParams{Source: sessionScript})
	require.NoError(t, err)
	ada.openAs(s, secret, auth.Identity{UserID: "ada", Name: "Ada", Role: auth.RoleAdmin})
	ben.signIn(s)
	for _, one := range both {
		one.do(chromedp.EmulateViewport(laptopWidth, laptopHeight))
		one.join("radio")
		one.see("#hold", "Hold to talk")
		evaluate[chromedp.Void](one, blurs)
	}
	for _, part := range []struct {
		name string
		run  func(ada, ben *participant)
	}{
		{"one talks, the other waits", checkTurns},
		{"a long talk is warned and cut", checkCut},
		{"what ends a press", checkFloorReleases},
		{"those who need not wait", checkBreakIn},
		{"settings", checkFloorSettings},
	} {
		t.Run(part.name, func(t *testing.T) {
			during(t, both...)
			part.run(ada, ben)
			for _, one := range both {
				one.noComplaints()
			}
		})
	}
}

// checkTurns has both press at once: one is heard, the other is queued, and then heard.
func checkTurns(ada, ben *participant) {
	both := []*participant{ada, ben}
	ada.hears(both)
	ben.hears(both)
	ada.pictures("floor-idle")
	ada.down(" ", 0)
	ben.down(" ", 0)
	first, second := ada, ben
	ada.poll("somebody has the floor", func() bool {
		for i, one := range both {
			if evaluate[string](one, "livechat.session.call.floor.standing") == "granted" {
				first, second = both[i], both[1-i]
				return true
			}
		}
		return false
	})
	first.see("#hold", "You are on air")
	second.see("#hold", first.name+" is talking")
	second.see("#hold", "You are next")
	second.hears(both, first)
	first.hears(both)
	first.pictures("floor-granted")
	second.pictures("floor-queued")
	first.up(" ")
	second.see("#hold", "You are on air")
	first.see("#hold", second.name+" is talking")
	first.hears(both, second)
	second.hears(both)
	first.pictures("floor-taken")
	second.up(" ")
	for _, one := range both {
		one.see("#hold", "Hold to talk")
		one.hears(both)
	}
}

// checkCut has Ben talk for longer than one may.
func checkCut(ada, ben *participant) {
	both := []*participant{ada, ben}
	ben.down(" ", 0)
	ada.hears(both, ben)
	ben.see("#hold", "left: come to an end")
	ben.pictures("floor-warned")
	ben.see("#hold", "Your time is up")
	ada.hears(both)
	ben.pictures("floor-cut")
	ben.up(" ")
	ben.see("#hold", "Hold to talk")
}

// checkFloorReleases ends a press by what else ends one, and by a finger.
func checkFloorReleases(ada, ben *participant) {
	both := []*participant{ada, ben}
	ben.touch(input.DispatchTouchEventTypeTouchStart, "#hold")
	ada.hears(both, ben)
	ben.touch(input.DispatchTouchEventTypeTouchEnd, "")
	ada.hears(both)
	for _, end := range []string{"window.dispatchEvent(new Event('blur'))", "livechat.session.client.stop()"} {
		ben.down(" ", 0)
		ada.hears(both, ben)
		evaluate[chromedp.Void](ben, end)
		ada.hears(both)
		ben.up(" ")
	}
	evaluate[chromedp.Void](ben, "location.reload()")
	ben.see("#channel-list", "radio")
	ben.join("radio")
	ben.see("#hold", "Hold to talk")
	evaluate[chromedp.Void](ben, blurs)
	// A headset's button cannot be held: it begins, and ends.
	for _, heard := range [][]*participant{{ben}, nil} {
		evaluate[chromedp.Void](ben, "void system.handlers.togglemicrophone()")
		ada.hears(both, heard...)
	}
	// Mute goes before the floor.
	ben.strike("m", 0)
	ben.see("#hold", "Unmute first, then talk")
	ben.down(" ", 0)
	ben.see("#hint", "You are muted")
	ben.up(" ")
	ben.strike("m", 0)
	ben.see("#hold", "Nobody is talking")
}

// checkBreakIn has an admin take the floor from a guest, who may not do so.
func checkBreakIn(ada, ben *participant) {
	both := []*participant{ada, ben}
	ben.down(" ", 0)
	ben.see("#hold", "You are on air")
	ada.hears(both, ben)
	ada.see("#hold-urgent", "Break in")
	ada.pictures("floor-break-in")
	ada.touch(input.DispatchTouchEventTypeTouchStart, "#hold-urgent")
	ben.see("#hold", "Somebody more urgent talks")
	ben.hears(both, ada)
	ben.up(" ")
	ben.see("#hold", "Ada is talking")
	ben.until("no guest breaks in", "document.getElementById('hold-urgent').hidden")
	ada.touch(input.DispatchTouchEventTypeTouchEnd, "")
	ada.hears(both)
	ben.hears(both)
}

// checkFloorSettings has the admin let all talk at once, and by turns again with a time of their own.
func checkFloorSettings(ada, ben *participant) {
	both := []*participant{ada, ben}
	choose := func(selector, value string) {
		ada.replace(selector, value)
		evaluate[chromedp.Void](ada, fmt.Sprintf("document.querySelector(%q).dispatchEvent(new Event('change'))", selector))
	}
	set := func(mode string) {
		ada.click("#room-settings")
		choose("#settings-mode", mode)
		if mode == "ptt" {
			choose("#settings-talk", "60000")
			ada.click("#settings-over")
			ada.pictures("floor-settings")
		}
		ada.click("#settings-submit")
		ada.until("it is saved", "!document.querySelector('#settings-dialog[open]')")
	}
	set("conference")
	ada.hears(both, ben)
	ben.hears(both, ada)
	ada.until("there is nothing to hold", "document.getElementById('hold').hidden")
	set("ptt")
	ada.hears(both)
	ben.hears(both)
	ben.see("#hold", "Hold to talk")
	ben.down(" ", 0)
	ada.see("#hold-urgent", "Speak over")
	ada.touch(input.DispatchTouchEventTypeTouchStart, "#hold-urgent")
	ben.hears(both, ada)
	ada.hears(both, ben)
	ben.see("#hold", "You are on air")
	ada.touch(input.DispatchTouchEventTypeTouchEnd, "")
	ben.up(" ")
	ada.hears(both)
	ben.hears(both)
	require.Empty(ada.t, evaluate[string](ada, "document.getElementById('settings-error').textContent"))
}
