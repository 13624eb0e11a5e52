package e2e

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
)

// TestBrowserChoice has four talk where one hears two: the page shows who speaks and who is
// heard, and its buttons choose whom to hear in any case, and whom not at all.
func TestBrowserChoice(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.Slots = 2 })
	names := []string{"Loud", "Lively", "Low", "Least", "Silent"}
	const least = 3
	people := make([]*person, len(names))
	for i, name := range names {
		people[i] = arrive(t, s, name).join("lobby", slots(-1))
		if i <= least {
			people[i].level.Store(int32(10 + 11*i))
			people[i].talk()
		}
	}
	ear := startBrowser(t, "Ear", 0)
	ear.signIn(s)
	ear.join("lobby")

	// note is what stands under a name.
	notes := func(want ...string) {
		t.Helper()
		for i, name := range names {
			person := fmt.Sprintf(`[...document.querySelectorAll('.person')].find((p) => p.querySelector('.person__name').innerText === %s)`, strconv.Quote(name))
			ear.until(fmt.Sprintf("%s is shown as %q", name, want[i]), fmt.Sprintf(
				`%s.querySelector('.person__note').innerText === %s && %[1]s.classList.contains('person--unheard') === %[3]t`,
				person, strconv.Quote(want[i]), want[i] != ""))
		}
	}
	press := func(label string, pressed bool) {
		t.Helper()
		selector := fmt.Sprintf(".person__action[aria-label=%s]", strconv.Quote(label))
		ear.click(selector)
		ear.until("the button stays as it was left", fmt.Sprintf(`document.querySelector(%s).ariaPressed === %q`,
			strconv.Quote(selector), strconv.FormatBool(pressed)))
	}
	ear.until("all four are seen speaking", `document.querySelectorAll('.person--speaking').length >= 4`)
	notes("", "", "Not heard now", "Not heard now", "")
	press("Always hear Least", true)
	notes("", "Not heard now", "Not heard now", "", "")
	press("Mute Loud for me", true)
	notes("Muted for you", "", "Not heard now", "", "")
	press("Always hear Least", false)
	press("Mute Loud for me", false)
	notes("", "", "Not heard now", "Not heard now", "")
	people[least].level.Store(127)
	notes("", "", "Not heard now", "", "") // of who is silent there is nothing to miss
	people[least].level.Store(10 + 11*least)
	notes("", "", "Not heard now", "Not heard now", "")

	checkButtons(t, ear)
	ear.do(chromedp.EmulateViewport(phoneWidth, phoneHeight, chromedp.EmulateMobile, chromedp.EmulateTouch))
	checkButtons(t, ear)
	ear.noComplaints()
}

// checkButtons looks whether a finger finds the buttons beside people, and whether they
// leave the ring around who speaks alone.
func checkButtons(t *testing.T, b *participant) {
	t.Helper()
	const finger = 40 // CSS pixels
	require.Empty(t, evaluate[[]string](b, fmt.Sprintf(`[...document.querySelectorAll('.person:has(.person__action)')].flatMap((person) => {
		const circle = (element, margin) => {
			const { x, y, width, height } = element.getBoundingClientRect();
			return { x: x + width / 2, y: y + height / 2, radius: Math.max(width, height) / 2 + margin, width, height };
		};
		const name = person.querySelector('.person__name').innerText;
		const face = circle(person.querySelector('.person__face'), 6);
		const buttons = [...person.querySelectorAll('.person__action')].filter((e) => e.checkVisibility()).map((e) => circle(e, 0));
		const touch = (one, other) => Math.hypot(one.x - other.x, one.y - other.y) < one.radius + other.radius;
		return [
			face.width !== face.height && name + "'s face is not round",
			buttons.some(({ width, height }) => width < %d || height < %[1]d) && name + ' has small buttons',
			buttons.some((one) => touch(one, face)) && name + "'s ring is covered",
			buttons.length > 1 && touch(buttons[0], buttons[1]) && name + "'s buttons touch",
		].filter(Boolean);
	})`, finger)))
}
