package bench

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// tokenTTL outlives any benchmark.
	tokenTTL = 24 * time.Hour
	// secretBytes of randomness sign the tokens of the server under test.
	secretBytes = 32
	// patience is how long a participant may take to join, or to hear the first packet.
	patience = 30 * time.Second
	// retries bounds how often something is tried that is refused for coming too often, and
	// retryPause is how long to wait at least.
	retries    = 400
	retryPause = 50 * time.Millisecond
)

// serverTarget is the server: a child or several that are its nodes, or, by its URL, one that runs somewhere.
type serverTarget struct {
	self  Self
	url   string     // the first of urls
	urls  []string   // by node
	procs []*process // by node; none: somebody else's
	dir   string     // of the children's data
	own   bool       // it is removed by close

	authority *auth.Authority // of the child
	gen       *generator
	engine    *client.Engine
	control   *client.Client // which made the channels
	plan      *plan
	prefix    string // of the names of the channels
	// remembered is how many messages the server finds in dir.
	remembered int
}

func (t *serverTarget) open(ctx context.Context, g *generator, p *plan) (err error) {
	t.gen, t.plan = g, p
	if t.engine, err = client.NewEngine(client.EngineConfig{Adjust: g.adjust, WithoutRED: true, WithoutNACK: true}); err != nil {
		return err
	}
	var name [8]byte
	if _, err := rand.Read(name[:]); err != nil {
		return err
	}
	t.prefix = "bench-" + hex.EncodeToString(name[:])
	if t.url == "" {
		if err := t.launch(ctx); err != nil {
			return err
		}
	}
	if len(t.urls) == 0 {
		t.urls = []string{t.url}
	}
	if err := t.createChannels(ctx); err != nil || t.plan.nodes == 1 {
		return err
	}
	return t.settled(ctx)
}

// launch starts a server of our own: on loopback, on any free ports, and with limits that
// no scenario reaches, so that the media path is measured and not they.
func (t *serverTarget) launch(ctx context.Context) error {
	var raw [secretBytes]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return err
	}
	secret := hex.EncodeToString(raw[:])
	var err error
	if t.authority, err = auth.New([]byte(secret)); err != nil {
		return err
	}
	if t.dir == "" {
		if t.dir, err = os.MkdirTemp("", "livechat-bench-"); err != nil {
			return err
		}
		t.own = true
	}
	self := t.self
	// Not among the arguments, where everybody on the machine can read it.
	self.Env = append(append([]string{}, self.Env...), "LIVECHAT_SECRET="+secret)
	args := []string{
		"--", "serve", "--http=127.0.0.1:0", "--udp=127.0.0.1:0", "--no-turn", "--log-level=error",
		fmt.Sprintf("--slots=%d", t.plan.slots),
		"--channel-capacity=10000", "--max-channels=10000", "--max-sessions=100000",
		"--request-rate=10000", "--request-burst=10000", "--identify-timeout=1m", "--per-address=100000",
	}
	extra := [][]string{{"--data=" + t.dir}}
	if t.plan.nodes > 1 {
		if extra, err = t.clusterArgs(secret); err != nil {
			return err
		}
	}
	for _, more := range extra {
		proc, err := start(self, RoleServer, append(slices.Clone(args), more...)...)
		if err != nil {
			return err
		}
		t.procs = append(t.procs, proc)
	}
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for _, proc := range t.procs { // nodes wait for each other
		line, err := proc.firstLine(starting)
		if err != nil {
			return err
		}
		fields := strings.Fields(line)
		if len(fields) == 0 {
			return fmt.Errorf("the server says %q: %w", line, client.ErrProtocol)
		}
		t.urls = append(t.urls, fields[len(fields)-1])
	}
	t.url = t.urls[0]
	return nil
}

// slotLimit asks a server that is running already how many others one can hear there.
func slotLimit(ctx context.Context, url string) (int, error) {
	t := &serverTarget{url: url}
	token, err := t.token(ctx, 0)
	if err != nil {
		return 0, err
	}
	c, err := t.dial(ctx, url, token)
	if err != nil {
		return 0, err
	}
	return c.Ready().Limits.Slots, c.Close()
}

