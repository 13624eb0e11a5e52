package admission

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// usual are the defaults of the server.
func usual() Config {
	return Config{PerAddress: 100, RequestRate: 50, RequestBurst: 100, GuestChannels: 3, MemberChannels: 20, FrameBytes: 64 << 10}
}

//nolint:gochecknoglobals // a constant in all but the language
var start = time.Unix(1e9, 0)

// exhaust does something until it is refused.
func exhaust(b *Book, who Caller, kind Kind) {
	for wait := time.Duration(0); wait == 0; {
		wait = b.Allow(start, who, Charge{kind, 1})
	}
}

func from(address string) netip.Prefix { return Network(netip.MustParseAddr(address)) }

// often counts how many of so many tries, evenly over a time, are allowed.
func often(b *Book, began time.Time, over time.Duration, tries int, who Caller, charges ...Charge) (allowed int) {
	for i := range tries {
		if b.Allow(began.Add(over*time.Duration(i)/time.Duration(tries)), who, charges...) == 0 {
			allowed++
		}
	}
	return allowed
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	r := Rule{PerSecond: 2, AtOnce: 3}
	var b bucket
	for range 3 {
		require.Zero(t, b.wait(0, r, 1))
		b.take(0, r, 1)
	}
	require.Equal(t, 500*time.Millisecond, b.wait(0, r, 1))
	require.Equal(t, time.Second, b.wait(0, r, 2))
	require.Equal(t, 1500*time.Millisecond, b.wait(0, r, 100), "what is too much at any time may be done when nothing was")
	require.Equal(t, 250*time.Millisecond, b.wait(250*time.Millisecond, r, 1))
	require.Zero(t, b.wait(500*time.Millisecond, r, 1), "who waits as long as it was told is welcome")
	b.take(500*time.Millisecond, r, 1)
	require.Equal(t, 500*time.Millisecond, b.wait(100*time.Millisecond, r, 1), "time that goes back changes nothing")
	b.take(time.Second, r, 1000)
	require.Equal(t, 2*time.Second, b.wait(time.Second, r, 1), "a debt has an end")
	var free bucket
	free.take(0, Rule{}, 1e9)
	require.Zero(t, free.wait(0, Rule{}, 1e9), "no rule, no bound")
}

// Whoever waits as long as it was told is let in, whatever came before.
func TestTheWaitThatIsToldIsEnough(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	b, now := NewBook(usual(), start), start
	who := Caller{Network: from("192.0.2.1"), User: "ada", Standing: Member, Meter: b.NewMeter()}
	refused := 0
	for range 20_000 {
		now = now.Add(time.Duration(random.ExpFloat64() * float64(10*time.Millisecond)))
		charge := Charge{Kind(random.IntN(int(kinds))), float64(1 + random.IntN(5))}
		if wait := b.Allow(now, who, charge); wait > 0 {
			refused++
			now = now.Add(wait)
			require.Zero(t, b.Allow(now, who, charge), "%v after %v", charge, wait)
		}
	}
	require.Positive(t, refused)
}

func TestWhatIsRefusedIsNotCounted(t *testing.T) {
	t.Parallel()
	b := NewBook(usual(), start)
	who := Caller{User: "ada", Standing: Member}
	exhaust(b, who, Join)
	require.Positive(t, b.Allow(start, who, Charge{Request, 5}, Charge{Join, 1}))
	require.Zero(t, b.users.of("ada", 0).buckets[Request].used)
}

// A user does not become two by having two connections, nor one after the other.
func TestAUserIsOneWhateverItsConnections(t *testing.T) {
	t.Parallel()
	b, allowed := NewBook(usual(), start), 0
	for i := range 10 {
		who := Caller{Network: from(fmt.Sprintf("192.0.2.%d", i)), User: "ada", Standing: Member, Meter: b.NewMeter()}
		allowed += often(b, start, time.Second, 1000, who, Charge{Request, 1})
	}
	require.InDelta(t, 100+50, allowed, 5)
}

