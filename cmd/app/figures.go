package app

import (
	"runtime"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/sfu/peer"
	between "github.com/mini-livechat/mini-livechat/sfu/relay"
	"github.com/mini-livechat/mini-livechat/sfu/turn"
	"github.com/mini-livechat/mini-livechat/sfu/wire"
	"github.com/mini-livechat/mini-livechat/signaling"
)

// figures reads what the parts of the server count by themselves, when it is asked for: that costs them nothing meanwhile. It is a
// prometheus.Collector.
type figures struct {
	app  *App
	rows []figure
}

// look is what is read at a time.
type look struct {
	app     *App
	gateway signaling.Figures
	totals  peer.Totals
	media   wire.Stats
	turn    turn.Stats
	links   []between.Stats
}

// figure is one of them: each is told its values, with those of its label if it has one.
type figure struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	each func(l *look, tell func(value float64, label ...string))
}

func newFigures(a *App) *figures {
	f := &figures{app: a}
	f.aboutServer()
	f.aboutPeople()
	f.aboutMedia()
	f.aboutNodes()
	f.aboutLinks()
	return f
}

// Describe implements prometheus.Collector.
func (f *figures) Describe(to chan<- *prometheus.Desc) {
	for i := range f.rows {
		to <- f.rows[i].desc
	}
}

// Collect implements prometheus.Collector.
func (f *figures) Collect(to chan<- prometheus.Metric) {
	a := f.app
	l := look{app: a, gateway: a.gateway.Figures(), totals: a.media.Totals(), media: a.media.Stats()}
	if a.relay != nil {
		l.turn = a.relay.Stats()
	}
	if a.links != nil {
		l.links = a.links.relay.Links()
	}
	for i := range f.rows {
		row := &f.rows[i]
		row.each(&l, func(value float64, label ...string) {
			to <- prometheus.MustNewConstMetric(row.desc, row.kind, value, label...)
		})
	}
}

// gauge adds how many there are of something, counter how often something happened.
func (f *figures) gauge(name, help string, value func(*look) int) {
	f.add(prometheus.GaugeValue, name, help, "", func(l *look, tell func(float64, ...string)) { tell(float64(value(l))) })
}

func (f *figures) counter(name, help string, value func(*look) int64) {
	f.add(prometheus.CounterValue, name, help, "", func(l *look, tell func(float64, ...string)) { tell(float64(value(l))) })
}

func (f *figures) add(kind prometheus.ValueType, name, help, label string, each func(*look, func(float64, ...string))) {
	var labels []string
	if label != "" {
		labels = []string{label}
	}
	f.rows = append(f.rows, figure{prometheus.NewDesc("livechat_"+name, help, labels, nil), kind, each})
}

func (f *figures) aboutServer() {
	f.rows = append(f.rows, figure{
		prometheus.NewDesc("livechat_build_info", "The server's version, and Go's; always 1.", []string{"version", "go_version"}, nil),
		prometheus.GaugeValue,
		func(_ *look, tell func(float64, ...string)) { tell(1, Version, runtime.Version()) },
	})
	f.gauge("draining", "1 while the server is about to go and takes nobody new.", func(l *look) int { return oneIf(l.app.gateway.Draining()) })
	f.gauge("store_trouble", "1 while nothing new can be remembered.", func(l *look) int { return oneIf(l.app.memory.Trouble() != nil) })
	f.gauge("store_queued_writes", "Writes that wait for the disk.", func(l *look) int { return l.app.memory.Waiting() })
	f.gauge("accept_trouble", "1 while connections cannot be accepted.", func(l *look) int { return oneIf(l.app.trouble.Trouble() != nil) })
	f.add(prometheus.CounterValue, "refused_total", "What was refused or gave way, by reason: limits that were hit, and the like.", "reason",
		func(l *look, tell func(float64, ...string)) {
			for reason, n := range l.app.refused() {
				tell(float64(n), reason)
			}
		})
	f.gauge("turn_allocations", "TURN allocations that there are.", func(l *look) int { return l.turn.Allocations })
}

func (f *figures) aboutPeople() {
	f.gauge("connections", "WebSockets that are open.", func(l *look) int { return l.gateway.Connections })
	f.gauge("connections_unidentified", "WebSockets on which nobody has said yet who they are.", func(l *look) int { return l.gateway.Strangers })
	f.add(prometheus.GaugeValue, "sessions", "People who are here: connected, or away for as long as their session waits for them.", "state",
		func(l *look, tell func(float64, ...string)) {
			tell(float64(l.gateway.Sessions-l.gateway.Away), "connected")
			tell(float64(l.gateway.Away), "away")
		})
	f.add(prometheus.GaugeValue, "channels", "Channels that there are, by mode.", "mode", func(l *look, tell func(float64, ...string)) {
		for _, mode := range []sfu.Mode{sfu.ModeConference, sfu.ModePTT} {
			tell(float64(l.gateway.Channels[mode]), string(mode))
		}
	})
	f.gauge("channels_occupied", "Channels in which somebody is.", func(l *look) int { return l.gateway.Occupied })
	f.gauge("members", "People in channels.", func(l *look) int { return l.gateway.Members })
	f.gauge("members_media_lost", "People in channels of whose media nothing comes.", func(l *look) int { return l.gateway.Lost })
	f.gauge("talkers", "People in channels with a microphone.", func(l *look) int { return l.gateway.Talkers })
	f.gauge("speaking", "People in channels who speak now.", func(l *look) int { return l.gateway.Speaking })
	f.gauge("listening", "Channels that people listen to without being in them.", func(l *look) int { return l.gateway.Listening })
	f.gauge("floors_held", "Floors that somebody has.", func(l *look) int { return l.gateway.Floors })
	f.gauge("floor_waiting", "People who wait for a floor.", func(l *look) int { return l.gateway.FloorWaiting })
	f.gauge("signalling_queued_frames", "Frames that wait to be written to clients.", func(l *look) int { return l.gateway.Queued })
	f.gauge("signalling_longest_queue_frames", "Frames that wait for the client for which most do.", func(l *look) int { return l.gateway.LongestQueue })
}

