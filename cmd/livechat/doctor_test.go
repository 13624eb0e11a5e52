package main

import (
	"encoding/json"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/porttest"
)

func TestDoctor(t *testing.T) {
	t.Parallel()
	server := livechat(t, nil, "--http=127.0.0.1:0", "--udp=127.0.0.1:0", "--turn-udp=127.0.0.1:0", "--turn-tcp=127.0.0.1:0")
	url, log := started(t, server)
	stdout, stderr, code := output(t, livechat(t, nil, "doctor", url))
	require.Zero(t, code, "%s%s", stdout, log)
	require.Empty(t, stderr)
	require.Contains(t, stdout, "✓ WebSocket")
	require.NotContains(t, stdout, "\x1b")
	require.Regexp(t, `\nVoice works from here: direct UDP, (under )?\d+ ms\.\n$`, stdout)

	stdout, _, code = output(t, livechat(t, nil, "doctor", "--json", strings.TrimPrefix(url, "http://")))
	require.Zero(t, code)
	var report struct {
		Works  bool
		Checks []struct{ Name, Status string }
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &report), stdout)
	require.True(t, report.Works)
	require.Greater(t, len(report.Checks), 8)
}

func TestDoctorFails(t *testing.T) {
	t.Parallel()
	stdout, stderr, code := output(t, livechat(t, nil, "doctor", "http://"+porttest.Addr(t)))
	require.Equal(t, exitFailure, code)
	require.Empty(t, stderr, "the report says it all")
	require.Contains(t, stdout, "✗ Address")
	require.Contains(t, stdout, "Voice cannot work from here.")

	stdout, stderr, code = output(t, livechat(t, nil, "doctor", "ftp://example.org"))
	require.Equal(t, exitUsage, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "https://voice.example.org")
}

func TestDoctorEndsWhenInterrupted(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	cmd := livechat(t, nil, "doctor", "http://"+l.Addr().String())
	require.NoError(t, cmd.Start())
	for range 2 { // its knock at the port, and its question for the page, which stays open
		_, err = l.Accept()
		require.NoError(t, err)
	}
	begin := time.Now()
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Error(t, cmd.Wait())
	require.Equal(t, exitInterrupted, cmd.ProcessState.ExitCode())
	require.Less(t, time.Since(begin), patience/2)
}
