package app

import (
	"context"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/sfu/peer"
	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

// summaryInterval is how often the log says what was refused or dropped: often enough to
// see an attack while it lasts, seldom enough that the log stays one to be read.
const summaryInterval = time.Minute

// summary turns counts since the start into what was new since the last look.
type summary struct{ before map[string]int64 }

// fields returns the counts that have grown since the last call, by name.
func (s *summary) fields(counts map[string]int64) []zap.Field {
	var grown []zap.Field
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		if n := counts[reason] - s.before[reason]; n > 0 {
			grown = append(grown, zap.Int64(reason, n))
		}
	}
	s.before = counts
	return grown
}

// runSummary logs one line a minute of what was refused or dropped, if anything was, and
// at the end what was since.
func (a *App) runSummary(ctx context.Context) {
	ticker := time.NewTicker(summaryInterval)
	defer ticker.Stop()
	var s summary
	say := func() {
		if fields := s.fields(a.counts()); len(fields) > 0 {
			a.log.Info("refused or dropped since the last such line", fields...)
		}
	}
	defer say()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			say()
		}
	}
}

// counts are all counts since the start: those of the tally, and of the media port and TURN
// what strangers, networks and overload were the cause of.
func (a *App) counts() map[string]int64 {
	media, dropped := a.media.Stats(), a.media.Dropped()
	all := mediaCounts(&media)
	maps.Copy(all, clientCounts(&dropped))
	maps.Copy(all, a.refused())
	return all
}

// mediaCounts are what the media port dropped.
func mediaCounts(media *wire.Stats) map[string]int64 {
	return map[string]int64{
		"media_no_room":         media.SendFull,
		"media_send_failed":     media.SendFailed,
		"media_overload":        media.JobsDropped,
		"media_noise":           media.Unknown,
		"media_truncated":       media.Truncated,
		"media_unbound":         media.Unbound,
		"media_stun_unknown":    media.STUNUnknown,
		"media_stun_refused":    media.STUNRefused,
		"media_stun_rate":       media.STUNRate,
		"media_dtls_full":       media.DTLSFull,
		"media_read_errors":     media.ReadErrors,
		"media_receiver_panics": media.Panics,
	}
}

// refused is what signalling, HTTP and TURN refused.
func (a *App) refused() map[string]int64 {
	all := a.tally.Counts()
	if a.relay != nil {
		turn := a.relay.Stats()
		maps.Copy(all, map[string]int64{
			"turn_refused":   turn.Refused,
			"turn_quota":     turn.Quota,
			"turn_throttled": turn.Throttled,
			"turn_withheld":  turn.Withheld,
			"turn_noise":     turn.Noise,
			"turn_crowded":   turn.Crowded,
		})
	}
	return all
}

// clientCounts are what clients, or who pretends to be one, sent in vain. What any network does to honest clients is not
// among it: packets that come twice, late, or before there are keys.
func clientCounts(dropped *peer.Dropped) map[string]int64 {
	endpoints, clients := &dropped.Endpoints, &dropped.Clients
	counts := map[string]int64{
		"media_rtp_rate":  endpoints.RTPRate,
		"media_rtcp_rate": endpoints.RTCPRate,
		"media_forged":    endpoints.AuthFailed,
		"media_ssrcs":     endpoints.Refused,
		"media_no_rtp":    endpoints.Malformed,
	}
	for reason, n := range map[string]uint64{
		"media_talker_rate":   clients.Rate,
		"media_too_large":     clients.TooLarge,
		"media_second_ssrc":   clients.SecondSSRC,
		"media_payload_type":  clients.PayloadType,
		"media_no_microphone": clients.NoMicrophone,
		"media_bad_rtp":       clients.Malformed,
		"media_bad_rtcp":      clients.RTCP,
		"media_bad_nack":      clients.NACK,
		"media_nack_rate":     clients.NACKRate,
	} {
		counts[reason] = int64(n) //nolint:gosec // a count of packets
	}
	return counts
}
