package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// lively makes a file in which all is that may be, and returns what the store says of it.
func lively(tb testing.TB, path string) {
	tb.Helper()
	s, err := Open(path)
	require.NoError(tb, err)
	none, day := 0, 24*time.Hour
	add(tb, s, ChannelSaved{Channel{
		ID: "lobby", Name: "Lobby <&> \"", Topic: "\U0001F600 한국어\u2028", Mode: "conference", Access: "open", Speaking: "allowed", Position: -2, Capacity: 7,
		OwnerID: "ada", CreatedAt: noon, Keep: Keep{Count: &none, For: &day},
	}}, ChannelSaved{Channel{ID: "ops", Name: "Ops", Mode: "conference", Access: "members", CreatedAt: noon.Add(time.Millisecond)}})
	add(tb, s, ChannelSaved{Channel{
		ID: "radio", Name: "Radio", Mode: "ptt", Access: "open", CreatedAt: noon.Add(time.Second),
		Floor: &Floor{TalkMS: new(int64(0)), PauseMS: new(int64(500)), Queue: new(0), CutIn: new(true), Over: new(true)},
	}}, ChannelSaved{Channel{ID: "net", Name: "Net", Mode: "ptt", Access: "open", CreatedAt: noon.Add(time.Minute), Floor: &Floor{Queue: new(7)}}})
	for i := range 10 {
		add(tb, s, said("ops", i), said("lobby", i))
	}
	answer := MessagePosted{Message{ID: "answer", ChannelID: "lobby", AuthorID: "bob", AuthorName: "B\tb", Content: "\x00<b>\r\n회의", At: noon, ReplyTo: "lobby-3"}, "nonce"}
	add(tb, s, answer, MessageEdited{MessageID: "lobby-4", Content: "changed", At: noon.Add(time.Hour)}, MessageDeleted{MessageID: "lobby-3"})
	add(tb, s, ReadUpTo{"ada", "lobby", "lobby-6"}, ReadUpTo{"ada", "ops", "ops-9"}, ReadUpTo{"bob", "lobby", "lobby-3"}, said("ops", 10),
		ReadUpTo{"bob", "ops", "ops-10"}, ReadUpTo{"cyd", "ops", "ops-0"}, MessagesForgotten{[]string{"ops-10", "ops-0"}})
	ada := person("ada", "Ada <&>")
	ada.SeenAt = noon.Add(time.Minute)
	add(tb, s, ada, person("bob", "Bob"), LoginMade{"l1", "ada", noon}, Admitted{"ops", "bob"}, Muted{"bob", "", true}, Muted{"bob", "ops", true},
		BanMade{Ban{ID: "ban-1", UserID: "guest-1", UserName: "G", Network: "192.0.2.0/32", Device: "d", Until: noon.Add(time.Hour), Reason: "x", CreatedAt: noon}},
		InviteMade{Invite{ID: "i1", Role: "member", ChannelID: "ops", Uses: 3, Used: 1, ByID: "ada", ByName: "Ada", CreatedAt: noon}})
	require.NoError(tb, s.Close())
}

func exported(tb testing.TB, path string) string {
	tb.Helper()
	var out bytes.Buffer
	held, err := Export(tb.Context(), path, &out)
	require.NoError(tb, err)
	require.EqualValues(tb, out.Len(), held.Bytes)
	return out.String()
}

