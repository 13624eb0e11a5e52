package bench

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/netip"
	"runtime"
	"runtime/debug"

	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

// The floor: one socket, one thread, and for each packet that comes one decryption, one
// encryption for everyone it goes to, and one sendmmsg for all of what came together.
// Whose packet it is and where it goes is looked up in arrays made beforehand.

const (
	floorReadBatch = 32
	// floorWriteBatch is the kernel's own limit (UIO_MAXIOV).
	floorWriteBatch = 1024
)

// floorPlan tells the floor what to do. A floorLeg's index is its member's.
type floorPlan struct {
	Legs []floorLeg `json:"legs"`
}

// floorLeg is one participant: where it is, its session keys and salts, and, if it talks,
// who hears it.
type floorLeg struct {
	Addr    netip.AddrPort `json:"addr"`
	InKey   []byte         `json:"in_key"`
	InSalt  []byte         `json:"in_salt"`
	OutKey  []byte         `json:"out_key"`
	OutSalt []byte         `json:"out_salt"`
	To      []floorRoute   `json:"to"`
}

// floorRoute is one hearer of a talker, and the SSRC under which it hears them.
type floorRoute struct {
	Leg  int    `json:"leg"`
	SSRC uint32 `json:"ssrc"`
}

type floor struct {
	fd   int
	addr netip.AddrPort
	// byPort finds the talker by source port; all are on one address.
	byPort [1 << 16]*floorTalker
}

type floorTalker struct {
	in *crypter
	to []floorHearer
}

type floorHearer struct {
	out  *crypter
	ssrc uint32
	addr *sockaddr
}

func newFloor() (*floor, error) {
	f := &floor{}
	var err error
	f.fd, f.addr, err = openUDP(netip.AddrFrom4([4]byte{127, 0, 0, 1}), socketBufferBytes)
	if err != nil {
		return nil, fmt.Errorf("floor: %w", err)
	}
	return f, nil
}

// open takes the plan, starts and tells where it listens.
func (f *floor) open(argument json.RawMessage) (any, error) {
	var p floorPlan
	if err := json.Unmarshal(argument, &p); err != nil {
		return nil, err
	}
	outs, addrs := make([]*crypter, len(p.Legs)), make([]*sockaddr, len(p.Legs))
	for i, l := range p.Legs {
		var err error
		if outs[i], err = newCrypter(l.OutKey, l.OutSalt); err != nil {
			return nil, err
		}
		addrs[i] = newSockaddr(l.Addr)
	}
	for _, l := range p.Legs {
		if len(l.To) == 0 {
			continue
		}
		t := &floorTalker{to: make([]floorHearer, len(l.To))}
		var err error
		if t.in, err = newCrypter(l.InKey, l.InSalt); err != nil {
			return nil, err
		}
		for i, r := range l.To {
			t.to[i] = floorHearer{out: outs[r.Leg], ssrc: r.SSRC, addr: addrs[r.Leg]}
		}
		f.byPort[l.Addr.Port()] = t
	}
	go f.run()
	return f.addr, nil
}

// run forwards until the process ends.
func (f *floor) run() {
	runtime.LockOSThread()
	debug.SetGCPercent(-1) // a collection would wait for this thread, which waits in the kernel
	in, out := newInbound(floorReadBatch), newOutbound(floorWriteBatch)
	arena, used := make([]byte, floorWriteBatch*2*maxFrameBytes), 0
	for {
		n, err := in.read(f.fd, 0)
		if err != nil {
			return
		}
		for i := range n {
			packet, from := in.packet(i)
			t := f.byPort[from.Port()]
			if t == nil || len(packet) < rtp.FixedLen {
				continue
			}
			// Less than 2^16 packets are sent in a measurement, so the index is the number.
			index := uint64(rtp.SequenceNumber(packet))
			payload, err := t.in.open(packet, index)
			if err != nil {
				continue
			}
			for _, to := range t.to {
				if out.full() {
					out.send(f.fd)
					used = 0
				}
				header := arena[used:][:rtp.FixedLen]
				copy(header, packet)
				binary.BigEndian.PutUint32(header[8:], to.ssrc)
				sealed := to.out.seal(header, payload, index)
				out.add(sealed, to.addr)
				used += len(sealed)
			}
		}
		out.send(f.fd)
		used = 0
	}
}
