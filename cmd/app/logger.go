package app

import (
	"io/fs"
	"os"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// The log levels that --log-level knows.
func logLevels() []string { return []string{"debug", "info", "warn", "error"} }

// NewLogger returns a logger that writes to out, lines for a person when out is a
// terminal, one JSON object a line otherwise; and its level, which may be changed. An unknown level counts as info;
// [Config.Validate] tells it before.
func NewLogger(level string, out *os.File) (*zap.Logger, zap.AtomicLevel) {
	threshold, err := zap.ParseAtomicLevel(level)
	if err != nil {
		threshold = zap.NewAtomicLevel()
	}
	return zap.New(zapcore.NewCore(newEncoder(isTerminal(out)), zapcore.Lock(out), threshold),
		zap.ErrorOutput(zapcore.Lock(out))), threshold
}

func newEncoder(forPerson bool) zapcore.Encoder {
	config := zap.NewProductionEncoderConfig()
	config.EncodeDuration = zapcore.StringDurationEncoder
	if !forPerson {
		config.TimeKey = "time"
		config.EncodeTime = zapcore.TimeEncoderOfLayout(time.RFC3339Nano)
		return zapcore.NewJSONEncoder(config)
	}
	config.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
	config.EncodeLevel = zapcore.CapitalColorLevelEncoder
	if os.Getenv("NO_COLOR") != "" { // no-color.org
		config.EncodeLevel = zapcore.CapitalLevelEncoder
	}
	config.ConsoleSeparator = "  "
	return zapcore.NewConsoleEncoder(config)
}

// isTerminal reports whether somebody may be reading along. That /dev/null counts as well
// harms nobody.
func isTerminal(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&fs.ModeCharDevice != 0
}
