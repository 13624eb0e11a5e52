package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
	"golang.org/x/time/rate"
)

// Ports that a URL need not name (RFC 9110, sections 4.2.1 and 4.2.2).
const (
	httpDefaultPort  = 80
	httpsDefaultPort = 443
)

// reloadInterval is how often at most the certificate's files are looked at.
const reloadInterval = time.Second

// certificates says where the certificate comes from, in the terms of crypto/tls.
type certificates struct {
	config *tls.Config
	// challenges answers ACME's HTTP-01 challenges (RFC 8555, section 8.3) and leaves all
	// else to the given handler.
	challenges func(http.Handler) http.Handler
	// reload reads the certificate's files again. Nil: there are none.
	reload func()
	// obtain gets the certificate of one of the domains, which may take minutes. Nil: there
	// is nothing to be got.
	obtain func(domain string) (*tls.Certificate, error)
}

// newCertificates returns nil when the configuration has no certificate.
func newCertificates(cfg Config, log *zap.Logger) (*certificates, error) {
	certs := &certificates{
		config: &tls.Config{
			MinVersion: tls.VersionTLS12,
			// The gateway's WebSockets need HTTP/1.1 (RFC 6455, section 4.1). TURN clients need
			// not name their protocol, but those that do name this one (RFC 7443, section 3).
			NextProtos: []string{"http/1.1", "stun.turn"},
		},
		challenges: func(h http.Handler) http.Handler { return h },
	}
	switch {
	case cfg.TLSCert != "":
		files := &certificateFiles{cert: cfg.TLSCert, key: cfg.TLSKey, log: log}
		if err := files.load(); err != nil {
			return nil, err
		}
		certs.config.GetCertificate = files.get
		certs.reload = files.reload
	case len(cfg.Domain) > 0:
		manager, err := newACME(cfg)
		if err != nil {
			return nil, err
		}
		certs.config.GetCertificate = acmeCertificate(manager, cfg.Domain, log)
		certs.config.NextProtos = append(certs.config.NextProtos, acme.ALPNProto)
		certs.challenges = manager.HTTPHandler
		certs.obtain = func(domain string) (*tls.Certificate, error) {
			return manager.GetCertificate(&tls.ClientHelloInfo{ // of a client of today: else it would be of RSA
				ServerName: domain, SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
				SupportedCurves: []tls.CurveID{tls.CurveP256}, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
			})
		}
	default:
		return nil, nil //nolint:nilnil // documented
	}
	return certs, nil
}

// acmeLogInterval is how often at most it is logged that there is no certificate: clients
// ask for one again and again.
const acmeLogInterval = 10 * time.Second

// acmeCertificate is the manager's GetCertificate with a word to the operator when it fails.
// The manager may wait for the authority for minutes; a client, and who closes the server,
// wait no longer than the handshake may take.
func acmeCertificate(manager *autocert.Manager, domains []string, log *zap.Logger) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	type answer struct {
		cert *tls.Certificate
		err  error
	}
	get := func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		answers := make(chan answer, 1)
		go func() {
			cert, err := manager.GetCertificate(hello)
			answers <- answer{cert, err}
		}()
		select {
		case a := <-answers:
			return a.cert, a.err
		case <-hello.Context().Done():
			return nil, fmt.Errorf("the authority has not given it yet: %w", hello.Context().Err())
		}
	}
	sometimes := &rate.Sometimes{Interval: acmeLogInterval}
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if hello.ServerName == "" { // TURN clients need not send one
			hello.ServerName = domains[0]
		}
		cert, err := get(hello)
		// Names that are not ours are asked for by scanners all day.
		if err != nil && !errors.Is(err, context.Canceled) && slices.Contains(domains, hello.ServerName) {
			sometimes.Do(func() {
				log.Warn(noCertificate,
					zap.String("domain", hello.ServerName), zap.Error(err))
			})
		}
		return cert, err //nolint:wrapcheck // crypto/tls only tells the client that it failed
	}
}

