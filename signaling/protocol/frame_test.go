package protocol

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDecode(t *testing.T) {
	for name, test := range map[string]struct {
		data string
		want Frame
		err  error
	}{
		"whole":          {`{"op":11,"id":"c42","s":17,"d":{"a":1}}`, Frame{OpChannelJoin, "c42", 17, json.RawMessage(`{"a":1}`)}, nil},
		"op alone":       {` {"op":1}`, Frame{Op: OpHeartbeat}, nil},
		"unknown fields": {`{"op":1,"x":[1,{}],"t":null}`, Frame{Op: OpHeartbeat}, nil},
		"longest id":     {`{"op":1,"id":"` + strings.Repeat("i", 64) + `"}`, Frame{Op: OpHeartbeat, ID: strings.Repeat("i", 64)}, nil},
		"null id":        {`{"op":1,"id":null}`, Frame{Op: OpHeartbeat}, nil},
		"id too long":    {`{"op":1,"id":"` + strings.Repeat("i", 65) + `"}`, Frame{Op: OpHeartbeat}, ErrPayload},
		"id a number":    {`{"op":1,"id":1}`, Frame{Op: OpHeartbeat}, ErrPayload},
		"s negative":     {`{"op":1,"s":-1}`, Frame{Op: OpHeartbeat}, ErrPayload},
		"empty":          {``, Frame{}, ErrDecode},
		"null":           {`null`, Frame{}, ErrDecode},
		"number":         {`7`, Frame{}, ErrDecode},
		"two objects":    {`{"op":1}{"op":1}`, Frame{}, ErrDecode},
		"bad UTF-8":      {"{\"op\":1,\"id\":\"\xc3\x28\"}", Frame{}, ErrDecode},
		"no op":          {`{}`, Frame{}, ErrOpcode},
		"op too large":   {`{"op":1e99}`, Frame{}, ErrOpcode},
	} {
		t.Run(name, func(t *testing.T) {
			frame, err := Decode([]byte(test.data))
			require.ErrorIs(t, err, test.err)
			require.Equal(t, test.want, frame)
		})
	}
}

func TestBindNamesTheField(t *testing.T) {
	bind := func(d string, v any) error { return Frame{D: json.RawMessage(d)}.Bind(v) }
	require.NoError(t, Frame{}.Bind(&ChannelRef{}), "no d is an empty one")
	require.NoError(t, bind(`null`, &ChannelRef{}))
	require.EqualError(t, bind(`[]`, &ChannelRef{}), "invalid payload: d must be an object, not array")
	require.EqualError(t, bind(`{"channel_id":{}}`, &ChannelRef{}), "invalid payload: d.channel_id must be a string, not object")
	require.EqualError(t, bind(`{"s":-1}`, &Heartbeat{}), "invalid payload: d.s must be a non-negative integer, not number -1")
	require.EqualError(t, bind(`{"candidate":{"sdpMid":1}}`, &ICECandidate{}), "invalid payload: d.candidate.sdpMid must be a string, not number")
	require.ErrorIs(t, bind(`{"s":1`, &Heartbeat{}), ErrPayload)
}

// Those who join one after another share the list of members, and each sees it as it was for them.
func TestJoinedSharesItsMembers(t *testing.T) {
	const crowd = 100
	var list Members
	bodies, all := make([]*Body, 0, crowd), make([]Member, 0, crowd)
	for i := range crowd {
		m := Member{UserID: strings.Repeat("u", i), Name: "\"é\u2028", Talker: i%2 == 0, Mic: MicOK, Connection: ConnectionOK, Media: MediaOK}
		all = append(all, m)
		longer, err := list.Append(m)
		require.NoError(t, err)
		list = longer
		body, err := EncodeJoined(Joined{ChannelID: "lobby", SDPAnswer: "v=0", Mode: ModeConference, Slots: []Slot{{MID: "1"}}}, list)
		require.NoError(t, err)
		bodies = append(bodies, body)
	}
	for i, body := range bodies {
		text := body.AppendReply(nil, "j")
		require.InDelta(t, len(text), body.Len(), 32)
		frame, err := Decode(text)
		require.NoError(t, err)
		require.Equal(t, "j", frame.ID)
		var ack struct {
			Op   Op     `json:"op"`
			Data Joined `json:"data"`
		}
		require.NoError(t, frame.Bind(&ack))
		require.Equal(t, OpChannelJoin, ack.Op)
		require.Equal(t, Joined{
			ChannelID: "lobby", SDPAnswer: "v=0", Mode: ModeConference, Slots: []Slot{{MID: "1"}}, ActiveMembers: all[:i+1],
		}, ack.Data)
		plain, err := EncodeBody(OpAck, Ack{OpChannelJoin, ack.Data})
		require.NoError(t, err)
		require.Equal(t, len(plain.AppendReply(nil, "j")), len(text), "the same JSON in another order")
	}
}

func TestBodyIsEncodedOnceAndNumberedPerSession(t *testing.T) {
	event, err := EncodeBody(OpMessageEvent, MessageEvent{Content: "hi </script>"})
	require.NoError(t, err)
	for _, s := range []uint64{1, 18446744073709551615} {
		frame, err := Decode(event.AppendEvent(nil, s))
		require.NoError(t, err)
		require.Equal(t, OpMessageEvent, frame.Op)
		require.Equal(t, s, frame.S)
		var d MessageEvent
		require.NoError(t, frame.Bind(&d))
		require.Equal(t, "hi </script>", d.Content)
	}
	buf := make([]byte, 0, 1024)
	require.Zero(t, testing.AllocsPerRun(100, func() { buf = event.AppendEvent(buf[:0], 7) }))
}

func TestReplyRoundTrip(t *testing.T) {
	body, err := EncodeBody(OpError, Error{Op: OpChannelJoin, Code: CodeChannelFull, Reason: "full"})
	require.NoError(t, err)
	require.JSONEq(t, `{"op":201,"id":"a\"b","d":{"op":11,"code":2001,"reason":"full"}}`, string(body.AppendReply(nil, `a"b`)))
	body, err = EncodeBody(OpAck, Ack{Op: OpICECandidate})
	require.NoError(t, err)
	require.JSONEq(t, `{"op":200,"d":{"op":18}}`, string(body.AppendReply(nil, "")))
	_, err = EncodeBody(OpAck, func() {})
	require.Error(t, err)
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"op":11,"id":"c42","s":17,"d":{"channel_id":"lobby","sdp_offer":"v=0"}}`))
	f.Add([]byte(`{"op":40,"d":{"self_mute":true}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		frame, err := Decode(data)
		if err != nil {
			if !errors.Is(err, ErrDecode) && !errors.Is(err, ErrOpcode) && !errors.Is(err, ErrPayload) {
				t.Errorf("unknown kind of error: %v", err)
			}
			return
		}
		if len(frame.ID) > MaxIDBytes {
			t.Errorf("id of %d bytes", len(frame.ID))
		}
		for _, v := range []any{&ChannelCreate{}, &ChannelJoin{}, &VoiceState{}, &ICECandidate{}, &Heartbeat{}} {
			if err := frame.Bind(v); err != nil && !errors.Is(err, ErrPayload) {
				t.Errorf("unknown kind of error: %v", err)
			}
		}
	})
}
