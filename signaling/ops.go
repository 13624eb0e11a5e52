package signaling

import (
	"context"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// handler carries out one request of a session: it either answers it through the request
// and returns nil, or returns an error, which becomes the answer. It runs on the reader of
// the session's connection, one at a time.
type handler func(ctx context.Context, s *Session, r *request) error

// opener is a handler of what may be asked before IDENTIFY, and is the connection's own
// business.
type opener func(ctx context.Context, c *Conn, r *request) error

// op is a row of the op table; one of handle and open is set.
type op struct {
	handle handler
	open   opener
	// weight is for how many requests it counts; 0 means one.
	weight int
	// reads: it may be carried out again when its reply was lost, since it changes nothing, or the same.
	reads bool
}

// kept says how long a reply is kept. Without an id it could not be asked for again.
func (o op) kept(id string) keeping {
	if o.handle == nil || o.reads || id == "" {
		return keepNot
	}
	return keepReply
}

// heavy is the weight of a request that makes a media connection, tells everybody on the
// server, or is answered with a long list or out of the memory.
const heavy = 5

// ops is the op table.
//
//nolint:gochecknoglobals // a constant in all but the language
var ops = map[protocol.Op]op{
	protocol.OpHeartbeat:     {open: heartbeat},
	protocol.OpIdentify:      {open: identify},
	protocol.OpResume:        {open: resume},
	protocol.OpChannelCreate: {handle: channelCreate, weight: heavy},
	protocol.OpChannelJoin:   {handle: channelJoin, weight: heavy},
	protocol.OpChannelLeave:  {handle: channelLeave},
	protocol.OpChannelUpdate: {handle: channelUpdate, weight: heavy},
	protocol.OpChannelDelete: {handle: channelDelete, weight: heavy},
	protocol.OpChannelList:   {handle: channelList, weight: heavy, reads: true},
	protocol.OpChannelInfo:   {handle: channelInfo, weight: heavy, reads: true},
	protocol.OpRenegotiate:   {handle: renegotiate},
	protocol.OpICECandidate:  {handle: iceCandidate},
	protocol.OpMediaProbe:    {handle: mediaProbe, weight: heavy},
	protocol.OpMessageCreate: {handle: messageCreate},
	protocol.OpHistory:       {handle: history, weight: heavy, reads: true},
	protocol.OpMessageUpdate: {handle: messageUpdate},
	protocol.OpMessageDelete: {handle: messageDelete},
	protocol.OpSearch:        {handle: search, weight: heavy, reads: true},
	protocol.OpRead:          {handle: read, weight: heavy},
	protocol.OpVoiceState:    {handle: voiceState},
	protocol.OpSubscribe:     {handle: subscribe},
	protocol.OpPresence:      {handle: presence, weight: heavy, reads: true},
}