// tryCertificates gets the certificate of every domain and logs how that went, so that it is
// the operator who learns of trouble first and not the clients. Challenges have to be answered
// meanwhile. It returns when all is said or ctx is done.
func tryCertificates(ctx context.Context, certs *certificates, domains []string, log *zap.Logger) {
	for _, domain := range domains {
		said := make(chan struct{})
		go func() {
			defer close(said)
			cert, err := certs.obtain(domain)
			switch {
			case ctx.Err() != nil:
			case err != nil:
				log.Warn(noCertificate, zap.String("domain", domain), zap.Error(err))
			default:
				log.Info("the certificate is there", zap.String("domain", domain), zap.Time("until", cert.Leaf.NotAfter))
			}
		}()
		select {
		case <-said:
		case <-ctx.Done():
			return
		}
	}
}

// noCertificate is logged with the domain and the authority's error.
const noCertificate = "no certificate from the authority; does the name lead here, and its port 443 to the TLS port?"

// newACME returns a manager that gets certificates for the configured domains and renews
// them in the background.
func newACME(cfg Config) (*autocert.Manager, error) {
	client := &acme.Client{DirectoryURL: cfg.ACMEDirectory}
	if cfg.ACMERoot != "" {
		pem, err := os.ReadFile(cfg.ACMERoot)
		if err != nil {
			return nil, fmt.Errorf("%w (--acme-root)", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, badValue("acme-root", cfg.ACMERoot, "must be a file of certificates in PEM")
		}
		client.HTTPClient = &http.Client{Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		}}
	}
	return &autocert.Manager{
		Prompt: autocert.AcceptTOS, Client: client, Email: cfg.ACMEEmail,
		HostPolicy: autocert.HostWhitelist(cfg.Domain...),
		Cache:      autocert.DirCache(filepath.Join(cfg.Data, "acme")),
	}, nil
}

// certificateFiles is a certificate in two files, read again when they change. Safe for
// concurrent use.
type certificateFiles struct {
	cert, key string // paths
	log       *zap.Logger

	mu      sync.Mutex // guards the fields below
	current *tls.Certificate
	stamp   [2]fileStamp
	looked  time.Time
}

// fileStamp tells whether a file has changed.
type fileStamp struct {
	at   time.Time
	size int64
}

// get is for tls.Config.GetCertificate. Files that cannot be read leave the certificate as
// it was, so that one half of a change does no harm.
func (f *certificateFiles) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := time.Now(); now.Sub(f.looked) >= reloadInterval {
		f.looked = now
		f.reloadLocked()
	}
	return f.current, nil
}

func (f *certificateFiles) reloadLocked() {
	if stamp := f.stampFiles(); stamp != f.stamp {
		f.readLocked(stamp)
	}
}

// reload reads the files although nothing may have changed, and logs how that went.
func (f *certificateFiles) reload() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readLocked(f.stampFiles())
}

func (f *certificateFiles) readLocked(stamp [2]fileStamp) {
	f.stamp = stamp
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		f.log.Warn("the new certificate is not used", zap.String("cert", f.cert), zap.String("key", f.key), zap.Error(err))
		return
	}
	f.current = &pair
	f.log.Info("certificate reloaded", zap.String("cert", f.cert))
}

// load reads the files for the first time.
func (f *certificateFiles) load() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stamp = f.stampFiles()
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return fmt.Errorf("certificate (--tls-cert %s, --tls-key %s): %w", f.cert, f.key, err)
	}
	f.current = &pair
	return nil
}

func (f *certificateFiles) stampFiles() [2]fileStamp {
	var stamps [2]fileStamp
	for i, path := range []string{f.cert, f.key} {
		if info, err := os.Stat(path); err == nil {
			stamps[i] = fileStamp{info.ModTime(), info.Size()}
		}
	}
	return stamps
}

// errNoHost is why a request cannot be sent on to HTTPS.
var errNoHost = errors.New("the request does not say which host it is for")

// redirect sends people who came by plain HTTP to the same page on the HTTPS port.
func redirect(httpsPort int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := hostOf(r.Host)
		if host == "" {
			http.Error(w, errNoHost.Error(), http.StatusBadRequest)
			return
		}
		to := "https://" + joinPort(host, httpsPort, httpsDefaultPort) + r.URL.RequestURI()
		http.Redirect(w, r, to, http.StatusPermanentRedirect) //nolint:gosec // to the host they came to
	})
}
