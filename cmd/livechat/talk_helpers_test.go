package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
	"github.com/mini-livechat/mini-livechat/signaling/client"
)

// talkServer is a server for guests, and for those with a token.
func talkServer(t *testing.T) string {
	t.Helper()
	url, _ := started(t, livechat(t, []string{"LIVECHAT_SECRET=" + testSecret}, "--http=127.0.0.1:0", "--udp=127.0.0.1:0", "--no-turn", "--allow-guests"))
	return url
}

// recorder is a link by which somebody signs in who may record.
func recorder(t *testing.T, url, name string) string {
	t.Helper()
	authority, err := auth.New([]byte(testSecret))
	require.NoError(t, err)
	token, err := authority.Mint(auth.Identity{UserID: strings.ToLower(name), Name: name, Grants: auth.Grants{Record: true}}, time.Now(), time.Hour)
	require.NoError(t, err)
	return url + "/#token=" + token
}

// background is a command that runs, and what it says.
type background struct {
	*exec.Cmd

	t        *testing.T
	out, err *syncBuffer
	in       io.WriteCloser
}

func inBackground(t *testing.T, cmd *exec.Cmd) *background {
	t.Helper()
	b := &background{Cmd: cmd, t: t, out: new(syncBuffer), err: new(syncBuffer)}
	cmd.Stdout, cmd.Stderr = b.out, b.err
	var err error
	b.in, err = cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return b
}

// says waits until it has said something.
func (b *background) says(text string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool { return strings.Contains(b.out.String()+b.err.String(), text) }, patience, 10*time.Millisecond,
		"%q is not in what it says: %s%s", text, b.out, b.err)
}

// interrupt ends it as Ctrl-C does, and returns its exit code.
func (b *background) interrupt() int {
	b.t.Helper()
	require.NoError(b.t, b.Process.Signal(os.Interrupt))
	return b.ends()
}

func (b *background) ends() int {
	b.t.Helper()
	err := b.Wait()
	if _, exited := errors.AsType[*exec.ExitError](err); !exited {
		require.NoError(b.t, err)
	}
	return b.ProcessState.ExitCode()
}

// guestIn joins somebody by the library.
func guestIn(t *testing.T, url, name, channel string) (*client.Client, *client.Call) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	guest, err := client.Guest(ctx, url, name)
	require.NoError(t, err)
	c, err := client.Dial(ctx, url, client.Options{Token: guest.Token})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	call, err := c.Join(ctx, channel, client.JoinOptions{})
	require.NoError(t, err)
	return c, call
}

// mark begins what is in the packets of these tests, behind the first byte; a number follows.
const mark = 0xa5

func marked(n uint32) []byte {
	frame := binary.BigEndian.AppendUint32([]byte{9 << 3, mark}, n)
	return append(frame, bytes.Repeat([]byte{7}, 40)...)
}

// recorded reads a file: where in it each marked packet stands, and how long it is. It fails when the file is not sound.
func recorded(t *testing.T, path string) (at map[uint32]time.Duration, length time.Duration) {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	ogg, err := client.NewOggOpus(file)
	require.NoError(t, err, path)
	at = map[uint32]time.Duration{}
	for {
		packet, err := ogg.Next()
		if errors.Is(err, io.EOF) {
			return at, length
		}
		require.NoError(t, err, path)
		if len(packet) == 46 && packet[1] == mark {
			at[binary.BigEndian.Uint32(packet[2:])] = length
		}
		require.Positive(t, client.OpusDuration(packet))
		length += client.OpusDuration(packet)
	}
}

// tracks are the files of a recording, by whose name they begin with.
func tracks(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		name, _, _ := strings.Cut(entry.Name(), " ")
		found[name] = filepath.Join(dir, entry.Name())
	}
	return found
}