// What was exported and imported is the same: told by what the store answers, and by another export.
func TestExportAndImport(t *testing.T) {
	t.Parallel()
	first, second := filepath.Join(t.TempDir(), FileName), filepath.Join(t.TempDir(), FileName)
	lively(t, first)
	text := exported(t, first)
	done, err := Import{}.Into(t.Context(), second, strings.NewReader(text))
	require.NoError(t, err)
	require.Equal(t, Imported{Channels: 4, Messages: 19, Users: 2}, done)
	require.Equal(t, text, exported(t, second))

	one, other := open(t, first), open(t, second)
	require.Equal(t, text, exported(t, first), "while it is used")
	channels, err := one.Channels(t.Context())
	require.NoError(t, err)
	again, err := other.Channels(t.Context())
	require.NoError(t, err)
	require.Equal(t, channels, again)
	for _, channel := range []string{"lobby", "ops"} {
		for _, place := range []string{"", channel + "-3", channel + "-7"} {
			page := Page{ChannelID: channel, Before: place, Limit: 4}
			want, more, failed := one.History(t.Context(), page)
			require.NoError(t, failed)
			got, gotMore, failed := other.History(t.Context(), page)
			require.NoError(t, failed)
			require.Equal(t, more, gotMore)
			require.Len(t, got, len(want))
			for i := range want {
				want[i].Seq, got[i].Seq = 0, 0
			}
			require.Equal(t, want, got)
		}
	}
	for user, want := range map[string][]Unread{
		"ada": {{"lobby", "lobby-6", 1}, {"ops", "ops-9", 0}},
		"bob": {{"lobby", "lobby-3", 6}, {"ops", "ops-9", 0}},
		"cyd": {{"lobby", "", 10}, {"ops", "", 9}},
	} {
		unread, failed := other.Unread(t.Context(), user, false, []string{"lobby", "ops"})
		require.NoError(t, failed)
		require.Equal(t, want, unread, user)
	}
	found, err := other.Search(t.Context(), Query{Text: "changed", ChannelIDs: []string{"lobby", "ops"}, Limit: MaxFound})
	require.NoError(t, err)
	require.Len(t, found.Found, 1, "it can be searched")
	add(t, other, said("ops", 11))
	_, err = Import{}.Into(t.Context(), second, strings.NewReader(text))
	require.ErrorIs(t, err, ErrInUse)
}

// Every table is known to be in an export, or not to be.
func TestExportHasEveryTable(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), FileName))
	tables, err := s.strings(t.Context(), "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'words_%'")
	require.NoError(t, err)
	exported := []string{"channels", "messages", "reads", "users", "name_keys", "invites", "admissions", "bans", "mutes"}
	follows := []string{"meta", "entries", "words", "places", "gone", "partings", "channel_keys"} // from what is exported
	never := []string{"logins", "revoked_tokens", "revoked_users", "audit"}                       // keys, and history
	require.ElementsMatch(t, slices.Concat(exported, follows, never), tables)
}

func TestImportAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), FileName)
	lively(t, path)
	text := exported(t, path)
	_, err := Import{}.Into(t.Context(), path, strings.NewReader(text))
	require.ErrorIs(t, err, ErrExists)
	require.ErrorContains(t, err, "line 1: exists already: channel lobby\nline 2: exists already: channel net\nline 3: exists already: channel ops\nline 4: exists already: channel radio\nline 5: exists already: message lobby-0\n")
	wrong, ok := errors.AsType[*LinesError](err)
	require.True(t, ok)
	require.Len(t, wrong.Mistakes, maxMistakes)
	done, err := Import{SkipExisting: true}.Into(t.Context(), path, strings.NewReader(text))
	require.NoError(t, err)
	require.Equal(t, Imported{Skipped: 28}, done)
	require.Equal(t, text, exported(t, path))
}

