package bench

import (
	"encoding/binary"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

const (
	// opusPayloadType is the RTP payload type the participants offer.
	opusPayloadType = 111
	// phaseStep spreads the talkers over the interval: the fraction of it by which one
	// sends later than the one before, the golden ratio's. However many there are, and
	// whichever of them share a channel, they are spread about evenly.
	phaseStep = 0.6180339887498949
	// giveUp is how far behind the sending loop may be and still send everything.
	giveUp = 10 * packetInterval
	// longestNap bounds how long a new talker waits to be noticed.
	longestNap = 5 * time.Millisecond
)

// talker is a leg that sends.
type talker struct {
	leg   *leg
	phase time.Duration // when in the interval
	ssrc  uint32
	// share is how many packets have to come out for each one sent, in thousandths.
	share uint64

	// The sending loop's.
	number uint64 // of the talker
	sent   uint64
	buf    [bufferBytes]byte
}

// talkers are those who send, by phase. The list is replaced, never changed.
type talkers struct {
	mu   sync.Mutex
	made int // guarded by mu
	list atomic.Pointer[[]*talker]
	// late is how far the sending loop was behind; skipped is the time of the window in
	// which nothing was sent, because it was too far behind to make up for it.
	late    histogram
	skipped atomic.Int64
}

// talk makes a leg send from now on; fanout is how many shall hear it.
func (g *generator) talk(l *leg, ssrc uint32, fanout float64) {
	t := &g.talkers
	t.mu.Lock()
	defer t.mu.Unlock()
	turn := float64(t.made) * phaseStep
	one := &talker{
		leg: l, ssrc: ssrc, share: uint64(fanout*1000 + 0.5), number: uint64(t.made), //nolint:gosec // not negative
		phase: time.Duration((turn - float64(int(turn))) * float64(packetInterval)),
	}
	t.made++
	list := append(slices.Clone(t.load()), one)
	slices.SortFunc(list, func(a, b *talker) int { return int(a.phase - b.phase) })
	t.list.Store(&list)
}

// sending are those who send now.
func (g *generator) sending() []*talker {
	if g.hush.Load() {
		return nil
	}
	return g.talkers.load()
}

func (t *talkers) load() []*talker {
	if list := t.list.Load(); list != nil {
		return *list
	}
	return nil
}

func (t *talkers) remove(l *leg) {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(t.load()), func(one *talker) bool { return one.leg == l })
	t.list.Store(&list)
}

// send is the sending loop. It sleeps on its own thread: the runtime's timers are a
// millisecond coarse when nothing else happens, which would bundle talkers together.
func (g *generator) send() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	last := g.now()
	for !g.stop.Load() {
		now := g.now()
		next := g.sendDue(g.sending(), last, now)
		last = now
		nap := min(next-g.now(), longestNap)
		if nap > 0 {
			request := unix.NsecToTimespec(int64(nap))
			_ = unix.Nanosleep(&request, nil) // cut short by a signal is as good
		}
	}
}

// sendDue sends what is due after last and until now, and returns when the next is.
func (g *generator) sendDue(list []*talker, last, now time.Duration) time.Duration {
	if len(list) == 0 {
		return now + longestNap
	}
	if now-last > giveUp {
		// So far behind, as after a stop of the whole process, nothing is made up for.
		if g.inWindow(now) {
			g.talkers.skipped.Add(int64(now - giveUp - last))
		}
		last = now - giveUp
	}
	cycle, offset := last/packetInterval*packetInterval, last%packetInterval
	at, _ := slices.BinarySearchFunc(list, offset+1, func(t *talker, d time.Duration) int { return int(t.phase - d) })
	for {
		if at == len(list) {
			at, cycle = 0, cycle+packetInterval
		}
		due := cycle + list[at].phase
		if due > now {
			return due
		}
		g.sendOne(list[at], due)
		at++
	}
}

func (g *generator) sendOne(t *talker, due time.Duration) {
	l := t.leg
	sealer, to := l.sealer.Load(), l.remote.Load()
	if sealer == nil || to == nil {
		return
	}
	header := t.buf[:rtp.FixedLen]
	header[0], header[1] = 0x80, opusPayloadType
	binary.BigEndian.PutUint16(header[2:], uint16(t.sent))             //nolint:gosec // wraps
	binary.BigEndian.PutUint32(header[4:], uint32(t.sent*packetTicks)) //nolint:gosec // wraps
	binary.BigEndian.PutUint32(header[8:], t.ssrc)
	payload := t.buf[rtp.FixedLen:][:frameSize(t.number, t.sent)]
	now := g.now()
	putFrame(payload, now, l.node)
	packet := sealer.seal(header, payload, t.sent)
	t.sent++

	g.mu.RLock() // keeps the socket open
	defer g.mu.RUnlock()
	if g.legs[int32(l.fd)] != l { //nolint:gosec // descriptors are small
		return
	}
	if g.inWindow(now) {
		g.expected.Add(t.share)
		g.talkers.late.add(now - due)
	}
	_ = sendTo(l.fd, packet, to) // what does not leave is lost, and counted so
}
