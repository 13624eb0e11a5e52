package store

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestSearch(t *testing.T) {
	t.Parallel()
	for name, s := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			for i, content := range []string{
				"We meet at the café tomorrow", "tomorrow: CAFE closed", "회의실로 와 주세요", "내일 회의 있어요", "東京の会議は三時です",
				"see 会議 notes", "' OR 1=1; \"DROP\" NEAR(table*)", "snake_case.word and café-bar", "나는 간다", "x",
			} {
				fact := said("lobby", i)
				fact.Content = content
				add(t, s, fact)
			}
			elsewhere := said("den", 0)
			elsewhere.Content, elsewhere.AuthorID = "the café of the den", "bob"
			add(t, s, elsewhere)
			search := func(q Query) []string {
				t.Helper()
				if q.ChannelIDs == nil {
					q.ChannelIDs = []string{"lobby"}
				}
				q.Limit = MaxFound
				answer, err := s.Search(t.Context(), q)
				require.NoError(t, err)
				require.Empty(t, answer.Next)
				ids := make([]string, 0, len(answer.Found))
				for _, m := range answer.Found {
					ids = append(ids, m.ID)
					for _, mark := range m.Marks {
						require.LessOrEqual(t, mark[0]+mark[1], utf8.RuneCountInString(m.Content))
					}
					require.NotEmpty(t, m.Marks, "%q in %q", q.Text, m.Content)
				}
				return ids
			}
			for text, want := range map[string][]string{
				"café": {"lobby-0", "lobby-1", "lobby-7"}, "CAFE tomorrow": {"lobby-0", "lobby-1"}, "tomor": {"lobby-0", "lobby-1"},
				"tomor cafe": {}, "회의": {"lobby-2", "lobby-3"}, "회의실": {"lobby-2"}, "의실": {"lobby-2"}, "간": {"lobby-8"}, "다": {"lobby-8"},
				"会議": {"lobby-4", "lobby-5"}, "三時です": {"lobby-4"}, "see会議": {"lobby-5"}, "table": {"lobby-6"}, `"drop" near(`: {"lobby-6"},
				"snake_case": {"lobby-7"}, "": {}, "*": {}, `"`: {}, "NEAR": {"lobby-6"}, "content:x": {}, "x": {"lobby-9"}, "-x": {"lobby-9"},
			} {
				require.ElementsMatch(t, want, search(Query{Text: text}), text)
			}
			require.Equal(t, []string{"den-0"}, search(Query{Text: "café", ChannelIDs: []string{"den", "lobby"}, AuthorID: "bob"}))
			require.Empty(t, search(Query{Text: "café", ChannelIDs: []string{}}))
			require.Equal(t, []string{"lobby-0"}, search(Query{Text: "café", Before: "lobby-1"}))
			add(t, s, MessageDeleted{MessageID: "lobby-0"}, MessageEdited{MessageID: "lobby-1", Content: "nothing", At: noon})
			require.Equal(t, []string{"lobby-7"}, search(Query{Text: "café"}))
			require.Empty(t, search(Query{Text: "tomorrow"}))
			_, err := s.Search(t.Context(), Query{Text: "x", ChannelIDs: []string{"lobby"}, Before: "none", Limit: 1})
			require.ErrorIs(t, err, ErrNotFound)
			for i := range 5 {
				add(t, s, said("more", i))
			}
			answer, err := s.Search(t.Context(), Query{Text: "text", ChannelIDs: []string{"more"}, Limit: 3})
			require.NoError(t, err)
			require.True(t, answer.More)
			require.Empty(t, answer.Next, "all were looked at")
			require.Len(t, answer.Found, 3)
		})
	}
}

func TestMarks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		content, query string
		want           [][2]int
	}{
		{"We meet at the café, Café!", "cafe", [][2]int{{15, 4}, {21, 4}}},
		{"🎉 회의실 회의", "회의", [][2]int{{2, 2}, {6, 2}}},
		{"cafeteria cafe", "cafe x", [][2]int{{10, 4}}},
		{"cafeteria", "x cafe", [][2]int{{0, 9}}},
		{"nothing", "some", [][2]int{}},
	} {
		marks, _ := find(test.content, terms(test.query))
		require.Equal(t, test.want, marks, test.content)
	}
}

// Whatever people look for, or name as a place, is an answer or a refusal and no trouble of the memory's.
func FuzzSearch(f *testing.F) {
	for _, text := range []string{"plain", `"`, "a* OR b NEAR(c, 2)", "회", "會議 x", "\x00", "a\u0301", "{a b} : c", "^a + b", "\xff", "'); DROP"} {
		f.Add(text, text)
	}
	s := open(f, "")
	for i := range 20 {
		add(f, s, said("lobby", i))
	}
	f.Fuzz(func(t *testing.T, text, place string) {
		for _, q := range []Query{{Text: text}, {Text: text, AuthorID: place}, {Text: text, Before: place}} {
			q.ChannelIDs, q.Limit = []string{"lobby", place}, 5
			answer, err := s.Search(t.Context(), q)
			if err != nil {
				require.ErrorIs(t, err, ErrNotFound)
			}
			for _, m := range answer.Found {
				for _, mark := range m.Marks {
					require.LessOrEqual(t, mark[0]+mark[1], utf8.RuneCountInString(m.Content))
				}
			}
		}
		for _, p := range []Page{{ChannelID: place}, {ChannelID: "lobby", Before: place}, {ChannelID: "lobby", After: place}} {
			p.Limit = 5
			if _, _, err := s.History(t.Context(), p); err != nil {
				require.ErrorIs(t, err, ErrNotFound)
			}
		}
		find(place, terms(text))
		fact := said("den", 0)
		fact.ID, fact.Content = fmt.Sprint(len(text), "-", s.Seq()), text+"x"
		add(t, s, fact)
	})
}

