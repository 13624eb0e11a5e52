package cluster

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/porttest"
	"github.com/mini-livechat/mini-livechat/signaling/store"
)

// foreign is a NATS server that is run for something else too, with TLS.
type foreign struct {
	t      *testing.T
	server *server.Server
	ca     string // a file of who signs its certificate
	host   string // and port
}

func startForeign(t *testing.T, change func(*server.Options)) *foreign {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "NATS"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	f := &foreign{t: t, ca: filepath.Join(t.TempDir(), "ca.pem")}
	require.NoError(t, os.WriteFile(f.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	opts := &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir(),
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, TLSTimeout: 5,
	}
	change(opts)
	f.server, err = server.NewServer(opts)
	require.NoError(t, err)
	f.server.Start()
	t.Cleanup(func() {
		f.server.Shutdown()
		f.server.WaitForShutdown()
	})
	require.True(t, f.server.ReadyForConnections(patience))
	f.host = f.server.Addr().String()
	return f
}

// by has a node reach it as somebody.
func (f *foreign) by(who string) func(*Config) {
	return func(c *Config) { c.NATS, c.CA = []string{"tls://" + who + f.host}, f.ca }
}

// withOperator has users be known by what an operator has signed, and returns the file of one who may use JetStream.
func withOperator(t *testing.T) (change func(*server.Options), credentials string) {
	t.Helper()
	pair := func(create func() (nkeys.KeyPair, error)) (nkeys.KeyPair, string) {
		keys, err := create()
		require.NoError(t, err)
		public, err := keys.PublicKey()
		require.NoError(t, err)
		return keys, public
	}
	operatorKeys, operatorID := pair(nkeys.CreateOperator)
	accountKeys, accountID := pair(nkeys.CreateAccount)
	systemKeys, systemID := pair(nkeys.CreateAccount)
	userKeys, userID := pair(nkeys.CreateUser)
	operator := jwt.NewOperatorClaims(operatorID)
	operator.SystemAccount = systemID
	resolver := new(server.MemAccResolver)
	for id, keys := range map[string]nkeys.KeyPair{accountID: accountKeys, systemID: systemKeys} {
		account := jwt.NewAccountClaims(id)
		if keys == accountKeys {
			account.Limits.DiskStorage = -1
		}
		signed, err := account.Encode(operatorKeys)
		require.NoError(t, err)
		require.NoError(t, resolver.Store(id, signed))
	}
	user, err := jwt.NewUserClaims(userID).Encode(accountKeys)
	require.NoError(t, err)
	seed, err := userKeys.Seed()
	require.NoError(t, err)
	text, err := jwt.FormatUserConfig(user, seed)
	require.NoError(t, err)
	credentials = filepath.Join(t.TempDir(), "livechat.creds")
	require.NoError(t, os.WriteFile(credentials, text, 0o600))
	return func(o *server.Options) {
		o.TrustedOperators, o.AccountResolver, o.SystemAccount = []*jwt.OperatorClaims{operator}, resolver, systemID
	}, credentials
}

func byPassword(o *server.Options) {
	o.Users = []*server.User{{Username: "livechat", Password: "hunter2hunter2"}}
}

// A NATS that exists, with TLS, knows the nodes by whatever it wants, and keeps their log.
func TestForeignNATS(t *testing.T) {
	signed, credentials := withOperator(t)
	for name, one := range map[string]struct {
		server func(*server.Options)
		node   func(*foreign) func(*Config)
	}{
		"a password": {byPassword, func(f *foreign) func(*Config) { return f.by("livechat:hunter2hunter2@") }},
		"a token":    {func(o *server.Options) { o.Authorization = "t0ken" }, func(f *foreign) func(*Config) { return f.by("t0ken@") }},
		"credentials": {signed, func(f *foreign) func(*Config) {
			return func(c *Config) {
				f.by("")(c)
				c.Credentials = credentials
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			tw := found(t, "a", "b")
			there := one.node(startForeign(t, one.server))
			all := tw.keepWith(there, "a", "b")
			tw.see(all[0].Cluster, "b")
			all[0].write(t, done("by a"))
			all[1].write(t, done("by b"))
			require.Eventually(t, func() bool { return len(deeds(t, all[0].store)) == 2 }, patience, 10*time.Millisecond)
			require.Equal(t, deeds(t, all[0].store), deeds(t, all[1].store))
			for _, k := range all {
				k.close(t)
			}
		})
	}
}

// A reader whose place in the log is gone says so instead of waiting for it, and stores read on.
func TestReaderOfTheLogThatIsGone(t *testing.T) {
	tw := found(t, "a", "b")
	all := tw.keepWith(startForeign(t, byPassword).by("livechat:hunter2hunter2@"), "a", "b")
	all[0].write(t, done("before"))
	read, ended := make(chan uint64, 1), make(chan error, 1)
	go func() {
		ended <- all[0].log.Follow(t.Context(), 1, func(index uint64, _ []byte) error {
			read <- index
			return nil
		})
	}()
	require.Equal(t, uint64(1), <-read)
	stream, err := all[0].stream.Stream(t.Context(), logStream)
	require.NoError(t, err)
	for name := range stream.ConsumerNames(t.Context()).Name() {
		require.NoError(t, stream.DeleteConsumer(t.Context(), name))
	}
	require.ErrorContains(t, <-ended, "read the log")
	for i, k := range all {
		k.write(t, done(fmt.Sprint("after, by ", i)))
	}
	for _, k := range all {
		require.Eventually(t, func() bool { return len(deeds(t, k.store)) == 3 }, patience, 10*time.Millisecond)
		k.close(t)
	}
}

// A slow reader from under whom the log is taken away does not go on behind what it missed.
func TestLogShortenedUnderAReader(t *testing.T) {
	tw := found(t, "a")
	a := tw.keepWith(startForeign(t, byPassword).by("livechat:hunter2hunter2@"), "a")[0]
	a.write(t, done("first"))
	reads, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	last := uint64(0)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go func() {
		ended <- a.log.Follow(ctx, 1, func(index uint64, _ []byte) error {
			if index == 1 {
				close(reads)
				<-goOn
			}
			last = index
			return nil
		})
	}()
	<-reads
	const ahead, more = 500, 40 // ahead is what a reader has sent to it at most, before it has read it
	var writing sync.WaitGroup
	for i := range ahead + more {
		writing.Go(func() { a.write(t, done(fmt.Sprint(i))) })
	}
	writing.Wait()
	stream, err := a.stream.Stream(t.Context(), logStream)
	require.NoError(t, err)
	require.NoError(t, stream.Purge(t.Context(), jetstream.WithPurgeSequence(ahead+more)))
	close(goOn)
	require.ErrorIs(t, <-ended, store.ErrTrimmed)
	require.Less(t, last, uint64(ahead+more))
	a.close(t)
}

// What is wrong with a NATS, or with what it is told, is said in words that have no password in them.
func TestForeignNATSRefuses(t *testing.T) {
	tw := found(t, "a") // before the servers, which end before it looks for what is left
	passwords := startForeign(t, byPassword)
	signed, credentials := withOperator(t)
	operated := startForeign(t, signed)
	_, stranger := withOperator(t)
	garbage := filepath.Join(t.TempDir(), "garbage.creds")
	require.NoError(t, os.WriteFile(garbage, []byte("nothing"), 0o600))
	bare := startForeign(t, func(o *server.Options) { o.TLSConfig = nil })
	closed := porttest.Addr(t)
	by := func(f *foreign, credentials string) func(*Config) {
		return func(c *Config) {
			f.by("")(c)
			c.Credentials = credentials
		}
	}
	for name, one := range map[string]struct {
		change func(*Config)
		says   []string
	}{
		"a wrong password":      {passwords.by("livechat:hunter3hunter3@"), []string{"does not let this server in", passwords.host, "USER:PASSWORD@"}},
		"no password":           {passwords.by(""), []string{"does not let this server in"}},
		"another's credentials": {by(operated, stranger), []string{"does not let this server in", "--nats-credentials"}},
		"garbage credentials":   {by(operated, garbage), []string{"NATS at", garbage}},
		"an unknown authority":  {func(c *Config) { by(operated, credentials)(c); c.CA = "" }, []string{"nobody who is known here", "--nats-ca"}},
		"no TLS":                {func(c *Config) { bare.by("")(c) }, []string{"has no TLS"}},
		"nobody there":          {func(c *Config) { c.NATS = []string{"tls://u:hunter2hunter2@" + closed} }, []string{"cannot be reached", closed}},
	} {
		cfg := tw.config("a")
		one.change(&cfg)
		_, err := Open(cfg)
		for _, says := range one.says {
			require.ErrorContains(t, err, says, name)
		}
		require.NotContains(t, err.Error(), "hunter", name)
	}
}

// A NATS without JetStream keeps nothing: a node waits for that, and says so.
func TestForeignNATSKeepsNothing(t *testing.T) {
	tw := found(t, "a", "b")
	f := startForeign(t, func(o *server.Options) { byPassword(o); o.JetStream = false })
	cfg := tw.config("a")
	f.by("livechat:hunter2hunter2@")(&cfg)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := tw.keepAs(ctx, cfg)
		ended <- err
	}()
	var waits string
	require.Eventually(t, func() bool {
		tw.mu.Lock()
		defer tw.mu.Unlock()
		for _, line := range tw.logs["a"].All() {
			waits = fmt.Sprint(line.ContextMap()["waiting"])
			if strings.Contains(waits, "for NATS to have JetStream") {
				return true
			}
		}
		return false
	}, patience, 10*time.Millisecond, "it waits %s", &waits)
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
}
