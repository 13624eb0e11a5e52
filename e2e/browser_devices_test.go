package e2e

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// choose takes an option of a field, as a person does.
func (b *participant) choose(selector, value string) {
	b.t.Helper()
	evaluate[chromedp.Void](b, fmt.Sprintf("((field) => { field.value = %s; field.dispatchEvent(new Event('change')); })(document.querySelector(%s))",
		strconv.Quote(value), strconv.Quote(selector)))
}

// watchMicrophones keeps all tracks that the page is given.
const watchMicrophones = `(() => {
	const devices = navigator.mediaDevices;
	const real = devices.getUserMedia.bind(devices);
	window.given = [];
	devices.getUserMedia = async (asked) => {
		const stream = await real(asked);
		given.push(stream.getTracks()[0]);
		return stream;
	};
})()`

// TestBrowserDevices tries microphone and loudspeaker before joining, chooses others, and has the browser leave the sound alone.
func TestBrowserDevices(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada := startBrowser(t, "Ada", toneAda)
	ben := startBrowser(t, "Ben", toneBen)
	both := []*participant{ada, ben}
	for _, one := range both {
		one.do(chromedp.EmulateViewport(laptopWidth, laptopHeight))
		one.signIn(s)
	}
	ben.join("lobby")

	evaluate[chromedp.Void](ada, watchMicrophones)
	ada.see("#stage", "Try microphone and sound")
	ada.click("#stage .button")
	ada.see("#preferences-dialog", "Microphone and sound")
	require.Zero(t, evaluate[int](ada, "given.length"), "nothing is opened before it is asked for")
	tryMicrophone(ada)
	ada.until("there are devices, with names", "['microphone', 'speaker'].every((name) => document.querySelectorAll('#devices-' + name + ' option').length > 2)")
	ada.pictures("devices")
	ada.click("#devices-hear")
	ada.see("#devices-hear", "Say something")
	ada.see("#devices-hear", "This is you")
	ada.see("#devices-hear", "Hear yourself")
	option := func(name string, n int) string {
		t.Helper()
		return evaluate[string](ada, fmt.Sprintf("document.querySelectorAll('#devices-%s option')[%d].value", name, n))
	}
	microphone, other, speaker := option("microphone", 2), option("microphone", 1), option("speaker", 2)
	ada.choose("#devices-microphone", microphone)
	ada.until("that is tried", fmt.Sprintf("given.at(-1).getSettings().deviceId === %q && document.getElementById('devices-level').value > 0.5", microphone))
	ada.choose("#devices-speaker", speaker)
	ada.choose("#devices-noise", "off")
	ada.click("#preferences-close")
	ada.until("the microphone is let go", "given.every((track) => track.readyState === 'ended')")

	// They are those that one talks with.
	uses := func(microphone string) {
		t.Helper()
		ada.until("the chosen ones are in use", fmt.Sprintf(
			"livechat.media.microphone.track?.getSettings().deviceId === %q && livechat.media.slots.every(({ audio }) => audio.sinkId === %q)", microphone, speaker))
	}
	ada.join("lobby")
	uses(microphone)
	ben.hears(both, ada)
	ada.hears(both, ben)

	// In the middle of it, too, and one hears how that is.
	ada.click("#preferences-open")
	tryMicrophone(ada)
	ada.choose("#devices-microphone", other)
	uses(other)
	ada.until("that is tried", "document.getElementById('devices-level').value > 0.5")
	ben.hears(both, ada)

	// It is unplugged: another one is used. It is plugged in again: it is what was chosen.
	ada.click("#preferences-close")
	evaluate[chromedp.Void](ada, `(() => {
		const devices = navigator.mediaDevices;
		const all = devices.enumerateDevices.bind(devices);
		window.plug = (there) => {
			devices.enumerateDevices = async () => there(await all());
			devices.dispatchEvent(new Event('devicechange'));
		};
	})()`)
	evaluate[chromedp.Void](ada, fmt.Sprintf(`(() => {
		const { device, wishes } = livechat.media.microphone;
		livechat.media.microphone.wishes = { ...wishes, deviceId: '' }; // the browser has it still
		plug((all) => all.filter((d) => d.deviceId !== %q));
		device.stop();
		device.dispatchEvent(new Event('ended'));
	})()`, other))
	ada.see("#banner", "Your microphone went away. Now in use: ")
	ada.click("#banner-close")
	ben.hears(both, ada)
	ada.click("#preferences-open")
	ada.see("#devices-microphone", "Not there just now")
	evaluate[chromedp.Void](ada, "plug((all) => all)")
	ada.until("it is in the list again", "!document.getElementById('devices-microphone').innerText.includes('Not there')")
	ada.click("#preferences-close")
	uses(other)
	ada.see("#hint", "Microphone in use now: ")
	ben.hears(both, ada)

	// The system's choice is another one now.
	ada.click("#preferences-open")
	ada.choose("#devices-microphone", "")
	ada.click("#preferences-close")
	ada.until("the system's is used", fmt.Sprintf("![%q, undefined].includes(livechat.media.microphone.device?.getSettings().deviceId)", other))
	evaluate[chromedp.Void](ada, `(() => {
		window.former = livechat.media.microphone.device;
		plug((all) => all.map((d) => (d.deviceId === 'default' && d.kind === 'audioinput' ? { ...d.toJSON(), groupId: 'headset' } : d)));
	})()`)
	ada.until("it is asked for again", "livechat.media.microphone.device !== former && former.readyState === 'ended'")
	ada.see("#hint", "Microphone in use now: ")
	ben.hears(both, ada)
	ada.click("#preferences-open")
	ada.choose("#devices-microphone", other)
	ada.click("#preferences-close")
	uses(other)

	// It is remembered, and what the browser is to make of the sound. (The tests' pages ask for none of it.)
	ada.do(chromedp.Navigate(s.URL + "/?#channel=lobby"))
	ada.until("the page runs", "window.livechat")
	ada.click("#stage .button--primary")
	ada.joined()
	uses(other)
	require.Equal(t, "true false true", evaluate[string](ada,
		"(({ echoCancellation, noiseSuppression, autoGainControl }) => [echoCancellation, noiseSuppression, autoGainControl].join(' '))(livechat.media.microphone.track.getSettings())"))
	for _, one := range both {
		one.noComplaints()
	}
}

// tryMicrophone has the page show how loud one is. A browser that gets no time may leave its sound without a clock; who sees nothing tries again.
func tryMicrophone(one *participant) {
	one.t.Helper()
	const loud = "document.getElementById('devices-level').value > 0.5"
	for range 2 {
		one.click("#devices-try")
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			if evaluate[bool](one, loud) {
				return
			}
		}
		one.t.Log("nothing was heard of the microphone in 20 s")
		one.click("#devices-try") // it says Stop
	}
	one.click("#devices-try")
	one.until("one is loud", loud)
}
