package signaling

import (
	"context"
	"slices"

	"github.com/mini-livechat/mini-livechat/signaling/admission"
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
	// charges are what it costs at least.
	charges []admission.Charge
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

// heavy is the cost of a request that makes a media connection, tells everybody on the
// server, or is answered with a long list or out of the memory.
const heavy = 5

// costs are a request's charges: itself, and of each of these kinds one.
func costs(requests float64, kinds ...admission.Kind) []admission.Charge {
	charges := append(make([]admission.Charge, 0, 1+len(kinds)), admission.Charge{Kind: admission.Request, Cost: requests})
	for _, kind := range kinds {
		charges = append(charges, admission.Charge{Kind: kind, Cost: 1})
	}
	return charges
}

// charged are the charges for a request of so many bytes.
func (o op) charged(size int) []admission.Charge {
	more := admission.ForLength(size)
	if more == 0 {
		return o.charges
	}
	charges := slices.Clone(o.charges)
	charges[0].Cost += more // costs has put the request itself there
	return charges
}

// ops is the op table.
//
//nolint:gochecknoglobals // a constant in all but the language
var ops = map[protocol.Op]op{
	protocol.OpHeartbeat:     {open: heartbeat, charges: costs(1)},
	protocol.OpIdentify:      {open: identify, charges: costs(1, admission.Identify)},
	protocol.OpResume:        {open: resume, charges: costs(1, admission.Identify)},
	protocol.OpChannelCreate: {handle: channelCreate, charges: costs(heavy)},
	protocol.OpChannelJoin:   {handle: channelJoin, charges: costs(heavy, admission.Join)},
	protocol.OpChannelLeave:  {handle: channelLeave, charges: costs(1)},
	protocol.OpChannelUpdate: {handle: channelUpdate, charges: costs(heavy)},
	protocol.OpChannelDelete: {handle: channelDelete, charges: costs(heavy)},
	protocol.OpChannelList:   {handle: channelList, charges: costs(heavy, admission.List), reads: true},
	protocol.OpChannelInfo:   {handle: channelInfo, charges: costs(heavy, admission.List), reads: true},
	protocol.OpRenegotiate:   {handle: renegotiate, charges: costs(1)},
	protocol.OpICECandidate:  {handle: iceCandidate, charges: costs(1)},
	protocol.OpMediaProbe:    {handle: mediaProbe, charges: costs(heavy, admission.Join)},
	protocol.OpMessageCreate: {handle: messageCreate, charges: costs(1)},
	protocol.OpHistory:       {handle: history, charges: costs(heavy, admission.List), reads: true},
	protocol.OpMessageUpdate: {handle: messageUpdate, charges: costs(1)},
	protocol.OpMessageDelete: {handle: messageDelete, charges: costs(1, admission.Message)},
	protocol.OpSearch:        {handle: search, charges: costs(heavy, admission.List), reads: true},
	protocol.OpRead:          {handle: read, charges: costs(heavy, admission.List)},
	protocol.OpFloorRequest:  {handle: floorRequest, charges: costs(1, admission.Voice)},
	protocol.OpFloorRelease:  {handle: floorRelease, charges: costs(1, admission.Voice)},
	protocol.OpFloorPing:     {handle: floorPing, charges: costs(1), reads: true},
	protocol.OpFloorClear:    {handle: floorClear, charges: costs(1, admission.Voice)},
	protocol.OpVoiceState:    {handle: voiceState, charges: costs(1, admission.Voice)},
	protocol.OpSubscribe:     {handle: subscribe, charges: costs(1)},
	protocol.OpPresence:      {handle: presence, charges: costs(heavy, admission.Presence), reads: true},
	protocol.OpHand:          {handle: hand, charges: costs(1, admission.Voice)},
	protocol.OpListen:        {handle: listen, charges: costs(heavy, admission.Voice)},
	protocol.OpWhy:           {handle: whyNotHeard, charges: costs(heavy, admission.List), reads: true},
	protocol.OpPlayback:      {handle: playback, charges: costs(1)},
	protocol.OpMemberMute:    {handle: memberMute, charges: costs(1, admission.Voice)},
	protocol.OpMemberMove:    {handle: memberMove, charges: costs(heavy)},
	protocol.OpMemberKick:    {handle: memberKick, charges: costs(heavy)},
	protocol.OpMemberBan:     {handle: memberBan, charges: costs(heavy)},
	protocol.OpBanLift:       {handle: banLift, charges: costs(heavy)},
	protocol.OpAudit:         {handle: audit, charges: costs(heavy, admission.List), reads: true},
	protocol.OpInviteCreate:  {handle: inviteCreate, charges: costs(heavy)},
	protocol.OpInviteList:    {handle: inviteList, charges: costs(heavy, admission.List), reads: true},
	protocol.OpInviteRevoke:  {handle: inviteRevoke, charges: costs(heavy)},
}
