package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const day = 24 * time.Hour

// authority signs certificates for voice.example.org; each change alters what is signed.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string, parent *authority, now time.Time) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.Add(-1000 * day), NotAfter: now.Add(1000 * day),
	}
	signer := &authority{cert: template, key: key}
	if parent != nil {
		signer = parent
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer.cert, key.Public(), signer.key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &authority{t, cert, key}
}

func (a *authority) sign(begin, end time.Time, change ...func(*x509.Certificate)) *x509.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "server"}, DNSNames: []string{"voice.example.org"},
		NotBefore: begin, NotAfter: end,
	}
	for _, f := range change {
		f(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	require.NoError(a.t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(a.t, err)
	return cert
}

func TestJudge(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)
	root := newAuthority(t, "Root", nil, now)
	middle := newAuthority(t, "Middle", root, now)
	roots := x509.NewCertPool()
	roots.AddCert(root.cert)
	good := root.sign(now.Add(-30*day), now.Add(60*day))
	expired := root.sign(now.Add(-90*day), now.Add(-3*day))
	withAIA := func(c *x509.Certificate) { c.IssuingCertificateURL = []string{"http://ca.example.org/middle.der"} }

	for name, test := range map[string]struct {
		chain  []*x509.Certificate
		host   string
		server time.Time // its clock; the zero time is now
		want   Status
		says   []string
	}{
		"good":                      {chain: []*x509.Certificate{good}, want: Good, says: []string{"for voice.example.org, good for 60 days more"}},
		"good with a chain":         {chain: []*x509.Certificate{middle.sign(now.Add(-day), now.Add(89*day)), middle.cert}, want: Good},
		"none":                      {want: Failed, says: []string{"--domain=voice.example.org"}},
		"another name":              {chain: []*x509.Certificate{good}, host: "other.example.org", want: Failed, says: []string{"for voice.example.org, not for other.example.org", "--domain=other.example.org"}},
		"an address":                {chain: []*x509.Certificate{good}, host: "192.0.2.1", want: Failed, says: []string{"not for 192.0.2.1", "give the machine a public name"}},
		"this machine's name":       {chain: []*x509.Certificate{good}, host: "localhost", want: Failed, says: []string{"not for localhost", "a public name"}},
		"expired":                   {chain: []*x509.Certificate{expired}, want: Failed, says: []string{"expired on 12 June 2026, 3 days ago", "port 443", "--tls-cert"}},
		"expired by our clock only": {chain: []*x509.Certificate{expired}, server: now.Add(-10 * day), want: Failed, says: []string{"set the clock of this machine, which says 2026-06-15"}},
		"not yet valid":             {chain: []*x509.Certificate{root.sign(now.Add(2*day), now.Add(90*day))}, want: Failed, says: []string{"not valid before 17 June 2026, 2 days from now", "clock"}},
		"soon expired":              {chain: []*x509.Certificate{root.sign(now.Add(-80*day), now.Add(10*day))}, want: Warning, says: []string{"expires in 10 days, on 25 June 2026", "renew"}},
		"short but young":           {chain: []*x509.Certificate{root.sign(now.Add(-day), now.Add(5*day))}, want: Good},
		"short and old":             {chain: []*x509.Certificate{root.sign(now.Add(-5*day), now.Add(day))}, want: Warning, says: []string{"expires in 1 day"}},
		"chain incomplete":          {chain: []*x509.Certificate{middle.sign(now.Add(-day), now.Add(89*day), withAIA)}, want: Failed, says: []string{"between it and its authority", "fullchain.pem"}},
		"unknown authority":         {chain: []*x509.Certificate{newAuthority(t, "Ours", nil, now).sign(now.Add(-day), now.Add(89*day))}, want: Failed, says: []string{`"CN=Ours"`, "every client has to trust it"}},
		"signed by itself": {chain: []*x509.Certificate{newAuthority(t, "Self", nil, now).cert}, want: Failed, says: []string{
			"for nobody, not for voice.example.org", "signed by itself", "--domain=voice.example.org",
		}},
		"expired and unknown": {chain: []*x509.Certificate{newAuthority(t, "Ours", nil, now).sign(now.Add(-90*day), now.Add(-day))}, want: Failed, says: []string{"expired", "does not trust"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host, server := test.host, test.server
			if host == "" {
				host = "voice.example.org"
			}
			if server.IsZero() {
				server = now
			}
			c := judge(test.chain, host, roots, now, server)
			require.Equal(t, test.want, c.Status, "%+v", c)
			for _, says := range test.says {
				require.Contains(t, c.Text+" "+join(c.Advice), says)
			}
			require.Equal(t, c.Status == Good, len(c.Advice) == 0)
		})
	}
}
