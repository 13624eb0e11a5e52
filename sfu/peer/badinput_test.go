package peer

import (
	"encoding/binary"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/speaker"
)

// bare is a peer without a connection, whose packets the test hands over.
func bare(mic *line) *Peer {
	p := new(Peer)
	if mic != nil {
		mic.levelExtension.id = 1
	}
	p.talker.open(mic, nil, 1, time.Unix(1e9, 0), nil)
	return p
}

// total is the sum of all drops.
func total(d Drops) (sum uint64) {
	for _, counter := range reflect.ValueOf(d).Fields() {
		sum += counter.Uint()
	}
	return sum
}

// rtpOf is an RTP packet: first octet, payload type, and whatever follows the fixed header.
func rtpOf(first, payloadType byte, seq uint16, rest string) []byte {
	b := binary.BigEndian.AppendUint16([]byte{first, payloadType}, seq)
	b = binary.BigEndian.AppendUint32(b, uint32(seq)*960)
	b = binary.BigEndian.AppendUint32(b, 7)
	return append(b, rest...)
}

const (
	plain, padded, extended = 0x80, 0xa0, 0x90
	voiceOf20               = "twenty bytes of Opus"
)

// TestBadRTPIsDroppedAndCounted: what does not fit, or was not negotiated, is dropped for
// the one reason that it was, and the next packet is heard.
func TestBadRTPIsDroppedAndCounted(t *testing.T) {
	var malformed, payloadType Drops
	malformed.Malformed, payloadType.PayloadType = 1, 1
	for name, test := range map[string]struct {
		packet []byte
		want   Drops
	}{
		"nothing":                          {nil, malformed},
		"a header cut short":               {rtpOf(plain, testOpus, 1, "")[:11], malformed},
		"version 1":                        {rtpOf(0x40, testOpus, 1, voiceOf20), malformed},
		"sources cut short":                {rtpOf(plain|15, testOpus, 1, voiceOf20), malformed},
		"padding longer than the packet":   {rtpOf(padded, testOpus, 1, "abc\x05"), malformed},
		"padding of 255":                   {rtpOf(padded, testOpus, 1, "abc\xff"), malformed},
		"padding that does not count":      {rtpOf(padded, testOpus, 1, "abc\x00"), malformed},
		"padding without anything":         {rtpOf(padded, testOpus, 1, ""), malformed},
		"an extension cut short":           {rtpOf(extended, testOpus, 1, "\xbe\xde\x00"), malformed},
		"an extension past the end":        {rtpOf(extended, testOpus, 1, "\xbe\xde\xff\xff"+voiceOf20), malformed},
		"another codec":                    {rtpOf(plain, 0, 1, voiceOf20), payloadType},
		"one above":                        {rtpOf(plain, testOpus+1, 1, voiceOf20), payloadType},
		"one that looks like RTCP":         {rtpOf(plain, 72, 1, voiceOf20), payloadType},
		"RED of nothing":                   {rtpOf(plain, testRED, 1, ""), Drops{}},
		"RED that ends in a header":        {rtpOf(plain, testRED, 1, "\xed\x0f\x00"), malformed},
		"RED without a primary":            {rtpOf(plain, testRED, 1, "\xed\x0f\x00\x01"), malformed},
		"RED with a block past the end":    {rtpOf(plain, testRED, 1, "\xed\x0f\x03\xff\x6d123"), malformed},
		"RED with blocks that overlap":     {rtpOf(plain, testRED, 1, "\xed\x1e\x00\x03\xed\x0f\x00\x03\x6d12345"), malformed},
		"RED of headers only":              {rtpOf(plain, testRED, 1, strings.Repeat("\xff", 100)), malformed},
		"RED of another codec":             {rtpOf(plain, testRED, 1, "\x08"+voiceOf20), payloadType},
		"RED in RED":                       {rtpOf(plain, testRED, 1, string(rune(testRED))+voiceOf20), payloadType},
		"RED in padding":                   {rtpOf(padded, testRED, 1, "\x01"), Drops{}},
		"a sound packet":                   {rtpOf(plain, testOpus, 1, voiceOf20), Drops{}},
		"sound padding":                    {rtpOf(padded, testOpus, 1, voiceOf20+"\x00\x00\x03"), Drops{}},
		"nothing but padding":              {rtpOf(padded, testOpus, 1, "\x00\x00\x03"), Drops{}},
		"an extension of an unknown form":  {rtpOf(extended, testOpus, 1, "\x12\x34\x00\x01abcd"+voiceOf20), Drops{}},
		"an extension of no elements":      {rtpOf(extended, testOpus, 1, "\xbe\xde\x00\x00"+voiceOf20), Drops{}},
		"an element longer than its block": {rtpOf(extended, testOpus, 1, "\xbe\xde\x00\x01\x1fabc"+voiceOf20), Drops{}},
		"an element of two bytes cut off":  {rtpOf(extended, testOpus, 1, "\x10\x00\x00\x01\x00\x00\x00\x01"+voiceOf20), Drops{}},
		"the end of the list at once":      {rtpOf(extended, testOpus, 1, "\xbe\xde\x00\x01\xf0abc"+voiceOf20), Drops{}},
	} {
		t.Run(name, func(t *testing.T) {
			p := bare(&line{format: format{opus: testOpus, red: testRED}})
			now := time.Unix(1e9, 0)
			p.OnRTP(nil, nil, test.packet, now)
			require.Equal(t, test.want, p.dropped())
			// What is sound but empty takes its number and is no sound.
			empty := p.talker.Source().Stats().Dropped.Skipped
			require.Equal(t, strings.Contains(name, "nothing but padding") || name == "RED of nothing" || name == "RED in padding", empty == 1)
			require.Equal(t, 1-total(test.want)-empty, p.talker.Source().Stats().Packets)
			p.OnRTP(nil, nil, rtpOf(plain, testOpus, 2, voiceOf20), now.Add(20*time.Millisecond))
			require.Equal(t, test.want, p.dropped())
			require.Equal(t, 2-total(test.want)-empty, p.talker.Source().Stats().Packets)
		})
	}
}

