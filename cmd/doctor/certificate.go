package doctor

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

const (
	// soonExpired is how long before its end a certificate is spoken of, unless its whole
	// life is so short that a third of it is less: by then it should have been renewed.
	soonExpired = 14 * 24 * time.Hour
	// mostNames is how many of a certificate's names are told.
	mostNames = 4

	nameCertificate = "Certificate"
	dateOnly        = "2 January 2006"
)

// judge says whether a certificate and its chain are good for host at the time now.
// serverNow is what the server takes the time for, the zero time when it did not say: a
// certificate that is good then and not now speaks against the clock of this machine.
// Without roots those of the system are trusted.
func judge(chain []*x509.Certificate, host string, roots *x509.CertPool, now, serverNow time.Time) Check {
	if len(chain) == 0 {
		return Check{nameCertificate, Failed, "the server has shown none", []string{adviceNoCertificate(host)}}
	}
	leaf := chain[0]
	var wrong, advice []string
	if leaf.VerifyHostname(host) != nil {
		wrong = append(wrong, fmt.Sprintf("for %s, not for %s", names(leaf), host))
		advice = append(advice, fmt.Sprintf("Open the page by a name that the certificate is for, or get a certificate for %s: %s.",
			host, howToGet(host)))
	}
	if text, mend := outOfTime(leaf, now, serverNow); text != "" {
		wrong, advice = append(wrong, text), append(advice, mend)
	}
	if text, mend := untrusted(chain, roots, within(leaf, now), host); text != "" {
		wrong, advice = append(wrong, text), append(advice, mend)
	}
	if len(wrong) > 0 {
		return Check{nameCertificate, Failed, strings.Join(wrong, "; "), advice}
	}
	left := leaf.NotAfter.Sub(now)
	text := fmt.Sprintf("for %s, good for %s more", names(leaf), approximately(left))
	if left < min(soonExpired, leaf.NotAfter.Sub(leaf.NotBefore)/3) {
		return Check{
			nameCertificate, Warning, fmt.Sprintf("expires in %s, on %s", approximately(left), leaf.NotAfter.Format(dateOnly)),
			[]string{"It should have been renewed by now. " + adviceRenew},
		}
	}
	return Check{nameCertificate, Good, text, nil}
}

const adviceRenew = "With --domain the server renews it, for which the certificate authority must reach its TCP port 443 under " +
	"that name; its log says what failed. With --tls-cert and --tls-key, replace these files: they are read again without a restart. " +
	"A reverse proxy has its own."

func adviceNoCertificate(host string) string {
	return fmt.Sprintf("Give the server a certificate for %s: %s. Its log says why it has none.", host, howToGet(host))
}

// howToGet is the setting that gets a certificate for host.
func howToGet(host string) string {
	if _, err := netip.ParseAddr(host); err == nil || isLoopback(host) || !strings.Contains(host, ".") {
		return "--tls-cert and --tls-key, or give the machine a public name and use --domain with that"
	}
	return "--domain=" + host + ", or --tls-cert and --tls-key"
}

// outOfTime says that a certificate is not yet or no more valid, and what mends it.
func outOfTime(leaf *x509.Certificate, now, serverNow time.Time) (text, mend string) {
	switch {
	case now.Before(leaf.NotBefore):
		text = fmt.Sprintf("not valid before %s, %s from now", leaf.NotBefore.Format(dateOnly), approximately(leaf.NotBefore.Sub(now)))
		mend = "Is the clock of this machine right? Otherwise the certificate was made for later. " + adviceRenew
	case now.After(leaf.NotAfter):
		text = fmt.Sprintf("expired on %s, %s ago", leaf.NotAfter.Format(dateOnly), approximately(now.Sub(leaf.NotAfter)))
		mend = "Renew it. " + adviceRenew
	default:
		return "", ""
	}
	if !serverNow.IsZero() && serverNow.After(leaf.NotBefore) && serverNow.Before(leaf.NotAfter) {
		mend = fmt.Sprintf("By the server's clock, which says %s, it is valid: set the clock of this machine, which says %s.",
			serverNow.UTC().Format(time.DateTime), now.UTC().Format(time.DateTime))
	}
	return text, mend
}

// within is the time nearest to now at which the certificate is valid, so that what else
// may be wrong with it shows too.
func within(leaf *x509.Certificate, now time.Time) time.Time {
	switch {
	case now.Before(leaf.NotBefore):
		return leaf.NotBefore
	case now.After(leaf.NotAfter):
		return leaf.NotAfter
	default:
		return now
	}
}

// untrusted says why nobody vouches for a certificate, and what mends it.
func untrusted(chain []*x509.Certificate, roots *x509.CertPool, at time.Time, host string) (text, mend string) {
	leaf := chain[0]
	pool := x509.NewCertPool()
	for _, c := range chain[1:] {
		pool.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: pool, CurrentTime: at})
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	public := "Get one that every browser trusts: " + howToGet(host) + "."
	switch {
	case err == nil:
		return "", ""
	case !unknown:
		return err.Error(), public
	case bytes.Equal(leaf.RawIssuer, leaf.RawSubject):
		return "signed by itself, so nobody vouches for it", public
	case len(chain) == 1 && len(leaf.IssuingCertificateURL) > 0:
		return "without the certificates between it and its authority",
			"--tls-cert must name a file that holds the whole chain, such as fullchain.pem."
	default:
		return fmt.Sprintf("signed by %s, whom this machine does not trust", issuer(leaf)),
			"If that is an authority of your own, every client has to trust it: install its certificate there. Otherwise: " + public
	}
}

func issuer(c *x509.Certificate) string {
	if name := c.Issuer.String(); name != "" {
		return fmt.Sprintf("%q", name)
	}
	return "an authority without a name"
}

// names lists whom a certificate is for.
func names(c *x509.Certificate) string {
	all := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	switch {
	case len(all) == 0:
		return "nobody"
	case len(all) > mostNames:
		return fmt.Sprintf("%s and %d more", strings.Join(all[:mostNames], ", "), len(all)-mostNames)
	default:
		return strings.Join(all, ", ")
	}
}
