package sfu

import (
	"errors"

	"github.com/mini-livechat/mini-livechat/sfu/peer"
)

// Sentinel errors of this package and, by other names for the same values, of the media
// behind it; test with errors.Is.
var (
	ErrChannelNotFound  = errors.New("channel not found")
	ErrChannelExists    = errors.New("channel exists")
	ErrNameTaken        = errors.New("channel name taken")
	ErrChannelFull      = errors.New("channel is full")
	ErrTooManyChannels  = errors.New("the server holds no more channels")
	ErrOwnsTooMany      = errors.New("you own as many channels as one person may")
	ErrAlreadyInChannel = errors.New("already in a channel")
	// ErrListenOnly: the offer has a microphone of somebody who may not talk.
	ErrListenOnly   = errors.New("you may only listen: offer no sendonly line")
	ErrNotInChannel = errors.New("not in the channel")
	// ErrBadListen: there are not the slots for it, or the channel is one's own.
	ErrBadListen = errors.New("you cannot listen so")
	// ErrNoFloor: all talk at once there.
	ErrNoFloor = errors.New("there is no floor to have")
	// ErrNobodyHolds: nobody has the floor.
	ErrNobodyHolds = errors.New("nobody has the floor")
	// ErrFloorSilent: the member could not be heard with the floor.
	ErrFloorSilent = errors.New("you cannot have the floor")
	// ErrFloorBusy: somebody else has it.
	ErrFloorBusy = errors.New("somebody else has the floor")
	// ErrFloorQueueFull: as many wait for it as may.
	ErrFloorQueueFull = errors.New("too many wait for the floor")
	// ErrNotHolder: the grant is not the member's, or no more.
	ErrNotHolder = errors.New("you do not have the floor")
	// ErrFloorUnsettled: which node decides about the floor cannot be known, or it does not answer.
	ErrFloorUnsettled = errors.New("nobody can get the floor now: too few of the servers that are one reach each other, or they are just settling which of them decides")

	ErrBadSDP           = peer.ErrBadSDP
	ErrUnsupportedMedia = peer.ErrUnsupportedMedia
	ErrNegotiating      = peer.ErrNegotiating
	ErrEnded            = peer.ErrEnded
)

// NegotiateAgainAfter is when what ErrNegotiating refused may be asked for again.
const NegotiateAgainAfter = peer.RetryAfter
