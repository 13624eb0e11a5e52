package forward

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"

	"github.com/mini-livechat/mini-livechat/sfu/forward/forwardtest"
)

// srtpListener encrypts a slot's packets, loses and reorders some of them, and decrypts
// the rest, as a browser does at the end of a bad network.
type srtpListener struct {
	t        *testing.T
	random   *rand.Rand
	encrypt  *srtp.Context
	decrypt  *srtp.Context
	inFlight []protected
	// lose is how many packets of a burst are yet to be lost.
	lose     int
	lost     []uint16 // sequence numbers not asked for again yet
	received int
}

type protected struct {
	packet, plain []byte
}

func newSRTPListener(t *testing.T, random *rand.Rand, profile srtp.ProtectionProfile) *srtpListener {
	t.Helper()
	keyLen, err := profile.KeyLen()
	if err != nil {
		t.Fatal(err)
	}
	saltLen, err := profile.SaltLen()
	if err != nil {
		t.Fatal(err)
	}
	key, salt := bytes.Repeat([]byte{7}, keyLen), bytes.Repeat([]byte{9}, saltLen)
	encrypt, err := srtp.CreateContext(key, salt, profile)
	if err != nil {
		t.Fatal(err)
	}
	// The window browsers use: packets that overtake a gap lie more than 64 apart.
	decrypt, err := srtp.CreateContext(key, salt, profile, srtp.SRTPReplayProtection(1024))
	if err != nil {
		t.Fatal(err)
	}
	return &srtpListener{t: t, random: random, encrypt: encrypt, decrypt: decrypt}
}

func (l *srtpListener) WriteRTP(_ Batch, header, payload []byte) error {
	var h rtp.Header
	if _, err := h.Unmarshal(header); err != nil {
		return err
	}
	plain := slices.Concat(header, payload)
	packet, err := l.encrypt.EncryptRTP(nil, plain, &h)
	if err != nil {
		return err
	}
	switch {
	case l.lose > 0:
		l.lose--
		l.lost = append(l.lost, h.SequenceNumber)
		return nil
	case l.random.IntN(50) == 0:
		l.lose = l.random.IntN(60)
	}
	l.inFlight = append(l.inFlight, protected{packet, plain})
	if len(l.inFlight) > 4 {
		overtaking := 0
		if l.random.IntN(4) == 0 {
			overtaking = l.random.IntN(4)
		}
		l.receive(overtaking)
	}
	return nil
}

func (l *srtpListener) receive(i int) {
	p := l.inFlight[i]
	l.inFlight = append(l.inFlight[:i:i], l.inFlight[i+1:]...)
	got, err := l.decrypt.DecryptRTP(nil, p.packet, nil)
	if err != nil || !bytes.Equal(got, p.plain) {
		l.t.Fatalf("packet % x: decrypted to % x, %v", p.plain[:16], got, err)
	}
	l.received++
}

// nack asks for some of what was lost.
func (l *srtpListener) nack(slot *Slot, now time.Time) {
	for range min(l.random.IntN(4), len(l.lost)) {
		i := l.random.IntN(len(l.lost))
		seq := l.lost[i]
		l.lost = append(l.lost[:i:i], l.lost[i+1:]...)
		slot.Resend(seq, now, nil)
	}
}

// TestSRTPReceiver: whatever talkers do and the network loses, a real SRTP receiver
// accepts every packet that arrives and gets what was said.
func TestSRTPReceiver(t *testing.T) {
	profiles := map[string]srtp.ProtectionProfile{
		"AES-128-GCM":      srtp.ProtectionProfileAeadAes128Gcm,
		"AES-CM-HMAC-SHA1": srtp.ProtectionProfileAes128CmHmacSha1_80,
		"AES-256-GCM":      srtp.ProtectionProfileAeadAes256Gcm,
	}
	for name, profile := range profiles {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(3711, uint64(profile)))
			receiver := newSRTPListener(t, random, profile)
			checker := forwardtest.NewChecker(t, DefaultClockRate, receiver)
			slot, err := NewSlot(SlotConfig{SSRC: testSSRC, PayloadType: testType, REDPayloadType: testREDType, FirstSequenceNumber: 1<<15 - 1}, checker)
			if err != nil {
				t.Fatal(err)
			}
			slot.Open()
			uplinks := make([]*uplink, 3)
			for i := range uplinks {
				uplinks[i] = &uplink{talker: talker{ssrc: uint32(i + 1), seq: 65_500}, source: NewSource(), random: random}
				uplinks[i].source.SetSlots([]*Slot{slot})
			}
			rounds := 36_000
			if raceDetector {
				rounds = 5000
			}
			now := time.Unix(0, 0)
			for range rounds {
				now = now.Add(frameLen)
				u := uplinks[random.IntN(3)]
				switch random.IntN(200) {
				case 0, 1, 2:
					slot.Assign(u.source)
				case 3, 4, 5:
					slot.Promote(u.source, now.Add(-time.Duration(random.IntN(200))*time.Millisecond))
				case 6:
					u.skip(40_000, 40_000)
				case 7:
					u.skip(uint16(random.Uint32()), random.Uint32())
				case 8:
					u.ssrc += 10
				case 9:
					u.source.SetMuted(random.IntN(3) == 0)
				case 23, 24:
					slot.SetRedundancy(random.IntN(4))
				case 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22:
					u.skip(uint16(random.IntN(70)), 50) // losses, or DTX
				}
				receiver.nack(slot, now)
				for _, u := range uplinks {
					u.send(0.05)
					for a, ok := u.receive(); ok; a, ok = u.receive() {
						u.source.Forward(&a.packet, now)
					}
				}
			}
			for len(receiver.inFlight) > 0 {
				receiver.receive(0)
			}
			stats, seen := slot.Stats(), checker.Stats(testSSRC)
			if stats.Dropped.WriteError != 0 || receiver.received < rounds/5 || stats.Switches < uint64(rounds/100) || stats.Resent < uint64(rounds/100) || stats.Redundant < uint64(rounds/20) ||
				!raceDetector && seen.Highest < 1<<16 {
				t.Errorf("received %d packets; %+v; %+v", receiver.received, stats, seen)
			}
			t.Logf("received %d of %d packets over %d switches and %d re-bases, %d sent again, up to index %d",
				receiver.received, stats.Packets, stats.Switches, stats.Rebases, stats.Resent, seen.Highest)
		})
	}
}
