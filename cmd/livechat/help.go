package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

const (
	// helpWidth is how wide the help is set, in characters: what every terminal shows.
	helpWidth = 80
	// helpIndent is in front of every flag, in characters.
	helpIndent = 2
	// helpColumn is where the explanations begin, in characters: behind the longest flag
	// and its placeholder.
	helpColumn = 33
)

// noBreak stands for a space at which a line is not broken.
const noBreak = "\x00"

const overview = `Mini LiveChat: voice chat on your own machine. One program that carries its web page, its signalling gateway and its media server.

Usage: livechat [flags]                    run the server
       livechat invite [flags]             print a link by which people come
       livechat user COMMAND               see and change who is known
       livechat token --user=ID [flags]    print a token that lets a person in
       livechat revoke TOKEN               take a token back
       livechat ban COMMAND                keep somebody out
       livechat audit                      see what moderators did
       livechat admin COMMAND              see and steer a server that runs
       livechat trace [CHANNEL]            follow what is said to whom
       livechat bench SCENARIO... [flags]  measure what the server costs
       livechat talk [flags] [URL]         take part in a channel from here
       livechat doctor [URL]               check whether voice works from here
       livechat backup FILE                copy what the server remembers
       livechat restore FILE               put such a copy back
       livechat export [FILE]              write it as text
       livechat import FILE                add such text to it
       livechat version                    print the version
       livechat completion SHELL           have a shell complete all this
       livechat man [COMMAND]              print the manual`

const settings = `Every setting may also be given as an environment variable, LIVECHAT_ and the flag's name (LIVECHAT_LOG_LEVEL=debug), or as a key of the --config file (log-level: debug). A flag goes before the environment, the environment before the file. TIME is a number with a unit: 500ms, 15s, 10m, 24h, 90d. Where there may be several values, separate them by commas or repeat the flag.

The exit code is 0 when it has ended as it was told to, 1 when it could not do what was asked, 2 when something was typed or set wrongly, and 130 when it was interrupted. With NO_COLOR set, and off a terminal, nothing is coloured.

Examples:
  livechat
      on this machine only: open the address that it prints
  livechat --http=:8080 --allow-guests --announce=203.0.113.7
      for everybody, from behind NAT; put HTTPS in front of it, without which
      browsers allow no microphone
  LIVECHAT_SECRET=... livechat --http=:8080 --channels=lobby,ops=Operations
      for people with a token
  LIVECHAT_SECRET=... livechat token --user=alice --name="Alice"
      the token for one of them`

const mintOverview = `Print a token that lets a person in, signed with the server's secret, and on standard error the link that they open: at the address that --url says, or else the server that runs here, or else its settings. The token alone is for a client.

Usage: livechat token --user=ID [flags]`

const mintExamples = `Examples:
  livechat token --user=alice --name="Alice"
      with the secret that the server generated on this machine
  LIVECHAT_SECRET=... livechat token --user=bob --admin --ttl=30d
      with a secret of your own, for a month
  livechat token --user=eve --url=https://voice.example.org
      with a link to a server behind a proxy`

// printHelp is the kong.HelpPrinter: kong's own shows the flags of the server only to who
// asks for "livechat serve --help".
func printHelp(_ kong.HelpOptions, ctx *kong.Context) error {
	command := ctx.Selected()
	if command == nil {
		command = commandNamed(ctx.Model, "serve")
	}
	above := command.Parent
	if above != nil && above.Type == kong.CommandNode && above.DefaultCmd == command && !slices.Contains(ctx.Args, command.Name) {
		command = above // nobody has named it
	}
	about := pages()[command.Name]
	if command.Parent != nil && command.Parent.Type == kong.CommandNode {
		about = pageBelow(command)
	}
	var page strings.Builder
	page.WriteString(about.does)
	if len(command.Children) > 0 {
		page.WriteString("\n" + wrapAll("\"livechat "+command.Name+" COMMAND --help\" has what one of them takes, and examples of it."))
	}
	writeArguments(&page, command)
	writeFlags(&page, flagGroups(ctx.Model, flagsOf(command)))
	page.WriteString("\n" + wrapAll(about.examples))
	if _, err := fmt.Fprint(ctx.Stdout, page.String()); err != nil {
		return fmt.Errorf("print help: %w", err)
	}
	return nil
}

// page is what stands before and behind the flags of a command.
type page struct{ does, examples string }

