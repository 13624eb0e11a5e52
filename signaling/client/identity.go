package client

import "time"

// settleTime is how long after a change of talker SLOT_MAP and the packets may disagree,
// because one travels by TCP and the other by UDP.
const settleTime = time.Second

// occupant is whom SLOT_MAP names for a slot. Immutable.
type occupant struct {
	userID  string
	ssrc    uint32    // the user's own source; 0: not told
	version uint64    // counts the changes
	since   time.Time // when this one was told
}

// binding remembers which user the packets of a CSRC belong to. SLOT_MAP names users, and
// their sources as soon as the server knows them; packets name sources. Where the map does
// not say it, the pair is learned: when the map has moved on since the last pair, a source
// not seen before is the map's new user. It is not safe for concurrent use.
type binding struct {
	csrc    uint32
	userID  string
	version uint64 // the occupant's when the pair was learned

	stranger uint32    // a source that the map has not introduced yet
	met      time.Time // since when
}

// resolve returns who the packet with this CSRC is from, "" when that cannot be said yet.
// Near a change of talker the source decides; once things have settled the map does.
func (b *binding) resolve(csrc uint32, o *occupant, now func() time.Time) string {
	if csrc == 0 {
		return o.userID
	}
	if csrc == o.ssrc {
		return b.learn(csrc, o)
	}
	if csrc == b.csrc {
		// A packet of the talker before may come late, after the map has moved on.
		if b.version == o.version || o.ssrc != 0 || now().Sub(o.since) < settleTime {
			return b.userID
		}
		return b.learn(csrc, o)
	}
	if b.version != o.version && o.ssrc == 0 {
		return b.learn(csrc, o)
	}
	// The map has introduced one source, and this is another: the next talker, ahead of
	// the map, or the map's only one, after a straggler was taken for them.
	if b.stranger != csrc {
		b.stranger, b.met = csrc, now()
		return ""
	}
	if now().Sub(b.met) < settleTime {
		return ""
	}
	return b.learn(csrc, o)
}

func (b *binding) learn(csrc uint32, o *occupant) string {
	*b = binding{csrc: csrc, userID: o.userID, version: o.version}
	return b.userID
}
