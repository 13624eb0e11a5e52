package e2e

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// inSight is an expression: how many people are seen whole in their list.
const inSight = `(() => {
	const list = document.getElementById('people').getBoundingClientRect();
	return [...document.querySelectorAll('.person')].filter((one) => {
		const { top, bottom, left, right } = one.getBoundingClientRect();
		return top >= list.top && bottom <= Math.min(list.bottom, innerHeight) && left >= list.left && right <= Math.min(list.right, innerWidth);
	}).length;
})()`

// TestBrowserPeople has thirty people on one screen, and on a telephone that lies on its side; who speaks is in sight.
func TestBrowserPeople(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada := startBrowser(t, "Ada", toneAda)
	ada.do(chromedp.EmulateViewport(laptopWidth, laptopHeight))
	ada.signIn(s)
	ada.join("lobby")
	for i := range 8 {
		arrive(t, s, fmt.Sprintf("Person %d", i+1)).join("lobby")
	}
	ada.until("nine have cards", "document.querySelectorAll('.people:not(.people--many) .person').length === 9")
	ada.until("all are in sight", inSight+" === 9")
	for i := range 20 {
		arrive(t, s, fmt.Sprintf("Somebody with a long name %d", i+1)).join("lobby")
	}
	ben := startBrowser(t, "Ben", toneBen)
	ben.signIn(s)
	ben.join("lobby")
	ada.until("thirty are in sight", "document.querySelectorAll('.people--many .person').length === 30 && "+inSight+" === 30")
	// Who speaks is at the top, though they came last.
	ada.until("Ben has risen", `[...document.querySelectorAll('.person')].slice(0, 2).some((one) => one.innerText.includes('Ben') && one.classList.contains('person--speaking'))`)
	ada.pictures("thirty")
	checkNothingOut(t, ada, laptopWidth)

	for _, phone := range []struct {
		width, height int64
		least         int
	}{{844, 390, 9}, {740, 360, 9}, {568, 320, 6}, {phoneWidth, phoneHeight, 12}, {320, 568, 6}} {
		ada.do(chromedp.EmulateViewport(phone.width, phone.height, chromedp.EmulateMobile))
		ada.until(fmt.Sprintf("at least %d are in sight on %dx%d", phone.least, phone.width, phone.height),
			fmt.Sprintf("%s >= %d", inSight, phone.least))
		checkNothingOut(t, ada, phone.width)
		ada.picture(fmt.Sprintf("people-%dx%d", phone.width, phone.height))
	}
	// Who speaks is named where people are out of sight.
	ada.click("[data-tab=chat]")
	ada.see("#talkers", "Ben")
	ada.picture("talkers")

	// Where the first of a list goes, whoever stays keeps their place, and the focus.
	require.Equal(t, "c of bcde", evaluate[string](ada, `import('/js/ui/dom.js').then(({ renderList }) => {
		const list = document.body.appendChild(document.createElement('div'));
		const create = (key) => Object.assign(document.createElement('button'), { textContent: key });
		const draw = (keys) => renderList(list, [...keys], (key) => key, create, () => {});
		draw('abcd');
		list.children[2].focus();
		draw('bcde');
		const is = document.activeElement.textContent + ' of ' + list.textContent;
		list.remove();
		return is;
	})`))
	ada.noComplaints()
	ben.noComplaints()
}

// ringScript notes, each time that somebody begins to be heard, by how many milliseconds later their ring is there; and null where
// the machine had no time just before: what is heard goes on being late for a while after.
const ringScript = `(() => {
	const context = new AudioContext();
	const analyser = new AnalyserNode(context, { fftSize: 512 });
	context.createMediaStreamSource(livechat.media.slots.find(({ userId }) => userId).stream).connect(analyser);
	const samples = new Float32Array(512);
	let heard = 0, lit = 0, loudAt = -Infinity, last = performance.now(), behind = Infinity, lateAt = -Infinity;
	window.rings = [];
	const settle = () => {
		if (heard && lit) {
			rings.push(Math.max(heard, lit) - lateAt < 3000 ? null : lit - heard);
			heard = lit = 0;
		}
	};
	setInterval(() => {
		analyser.getFloatTimeDomainData(samples);
		const now = performance.now(), lag = now - context.currentTime * 1000; // it grows when sound is not worked out in time
		if (now - last > 60 || lag - behind > 60) {
			lateAt = now;
			behind = lag;
		}
		last = now;
		behind = Math.min(behind, lag);
		if (Math.max(...samples) < 0.01) {
			return;
		}
		if (now - loudAt > 500) {
			heard = now;
			settle();
		}
		loudAt = now;
	}, 5);
	let speaks = false;
	new MutationObserver(() => {
		const now = Boolean(document.querySelector('.person--speaking'));
		if (now && !speaks) {
			lit = performance.now();
			settle();
		}
		speaks = now;
	}).observe(document.getElementById('people'), { attributes: true, subtree: true });
})()`

