package e2e

import (
	"fmt"
	"testing"

	"github.com/mini-livechat/mini-livechat/cmd/app"
)

// TestBrowserListensIn: from one channel others are heard, one at a time, and the page says which; a star lets one interrupt the others.
func TestBrowserListensIn(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(cfg *app.Config) { cfg.UDP, cfg.Channels = "0", []string{"lobby", "den", "yard"} })
	ada, ben, chloe := startBrowser(t, "Ada", toneAda), startBrowser(t, "Ben", toneBen), startBrowser(t, "Chloe", toneChloe)
	three := []*participant{ada, ben, chloe}
	during(t, three...)
	for i, channel := range []string{"lobby", "den", "yard"} {
		three[i].signIn(s)
		three[i].join(channel)
	}
	ear := func(channel string) {
		ada.click(fmt.Sprintf(`.channels__listen[aria-label^="Listen to %s "]`, channel))
	}
	ada.hears(three)
	ada.until("nobody listens to where they are", `[...document.querySelectorAll('.channels__listen')].filter((e) => !e.hidden).length === 2`)
	ear("den")
	ada.see(".scanner__channel--heard", "den: Ben")
	ada.hears(three, ben)
	ear("yard")
	ada.see(".scanner__channel", "yard")
	ada.hears(three, ben)
	ada.click(`.scanner__star[aria-label^="yard "]`)
	ada.see(".scanner__channel--heard", "yard: Chloe")
	ada.hears(three, chloe)
	ada.picture("listening")
	ada.click(`[aria-label="Listen to yard no more"]`)
	ada.see(".scanner__channel--heard", "den: Ben")
	ada.hears(three, ben)

	// It goes on from another channel, and the others hear what they heard before.
	ada.join("yard")
	ada.hears(three, ben, chloe)
	chloe.hears(three, ada)
	ben.hears(three)
	ear("den")
	ada.until("nothing is listened to", `document.querySelector('#scanner').hidden`)
	ada.hears(three, chloe)
}
