package store

import (
	"bytes"
	"database/sql"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// dump is all that a store's tables hold. Of the index it is the words and their places: how SQLite keeps them there depends on how much was written
// at a time.
func dump(tb testing.TB, db *sql.DB) string {
	tb.Helper()
	var out strings.Builder
	names, err := db.QueryContext(tb.Context(), `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'words%' ORDER BY name`)
	require.NoError(tb, err)
	var tables []string
	for names.Next() {
		var name string
		require.NoError(tb, names.Scan(&name))
		tables = append(tables, name)
	}
	require.NoError(tb, names.Err())
	require.Contains(tb, tables, "places")
	for _, table := range tables {
		fmt.Fprintln(&out, "--", table)
		rows, err := db.QueryContext(tb.Context(), "SELECT * FROM "+table)
		require.NoError(tb, err)
		columns, err := rows.Columns()
		require.NoError(tb, err)
		var lines []string
		for rows.Next() {
			values, into := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			require.NoError(tb, rows.Scan(into...))
			lines = append(lines, fmt.Sprintf("%#v", values))
		}
		require.NoError(tb, rows.Err())
		fmt.Fprintln(&out, strings.Join(lines, "\n"))
	}
	return out.String()
}

// someFact is a fact by chance, of few people, channels and messages, so that most are about something that there is.
func someFact(dice *rand.Rand, n int) Fact {
	one := func(what string, of int) string { return fmt.Sprint(what, dice.IntN(of)) }
	user, channel, message := one("user-", 6), one("channel-", 4), one("message-", max(1, n/2))
	now := noon.Add(time.Duration(n) * 20 * time.Second)
	texts := []string{"plain words", "회의실에서 <b>&", "Ærøskøbing naïve", "日本語 and more words", "x", "\u2028 \x00 \U0001F600"}
	fresh := fmt.Sprint("message-", n)
	c := Channel{
		ID: channel, Name: one("name ", 9), Topic: texts[dice.IntN(6)], Mode: "ptt", Access: "open", Position: dice.IntN(3) - 1,
		OwnerID: user, CreatedAt: now, Keep: Keep{Count: new(dice.IntN(9)), For: new(time.Duration(dice.IntN(9)) * time.Hour)}, Floor: &Floor{Queue: new(3)},
	}
	said := Message{ID: fresh, ChannelID: channel, AuthorID: user, AuthorName: "N", Content: texts[dice.IntN(6)], At: now, ReplyTo: message}
	seqs := []int64{int64(dice.IntN(n + 1)), int64(dice.IntN(n + 1)), int64(dice.IntN(n + 1))}
	all := []func() Fact{
		func() Fact { return ChannelSaved{c} },
		func() Fact { return ChannelMade{Channel: c, NameKeys: []string{c.Name}} },
		func() Fact { return ChannelChanged{Channel: c} },
		func() Fact { return MessagePosted{Message: said, Nonce: one("nonce-", 20)} },
		func() Fact { return MessagePosted{Message: said} },
		func() Fact { return MessagePosted{Message: said} },
		func() Fact { return MessageEdited{MessageID: message, Content: texts[dice.IntN(6)], At: now} },
		func() Fact { return MessageDeleted{MessageID: message} },
		func() Fact { return MessagesForgotten{[]string{message, "nothing"}} },
		func() Fact { return NoncesForgotten{now.Add(-NonceWindow)} },
		func() Fact { return ReadUpTo{user, channel, message} },
		func() Fact { return ReadsForgotten{[]Mark{{user, channel, seqs[0]}}} },
		func() Fact {
			return UserMade{User{ID: user, Name: user, Role: "member", CreatedAt: now}, []string{one("key-", 9), one("key-", 9)}}
		},
		func() Fact { return UserRenamed{user, "other", []string{one("key-", 9)}} },
		func() Fact { return RoleGiven{user, "admin"} },
		func() Fact { return UserSeen{user, now} },
		func() Fact { return MessagesParted{user, seqs} },
		func() Fact { return PartingOver{user, uint64(seqs[0])} },
		func() Fact { return Admitted{channel, user} },
		func() Fact { return Unadmitted{channel, user} },
		func() Fact { return LoginMade{one("login-", 9), user, now.Add(time.Hour)} },
		func() Fact { return LoginUsed{one("login-", 9), now.Add(time.Hour)} },
		func() Fact { return LoginEnded{user, one("login-", 9)} },
		func() Fact { return LoginsForgotten{now.Add(-time.Hour)} },
		func() Fact { return TokenRevoked{one("token-", 9), now} },
		func() Fact { return TokensRevoked{user, now, now.Add(time.Hour)} },
		func() Fact { return RevocationsForgotten{now.Add(-time.Hour)} },
		func() Fact {
			return InviteMade{Invite{ID: one("invite-", 20), Role: "member", ByID: user, UserID: user, Uses: 2, CreatedAt: now}}
		},
		func() Fact { return InviteUsed{one("invite-", 20), now} },
		func() Fact { return InviteRevoked{one("invite-", 20)} },
		func() Fact { return InvitesRevoked{ByID: user} },
		func() Fact { return InvitesForgotten{now.Add(-time.Hour)} },
		func() Fact {
			return BanMade{Ban{ID: one("ban-", 20), UserID: user, Network: "n", Until: now, CreatedAt: now}}
		},
		func() Fact { return BansLifted{UserID: user} },
		func() Fact { return BansForgotten{now.Add(-time.Hour)} },
		func() Fact { return Muted{user, channel, dice.IntN(2) == 0} },
		func() Fact { return Done{Deed{At: now, Action: "kick", UserID: user, ByID: one("user-", 6)}} },
		func() Fact { return WordsForgotten{seqs} },
	}
	switch dice.IntN(100) { // what takes much with it
	case 0:
		return ChannelDeleted{channel}
	case 1:
		return ChatCleared{channel, dice.IntN(2) == 0}
	case 2:
		return UserDeleted{user, dice.IntN(2) == 0, fmt.Sprint("gone-", n)}
	}
	return all[dice.IntN(len(all))]()
}

// bare is a store that nothing writes to but commit.
func bare(t *testing.T) (*Store, *writer) {
	t.Helper()
	s := newStore("")
	w, err := s.acquire()
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, w.close())
		require.NoError(t, s.abandon())
	})
	return s, w
}

