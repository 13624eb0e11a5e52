package static

import (
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLeanKeepsWhatIsSaid(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"a = 1; // one\nb = 2;\n":                                       "a = 1;\nb = 2;\n",
		"/** doc\n * more */\n\n  export const x = 1;":                  "export const x = 1;",
		"f(/* what */ 1,   2)":                                          "f( 1, 2)",
		"return/* \n */x":                                               "return\nx",
		"s = 'it // is' + \"a /* b */\" + '\\' // no'; // c":            "s = 'it // is' + \"a /* b */\" + '\\' // no'; ",
		"t = `a // b ${c /* d */ + `e ${{ f: '}' }.f} //`} g  /* h */`": "t = `a // b ${c + `e ${{ f: '}' }.f} //`} g  /* h */`",
		"x = a / b; y = c / d; // e":                                    "x = a / b; y = c / d; ",
		"x = i++ / 2 / 3; // e":                                         "x = i++ / 2 / 3; ",
		"x = /'[/]\\/\"/g.test(y) // e":                                 "x = /'[/]\\/\"/g.test(y) ",
		"return /\\/\\*'/.exec(s); /* e */":                             "return /\\/\\*'/.exec(s); ",
		"(a + b) / 2; // e":                                             "(a + b) / 2; ",
		"const p = /^https:\\/\\//u; // e":                              "const p = /^https:\\/\\//u; ",
		"this.#a /= 2; // e\n":                                          "this.#a /= 2;\n",
	} {
		got, ok := leanScript([]byte(source))
		require.True(t, ok, source)
		require.Equal(t, want, string(got), source)
	}
	for _, broken := range []string{"/* never", "'never", "`never", "x = /never", "}", "`${"} {
		_, ok := leanScript([]byte(broken))
		require.False(t, ok, broken)
	}
	require.Equal(t, "a {\nb: c;\n}\n", string(leanStyle([]byte("/* why */\na {\n  b: c;\n}\n"))))
}

// Of each script of the page the words stay, and the comments go.
func TestLeanUnderstandsThePage(t *testing.T) {
	t.Parallel()
	quoted := regexp.MustCompile(`'(?:[^'\\\n]|\\.)*'`)
	var before, after int
	err := fs.WalkDir(files, "page/js", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".js" {
			return err
		}
		source, err := fs.ReadFile(files, name)
		require.NoError(t, err)
		short, ok := leanScript(source)
		require.True(t, ok, name)
		require.NotContains(t, string(short), "/**", name)
		again, ok := leanScript(short)
		require.True(t, ok, name)
		require.Equal(t, string(short), string(again), name)
		for line := range strings.SplitSeq(string(source), "\n") {
			line = strings.TrimSpace(line)
			if line == "" || strings.Contains(line, "//") || strings.HasPrefix(line, "*") || strings.Contains(line, "/*") {
				continue
			}
			for _, text := range quoted.FindAllString(line, -1) {
				require.Contains(t, string(short), text, name)
			}
		}
		before, after = before+len(source), after+len(short)
		return nil
	})
	require.NoError(t, err)
	require.Less(t, after, before*3/4)
}
