package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
)

// Tones of the microphones in Hz: primes, none near a multiple of another.
const (
	toneAda   = 431
	toneBen   = 617
	toneChloe = 919
	toneDan   = 1409
)

// TestBrowserVoice has people talk in one channel, each in a browser of their own with a
// tone for a voice, and listens by a Fourier transform in each page who hears whom.
func TestBrowserVoice(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t, func(cfg *app.Config) { cfg.UDP = "0" }) // on all interfaces, as by default
	ada := startBrowser(t, "Ada", toneAda)
	ben := startBrowser(t, "Ben", toneBen)
	chloe := startBrowser(t, "Chloe", toneChloe)
	three := []*participant{ada, ben, chloe}
	for _, one := range three {
		one.signIn(s)
		one.join("lobby")
	}

	everyoneHearsTheOthers := func() {
		ada.hears(three, ben, chloe)
		ben.hears(three, ada, chloe)
		chloe.hears(three, ada, ben)
	}

	t.Run("each hears exactly the others", func(t *testing.T) {
		during(t, three...)
		everyoneHearsTheOthers()
	})
	t.Run("contributing sources agree with the slot map", func(t *testing.T) {
		during(t, three...)
		checkSources(t, three)
	})
	t.Run("help against loss is negotiated", func(t *testing.T) {
		during(t, three...)
		checkHelp(t, three)
	})
	t.Run("the mute button", func(t *testing.T) {
		during(t, three...)
		ben.click("#mute")
		ada.hears(three, chloe)
		chloe.hears(three, ada)
		ben.hears(three, ada, chloe)
		ada.see(".person", "Muted")
		ben.click("#mute")
		everyoneHearsTheOthers()
	})
	t.Run("mute holds although the track sends", func(t *testing.T) {
		during(t, three...)
		checkServerMute(t, three)
	})
	t.Run("the deafen button", func(t *testing.T) {
		during(t, three...)
		chloe.click("#deafen")
		chloe.hears(three)
		ada.hears(three, ben)
		ada.see(".person", "Deafened")
		chloe.click("#deafen")
		everyoneHearsTheOthers()
	})
	t.Run("the one who speaks is shown", func(t *testing.T) {
		during(t, three...)
		ada.until("all three are seen speaking", `document.querySelectorAll('.person--speaking').length === 3`)
	})
	t.Run("a fourth joins, is heard, leaves, is killed", func(t *testing.T) {
		during(t, three...)
		checkFourth(t, s, three)
	})
	t.Run("nothing was complained about", func(t *testing.T) {
		during(t, three...)
		for _, one := range three {
			one.noComplaints()
		}
	})
}

// checkSources checks for each listener that the CSRC on a slot is the SSRC that the
// slot's user sends with.
func checkSources(t *testing.T, all []*participant) {
	t.Helper()
	ssrcs := make(map[string]uint32, len(all))
	for _, one := range all {
		ssrcs[one.userID()] = sendingSSRC(one)
	}
	for _, listener := range all {
		type source struct {
			User  string   `json:"user"`
			CSRCs []uint32 `json:"csrcs"`
		}
		var sources []source
		listener.poll("every slot in use has a contributing source", func() bool {
			sources = evaluate[[]source](listener, `livechat.media.slots.filter((s) => s.userId).map((s) => ({
				user: s.userId, csrcs: s.receiver.getContributingSources().map((c) => c.source) }))`)
			for _, s := range sources {
				if len(s.CSRCs) == 0 {
					return false
				}
			}
			return len(sources) == len(all)-1
		})
		for _, s := range sources {
			require.Equal(t, []uint32{ssrcs[s.User]}, s.CSRCs, "%s, slot of %s", listener.name, s.User)
		}
	}
}

// checkHelp looks whether each browser was granted RED before Opus, and NACK, on every line, and no DTX.
func checkHelp(t *testing.T, all []*participant) {
	t.Helper()
	for _, b := range all {
		require.True(t, evaluate[bool](b, `(() => {
			const count = (pattern) => livechat.media.answer.match(pattern)?.length ?? 0;
			// A page opened with ?audio=raw carries music, which DTX would cut.
			return count(/^m=audio .* 63 111\r$/gm) === 9 && count(/^a=rtcp-fb:111 nack\r$/gm) === 9 &&
				count(/^a=fmtp:111 .*usedtx=0/gm) === 1;
		})()`), evaluate[string](b, "livechat.media.answer"))
	}
}

// stats finds the one statistics report of a type about audio in the page of b.
func stats(b *participant, kind, field string) float64 {
	b.t.Helper()
	return evaluate[float64](b, fmt.Sprintf(`livechat.media.statistics().then((report) =>
		[...report.values()].find((s) => s.type === %s && s.kind === 'audio')?.[%s] ?? -1)`,
		strconv.Quote(kind), strconv.Quote(field)))
}

// sendingSSRC returns the SSRC of b's microphone.
func sendingSSRC(b *participant) uint32 {
	b.t.Helper()
	return uint32(stats(b, "outbound-rtp", "ssrc"))
}

// checkServerMute mutes one by VOICE_STATE alone: the microphone goes on sending, and
// still nobody hears it.
func checkServerMute(t *testing.T, three []*participant) {
	t.Helper()
	ada, ben, chloe := three[0], three[1], three[2]
	mute := func(muted bool) {
		evaluate[chromedp.Void](ben, fmt.Sprintf(`livechat.session.client.request(40, { self_mute: %t }).then(() => undefined)`, muted))
	}
	mute(true)
	require.True(t, evaluate[bool](ben, "livechat.media.microphone.track.enabled"))
	ada.hears(three, chloe)
	chloe.hears(three, ada)

	packets := stats(ben, "outbound-rtp", "packetsSent")
	energy := stats(ben, "media-source", "totalAudioEnergy")
	ben.poll("a second's worth of sound leaves the muted one's browser", func() bool {
		return stats(ben, "outbound-rtp", "packetsSent") > packets+50 &&
			stats(ben, "media-source", "totalAudioEnergy") > energy
	})
	ada.hears(three, chloe)
	mute(false)
	ada.hears(three, ben, chloe)
	chloe.hears(three, ada, ben)
}

// checkFourth has a fourth come and go twice: once by the button, once by force.
func checkFourth(t *testing.T, s *server, three []*participant) {
	t.Helper()
	dan := startBrowser(t, "Dan", toneDan)
	four := slices.Concat(three, []*participant{dan})
	dan.signIn(s)

	arrive := func() {
		dan.join("lobby")
		dan.hears(four, three...)
		for i, one := range three {
			others := slices.Concat([]*participant{dan}, three[:i], three[i+1:])
			one.hears(four, others...)
			one.see(".person", "Dan")
		}
	}
	gone := func(how string) {
		for i, one := range three {
			others := slices.Concat(three[:i], three[i+1:])
			one.until("Dan is off the list", `![...livechat.session.call.room.members.values()].some((m) => m.name === 'Dan')`)
			one.until("Dan is off the screen", `!document.getElementById('people').innerText.includes('Dan')`)
			one.hears(four, others...)
			one.see("#chat-log", how)
			one.until("three are counted", `document.getElementById('room-count').innerText === '3 people'`)
		}
	}
	arrive()
	dan.click("#leave")
	gone("Dan left")
	dan.see(".channel", "lobby")
	arrive()
	dan.kill()
	gone("Dan lost the connection")
}
