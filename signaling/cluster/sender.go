package cluster

import (
	"context"
	"sync"
)

const (
	// maxUnsent and maxUnsentBytes are how many messages, and bytes of them, may wait to be sent.
	maxUnsent      = 1 << 16
	maxUnsentBytes = 64 << 20
)

// sender sends what is published, on a goroutine of its own: NATS may have who sends wait, and who publishes holds locks.
type sender struct {
	send func(subject string, data []byte) error
	wake chan struct{} // of capacity 1

	mu    sync.Mutex // guards all below
	queue []letter
	bytes int
}

type letter struct {
	subject string
	data    []byte
}

func newSender(send func(subject string, data []byte) error) *sender {
	return &sender{send: send, wake: make(chan struct{}, 1)}
}

func (s *sender) put(subject string, data []byte) error {
	s.mu.Lock()
	if len(s.queue) >= maxUnsent || s.bytes+len(data) > maxUnsentBytes {
		s.mu.Unlock()
		return ErrBusy
	}
	s.queue = append(s.queue, letter{subject, data})
	s.bytes += len(data)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

// run sends until ctx is done, and what waits then too. Who does not get a message because there is no connection learns it from the
// connection.
func (s *sender) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			s.sendAll()
			return
		case <-s.wake:
			s.sendAll()
		}
	}
}

func (s *sender) sendAll() {
	for {
		s.mu.Lock()
		queue := s.queue
		s.queue, s.bytes = nil, 0
		s.mu.Unlock()
		if len(queue) == 0 {
			return
		}
		for _, l := range queue {
			_ = s.send(l.subject, l.data)
		}
	}
}