func pages() map[string]page {
	return map[string]page{
		"serve":   {wrapAll(overview), settings},
		"token":   {wrapAll(mintOverview), mintExamples},
		"invite":  {wrapAll(inviteOverview), inviteExamples},
		"user":    {wrapAll(userOverview), userExamples},
		"ban":     {wrapAll(banOverview), banExamples},
		"audit":   {wrapAll(auditOverview), auditExamples},
		"admin":   {wrapAll(adminOverview), adminExamples},
		"trace":   {wrapAll(traceOverview), traceExamples},
		"revoke":  {wrapAll(revokeOverview), revokeExamples},
		"bench":   {wrapAll(benchOverview) + "\n" + wrapAll(benchScenarios), benchExamples},
		"talk":    {wrapAll(talkOverview), talkExamples},
		"doctor":  {wrapAll(doctorOverview), doctorExamples},
		"backup":  {wrapAll(backupOverview), backupExamples},
		"restore": {wrapAll(restoreOverview), restoreExamples},
		"export":  {wrapAll(exportOverview), exportExamples},
		"import":  {wrapAll(importOverview), importExamples},
		"version": {wrapAll(versionOverview), versionExamples},

		"completion": {wrapAll(completionOverview), completionExamples},
		"man":        {wrapAll(manualOverview), manualExamples},
	}
}

func commandNamed(model *kong.Application, name string) *kong.Node {
	for _, command := range model.Children {
		if command.Name == name {
			return command
		}
	}
	return model.Node
}

// flagGroup is flags that are explained together.
type flagGroup struct {
	title string
	flags []*kong.Flag
}

// flagGroups are flags, and then the program's, group by group in the order in which the groups are first met.
func flagGroups(model *kong.Application, flags []*kong.Flag) []flagGroup {
	var groups []flagGroup
	known := map[string]bool{}
	for _, flag := range append(flags, model.Flags...) {
		if flag.Hidden || known[flag.Name] {
			continue
		}
		known[flag.Name] = true
		title := "More:"
		if flag.Group != nil {
			title = flag.Group.Title
		}
		i := slices.IndexFunc(groups, func(g flagGroup) bool { return g.title == title })
		if i < 0 {
			i, groups = len(groups), append(groups, flagGroup{title: title})
		}
		groups[i].flags = append(groups[i].flags, flag)
	}
	return groups
}

// flagsOf are those of the command, and where there are commands below it, of the one that it stands for by itself. What many have, which
// is where the data are, comes last.
func flagsOf(command *kong.Node) []*kong.Flag {
	flags := slices.Clone(command.Flags)
	if command.DefaultCmd != nil {
		flags = append(flags, command.DefaultCmd.Flags...)
	}
	slices.SortStableFunc(flags, func(a, b *kong.Flag) int { return cmp.Compare(rank(a), rank(b)) })
	return flags
}

func rank(flag *kong.Flag) int {
	if flag.Group != nil && flag.Group.Key == "care" {
		return 1
	}
	return 0
}

// flagsBelow are those of the command and of all commands below it.
func flagsBelow(command *kong.Node) []*kong.Flag {
	flags := slices.Clone(command.Flags)
	for _, below := range command.Children {
		flags = append(flags, flagsBelow(below)...)
	}
	return flags
}

// writeArguments writes what the arguments are.
func writeArguments(page *strings.Builder, command *kong.Node) {
	if len(command.Positional) > 0 {
		page.WriteString("\nArguments:\n")
	}
	for _, argument := range command.Positional {
		writeEntry(page, strings.ToUpper(argument.Name), argument.Help)
	}
}

// writeFlags writes what the flags are for.
func writeFlags(page *strings.Builder, groups []flagGroup) {
	for _, group := range groups {
		page.WriteString("\n" + group.title + "\n")
		for _, flag := range group.flags {
			writeEntry(page, flagLabel(flag), flagText(flag))
		}
	}
}

func writeEntry(page *strings.Builder, label, text string) {
	left := strings.Repeat(" ", helpIndent) + label
	for _, line := range wrap(text, helpWidth-helpColumn) {
		fmt.Fprintf(page, "%-*s%s\n", helpColumn-1, left, " "+line)
		left = ""
	}
}

// flagLabel is how a flag is written.
func flagLabel(flag *kong.Flag) string {
	switch {
	case flag.Tag.Negatable != "":
		return "--[no-]" + flag.Name
	case !flag.IsBool():
		return "--" + flag.Name + "=" + flag.PlaceHolder
	default:
		return "--" + flag.Name
	}
}

// flagText is what a flag is for, and what it is without being set.
func flagText(flag *kong.Flag) string {
	if !flag.HasDefault {
		return flag.Help
	}
	return flag.Help + " [default:" + noBreak + belowHome(flag.Default) + "]"
}

// belowHome writes a path in the user's home as the shell does.
func belowHome(path string) string {
	home := os.Getenv("HOME")
	if rest, ok := strings.CutPrefix(path, home+"/"); ok && home != "" {
		return "~/" + rest
	}
	return path
}

// wrapAll wraps every line of text that is too wide; the others, and so all that is laid
// out by hand, stay as they are.
func wrapAll(text string) string {
	var page strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if len(line) <= helpWidth || strings.HasPrefix(line, " ") {
			page.WriteString(line + "\n")
			continue
		}
		page.WriteString(strings.Join(wrap(line, helpWidth), "\n") + "\n")
	}
	return page.String()
}

// wrap breaks text between words into lines of at most width bytes.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.SplitSeq(text, " ") {
		word = strings.ReplaceAll(word, noBreak, " ")
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}
