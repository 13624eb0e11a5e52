package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/mini-livechat/mini-livechat/signaling/store"
)

const (
	// logStream is what JetStream calls the log, logSubject what is written to it.
	logStream  = "LIVECHAT_LOG"
	logSubject = "lc.log"
	// maxReplicas is on how many nodes the log is: it outlives the loss of one, and more would only make it slower.
	maxReplicas = 3
	// knownTwice is for how long JetStream itself knows an entry that is published again; the stores know it for longer.
	knownTwice = 2 * time.Minute
	// logPatience is how long one request to JetStream may take, askPatience one that has nothing written: it is made again, and without a leader
	// none is answered.
	logPatience, askPatience = 2 * time.Second, time.Second
	// pullFor is how long a request for more of the log stands, pullBeat how often it is said that there is none: whoever said so and is gone is
	// missed after two.
	pullFor, pullBeat = 4 * time.Second, time.Second
	// readerKept is for how long JetStream keeps a reader's place who is gone.
	readerKept = time.Minute

	metaCluster, metaSeq = "livechat-cluster", "livechat-seq"
)

// Log is the log in which all nodes keep what outlives them, on JetStream: a [store.Replica]. Make one with Cluster.Log.
type Log struct {
	c *Cluster
	// cluster is whose log it is. Join sets it.
	cluster string
	path    string
	copies  copies
}

// Log returns the log. It is to be joined before it is used.
func (c *Cluster) Log() *Log { return &Log{c: c} }

// Publish implements store.Replica.
func (l *Log) Publish(ctx context.Context, id string, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, logPatience)
	defer cancel()
	_, err := l.c.stream.PublishMsg(ctx, &nats.Msg{Subject: logSubject, Data: data}, jetstream.WithMsgID(id), jetstream.WithExpectStream(logStream))
	return err
}

// Last implements store.Replica. It fails with store.ErrAstray when there is another log than was joined.
func (l *Log) Last(ctx context.Context) (uint64, error) {
	info, err := l.info(ctx)
	if err != nil {
		return 0, err
	}
	if id := info.Config.Metadata[metaCluster]; id != l.cluster {
		return 0, fmt.Errorf("%w: it is of cluster %s, and the log of cluster %s", store.ErrAstray, l.cluster, id)
	}
	return info.State.LastSeq, nil
}

// errNoLeader is that nobody leads the log, so that what is said of it may be old.
var errNoLeader = errors.New("the log has no leader")

// info asks about the log. The error is jetstream.ErrStreamNotFound when there is none.
func (l *Log) info(ctx context.Context) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	stream, err := l.c.stream.Stream(ctx, logStream)
	if err != nil {
		return nil, err
	}
	info := stream.CachedInfo()
	if info.Cluster != nil && info.Cluster.Leader == "" { // whoever answers may lag behind what is applied here
		return nil, errNoLeader
	}
	return info, nil
}

// Follow implements store.Replica.
func (l *Log) Follow(ctx context.Context, from uint64, apply func(index uint64, data []byte) error) error {
	info, err := l.info(ctx)
	if err != nil {
		return err
	}
	if info.State.FirstSeq > from+1 && info.State.LastSeq > from {
		return store.ErrTrimmed
	}
	entries, err := l.read(ctx, from)
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	stopped := context.AfterFunc(ctx, entries.Stop)
	defer stopped()
	defer entries.Stop()
	for number, next := uint64(1), from+1; ; number++ {
		entry, err := entries.Next()
		if err != nil {
			return fmt.Errorf("read the log: %w", errors.Join(ctx.Err(), err))
		}
		at, err := entry.Metadata()
		if err == nil && at.Sequence.Consumer != number {
			err = errors.New("an entry was lost on the way")
		}
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		if at.Sequence.Stream > next { // it was shortened meanwhile
			return store.ErrTrimmed
		}
		next = at.Sequence.Stream + 1
		if err = apply(at.Sequence.Stream, entry.Data()); err != nil {
			return err
		}
	}
}

// read begins to read the log. It is no ordered consumer of JetStream's, which hides that it is without its log for ten seconds and more.
func (l *Log) read(ctx context.Context, from uint64) (jetstream.MessagesContext, error) {
	ctx, cancel := context.WithTimeout(ctx, logPatience)
	defer cancel()
	reader, err := l.c.stream.CreateConsumer(ctx, logStream, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from, AckPolicy: jetstream.AckNonePolicy,
		Replicas: 1, MemoryStorage: true, InactiveThreshold: readerKept,
	})
	if err != nil {
		return nil, err
	}
	return reader.Messages(jetstream.PullExpiry(pullFor), jetstream.PullHeartbeat(pullBeat), jetstream.WithMessagesErrOnMissingHeartbeat(true))
}

// create makes the log of a new cluster, which begins with a database of so many facts. jetstream.ErrStreamNameAlreadyInUse: another node was
// quicker.
func (l *Log) create(ctx context.Context, cluster string, seq uint64) error {
	ctx, cancel := context.WithTimeout(ctx, 2*logPatience)
	defer cancel()
	return l.c.createStream(ctx, jetstream.StreamConfig{
		Name: logStream, Subjects: []string{logSubject}, Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy,
		Discard: jetstream.DiscardNew, Replicas: l.replicas(), Duplicates: knownTwice,
		Metadata: map[string]string{metaCluster: cluster, metaSeq: fmt.Sprint(seq)},
	})
}

// replicas is on how many nodes the log is, or on how many servers of a NATS that runs elsewhere, if that has so many.
func (l *Log) replicas() int {
	if len(l.c.cfg.NATS) == 0 {
		return min(maxReplicas, len(l.c.cfg.Peers))
	}
	return maxReplicas
}

// Trim has the log forget what all nodes have applied that are there, but for so many entries, which those may need that are away. One node
// does so.
func (l *Log) Trim(ctx context.Context, keep uint64) error {
	applied := l.c.cfg.Status().Position
	for _, n := range l.c.Nodes() {
		applied = min(applied, n.Position)
	}
	if applied <= keep {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, logPatience)
	defer cancel()
	stream, err := l.c.stream.Stream(ctx, logStream)
	if err != nil {
		return err
	}
	return stream.Purge(ctx, jetstream.WithPurgeSequence(applied-keep))
}
