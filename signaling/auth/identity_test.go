package auth_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
)

func TestCheckUserID(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ in, says string }{
		"plain":          {in: "alice"},
		"e-mail":         {in: "zoë@example.org"},
		"guest":          {in: "guest-01JXYZ"},
		"inner space":    {in: "Unit 7"},
		"longest":        {in: strings.Repeat("x", 128)},
		"empty":          {in: "", says: "empty"},
		"too long":       {in: strings.Repeat("é", 65), says: "130 bytes, at most 128"},
		"invalid UTF-8":  {in: "\xff", says: "UTF-8"},
		"replacement":    {in: "al\ufffdce", says: "U+FFFD"},
		"space in front": {in: " alice", says: "white space"},
		"newline behind": {in: "alice\n", says: "white space"},
		"control":        {in: "al\x7fice", says: "U+007F"},
		"zero width":     {in: "al\u200bice", says: "U+200B"},
		"joiner":         {in: "👩\u200d👧", says: "U+200D"},
		"selector":       {in: "❤\ufe0f", says: "U+FE0F"},
		"only a mark":    {in: "\u0301", says: "no visible"},
		"decomposed":     {in: "zoe\u0308", says: "write \"zoë\""},
		"two spaces":     {in: "Unit  7", says: "write \"Unit 7\""},
		"wide space":     {in: "Unit\u30007", says: "write \"Unit 7\""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := auth.CheckUserID(test.in)
			if test.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, auth.ErrUserID)
			require.ErrorContains(t, err, test.says)
		})
	}
}
