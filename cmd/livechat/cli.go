package main

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/alecthomas/kong"

	"github.com/mini-livechat/mini-livechat/cmd/app"
)

// cli is the command line. Flags of app.Config may also be set in the environment and in
// the configuration file; see sources.
type cli struct {
	Config configFile `name:"config" env:"LIVECHAT_CONFIG" group:"more" placeholder:"FILE" help:"YAML file of settings."`

	Serve   serveCommand   `cmd:"" default:"withargs" help:"Run the server."`
	Token   tokenCommand   `cmd:"" help:"Print a token that lets a person in."`
	Invite  inviteCommand  `cmd:"" help:"Make a link by which people come."`
	User    userCommand    `cmd:"" help:"See and change who is known."`
	Ban     banCommand     `cmd:"" help:"Keep somebody out."`
	Audit   auditCommand   `cmd:"" help:"See what moderators did."`
	Admin   adminCommand   `cmd:"" help:"See and steer a server that runs."`
	Trace   traceCommand   `cmd:"" help:"Follow what clients and server say to each other."`
	Revoke  revokeCommand  `cmd:"" help:"Take tokens back."`
	Bench   benchCommand   `cmd:"" help:"Measure what the server costs on this machine."`
	Talk    talkCommand    `cmd:"" help:"Take part in a channel: play, record, read and write."`
	Doctor  doctorCommand  `cmd:"" help:"Check whether voice works with a server from here."`
	Backup  backupCommand  `cmd:"" help:"Copy what the server remembers."`
	Restore restoreCommand `cmd:"" help:"Put such a copy back."`
	Export  exportCommand  `cmd:"" help:"Write what the server remembers as text."`
	Import  importCommand  `cmd:"" help:"Add such text to what the server remembers."`
	Version versionCommand `cmd:"" help:"Print the version."`

	Completion completionCommand `cmd:"" help:"Print what has a shell complete all this."`
	Man        manualCommand     `cmd:"" help:"Print the manual."`

	sources *sources
}

// defaults is the command line before anything was read.
func defaults() *cli {
	data := serversData{Data: app.Default().Data}
	return &cli{
		Serve:   serveCommand{Config: app.Default()},
		Token:   tokenCommand{serversSecret: serversSecret{Data: data.Data}, pageAddress: pageAddress{HTTP: app.DefaultHTTP}, TTL: defaultTokenTTL},
		Invite:  defaultInvite(data),
		User:    defaultUser(data),
		Ban:     defaultBan(data),
		Admin:   defaultAdmin(data),
		Trace:   traceCommand{administering: administering{serversData: data}},
		Audit:   auditCommand{Limit: defaultAudit, administering: administering{serversData: data}},
		Revoke:  revokeCommand{administering: administering{serversData: data}},
		Bench:   defaultBench(),
		Talk:    defaultTalk(),
		Backup:  backupCommand{serversData: data},
		Restore: restoreCommand{serversData: data},
		Export:  exportCommand{serversData: data},
		Import:  importCommand{serversData: data},
	}
}

