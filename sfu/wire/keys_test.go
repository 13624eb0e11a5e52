package wire

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"testing"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/selfsign"
	"github.com/stretchr/testify/require"
)

// dtlsPair shakes hands over loopback and returns the keys of the server and the state of the client.
func dtlsPair(t *testing.T, suite dtls.CipherSuiteID, ems dtls.ExtendedMasterSecretType, id dtls.SRTPProtectionProfile) (Keys, dtls.State) {
	t.Helper()
	a, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(loopback()))
	require.NoError(t, err)
	b, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(loopback()))
	require.NoError(t, err)
	cert, err := selfsign.GenerateSelfSigned()
	require.NoError(t, err)

	server, err := dtls.ServerWithOptions(a, b.LocalAddr(),
		dtls.WithCertificates(cert), dtls.WithCipherSuites(suite), dtls.WithExtendedMasterSecret(ems),
		dtls.WithSRTPProtectionProfiles(id), dtls.WithInsecureSkipVerify(true))
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
	keys, err := exportKeys(server)
	require.NoError(t, err)
	return keys, state
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
					k, state := dtlsPair(t, suite, ems, id)
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
	require.ErrorIs(t, ep.setKeys(Keys{}), ErrNoKeys)
	require.NoError(t, ep.setKeys(k))
	require.Zero(t, k.m.inbound)
	require.Zero(t, k.m.outbound)
	again, _ := testKeys(t, dtls.SRTP_AEAD_AES_256_GCM)
	require.ErrorIs(t, ep.setKeys(again), ErrKeysSet)
}

func TestUnsupportedProfile(t *testing.T) {
	_, err := profileOf(dtls.SRTP_AES128_CM_HMAC_SHA1_32)
	require.ErrorIs(t, err, ErrProfile)
}
