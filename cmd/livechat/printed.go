package main

import (
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/httpapi"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// What is printed for programs has its times in one form, whatever the server answers with: RFC 3339, in UTC. One that never comes is
// left out. The fields of an outer struct are printed in the place of those of the same name within (encoding/json).

type printedInvite struct {
	protocol.Invite

	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	CreatedAt time.Time  `json:"created_at"`
}

func printInvite(i protocol.Invite) printedInvite {
	return printedInvite{Invite: i, ExpiresAt: sometime(i.ExpiresAt), CreatedAt: utc(i.CreatedAt)}
}

type printedBan struct {
	protocol.BanInfo

	Until     *time.Time `json:"until,omitempty"`
	CreatedAt time.Time  `json:"created_at"`
}

func printBan(b protocol.BanInfo) printedBan {
	return printedBan{BanInfo: b, Until: sometime(b.Until), CreatedAt: utc(b.CreatedAt)}
}

type printedDeed struct {
	protocol.Deed

	At    time.Time  `json:"at"`
	Until *time.Time `json:"until,omitempty"`
}

func printDeed(d protocol.Deed) printedDeed {
	return printedDeed{Deed: d, At: utc(d.At), Until: sometime(d.Until)}
}

type printedRevocation struct {
	httpapi.AdminRevocation

	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

func printRevocation(r httpapi.AdminRevocation) printedRevocation {
	return printedRevocation{r, sometime(r.ExpiresAt)}
}

// each is a list of what is to be printed: an empty one is no null.
func each[From, To any](all []From, as func(From) To) []To {
	printed := make([]To, 0, len(all))
	for _, one := range all {
		printed = append(printed, as(one))
	}
	return printed
}

func utc(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// sometime is nil for 0, which is never.
func sometime(ms int64) *time.Time {
	if ms == 0 {
		return nil
	}
	return new(utc(ms))
}
