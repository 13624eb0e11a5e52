package app

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
)

// MetricsPath is where Prometheus finds the figures.
const MetricsPath = "/metrics"

const (
	// metricsTimeout bounds a request: a CPU profile of half a minute, and its answer.
	metricsTimeout = 2 * time.Minute
	// minuteOfQuality is how often the quality of conversations is estimated.
	minuteOfQuality = time.Minute
)

// metrics are the figures for who runs the server: what is counted as it happens, and, by way of figures, what is read when asked for.
// It implements peer.Observer and signaling.Observer. Its methods may be called from any goroutine.
type metrics struct {
	registry *prometheus.Registry

	loss, jitter, mos                        upDown
	roundTrip, floorWait, storeWrite         prometheus.Histogram
	joinAnswer, joinICE, joinDTLS, joinMedia prometheus.Observer
	resumes                                  prometheus.Counter
}

// upDown are a figure of the way from clients, and of that to them.
type upDown struct{ up, down prometheus.Observer }

func (u upDown) of(up bool) prometheus.Observer {
	if up {
		return u.up
	}
	return u.down
}

// Buckets: where what people notice changes.
func lossBuckets() []float64 { return []float64{0, .002, .005, .01, .02, .05, .1, .2, .3, .5, 1} }

func jitterBuckets() []float64 { return []float64{.001, .002, .005, .01, .02, .03, .05, .1, .2, .5} }
func tripBuckets() []float64   { return []float64{.005, .01, .02, .05, .1, .15, .2, .3, .5, 1, 2} }
func mosBuckets() []float64    { return []float64{1.5, 2, 2.6, 3.1, 3.6, 3.8, 4.03, 4.2, 4.34, 4.5} }

func joinBuckets() []float64  { return []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30} }
func floorBuckets() []float64 { return []float64{.001, .05, .1, .3, 1, 3, 10, 30, 60, 120, 300} }
func storeBuckets() []float64 { return []float64{.001, .002, .005, .01, .02, .05, .1, .25, 1, 5} }

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.loss = m.upDown("livechat_rtp_loss_ratio", "Share of RTP packets lost on the way from clients (up) and to them (down), by each RTCP report; what was repaired counts.", lossBuckets())
	m.jitter = m.upDown("livechat_rtp_jitter_seconds", "Interarrival jitter of RTP (RFC 3550), by each RTCP report.", jitterBuckets())
	m.mos = m.upDown("livechat_voice_mos_score", "Estimated mean opinion score (ITU-T G.107) of each connection over each minute in which it carried voice, after repair.", mosBuckets())
	m.roundTrip = m.histogram("livechat_rtp_round_trip_seconds", "Round trip between server and clients, by each RTCP report.", tripBuckets())
	m.floorWait = m.histogram("livechat_floor_wait_seconds", "How long who got the floor had waited for it.", floorBuckets())
	m.storeWrite = m.histogram("livechat_store_write_seconds", "How long it took until something was on the disk, from when it was to be remembered.", storeBuckets())
	joins := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "livechat_join_phase_seconds", Buckets: joinBuckets(),
		Help: "How long the phases of joining a channel take: answer is the server's, ice until the client's first check, dtls until there are keys, media until the microphone's first packet.",
	}, []string{"phase"})
	m.registry.MustRegister(joins)
	m.joinAnswer, m.joinICE = joins.WithLabelValues("answer"), joins.WithLabelValues("ice")
	m.joinDTLS, m.joinMedia = joins.WithLabelValues("dtls"), joins.WithLabelValues("media")
	m.resumes = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "livechat_resumes_total", Help: "Sessions that went on over another connection.",
	})
	m.registry.MustRegister(m.resumes)
	return m
}

func (m *metrics) histogram(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	m.registry.MustRegister(h)
	return h
}

func (m *metrics) upDown(name, help string, buckets []float64) upDown {
	vec := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, []string{"direction"})
	m.registry.MustRegister(vec)
	return upDown{vec.WithLabelValues("up"), vec.WithLabelValues("down")}
}

// Reported implements peer.Observer, as do the next ones.
func (m *metrics) Reported(up bool, loss float64, jitter time.Duration) {
	m.loss.of(up).Observe(loss)
	m.jitter.of(up).Observe(jitter.Seconds())
}

func (m *metrics) RoundTrip(took time.Duration) { m.roundTrip.Observe(took.Seconds()) }

func (m *metrics) Connected(ice, dtls time.Duration) {
	m.joinICE.Observe(ice.Seconds())
	m.joinDTLS.Observe(dtls.Seconds())
}

func (m *metrics) Heard(took time.Duration) { m.joinMedia.Observe(took.Seconds()) }

// Joined implements signaling.Observer, as do the next ones.
func (m *metrics) Joined(took time.Duration) { m.joinAnswer.Observe(took.Seconds()) }

func (m *metrics) Resumed() { m.resumes.Inc() }

func (m *metrics) FloorGranted(waited time.Duration) { m.floorWait.Observe(waited.Seconds()) }

// handler serves the figures, and Go's profiles.
func (m *metrics) handler(onLoopback bool) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+MetricsPath, promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", hidden) // secrets may stand there
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	if !onLoopback {
		return mux
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLoopback(net.JoinHostPort(hostOf(r.Host), "0")) {
			http.Error(w, "ask for this by localhost or an address of it", http.StatusForbidden) // a web page may have led its own name here
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// maxScrapes is how many may ask for the figures at a time.
const maxScrapes = 4

func hidden(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "the command line is not shown: there may be secrets in it", http.StatusForbidden)
}

// openMetrics opens the port of the figures; it is done without where another server has the default.
func (a *App) openMetrics() error {
	if a.cfg.Metrics == "" {
		return nil
	}
	addr := a.cfg.Metrics
	if !strings.Contains(addr, ":") {
		addr = net.JoinHostPort("127.0.0.1", addr)
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
	switch {
	case err != nil && a.cfg.Metrics == DefaultMetrics && errors.Is(err, syscall.EADDRINUSE):
		a.log.Info("no figures for Prometheus are served, since something else has the port; --metrics names another",
			zap.String("port", a.cfg.Metrics))
		return nil
	case err != nil:
		return &ListenError{"metrics", a.cfg.Metrics, err}
	}
	tcp, _ := l.Addr().(*net.TCPAddr)
	a.metricsWeb = &web{listener: l, server: &http.Server{
		Handler:           a.metrics.handler(tcp != nil && tcp.IP.IsLoopback()),
		ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, WriteTimeout: metricsTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: quietLog(a.log),
	}}
	return nil
}

// quietLog is for what net/http says of a port of the operator's own, which is said elsewhere when it matters.
func quietLog(to *zap.Logger) *log.Logger {
	std, err := zap.NewStdLogAt(to, zap.DebugLevel)
	if err != nil {
		return zap.NewStdLog(to)
	}
	return std
}

// MetricsAddr is where the figures are served; empty: nowhere.
func (a *App) MetricsAddr() string {
	if a.metricsWeb == nil {
		return ""
	}
	return a.metricsWeb.listener.Addr().String()
}
