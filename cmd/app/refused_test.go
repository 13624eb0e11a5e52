package app

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/tally"
)

// TestReasonsAreToldAndExplained: whatever the code counts is told from the start, and in the README, and nothing else is.
func TestReasonsAreToldAndExplained(t *testing.T) {
	t.Parallel()
	counted := map[string]bool{}
	root := filepath.Join("..", "..")
	direct := regexp.MustCompile(`(?:[tT]ally\.Count|\.refused)\("([a-z_]+)"\)`)
	named := regexp.MustCompile(`(?ms)^func \w+Tally\(.*?^}`)
	literal := regexp.MustCompile(`return "([a-z_]+)"`)
	word := regexp.MustCompile(`(?m)^\s+word[A-Z]\w* = "([a-z_]+)"`)
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains([]string{"node_modules", "bin", ".git"}, entry.Name()) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, found := range direct.FindAllSubmatch(source, -1) {
			counted[string(found[1])] = true
		}
		for _, function := range named.FindAll(source, -1) {
			for _, found := range literal.FindAllSubmatch(function, -1) {
				counted[string(found[1])] = true
			}
		}
		if filepath.Base(filepath.Dir(path)) == "signin" {
			for _, found := range word.FindAllSubmatch(source, -1) {
				counted["signin_"+string(found[1])] = true
			}
		}
		return nil
	}))
	all := make([]string, 0, len(counted))
	for reason := range counted {
		all = append(all, reason)
	}
	require.ElementsMatch(t, all, tally.Reasons(), "signaling/tally/reasons.go has what is counted")

	a := startApp(t, func(c *Config) { c.TURN = true })
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	_, table, found := strings.Cut(string(readme), "The others are the reasons of `livechat_refused_total`")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n## ")
	refused := a.refused()
	told, explained := make([]string, 0, len(refused)), make([]string, 0, len(refused))
	for reason := range refused {
		told = append(told, reason)
	}
	for line := range strings.Lines(table) {
		cell, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		if strings.HasPrefix(line, "| `") {
			for _, one := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(cell, -1) {
				explained = append(explained, one[1])
			}
		}
	}
	require.ElementsMatch(t, told, explained, "README.md, Something does not work?")
}
