package cluster

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// introduction is what a node says of itself in the certificate by which it connects, so that nodes that do not go together know why
// before they are connected. As with beats, later versions add to it and change no meaning.
type introduction struct {
	Protocol int      `json:"v"`
	Name     string   `json:"name"`
	Boot     string   `json:"boot"`
	Keys     []string `json:"keys"`
	Nodes    []string `json:"nodes,omitempty"`
}

// introductionOID is where it stands: below 2.25 anybody may use a number that is a random UUID (X.667).
func introductionOID() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{2, 25, 1390571839, 402817, 77}
}

// errRefused ends a handshake. Why has been said.
var errRefused = errors.New("the node was refused")

// door is how nodes are let in over TLS.
//
// All nodes have one key pair, which is made of the cluster secret: who proves in the handshake that it has the private key has the
// secret. There is no authority, no name and no date to be checked, so nothing to be distributed and nothing that a wrong clock
// could break. What else the certificate says is as good as the key, since TLS 1.3 signs it (RFC 8446, section 4.4.3).
type door struct {
	key  ed25519.PrivateKey
	self NodeID
	// identity is what others must have in common with this node.
	identity func() Identity
	// refuse says why a node is not let in, "" if it is; it is asked only about those with the same secret.
	refuse func(introduction) string
	// refused is told of who was not.
	refused func(name, why string)
}

// config is for both ends of a connection.
func (d *door) config() *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		ClientAuth:             tls.RequireAnyClientCert,
		GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return d.certificate() },
		GetClientCertificate:   func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return d.certificate() },
		InsecureSkipVerify:     true, //nolint:gosec // VerifyConnection verifies more: that the key is the one of the cluster
		VerifyConnection:       d.verify,
		SessionTicketsDisabled: true, // who is let in is decided anew each time
	}
}

func (d *door) certificate() (*tls.Certificate, error) {
	own := d.identity()
	says, err := json.Marshal(introduction{own.Protocol, d.self.Name, d.self.Boot, own.Keys, own.Nodes})
	if err != nil {
		return nil, fmt.Errorf("introduce this node: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:    big.NewInt(1),
		Subject:         pkix.Name{CommonName: d.self.Name},
		NotAfter:        time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // RFC 5280, section 4.1.2.5: no end
		ExtraExtensions: []pkix.Extension{{Id: introductionOID(), Value: says}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, d.key.Public(), d.key)
	if err != nil {
		return nil, fmt.Errorf("introduce this node: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: d.key}, nil
}

// verify lets a node in, or not.
func (d *door) verify(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return errRefused
	}
	cert := state.PeerCertificates[0]
	says := introduction{Name: cert.Subject.CommonName}
	for _, extension := range cert.Extensions {
		if extension.Id.Equal(introductionOID()) && json.Unmarshal(extension.Value, &says) != nil {
			says = introduction{}
		}
	}
	own := d.identity()
	other := Identity{Protocol: says.Protocol, Proof: own.Proof, Keys: says.Keys, Nodes: says.Nodes}
	public, ok := cert.PublicKey.(ed25519.PublicKey)
	if !ok || !public.Equal(d.key.Public()) {
		other.Proof = ""
	}
	why := own.differs(&other)
	if why == "" {
		why = d.refuse(says)
	}
	if why == "" {
		return nil
	}
	name := says.Name
	if checkName(name) != nil { // a stranger's may be anything
		name = "a stranger"
	}
	d.refused(name, why)
	return errRefused
}
