package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sentinel errors of Decode and Frame.Bind; test with errors.Is.
var (
	// ErrDecode: the frame is not one JSON object in valid UTF-8.
	ErrDecode = errors.New("not a JSON object in UTF-8")
	// ErrOpcode: the object has no integer "op", so no reply could name it.
	ErrOpcode = errors.New("op must be an integer")
	// ErrPayload: the envelope is readable but id, s or d has the wrong form.
	ErrPayload = errors.New("invalid payload")
)

// Frame is one received text frame: {"op":11,"id":"c42","s":17,"d":{…}}.
type Frame struct {
	Op Op
	// ID is the client's id of a request, echoed on its reply; empty when absent.
	ID string
	// S numbers the server's events of a session from 1; 0 on requests and replies.
	S uint64
	// D is the payload, not yet parsed.
	D json.RawMessage
}

// Decode parses one text frame. Unknown fields are ignored. The error wraps ErrDecode,
// ErrOpcode or ErrPayload; with ErrPayload the returned frame has at least its Op, so
// that the error can be answered.
func Decode(data []byte) (Frame, error) {
	if !utf8.Valid(data) {
		return Frame{}, fmt.Errorf("%w: invalid UTF-8", ErrDecode)
	}
	var raw struct {
		Op json.RawMessage `json:"op"`
		ID json.RawMessage `json:"id"`
		S  json.RawMessage `json:"s"`
		D  json.RawMessage `json:"d"`
	}
	if trimmed := bytes.TrimLeft(data, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return Frame{}, ErrDecode
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return Frame{}, fmt.Errorf("%w: %w", ErrDecode, err)
	}
	var f Frame
	if raw.Op == nil || json.Unmarshal(raw.Op, (*int)(&f.Op)) != nil || string(raw.Op) == "null" {
		return Frame{}, ErrOpcode
	}
	f.D = raw.D
	if raw.ID != nil {
		if err := json.Unmarshal(raw.ID, &f.ID); err != nil {
			return f, fmt.Errorf("%w: id must be a string", ErrPayload)
		}
		if len(f.ID) > MaxIDBytes {
			f.ID = ""
			return f, fmt.Errorf("%w: id is longer than %d bytes", ErrPayload, MaxIDBytes)
		}
	}
	if raw.S != nil {
		if err := json.Unmarshal(raw.S, &f.S); err != nil {
			return f, fmt.Errorf("%w: s must be a non-negative integer", ErrPayload)
		}
	}
	return f, nil
}

// Bind parses the frame's payload into v, a pointer to one of this package's payload
// types. An absent or null d binds like {}. The error wraps ErrPayload and names the
// field in the words of PROTOCOL.md.
func (f Frame) Bind(v any) error {
	d := f.D
	if d == nil || string(d) == "null" {
		d = json.RawMessage("{}")
	}
	err := json.Unmarshal(d, v)
	if err == nil {
		return nil
	}
	if typeErr, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if typeErr.Field == "" {
			return fmt.Errorf("%w: d must be an object, not %s", ErrPayload, typeErr.Value)
		}
		// Of a field that several payloads share encoding/json says in which of our types it stands.
		field := typeErr.Field
		for unicode.IsUpper(rune(field[0])) && strings.Contains(field, ".") {
			_, field, _ = strings.Cut(field, ".")
		}
		return fmt.Errorf("%w: d.%s must be %s, not %s", ErrPayload, field, jsonKind(typeErr), typeErr.Value)
	}
	return fmt.Errorf("%w: %w", ErrPayload, err)
}

func jsonKind(err *json.UnmarshalTypeError) string {
	switch kind := err.Type.Kind().String(); kind {
	case "bool":
		return "a boolean"
	case "string":
		return "a string"
	case "struct", "map", "ptr":
		return "an object"
	case "slice":
		return "an array"
	case "uint", "uint8", "uint16", "uint32", "uint64":
		return "a non-negative integer"
	default:
		return "an integer"
	}
}

// EncodeRequest renders a frame from a client: op, its id and payload. It fails only
// when d cannot be marshalled.
func EncodeRequest(op Op, id string, d any) ([]byte, error) {
	data, err := json.Marshal(struct {
		Op Op     `json:"op"`
		ID string `json:"id,omitempty"`
		D  any    `json:"d"`
	}{op, id, d})
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", op, err)
	}
	return data, nil
}

// Ack is the d of ACK as the server writes it; Data is one of the payload types above.
type Ack struct {
	Op   Op  `json:"op"`
	Data any `json:"data,omitempty"`
}

// Body is the op and payload of a frame from the server, encoded once and shared by the
// many sessions it goes to, each of which puts its own number or request id in. It is
// immutable.
type Body struct {
	op Op
	// d is the payload up to a list that it shares with other bodies, and the rest behind that;
	// most have none.
	d    []byte
	list Members
	rest string
}

// EncodeBody renders a payload. It fails only when d cannot be marshalled.
func EncodeBody(op Op, d any) (*Body, error) {
	data, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", op, err)
	}
	return &Body{op: op, d: data}, nil
}

// Op returns the opcode.
func (b *Body) Op() Op { return b.op }

// Len returns about how many bytes the frame has.
func (b *Body) Len() int { return len(b.d) + len(b.list) + len(b.rest) + frameOverhead }

// frameOverhead is what a frame has beside its payload: op, number or id, braces.
const frameOverhead = 32

// Droppable reports whether it is an event that the next of its kind makes needless. Such
// events have no number.
func (b *Body) Droppable() bool { return b.op == OpSpeakers }

// AppendEvent appends the whole text frame of an event, numbered s or, with 0, not numbered,
// to dst and returns the extended slice.
func (b *Body) AppendEvent(dst []byte, s uint64) []byte {
	dst = append(dst, `{"op":`...)
	dst = strconv.AppendInt(dst, int64(b.op), 10)
	if s != 0 {
		dst = append(dst, `,"s":`...)
		dst = strconv.AppendUint(dst, s, 10)
	}
	return b.appendPayload(dst)
}

// AppendReply appends the whole text frame of the reply to the request with this id to dst
// and returns the extended slice. An empty id is left out.
func (b *Body) AppendReply(dst []byte, id string) []byte {
	dst = append(dst, `{"op":`...)
	dst = strconv.AppendInt(dst, int64(b.op), 10)
	if id != "" {
		dst = append(dst, `,"id":`...)
		text, _ := json.Marshal(id) // a string always can be
		dst = append(dst, text...)
	}
	return b.appendPayload(dst)
}

func (b *Body) appendPayload(dst []byte) []byte {
	dst = append(dst, `,"d":`...)
	dst = append(dst, b.d...)
	dst = append(dst, b.list...)
	dst = append(dst, b.rest...)
	return append(dst, '}')
}
