package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/mini-livechat/mini-livechat/cmd/app"
	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

const traceOverview = `Follow what clients and server say to each other, as it is said, a frame a line, until it is interrupted. Where the server is several nodes it is what is said at all of them, each line with its node. Tokens, secrets, the passwords in SDP and the text of messages are left out. It never holds the server up: who reads too slowly loses lines, and is told how many.

Usage: livechat trace [CHANNEL] [flags]`

const traceExamples = `Examples:
  livechat trace lobby
      what is said about one channel, and by those who are in it
  livechat trace --user=Ada --op=join
      how one person's CHANNEL_JOIN goes
  livechat trace --op=floor --json | jq -c 'select(.in | not)'
      what the server says about who talks`

// traceCommand follows the signalling.
type traceCommand struct {
	Channel string `arg:"" optional:"" help:"Only what is about a channel, by its id, and who is in it."`
	User    string `group:"trace" placeholder:"WHO" help:"Only somebody's, by id or name."`
	Op      string `group:"trace" placeholder:"NAME" help:"Only frames whose name has this in it, such as floor, and the replies to such."`

	administering `embed:""`
}

// Run prints each frame until it is interrupted.
func (c *traceCommand) Run() error {
	query := url.Values{}
	for name, value := range map[string]string{"channel": c.Channel, "user": c.User, "op": c.Op} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if err := c.check(); err != nil {
		return err
	}
	colours := !c.JSON && isTerminal(os.Stdout) && os.Getenv("NO_COLOR") == ""
	return c.with(func(ctx context.Context, admin *app.Admin) error {
		c.announce(ctx, admin)
		return admin.Stream(ctx, livePath+"trace?"+query.Encode(), func(data []byte) error { //nolint:wrapcheck // says it all
			if c.JSON {
				_, err := fmt.Fprintf(os.Stdout, "%s\n", data)
				return err
			}
			var line protocol.AdminTraceLine
			if err := json.Unmarshal(data, &line); err != nil {
				return fmt.Errorf("understand the server: %w", err)
			}
			_, err := fmt.Fprint(os.Stdout, traceLine(&line, colours))
			return err
		})
	})
}

// check reports an op of which there is none.
func (c *traceCommand) check() error {
	if c.Op == "" {
		return nil
	}
	for op := range protocol.Op(maxOp) {
		if strings.Contains(op.String(), strings.ToUpper(c.Op)) && !strings.HasPrefix(op.String(), "OP(") {
			return nil
		}
	}
	return &app.ConfigError{Mistakes: []error{fmt.Errorf("--op=%s: no request or event has this in its name; PROTOCOL.md lists them", c.Op)}}
}

// maxOp is above every op.
const maxOp = 256

// announce says what is to come, to who would otherwise look at nothing.
func (c *traceCommand) announce(ctx context.Context, admin *app.Admin) {
	what := "what clients and server say to each other"
	if c.Channel != "" {
		what += " about " + c.Channel
		var channel protocol.AdminChannel
		if err := admin.Do(ctx, http.MethodGet, livePath+"channels/"+url.PathEscape(c.Channel), nil, &channel); err != nil {
			what += ", of which there is none yet"
		}
	}
	_, _ = fmt.Fprintf(os.Stderr, "Following %s. A name, →, and what that client says; or ←, and what it is told. Ctrl-C ends it.\n", what)
}

// The colours of a trace (ECMA-48, section 8.3.117).
const (
	colourIn, colourOut, colourTrouble, colourDim, colourOff = "\x1b[36m", "\x1b[32m", "\x1b[31m", "\x1b[2m", "\x1b[0m"
)

// traceLine is a frame as people read it.
func traceLine(line *protocol.AdminTraceLine, colours bool) string {
	paint := func(colour, text string) string {
		if !colours || text == "" {
			return text
		}
		return colour + text + colourOff
	}
	var out strings.Builder
	if line.Lost > 0 {
		fmt.Fprintln(&out, paint(colourTrouble, fmt.Sprintf("… %s lost here: they came faster than they were read", count(int64(line.Lost), "line")))) //nolint:gosec // it fits
	}
	for _, node := range line.Missing {
		fmt.Fprintln(&out, paint(colourTrouble, fmt.Sprintf("… node %s does not answer: what is said there is not shown", printable(node))))
	}
	if line.Op == "" {
		return out.String()
	}
	arrow, colour := "→", colourIn
	if !line.In {
		arrow, colour = "←", colourOut
	}
	if line.Op == protocol.OpError.String() {
		colour = colourTrouble
	}
	which := line.ID
	if line.S != 0 {
		which = fmt.Sprintf("s%d", line.S)
	}
	payload := ""
	if line.D != nil {
		text, _ := json.Marshal(line.D) //nolint:errchkjson // it was JSON just now
		payload = printable(string(text))
	}
	who := "a stranger"
	if line.UserID != "" {
		who = printable(line.Name) + " " + paint(colourDim, printable(line.UserID))
	}
	if line.Node != "" {
		who = paint(colourDim, printable(line.Node)) + " " + who
	}
	fmt.Fprintf(&out, "%s %s %s %s %s %s\n", paint(colourDim, line.At.Local().Format("15:04:05.000")), who, arrow,
		paint(colour, line.Op), paint(colourDim, printable(which)), payload)
	return out.String()
}
