package store

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUnread(t *testing.T) {
	t.Parallel()
	for name, s := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			none, failed := s.Unread(t.Context(), "bob", false, nil)
			require.NoError(t, failed)
			require.Empty(t, none)
			for i := range 150 {
				add(t, s, said("lobby", i))
			}
			unread := func(user string) Unread {
				t.Helper()
				u, err := s.Unread(t.Context(), user, false, []string{"empty", "lobby"})
				require.NoError(t, err)
				require.Equal(t, Unread{ChannelID: "empty"}, u[0])
				left, err := s.Unread(t.Context(), user, true, []string{"empty", "lobby"})
				require.NoError(t, err)
				if u[1].Count > 0 {
					require.Equal(t, u[1:], left)
				} else {
					require.Empty(t, left)
				}
				return u[1]
			}
			require.Equal(t, Unread{"lobby", "", MaxUnread}, unread("bob"))
			require.Equal(t, Unread{ChannelID: "lobby"}, unread("ada"), "one's own are not unread")
			add(t, s, ReadUpTo{"bob", "lobby", "lobby-139"})
			require.Equal(t, Unread{"lobby", "lobby-139", 10}, unread("bob"))
			add(t, s, ReadUpTo{"bob", "lobby", "lobby-3"})
			require.Equal(t, Unread{"lobby", "lobby-139", 10}, unread("bob"), "it never goes back")
			add(t, s, MessageDeleted{MessageID: "lobby-140"}, MessageDeleted{MessageID: "lobby-139"})
			require.Equal(t, Unread{"lobby", "lobby-139", 9}, unread("bob"))
			add(t, s, MessagesForgotten{[]string{"lobby-139"}})
			require.Equal(t, Unread{"lobby", "", 9}, unread("bob"))
			for _, fact := range []ReadUpTo{{"bob", "den", "lobby-1"}, {"bob", "lobby", "none"}} {
				_, err := s.Append(t.Context(), noon, fact)
				require.ErrorIs(t, err, ErrNotFound)
			}
			add(t, s, ReadUpTo{"carl", "lobby", "lobby-2"}, MessagesForgotten{[]string{"lobby-0", "lobby-1", "lobby-2"}})
			require.NoError(t, s.forgetReads(t.Context(), noon))
			left, err := s.strings(t.Context(), "SELECT user_id FROM reads")
			require.NoError(t, err)
			require.Equal(t, []string{"bob"}, left, "carl's says nothing any more")
			add(t, s, ChatCleared{ChannelID: "lobby"})
			require.Equal(t, Unread{ChannelID: "lobby"}, unread("bob"))
		})
	}
}