// newParser builds the parser that fills in grammar, whose present values become the
// defaults. lookupEnv is os.LookupEnv but in tests.
func newParser(grammar *cli, lookupEnv func(string) (string, bool)) (*kong.Kong, error) {
	src := &sources{lookupEnv: lookupEnv, origins: map[string]string{}}
	grammar.sources = src
	parser, err := kong.New(grammar,
		kong.Name("livechat"),
		kong.PostBuild(func(k *kong.Kong) error {
			src.keys = configKeys(k.Model)
			k.Model.HelpFlag.Help = "This page; after a command, the page about it."
			return kong.Visit(k.Model, presetDefaults)
		}),
		kong.Bind(src),
		kong.Resolvers(src),
		kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(decodeDuration)),
		kong.KindMapper(reflect.Bool, boolDecoder{}),
		kong.KindMapper(reflect.Int, kong.MapperFunc(decodeInt)),
		kong.Help(printHelp),
		kong.ExplicitGroups([]kong.Group{
			{Key: "listen", Title: "Where it listens:"},
			{Key: "tls", Title: "The certificate:"},
			{Key: "turn", Title: "Behind firewalls:"},
			{Key: "people", Title: "Who may come in:"},
			{Key: "floor", Title: "Push-to-talk:"},
			{Key: "signin", Title: "Signing in with a provider:"},
			{Key: "channels", Title: "Channels and messages:"},
			{Key: "sessions", Title: "Connections:"},
			{Key: "cluster", Title: "Several nodes:"},
			{Key: "running", Title: "Running:"},
			{Key: "token", Title: "The token:"},
			{Key: "invite", Title: "The invite:"},
			{Key: "ban", Title: "What:"},
			{Key: "trace", Title: "Which of it:"},
			{Key: "delete", Title: "What becomes of what they wrote:"},
			{Key: "rights", Title: "What it lets the person do, beside what the role says:"},
			{Key: "secret", Title: "The secret:"},
			{Key: "bench", Title: "The measurement:"},
			{Key: "doctor", Title: "The check:"},
			{Key: "talk", Title: "Who and where:"},
			{Key: "sound", Title: "What is played:"},
			{Key: "listening", Title: "What is heard:"},
			{Key: "care", Title: "The data:"},
			{Key: "more", Title: "More:"},
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("command line: %w", err)
	}
	return parser, nil
}

// configKeys are the settings that the environment and the file may carry: the flags of
// the serve command.
func configKeys(model *kong.Application) map[string]bool {
	keys := map[string]bool{}
	for _, command := range model.Children {
		if command.Name != "serve" {
			continue
		}
		for _, flag := range command.Flags {
			keys[flag.Name] = true
		}
	}
	return keys
}

// presetDefaults makes the value that each flag's field had when the grammar was built
// its default, so that defaults are written down once, in package app.
func presetDefaults(node kong.Visitable, next kong.Next) error {
	if flag, ok := node.(*kong.Flag); ok {
		if text := formatDefault(flag.Target.Interface()); text != "" {
			flag.Default, flag.HasDefault = text, true
		}
	}
	return next(nil)
}

func formatDefault(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case bool:
		if v {
			return "true"
		}
		return ""
	case int:
		return strconv.Itoa(v)
	case time.Duration:
		return app.ShortDuration(v)
	case []string:
		return kong.JoinEscaped(v, ',')
	default:
		return ""
	}
}

// The decoders below stand in for kong's own: their errors say what is allowed. Kong puts
// the flag in front.

// boolDecoder is the kong.BoolMapper of all flags that need no value.
type boolDecoder struct{}

// IsBool tells kong that a value may be missing.
func (boolDecoder) IsBool() bool { return true }

// Decode sets target, which a flag without a value makes true.
func (boolDecoder) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	on := true
	if ctx.Scan.Peek().Type == kong.FlagValueToken {
		text := fmt.Sprint(ctx.Scan.Pop().Value)
		var err error
		if on, err = strconv.ParseBool(text); err != nil {
			return fmt.Errorf("%q must be true or false", text)
		}
	}
	target.SetBool(on)
	return nil
}

func decodeDuration(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("duration", &text); err != nil {
		return err //nolint:wrapcheck // "expected duration value but got ..."
	}
	d, err := app.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%q must be a number with a unit, such as 500ms, 15s, 10m or 7d", text)
	}
	target.SetInt(int64(d))
	return nil
}

func decodeInt(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("number", &text); err != nil {
		return err //nolint:wrapcheck // "expected number value but got ..."
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		if errors.Is(err, strconv.ErrRange) {
			return fmt.Errorf("%s is too large a number", text)
		}
		return fmt.Errorf("%q must be a whole number", text)
	}
	target.SetInt(int64(n))
	return nil
}