func (f *figures) aboutMedia() {
	f.gauge("media_connections", "Connections of media of the people in channels.", func(l *look) int { return l.gateway.Media })
	directions := func(in, out func(*look) int64) func(*look, func(float64, ...string)) {
		return func(l *look, tell func(float64, ...string)) {
			tell(float64(in(l)), "in")
			tell(float64(out(l)), "out")
		}
	}
	f.add(prometheus.CounterValue, "rtp_packets_total", "RTP packets from clients (in) and to them (out).", "direction",
		directions(func(l *look) int64 { return l.totals.PacketsIn }, func(l *look) int64 { return l.totals.PacketsOut }))
	f.add(prometheus.CounterValue, "rtp_bytes_total", "Bytes of RTP, with headers, from clients (in) and to them (out).", "direction",
		directions(func(l *look) int64 { return l.totals.BytesIn }, func(l *look) int64 { return l.totals.BytesOut }))
	f.add(prometheus.CounterValue, "datagrams_total", "Datagrams of all kinds at the media port.", "direction",
		directions(func(l *look) int64 { return l.media.Received }, func(l *look) int64 { return l.media.Sent }))
	f.add(prometheus.CounterValue, "datagram_calls_total", "System calls that read and sent datagrams at the media port.", "direction",
		directions(func(l *look) int64 { return l.media.Reads }, func(l *look) int64 { return l.media.SendCalls }))
	f.add(prometheus.CounterValue, "repaired_packets_total", "Packets of microphones that were lost and mended, by how: out of redundancy, or because they were asked for.", "how",
		func(l *look, tell func(float64, ...string)) {
			tell(float64(l.totals.Voice.Recovered), "redundancy")
			tell(float64(l.totals.Voice.Restored), "asked")
		})
	f.counter("resent_packets_total", "Packets that listeners asked for again and got.", func(l *look) int64 { return count(l.totals.Heard.Resent) })
	f.counter("slot_switches_total", "Times that somebody else was heard on a slot.", func(l *look) int64 { return count(l.totals.Heard.Switches) })
	f.add(prometheus.CounterValue, "dropped_packets_total", "Packets that were dropped, by reason.", "reason",
		func(l *look, tell func(float64, ...string)) {
			for reason, n := range drops(&l.media, &l.totals) {
				tell(float64(n), reason)
			}
		})
	f.add(prometheus.CounterValue, "dtls_handshakes_total", "DTLS handshakes that ended, by how.", "result", func(l *look, tell func(float64, ...string)) {
		failed := l.media.Failures
		for result, n := range map[string]int64{
			"done": l.media.Handshakes, "timed_out": failed.TimedOut, "gave_way": failed.Evicted, "too_long": failed.Bytes,
			"certificate": failed.Certificate, "version": failed.Version, "by_client": failed.Peer, "failed": failed.Other,
		} {
			tell(float64(n), result)
		}
	})
	f.counter("consent_expired_total", "Times that sending stopped because a client did not check its path any more.", func(l *look) int64 { return l.media.ConsentExpired })
	f.counter("signs_of_life_asked_total", "Times that a silent client was asked whether it is there.", func(l *look) int64 { return l.media.Asked })
}

// drops are all packets that were dropped, by reason.
func drops(media *wire.Stats, totals *peer.Totals) map[string]int64 {
	all := make(map[string]int64)
	for reason, n := range mediaCounts(media) {
		all[strings.TrimPrefix(reason, "media_")] = n
	}
	for reason, n := range clientCounts(&totals.Dropped) {
		all[strings.TrimPrefix(reason, "media_")] = n
	}
	in, out := &totals.Voice.Dropped, &totals.Heard.Dropped
	for reason, n := range map[string]uint64{
		"muted": in.Muted, "without_floor": in.Unpermitted, "duplicate": in.Duplicate + out.Duplicate, "late": in.Late + out.Late,
		"no_sound": in.Skipped, "slot_not_open": out.NotOpen, "slot_withheld": out.Withheld, "slot_write": out.WriteError,
	} {
		all[reason] = count(n)
	}
	all["not_ready"], all["replayed"] = totals.Endpoints.NotReady, totals.Endpoints.Replayed
	return all
}

func count(n uint64) int64 { return int64(n) } //nolint:gosec // a count of packets

func oneIf(so bool) int {
	if so {
		return 1
	}
	return 0
}
