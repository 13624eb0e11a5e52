package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/selfsign"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// dtlsPair shakes hands over loopback, the tap on the server, and returns the client's state.
func dtlsPair(t *testing.T, tap *KeyTap, suite dtls.CipherSuiteID, ems dtls.ExtendedMasterSecretType, id dtls.SRTPProtectionProfile) dtls.State {
	t.Helper()
	a, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(loopback()))
	require.NoError(t, err)
	b, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(loopback()))
	require.NoError(t, err)
	cert, err := selfsign.GenerateSelfSigned()
	require.NoError(t, err)

	server, err := dtls.ServerWithOptions(a, b.LocalAddr(),
		dtls.WithCertificates(cert), dtls.WithCipherSuites(suite), dtls.WithExtendedMasterSecret(ems),
		dtls.WithSRTPProtectionProfiles(id), dtls.WithInsecureSkipVerify(true),
		dtls.WithKeyLogWriter((*keyLog)(tap)), dtls.WithServerHelloMessageHook(tap.serverHello))
	require.NoError(t, err)
	client, err := dtls.ClientWithOptions(b, a.LocalAddr(),
		dtls.WithCertificates(cert), dtls.WithCipherSuites(suite), dtls.WithExtendedMasterSecret(ems),
		dtls.WithSRTPProtectionProfiles(id), dtls.WithInsecureSkipVerify(true))
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })

	ctx, cancel := context.WithTimeout(t.Context(), pollTimeout)
	defer cancel()
	served := make(chan error, 1)
	go func() { served <- server.HandshakeContext(ctx) }()
	require.NoError(t, client.HandshakeContext(ctx))
	require.NoError(t, <-served)
	state, ok := client.ConnectionState()
	require.True(t, ok)
	return state
}

func TestKeysAreWhatTheClientExports(t *testing.T) {
	suites := map[string]dtls.CipherSuiteID{
		"SHA-256": dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		"SHA-384": dtls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		"CBC":     dtls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
		"ChaCha":  dtls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	}
	for name, id := range profiles() {
		for suiteName, suite := range suites {
			for emsName, ems := range map[string]dtls.ExtendedMasterSecretType{
				"EMS": dtls.RequireExtendedMasterSecret, "no EMS": dtls.DisableExtendedMasterSecret,
			} {
				t.Run(name+"/"+suiteName+"/"+emsName, func(t *testing.T) {
					var tap KeyTap
					state := dtlsPair(t, &tap, suite, ems, id)
					k, err := tap.Keys()
					require.NoError(t, err)

					p, err := profileOf(id)
					require.NoError(t, err)
					want, err := state.ExportKeyingMaterial(exporterLabel, nil, 2*(p.keyLen+p.saltLen))
					require.NoError(t, err)
					m := k.m
					got := bytes.Join([][]byte{
						m.inbound.key[:p.keyLen], m.outbound.key[:p.keyLen], m.inbound.salt[:p.saltLen], m.outbound.salt[:p.saltLen],
					}, nil)
					require.True(t, bytes.Equal(want, got), "keys differ") // not Equal: it would print them
					require.Equal(t, id, m.profile.id)

					require.Zero(t, tap.master, "the master secret is still there")
					_, err = tap.Keys()
					require.ErrorIs(t, err, ErrKeysTaken)
				})
			}
		}
	}
}

func TestKeysDoNotPrint(t *testing.T) {
	k, _ := testKeys(t, dtls.SRTP_AEAD_AES_128_GCM)
	secret := fmt.Sprintf("%x", k.m.inbound.key[:4])
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		require.NotContains(t, fmt.Sprintf(format, k), secret, format)
		require.NotContains(t, fmt.Sprintf(format, &k), secret, format)
		require.NotContains(t, fmt.Sprintf(format, struct{ K Keys }{k}), secret, format)
	}
}

func TestSetKeysWipesAndRefusesASecondSet(t *testing.T) {
	k, _ := testKeys(t, dtls.SRTP_AEAD_AES_256_GCM)
	ep := (&Engine{}).NewEndpoint(nil)
	require.ErrorIs(t, ep.SetKeys(Keys{}), ErrNoKeys)
	require.NoError(t, ep.SetKeys(k))
	require.Zero(t, k.m.inbound)
	require.Zero(t, k.m.outbound)
	again, _ := testKeys(t, dtls.SRTP_AEAD_AES_256_GCM)
	require.ErrorIs(t, ep.SetKeys(again), ErrKeysSet)
}

func TestTapBeforeAndWithoutHandshake(t *testing.T) {
	var tap KeyTap
	var se webrtc.SettingEngine
	tap.Attach(&se)
	_, err := tap.Keys()
	require.ErrorIs(t, err, ErrNoKeys)

	for _, line := range []string{
		"", "\n", "CLIENT_RANDOM\n", "CLIENT_RANDOM 00 11\n", "SERVER_TRAFFIC_SECRET_0 aa bb\n",
		"CLIENT_RANDOM " + string(bytes.Repeat([]byte("zz"), 32)) + " " + string(bytes.Repeat([]byte("00"), 48)) + "\n",
	} {
		n, errWrite := (*keyLog)(&tap).Write([]byte(line))
		require.NoError(t, errWrite)
		require.Equal(t, len(line), n)
	}
	_, err = tap.Keys()
	require.ErrorIs(t, err, ErrNoKeys)
	tap.Close()
	_, err = tap.Keys()
	require.ErrorIs(t, err, ErrKeysTaken)
}

func TestUnsupportedProfile(t *testing.T) {
	tap := KeyTap{haveHello: true, haveMaster: true, profileID: dtls.SRTP_AES128_CM_HMAC_SHA1_32}
	_, err := tap.Keys()
	require.True(t, errors.Is(err, ErrProfile), "%v", err)
}
