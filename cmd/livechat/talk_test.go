package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/client"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// TestTalkRecords records two who say the same at the same time, with pauses, and a third who plays a tone.
func TestTalkRecords(t *testing.T) {
	t.Parallel()
	url := talkServer(t)
	dir := filepath.Join(t.TempDir(), "rec")
	rec := inBackground(t, livechat(t, nil, "talk", "--record="+dir, recorder(t, url, "Rec")))
	rec.says("in lobby; nobody else is there")
	ada, adas := guestIn(t, url, "Ada", "lobby")
	_, bos := guestIn(t, url, "Bo", "lobby")
	rec.says("Bo has come")

	// A machine that is busy may keep us from it: then the last words are said again.
	last := uint32(0)
	for steady := false; !steady; {
		steady = true
		for range 2 {
			before := time.Now()
			for range 30 {
				last++
				require.NoError(t, adas.WriteOpus(marked(last), 20*time.Millisecond))
				require.NoError(t, bos.WriteOpus(marked(last), 20*time.Millisecond))
				time.Sleep(20 * time.Millisecond)
				steady = steady && time.Since(before) < 80*time.Millisecond
				before = time.Now()
			}
			time.Sleep(700 * time.Millisecond)
		}
	}
	rec.says("speaking: ")
	_, err := ada.SendMessage(t.Context(), "lobby", "over\x1b[31m")
	require.NoError(t, err)
	rec.says("Ada: over\uFFFD[31m\n")
	_, err = io.WriteString(rec.in, "heard you\n")
	require.NoError(t, err)
	for event := range ada.Events() {
		if m, ok := event.Payload.(*protocol.MessageEvent); ok && m.Content == "heard you" {
			require.Equal(t, "Rec", m.AuthorName)
			break
		}
	}
	_, stderr, code := output(t, livechat(t, nil, "talk", "--tone=440", "--for=1s", "--name=Cy", url))
	require.Zero(t, code, stderr)
	rec.says("Cy has gone (left)")
	require.Zero(t, rec.interrupt(), rec.err)

	files := tracks(t, dir)
	require.Len(t, files, 3)
	adaAt, adaLength := recorded(t, files["Ada"])
	boAt, boLength := recorded(t, files["Bo"])
	_, cyLength := recorded(t, files["Cy"])
	require.Equal(t, adaLength, boLength)
	require.Equal(t, adaLength, cyLength)
	require.NotEmpty(t, adaAt)
	compared := 0
	for n := last - 30; n <= last; n++ {
		a, inAda := adaAt[n]
		b, inBo := boAt[n]
		if inAda && inBo {
			compared++
			require.InDelta(t, a.Seconds(), b.Seconds(), 0.02, "word %d", n)
		}
	}
	require.Greater(t, compared, 15, "of the last 30")
	for name, path := range files {
		require.Contains(t, rec.err.String(), "recorded "+path, name)
	}
}

// TestTalkOnTheFloor plays where one talks at a time, at once and by the button.
func TestTalkOnTheFloor(t *testing.T) {
	t.Parallel()
	url := talkServer(t)
	_, call := guestIn(t, url, "Ada", "radio")
	grant, err := call.Floor().Acquire(t.Context(), client.FloorRequest{})
	require.NoError(t, err)

	file := filepath.Join(t.TempDir(), "news.opus")
	out, err := os.Create(file)
	require.NoError(t, err)
	w, err := client.NewOggOpusWriter(out, 1, 1)
	require.NoError(t, err)
	for n := range uint32(30) {
		require.NoError(t, w.WriteOpus(marked(n)))
	}
	require.NoError(t, w.Close())
	require.NoError(t, out.Close())

	player := inBackground(t, livechat(t, nil, "talk", "--channel=radio", "--play="+file, "--name=Bo", url))
	player.says("waiting for the floor, at place 1")
	require.NoError(t, grant.Release(t.Context()))
	player.says("you have the floor")
	heard := make([]byte, 1500)
	for n := range uint32(20) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		size, _, readErr := call.Slots()[0].ReadOpus(ctx, heard)
		cancel()
		require.NoError(t, readErr)
		require.Equal(t, byte(mark), heard[1])
		require.GreaterOrEqual(t, binary.BigEndian.Uint32(heard[2:size]), n, "from its beginning on")
	}
	require.Zero(t, player.ends(), player.err)
	require.Contains(t, player.err.String(), "you gave the floor back")

	pressed := inBackground(t, livechat(t, nil, "talk", "--channel=radio", "--tone=440", "--ptt", "--name=Cy", url))
	pressed.says("Enter begins to talk")
	for range 2 {
		_, err = io.WriteString(pressed.in, "\n")
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			holder := call.Floor().State().Holder
			return holder != nil && holder.Name == "Cy"
		}, patience, 10*time.Millisecond)
		_, err = io.WriteString(pressed.in, "\n")
		require.NoError(t, err)
		require.Eventually(t, func() bool { return call.Floor().State().Holder == nil }, patience, 10*time.Millisecond)
	}
	require.Zero(t, pressed.interrupt())
}

