package cluster

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// How a node comes to hold what the others hold. These subjects are asked before the node is a member, since who does not know yet what the
// others know is none.
const (
	subjectStanding = "lc.standing"
	subjectCopy     = "lc.copy."
	// standingWait is how long is waited for the others to say what they have.
	standingWait = time.Second
	// joinAgain is how long after a try the next one begins, sayJoin how often the log says what is waited for.
	joinAgain = 500 * time.Millisecond
	sayJoin   = 10 * time.Second
)

// standing is what a node says of its database.
type standing struct {
	Name string `json:"name"`
	store.Standing
}

// joinLaterError: it is to be tried again. The text says what is waited for.
type joinLaterError struct{ what string }

func (e *joinLaterError) Error() string { return e.what }

// Join makes the database at path one that can follow the log: it may be the one that the cluster begins with, be fetched from another node
// when it is empty or too old, or be one that follows it already, for which nobody is waited unless it is known to be too old. It waits until
// that is done, or ctx is. The error wraps store.ErrOtherCluster or store.ErrAstray when the database is not this cluster's; then it was not touched.
func (l *Log) Join(ctx context.Context, path string, tooOld bool) (*store.Share, error) {
	if path == "" {
		return nil, errors.New("a server that is one of several needs a data directory: --data")
	}
	l.path = path
	for _, err := range []error{l.answer(subjectStanding, l.sayStanding), l.answer(subjectCopy+l.c.cfg.Name, l.sayCopy)} {
		if err != nil {
			return nil, err
		}
	}
	said := time.Time{}
	for {
		share, err := l.join(ctx, tooOld)
		later, wait := errors.AsType[*joinLaterError](err)
		if err == nil {
			share.Log = l
			l.cluster = share.Cluster
			return share, nil
		}
		if !wait {
			return nil, err
		}
		if now := time.Now(); now.Sub(said) >= sayJoin {
			l.c.log.Info("the server is not ready", zap.String("waiting", later.what))
			said = now
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("given up %s: %w", later.what, ctx.Err())
		case <-time.After(joinAgain):
		}
	}
}

// answer has something asked of this node be answered, each question on its own goroutine.
func (l *Log) answer(subject string, handle func(data []byte) ([]byte, error)) error {
	_, err := l.c.conn.Subscribe(subject, func(m *nats.Msg) {
		l.c.run.Go(func() {
			data, err := handle(m.Data)
			if err != nil {
				l.c.log.Warn("what another node asked for cannot be given", zap.Error(err))
				data = []byte{}
			}
			_ = m.Respond(data) // who does not get it asks again
		})
	})
	if err != nil {
		return fmt.Errorf("listen to the other nodes: %w", err)
	}
	return nil
}

func (l *Log) sayStanding([]byte) ([]byte, error) {
	s := standing{Name: l.c.cfg.Name}
	var err error
	if s.Standing, err = store.StandingOf(l.c.over, l.path); err != nil {
		return nil, err
	}
	return json.Marshal(s)
}

// standings asks all others what they have, and waits until as many have answered as there should be, or a while.
func (l *Log) standings(ctx context.Context) []standing {
	ctx, cancel := context.WithTimeout(ctx, standingWait)
	defer cancel()
	inbox := l.c.conn.NewInbox()
	answers, err := l.c.conn.SubscribeSync(inbox)
	if err != nil {
		return nil
	}
	defer answers.Unsubscribe() //nolint:errcheck // it fails only when the connection is closed
	if err = l.c.conn.PublishRequest(subjectStanding, inbox, nil); err != nil {
		return nil
	}
	var all []standing
	for len(all) < len(l.c.cfg.Peers)-1 {
		m, err := answers.NextMsgWithContext(ctx)
		if err != nil {
			return all
		}
		var s standing
		if json.Unmarshal(m.Data, &s) == nil && s.Name != "" {
			all = append(all, s)
		}
	}
	return all
}

