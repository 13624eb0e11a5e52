package relay

import (
	"slices"
	"sync"
	"time"

	"github.com/mini-livechat/mini-livechat/sfu/voice"
	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

// In is the voice of a talker of another node as it is heard here. It stays the same while its link is made anew.
type In struct {
	voice.In

	mu sync.Mutex // makes Receive one goroutine's, when one link follows another
	// held says that somebody here may hear it, link on which link it comes; nil: on none. Guarded by Relay.mu.
	held bool
	link *Link
}

// receive takes a packet that authenticated.
func (in *In) receive(out *wire.Batch, packet []byte, at time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.Receive(out, packet, at)
}

// Voice returns the voice of a talker of another node, node being a Node's String, whether something of it has come or not. It is the same one
// until Hush.
func (r *Relay) Voice(node, channelID, userID string) *In {
	r.mu.Lock()
	defer r.mu.Unlock()
	in := r.inLocked(talker{node, channelID, userID})
	in.held = true
	return in
}

// Hush says that a talker is not to be heard any more.
func (r *Relay) Hush(node, channelID, userID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := talker{node, channelID, userID}
	if in := r.ins[key]; in != nil {
		in.held = false
		r.dropLocked(key, in)
	}
}

func (r *Relay) inLocked(key talker) *In {
	in := r.ins[key]
	if in == nil {
		in = new(In)
		in.Open(linkFormat, nil, reporter, time.Now(), nil)
		r.ins[key] = in
	}
	return in
}

// dropLocked forgets a voice that nobody hears and that comes on no link.
func (r *Relay) dropLocked(key talker, in *In) {
	if !in.held && in.link == nil {
		delete(r.ins, key)
	}
}

// assign has voices come on a link as its other end says, and returns who is on which SSRC from now on.
func (r *Relay) assign(l *Link, lines []LineTold) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.links[l.node] != l {
		return
	}
	ins, endpoint := slices.Clone(l.ins()), l.end()
	for _, told := range lines {
		i := int(told.SSRC) - firstSSRC
		if i < 0 || i >= maxLines {
			continue
		}
		for len(ins) <= i {
			ins = append(ins, nil)
		}
		key := talker{l.node.String(), told.Channel, told.User}
		if ins[i] != nil && ins[i].key == key {
			continue
		}
		r.releaseLocked(l, ins[i])
		ins[i] = nil
		if told.User == "" {
			continue
		}
		in := r.inLocked(key)
		in.link = l
		in.mu.Lock()
		in.Rebind(endpoint)
		in.mu.Unlock()
		ins[i] = &arriving{key, in}
	}
	l.arriving.Store(&ins)
}

// forget has no voice come on a link any more that has ended.
func (r *Relay) forget(l *Link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range l.ins() {
		r.releaseLocked(l, a)
	}
	l.arriving.Store(nil)
}

func (r *Relay) releaseLocked(l *Link, a *arriving) {
	if a != nil && a.in.link == l {
		a.in.link = nil
		r.dropLocked(a.key, a.in)
	}
}

// arriving is a voice that comes on a link.
type arriving struct {
	key talker
	in  *In
}
