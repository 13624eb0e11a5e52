package store

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func person(id, name string) UserMade {
	return UserMade{User: User{ID: id, Name: name, Role: "member", CreatedAt: noon}, NameKeys: []string{name, "~" + name}}
}

func TestUsersAreRemembered(t *testing.T) {
	t.Parallel()
	for name, s := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			add(t, s, person("u1", "ada"), person("u2", "bob"))
			ada, err := s.User(ctx, "u1")
			require.NoError(t, err)
			require.Equal(t, User{ID: "u1", Name: "ada", Role: "member", CreatedAt: noon}, ada)
			_, err = s.User(ctx, "u3")
			require.ErrorIs(t, err, ErrNotFound)

			add(t, s, UserSeen{"u1", noon.Add(time.Hour)}, UserSeen{"u1", noon}, RoleGiven{"u1", "admin"}, UserRenamed{"u1", "eve", []string{"eve"}})
			ada, err = s.User(ctx, "u1")
			require.NoError(t, err)
			require.Equal(t, User{ID: "u1", Name: "eve", Role: "admin", CreatedAt: noon, SeenAt: noon.Add(time.Hour)}, ada, "seen never goes back")

			all, err := s.Users(ctx, "", 10)
			require.NoError(t, err)
			require.Len(t, all, 2)
			all, err = s.Users(ctx, "u1", 10)
			require.NoError(t, err)
			require.Len(t, all, 1)

			for _, fact := range []Fact{RoleGiven{"u3", "admin"}, UserRenamed{"u3", "x", nil}, UserSeen{"u3", noon}, UserDeleted{UserID: "u3"}, LoginMade{"l", "u3", noon}} {
				_, err = s.Append(ctx, noon, fact)
				require.ErrorIs(t, err, ErrNotFound, fact.Kind())
			}
		})
	}
}

// A name is one person's by any of its keys, and free again when they are called otherwise or gone.
func TestNamesBelongToPeople(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := open(t, "")
	add(t, s, person("u1", "ada"))
	for _, keys := range [][]string{{"ada"}, {"x", "~ada"}} {
		_, err := s.Append(ctx, noon, UserMade{User: User{ID: "u2", Name: "?", Role: "member", CreatedAt: noon}, NameKeys: keys})
		var taken *NameTakenError
		require.ErrorAs(t, err, &taken)
		require.Equal(t, "u1", taken.UserID)
		_, err = s.User(ctx, "u2")
		require.ErrorIs(t, err, ErrNotFound, "nothing is half done")
		holder, err := s.NameHolder(ctx, keys)
		require.NoError(t, err)
		require.Equal(t, "u1", holder)
	}
	add(t, s, UserRenamed{"u1", "Ada", []string{"~ada", "Ada"}}) // one key stays
	add(t, s, person("u3", "bob"))
	_, err := s.Append(ctx, noon, UserRenamed{"u3", "Ada", []string{"Ada"}})
	require.ErrorIs(t, err, ErrExists)
	add(t, s, UserRenamed{"u3", "ada", []string{"ada"}})
	add(t, s, UserDeleted{UserID: "u1", Alias: "gone"})
	add(t, s, UserRenamed{"u3", "Ada", []string{"Ada", "~ada"}})
	holder, err := s.NameHolder(ctx, []string{"ada"})
	require.NoError(t, err)
	require.Empty(t, holder)
}

func TestLoginsEnd(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := open(t, "")
	add(t, s, person("u1", "ada"), LoginMade{"l1", "u1", noon.Add(time.Hour)}, LoginMade{"l2", "u1", noon.Add(time.Hour)})
	l, err := s.Login(ctx, "l1")
	require.NoError(t, err)
	require.Equal(t, Login{"l1", "u1", noon, noon, noon.Add(time.Hour)}, l)
	_, err = s.Append(ctx, noon.Add(time.Minute), LoginUsed{"l1", noon.Add(2 * time.Hour)})
	require.NoError(t, err)
	l, err = s.Login(ctx, "l1")
	require.NoError(t, err)
	require.Equal(t, Login{"l1", "u1", noon, noon.Add(time.Minute), noon.Add(2 * time.Hour)}, l)

	add(t, s, LoginEnded{"u2", "l1"}, LoginEnded{"u1", "l2"})
	n, err := s.Logins(ctx, "u1")
	require.NoError(t, err)
	require.Equal(t, 1, n, "only one's own")
	require.NoError(t, s.forgetDoors(ctx, noon.Add(wonderFor)))
	_, err = s.Login(ctx, "l1")
	require.NoError(t, err)
	require.NoError(t, s.forgetDoors(ctx, noon.Add(wonderFor+3*time.Hour)))
	_, err = s.Login(ctx, "l1")
	require.ErrorIs(t, err, ErrNotFound)
	_, err = s.Append(ctx, noon, LoginUsed{"l1", noon})
	require.ErrorIs(t, err, ErrNotFound)
}

