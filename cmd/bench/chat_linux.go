package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// rememberedIn is how many channels hold what was said before.
	rememberedIn = 100
	// importTimeout is how long a server may take to be told a memory.
	importTimeout = 20 * time.Minute
)

// chat is what is written during a measurement.
type chat struct {
	acks   histogram // from when a message was due until its ACK
	failed atomic.Int64
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
					err := one.write(context.WithoutCancel(ctx))
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
// packet is told apart by the third.
func (b *bench) beside(ctx context.Context, p *plan, notes *notes) (Result, error) {
	server := func(rate int, silent bool) (Result, error) {
		q := *p
		q.rate, q.silent = rate, silent
		return b.measure(ctx, RoleServer, &q, &serverTarget{self: b.opts.Self, url: b.opts.URL, dir: b.memory}, b.local, notes)
	}
	quiet, err := server(0, false)
	if err != nil {
		return quiet, err
	}
	alone, err := server(p.N, true)
	if err != nil {
		return alone, err
	}
	r, err := server(p.N, false)
	r.Beside.QuietUS, r.Beside.QuietP99, r.Beside.Cores = quiet.Server.CPUPerPacket, quiet.Latency.P99, alone.Server.CPUCores
	const micros = 1e6
	r.Server.CPUPerPacket = per((r.Server.CPUCores-alone.Server.CPUCores)*micros, r.ForwardedPPS)
	r.Server.UserUS, r.Server.SysUS = missing(), missing()
	return r, err
}

// chatNote says what the columns of the table do not.
func chatNote(b Beside) string {
	return fmt.Sprintf("without messages %s µs a packet and latency p99 %s ms; messages alone took %s cores; their ACKs came after %s ms (p50), %s ms (p99)",
		decimals(b.QuietUS, 2), decimals(b.QuietP99, 2), decimals(b.Cores, 3), decimals(b.AckP50, 1), decimals(b.AckP99, 1))
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
