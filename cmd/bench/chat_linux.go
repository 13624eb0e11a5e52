package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// rememberedIn is how many channels hold what was said before.
	rememberedIn = 100
	// readers is how many people read and search, and readEvery how often each of them does: as often as a server on its defaults lets them.
	readers   = 8
	readEvery = 100 * time.Millisecond
	// synced is how many bytes are written and synced to see what the disk takes for that, about as many as some messages make a server
	// write at once, and syncs is how often.
	synced = 32 << 10
	syncs  = 200
	// importTimeout is how long a server may take to be told a memory.
	importTimeout = 20 * time.Minute
)

// chat is what is written during a measurement.
type chat struct {
	acks   histogram // from when a message was due until its ACK
	failed atomic.Int64
	// how long those who read wait for an answer
	history, search histogram
}

// browse has some of those who write read and search instead, until the returned function is called.
func (m *measurement) browse(ctx context.Context, readers int) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var reading sync.WaitGroup
	for _, one := range m.present {
		if one.history == nil || readers == 0 {
			continue
		}
		readers--
		reading.Go(func() {
			for n := 0; wait(ctx, readEvery) == nil; n++ {
				do, took := one.history, &m.chat.history
				if n%2 == 1 {
					do, took = one.search, &m.chat.search
				}
				began := m.gen.now()
				err := do(ctx)
				switch {
				case err == nil && m.gen.inWindow(began):
					took.add(m.gen.now() - began)
				case err != nil && ctx.Err() == nil:
					m.chat.failed.Add(1)
				}
			}
		})
	}
	return func() {
		cancel()
		reading.Wait()
	}
}

// bareDisk measures how long it takes, in milliseconds, to have something on the disk on which a directory is.
func bareDisk(dir string) (took []float64, err error) {
	f, err := os.CreateTemp(dir, "livechat-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	block := make([]byte, synced)
	for i := range syncs {
		began := time.Now()
		if _, err = f.WriteAt(block, int64(i%16*synced)); err == nil {
			err = f.Sync()
		}
		if err != nil {
			return nil, err
		}
		took = append(took, milliseconds(time.Since(began)))
	}
	return took, nil
}

// write has everybody who can write, all together rate messages a second, until the returned function is called, which waits for
// the last ACKs.
func (m *measurement) write(ctx context.Context, rate int) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var writing sync.WaitGroup
	var writers []participant
	for _, one := range m.present {
		if one.write != nil {
			writers = append(writers, one)
		}
	}
	for i, one := range writers {
		step := time.Duration(len(writers)) * time.Second / time.Duration(rate)
		due := m.gen.now() + time.Duration(i)*step/time.Duration(len(writers))
		writing.Go(func() {
			for ; wait(ctx, due-m.gen.now()) == nil; due += step {
				sent := due
				writing.Go(func() {
					last, end := context.WithTimeout(context.WithoutCancel(ctx), patience)
					defer end()
					err := one.write(last)
					if m.gen.inWindow(sent) {
						m.chat.acks.add(m.gen.now() - sent)
						if err != nil {
							m.chat.failed.Add(1)
						}
					}
				})
			}
		})
	}
	return func() {
		cancel()
		writing.Wait()
	}
}

