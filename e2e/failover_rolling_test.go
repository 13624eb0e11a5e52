package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// writesEvery is how long each of those who write waits between two messages.
	writesEvery = 100 * time.Millisecond
	// rollingSilence is what 95 of 100 may be silent for at most while all nodes are restarted.
	rollingSilence = 300 * time.Millisecond
)

// TestFailoverRolling restarts all three nodes one after the other, the last one without its disk, while people on them talk and write: nobody is told that anybody left, and
// each message that was acknowledged is there on each node, once and in one order. With make failover.
func TestFailoverRolling(t *testing.T) {
	if times, _ := strconv.Atoi(os.Getenv(failovers)); times == 0 {
		t.Skip("see make failover")
	}
	const each = 3
	nodes := startCluster(t, "lobby")
	engine := loopbackEngine(t)
	comes := func(o *client.Options) { comesBack(o); o.Engine, o.EventBuffer = engine, 1<<16 }
	all := make([]*listener, 0, each*len(nodes))
	for i := range each * len(nodes) {
		p := arrive(t, nodes[i%len(nodes)].server, fmt.Sprint("person ", i), comes).join("lobby", slots(each*len(nodes)))
		all = append(all, listen(p))
	}
	ctx, stop := context.WithCancel(context.Background())
	written := make([]*writer, len(all))
	var writing sync.WaitGroup
	defer writing.Wait()
	defer stop()
	for i, p := range all {
		eventually(t, "everybody is there", func() bool { return len(p.call.Members()) == len(all) })
		time.Sleep(longFrame / time.Duration(len(all)))
		p.talkEvery(longFrame)
		written[i] = &writer{person: p.person}
		writing.Go(func() { written[i].write(ctx, "lobby") })
	}
	for i, p := range all {
		p.hearsAll(othersOf(all, i))
		p.begin()
	}
	began := time.Now()
	for i, node := range nodes {
		node.terminate(t)
		if i == len(nodes)-1 { // the last one comes back with an empty disk
			require.NoError(t, os.RemoveAll(node.node.Data))
		}
		nodes[i] = node.node.start(t)
		t.Logf("%s was stopped and is there again, %v after the beginning", node.node.Name, time.Since(began).Round(time.Millisecond))
		for j, p := range all {
			p.hearsAll(othersOf(all, j))
		}
	}
	stop()
	writing.Wait()
	var silent []time.Duration
	acknowledged := 0
	for i, p := range all {
		require.NoError(t, p.Err())
		require.Empty(t, p.leaves(), "told of who left")
		require.Len(t, p.call.Members(), len(all))
		for _, other := range othersOf(all, i) {
			silent = append(silent, p.longestSilence(other))
		}
		require.NoError(t, written[i].failed)
		acknowledged += len(written[i].acknowledged)
	}
	var first []string
	for _, node := range nodes {
		reader := arrive(t, node.server, "reader of "+node.node.Name)
		var order []string
		eventually(t, node.node.Name+" has each message that was acknowledged", func() bool {
			order = history(t, reader, "lobby")
			there := make(map[string]int)
			for _, one := range order {
				there[one]++
				require.Equal(t, 1, there[one], "%q is there twice", one)
			}
			return !slices.ContainsFunc(written, func(w *writer) bool {
				return slices.ContainsFunc(w.acknowledged, func(content string) bool { return there[content] == 0 })
			})
		})
		if first != nil {
			require.Equal(t, first, order, "the order on %s", node.node.Name)
		}
		first = order
	}
	t.Logf("%d messages were acknowledged, and each is on each of the three nodes once; the longest that one waited: %v", acknowledged, longestWait(written))
	below(t, "heard nothing of another while all nodes were restarted, a packet's 60 ms included", silent, rollingSilence)
}

func othersOf(all []*listener, but int) []*person {
	others := make([]*person, 0, len(all)-1)
	for i, p := range all {
		if i != but {
			others = append(others, p.person)
		}
	}
	return others
}

// writer writes messages, each until it is acknowledged.
type writer struct {
	*person

	acknowledged []string
	longest      time.Duration
	failed       error // what it was refused for but for a while
}

func (w *writer) write(ctx context.Context, channelID string) {
	for n := 0; ctx.Err() == nil && w.failed == nil; n++ {
		content := fmt.Sprint(w.UserID(), " ", n)
		began := time.Now()
		w.failed = w.post(protocol.MessageCreate{ChannelID: channelID, Content: content, Nonce: content}) //nolint:contextcheck // what was begun is ended
		if w.failed == nil {
			w.acknowledged = append(w.acknowledged, content)
			w.longest = max(w.longest, time.Since(began))
		}
		select {
		case <-ctx.Done():
		case <-time.After(writesEvery):
		}
	}
}

// post writes a message until it is acknowledged, or refused for what does not pass.
func (w *writer) post(message protocol.MessageCreate) error {
	for began := time.Now(); ; {
		_, err := w.PostMessage(context.Background(), message)
		refused, _ := errors.AsType[*protocol.Error](err)
		passes := errors.Is(err, client.ErrSessionLost) || refused != nil &&
			slices.Contains([]protocol.ErrorCode{protocol.CodeUnsettled, protocol.CodeDraining, protocol.CodeRateLimited, protocol.CodeMessageElsewhere}, refused.Code)
		if !passes || time.Since(began) > patience {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func longestWait(writers []*writer) (longest time.Duration) {
	for _, w := range writers {
		longest = max(longest, w.longest)
	}
	return longest.Round(time.Millisecond)
}

// history is all that was written in a channel, the oldest first.
func history(t *testing.T, p *person, channelID string) (all []string) {
	t.Helper()
	ask := protocol.History{ChannelID: channelID, Limit: 100}
	for {
		page, err := p.History(soon(t), ask)
		if refused, ok := errors.AsType[*protocol.Error](err); ok && refused.Code == protocol.CodeRateLimited {
			time.Sleep(time.Duration(refused.RetryAfterMS) * time.Millisecond)
			continue
		}
		require.NoError(t, err)
		for _, m := range slices.Backward(page.Messages) {
			all = append(all, m.Content)
		}
		if !page.More {
			slices.Reverse(all)
			return all
		}
		ask.Before = page.Messages[0].MessageID
	}
}