// TestTalkSignsIn comes in by everything that lets one in.
func TestTalkSignsIn(t *testing.T) {
	t.Parallel()
	data := "--data=" + filepath.Join(t.TempDir(), "data")
	url, _ := started(t, livechat(t, nil, data, "--http=127.0.0.1:0", "--udp=127.0.0.1:0", "--no-turn", "--no-allow-guests"))
	talks := func(env []string, args ...string) (stdout, stderr string, code int) {
		return output(t, livechat(t, env, append([]string{"talk", "--tone=440", "--for=300ms", "--json"}, args...)...))
	}
	_, stderr, code := talks(nil, url)
	require.Equal(t, exitFailure, code)
	require.Contains(t, stderr, "guests may not come in there: give the link of an invite")

	invite, _, code := output(t, livechat(t, nil, "invite", data, "--url="+url))
	require.Zero(t, code)
	stdout, stderr, code := talks(nil, "--name=Ada", strings.TrimSpace(invite))
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, `"name":"Ada"`)
	_, login, ok := strings.Cut(strings.TrimSpace(stderr), "LIVECHAT_TOKEN=")
	require.True(t, ok, stderr)
	stdout, stderr, code = talks([]string{"LIVECHAT_TOKEN=" + login}, url)
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, `"name":"Ada"`)
	_, stderr, code = talks(nil, "--name=Bo", strings.TrimSpace(invite))
	require.Equal(t, exitFailure, code)
	require.Contains(t, stderr, "ask for another link")

	token, _, code := output(t, livechat(t, nil, "token", data, "--user=cy", "--record"))
	require.Zero(t, code)
	dir := t.TempDir()
	stdout, stderr, code = talks(nil, "--record="+dir, url+"/#token="+strings.TrimSpace(token)+"&channel=radio")
	require.Zero(t, code, stderr)
	var joined struct {
		Event   string            `json:"event"`
		Channel string            `json:"channel_id"`
		Members []protocol.Member `json:"members"`
	}
	require.NoError(t, json.NewDecoder(strings.NewReader(stdout)).Decode(&joined))
	require.Equal(t, "joined", joined.Event)
	require.Equal(t, "radio", joined.Channel)
	require.Equal(t, "cy", joined.Members[0].UserID)
}

