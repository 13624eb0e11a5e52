package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// promptTicks is how many timers of 50 ms may pass in a page before it shows trouble: two
// seconds by the page's own clock, which a busy machine slows as it slows what the page does.
const promptTicks = 40

// promptly triggers something in the page and checks that what must become of it comes within
// two seconds.
func (b *participant) promptly(reason, trigger, condition string) {
	b.t.Helper()
	ticks := evaluate[int](b, fmt.Sprintf(`(async () => {
		await (%s);
		for (let tick = 0; tick < 1_000; tick++) {
			if (%s) {
				return tick;
			}
			await new Promise((resolve) => setTimeout(resolve, 50));
		}
		return -1;
	})()`, trigger, condition))
	if ticks < 0 {
		b.fatalf("never: %s", reason)
	}
	require.LessOrEqual(b.t, ticks, promptTicks, "%s: %s", b.name, reason)
}

// shows is an expression: the element shows the text.
func shows(selector, text string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(%s)].some((e) => e.checkVisibility() && e.innerText.includes(%s))`,
		strconv.Quote(selector), strconv.Quote(text))
}

// noBanner is an expression: nothing is wrong, as far as the page says.
const noBanner = `document.getElementById('banner').hidden`

// fakeMicrophone replaces what getUserMedia gives by a tone whose loudness the test sets:
// window.voice.gain is 0 for a microphone whose switch is off, and window.voice.real what the
// browser gave before.
const fakeMicrophone = `(() => {
	const devices = navigator.mediaDevices;
	const real = devices.getUserMedia.bind(devices);
	const context = new AudioContext();
	const gain = new GainNode(context, { gain: 0 });
	const oscillator = new OscillatorNode(context, { frequency: %d });
	oscillator.connect(gain);
	oscillator.start();
	devices.getUserMedia = async () => {
		const destination = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
		gain.connect(destination);
		return destination.stream;
	};
	window.voice = { gain: gain.gain, restore: () => { devices.getUserMedia = real; } };
})()`

// TestBrowserSilence takes microphones and sound away in all the ways that give no error. The
// page shows each within two seconds, to oneself and to others, and one click or time mends it.
func TestBrowserSilence(t *testing.T) {
	verifyNoLeaks(t)
	ada := startBrowser(t, "Ada", toneAda, withPrompt)
	ben := startBrowser(t, "Ben", toneBen, withPrompt)
	both := []*participant{ada, ben}
	for _, part := range []struct {
		name string
		run  func(t *testing.T, ada, ben *participant)
	}{
		{"the microphone is taken away for good", checkMicrophoneLost},
		{"another microphone takes its place", checkMicrophoneReplaced},
		{"the system holds the microphone", checkMicrophoneHeld},
		{"the microphone gives zeros", checkMicrophoneSilent},
		{"what plays is paused, refused or stuck", checkPlayback},
		{"no loudspeaker", checkNoOutput},
	} {
		t.Run(part.name, func(t *testing.T) {
			during(t, both...)
			s := startServer(t)
			for _, one := range both {
				one.allowMicrophone(true)
				one.signIn(s)
				one.join("lobby")
			}
			ada.hears(both, ben)
			ben.hears(both, ada)
			part.run(t, ada, ben)
			for _, one := range both {
				one.noComplaints()
				one.do(chromedp.Navigate("about:blank"))
			}
		})
	}
}

// checkMicrophoneLost withdraws the permission, which ends the track: nothing can replace it.
func checkMicrophoneLost(t *testing.T, ada, ben *participant) {
	t.Helper()
	both := []*participant{ada, ben}
	ada.allowMicrophone(false)
	ada.see("#banner", "Your microphone was disconnected. Nobody hears you.")
	ada.see("#voice-status", "Nobody hears you")
	ada.see(".person", "No microphone")
	ben.see(".person", "No microphone")
	ben.hears(both)

	// Who looks away still sees it.
	ada.click("#banner-close")
	ada.until("the banner is gone", noBanner)
	ada.see("#voice-status", "Nobody hears you")
	ada.see(".person", "No microphone")
	ada.see("#mute", "Use microphone")

	// And so does who comes back after a lost connection, which needs no microphone.
	evaluate[chromedp.Void](ada, "livechat.session.call.retryNow()")
	ada.see("#chat-log", "You are back")
	ada.joined()
	ada.see(".person", "No microphone")
	ada.hears(both, ben)
	ben.until("one Ada is there, without a microphone", `(() => {
		const adas = [...livechat.session.call.room.members.values()].filter((m) => m.name === 'Ada');
		return adas.length === 1 && adas[0].talker && adas[0].mic === 'lost';
	})()`)
	ben.see(".person", "No microphone")

	ada.allowMicrophone(true)
	ada.click("#mute")
	ben.hears(both, ada)
	ada.until("all is well", noBanner)
	ada.see("#voice-status", "Connected")
	ben.until("Ada is well", wellFor("Ada"))
}

// wellFor is an expression: nothing is wrong with somebody, as far as the page is told.
func wellFor(name string) string {
	return fmt.Sprintf(`[...livechat.session.call.room.members.values()].every((m) => m.name !== %q || (!m.mic && !m.sound))`, name)
}

// checkMicrophoneReplaced ends the track as pulling the plug does.
func checkMicrophoneReplaced(t *testing.T, ada, ben *participant) {
	t.Helper()
	both := []*participant{ada, ben}
	ada.promptly("another microphone is in use", `(() => {
		window.old = livechat.media.microphone.track;
		old.stop();
		old.dispatchEvent(new Event('ended'));
	})()`, shows("#banner", "Your microphone went away. Now in use: "))
	require.True(t, evaluate[bool](ada, "livechat.media.microphone.track !== old && livechat.media.microphone.track.readyState === 'live'"))
	ben.hears(both, ada)
	ada.click("#banner-close")
	ada.until("the banner is gone", noBanner)
}

// checkMicrophoneHeld mutes the track as a telephone call does. No telephone rings in a
// headless browser: the property is set and the event is dispatched by hand.
func checkMicrophoneHeld(t *testing.T, ada, ben *participant) {
	t.Helper()
	both := []*participant{ada, ben}
	const hold = `((muted) => {
		const { track } = livechat.media.microphone;
		Object.defineProperty(track, 'muted', { value: muted, configurable: true });
		track.dispatchEvent(new Event(muted ? 'mute' : 'unmute'));
	})(%t)`
	held := shows("#banner", "Your device has taken the microphone away") + " && " +
		shows("#voice-status", "Nobody hears you") + " && " + shows(".person", "Mic on hold")
	ada.promptly("it is said", fmt.Sprintf(hold, true), held)
	ben.see(".person", "Mic on hold")
	ada.click("#checkup-open")
	ada.checked().says(ada.t, "Microphone", "warning", "nothing comes from it", "Your device has taken the microphone away")
	ada.click("#checkup-close")
	ada.promptly("it is over", fmt.Sprintf(hold, false), noBanner+" && "+shows("#voice-status", "Connected"))
	// Muted, one is not told what changes nothing.
	ada.click("#mute")
	ada.promptly("muted", fmt.Sprintf(hold, true), noBanner+" && "+shows(".person", "Muted"))
	ada.click("#mute")
	ada.see("#banner", "Your device has taken the microphone away")
	ada.click("#banner-action")
	ada.until("all is well", noBanner)
	ben.hears(both, ada)
}

// checkMicrophoneSilent speaks into a microphone that is switched off.
func checkMicrophoneSilent(t *testing.T, ada, ben *participant) {
	t.Helper()
	both := []*participant{ada, ben}
	ada.click("#leave")
	evaluate[chromedp.Void](ada, fmt.Sprintf(fakeMicrophone, toneAda))
	ada.join("lobby")
	ada.see("#banner", "No sound comes from your microphone.")
	ada.see("#voice-status", "Nobody hears you")
	ada.see(".person", "Mic silent")
	ben.see(".person", "Mic silent")
	ada.promptly("the switch is on", "voice.gain.value = 0.5", noBanner+" && "+shows("#voice-status", "Connected"))
	ben.hears(both, ada)
	ben.until("Ada is well", wellFor("Ada"))

	// Off again by one's own doing: no cause for alarm.
	ada.click("#mute")
	ada.click("#mute")
	ada.click("#leave")
	evaluate[chromedp.Void](ada, "voice.gain.value = 0")
	ada.join("lobby")
	ada.see("#banner", "No sound comes from your microphone.")
	evaluate[chromedp.Void](ada, "voice.restore()")
	ada.click("#banner-action")
	ben.hears(both, ada)
	ada.until("all is well", noBanner)

	// One that goes silent in the middle.
	evaluate[chromedp.Void](ada, fmt.Sprintf(fakeMicrophone, toneAda))
	evaluate[chromedp.Void](ada, "voice.gain.value = 0.5; livechat.session.call.useMicrophone()")
	ben.hears(both, ada)
	ada.promptly("it is said", "voice.gain.value = 0", shows("#banner", "No sound comes from your microphone."))
	evaluate[chromedp.Void](ada, "voice.restore()")
	ada.click("#banner-action")
	ben.hears(both, ada)
}

// checkPlayback stops what plays.
func checkPlayback(t *testing.T, ada, ben *participant) {
	t.Helper()
	const plays = `livechat.media.slots.every(({ audio }) => !audio.paused)`
	ada.promptly("what was paused goes on", "livechat.media.slots.forEach(({ audio }) => audio.pause())", plays)

	for _, name := range []string{"NotAllowedError", "NotSupportedError", "AbortError"} {
		refuse := fmt.Sprintf(`(() => {
			window.play ??= HTMLMediaElement.prototype.play;
			HTMLMediaElement.prototype.play = async () => { throw new DOMException('not now', %q); };
			livechat.media.slots.forEach(({ audio }) => audio.pause());
		})()`, name)
		const allow = "HTMLMediaElement.prototype.play = play"
		blocked := shows("#banner", "You hear nobody.") + " && " + shows("#voice-status", "You hear nobody") + " && " +
			shows(".person", "Cannot hear")
		ada.promptly(name+" is said", refuse, blocked)
		ben.see(".person", "Cannot hear")
		ada.promptly(name+" passes", allow, plays+" && "+noBanner)
		// Where it does not pass by itself, one click helps: on the button or anywhere else.
		ada.promptly(name+" is said again", refuse, blocked)
		evaluate[chromedp.Void](ada, "HTMLMediaElement.prototype.play = function () { return navigator.userActivation.isActive ? play.call(this) : Promise.reject(new DOMException('', 'NotAllowedError')); }")
		ada.click("#banner-action")
		ada.until("it plays", plays+" && "+noBanner)
		evaluate[chromedp.Void](ada, allow)
	}

	// An element that says it plays, and does not move.
	ada.promptly("it is made anew", `(() => {
		window.heard = livechat.media.slots.find(({ userId }) => userId).audio;
		window.renewed = 0;
		heard.addEventListener('emptied', () => { renewed++; });
		Object.defineProperty(heard, 'currentTime', { value: 1, configurable: true });
	})()`, "renewed > 0")
	ada.see("#banner", "You hear nobody.")
	evaluate[chromedp.Void](ada, "delete heard.currentTime")
	ada.until("it moves", noBanner)
	ben.until("Ada is well", wellFor("Ada"))
}

// checkNoOutput takes the last loudspeaker away. The browser cannot be made to lose the ones
// that it pretends to have, so the test speaks for it.
func checkNoOutput(t *testing.T, ada, _ *participant) {
	t.Helper()
	ada.promptly("it is said", `(() => {
		const devices = navigator.mediaDevices;
		const real = devices.enumerateDevices.bind(devices);
		window.plugged = false;
		devices.enumerateDevices = async () => (await real()).filter(({ kind }) => plugged || kind !== 'audiooutput');
		devices.dispatchEvent(new Event('devicechange'));
	})()`, shows("#banner", "There is neither a loudspeaker nor headphones.")+" && "+shows(".person", "Cannot hear"))
	ada.promptly("it is back", "plugged = true, navigator.mediaDevices.dispatchEvent(new Event('devicechange'))", noBanner)
}

// TestBrowserAutoplay comes into a channel without having clicked anything, in a browser that
// then plays nothing.
func TestBrowserAutoplay(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(c *app.Config) { c.Secret, c.AllowGuests = testSecret, new(true) })
	ear := startBrowser(t, "Ear", toneBen, func(flags map[string]any) {
		flags["autoplay-policy"] = "document-user-activation-required"
	})
	token, _ := guest(t, s, "Ear")
	ear.open(s, "token="+token)
	ear.until("signed in", "livechat.session.stage === 'in'")
	evaluate[chromedp.Void](ear, "livechat.session.call.joinAsListener('lobby')")
	ear.joined()
	ear.see("#banner", "Your browser holds the sound back. You hear nobody.")
	ear.see(".person", "Cannot hear")
	tom := arrive(t, s, "Tom").join("lobby").talk()
	finds := func(cause string) {
		t.Helper()
		ask := fmt.Sprintf("livechat.session.call.why.ask(%q).then((found) => found.cause)", tom.UserID())
		ear.poll(cause+" is why", func() bool { return evaluate[string](ear, ask) == cause })
	}
	finds("sound_blocked")
	ear.click("#room-name") // anywhere
	ear.until("it plays", noBanner+" && livechat.media.slots.every(({ audio }) => !audio.paused)")
	ear.see(".person", "Listening")
	finds("ok")
	evaluate[chromedp.Void](ear, "livechat.media.volumeOf = () => 0")
	finds("person_muted")
	operator := administered{t: t, server: s, token: mint(t, testSecret, auth.Identity{UserID: "root", Role: auth.RoleAdmin})}
	var found protocol.AdminWhy
	require.NoError(t, json.Unmarshal(operator.raw(http.MethodGet, "/api/admin/why?listener=Ear&talker=Tom", "", http.StatusOK), &found))
	require.True(t, found.Asked, "the page says that it answers")
	require.NotNil(t, found.Playback, "and does")
	require.Equal(t, "person_muted", found.Found.Cause)
	tom.silence()
	ear.noComplaints()
}
