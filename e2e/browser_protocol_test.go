package e2e

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// TestPageMeansTheSameNumbers compares the page's table of codes with the server's. It
// needs no browser: the tables are plain text.
func TestPageMeansTheSameNumbers(t *testing.T) {
	source, err := os.ReadFile("../static/page/js/protocol.js")
	require.NoError(t, err)
	table := func(name string) map[string]int {
		t.Helper()
		found := regexp.MustCompile(`(?s)export const ` + name + ` = Object\.freeze\(\{(.*?)\}\)`).FindSubmatch(source)
		require.NotNil(t, found, name)
		numbers := make(map[string]int)
		for _, row := range regexp.MustCompile(`([A-Z_]+): (\d+),`).FindAllSubmatch(found[1], -1) {
			number, err := strconv.Atoi(string(row[2]))
			require.NoError(t, err)
			numbers[string(row[1])] = number
		}
		require.NotEmpty(t, numbers, name)
		return numbers
	}

	for name, op := range table("Op") {
		require.Equal(t, name, protocol.Op(op).String())
	}
	for name, code := range table("ErrorCode") {
		require.NotContains(t, protocol.ErrorCode(code).String(), "error ", "%s is no code of the server's", name)
	}
	closes := table("CloseCode")
	stop := regexp.MustCompile(`(?s)STOP_CODES = new Set\((.*?)\);`).FindSubmatch(source)
	require.NotNil(t, stop)
	for name, code := range closes {
		if protocol.CloseCode(code) < protocol.CloseUnknown {
			continue // RFC 6455's own
		}
		stops := strings.Contains(string(stop[1]), "CloseCode."+name+",")
		require.Equal(t, protocol.CloseCode(code).Next() == protocol.Stop, stops, name)
	}
	for code := protocol.CloseUnknown; code < protocol.CloseUnknown+100; code++ {
		if code.Next() == protocol.Stop {
			require.Contains(t, closes, nameOfClose(closes, int(code)), "the server means %d to stop a client", code)
		}
	}
}

// nameOfClose returns the name of a close code in the page's table.
func nameOfClose(table map[string]int, code int) string {
	for name, number := range table {
		if number == code {
			return name
		}
	}
	return ""
}