func TestInvitesAreUsedUp(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := open(t, "")
	once := Invite{ID: "i1", Role: "member", ChannelID: "ops", Uses: 1, Until: noon.Add(time.Hour), ByID: "u1", ByName: "Ada", CreatedAt: noon}
	add(t, s, InviteMade{once}, InviteMade{Invite{ID: "i2", Role: "admin", CreatedAt: noon.Add(time.Minute)}})
	got, err := s.Invite(ctx, "i1")
	require.NoError(t, err)
	require.Equal(t, once, got)
	all, err := s.Invites(ctx, "", 10)
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.Equal(t, "i2", all[0].ID, "the newest first")
	all, err = s.Invites(ctx, "u1", 10)
	require.NoError(t, err)
	require.Len(t, all, 1)

	_, err = s.Append(ctx, noon, InviteUsed{"i1", noon.Add(time.Hour)})
	require.ErrorIs(t, err, ErrNotFound, "too late")
	// Who comes second leaves nothing behind.
	add(t, s, InviteUsed{"i1", noon}, person("u1", "ada"))
	_, err = s.Append(ctx, noon, InviteUsed{"i1", noon}, person("u2", "bob"))
	require.ErrorIs(t, err, ErrNotFound)
	_, err = s.User(ctx, "u2")
	require.ErrorIs(t, err, ErrNotFound)
	got, err = s.Invite(ctx, "i1")
	require.NoError(t, err)
	require.True(t, got.UsedUp())
	for range 3 {
		add(t, s, InviteUsed{"i2", noon})
	}
	add(t, s, InviteRevoked{"i2"})
	for _, fact := range []Fact{InviteUsed{"i2", noon}, InviteRevoked{"i2"}} {
		_, err = s.Append(ctx, noon, fact)
		require.ErrorIs(t, err, ErrNotFound)
	}
	require.NoError(t, s.forgetDoors(ctx, noon.Add(wonderFor+2*time.Hour)))
	_, err = s.Invite(ctx, "i1")
	require.ErrorIs(t, err, ErrNotFound)
}

func TestDeletedUsersWords(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, erase := range []bool{false, true} {
		s := open(t, "")
		bobs := said("ops", 3)
		bobs.AuthorID, bobs.ReplyTo = "bob", "ops-1"
		add(t, s, ChannelSaved{Channel{ID: "ops", Name: "Ops", Mode: "conference", Access: "open", OwnerID: "ada", CreatedAt: noon}},
			person("ada", "ada"), LoginMade{"l1", "ada", noon}, Admitted{"ops", "ada"}, Admitted{"ops", "ada"},
			said("ops", 1), said("ops", 2), bobs, MessageDeleted{MessageID: "ops-2"}, ReadUpTo{"ada", "ops", "ops-1"},
			Muted{"ada", "", true}, BanMade{Ban{ID: "b1", UserID: "bob", ByID: "ada", ByName: "Ada", CreatedAt: noon}},
			Done{Deed{At: noon, Action: "kick", UserID: "bob", UserName: "Bob", ByID: "ada", ByName: "Ada"}},
			Done{Deed{At: noon, Action: "mute", UserID: "ada", UserName: "Ada", ByID: "bob", ByName: "Bob"}})
		let, err := s.IsAdmitted(ctx, "ops", "ada")
		require.NoError(t, err)
		require.True(t, let)

		add(t, s, UserDeleted{UserID: "ada", Erase: erase, Alias: "gone-1"})
		first, err := s.Message(ctx, "ops-1")
		if erase {
			require.ErrorIs(t, err, ErrNotFound)
		} else {
			require.NoError(t, err)
			require.Equal(t, "text 1", first.Content)
			require.Equal(t, "gone-1", first.AuthorID)
			require.Empty(t, first.AuthorName)
		}
		third, err := s.Message(ctx, "ops-3")
		require.NoError(t, err)
		require.Equal(t, bobs.Content, third.Content)
		answer, err := s.Search(ctx, Query{Text: "text", ChannelIDs: []string{"ops"}, Limit: 10})
		require.NoError(t, err)
		require.Len(t, answer.Found, map[bool]int{false: 2, true: 1}[erase])
		channels, err := s.Channels(ctx)
		require.NoError(t, err)
		require.Equal(t, "gone-1", channels[0].OwnerID)
		deeds, err := s.Audit(ctx, 0, 10)
		require.NoError(t, err)
		require.Equal(t, []string{"gone-1", "", "bob"}, []string{deeds[0].UserID, deeds[0].UserName, deeds[0].ByID})
		require.Equal(t, []string{"bob", "gone-1", ""}, []string{deeds[1].UserID, deeds[1].ByID, deeds[1].ByName})
		bans, err := s.Bans(ctx, noon, 10)
		require.NoError(t, err)
		require.Equal(t, []string{"gone-1", ""}, []string{bans[0].ByID, bans[0].ByName})
		muted, err := s.MutedIn(ctx, "ada")
		require.NoError(t, err)
		require.Empty(t, muted)
		_, err = s.Login(ctx, "l1")
		require.ErrorIs(t, err, ErrNotFound)
		let, err = s.IsAdmitted(ctx, "ops", "ada")
		require.NoError(t, err)
		require.False(t, let)
	}
}
