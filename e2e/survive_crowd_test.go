package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// crowdSize is how many come back at once, all from one address, as from behind a NAT.
	crowdSize = 1000
	// crowdRoom is how many of them are in each room, where one talks and the others listen.
	crowdRoom = 20
	// crowdLimit is how long all of them may take to have media again.
	crowdLimit = 15 * time.Second
	// crowdAtOnce is how many make their first way in at the same time.
	crowdAtOnce = 50
)

// TestSurviveCrowd: 1,000 clients come back at once, after a restart of which they were told, and after one that nobody saw
// coming. Measured is the time from the signal until the last one's media flows again. Nobody is refused for good.
func TestSurviveCrowd(t *testing.T) {
	survives(t)
	verifyNoLeaks(t)
	rooms := make([]string, crowdSize/crowdRoom)
	for i := range rooms {
		rooms[i] = fmt.Sprint("room-", i)
	}
	// So many behind one address are more than the default expects; README.md says to say so.
	p := startProcess(t, "--channels="+strings.Join(rooms, ","), "--per-address=1000")
	people, listening := assemble(t, p, rooms)
	for _, way := range []struct {
		name string
		by   syscall.Signal
	}{{"told", syscall.SIGTERM}, {"killed", syscall.SIGKILL}} {
		before := make([]*webrtc.PeerConnection, len(people))
		for i, one := range people {
			before[i] = one.call.PeerConnection()
		}
		began := time.Now()
		p.again(way.by)
		took := comingBack(t, people, before, began)
		slices.Sort(took)
		t.Logf("%s: half of %d were back after %v, 95 %% after %v, the last after %v; wanted: all within %v", way.name, len(people),
			took[len(took)/2].Round(time.Millisecond), took[len(took)*95/100].Round(time.Millisecond),
			took[len(took)-1].Round(time.Millisecond), crowdLimit)
		require.Less(t, took[len(took)-1], crowdLimit)
		now := time.Now()
		require.Eventually(t, func() bool {
			return !slices.ContainsFunc(listening, func(e *ears) bool { return !e.hears(1, now) })
		}, patience, 10*time.Millisecond, "everybody hears the one who talks")
		list, err := people[0].Channels(soon(t))
		require.NoError(t, err)
		for _, info := range list {
			require.Equal(t, crowdRoom, info.MemberCount, info.ChannelID)
		}
	}
}

// assemble brings the crowd in, and has one of each room talk. The ears are those of the others.
func assemble(t *testing.T, p *process, rooms []string) (people []*person, listening []*ears) {
	t.Helper()
	engine := loopbackEngine(t)
	people = make([]*person, crowdSize)
	places := make(chan struct{}, crowdAtOnce)
	var arriving sync.WaitGroup
	for i := range people {
		token := patientGuest(t, p, fmt.Sprint("one of many ", i))
		people[i] = arriveAs(t, &p.server, token, comesBack, func(o *client.Options) { o.Engine, o.EventBuffer = engine, -1 })
		heard := &ears{from: make(map[string]*hearing)}
		if i%crowdRoom > 0 {
			listening = append(listening, heard)
		}
		places <- struct{}{}
		arriving.Go(func() {
			people[i].join(rooms[i/crowdRoom], slots(1), func(o *client.JoinOptions) { o.OnPacket = heard.hear })
			<-places
		})
	}
	arriving.Wait()
	for i := 0; i < len(people); i += crowdRoom {
		people[i].talk()
	}
	return people, listening
}

// patientGuest gets a token, and asks again while there are too many guests at once.
func patientGuest(t *testing.T, p *process, name string) string {
	t.Helper()
	for {
		guest, err := client.Guest(soon(t), p.URL, name)
		refused, ok := errors.AsType[*protocol.Error](err)
		if !ok || refused.Code != protocol.CodeRateLimited {
			require.NoError(t, err)
			return guest.Token
		}
		time.Sleep(time.Duration(refused.RetryAfterMS) * time.Millisecond)
	}
}

// comingBack waits until everybody's media flows on another connection than before, and returns how long that took each.
func comingBack(t *testing.T, people []*person, before []*webrtc.PeerConnection, began time.Time) []time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*crowdLimit) // the figure is of use when it is too large, too
	defer cancel()
	took := make([]time.Duration, len(people))
	for missing := len(people); missing > 0; {
		for i, one := range people {
			if took[i] > 0 {
				continue
			}
			require.NoError(t, one.Err())
			require.NoError(t, one.call.Err())
			if pc := one.call.PeerConnection(); pc != before[i] && pc.ConnectionState() == webrtc.PeerConnectionStateConnected {
				took[i] = time.Since(began)
				missing--
			}
		}
		require.NoError(t, ctx.Err(), "%d are not back", missing)
		time.Sleep(10 * time.Millisecond)
	}
	return took
}
