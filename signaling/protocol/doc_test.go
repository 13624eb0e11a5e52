package protocol

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// constants returns the values of this package's integer constants with a prefix.
func constants(t *testing.T, file, prefix string) map[int]string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	require.NoError(t, err)
	values := map[int]string{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, prefix) || len(spec.Values) == 0 {
			return true
		}
		if literal, ok := spec.Values[0].(*ast.BasicLit); ok && literal.Kind == token.INT {
			value, err := strconv.Atoi(literal.Value)
			require.NoError(t, err)
			require.NotContains(t, values, value, "%s has the value of %s", spec.Names[0].Name, values[value])
			values[value] = spec.Names[0].Name
		}
		return true
	})
	return values
}

// PROTOCOL.md has a table row for each opcode, error code and close code, under the name
// the code gives it, and for no other.
func TestProtocolPageIsComplete(t *testing.T) {
	page, err := os.ReadFile("../../PROTOCOL.md")
	require.NoError(t, err)
	rows := map[int]string{}
	for _, row := range regexp.MustCompile(`(?m)^\| (\d+) \| ([^|]*)\|`).FindAllStringSubmatch(string(page), -1) {
		number, err := strconv.Atoi(row[1])
		require.NoError(t, err)
		rows[number] += " " + strings.TrimSpace(row[2])
	}
	wanted := map[int]bool{}
	for value := range constants(t, "opcode.go", "Op") {
		wanted[value] = true
		require.Contains(t, rows[value], Op(value).String())
	}
	for value, name := range constants(t, "error_code.go", "Code") {
		wanted[value] = true
		require.NotEmpty(t, rows[value], "%s (%d) is not in PROTOCOL.md", name, value)
		require.NotContains(t, ErrorCode(value).String(), strconv.Itoa(value), "%s has no text", name)
	}
	for value, name := range constants(t, "close_code.go", "Close") {
		wanted[value] = true
		require.NotEmpty(t, rows[value], "%s (%d) is not in PROTOCOL.md", name, value)
		require.NotEqual(t, "closed", CloseCode(value).String(), "%s has no text", name)
	}
	for number, text := range rows {
		require.True(t, wanted[number], "PROTOCOL.md has %d (%s), the code has not", number, text)
	}
}

// What PROTOCOL.md tells a client to do after a close code is what the Go client does.
func TestCloseCodesSayWhatToDo(t *testing.T) {
	page, err := os.ReadFile("../../PROTOCOL.md")
	require.NoError(t, err)
	for value := range constants(t, "close_code.go", "Close") {
		row := regexp.MustCompile(`(?m)^\| `+strconv.Itoa(value)+` \| [^|]*\| ([^|]*) \|$`).
			FindAllStringSubmatch(string(page), -1)
		require.NotEmpty(t, row)
		// 4001 and 4002 are error codes too; the close table comes first.
		again := strings.Contains(row[0][1], "identify again") && !strings.HasPrefix(row[0][1], "stop")
		require.Equal(t, again, CloseCode(value).Next() == Reidentify, "%d: %s", value, row[0][1])
	}
}