// Whoever applies the same facts in the same order has the same tables and gives the same answers, whatever is written at a time.
func TestFactsAreAllThatTablesDependOn(t *testing.T) {
	t.Parallel()
	const calls = 300
	dice := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	var entries [][]byte
	seen := map[string]bool{}
	for n, made := 0, 0; n < calls; n++ {
		facts := make([]Fact, 1+dice.IntN(3))
		for i := range facts {
			facts[i] = someFact(dice, made)
			made++
			seen[facts[i].Kind()] = true
		}
		data, err := encodeEntry(fmt.Sprint(n), noon.Add(time.Duration(n)*time.Second), facts)
		require.NoError(t, err)
		entries = append(entries, data)
	}
	require.Len(t, seen, len(decoders), "all kinds are tried")
	replay := func(most int) (tables, answers string) {
		s, w := bare(t)
		var out strings.Builder
		for rest := entries; len(rest) > 0; {
			n := min(1+dice.IntN(most), len(rest))
			group := make([]*appending, n)
			for i, data := range rest[:n] {
				_, at, facts, err := decodeEntry(data)
				require.NoError(t, err)
				group[i] = &appending{facts: facts, at: at, then: func() {}, done: make(chan error, 1)}
			}
			s.commit(w, group)
			for _, a := range group {
				err := <-a.done
				require.NotErrorIs(t, err, ErrTrouble)
				fmt.Fprintln(&out, a.seq, err)
			}
			rest = rest[n:]
		}
		return dump(t, s.read), out.String()
	}
	tables, answers := replay(1)
	require.Greater(t, strings.Count(answers, "<nil>"), calls/10)
	require.Greater(t, strings.Count(answers, ErrExists.Error()), calls/100)
	for _, most := range []int{7, 200} {
		again, same := replay(most)
		require.Equal(t, answers, same)
		require.Equal(t, tables, again)
	}
}

// No kind was forgotten.
func TestEveryKindIsDecoded(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	kind := regexp.MustCompile(`(?m)^func \(\w*\s?\w+\) Kind\(\) string \{ return "(\w+)" \}`)
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, match := range kind.FindAllSubmatch(text, -1) {
			require.Contains(t, decoders, string(match[1]))
			found++
		}
	}
	require.Len(t, decoders, found)
}

// What is not known is refused by its name: a newer version wrote it.
func TestUnknownFactsAreRefused(t *testing.T) {
	t.Parallel()
	unknown := &UnknownKindError{}
	_, _, _, err := decodeEntry([]byte(`{"id":"1","at":1,"facts":[{"kind":"sung","fields":{}}]}`))
	require.ErrorAs(t, err, &unknown)
	require.Equal(t, "sung", unknown.Kind)
	_, _, _, err = decodeEntry([]byte(`{"id":"1","at":1,"facts":[{"kind":"user_seen","fields":{"user_id":"u","at":"2026-01-01T00:00:00Z","mood":1}}]}`))
	require.ErrorContains(t, err, "mood")
	for _, wrong := range []string{``, `{}`, `null`, `{"id":"1","at":1,"facts":[]}`, `{"id":"","at":1,"facts":[{"kind":"muted","fields":{}}]}`, `[1]`} {
		_, _, _, err = decodeEntry([]byte(wrong))
		require.Error(t, err, wrong)
	}
}

func FuzzDecodeEntry(f *testing.F) {
	dice := rand.New(rand.NewPCG(1, 2))
	for n := range 200 {
		data, err := encodeEntry(fmt.Sprint(n), noon, []Fact{someFact(dice, n), someFact(dice, n+1)})
		require.NoError(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		id, at, facts, err := decodeEntry(data)
		if err != nil {
			return
		}
		again, err := encodeEntry(id, time.UnixMilli(at), facts)
		if err != nil { // a year that is in no calendar
			return
		}
		id2, at2, facts2, err := decodeEntry(again)
		require.NoError(t, err)
		require.Equal(t, id, id2)
		require.Equal(t, at, at2)
		third, err := encodeEntry(id2, time.UnixMilli(at2), facts2)
		require.NoError(t, err)
		require.True(t, bytes.Equal(again, third), hex.EncodeToString(data))
	})
}