// join tries once.
func (l *Log) join(ctx context.Context, tooOld bool) (*store.Share, error) {
	own, err := store.StandingOf(ctx, l.path)
	if err != nil {
		return nil, err
	}
	info, err := l.info(ctx)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return l.begin(ctx, own)
	case err != nil && own.Cluster != "" && !tooOld:
		return &store.Share{Cluster: own.Cluster}, nil // it can be read meanwhile
	case err != nil && l.c.hasNoJetStream(err):
		return nil, &joinLaterError{"for NATS to have JetStream, for this server's account too, and most of its servers: " + err.Error()}
	case err != nil:
		return nil, &joinLaterError{l.awaits(ctx, l.standings(ctx))}
	}
	id := info.Config.Metadata[metaCluster]
	began, _ := strconv.ParseUint(info.Config.Metadata[metaSeq], 10, 64) // by create
	follows := info.State.FirstSeq <= own.Applied+1
	switch {
	case own.Cluster == id && (follows || info.State.Msgs == 0 && own.Applied >= info.State.LastSeq):
		return &store.Share{Cluster: id}, nil
	case own.Cluster == "" && own.Seq == 0 && began == 0 && follows:
		return &store.Share{Cluster: id}, nil
	case own.Cluster == id, own.Cluster == "" && own.Seq == 0:
		return nil, l.fetch(ctx, id, info.State.FirstSeq)
	case own.Cluster == "":
		return nil, fmt.Errorf("%w: it is of a server that was alone, and there is a cluster already, which began without it. It was not touched. "+
			"Move %s away, and this node fetches what the others have", store.ErrOtherCluster, l.path)
	default:
		return nil, fmt.Errorf("%w: %s is of cluster %s, and the other nodes are cluster %s. It was not touched. Move it away, and this node fetches "+
			"what the others have", store.ErrOtherCluster, l.path, own.Cluster, id)
	}
}

// awaits says in words for what is waited while no log is to be seen, and these have answered.
func (l *Log) awaits(ctx context.Context, answered []standing) string {
	var missing []string
	for _, p := range l.c.cfg.Peers {
		if p.Name != l.c.cfg.Name && !slices.ContainsFunc(answered, func(s standing) bool { return s.Name == p.Name }) {
			missing = append(missing, p.Name+l.c.absent(ctx, p))
		}
	}
	if len(missing) == 0 {
		return "for the nodes to agree who leads their log"
	}
	return "for " + strings.Join(missing, ", ") + ": the first time all nodes have to be there, and later most of them"
}

// begin begins a cluster, if it is up to this node: it has something that shall not be lost, or all are there and have nothing.
func (l *Log) begin(ctx context.Context, own store.Standing) (*store.Share, error) {
	if own.Applied > 0 {
		return nil, fmt.Errorf("%w: %s has followed the log of cluster %s, and there is no log. It was not touched. To begin anew with it, stop all nodes, "+
			"restore it with livechat restore from a copy of itself, move the other nodes' databases away, and start all", store.ErrAstray, l.path, own.Cluster)
	}
	if own.Seq == 0 {
		others := l.standings(ctx)
		if len(others) < len(l.c.cfg.Peers)-1 {
			return nil, &joinLaterError{l.awaits(ctx, others)}
		}
		for _, s := range others {
			switch {
			case s.Seq > 0:
				return nil, &joinLaterError{"for " + s.Name + ", which has something, to begin the cluster"}
			case s.Name < l.c.cfg.Name:
				return nil, &joinLaterError{"for " + s.Name + " to begin the cluster"}
			}
		}
	}
	id := own.Cluster
	if id == "" {
		id = rand.Text()
	}
	if own.Seq > 0 && own.Cluster == "" { // before the log, so that it is known to be this one's when it ends here
		if err := store.Enrol(ctx, l.path, id); err != nil {
			return nil, err
		}
	}
	switch err := l.create(ctx, id, own.Seq); {
	case errors.Is(err, jetstream.ErrStreamNameAlreadyInUse):
		return nil, &joinLaterError{"for the log of another node"}
	case err != nil:
		return nil, &joinLaterError{"for most of the nodes to be there: " + err.Error()}
	}
	l.c.log.Info("the cluster begins with this node", zap.String("cluster", id), zap.Uint64("facts", own.Seq))
	return &store.Share{Cluster: id}, nil
}