// A party of a hundred behind one address comes in with the defaults, all in one moment: page, token, connection, channel,
// a microphone and a first word.
func TestAPartyComesIn(t *testing.T) {
	t.Parallel()
	comesIn(t, NewBook(usual(), start), 100, 0)
}

// And a thousand within a minute, when the server was told that so many may come from there.
func TestACrowdComesIn(t *testing.T) {
	t.Parallel()
	c := usual()
	c.PerAddress = 1000
	b := NewBook(c, start)
	comesIn(t, b, 1000, time.Minute)
	comesIn(t, NewBook(c, start), 1000, 0) // or in a moment, as after a restart
}

func comesIn(t *testing.T, b *Book, people int, within time.Duration) {
	t.Helper()
	address := from("192.0.2.1")
	for i := range people {
		now := start.Add(within * time.Duration(i) / time.Duration(people))
		do := func(who Caller, charges ...Charge) {
			t.Helper()
			require.Zero(t, b.Allow(now, who, charges...), "%v of person %d", charges, i)
		}
		for range 6 {
			do(Caller{Network: address}, Charge{Socket, 1})
		}
		for range 60 {
			do(Caller{Network: address}, Charge{HTTP, 1})
		}
		do(Caller{Network: address}, Charge{HTTP, 1}, Charge{MakeGuest, 1})
		do(Caller{Network: address}, Charge{Connect, 1})
		require.True(t, b.Hold(address))
		me := Caller{Network: address, Meter: b.NewMeter()}
		do(me, Charge{Request, 1}, Charge{Identify, 1})
		me.User = fmt.Sprint("guest-", i)
		do(me, Charge{Identify, 1})
		do(me, Charge{Request, 5}, Charge{List, 1})
		do(me, Charge{Request, 5}, Charge{Presence, 1})
		do(me, Charge{Request, 5}, Charge{List, 1}) // READ
		do(me, Charge{Request, 5}, Charge{Join, 1})
		do(me, Charge{Request, 5}, Charge{List, 1}) // HISTORY
		do(me, Charge{Request, 1}, Charge{Voice, 1})
		do(me, Charge{Request, 1}, Charge{Message, 1})
		require.Zero(t, b.Take(now, Caller{Network: address}, Charge{Byte, 12_000}))
	}
}

// Nothing that is done at one address takes anything from another.
func TestAddressesAreApart(t *testing.T) {
	t.Parallel()
	b := NewBook(usual(), start)
	rude := Caller{Network: from("2001:db8::1")}
	for kind := range kinds {
		b.Take(start, rude, Charge{kind, 1e9})
		require.Positive(t, b.Allow(start, rude, Charge{kind, 1}), "kind %d", kind)
	}
	for b.Hold(rude.Network) {
	}
	require.Positive(t, b.Allow(start, Caller{Network: from("2001:db8::ffff:ffff")}, Charge{MakeGuest, 1}), "the same /64")
	later := start.Add(time.Second)
	for kind := range kinds {
		require.Zero(t, b.Allow(later, Caller{Network: from("2001:db8:0:1::1")}, Charge{kind, 1}), "kind %d", kind)
	}
	require.True(t, b.Hold(from("2001:db8:0:1::1")))
}

