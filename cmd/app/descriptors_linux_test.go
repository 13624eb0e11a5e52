package app

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDescriptorsAreCounted(t *testing.T) {
	before, most, known := descriptors()
	require.True(t, known)
	require.Positive(t, before)
	require.Less(t, before, most)
	const more = 50 // of those that other tests close meanwhile fewer
	for range more {
		f, err := os.Open(os.DevNull)
		require.NoError(t, err)
		defer f.Close()
	}
	after, _, _ := descriptors()
	require.Greater(t, after, before)
	var watch descriptorWatch
	require.NoError(t, watch.Trouble(), "there are many")
}
