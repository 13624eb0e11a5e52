package arbiter

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/sfu/floor"
)

// What one node says another understands, whatever its clock says.
func TestWire(t *testing.T) {
	here := time.Now()
	there := here.Add(-time.Hour)
	grant := func(now time.Time) floor.Grant {
		return floor.Grant{User: "ada", ID: 3, Priority: 9, Since: now.Add(-time.Second), Until: now.Add(29 * time.Second)}
	}
	endless := func(now time.Time) floor.Grant { return floor.Grant{User: "ben", ID: 4, Since: now} }
	decided := func(now time.Time) sfu.FloorMessage {
		d := &sfu.FloorDecided{Term: 5, Number: 6, First: 7, Over: true, Node: "n/1", Call: 8, Heir: "m/2"}
		d.Lines[0] = floor.State{
			Phase: floor.PhaseTaken, Holder: grant(now), Warned: true, Ends: now.Add(-time.Minute),
			Waiting: []floor.Waiter{{User: "cy", Priority: 1, Patient: true}, {User: "dan"}}, LastID: 3,
		}
		d.Lines[1] = floor.State{Phase: floor.PhasePausing, Ends: now.Add(time.Second), LastID: 1}
		d.Effects = []floor.Effect{
			floor.Open{User: "ada"},
			floor.Shut{User: "ada"},
			floor.Granted{Grant: grant(now), Again: true},
			floor.Taken{Grant: endless(now)},
			floor.Idle{},
			floor.Revoked{Grant: grant(now), Cause: floor.CauseModerator, By: "mod", Grace: time.Second},
			floor.Denied{User: "cy", Cause: floor.CauseBusy},
			floor.Queued{User: "cy", Position: 1, Size: 2, Priority: 3},
			floor.Released{User: "ada"},
			floor.Pong{User: "ada", ID: 3, Left: time.Second},
			floor.Stale{User: "ben"},
		}
		return sfu.FloorMessage{ChannelID: "radio", Decided: d}
	}
	through := func(m sfu.FloorMessage) sfu.FloorMessage {
		var heard message
		require.NoError(t, json.Unmarshal(encode(messageOf(m, here)), &heard))
		return heard.floor(heard.Channel, there)
	}
	require.Equal(t, decided(there), through(decided(here)))
	for _, event := range []floor.Event{
		floor.Request{User: "ada", Priority: 255, Queue: true},
		floor.Release{User: "ada", Grant: 3},
		floor.Ping{User: "ada", Grant: 3},
		floor.Leave{User: "ada"},
		floor.Revoke{By: "mod", Grant: 3},
		nil,
	} {
		asked := sfu.FloorMessage{ChannelID: "radio", Asked: &sfu.FloorAsked{To: "n/1", Call: 2, Over: true, Term: 9, Event: event}}
		require.Equal(t, asked, through(asked))
	}
}

// What makes no sense harms nobody.
func TestNonsense(t *testing.T) {
	three(t, func(t *testing.T, w *town, ada, ben, cy *person) {
		t.Helper()
		ben.talks()
		from := ben.house.bus.Self()
		for _, text := range []string{
			"", "{", "[]", `{"c":"nowhere","d":{}}`, `{"c":"radio"}`, `{"c":"radio","a":{"to":"` + ada.house.arbiters.Self() + `","e":{"k":"what","u":"x"}}}`,
			`{"c":"radio","a":{"to":"` + ada.house.arbiters.Self() + `","e":{"k":"release","u":"nobody","g":99}}}`,
			`{"c":"radio","d":{"t":1,"n":1,"l":[{"at":-7},{"at":99},{"at":1}],"e":[{"k":"granted"},{"k":"taken"},{"k":"revoked"},{}]}}`,
		} {
			ada.house.arbiters.hear(from, []byte(text))
			cy.house.arbiters.hear(from, []byte(text))
		}
		w.pass(200 * time.Millisecond)
		require.Equal(t, []string{ben.id, ben.id}, []string{ada.last, cy.last})
		cy.talksSoon()
	})
}
