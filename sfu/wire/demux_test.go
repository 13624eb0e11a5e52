package wire

import (
	"bytes"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/stun/v4"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

func TestClassify(t *testing.T) {
	for first := range 256 {
		want := kindUnknown
		switch {
		case first <= 3:
			want = kindSTUN
		case first >= 20 && first <= 63:
			want = kindDTLS
		case first >= 128 && first <= 191:
			want = kindRTP
		}
		require.Equal(t, want, classify([]byte{byte(first), 111}), "first byte %d", first)
	}
	for second := range 256 {
		want := kindRTP
		if second >= 192 && second <= 223 {
			want = kindRTCP
		}
		require.Equal(t, want, classify([]byte{0x80, byte(second)}), "second byte %d", second)
	}
	require.Equal(t, kindUnknown, classify(nil))
	require.Equal(t, kindUnknown, classify([]byte{0}))
}

func TestStunUfrag(t *testing.T) {
	m, err := stun.Build(stun.BindingRequest, stun.TransactionID, stun.NewSoftware("abc"), stun.NewUsername("ours:theirs"),
		stun.Fingerprint)
	require.NoError(t, err)
	got, ok := stunUfrag(m.Raw)
	require.True(t, ok)
	require.Equal(t, "ours", string(got))

	m, err = stun.Build(stun.BindingSuccess, stun.TransactionID, stun.NewUsername("ours:theirs"))
	require.NoError(t, err)
	_, ok = stunUfrag(m.Raw)
	require.False(t, ok, "an answer has no name")

	got, ok = stunUfrag(bindingRequest("alone"))
	require.True(t, ok)
	require.Equal(t, "alone", string(got))
	for n := range bindingRequest("ours:theirs") {
		stunUfrag(bindingRequest("ours:theirs")[:n])
	}
}

func FuzzDemux(f *testing.F) {
	f.Add(bindingRequest("a:b"))
	f.Add([]byte{0x80, 200, 1})
	f.Add([]byte{22, 0xfe})
	f.Fuzz(func(t *testing.T, p []byte) {
		k := classify(p)
		ufrag, ok := stunUfrag(p)
		if ok && (k != kindSTUN || bytes.IndexByte(ufrag, ':') >= 0) {
			t.Fatalf("%v named %q", k, ufrag)
		}
		if n, err := rtp.HeaderLen(p); err == nil && (n < rtp.FixedLen || n > len(p)) {
			t.Fatalf("header of %d in %d", n, len(p))
		}
	})
}

// FuzzUnprotect: no bytes from outside may pass as a packet, or panic. What pion takes as plain RTP must survive a round.
func FuzzUnprotect(f *testing.F) {
	f.Add(uint8(0), []byte{0x80, 111, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 'x'})
	f.Add(uint8(1), []byte{0xb2, 111, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2, 0xbe, 0xde, 0, 1, 0, 0, 0, 0})
	ids := []dtls.SRTPProtectionProfile{
		dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80,
	}
	f.Fuzz(func(t *testing.T, which uint8, p []byte) {
		if len(p) > packetBuffer-32 {
			return
		}
		x := newInside(t, ids[int(which)%len(ids)])
		if _, err := x.in.unprotect(x.suite, append([]byte(nil), p...), time.Now()); err == nil {
			t.Fatal("accepted a packet nobody encrypted")
		}
		n, err := rtp.HeaderLen(p)
		if err != nil {
			return
		}
		sealed, err := x.oracle.write.EncryptRTP(nil, p, nil)
		if err != nil || len(sealed) == 0 {
			return
		}
		got, err := x.in.unprotect(x.suite, append([]byte(nil), sealed...), time.Now())
		if err != nil {
			t.Fatalf("refused pion's packet: %v", err)
		}
		if !bytes.Equal(got, p) || n > len(got) {
			t.Fatalf("got %x, sent %x", got, p)
		}
	})
}
