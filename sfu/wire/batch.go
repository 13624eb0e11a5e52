package wire

// Batch collects encrypted packets and sends them with one system call per sendBatch of them. It belongs to one
// goroutine.
type Batch struct {
	engine *Engine
	lane   int // which of a listen address's sockets to send on
	arena  []byte
	used   int
	queued int
	budget int
	vecs   []*sendVec // by socket group
}

// NewBatch makes a Batch for a goroutine that is neither a loop nor a lane, such as one that sends on a timer. Flush it.
func (e *Engine) NewBatch() *Batch { return e.newBatch(0) }

func (e *Engine) newBatch(lane int) *Batch {
	b := &Batch{engine: e, lane: lane, arena: make([]byte, arenaSize)}
	for range e.groups {
		b.vecs = append(b.vecs, new(sendVec))
	}
	return b
}

// Budget is how many more packets a Receiver should send itself. A fan-out that is larger goes to [Batch.Defer].
func (b *Batch) Budget() int { return b.budget }

// reserve returns room for a packet of at most size bytes to d, sending what is queued if there is none left.
func (b *Batch) reserve(d *dest, size int) []byte {
	if b.used+size > len(b.arena) || b.vecs[d.group.index].full() {
		b.Flush()
	}
	return b.arena[b.used : b.used+size : b.used+size]
}

// commit queues the packet of n bytes that was written where reserve said.
func (b *Batch) commit(d *dest, n int) {
	b.vecs[d.group.index].add(d, b.arena[b.used:b.used+n])
	b.used += n
	b.queued++
	b.budget--
}

// Flush sends what is queued. It never waits: what the kernel has no room for is dropped and counted.
func (b *Batch) Flush() {
	if b.queued == 0 {
		return
	}
	for i, v := range b.vecs {
		if v.n == 0 {
			continue
		}
		g := b.engine.groups[i]
		g.socks[b.lane%len(g.socks)].send(v, &b.engine.stat)
		v.reset()
	}
	b.used, b.queued = 0, 0
}
