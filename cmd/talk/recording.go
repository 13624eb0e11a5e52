package talk

import (
	"cmp"
	"slices"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/client"
)

// strangers is how long packets may wait for it to be known whose they are.
const strangers = 5 * time.Second

// recording puts what is heard into one track for each talker. It has no clock: times are what is told to it. It is not safe for
// concurrent use.
type recording struct {
	start  time.Time
	open   func(userID string, channels int) (*client.OggOpusWriter, error)
	voices map[origin]*voice
	tracks map[string]*track
	// lost is how many packets were never known to be anybody's.
	lost int
}

// origin is where packets come from: a slot, and who talks on it.
type origin struct{ ssrc, csrc uint32 }

// voice is one talker on one slot.
type voice struct {
	clock  clock
	userID string // the last that was told; "" until something is
	heard  time.Time
	held   []held // by timestamp
}

// held is a packet that is not written yet.
type held struct {
	userID    string // "" when it came before that was known
	came      time.Time
	timestamp int64 // without its wrapping
	opus      []byte
}

func newRecording(start time.Time, open func(userID string, channels int) (*client.OggOpusWriter, error)) *recording {
	return &recording{start: start, open: open, voices: map[origin]*voice{}, tracks: map[string]*track{}}
}

// since is a moment on the recording's clock.
func (r *recording) since(now time.Time) int64 { return samples(now.Sub(r.start)) }

// add takes a packet that came now, whose payload it keeps.
func (r *recording) add(now time.Time, info client.PacketInfo, opus []byte) {
	if client.OpusDuration(opus) <= 0 {
		return
	}
	from := origin{info.SSRC, info.CSRC}
	v := r.voices[from]
	if v == nil {
		v = &voice{}
		r.voices[from] = v
	}
	v.userID = cmp.Or(info.UserID, v.userID)
	v.heard = now
	p := held{userID: info.UserID, came: now, timestamp: v.clock.arrives(r.since(now), info.Timestamp), opus: opus}
	i, again := slices.BinarySearchFunc(v.held, p, func(a, b held) int { return cmp.Compare(a.timestamp, b.timestamp) })
	if !again {
		v.held = slices.Insert(v.held, i, p)
	}
}

// write writes what has been held for long enough.
func (r *recording) write(now time.Time) error { return r.writeBefore(now, now.Add(-hold)) }

// due is a packet that is to be written.
type due struct {
	v *voice
	p held
}

func (r *recording) writeBefore(now, until time.Time) error {
	for userID, packets := range r.takeBefore(now, until) {
		slices.SortStableFunc(packets, func(a, b due) int {
			return cmp.Compare(a.v.clock.stands(a.p.timestamp), b.v.clock.stands(b.p.timestamp))
		})
		t := r.tracks[userID]
		if t == nil {
			channels := channelsOf(packets)
			out, err := r.open(userID, channels)
			if err != nil {
				return err
			}
			t = newTrack(out, channels)
			r.tracks[userID] = t
		}
		for _, d := range packets {
			if err := t.add(d.v, d.p); err != nil {
				return err
			}
		}
	}
	return nil
}

// takeBefore takes what came until a moment out of the voices, by whose it is.
func (r *recording) takeBefore(now, until time.Time) map[string][]due {
	ready := map[string][]due{}
	for from, v := range r.voices {
		n := 0
		for n < len(v.held) && !v.held[n].came.After(until) {
			n++
		}
		switch {
		case v.userID != "":
			for _, p := range v.held[:n] {
				userID := cmp.Or(p.userID, v.userID)
				ready[userID] = append(ready[userID], due{v, p})
			}
		case n > 0 && now.Sub(v.held[0].came) > strangers:
			r.lost += n
		default:
			n = 0
		}
		v.held = slices.Delete(v.held, 0, n)
		if len(v.held) == 0 && now.Sub(v.heard) > settling {
			delete(r.voices, from)
		}
	}
	return ready
}

// finish writes all there is, and ends all tracks at the same moment: now, or where the last packet ends that began before.
func (r *recording) finish(now time.Time) error {
	if err := r.writeBefore(now, now); err != nil {
		return err
	}
	for _, v := range r.voices {
		r.lost += len(v.held)
	}
	end := r.since(now)
	for _, t := range r.tracks {
		end = max(end, t.at)
	}
	for _, t := range r.tracks {
		if err := t.finish(end); err != nil {
			return err
		}
	}
	return nil
}

// abandon ends the tracks where they are.
func (r *recording) abandon() {
	for _, t := range r.tracks {
		_ = t.out.Close() // what can be
	}
}
