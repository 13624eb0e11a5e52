package forward

import "time"

// Batch is where the transport collects what is sent at one go. This package only hands
// it on, from whoever calls [Fanout.Send] to the Writers.
type Batch = any

// Fanout is one packet and the slots it is to be offered to, as they were when it came.
// It is a value that may be kept and used from any goroutine, so that a large fan-out can
// be sent in parts. The packet's payload is not in it. The packet's redundancy is, until
// the next Prepare; see Keep.
type Fanout struct {
	source *Source
	slots  []*Slot
	frame  frame
	red    *Redundancy // nil when nobody wants any
	now    time.Time
}

// Len is how many slots there are.
func (f *Fanout) Len() int { return len(f.slots) }

// Part returns the fan-out to the slots from (included) to to (excluded).
func (f *Fanout) Part(from, to int) Fanout {
	part := *f
	part.slots = f.slots[from:to]
	return part
}

// Keep copies the packet's redundancy to r, from where the fan-out takes it from now on. It
// is needed for a fan-out that is sent after the next Prepare of its source.
func (f *Fanout) Keep(r *Redundancy) {
	if f.red != nil {
		r.copyFrom(f.red)
		f.red = r
	}
}

// Send offers the packet to all slots, in the order of SetSlots, and returns when their
// writers have. payload is the one of the packet that was prepared; out reaches the
// writers as it is.
func (f *Fanout) Send(out Batch, payload []byte) {
	for _, slot := range f.slots {
		slot.forward(f.source, &f.frame, payload, f.red, f.now, out)
	}
}
