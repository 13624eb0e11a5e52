package app

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// errDuration: a text is no duration.
var errDuration = errors.New("not a duration")

// ParseDuration is time.ParseDuration that knows days too: a whole number of them, in front.
func ParseDuration(text string) (time.Duration, error) {
	number, rest, some := strings.Cut(text, "d")
	if !some {
		return time.ParseDuration(text) //nolint:wrapcheck // says it all
	}
	days, err := strconv.ParseUint(number, 10, 32)
	if err != nil || days > math.MaxInt64/uint64(day) {
		return 0, fmt.Errorf("%w: %q", errDuration, text)
	}
	d := time.Duration(days) * day
	if rest == "" {
		return d, nil
	}
	more, err := time.ParseDuration(rest)
	if err != nil || more < 0 || more > math.MaxInt64-d {
		return 0, fmt.Errorf("%w: %q", errDuration, text)
	}
	return d + more, nil
}

// ShortDuration writes d as a person would: 10m, not 10m0s, and 90d, not 2160h0m0s.
func ShortDuration(d time.Duration) string {
	if d >= 2*day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
