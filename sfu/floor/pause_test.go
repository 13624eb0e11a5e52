package floor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestNobodyGetsRoundAPause: neither who asks again in the tail, nor a pause that was set long and is short now.
func TestNobodyGetsRoundAPause(t *testing.T) {
	now := time.Unix(1000, 0)
	f := New(Config{Tail: time.Second, Pause: time.Minute, Queue: 3})
	f.Apply(now, Request{User: "ada"})
	f.Apply(now, Release{User: "ada"})
	require.Equal(t, []Effect{Queued{User: "ada", Position: 1, Size: 1}}, f.Apply(now, Request{User: "ada", Queue: true}))
	now = now.Add(time.Second)
	require.Equal(t, []Effect{Shut{User: "ada"}, Idle{}}, f.Apply(now, Tick{}))
	due, ok := f.Next()
	require.True(t, ok)
	require.Equal(t, now.Add(time.Minute), due)
	f.Configure(now, Config{Tail: time.Second, Pause: 2 * time.Second, Queue: 3})
	due, _ = f.Next()
	require.Equal(t, now.Add(2*time.Second), due)
	effects := f.Apply(due, Tick{})
	require.Equal(t, Open{User: "ada"}, effects[0])
}