// One wrong line, and nothing of the others is there; the line is named.
func TestImportRefuses(t *testing.T) {
	t.Parallel()
	lived := filepath.Join(t.TempDir(), FileName)
	lively(t, lived)
	before := exported(t, lived)
	const channel = `{"kind":"channel_saved","channel_id":"new","name":"New","mode":"conference","access":"open","created_at":"2026-01-01T00:00:00Z","keep":{}}` + "\n"
	message := func(fields string) string {
		return `{"kind":"message_posted","message_id":"m","channel_id":"new","author_id":"ada","author_name":"Ada","content":"x",` + fields + `}`
	}
	const at = `"at":"2026-01-01T00:00:00Z"`
	strict := errors.New("the check says no")
	for name, test := range map[string]struct{ text, says string }{
		"no JSON":          {channel + "{", "line 2: it is no fact in JSON"},
		"two values":       {channel + message(at) + "{}", "line 2: it is no fact in JSON"},
		"a list":           {channel + "\n[]", "line 3: it is no fact in JSON"},
		"no kind":          {channel + "{}", `line 2: "" is no kind`},
		"another kind":     {channel + `{"kind":"channel_deleted","channel_id":"new"}`, `line 2: "channel_deleted" is no kind of line`},
		"unknown field":    {channel + message(at+`,"colour":"red"`), `line 2: it cannot be understood: json: unknown field "colour"`},
		"wrong type":       {channel + message(at+`,"reply_to":7`), "line 2: it cannot be understood"},
		"no time":          {channel + message(`"reply_to":"x"`), "line 2: at is missing"},
		"no id":            {channel + strings.Replace(message(at), `"m"`, `""`, 1), "line 2: message_id is missing"},
		"no author":        {channel + strings.Replace(message(at), `"ada"`, `""`, 1), "line 2: author_id is missing"},
		"before all time":  {channel + message(`"at":"1969-01-01T00:00:00Z"`), "line 2: at is missing, or not between"},
		"edited never":     {channel + message(at+`,"edited_at":"0900-01-01T00:00:00Z"`), "line 2: edited_at is"},
		"twice":            {channel + message(at) + "\n" + message(at), "line 3: exists already: message m"},
		"channel twice":    {channel + channel, "line 2: exists already: channel new"},
		"unknown channel":  {message(at), "line 1: not found: channel new; its line comes before"},
		"no UTF-8":         {channel + strings.Replace(message(at), "Ada", "\xff", 1), "line 2: it is not UTF-8"},
		"too long":         {channel + strings.Repeat("x", maxLine+1), "line 2: it has more than 1048576 bytes"},
		"keep":             {strings.Replace(channel, `"keep":{}`, `"keep":{"for_ms":-1}`, 1), "line 1: keep is negative"},
		"keep forever":     {strings.Replace(channel, `"keep":{}`, `"keep":{"for_ms":9223372036854775807}`, 1), "line 1: it cannot be understood: for_ms is too long"},
		"keep and more":    {strings.Replace(channel, `"keep":{}`, `"keep":{"sweets":1}`, 1), `unknown field "sweets"`},
		"capacity":         {strings.Replace(channel, `"keep"`, `"capacity":-1,"keep"`, 1), "line 1: capacity is negative"},
		"read by nobody":   {channel + message(at) + "\n" + `{"kind":"read_up_to","channel_id":"new","message_id":"m"}`, "line 3: user_id is missing"},
		"read what is not": {channel + message(at) + "\n" + `{"kind":"read_up_to","user_id":"ada","channel_id":"new","message_id":"x"}`, "line 3: not found: message x"},
		"read elsewhere":   {channel + message(at) + "\n" + `{"kind":"read_up_to","user_id":"ada","channel_id":"old","message_id":"m"}`, "line 3: not found: message m"},
		"checked":          {channel + strings.Replace(message(at), `"x"`, `"bad"`, 1), "line 2: the check says no"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Import{Check: func(f Fact) error {
				if m, ok := f.(MessagePosted); ok && m.Content == "bad" {
					return strict
				}
				return nil
			}}.Into(t.Context(), lived, strings.NewReader(test.text))
			require.ErrorContains(t, err, test.says)
			require.Equal(t, before, exported(t, lived))
		})
	}
	path := filepath.Join(t.TempDir(), FileName)
	_, err := Import{}.Into(t.Context(), path, io.MultiReader(strings.NewReader(channel), failing{}))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Empty(t, exported(t, path))
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// What is read of a text is written as another that is read the same way. The database is left out: instrumented, it is too slow.
func FuzzImport(f *testing.F) {
	path := filepath.Join(f.TempDir(), FileName)
	lively(f, path)
	text := exported(f, path)
	f.Add(text)
	for line := range strings.Lines(text) {
		f.Add(line)
	}
	read := func(t *testing.T, text string) (facts []Fact, err error) {
		t.Helper()
		said := map[string]bool{}
		r := importing{channels: map[string]bool{}}
		r.apply = func(fact Fact) error {
			if m, ok := fact.(MessagePosted); ok {
				if said[m.ID] {
					return ErrExists
				}
				said[m.ID] = true
			}
			facts = append(facts, fact)
			return nil
		}
		err = r.lines(t.Context(), strings.NewReader(text))
		if _, ok := errors.AsType[*LinesError](err); err != nil && !ok {
			t.Fatal("it fails for another reason: ", err)
		}
		return facts, err
	}
	f.Fuzz(func(t *testing.T, text string) {
		facts, err := read(t, text)
		if err != nil {
			return
		}
		var out bytes.Buffer
		lines := json.NewEncoder(&out)
		for _, fact := range facts {
			switch fact := fact.(type) {
			case ChannelSaved:
				require.NoError(t, lines.Encode(channelLine{fact.Kind(), fact.Channel}))
			case MessagePosted:
				require.NoError(t, lines.Encode(messageLine{fact.Kind(), fact.Message}))
			case ReadUpTo:
				require.NoError(t, lines.Encode(readLine{fact.Kind(), fact}))
			default:
				require.NoError(t, writeFact(lines, fact))
			}
		}
		again, err := read(t, out.String())
		require.NoError(t, err, out.String())
		require.Equal(t, facts, again)
	})
}