// TestTalkRefuses says what is wrong and what mends it.
func TestTalkRefuses(t *testing.T) {
	t.Parallel()
	url := talkServer(t)
	broken := filepath.Join(t.TempDir(), "broken.opus")
	require.NoError(t, os.WriteFile(broken, []byte("OggS and no more"), 0o600))
	for name, test := range map[string]struct {
		args []string
		code int
		says string
	}{
		"unreachable": {[]string{"http://127.0.0.1:1"}, exitFailure, `"livechat doctor http://127.0.0.1:1" tells more`},
		"no address":  {[]string{"ftp://x"}, exitUsage, "it must be like https://voice.example.org"},
		"token":       {[]string{"--token=wrong", url}, exitFailure, "ask whoever runs the server for another one"},
		"invite":      {[]string{url + "/#invite=wrong"}, exitFailure, "ask for another link"},
		"name":        {[]string{"--name=\u202e", url}, exitFailure, "choose another name with --name"},
		"channel":     {[]string{"--channel=attic", url}, exitFailure, `there is no channel "attic"; there are: lobby, radio`},
		"file":        {[]string{"--play=" + broken, url}, exitFailure, "it must be Opus in Ogg"},
		"no file":     {[]string{"--play=" + broken + "x", url}, exitFailure, "no such file"},
		"directory":   {[]string{"--record=" + broken, recorder(t, url, "Rec")}, exitFailure, "not a directory"},
		"no right":    {[]string{"--record=" + broken, url}, exitFailure, "you may not record here"},
		"no sound":    {[]string{"--play=", url}, exitUsage, "--play: must not be empty"},
		"nowhere":     {[]string{"--record=", url}, exitUsage, "--record: must not be empty"},
		"both":        {[]string{"--tone=1", "--pcm", url}, exitUsage, "only one of --play, --tone and --pcm"},
	} {
		_, stderr, code := output(t, livechat(t, nil, append([]string{"talk"}, test.args...)...))
		require.Equal(t, test.code, code, "%s: %s", name, stderr)
		require.Contains(t, stderr, test.says, name)
	}
}

