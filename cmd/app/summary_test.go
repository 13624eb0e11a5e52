package app

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/mini-livechat/mini-livechat/sfu/peer"
)

func TestSummarySaysWhatIsNew(t *testing.T) {
	t.Parallel()
	var s summary
	require.Empty(t, s.fields(map[string]int64{"a": 0}))
	require.Equal(t, []zap.Field{zap.Int64("a", 2), zap.Int64("b", 1)}, s.fields(map[string]int64{"b": 1, "a": 2, "c": 0}))
	require.Equal(t, []zap.Field{zap.Int64("a", 3)}, s.fields(map[string]int64{"b": 1, "a": 5}))
	require.Empty(t, s.fields(map[string]int64{"b": 1, "a": 5}))
}

// Each reason for which something of a client is dropped is in the summary, but for those that any network is cause of.
func TestSummaryHasEveryReasonOfClients(t *testing.T) {
	t.Parallel()
	var dropped peer.Dropped
	blameless := map[string]bool{"Replayed": true, "NotReady": true}
	count := int64(1)
	want := []int64{}
	for _, part := range []reflect.Value{reflect.ValueOf(&dropped.Endpoints).Elem(), reflect.ValueOf(&dropped.Clients).Elem()} {
		for i := range part.NumField() {
			count++
			if field := part.Field(i); field.CanInt() {
				field.SetInt(count)
			} else {
				field.SetUint(uint64(count))
			}
			if !blameless[part.Type().Field(i).Name] {
				want = append(want, count)
			}
		}
	}
	got := make([]int64, 0, len(want))
	for reason, n := range clientCounts(&dropped) {
		require.Contains(t, reason, "media_")
		got = append(got, n)
	}
	require.ElementsMatch(t, want, got)
}
