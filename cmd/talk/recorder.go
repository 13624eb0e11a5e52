package talk

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/mini-livechat/mini-livechat/signaling/client"
)

const (
	// writing is how often what is due is written.
	writing = 200 * time.Millisecond
	// backlog is how many packets may wait while the disk is slow: some seconds of a room in which all talk.
	backlog = 8192
	// maxFileName is how much of a name is in a file's, in bytes.
	maxFileName = 60
)

// recorder writes the files of a recording, on a goroutine of its own. take may be called from any goroutine.
type recorder struct {
	dir      string
	start    time.Time
	nameOf   func(userID string) string
	notes    func(format string, args ...any)
	arriving chan arrival
	dropped  atomic.Uint64
	stop     chan struct{}
	done     chan struct{}

	// The goroutine's own, and the caller's after done.
	recording *recording
	files     []*pagedFile
	err       error
}

type arrival struct {
	at   time.Time
	info client.PacketInfo
	opus []byte
}

// newRecorder begins a recording in a directory, which it makes.
func newRecorder(dir string, nameOf func(userID string) string, notes func(format string, args ...any)) (*recorder, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	probe, err := os.CreateTemp(dir, ".livechat-*") // so that it is not the first voice that finds out
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	_ = probe.Close()
	if err = os.Remove(probe.Name()); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	ignoreFileLimit()
	r := &recorder{
		dir: dir, start: time.Now(), nameOf: nameOf, notes: notes,
		arriving: make(chan arrival, backlog), stop: make(chan struct{}), done: make(chan struct{}),
	}
	r.recording = newRecording(r.start, r.open)
	go r.run()
	return r, nil
}

// take takes a packet. It does not wait.
func (r *recorder) take(_ *client.Slot, p client.Packet) {
	select {
	case r.arriving <- arrival{at: time.Now(), info: p.PacketInfo, opus: append([]byte(nil), p.Payload...)}:
	default:
		r.dropped.Add(1)
	}
}

func (r *recorder) run() {
	defer close(r.done)
	ticker := time.NewTicker(writing)
	defer ticker.Stop()
	for {
		select {
		case a := <-r.arriving:
			if r.err == nil {
				r.recording.add(a.at, a.info, a.opus)
			}
		case <-ticker.C:
			if r.err == nil {
				r.fail(r.recording.write(time.Now()))
			}
		case <-r.stop:
			for len(r.arriving) > 0 {
				a := <-r.arriving
				r.recording.add(a.at, a.info, a.opus)
			}
			if r.err == nil {
				r.fail(r.recording.finish(time.Now()))
			}
			return
		}
	}
}

// fail ends the recording when there is an error: what is written by then stays, and stays sound.
func (r *recorder) fail(err error) {
	if err == nil {
		return
	}
	r.err = fmt.Errorf("the recording ended early: %w", err)
	r.recording.abandon()
	r.notes("%v; the voice goes on", r.err)
}

// finish writes what there is, and returns what went wrong in the whole recording.
func (r *recorder) finish() error {
	close(r.stop)
	<-r.done
	errs := []error{r.err}
	for _, f := range r.files {
		if err := f.file.Close(); err != nil {
			errs = append(errs, fmt.Errorf("record: %w", err))
		}
	}
	if n := r.dropped.Load(); n > 0 {
		r.notes("the disk was too slow for %d packets, which are missing", n)
	}
	if n := r.recording.lost; n > 0 {
		r.notes("%d packets were nobody's that is known", n)
	}
	for _, f := range r.files {
		r.notes("recorded %s", f.file.Name())
	}
	return errors.Join(errs...)
}

// open makes the file of one talker. What is there already is left alone.
func (r *recorder) open(userID string, channels int) (*client.OggOpusWriter, error) {
	name := r.nameOf(userID)
	stem := cmp.Or(fileName(userID), "_")
	if n := fileName(name); n != "" && n != stem {
		stem = n + " " + stem
	}
	path := filepath.Join(r.dir, stem+".opus")
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // named by fileName
	for n := 2; errors.Is(err, fs.ErrExist); n++ {
		path = filepath.Join(r.dir, fmt.Sprintf("%s %d.opus", stem, n))
		file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // as above
	}
	if err != nil {
		return nil, err
	}
	f := &pagedFile{file: file}
	r.files = append(r.files, f)
	return client.NewOggOpusWriter(f, rand.Uint32(), channels, //nolint:gosec // tells streams apart
		"TITLE="+name, "ARTIST="+name, "USER_ID="+userID, "DATE="+r.start.UTC().Format(time.RFC3339Nano))
}

// fileName makes what may stand in a file's name, on any system, out of what people call themselves.
func fileName(name string) string {
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, name)
	if len(name) > maxFileName {
		name = strings.ToValidUTF8(name[:maxFileName], "")
	}
	name = strings.Trim(name, ". ")
	if rest, ok := strings.CutPrefix(name, "-"); ok { // which commands would take for a flag
		name = "_" + rest
	}
	return name
}

// pagedFile is a file that ends with a whole page, also when one did not fit.
type pagedFile struct {
	file *os.File
	good int64
}

// Write appends a page, or leaves the file as it was.
func (f *pagedFile) Write(page []byte) (int, error) {
	n, err := f.file.Write(page)
	if err != nil {
		return n, errors.Join(err, f.file.Truncate(f.good))
	}
	f.good += int64(n)
	return n, nil
}