func TestGuestsOfOneAddress(t *testing.T) {
	t.Parallel()
	b := NewBook(usual(), start)
	address := from("192.0.2.1")
	guests := often(b, start, time.Second, 1000, Caller{Network: address}, Charge{MakeGuest, 1})
	require.InDelta(t, 200, guests, 5)
	// However many they are, what they make together is little.
	for _, minute := range []time.Duration{0, 1, 2} {
		made := 0
		for i := range guests {
			who := Caller{Network: address, User: fmt.Sprint("guest-", i)}
			made += often(b, start.Add(minute*time.Minute), time.Second/1000, 10, who, Charge{MakeChannel, 1}, Charge{Tell, 1})
		}
		require.InDelta(t, 10, made, 1)
	}
	require.Equal(t, 3, often(b, start, time.Second, 10, Caller{Network: from("192.0.2.2"), User: "guest-x"}, Charge{MakeChannel, 1}, Charge{Tell, 1}))
	require.Equal(t, 20, often(b, start, time.Second, 100, Caller{Network: address, User: "ada", Standing: Member}, Charge{MakeChannel, 1}, Charge{Tell, 1}),
		"who is known answers for it alone")
	require.Equal(t, 100, often(b, start, time.Second, 100, Caller{Network: address, User: "root", Standing: Admin}, Charge{MakeChannel, 1}, Charge{Tell, 1}))
}

func TestHolding(t *testing.T) {
	t.Parallel()
	b := NewBook(usual(), start)
	address := from("192.0.2.1")
	held := 0
	for b.Hold(address) {
		held++
	}
	require.Equal(t, 300, held)
	b.Release(address)
	require.True(t, b.Hold(address))
	for range held {
		b.Release(address)
	}
	require.Empty(t, b.held)
	for range 1000 {
		require.True(t, b.Hold(netip.Prefix{}), "a socket without an address")
	}
}

func TestFailuresBackOff(t *testing.T) {
	t.Parallel()
	b, now := NewBook(usual(), start), start
	address := from("192.0.2.1")
	for range 100 { // everybody of a party, whose tokens are no good any more
		require.Zero(t, b.FailedWait(now, address))
		b.Failed(now, address)
	}
	require.Zero(t, b.FailedWait(now, address))
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		b.Failed(now, address)
		require.Equal(t, want*time.Second, b.FailedWait(now, address))
		require.Zero(t, b.FailedWait(now, from("192.0.2.2")))
		now = now.Add(want * time.Second)
		for b.addresses.of(address, 0).spent.bucket.wait(now.Sub(start), b.rules.spent, 1) == 0 {
			b.Failed(now, address) // what it may fail again meanwhile
		}
		require.Zero(t, b.FailedWait(now, address))
	}
	now = now.Add(2 * longestPause)
	for b.FailedWait(now, address) == 0 {
		b.Failed(now, address)
	}
	require.Equal(t, firstPause, b.FailedWait(now, address), "it begins anew")
}

func TestMeters(t *testing.T) {
	t.Parallel()
	b := NewBook(usual(), start)
	m, long := b.NewMeter(), b.NewMeter()
	count := func(do func() bool) (n int) {
		for do() {
			n++
		}
		return n
	}
	require.Equal(t, 164, count(func() bool { return m.Control(start) }))
	require.Equal(t, 1728, count(func() bool { return m.Bytes(start, 1<<10) }))
	require.Equal(t, 101, count(func() bool { return m.Refused(start, time.Second, 100) }), "the first had not been told to wait")
	require.Equal(t, 12, count(func() bool { return long.Refused(start, time.Second, 64<<10) }), "the longer they are the sooner")
	polite := b.NewMeter()
	for now := start; now.Before(start.Add(time.Minute)); now = now.Add(20 * time.Millisecond) {
		require.True(t, polite.Refused(now, 20*time.Millisecond, 100), "who waits as long as it was told may be refused for ever")
	}
	require.Equal(t, 50, count(func() bool { return m.Control(start.Add(time.Second)) }))
	require.Equal(t, 800, count(func() bool { return m.Bytes(start.Add(time.Second), 1<<10) }))
}

