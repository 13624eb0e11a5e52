package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// sessions opens identified sessions.
func sessions(t *testing.T, url string, n int) []*client.Client {
	t.Helper()
	all := make([]*client.Client, n)
	for i := range all {
		guest, err := client.Guest(t.Context(), url, "Ada")
		require.NoError(t, err)
		all[i], err = client.Dial(t.Context(), url, client.Options{Token: guest.Token, EventBuffer: -1, NoReconnect: true})
		require.NoError(t, err)
		t.Cleanup(func() { _ = all[i].Close() })
	}
	return all
}

// stall opens a connection, sends the beginning of something, and says no more.
func stall(t *testing.T, url, beginning string) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, beginning)
	require.NoError(t, err)
}

const halfPOST = "POST /api/guest HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"

// Stalled requests keep no session from hearing that the server goes, and are no failure.
func TestStopBesideStalledRequests(t *testing.T) {
	t.Parallel()
	cmd := livechat(t, nil, "--http=127.0.0.1:0", "--udp=127.0.0.1:0", "--turn-udp=", "--turn-tcp=")
	url, log := started(t, cmd)
	for _, beginning := range []string{halfPOST, "GET / HTTP/1.1\r\nHost: loc", "", "G"} {
		stall(t, url, beginning)
	}
	all := sessions(t, url, 10)

	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, c := range all {
		select {
		case <-c.Done():
		case <-ctx.Done():
			t.Fatal("a session was not ended")
		}
		closed, ok := errors.AsType[*client.CloseError](c.Err())
		require.True(t, ok, "%v", c.Err())
		require.Equal(t, protocol.CloseRestarting, closed.Code)
	}
	require.NoError(t, cmd.Wait(), "exit code 0: %s", log)
	require.Contains(t, log.String(), "unfinished HTTP requests are cut off")
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	for _, which := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		// The server is away soon after the first signal, perhaps before the second comes.
		killed := false
		for try := 0; try < 10 && !killed; try++ {
			killed = killedBySecond(t, which)
		}
		require.True(t, killed, "the second %s is not heeded", which)
	}
}

// killedBySecond sends a server a signal twice and reports whether the second has killed it.
func killedBySecond(t *testing.T, which syscall.Signal) bool {
	t.Helper()
	cmd := livechat(t, nil, "--http=127.0.0.1:0", "--udp=127.0.0.1:0", "--turn-udp=", "--turn-tcp=")
	url, _ := started(t, cmd)
	stall(t, url, halfPOST) // holds the end up for a second
	require.NoError(t, cmd.Process.Signal(which))
	require.Eventually(t, func() bool {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	}, patience, time.Millisecond, "the first signal is heeded")
	_ = cmd.Process.Signal(which)
	exit, ok := errors.AsType[*exec.ExitError](cmd.Wait())
	if !ok {
		return false
	}
	status, _ := exit.Sys().(syscall.WaitStatus)
	require.True(t, status.Signaled(), "%v", exit)
	require.Equal(t, which, status.Signal())
	return true
}

// TestHangupReloads: SIGHUP has the certificate read again, and ends nothing.
func TestHangupReloads(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePair(t, cert, key, 1)
	cmd := livechat(t, nil, "--http=127.0.0.1:0", "--udp=127.0.0.1:0", "--turn-udp=", "--turn-tcp=",
		"--https=127.0.0.1:0", "--tls-cert="+cert, "--tls-key="+key)
	url, log := startedReading(t, cmd)
	require.EqualValues(t, 1, serial(t, url))
	writePair(t, cert, key, 2)
	require.NoError(t, cmd.Process.Signal(syscall.SIGHUP))
	log.until(t, "certificate reloaded")
	require.EqualValues(t, 2, serial(t, url))
	// What cannot be read is said, and the old one stays.
	require.NoError(t, os.WriteFile(key, []byte("no key"), 0o600))
	require.NoError(t, cmd.Process.Signal(syscall.SIGHUP))
	log.until(t, "the new certificate is not used")
	require.EqualValues(t, 2, serial(t, url))
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
}

func TestHangupWithNothingToReload(t *testing.T) {
	t.Parallel()
	cmd := livechat(t, nil, "--http=127.0.0.1:0", "--udp=127.0.0.1:0", "--turn-udp=", "--turn-tcp=")
	url, log := startedReading(t, cmd)
	one := sessions(t, url, 1)[0]
	require.NoError(t, cmd.Process.Signal(syscall.SIGHUP))
	log.until(t, "settings are read at the start only")
	require.Equal(t, http.StatusOK, get(t, url+"/healthz"))
	require.NoError(t, one.Err())
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
}

// logLines is what a server logs, as it comes.
type logLines struct{ lines chan string }

// startedReading is started for tests that wait for words in the log.
func startedReading(t *testing.T, cmd *exec.Cmd) (url string, log *logLines) {
	t.Helper()
	stderr, write, err := os.Pipe()
	require.NoError(t, err)
	log = &logLines{make(chan string, 1000)}
	go func() {
		defer close(log.lines)
		for scanner := bufio.NewScanner(stderr); scanner.Scan(); {
			log.lines <- scanner.Text()
		}
	}()
	t.Cleanup(func() { _ = stderr.Close() })
	cmd.Stderr = write
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	require.NoError(t, write.Close())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(strings.TrimPrefix(line, "Mini LiveChat is at ")), log
}

// until waits for a line with these words.
func (l *logLines) until(t *testing.T, words string) {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case line, open := <-l.lines:
			require.True(t, open, "the server ended without %q", words)
			if strings.Contains(line, words) {
				return
			}
		case <-timeout:
			t.Fatalf("no %q in the log", words)
		}
	}
}

// writePair makes a certificate with this serial number.
func writePair(t *testing.T, cert, key string, number int64) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(number), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	require.NoError(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
}

// serial is the serial number of the certificate that a server shows.
func serial(t *testing.T, url string) int64 {
	t.Helper()
	dialer := websocket.Dialer{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	conn, response, err := dialer.DialContext(t.Context(), "wss"+strings.TrimPrefix(url, "https")+"/ws", nil)
	require.NoError(t, err)
	defer conn.Close()
	defer response.Body.Close()
	secure, ok := conn.NetConn().(*tls.Conn)
	require.True(t, ok)
	return secure.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}