// TestBrowserRings measures how far the ring around who speaks is from what one hears.
func TestBrowserRings(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada, ben := startBrowser(t, "Ada", toneAda), startBrowser(t, "Ben", toneBen)
	for _, one := range []*participant{ada, ben} {
		one.signIn(s)
	}
	evaluate[chromedp.Void](ben, fmt.Sprintf(fakeMicrophone, toneBen))
	ben.join("lobby")
	ada.join("lobby")
	ada.click("#mute")
	ada.until("nobody is seen speaking", "!document.querySelector('.person--speaking')")
	evaluate[chromedp.Void](ada, ringScript)
	const (
		near = 150 // milliseconds, to both sides
		want = 5
		most = 20
	)
	var rings []*float64
	var measured []float64
	good := 0
	for range most {
		before := len(rings)
		evaluate[chromedp.Void](ben, "void (voice.gain.value = 0.5)")
		ada.poll("Ben is heard and his ring is there", func() bool {
			rings = evaluate[[]*float64](ada, "rings")
			return len(rings) > before
		})
		evaluate[chromedp.Void](ben, "void (voice.gain.value = 0)")
		ada.until("Ben is silent", "!document.querySelector('.person--speaking')")
		time.Sleep(600 * time.Millisecond) // so that the next word is one
		for _, ms := range rings[before:] {
			if ms == nil {
				continue
			}
			measured = append(measured, *ms)
			if math.Abs(*ms) < near {
				good++
			}
		}
		if good >= want {
			break
		}
	}
	t.Logf("%d times, of which the machine had time for %d, and the ring was there so many milliseconds after the voice: %.0f",
		len(rings), len(measured), measured)
	if good < want && len(measured) > most/2 {
		ada.fatalf("the ring is seldom near the voice")
	}
}

// checkNothingOut looks for what sticks out of a screen to the right.
func checkNothingOut(t *testing.T, b *participant, width int64) {
	t.Helper()
	require.Empty(t, evaluate[[]string](b, `[...document.querySelectorAll('body *')]
		.filter((e) => e.checkVisibility() && !e.closest('.visually-hidden, .person__line > *') && e.getBoundingClientRect().right > innerWidth + 0.5)
		.map((e) => e.tagName + '#' + e.id + '.' + e.className)`), "beyond %d", width)
}

// TestBrowserLoudness makes one person louder, softer and silent, which the browser remembers.
func TestBrowserLoudness(t *testing.T) {
	verifyNoLeaks(t)
	s := startServer(t)
	ada := startBrowser(t, "Ada", toneAda)
	ben := startBrowser(t, "Ben", toneBen)
	both := []*participant{ada, ben}
	for _, one := range both {
		one.do(chromedp.EmulateViewport(laptopWidth, laptopHeight))
		one.signIn(s)
		one.join("lobby")
	}
	ada.hears(both, ben)
	slot := "livechat.media.slots.find(({ userId }) => userId)"
	evaluate[chromedp.Void](ada, `void (window.gains = [], window.GainNode = class extends GainNode { constructor(...all) { super(...all); gains.push(this); } })`)
	more := `[aria-label="More about Ben"]`
	ada.click(more)
	ada.until("the slider has the focus", "document.activeElement.type === 'range' && document.activeElement.value === '100'")
	ada.pictures("person")
	set := func(percent int) {
		t.Helper()
		evaluate[chromedp.Void](ada, fmt.Sprintf(`((input) => { input.value = %d; input.dispatchEvent(new Event('input')); })(document.querySelector('.menu input'))`, percent))
		ada.see(".menu output", fmt.Sprintf("%d %%", percent))
	}
	set(50)
	ada.until("he is softer", slot+".audio.volume === 0.5 && !"+slot+".audio.muted")
	set(200)
	ada.until("he is louder, by another way", "gains.length > 0 && gains.at(-1).gain.value === 2 && "+slot+".audio.muted")
	// As loud as it is to be: twice the tone's height comes out.
	ada.until("twice as much comes out", `(() => {
		const [gain] = gains.slice(-1);
		window.meter ??= (() => { const node = new AnalyserNode(gain.context, { fftSize: 4096 }); gain.connect(node); return node; })();
		const samples = new Float32Array(4096);
		meter.getFloatTimeDomainData(samples);
		return Math.max(...samples.map(Math.abs)) > 0.6;
	})()`)
	ada.click("#deafen")
	ada.until("deafened is deafened", slot+".audio.muted")
	ada.click("#deafen")
	ada.until("and louder again", "gains.at(-1).gain.value === 2 && "+slot+".audio.muted")

	// By the keyboard, and on to what else there is.
	evaluate[chromedp.Void](ada, "void document.querySelector('"+more+"').focus()")
	ada.strike("Escape", 0)
	ada.click(more)
	require.Equal(t, "200", evaluate[string](ada, "document.activeElement.value"))
	set(150)
	ada.click(".menu__item:nth-of-type(2)")
	ada.see(".person", "Muted for you")
	ada.hears(both)

	// It is as it was after a reload.
	ada.do(chromedp.Reload())
	ada.until("the page runs", "window.livechat")
	ada.joined()
	ada.see(".person", "Muted for you")
	ada.hears(both)
	ada.click(more)
	require.Equal(t, "150", evaluate[string](ada, "document.activeElement.value"))
	ada.click(".menu__item:nth-of-type(2)")
	ada.hears(both, ben)
	ada.noComplaints()
}
