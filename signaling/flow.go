package signaling

import (
	"bufio"
	"net"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const (
	// framesPerRequest is how many frames a connection may send for each request that it may:
	// as many pings and pongs as requests.
	framesPerRequest = 2
	// spareFrames is how many more it may send at once, whatever the limit of requests: pongs,
	// and requests that are refused.
	spareFrames = 64
	// bytesPerRequest is how many bytes a connection may send for each request that it may: an
	// offer with eight lines. A message in many fragments is held by this bound, because
	// fragments without payload are not frames to anybody above.
	bytesPerRequest = 8 << 10
)

// floodError: a connection sends more than any client does.
type floodError struct{ what string }

func (e *floodError) Error() string { return "too many " + e.what }

// flow bounds what a connection sends, whatever it is. It belongs to the reader.
type flow struct{ frames, bytes *rate.Limiter }

// newFlow takes the limits of requests, per second and at once.
func newFlow(requestRate, requestBurst int) *flow {
	return &flow{
		frames: rate.NewLimiter(rate.Limit(framesPerRequest*requestRate), framesPerRequest*requestBurst+spareFrames),
		bytes: rate.NewLimiter(rate.Limit(bytesPerRequest*requestRate),
			bytesPerRequest*requestBurst+2*protocol.MaxFrameBytes),
	}
}

// frame counts a frame of any kind.
func (f *flow) frame(now time.Time) error {
	if !f.frames.AllowN(now, 1) {
		return &floodError{"frames"}
	}
	return nil
}

// metered counts the bytes that a connection sends.
type metered struct {
	net.Conn

	flow *flow
}

func (m *metered) Read(p []byte) (int, error) {
	// More than the limiter's burst could never be allowed.
	n, err := m.Conn.Read(p[:min(len(p), protocol.MaxFrameBytes)])
	if n > 0 && !m.flow.bytes.AllowN(time.Now(), n) {
		return 0, &floodError{"bytes"}
	}
	return n, err
}

// CloseWrite closes the sending half, where there are halves.
func (m *metered) CloseWrite() error {
	if half, ok := m.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// meteredWriter is a ResponseWriter whose connection, once taken over, is metered.
type meteredWriter struct {
	http.ResponseWriter

	flow *flow
}

// Hijack implements http.Hijacker.
func (w meteredWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	return &metered{Conn: conn, flow: w.flow}, buffered, nil
}