// Whoever sends requests, however long, is refused as often as there is patience before it is closed for sending too many bytes.
func TestRefusalsComeBeforeTheClose(t *testing.T) {
	t.Parallel()
	for _, c := range []Config{usual(), {PerAddress: 1, RequestRate: 1, RequestBurst: 2, FrameBytes: 64 << 10}} {
		for size := 100; size <= c.FrameBytes; size += 1 << 10 {
			b := NewBook(c, start)
			m := b.NewMeter()
			who := Caller{User: "ada", Standing: Member, Meter: m}
			refused := 0
			for goesOn := true; goesOn; {
				require.True(t, m.Bytes(start, size+14) || refused > 0, "%d bytes, refused %d times", size, refused)
				if wait := b.Allow(start, who, Charge{Request, 1 + ForLength(size)}); wait > 0 {
					goesOn = m.Refused(start, wait, size)
					refused++
				}
			}
			if c.RequestBurst == 100 {
				require.GreaterOrEqual(t, refused, 11)
			}
		}
	}
}

// However many addresses and users there are, a bounded number is remembered, and those who are there most.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	b := NewBook(usual(), start)
	busy := Caller{Network: from("192.0.2.1"), User: "ada"}
	exhaust(b, busy, Join)
	for i := range 3 * maxAccounts {
		network := from(fmt.Sprintf("2001:db8:%x:%x::1", i>>16, i&0xffff))
		require.Zero(t, b.Allow(start, Caller{Network: network, User: fmt.Sprint(i)}, Charge{Join, 1}))
		if i%1000 == 0 {
			require.Positive(t, b.Allow(start, busy, Charge{Join, 1}), "who goes on is not forgotten")
		}
	}
	require.Equal(t, maxAccounts, b.addresses.order.Len())
	require.Len(t, b.addresses.places, maxAccounts)
	require.Len(t, b.users.places, maxAccounts)
}

// TestWhoIsQuietIsForgotten has many come once, one after the other, and one who is not yet allowed to do again what they did.
func TestWhoIsQuietIsForgotten(t *testing.T) {
	t.Parallel()
	b := NewBook(usual(), start)
	come := func(now time.Time, n int, kind Kind, cost float64) time.Duration {
		address := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 32)
		return b.Allow(now, Caller{Network: address, User: fmt.Sprint("user ", n)}, Charge{kind, cost})
	}
	const many = 10_000
	now := start
	for n := range many {
		require.Zero(t, come(now, n, Identify, 1))
		now = now.Add(20 * time.Millisecond)
	}
	require.Less(t, len(b.users.places), 200, "who came in the last seconds, and not all")
	require.Less(t, len(b.addresses.places), 200)
	require.Equal(t, b.users.order.Len(), len(b.users.places))

	// What is used up is remembered until it is made up for, however many come meanwhile.
	require.Zero(t, come(now, many, MakeChannel, 1000))
	wait := come(now, many, MakeChannel, 1)
	require.Positive(t, wait)
	for n := range many {
		now = now.Add(wait / (2 * many))
		come(now, n, Identify, 1)
	}
	require.Positive(t, come(now, many, MakeChannel, 1))
	b.Failed(now, netip.MustParsePrefix("192.0.2.1/32"))
	come(now, 1, Identify, 1)
	require.Contains(t, b.addresses.places, netip.MustParsePrefix("192.0.2.1/32"))
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	b := NewBook(usual(), start)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			who := Caller{Network: from("192.0.2.1"), User: fmt.Sprint(worker % 3), Meter: b.NewMeter()}
			for i := range 2000 {
				now := start.Add(time.Duration(i) * time.Millisecond)
				b.Allow(now, who, Charge{Request, 1}, Charge{Join, 1})
				b.Take(now, who, Charge{List, 1})
				b.Failed(now, who.Network)
				if b.Hold(who.Network) {
					b.Release(who.Network)
				}
			}
		})
	}
	all.Wait()
	require.Empty(t, b.held)
}

func BenchmarkAllow(b *testing.B) {
	book := NewBook(usual(), start)
	who := Caller{Network: from("192.0.2.1"), User: "ada", Meter: book.NewMeter()}
	b.ReportAllocs()
	for i := range b.N {
		book.Allow(start.Add(time.Duration(i)*time.Microsecond), who, Charge{Request, 1}, Charge{List, 1})
	}
}
