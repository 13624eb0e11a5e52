package e2e

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/app"
)

// relayOnly makes every connection of the pages to come use one of the server's TURN URLs
// and nothing else.
func (b *participant) relayOnly(prefix, transport string) {
	b.t.Helper()
	script := fmt.Sprintf(`{
		const Native = RTCPeerConnection;
		window.RTCPeerConnection = class extends Native {
			constructor(config) {
				const iceServers = config.iceServers.map((server) => ({
					...server, urls: server.urls.filter((url) => url.startsWith(%q) && url.endsWith(%q)).slice(0, 1),
				}));
				super({ ...config, iceServers, iceTransportPolicy: 'relay' });
				window.connection = this;
			}
		};
	}`, prefix, transport)
	_, err := chromedp.Call(b.tab, page.AddScriptToEvaluateOnNewDocument,
		page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
	require.NoError(b.t, err)
}

// way returns the type of the local candidate in use, and the protocol to the relay.
func (b *participant) way() string {
	b.t.Helper()
	return evaluate[string](b, `(async () => {
		const stats = await window.connection.getStats();
		const transport = [...stats.values()].find((s) => s.type === 'transport');
		const local = stats.get(stats.get(transport.selectedCandidatePairId).localCandidateId);
		return local.candidateType + ' ' + local.relayProtocol;
	})()`)
}

// pinned makes a browser trust a certificate.
func pinned(t *testing.T, cert, key string) browserOption {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(cert, key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	require.NoError(t, err)
	pin := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	return func(flags map[string]any) {
		flags["ignore-certificate-errors-spki-list"] = base64.StdEncoding.EncodeToString(pin[:])
	}
}

// TestBrowserRelay has a page that is relayed over TCP talk with one that is relayed over
// TLS.
func TestBrowserRelay(t *testing.T) {
	verifyNoLeaks(t)
	cert, key := certify(t, t.TempDir(), "127.0.0.1")
	s := startServer(t, func(cfg *app.Config) {
		cfg.HTTPS, cfg.TLSCert, cfg.TLSKey = "127.0.0.1:0", cert, key
	})
	trust := pinned(t, cert, key)
	ada := startBrowser(t, "Ada", toneAda, trust)
	ada.relayOnly("turn:", "transport=tcp")
	ben := startBrowser(t, "Ben", toneBen, trust)
	ben.relayOnly("turns:", "transport=tcp")
	all := []*participant{ada, ben}
	for _, one := range all {
		one.signIn(s)
		one.join("lobby")
	}
	require.Equal(t, "relay tcp", ada.way())
	require.Equal(t, "relay tls", ben.way())
	// The connection panel names the transport to the relay.
	const panel = "import('/js/words/figures.js').then(({ wayWords }) => wayWords(livechat.media.meter.facts) === 'Relayed, TURN by %s, IPv4')"
	ada.until("the panel says TCP", fmt.Sprintf(panel, "TCP"))
	ben.until("the panel says TLS", fmt.Sprintf(panel, "TLS"))
	ada.hears(all, ben)
	ben.hears(all, ada)
	for _, one := range all {
		one.noComplaints()
	}
}
