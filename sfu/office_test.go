package sfu

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/floor"
)

// bench are the nodes that one node knows of, and what it says to them.
type bench struct {
	node    string
	elected bool
	dead    string
	said    []FloorMessage
}

func (b *bench) Self() string                    { return "me" }
func (b *bench) Arbiter(string) (string, bool)   { return b.node, b.elected }
func (b *bench) Lives(node string) bool          { return node != b.dead }
func (b *bench) Send(m FloorMessage) (sent bool) { b.said = append(b.said, m); return true }

// take returns what was said since the last call.
func (b *bench) take() []FloorMessage {
	said := b.said
	b.said = nil
	return said
}

// newOffice is a radio of one of several nodes, which is the arbiter, or follows another one.
func newOffice(t *testing.T, node string) (*radio, *bench) {
	t.Helper()
	r := newRadio(t, FloorByDefault())
	b := &bench{node: node, elected: node == "me"}
	r.channel.hub.floors = b
	r.follows(FloorPause)
	r.follows(0)
	return r, b
}

// follows has the time pass, and the channel see who decides.
func (r *radio) follows(after time.Duration) {
	r.channel.hub.FollowArbiters(time.Now())
	time.Sleep(after)
	synctest.Wait()
	r.channel.hub.FollowArbiters(time.Now())
}

// asks asks for the floor where another node decides.
func (r *radio) asks(user string) <-chan error {
	done := make(chan error, 1)
	go func() {
		done <- r.member[user].RequestFloor(context.Background(), FloorRequest{Queue: true}, func(FloorAnswer) {})
	}()
	synctest.Wait()
	return done
}

// One that was stopped takes itself for the arbiter still. It learns better from whoever says a later term, and what is of an earlier one nobody obeys.
func TestTerms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, b := newOffice(t, "me")
		ada := r.press("ada", 0)
		require.NotNil(t, ada.Grant)
		mine := b.take()
		last := mine[len(mine)-1].Decided
		require.Equal(t, "ada", last.Lines[onFloor].Holder.User)
		r.notifier.take()

		old := *last
		old.Term--
		r.channel.HearFloor("other", FloorMessage{ChannelID: "lobby", Decided: &old})
		require.Equal(t, "ada", r.channel.Holders()[0].UserID, "what is older is of no matter")
		later := *last
		later.Term++
		r.channel.HearFloor("other", FloorMessage{ChannelID: "lobby", Decided: &later})
		require.Empty(t, r.channel.Holders())
		require.Equal(t, map[string]string{"ada": "|", "ben": "|", "cleo": "|"}, r.heard())
		require.Equal(t, floor.CauseLost, events[FloorRevoked](r.notifier.take())[0].Cause)
		require.Empty(t, b.take(), "it has nothing to say")

		r.follows(FloorPause)
		first := b.take()[0].Decided
		require.Greater(t, first.Term, later.Term)
		require.NotNil(t, r.press("ben", 0).Grant)
		b.take()
		r.channel.HearFloor("other", FloorMessage{ChannelID: "lobby", Asked: &FloorAsked{To: "me", Term: first.Term + 1}})
		require.Empty(t, r.channel.Holders(), "another knows of a later one")
	})
}

// What the arbiter says is obeyed in its order, and where something was lost what is otherwise is carried out.
func TestObeying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, b := newOffice(t, "other")
		require.ErrorIs(t, r.member["ada"].ReleaseFloor(context.Background(), 0, nil), ErrNotHolder)
		decided := func(number uint64, f *floor.Floor, effects ...floor.Effect) {
			r.channel.HearFloor("other", FloorMessage{ChannelID: "lobby", Decided: &FloorDecided{
				Term: 7, Number: number, First: 100, Lines: [lineCount]floor.State{f.State()}, Effects: effects,
			}})
		}
		f := floor.New(floor.Defaults())
		decided(0, f)
		done := r.asks("ada")
		asked := b.take()
		require.Equal(t, floor.Request{User: "ada", Queue: true}, asked[len(asked)-1].Asked.Event)
		call := asked[len(asked)-1].Asked.Call

		effects := f.Apply(time.Now(), floor.Request{User: "ada", Queue: true})
		r.channel.HearFloor("third", FloorMessage{ChannelID: "lobby", Decided: &FloorDecided{Term: 7, Number: 1, Lines: [lineCount]floor.State{f.State()}, Effects: effects}})
		require.Empty(t, r.channel.Holders(), "it is none of its business")
		r.channel.HearFloor("other", FloorMessage{ChannelID: "lobby", Decided: &FloorDecided{
			Term: 7, Number: 1, First: 100, Lines: [lineCount]floor.State{f.State()}, Effects: effects, Node: "me", Call: call,
		}})
		require.NoError(t, <-done)
		require.Equal(t, map[string]string{"ada": "|", "ben": "a|", "cleo": "a|"}, r.heard())
		decided(1, floor.New(floor.Defaults()))
		require.Equal(t, "ada", r.channel.Holders()[0].UserID, "said again")

		effects = f.Apply(time.Now(), floor.Request{User: "cleo", Priority: 9})
		f.Apply(time.Now(), floor.Request{User: "ben", Queue: true})
		r.notifier.take()
		decided(3, f) // the second was lost
		require.Equal(t, map[string]string{"ada": "c|", "ben": "c|", "cleo": "|"}, r.heard())
		calls := r.notifier.take()
		require.Equal(t, floor.CauseLost, events[FloorRevoked](calls)[0].Cause)
		require.Len(t, events[FloorTaken](calls), 1)
		require.Equal(t, 1, events[FloorQueued](calls)[0].Position)
		decided(2, f, effects...)
		require.Empty(t, r.notifier.take(), "and comes too late")

		b.dead, b.node = "other", ""
		r.channel.hub.FollowArbiters(time.Now())
		require.Empty(t, r.channel.Holders())
		require.Equal(t, map[string]string{"ada": "|", "ben": "|", "cleo": "|"}, r.heard())
		require.ErrorIs(t, <-r.asks("ada"), ErrFloorUnsettled)
	})
}

// Nobody waits for an answer longer than they have patience, and who waited in vain is not given the floor later.
func TestNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, b := newOffice(t, "other")
		done := r.asks("ada")
		time.Sleep(floorPatience)
		synctest.Wait()
		require.ErrorIs(t, <-done, ErrFloorUnsettled)

		r.channel.HearFloor("other", FloorMessage{ChannelID: "lobby", Decided: &FloorDecided{Term: 7}})
		done = r.asks("ada")
		left := r.asks("ben")
		b.take()
		r.member["ben"].Leave(LeaveLeft)
		require.ErrorIs(t, <-left, ErrFloorSilent)
		time.Sleep(floorPatience)
		synctest.Wait()
		require.ErrorIs(t, <-done, ErrFloorUnsettled)
		var gone []string
		for _, m := range b.take() {
			if leave, ok := m.Asked.Event.(floor.Leave); ok {
				gone = append(gone, leave.User)
			}
		}
		require.Subset(t, gone, []string{"ada", "ben"})
	})
}