// TestTalkWhereTheChannelEnds has the recording be whole, and the end be told.
func TestTalkWhereTheChannelEnds(t *testing.T) {
	t.Parallel()
	url := talkServer(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	guest, err := client.Guest(ctx, url, "Ada")
	require.NoError(t, err)
	ada, err := client.Dial(ctx, url, client.Options{Token: guest.Token})
	require.NoError(t, err)
	defer ada.Close()
	_, err = ada.CreateChannel(ctx, protocol.ChannelCreate{ChannelID: "attic"})
	require.NoError(t, err)
	call, err := ada.Join(ctx, "attic", client.JoinOptions{})
	require.NoError(t, err)

	dir := t.TempDir()
	rec := inBackground(t, livechat(t, nil, "talk", "--record="+dir, "--channel=attic", recorder(t, url, "Rec")))
	rec.says("there: Ada")
	for n := range uint32(20) {
		require.NoError(t, call.WriteOpus(marked(n), 20*time.Millisecond))
		time.Sleep(20 * time.Millisecond)
	}
	rec.says("speaking: Ada")
	require.NoError(t, ada.DeleteChannel(ctx, "attic"))
	require.Equal(t, exitFailure, rec.ends())
	require.Contains(t, rec.err.String(), "the channel attic was deleted")
	at, _ := recorded(t, tracks(t, dir)["Ada"])
	require.NotEmpty(t, at)
}

// TestTalkOnAFullDisk ends the recording, says so, and talks on.
func TestTalkOnAFullDisk(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs RLIMIT_FSIZE by a shell")
	}
	t.Parallel()
	url := talkServer(t)
	_, call := guestIn(t, url, "Ada", "lobby")
	dir := t.TempDir()
	cmd := livechat(t, nil, "talk", "--record="+dir, "--tone=440", recorder(t, url, "Bo"))
	cmd.Args = append([]string{"sh", "-c", `ulimit -f 8; exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...) // 4 KiB in dash's blocks
	sh, err := exec.LookPath("sh")
	require.NoError(t, err)
	cmd.Path = sh
	talker := inBackground(t, cmd)
	talker.says("in lobby")
	ended := time.Now().Add(patience)
	for n := uint32(0); !strings.Contains(talker.err.String(), "the recording ended early"); n++ {
		require.True(t, time.Now().Before(ended), talker.err)
		require.NoError(t, call.WriteOpus(marked(n), 20*time.Millisecond))
		time.Sleep(5 * time.Millisecond)
	}
	require.Contains(t, talker.err.String(), "file too large; the voice goes on")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	before := call.Slots()[0].Stats().Received
	for call.Slots()[0].Stats().Received < before+50 {
		_, _, err = call.Slots()[0].ReadOpus(ctx, make([]byte, 1500))
		require.NoError(t, err, "it talks on")
	}
	require.Equal(t, exitFailure, talker.interrupt())
	at, _ := recorded(t, tracks(t, dir)["Ada"])
	require.NotEmpty(t, at)
}

// TestTalkInterrupted is ended at any time, and what it has written by then is sound.
func TestTalkInterrupted(t *testing.T) {
	t.Parallel()
	url := talkServer(t)
	_, call := guestIn(t, url, "Ada", "lobby")
	talking, hush := context.WithCancel(t.Context())
	defer hush()
	go func() {
		for n := uint32(0); talking.Err() == nil; n++ {
			_ = call.WriteOpus(marked(n), 20*time.Millisecond)
			time.Sleep(20 * time.Millisecond)
		}
	}()
	files := 0
	for range 6 {
		dir := t.TempDir()
		b := inBackground(t, livechat(t, nil, "talk", "--record="+dir, "--tone=440", recorder(t, url, "Bo")))
		time.Sleep(rand.N(2500 * time.Millisecond))
		code := b.interrupt()
		require.Contains(t, []int{exitOK, -1}, code, "%s", b.err) // before it listens for signals the kernel ends it
		for _, path := range tracks(t, dir) {
			files++
			recorded(t, path)
		}
	}
	// And one that nobody asks first.
	dir := t.TempDir()
	b := inBackground(t, livechat(t, nil, "talk", "--record="+dir, recorder(t, url, "Bo")))
	require.Eventually(t, func() bool {
		path := tracks(t, dir)["Ada"]
		info, err := os.Stat(path)
		return err == nil && info.Size() > 3000
	}, patience, 20*time.Millisecond)
	require.NoError(t, b.Process.Kill())
	b.ends()
	at, _ := recorded(t, tracks(t, dir)["Ada"])
	require.NotEmpty(t, at)
	t.Logf("%d files", files)
}

// TestTalkWithoutTheServer says at once that the connection is lost, and fails where it ends without one.
func TestTalkWithoutTheServer(t *testing.T) {
	t.Parallel()
	server := livechat(t, nil, "--http=127.0.0.1:0", "--udp=127.0.0.1:0", "--no-turn", "--allow-guests")
	url, _ := started(t, server)
	speaker := inBackground(t, livechat(t, nil, "talk", "--tone=440", "--channel=radio", "--name=Ada", url))
	speaker.says("you have the floor")
	player := inBackground(t, livechat(t, nil, "talk", "--play=-", "--name=Bo", url))
	w, err := client.NewOggOpusWriter(player.in, 1, 1)
	require.NoError(t, err)
	for n := range uint32(100) {
		require.NoError(t, w.WriteOpus(marked(n)))
	}
	player.says("in lobby")
	timed := inBackground(t, livechat(t, nil, "talk", "--json", "--for=5s", "--name=Cy", url))
	timed.says(`"joined"`)
	require.NoError(t, server.Process.Kill())
	_ = server.Wait()

	timed.says(`"disconnected"`)
	speaker.says("the connection is lost, trying again\n")
	player.says("the connection is lost, trying again\n")
	require.NoError(t, w.Close())
	require.NoError(t, player.in.Close()) // all is played
	require.Equal(t, exitFailure, speaker.interrupt())
	for _, b := range []*background{speaker, player, timed} {
		if b != speaker {
			require.Equal(t, exitFailure, b.ends(), b.out)
		}
		require.Contains(t, b.err.String(), "it ends while the connection to "+url+" is lost")
	}
}

// TestTalkComesBack says when it is there again, and who is.
func TestTalkComesBack(t *testing.T) {
	t.Parallel()
	args := []string{"--http=127.0.0.1:0", "--udp=127.0.0.1:0", "--no-turn", "--allow-guests"}
	server := livechat(t, nil, args...)
	url, _ := started(t, server)
	b := inBackground(t, livechat(t, nil, "talk", "--name=Ada", url))
	b.says("in lobby")
	require.NoError(t, server.Process.Kill())
	_ = server.Wait()
	args[0] = "--http=" + strings.TrimPrefix(url, "http://")
	started(t, livechat(t, nil, args...))
	b.says("the connection is lost, trying again\nthe connection is back; something may have been missed\nin lobby; nobody else is there\n")
	require.Zero(t, b.interrupt(), b.err)
}

// TestTalkIsMoved says where it is then and who is there, and records them under their names.
func TestTalkIsMoved(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	data := "--data=" + filepath.Join(home, "data")
	url, _ := started(t, livechat(t, []string{"LIVECHAT_SECRET=" + testSecret}, data, "--http=127.0.0.1:0", "--udp=127.0.0.1:0", "--no-turn", "--allow-guests"))
	_, call := guestIn(t, url, "-Ada", "radio")
	dir := filepath.Join(home, "rec")
	b := inBackground(t, livechat(t, nil, "talk", "--record="+dir, recorder(t, url, "Bo")))
	b.says("in lobby; nobody else is there\n")
	_, stderr, code := output(t, livechat(t, nil, "admin", "move", data, "Bo", "radio"))
	require.Zero(t, code, stderr)
	b.says("move: you, by the operator\nin radio; there: -Ada\n")
	_, err := call.Floor().Acquire(t.Context(), client.FloorRequest{})
	require.NoError(t, err)
	for n := range uint32(30) {
		require.NoError(t, call.WriteOpus(marked(n), 20*time.Millisecond))
		time.Sleep(20 * time.Millisecond)
	}
	b.says("speaking: -Ada\n")
	require.Zero(t, b.interrupt(), b.err)
	require.Equal(t, 1, strings.Count(b.out.String(), "move:"), b.out)
	files := tracks(t, dir)
	require.Len(t, files, 1)
	require.Contains(t, files, "_Ada")
}

// TestTalkToNobody comes to a port that takes connections and never answers: --for is no reason to end well.
func TestTalkToNobody(t *testing.T) {
	t.Parallel()
	mute, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer mute.Close()
	_, stderr, code := output(t, livechat(t, nil, "talk", "--for=1s", mute.Addr().String()))
	require.Equal(t, exitFailure, code)
	require.Contains(t, stderr, "cannot reach http://"+mute.Addr().String())
}

// TestTalkIsNotRead loses nothing but what it prints when nobody takes that: it leaves, and its files are whole.
func TestTalkIsNotRead(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /dev/full")
	}
	t.Parallel()
	url := talkServer(t)
	ada, call := guestIn(t, url, "Ada", "lobby")
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer full.Close()
	cmd := livechat(t, nil, "talk", "--for=500ms", url)
	stderr := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = full, stderr
	require.Error(t, cmd.Run())
	require.Equal(t, exitFailure, cmd.ProcessState.ExitCode(), stderr)
	require.Contains(t, stderr.String(), "no space left on device; the voice goes on")

	dir := t.TempDir()
	cmd = livechat(t, nil, "talk", "--record="+dir, recorder(t, url, "Rec"))
	stderr.Reset()
	cmd.Stderr = stderr
	lines, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(lines).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "there: Ada")
	for n := range uint32(100) {
		require.NoError(t, call.WriteOpus(marked(n), 20*time.Millisecond))
		time.Sleep(20 * time.Millisecond)
		if n == 50 {
			require.NoError(t, lines.Close())
			_, err = ada.SendMessage(t.Context(), "lobby", "does anybody read this?")
			require.NoError(t, err)
		}
	}
	require.Error(t, cmd.Wait())
	require.Equal(t, exitFailure, cmd.ProcessState.ExitCode(), stderr)
	require.Contains(t, stderr.String(), "broken pipe")
	at, _ := recorded(t, tracks(t, dir)["Ada"])
	last := uint32(0)
	for n := range at {
		last = max(last, n)
	}
	require.Greater(t, last, uint32(30), "what came just before is there")
	require.Eventually(t, func() bool { return len(call.Members()) == 1 }, patience, 10*time.Millisecond)
}