// beside measures a call with and without messages, and messages without a call, one after the other. What the first two cost a
// packet is told apart by the third. Where something is remembered it measures people who read it, too.
func (b *bench) beside(ctx context.Context, p *plan, notes *notes) (Result, error) {
	server := func(rate, readers int, silent bool) (Result, error) {
		q := *p
		q.rate, q.readers, q.silent = rate, readers, silent
		return b.measure(ctx, RoleServer, &q,
			&serverTarget{self: b.opts.Self, url: b.opts.URL, dir: b.memory, remembered: b.opts.Remembered}, b.local, notes)
	}
	quiet, err := server(0, 0, false)
	if err != nil {
		return quiet, err
	}
	disk, err := bareDisk(b.memory)
	if err != nil {
		return quiet, err
	}
	alone, err := server(p.N, 0, true)
	if err != nil {
		return alone, err
	}
	again, err := bareDisk(b.memory)
	if err != nil {
		return alone, err
	}
	reading := newResult(p.Scenario, 0)
	if b.opts.Remembered > 0 {
		if reading, err = server(0, readers, true); err != nil {
			return reading, err
		}
	}
	r, err := server(p.N, 0, false)
	disk = append(disk, again...)
	slices.Sort(disk)
	r.Beside.SyncP50, r.Beside.SyncP99 = quantile(disk, 0.5), quantile(disk, 0.99)
	r.Beside.HistoryP99, r.Beside.SearchP99 = reading.Beside.HistoryP99, reading.Beside.SearchP99
	r.Beside.IdleRSS, r.Beside.ReadRSS = reading.Beside.IdleRSS, reading.Server.RSS
	r.Beside.QuietUS, r.Beside.QuietP99, r.Beside.Cores = quiet.Server.CPUPerPacket, quiet.Latency.P99, alone.Server.CPUCores
	const micros = 1e6
	r.Server.CPUPerPacket = per((r.Server.CPUCores-alone.Server.CPUCores)*micros, r.ForwardedPPS)
	r.Server.UserUS, r.Server.SysUS = missing(), missing()
	for i := range p.nodes { // a server that is alone has none
		if r.Between != nil {
			n, without := &r.Between.Nodes[i], alone.Between.Nodes[i].CPUCores
			n.CPUPerPacket = per((n.CPUCores-without)*micros, n.ForwardedPPS)
		}
	}
	return r, err
}

// chatNote says what the columns of the table do not.
func chatNote(b Beside) string {
	text := fmt.Sprintf("without messages %s µs a packet and latency p99 %s ms; messages alone took %s cores; their ACKs came after %s ms (p50), %s ms (p99)",
		decimals(b.QuietUS, 2), decimals(b.QuietP99, 2), decimals(b.Cores, 3), decimals(b.AckP50, 1), decimals(b.AckP99, 1))
	text += fmt.Sprintf("; to write %d KiB and sync them took the disk %s ms (p50), %s ms (p99), of which an ACK (p99) is %s times as much",
		synced>>10, decimals(b.SyncP50, 2), decimals(b.SyncP99, 2), decimals(per(b.AckP99, b.SyncP99), 1))
	if b.ReadRSS.Missing() {
		return text
	}
	return text + fmt.Sprintf("; with %d who read and search the server had %s MiB, without them %s, and p99 of HISTORY was %s ms, of SEARCH %s ms",
		readers, decimals(b.ReadRSS/mebibyte, 1), decimals(b.IdleRSS/mebibyte, 1), decimals(b.HistoryP99, 1), decimals(b.SearchP99, 1))
}

// remember makes a data directory in which a server finds that many messages.
func (b *bench) remember(ctx context.Context) (err error) {
	if b.memory, err = os.MkdirTemp("", "livechat-bench-"); err != nil {
		return err
	}
	text := filepath.Join(b.memory, "said.jsonl")
	if err = said(text, b.opts.Remembered); err != nil {
		return err
	}
	proc, err := start(b.opts.Self, RoleServer, "--", "import", "--data="+b.memory, text)
	if err != nil {
		return err
	}
	defer proc.stop()
	ctx, cancel := context.WithTimeout(ctx, importTimeout)
	defer cancel()
	line, err := proc.firstLine(ctx)
	if err == nil && !strings.Contains(line, "is imported") {
		err = fmt.Errorf("%w: %s", errImport, line)
	}
	return errors.Join(err, os.Remove(text))
}

var errImport = errors.New("the memory could not be made")

// said writes an export of messages.
func said(path string, count int) error {
	f, err := os.Create(path) //nolint:gosec // in a directory of ours
	if err != nil {
		return err
	}
	out := bufio.NewWriter(f)
	now := time.Now().UTC().Format(time.RFC3339)
	for i := range rememberedIn {
		_, _ = fmt.Fprintf(out, `{"kind":"channel_saved","channel_id":"old-%d","name":"old-%d","mode":"conference","access":"open","created_at":%q,"keep":{}}`+"\n", i, i, now)
	}
	for i := range count {
		_, _ = fmt.Fprintf(out, `{"kind":"message_posted","message_id":"old-%d","channel_id":"old-%d","author_id":"author-%d","author_name":"Author","content":"common words of message number %d, said by somebody about something %d","at":%q}`+"\n",
			i, i%rememberedIn, i%50, i, i%1000, now)
	}
	return errors.Join(out.Flush(), f.Close())
}
