package signaling

import (
	"time"

	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/sfu"
	"github.com/mini-livechat/mini-livechat/signaling/tally"
)

// journal has the log and the tally know what the media plane tells. It implements
// sfu.Journal.
type journal struct {
	log   *zap.Logger
	tally *tally.Tally
	// observer is told of floors.
	observer Observer
	// ended is told of every connection that ended by itself.
	ended func(userID, channelID string, cause sfu.LeaveCause, err error)
}

// MediaEnded implements sfu.Journal: one line for each connection that did not end as its
// client wished.
func (j *journal) MediaEnded(userID, channelID string, cause sfu.LeaveCause, err error) {
	j.ended(userID, channelID, cause, err)
	fields := []zap.Field{zap.String("user", userID), zap.String("channel", channelID), zap.Error(err)}
	switch cause {
	case sfu.LeaveMediaFailed:
		j.tally.Count("media_failed")
		j.log.Info("media connection failed", fields...)
	case sfu.LeaveMediaTimeout:
		j.tally.Count("media_timed_out")
		j.log.Info("media path fell silent", fields...)
	default:
		j.log.Debug("media connection ended", fields...)
	}
}

// MediaSilent implements sfu.Journal.
func (j *journal) MediaSilent(userID, channelID string, lost bool) {
	text := "nothing comes of a member's media"
	if lost {
		j.tally.Count("media_lost")
	} else {
		text = "a member's media comes again"
	}
	j.log.Debug(text, zap.String("user", userID), zap.String("channel", channelID))
}

// FloorGranted implements sfu.Journal.
func (j *journal) FloorGranted(waited time.Duration) { j.observer.FloorGranted(waited) }

// Panicked implements sfu.Journal.
func (j *journal) Panicked(during string, value any, stack []byte) {
	j.tally.Count("panics")
	j.log.Error("panic", zap.String("during", during), zap.Any("cause", value), zap.ByteString("stack", stack))
}
