package admission

// Kind is something that may be done too often.
type Kind uint8

// The kinds. What they cost is counted in pieces, unless it says otherwise.
const (
	// Socket is a TCP connection, whatever it will carry. By address.
	Socket Kind = iota
	// HTTP is an HTTP request. By address.
	HTTP
	// Connect is a WebSocket. By address.
	Connect
	// Identify is an IDENTIFY or a RESUME. By address, and by the user that it turned out to be.
	Identify
	// MakeGuest is somebody new: a guest's token, or a person made by an invite. By address.
	MakeGuest
	// Request is a request over the WebSocket, in units of the cheapest.
	Request
	// Byte is a byte that came over a WebSocket. By address; a Meter has a bound of its own.
	Byte
	// Join is a joining of a channel, or a probe of the way there.
	Join
	// Message is something said, changed or deleted in a chat; the longer it is, the more it costs.
	Message
	// List is a question whose answer is long, or comes out of the memory.
	List
	// Presence is a beginning to watch who is where.
	Presence
	// Voice is a change of what others in a channel are shown of one.
	Voice
	// Tell is what everybody on the server is told: a channel made, changed or deleted.
	Tell
	// MakeChannel is a channel made. By user; what guests make by address, too, since a guest is another one for the asking.
	MakeChannel

	kinds
)

// Standing is how well known somebody is.
type Standing uint8

// The standings. What a guest may have everybody told is little, what an admin may is not bounded.
const (
	Guest Standing = iota
	Member
	Admin

	standings
)

// Config is what the rules follow from. Every field must be set.
type Config struct {
	// PerAddress is how many people may come from one address.
	PerAddress int
	// RequestRate is how many requests a user may make a second, RequestBurst how many at once.
	RequestRate, RequestBurst int
	// GuestChannels and MemberChannels are how many channels one may have, and so make at once.
	GuestChannels, MemberChannels int
	// FrameBytes is the longest frame that a client may send.
	FrameBytes int
}

const (
	// spareFrames is how many more pings and pongs than requests a connection may send at once.
	spareFrames = 64
	// bytesPerRequest is how long a request may be that costs no more than the shortest, in bytes: an offer with eight lines.
	bytesPerRequest = 8 << 10
	// bytesPerUnit is how many bytes a connection may send for each unit of requests that it may: so many that requests are
	// refused long before. Who exceeds that sends what is no request, such as fragments without payload.
	bytesPerUnit = 2 * bytesPerRequest
	// busyShare is how many of the people behind an address do as much as they may at one time.
	busyShare = 0.1
)

// rules are all there are.
type rules struct {
	users   [standings][kinds]Rule
	address [kinds]Rule
	// Of a connection.
	control, bytes, requests, refusals Rule
	// held is how many WebSockets one address may have at a time, spent how many IDENTIFYs may fail.
	held  int
	spent Rule
}

func newRules(c Config) rules {
	rate, burst, people := float64(c.RequestRate), float64(c.RequestBurst), float64(c.PerAddress)
	frame := float64(c.FrameBytes)
	r := rules{
		control:  Rule{rate, burst + spareFrames},
		bytes:    Rule{bytesPerUnit * rate, bytesPerUnit*burst + 2*frame},
		requests: Rule{rate, burst},
		// Who does not wait as often as it may ask does not listen.
		refusals: Rule{rate / 10, burst},
		// Two tabs each, and an old connection of which nobody knows yet that it is dead.
		held:  3 * c.PerAddress,
		spent: Rule{people / 600, people},
	}
	// What one may, by default: a request costs one unit, of which there are 50 a second and 100 at once.
	user := [kinds]Rule{
		Identify: {1, 30}, // two devices that take each other's place do it once a second
		Request:  {rate, burst},
		Join:     atLeast(1, Rule{rate / 50, burst / 5}),
		Message:  atLeast(4, Rule{rate * 2 / 5, burst * 2}),
		List:     atLeast(4, Rule{rate / 5, burst / 4}),
		Presence: atLeast(1, Rule{rate / 100, burst / 10}),
		Voice:    atLeast(4, Rule{rate / 5, burst / 2}),
	}
	for standing := range r.users {
		r.users[standing] = user
	}
	guest, member := &r.users[Guest], &r.users[Member]
	guest[MakeChannel] = Rule{1. / 30, float64(c.GuestChannels)}
	guest[Tell] = Rule{1. / 5, float64(c.GuestChannels) + 5}
	member[MakeChannel] = Rule{1. / 10, float64(c.MemberChannels)}
	member[Tell] = Rule{1. / 2, float64(c.MemberChannels) + 10}

	// Everybody behind an address may come within a moment, as after a restart, and has a browser that opens six connections and
	// asks for sixty files. From then on some are busy.
	r.address = [kinds]Rule{
		Socket:    {people / 2, 10 * people},
		HTTP:      {5 * people, 100 * people},
		Connect:   {people / 4, 4 * people},
		Identify:  {people / 4, 4 * people},
		MakeGuest: {people / 30, 2 * people},
		Request:   {rate * people * busyShare, burst * people / 2},
		Byte:      {bytesPerRequest * rate * people * busyShare, bytesPerRequest * burst * people / 16},
		Join:      {people / 10, 2 * people},
		List:      {rate / 50 * people / 4, burst / 100 * people * 10},
		Presence:  {people / 10, 4 * people},
		Voice:     {user[Voice].PerSecond * people / 20, burst / 100 * people * 2},
		// A channel has room for what five say who say as much as they may.
		Message:     {user[Message].PerSecond * people / 20, user[Message].AtOnce * people / 25},
		Tell:        {people / 100, people / 2},
		MakeChannel: {people / 600, people / 10},
	}
	// However few come from there: two of them.
	for kind := range r.address {
		alone := guest[kind]
		r.address[kind] = Rule{max(r.address[kind].PerSecond, 2*alone.PerSecond), max(r.address[kind].AtOnce, 2*alone.AtOnce)}
	}
	r.address[Byte] = Rule{max(r.address[Byte].PerSecond, r.bytes.PerSecond), max(r.address[Byte].AtOnce, r.bytes.AtOnce)}
	return r
}

// ForLength is what a request of so many bytes costs more than a short one.
func ForLength(size int) float64 { return float64(size / bytesPerRequest) }

func atLeast(once float64, r Rule) Rule { return Rule{r.PerSecond, max(once, r.AtOnce)} }
