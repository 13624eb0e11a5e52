package sfu

import "errors"

// Sentinel errors of this package; test with errors.Is.
var (
	ErrChannelNotFound  = errors.New("channel not found")
	ErrChannelExists    = errors.New("channel exists")
	ErrChannelFull      = errors.New("channel is full")
	ErrTooManyChannels  = errors.New("the server holds no more channels")
	ErrAlreadyInChannel = errors.New("already in a channel")
	ErrNotInChannel     = errors.New("not in the channel")
)
