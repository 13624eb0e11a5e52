package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/mini-livechat/mini-livechat/signaling/auth"
)

// completing is the command by which a shell asks what may stand in the place of the last of the words behind it. Each answer is a line:
// a word, a tab and what it means, or one of completeFiles and completeDirs.
const completing = "__complete"

const (
	completeFiles = ":files"
	completeDirs  = ":dirs"
)

// complete writes what may stand in the place of the last word.
func complete(out io.Writer, model *kong.Application, words []string) {
	c := completion{out: out, model: model, node: model.Node}
	last := ""
	if len(words) > 0 {
		last, words = words[len(words)-1], words[:len(words)-1]
	}
	for _, word := range words {
		c.pass(word)
	}
	name, value, hasValue := strings.Cut(last, "=")
	switch {
	case c.wants != nil:
		c.values(c.wants, "", last)
	case strings.HasPrefix(last, "-") && hasValue:
		if flag := c.flag(name); flag != nil {
			c.values(flag, name+"=", value)
		}
	case strings.HasPrefix(last, "-"):
		c.flags(last)
	default:
		c.arguments(last)
	}
}

// completion is how far the words lead.
type completion struct {
	out   io.Writer
	model *kong.Application
	node  *kong.Node
	seen  int        // positional arguments of node
	wants *kong.Flag // whose value comes next
	help  bool
}

// pass takes a word before the last.
func (c *completion) pass(word string) {
	switch {
	case c.wants != nil:
		c.wants = nil
	case strings.HasPrefix(word, "-"):
		if flag := c.flag(word); flag != nil && !flag.IsBool() {
			c.wants = flag
		}
	case word == "help" && c.node == c.model.Node:
		c.help = true
	default:
		for _, child := range c.node.Children {
			if child.Name == word {
				c.node, c.seen = child, 0
				return
			}
		}
		c.seen++
	}
}

// known are the flags that may stand here.
func (c *completion) known() []*kong.Flag {
	flags := c.model.Flags
	for node := c.node; node != nil && node != c.model.Node; node = node.Parent {
		flags = append(slices.Clip(flags), node.Flags...)
	}
	if c.node == c.model.Node && c.node.DefaultCmd != nil {
		flags = append(slices.Clip(flags), c.node.DefaultCmd.Flags...)
	}
	return flags
}

// flag is the one that is written so, with nothing behind it.
func (c *completion) flag(word string) *kong.Flag {
	for _, flag := range c.known() {
		if word == "--"+flag.Name {
			return flag
		}
	}
	return nil
}

func (c *completion) flags(begin string) {
	for _, flag := range c.known() {
		if flag.Hidden {
			continue
		}
		name := "--" + flag.Name
		if !flag.IsBool() {
			name += "="
		}
		c.offer(begin, name, flag.Help)
		if flag.Tag.Negatable != "" {
			c.offer(begin, "--no-"+flag.Name, flag.Help)
		}
	}
}

func (c *completion) arguments(begin string) {
	for _, child := range c.node.Children {
		if !child.Hidden && c.seen == 0 {
			c.offer(begin, child.Name, child.Help)
		}
	}
	if c.node == c.model.Node && c.seen == 0 && !c.help {
		c.offer(begin, "help", "Explain a command.")
	}
	if c.seen < len(c.node.Positional) {
		argument := c.node.Positional[c.seen]
		c.choices(argument, argument.Name, "", begin)
	}
}

// values offers what a flag's value may be, each with prefix in front.
func (c *completion) values(flag *kong.Flag, prefix, begin string) {
	c.choices(flag.Value, flag.PlaceHolder, prefix, begin)
}

func (c *completion) choices(value *kong.Value, placeholder, prefix, begin string) {
	choices := strings.FieldsFunc(value.Enum, func(r rune) bool { return r == ',' || r == ' ' })
	switch strings.ToUpper(placeholder) {
	case "FILE":
		_, _ = fmt.Fprintln(c.out, completeFiles)
	case "DIR":
		_, _ = fmt.Fprintln(c.out, completeDirs)
	case "ROLE":
		for _, role := range []auth.Role{auth.RoleGuest, auth.RoleMember, auth.RoleModerator, auth.RoleAdmin} {
			choices = append(choices, role.String())
		}
	case "LEVEL":
		choices = append(choices, "debug", "info", "warn", "error")
	}
	for _, choice := range choices {
		c.offer(prefix+begin, prefix+choice, "")
	}
}

// offer says a word that begins so, and the first sentence of what it means.
func (c *completion) offer(begin, word, help string) {
	if !strings.HasPrefix(word, begin) {
		return
	}
	help, _, _ = strings.Cut(help, ". ")
	_, _ = fmt.Fprintf(c.out, "%s\t%s\n", word, strings.TrimSuffix(help, "."))
}
