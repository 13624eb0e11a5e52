package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/mini-livechat/mini-livechat/cmd/app"
)

const manualOverview = `Print a page of the manual, made of what --help says: that of a command, or of the program. "make install" and the Debian package put them where man looks.

Usage: livechat man [COMMAND]
       livechat man --dir=DIR`

const manualExamples = `Examples:
  livechat man talk | man -l -
      read one
  livechat man --dir=/usr/local/share/man/man1
      install them all`

const exitCodes = `0: it is done, or has ended as it was told to.
1: it could not be done; what is wrong stands on standard error.
2: something was typed or set wrongly, and nothing was done.
130: it was interrupted.`

// manualCommand prints pages of the manual.
type manualCommand struct {
	Command string `arg:"" optional:"" help:"The command. Without it: the program."`
	Dir     string `group:"more" placeholder:"DIR" help:"Write all pages into this directory."`
}

// Run prints a page, or writes them all.
func (c *manualCommand) Run(k *kong.Kong) error {
	model := k.Model
	if c.Dir == "" {
		command := commandNamed(model, "serve")
		if c.Command != "" {
			if command = commandNamed(model, c.Command); command == model.Node {
				return &app.ConfigError{Mistakes: []error{fmt.Errorf("%w %q", errCommand, c.Command)}}
			}
		}
		if _, err := fmt.Fprint(os.Stdout, manual(model, command)); err != nil {
			return fmt.Errorf("print the manual: %w", err)
		}
		return nil
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil { //nolint:gosec // everybody may read it
		return fmt.Errorf("write the manual: %w", err)
	}
	for _, command := range model.Children {
		if command.Hidden {
			continue
		}
		path := filepath.Join(c.Dir, manualName(command)+".1")
		if err := os.WriteFile(path, []byte(manual(model, command)), 0o644); err != nil { //nolint:gosec // as above
			return fmt.Errorf("write the manual: %w", err)
		}
	}
	return nil
}

// manualName is a page's: the server is the program.
func manualName(command *kong.Node) string {
	if command.Name == "serve" {
		return "livechat"
	}
	return "livechat-" + command.Name
}

// manual is a command's page in roff's man macros (man(7)).
func manual(model *kong.Application, command *kong.Node) string {
	var p roff
	name := manualName(command)
	p.macro("TH", strings.ToUpper(name), "1", "", "Mini LiveChat "+app.Version, "Mini LiveChat")
	p.macro("SH", "NAME")
	summary := strings.ToLower(command.Help[:1]) + strings.TrimSuffix(command.Help[1:], ".")
	if name == "livechat" {
		summary = "voice chat on your own machine"
	}
	p.line(strings.ReplaceAll(name, "-", `\-`) + ` \- ` + escape(summary))

	about, synopsis := pages()[command.Name], []string{}
	if about.does == "" {
		about.does = command.Help + "\n\nUsage: livechat " + command.Name + "\n"
	}
	rest := []string{}
	for line := range strings.SplitSeq(about.does, "\n") {
		usage, is := strings.CutPrefix(line, "Usage: ")
		if more, aligned := strings.CutPrefix(line, "       "); !is && aligned {
			usage, is = more, true
		}
		if is {
			synopsis = append(synopsis, "  "+usage)
		} else {
			rest = append(rest, line)
		}
	}
	p.macro("SH", "SYNOPSIS")
	p.text(strings.Join(synopsis, "\n"))
	p.macro("SH", "DESCRIPTION")
	p.text(strings.Join(rest, "\n"))
	p.macro("SH", "OPTIONS")
	for _, group := range flagGroups(model, flagsOf(command)) {
		p.macro("SS", strings.TrimSuffix(group.title, ":"))
		for _, flag := range group.flags {
			p.entry(flagLabel(flag), flagText(flag))
		}
	}
	p.below(command)
	notes, examples, _ := strings.Cut(about.examples, "Examples:\n")
	if strings.TrimSpace(notes) != "" {
		p.macro("SH", "NOTES")
		p.text(notes)
	}
	if examples != "" {
		p.macro("SH", "EXAMPLES")
		p.text(examples)
	}
	p.macro("SH", "EXIT STATUS")
	p.text(strings.ReplaceAll(exitCodes, "\n", "\n\n"))
	p.macro("SH", "SEE ALSO")
	others := []string{}
	for _, other := range model.Children {
		if !other.Hidden && other != command {
			others = append(others, `\fB`+strings.ReplaceAll(manualName(other), "-", `\-`)+`\fR(1)`)
		}
	}
	p.line(strings.Join(others, ",\n"))
	return p.String()
}

// roff is a page.
type roff struct{ strings.Builder }

func (p *roff) line(text string) { _, _ = p.WriteString(text + "\n") }

func (p *roff) macro(name string, args ...string) {
	_, _ = p.WriteString("." + name)
	for _, arg := range args {
		_, _ = p.WriteString(` "` + strings.ReplaceAll(escape(arg), `"`, `\(dq`) + `"`)
	}
	_, _ = p.WriteString("\n")
}

// entry is a flag or an argument, and what it is for.
func (p *roff) entry(label, text string) {
	p.line(".TP")
	p.line(`\fB` + strings.ReplaceAll(label, "-", `\-`) + `\fR`)
	p.line(escape(strings.ReplaceAll(text, noBreak, " ")))
}

// below has the commands below one, each with what it takes beside the flags that have been told.
func (p *roff) below(command *kong.Node) {
	if len(command.Children) > 0 {
		p.macro("SH", "COMMANDS")
	}
	told := map[string]bool{}
	for _, flag := range flagsOf(command) {
		told[flag.Name] = true
	}
	for _, one := range command.Children {
		p.macro("SS", command.Name+" "+one.Name+usage(one))
		does, _, _ := strings.Cut(pageBelow(one).does, "\n\nUsage: ")
		p.text(does)
		for _, argument := range one.Positional {
			p.entry(strings.ToUpper(argument.Name), argument.Help)
		}
		for _, flag := range one.Flags {
			if !flag.Hidden && !told[flag.Name] {
				p.entry(flagLabel(flag), flagText(flag))
			}
		}
	}
}

// text sets paragraphs; lines that are set in stay as they are.
func (p *roff) text(text string) {
	literal := false
	set := func(as bool) {
		if as != literal {
			p.line(map[bool]string{true: ".nf", false: ".fi"}[as])
			literal = as
		}
	}
	blank := false
	for line := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		if strings.TrimSpace(line) == "" {
			blank = true
			continue
		}
		set(strings.HasPrefix(line, " "))
		if blank {
			p.line(".PP")
			blank = false
		}
		p.line(escape(strings.TrimPrefix(line, "  ")))
	}
	set(false)
}

// escape makes roff of plain text.
func escape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", `\[u2026]`, "é", `\['e]`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}
