package client

import (
	"errors"
	"fmt"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// Sentinel errors; test with errors.Is. A request the server refused is a
// *protocol.Error and an ended connection a *CloseError; test these with errors.As.
var (
	// ErrClosed: Close was called on the Client.
	ErrClosed = errors.New("client is closed")
	// ErrSessionLost: the session ended before it answered the request, which may have been
	// carried out or not. The client is there again, with a new session.
	ErrSessionLost = errors.New("the session ended before it answered")
	// ErrVersion: the server does not speak this package's protocol version.
	ErrVersion = errors.New("server does not speak protocol version 1")
	// ErrProtocol: the server broke the protocol, for instance by leaving out an event.
	ErrProtocol = errors.New("protocol violation by the server")
	// ErrInCall: the client is in a channel already, or joining one.
	ErrInCall = errors.New("already in a channel")
	// ErrLeft: the call was ended by Leave.
	ErrLeft = errors.New("left the channel")
	// ErrRemoved: the server removed this client from the channel.
	ErrRemoved = errors.New("removed from the channel")
	// ErrChannelDeleted: the channel was deleted.
	ErrChannelDeleted = errors.New("channel was deleted")
	// ErrMediaLost: the WebRTC connection failed or ended without a word on the WebSocket.
	ErrMediaLost = errors.New("media connection lost")
	// ErrNotConnected: the WebRTC connection is not up yet.
	ErrNotConnected = errors.New("media is not connected yet")
	// ErrNoMicrophone: the call was joined with JoinOptions.ListenOnly.
	ErrNoMicrophone = errors.New("joined without a microphone")
	// ErrFloorReleased: the grant was given back by Release.
	ErrFloorReleased = errors.New("the floor was released")
	// ErrFloorAsked: the floor is asked for, or had, and leave to speak over it cannot be asked for beside, nor the other way round.
	ErrFloorAsked = errors.New("another place on the floor is asked for already")
	// ErrOgg: what PlayOgg was given is not an Ogg stream, or a broken one.
	ErrOgg = errors.New("not a sound Ogg stream")
	// ErrChannels: the Opus stream has more channels than two, or another order of them than a call can carry (RFC 7845, section 5.1.1).
	ErrChannels = errors.New("not mono or stereo")
	// ErrFrame: the bytes given are not an Opus packet that can be sent.
	ErrFrame = errors.New("not an Opus packet")
)

// CloseError says that the server closed the WebSocket, and why.
type CloseError struct {
	// Code is one of protocol's close codes, or one of RFC 6455's own such as 1001.
	// Its Next method says whether it makes sense to come back.
	Code protocol.CloseCode
	// Reason is the text beside the code; may be empty.
	Reason string
}

// Error returns the code and the reason.
func (e *CloseError) Error() string {
	reason := e.Reason
	if reason == "" {
		reason = e.Code.String()
	}
	return fmt.Sprintf("connection closed by the server: %d %s", int(e.Code), reason)
}