// createChannels makes the channels, which the server keeps although they are empty.
func (t *serverTarget) createChannels(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	token, err := t.token(ctx, len(t.plan.members))
	if err != nil {
		return err
	}
	if t.control, err = t.firstDial(ctx, t.url, token); err != nil {
		return err
	}
	if slots := t.control.Ready().Limits.Slots; slots < t.plan.slots {
		return fewSlots(slots, t.plan.slots)
	}
	for room := range t.plan.rooms() {
		err := whenAllowed(ctx, func() error {
			_, err := t.control.CreateChannel(ctx, protocol.ChannelCreate{ChannelID: t.channel(room)})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// whenAllowed does something that may be refused for coming too often, or by a node that does not know yet what the others know, until it is not.
func whenAllowed(ctx context.Context, do func() error) error {
	for range retries {
		err := do()
		limited, ok := errors.AsType[*protocol.Error](err)
		if !ok || limited.Code != protocol.CodeRateLimited && limited.Code != protocol.CodeDraining && limited.Code != protocol.CodeUnsettled {
			return err
		}
		if err := wait(ctx, time.Duration(limited.RetryAfterMS)*time.Millisecond+retryPause); err != nil {
			return err
		}
	}
	return errBusy
}

var errBusy = errors.New("the server goes on refusing because of its rate limits, or knows too little of the other nodes")

func (t *serverTarget) channel(room int) string { return fmt.Sprintf("%s-%d", t.prefix, room) }

// token makes or gets the token of a member, or, one after the last, of who makes the
// channels, of which an admin may make any number.
func (t *serverTarget) token(ctx context.Context, i int) (string, error) {
	name := fmt.Sprintf("bench %d", i)
	if t.authority != nil {
		identity := auth.Identity{UserID: fmt.Sprintf("bench-%d", i), Name: name}
		if i == len(t.plan.members) {
			identity.Role = auth.RoleAdmin
		}
		return t.authority.Mint(identity, time.Now(), tokenTTL)
	}
	var guest client.GuestToken
	err := whenAllowed(ctx, func() (err error) {
		guest, err = client.Guest(ctx, t.url, name)
		return err
	})
	return guest.Token, err
}

// firstDial is dial, again and again while a node of a cluster lets nobody in, since it does not know yet who is on the others.
func (t *serverTarget) firstDial(ctx context.Context, url, token string) (*client.Client, error) {
	for {
		c, err := t.dial(ctx, url, token)
		if err == nil || t.plan.nodes == 1 {
			return c, err
		}
		if wait(ctx, retryPause) != nil {
			return nil, err
		}
	}
}

func (t *serverTarget) dial(ctx context.Context, url, token string) (*client.Client, error) {
	return client.Dial(ctx, url, client.Options{
		Token: token, ClientName: "livechat-bench", Engine: t.engine, EventBuffer: -1, NoReconnect: true,
	})
}

func (t *serverTarget) join(ctx context.Context, i int) (one participant, began time.Duration, err error) {
	token, err := t.token(ctx, i)
	if err != nil {
		return participant{}, 0, err
	}
	m := t.plan.members[i]
	began = t.gen.now()
	c, err := t.dial(ctx, t.urls[m.node], token)
	if err != nil {
		return participant{}, began, err
	}
	listenOnly := !m.talks && (t.plan.Kind == Fanout || t.plan.Kind == Join || t.plan.Kind == Storm || t.plan.Kind == Chat)
	call, err := c.Join(ctx, t.channel(m.room), client.JoinOptions{
		ListenOnly: listenOnly, Slots: t.plan.slots,
		OnPacket: func(*client.Slot, client.Packet) {}, // RTP does not come this way
	})
	if err == nil {
		one.ssrc = call.SSRC()
		if one.leg, err = t.gen.legFor(call.PeerConnection()); err == nil {
			err = one.leg.ready()
		}
	}
	if err != nil {
		_ = c.Close()
		return participant{}, began, err
	}
	one.leave = func() { _ = c.Close() }
	if t.plan.Kind == Chat && !m.talks && t.remembered > 0 {
		one.history, one.search = t.reads(c, i)
	}
	if t.plan.Kind == Chat && !m.talks {
		one.write = func(ctx context.Context) error {
			_, err := c.SendMessage(ctx, t.channel(m.room), "what people say, about as long as they say it, in a chat")
			return err
		}
	}
	return one, began, nil
}

// reads returns how somebody reads, each time at another place, and looks for a word that is common, seldom or beginning.
func (t *serverTarget) reads(c *client.Client, i int) (history, search func(ctx context.Context) error) {
	dice := mathrand.New(mathrand.NewPCG(uint64(i), 0)) //nolint:gosec // the same in each run
	return func(ctx context.Context) error {
			n := dice.IntN(t.remembered)
			_, err := c.History(ctx, protocol.History{ChannelID: fmt.Sprint("old-", n%rememberedIn), Before: fmt.Sprint("old-", n), Limit: protocol.MaxHistory})
			return err
		}, func(ctx context.Context) error {
			words := []string{
				fmt.Sprintf("number %d ", dice.IntN(t.remembered)), fmt.Sprintf("something %d ", dice.IntN(1000)), "common words ", "some", "s",
			}
			_, err := c.Search(ctx, protocol.Search{Query: words[dice.IntN(len(words))], Limit: protocol.MaxSearch})
			return err
		}
}

func (t *serverTarget) processes() []*process { return t.procs }

func (t *serverTarget) close() {
	if t.control != nil {
		if len(t.procs) == 0 { // somebody else's server is left as it was
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			for room := range t.plan.rooms() {
				_ = whenAllowed(ctx, func() error { return t.control.DeleteChannel(ctx, t.channel(room)) })
			}
			cancel()
		}
		_ = t.control.Close()
	}
	var stopping sync.WaitGroup
	for _, proc := range t.procs { // together, since a node waits for the others to take what it says last
		stopping.Go(proc.stop)
	}
	stopping.Wait()
	if t.own {
		_ = os.RemoveAll(t.dir)
	}
}

// wait waits, unless ctx is done first.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
