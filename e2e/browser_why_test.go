package e2e

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// checkWhy asks the page why one does not hear Ben, who talks: it says what is wrong, and does what can be done about it.
func checkWhy(t *testing.T, ada *participant, ben *person) {
	t.Helper()
	during(t, ada)
	ada.until("Ben is heard", "livechat.media.slots.some((s) => s.receiver.getContributingSources().length > 0)")
	asks := func(what string) {
		t.Helper()
		ada.poll("it is answered: "+what, func() bool { // what is wrong takes a moment to be known
			ada.click(`[aria-label="More about Ben"]`)
			evaluate[chromedp.Void](ada, `{ [...document.querySelectorAll('.menu__item')].find((i) => i.innerText.includes('I can’t hear them')).click(); }`)
			ada.see("#why-title", "Why you do not hear Ben")
			ada.until("there is an answer", "document.getElementById('why-mend').textContent !== ''")
			if evaluate[bool](ada, "document.getElementById('why-what').textContent.includes("+strconv.Quote(what)+")") {
				return true
			}
			ada.click("#why-close")
			return false
		})
	}

	asks("Nothing is broken between you")
	require.True(t, evaluate[bool](ada, "document.getElementById('why-action').hidden"))
	ada.click("#why-close")

	// What is one's own doing is undone by a button.
	loudness := func(percent int) {
		t.Helper()
		ada.click(`[aria-label="More about Ben"]`)
		evaluate[chromedp.Void](ada, fmt.Sprintf(`((input) => { input.value = %d; input.dispatchEvent(new Event('input')); })(document.querySelector('.menu input'))`, percent))
		evaluate[chromedp.Void](ada, "{ document.querySelector('.menu input').dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true })); }")
	}
	loudness(0)
	asks("You have turned this person down to nothing")
	ada.picture("why")
	ada.click("#why-action")
	ada.until("he is as loud as he is", "livechat.media.volumeOf("+strconv.Quote(ben.UserID())+") === 1")
	ada.click("#deafen")
	asks("You are deafened")
	ada.click("#why-action")
	ada.see("#deafen", "Deafen")
	_, err := ben.SetVoiceState(soon(t), protocol.VoiceState{SelfMute: new(true)})
	require.NoError(t, err)
	asks("They have muted themselves")
	ada.click("#why-close")

	// An operator who asks is answered with what the page knows of how it plays.
	_, err = ben.SetVoiceState(soon(t), protocol.VoiceState{SelfMute: new(false)})
	require.NoError(t, err)
	evaluate[chromedp.Void](ada, fmt.Sprintf(`{
		const { client } = livechat.session;
		const request = client.request.bind(client);
		client.request = (op, d) => {
			if (op === 46) request(op, d).then(() => (window.told = d));
			return request(op, d);
		};
		window.want = () => client.dispatchEvent(new CustomEvent('event', { detail: { op: 118, d: { ask_id: 'a1', user_id: %q } } }));
	}`, ben.UserID()))
	ada.until("packets of his are told", "want() && window.told?.playback.packets > 0")
	told := evaluate[map[string]any](ada, "told")
	require.Equal(t, "a1", told["ask_id"])
	playback, ok := told["playback"].(map[string]any)
	require.True(t, ok)
	require.Equal(t, "ok", playback["sound"])
	require.EqualValues(t, 1, playback["person_volume"])
	require.Equal(t, true, playback["playing"])
}
