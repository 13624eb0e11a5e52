package admission

import (
	"net/netip"
	"sync"
	"time"
)

// maxAccounts is how many addresses, and how many users, a Book remembers at most: of each more than a server has sessions. At
// 440 bytes each that is 28 MiB, of which there is only what those take who were here lately.
const maxAccounts = 1 << 15

// Caller is who does something. What is not known of it is left out, and not counted by.
type Caller struct {
	// Network is where it comes from, see [Network].
	Network netip.Prefix
	// User is who it is, and Standing how well known.
	User     string
	Standing Standing
	// Meter is its connection's.
	Meter *Meter
}

// Charge is something to be done, and what it costs.
type Charge struct {
	Kind Kind
	Cost float64
}

// Book remembers who did how much. Safe for concurrent use.
type Book struct {
	rules rules
	began time.Time

	mu        sync.Mutex // guards the fields below
	addresses *table[netip.Prefix]
	users     *table[string]
	held      map[netip.Prefix]int // WebSockets
}

// NewBook returns a Book in which nothing stands. now is any time before those that follow.
func NewBook(c Config, now time.Time) *Book {
	r := newRules(c)
	users, addresses := pace{}, pace{spent: r.spent.PerSecond}
	for standing := range r.users {
		users.add(&r.users[standing])
	}
	addresses.add(&r.address)
	return &Book{
		rules: r, began: now,
		addresses: newTable[netip.Prefix](maxAccounts, addresses), users: newTable[string](maxAccounts, users),
		held: make(map[netip.Prefix]int),
	}
}

// Allow notes what is done and returns 0, or, if any of it is too much for the address, the user or the connection, notes
// nothing and returns how long to wait.
func (b *Book) Allow(now time.Time, who Caller, charges ...Charge) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := now.Sub(b.began)
	for _, c := range charges {
		b.eachLocked(at, who, c.Kind, func(bucket *bucket, r Rule) { wait = max(wait, bucket.wait(at, r, c.Cost)) })
	}
	if wait > 0 {
		return wait
	}
	b.takeLocked(at, who, charges)
	return 0
}

// Take notes what was done, whether it was too much or not, and returns how long it would be good to wait.
func (b *Book) Take(now time.Time, who Caller, charges ...Charge) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := now.Sub(b.began)
	b.takeLocked(at, who, charges)
	for _, c := range charges {
		b.eachLocked(at, who, c.Kind, func(bucket *bucket, r Rule) { wait = max(wait, bucket.wait(at, r, 0)) })
	}
	return wait
}

func (b *Book) takeLocked(at time.Duration, who Caller, charges []Charge) {
	for _, c := range charges {
		b.eachLocked(at, who, c.Kind, func(bucket *bucket, r Rule) { bucket.take(at, r, c.Cost) })
	}
}

// eachLocked calls do with every bucket that counts what somebody does of a kind.
func (b *Book) eachLocked(at time.Duration, who Caller, kind Kind, do func(*bucket, Rule)) {
	if who.Meter != nil && kind == Request {
		do(&who.Meter.requests, b.rules.requests)
	}
	if who.User != "" {
		do(&b.users.of(who.User, at).buckets[kind], b.rules.users[who.Standing][kind])
	}
	// Who is known answers for what all are told; of guests only the address is.
	if known := who.User != "" && who.Standing > Guest; known && (kind == MakeChannel || kind == Tell) {
		return
	}
	if who.Network.IsValid() {
		do(&b.addresses.of(who.Network, at).buckets[kind], b.rules.address[kind])
	}
}

// Hold notes that an address has one WebSocket more, and reports false when that would be too many. What is held is to be
// released.
func (b *Book) Hold(network netip.Prefix) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !network.IsValid() {
		return true
	}
	if b.held[network] >= b.rules.held {
		return false
	}
	b.held[network]++
	return true
}

// Release is called once for each Hold that reported true.
func (b *Book) Release(network netip.Prefix) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held[network]--; b.held[network] <= 0 {
		delete(b.held, network)
	}
}

// Failed notes that somebody was not who they said, and FailedWait returns how long an address must wait for that before
// the next try.
func (b *Book) Failed(now time.Time, network netip.Prefix) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := now.Sub(b.began)
	b.addresses.of(network, at).spent.note(at, b.rules.spent)
}

// FailedWait is described at Failed.
func (b *Book) FailedWait(now time.Time, network netip.Prefix) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := now.Sub(b.began)
	return b.addresses.of(network, at).spent.wait(at)
}