func TestUnwantedRTPIsDroppedAndCounted(t *testing.T) {
	now := time.Unix(1e9, 0)
	p := bare(nil)
	p.OnRTP(nil, nil, rtpOf(plain, testOpus, 1, voiceOf20), now)
	require.Equal(t, Drops{NoMicrophone: 1}, p.dropped())

	p = bare(&line{format: format{opus: testOpus}})
	for _, payloadType := range []byte{testRED, 0} { // RED was not negotiated, and 0 stands for that
		p.OnRTP(nil, nil, rtpOf(plain, payloadType, 1, "\x6d"+voiceOf20), now)
	}
	require.Equal(t, Drops{PayloadType: 2}, p.dropped())
}

// TestOddLevels: seven bits cannot hold a level that is none; whatever else the extension
// holds, the talker has one of 0 to 127.
func TestOddLevels(t *testing.T) {
	for name, test := range map[string]struct {
		extension string
		speaks    bool
		level     speaker.Level
	}{
		"0, the loudest":             {"\xbe\xde\x00\x01\x10\x00\x00\x00", true, 0},
		"0 with voice activity":      {"\xbe\xde\x00\x01\x10\x80\x00\x00", true, 0},
		"127":                        {"\xbe\xde\x00\x01\x10\x7f\x00\x00", false, 127},
		"127 with voice activity":    {"\xbe\xde\x00\x01\x10\xff\x00\x00", false, 127},
		"more bytes than a level":    {"\xbe\xde\x00\x02\x15\x14\xff\xff\xff\xff\xff\x00", true, 20},
		"twice":                      {"\xbe\xde\x00\x01\x10\x1e\x10\x7f", true, 30},
		"in the two-byte form":       {"\x10\x00\x00\x01\x01\x01\x19\x00", true, 25},
		"empty, so it is guessed":    {"\x10\x00\x00\x01\x01\x00\x00\x00", true, 30},
		"after the end of the list":  {"\xbe\xde\x00\x01\xf0\x10\x7f\x00", true, 30},
		"under another id, so it is": {"\xbe\xde\x00\x01\x20\x7f\x00\x00", true, 30},
	} {
		t.Run(name, func(t *testing.T) {
			p := bare(&line{format: format{opus: testOpus}})
			now := time.Unix(1e9, 0)
			for seq := range uint16(3) {
				now = now.Add(20 * time.Millisecond)
				p.OnRTP(nil, nil, rtpOf(extended, testOpus, seq, test.extension+voiceOf20), now)
			}
			require.Zero(t, total(p.dropped()))
			reading := p.talker.Meter().Read(now)
			require.Equal(t, test.speaks, reading.Speaking)
			require.Equal(t, test.level, reading.Loudness.Level())
		})
	}
}
