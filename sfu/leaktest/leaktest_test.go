package leaktest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// One that ends late is none that was left, and one that stays is said.
func TestFind(t *testing.T) {
	before := goleak.IgnoreCurrent()
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		<-end
	}()
	require.ErrorContains(t, find(0, before), "TestFind")
	time.AfterFunc(600*time.Millisecond, func() { close(end) }) // longer than goleak waits
	require.NoError(t, find(patience, before))
	<-ended
}
