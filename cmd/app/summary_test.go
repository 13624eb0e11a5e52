package app

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

func TestSummarySaysWhatIsNew(t *testing.T) {
	t.Parallel()
	var s summary
	require.Empty(t, s.fields(map[string]int64{"a": 0}))
	require.Equal(t, []zap.Field{zap.Int64("a", 2), zap.Int64("b", 1)}, s.fields(map[string]int64{"b": 1, "a": 2, "c": 0}))
	require.Equal(t, []zap.Field{zap.Int64("a", 3)}, s.fields(map[string]int64{"b": 1, "a": 5}))
	require.Empty(t, s.fields(map[string]int64{"b": 1, "a": 5}))
}
