package bench

import (
	"crypto/rand"
	"testing"

	pion "github.com/pion/rtp"
	"github.com/pion/srtp/v3"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/rtp"
)

func masterKeys(t *testing.T) (key, salt []byte) {
	t.Helper()
	key, salt = make([]byte, keyBytes), make([]byte, saltBytes)
	_, _ = rand.Read(key)
	_, _ = rand.Read(salt)
	return key, salt
}

func TestCrypterAgreesWithPion(t *testing.T) {
	t.Parallel()
	key, salt := masterKeys(t)
	ours, err := newMasterCrypter(key, salt)
	require.NoError(t, err)
	profile := srtp.ProtectionProfileAeadAes128Gcm
	out, err := srtp.CreateContext(key, salt, profile)
	require.NoError(t, err)
	in, err := srtp.CreateContext(key, salt, profile)
	require.NoError(t, err)

	var theirs rollover
	for index := uint64(32_000); index < 140_000; index += 13_000 { // wraps twice
		packet := pion.Packet{
			Header:  pion.Header{Version: 2, PayloadType: 111, SSRC: 0xdecafbad, CSRC: []uint32{7, 8}, SequenceNumber: uint16(index)},
			Payload: []byte("something that is said"),
		}
		require.NoError(t, packet.SetExtension(1, []byte{1, 2}))
		plain, err := packet.Marshal()
		require.NoError(t, err)

		sealed, err := out.EncryptRTP(nil, plain, nil)
		require.NoError(t, err)
		at := theirs.index(uint16(index))
		require.Equal(t, index, at)
		payload, err := ours.open(sealed, at)
		require.NoError(t, err)
		theirs.saw(at)
		require.Equal(t, packet.Payload, payload)

		size := len(plain) - len(packet.Payload)
		buf := make([]byte, bufferBytes)
		copy(buf, plain)
		mine := ours.seal(buf[:size], buf[size:len(plain)], index)
		back, err := in.DecryptRTP(nil, mine, nil)
		require.NoError(t, err)
		require.Equal(t, plain, back)
	}
}

func TestCrypterRefuses(t *testing.T) {
	t.Parallel()
	key, salt := masterKeys(t)
	c, err := newMasterCrypter(key, salt)
	require.NoError(t, err)
	buf := make([]byte, 200)
	buf[0] = 0x80
	sealed := c.seal(buf[:rtp.FixedLen], buf[rtp.FixedLen:100], 5)
	sealed[50] ^= 1
	_, err = c.open(sealed, 5)
	require.Error(t, err)
	for _, short := range [][]byte{nil, {0x80}, make([]byte, rtp.FixedLen), append([]byte{0x9f}, make([]byte, 40)...)} {
		_, err = c.open(short, 0)
		require.ErrorIs(t, err, errNotRTP)
	}
}

func TestRolloverTakesLatePackets(t *testing.T) {
	t.Parallel()
	var r rollover
	r.saw(1<<16 + 2)
	require.EqualValues(t, 1<<16-1, r.index(0xffff))
	require.EqualValues(t, 1<<16+3, r.index(3))
}

func TestCryptersDoNotAllocate(t *testing.T) {
	key, salt := masterKeys(t)
	c, err := newMasterCrypter(key, salt)
	require.NoError(t, err)
	buf := make([]byte, bufferBytes)
	buf[0] = 0x80
	require.Zero(t, testing.AllocsPerRun(100, func() {
		sealed := c.seal(buf[:rtp.FixedLen], buf[rtp.FixedLen:150], 9)
		if _, err := c.open(sealed, 9); err != nil {
			t.Error(err)
		}
	}))
}
