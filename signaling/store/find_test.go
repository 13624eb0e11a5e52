package store

import (
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestSearch(t *testing.T) {
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
				found, _, err := s.Search(t.Context(), q)
				require.NoError(t, err)
				ids := make([]string, 0, len(found))
				for _, m := range found {
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
			add(t, s, MessageDeleted{"lobby-0"}, MessageEdited{"lobby-1", "nothing", noon})
			require.Equal(t, []string{"lobby-7"}, search(Query{Text: "café"}))
			require.Empty(t, search(Query{Text: "tomorrow"}))
			_, _, err := s.Search(t.Context(), Query{Text: "x", ChannelIDs: []string{"lobby"}, Before: "none", Limit: 1})
			require.ErrorIs(t, err, ErrNotFound)
			for i := range 5 {
				add(t, s, said("more", i))
			}
			found, more, err := s.Search(t.Context(), Query{Text: "text", ChannelIDs: []string{"more"}, Limit: 3})
			require.NoError(t, err)
			require.True(t, more)
			require.Len(t, found, 3)
		})
	}
}

func TestMarks(t *testing.T) {
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
		require.Equal(t, test.want, marks(test.content, terms(test.query)), test.content)
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
			found, _, err := s.Search(t.Context(), q)
			if err != nil {
				require.ErrorIs(t, err, ErrNotFound)
			}
			for _, m := range found {
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
		marks(place, terms(text))
		fact := said("den", 0)
		fact.ID, fact.Content = fmt.Sprint(len(text), "-", s.Seq()), text+"x"
		add(t, s, fact)
	})
}