// A search goes back as far as one wants, and finds each message once, wherever it ended in between.
func TestSearchGoesOn(t *testing.T) {
	t.Parallel()
	s := open(t, "")
	const size = 2*block + 100
	facts := make([]Fact, size)
	want := map[string]bool{}
	for i := range facts {
		fact := said([]string{"lobby", "den"}[i%2], i)
		fact.AuthorID = []string{"ada", "bob", "cyd"}[i%3]
		fact.Content = []string{"even", "odd"}[i%2] + " words"
		if i%1000 == 0 {
			fact.Content += " 회의 thousandth"
			want[fact.ID] = true
		}
		facts[i] = fact
	}
	add(t, s, facts...)
	all := func(q Query) map[string]bool {
		t.Helper()
		found := map[string]bool{}
		last := int64(size + 2)
		for {
			q.Limit = MaxFound
			answer, err := s.Search(t.Context(), q)
			require.NoError(t, err)
			for _, m := range answer.Found {
				require.False(t, found[m.ID], "twice")
				found[m.ID] = true
			}
			if answer.Next == "" {
				return found
			}
			require.True(t, answer.More)
			seq, err := s.seqOf(t.Context(), answer.Next)
			require.NoError(t, err)
			require.Less(t, seq, last, "it leads nowhere")
			q.Before, last = answer.Next, seq
		}
	}
	both := []string{"lobby", "den"}
	for _, text := range []string{"thousandth", "thousandth words", "회의", "의", "words thous"} {
		require.Equal(t, want, all(Query{Text: text, ChannelIDs: both}), text)
	}
	require.Empty(t, all(Query{Text: "even odd ", ChannelIDs: both}))
	require.Empty(t, all(Query{Text: "odd", ChannelIDs: both[:1]}))
	require.Empty(t, all(Query{Text: "words", ChannelIDs: both, AuthorID: "eve"}))
	many := make([]string, maxPlaces)
	for i := range many {
		many[i] = fmt.Sprint("empty-", i)
	}
	require.Empty(t, all(Query{Text: "words", ChannelIDs: append(many, "none")}))
	require.Equal(t, want, all(Query{Text: "thous", ChannelIDs: append(many, both...)}))
	require.Len(t, all(Query{Text: "thous", ChannelIDs: both, AuthorID: "ada"}), (len(want)+2)/3)

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Search(gone, Query{Text: "words", ChannelIDs: both, Limit: 1})
	require.ErrorIs(t, err, context.Canceled)
}

// Words that are so common that the index is of no help are looked for in the messages.
func TestSearchWithoutTheIndex(t *testing.T) {
	t.Parallel()
	s := open(t, "")
	for i, content := range []string{"there they are", "the café", "아 회의", "회의 하다", "other"} {
		fact := said("lobby", i)
		fact.Content = content
		add(t, s, fact)
	}
	for text, want := range map[string]int{"th": 2, "the": 2, "they": 1, "caf": 1, "café th": 1, "아": 1, "하": 1, "회의 하": 1, "z": 0} {
		l := looking{Store: s, wanted: terms(text), query: Query{ChannelIDs: []string{"lobby"}}, channels: `["lobby"]`, top: 6}
		require.NoError(t, l.span(t.Context(), 0, 1))
		require.Len(t, l.found, want, text)
	}
}

// The index, which would gather all the places in memory, is not asked for words with a beginning that very many have.
func TestCommonBeginnings(t *testing.T) {
	t.Parallel()
	s := open(t, "")
	for i := range 11 {
		fact := said("lobby", i)
		fact.Content = strings.Repeat("walking ", 1000)
		add(t, s, fact)
	}
	fact := said("lobby", 11)
	fact.Content = "who walks, waits"
	add(t, s, fact)
	for text, want := range map[string]bool{"w": false, "wal": false, "wait": true, "wait walk": false, "walk wait": true} {
		require.Eventually(t, func() bool { // counting has little time
			l := looking{Store: s, wanted: terms(text), query: Query{ChannelIDs: []string{"lobby"}}}
			require.NoError(t, l.prepare(t.Context()))
			return l.prefix == want
		}, patience, time.Millisecond, text)
	}
	for text, want := range map[string]int{"wal": 3, "wait": 1, "walks wait": 1, "walking w": 3} {
		answer, err := s.Search(t.Context(), Query{Text: text, ChannelIDs: []string{"lobby"}, Limit: 3})
		require.NoError(t, err)
		require.Equal(t, want, len(answer.Found), text) //nolint:testifylint // they are long
	}
}

func TestRank(t *testing.T) {
	t.Parallel()
	contents := []string{"words and a cafe and much more that is not asked for", "cafe", "none", "cafe cafe cafe x", "cafe"}
	all := make([]Found, 0, len(contents))
	for i, content := range contents {
		marks, hits := find(content, terms("cafe"))
		all = append(all, Found{Message: Message{Seq: uint64(9 - i)}, Marks: marks, hits: hits})
	}
	rank(all)
	order := make([]uint64, 0, len(all))
	for _, f := range all {
		order = append(order, f.Seq)
	}
	require.Equal(t, []uint64{6, 8, 5, 9, 7}, order)
}
