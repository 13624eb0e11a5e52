package signaling

import (
	"sync"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/people"
)

// kickedFor is how long somebody who was kicked out of a channel does not get back in: longer than an angry minute.
const kickedFor = time.Minute

// maxKicked bounds how many are remembered; the oldest is forgotten for one more.
const maxKicked = 10_000

// kicked is who was lately put out of which channel, and where guests came from who lately left. Guests, who are others for the asking, are known by where they come from too. The
// zero value is ready. Safe for concurrent use.
type kicked struct {
	mu    sync.Mutex // guards the fields below
	until map[kick]time.Time
	// left is where guests came from who went lately, and when: who is banned just after is known by that.
	left map[string]departure
}

// departure is when a guest went, and where they came from.
type departure struct {
	at   time.Time
	from people.Origin
}

// leftFor is how long it is known where a guest came from.
const leftFor = 10 * time.Minute

// note remembers where somebody came from who goes.
func (k *kicked) note(userID string, from people.Origin, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.left == nil {
		k.left = make(map[string]departure)
	}
	if len(k.left) >= maxKicked {
		for id, d := range k.left {
			if len(k.left) >= maxKicked || now.Sub(d.at) > leftFor {
				delete(k.left, id)
			}
		}
	}
	k.left[userID] = departure{now, from}
}

// cameFrom returns where somebody came from who went lately.
func (k *kicked) cameFrom(userID string, now time.Time) people.Origin {
	k.mu.Lock()
	defer k.mu.Unlock()
	if d, known := k.left[userID]; known && now.Sub(d.at) <= leftFor {
		return d.from
	}
	return people.Origin{}
}

// kick is somebody, or where guests come from, and a channel. One of the first three is set.
type kick struct{ userID, network, device, channelID string }

// kicks are under what somebody is remembered.
func kicks(userID string, from people.Origin, channelID string) []kick {
	all := []kick{{userID: userID, channelID: channelID}}
	if !auth.IsGuest(userID) {
		return all
	}
	if from.Network != "" {
		all = append(all, kick{network: from.Network, channelID: channelID})
	}
	if from.Device != "" {
		all = append(all, kick{device: from.Device, channelID: channelID})
	}
	return all
}

func (k *kicked) add(userID string, from people.Origin, channelID string, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.until == nil {
		k.until = make(map[kick]time.Time)
	}
	for key, until := range k.until {
		if !now.Before(until) || len(k.until) >= maxKicked {
			delete(k.until, key)
		}
	}
	for _, key := range kicks(userID, from, channelID) {
		k.until[key] = now.Add(kickedFor)
	}
}

// wait returns how long somebody who has been here since a time has to stay out of a channel; 0: not at all. An address is held
// against those only who came after the other one was put out: their neighbours were there before.
func (k *kicked) wait(userID string, from people.Origin, channelID string, since, now time.Time) (wait time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range kicks(userID, from, channelID) {
		until := k.until[key]
		if key.network != "" && since.Before(until.Add(-kickedFor)) {
			continue
		}
		wait = max(wait, until.Sub(now))
	}
	return max(wait, 0)
}
