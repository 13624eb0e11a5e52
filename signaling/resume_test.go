package signaling

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestResumeTokensFollowEachOther(t *testing.T) {
	t.Parallel()
	_, first := newResumeToken()
	_, second := newResumeToken()
	_, third := newResumeToken()
	_, fourth := newResumeToken()
	tokens := resumeTokens{current: first}
	require.True(t, tokens.admits(first))
	require.False(t, tokens.admits([32]byte{}), "there was none before")

	tokens.follow(first, second)
	require.True(t, tokens.admits(first), "the new one may be lost")
	require.True(t, tokens.admits(second))
	tokens.follow(first, third) // it was
	require.True(t, tokens.admits(first))
	require.True(t, tokens.admits(third))
	require.False(t, tokens.admits(second), "nobody has it")
	tokens.follow(third, fourth) // who has the new one needs the old one no more
	require.False(t, tokens.admits(first))
	require.True(t, tokens.admits(third))
	tokens.confirm()
	require.False(t, tokens.admits(third))
	require.True(t, tokens.admits(fourth))

	text, hash := newResumeToken()
	require.Len(t, text, 43)
	require.NotEqual(t, hash, first)
}
