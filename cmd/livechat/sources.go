package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"

	"github.com/mini-livechat/mini-livechat/cmd/app"
)

// envPrefix and a flag's name in capitals are its environment variable.
const envPrefix = "LIVECHAT_"

// maxConfigFileBytes bounds what is read of a configuration file, in bytes: a hundred
// times what all settings take, so that a wrong path to something huge is noticed.
const maxConfigFileBytes = 1 << 20

// sources is where settings come from that are not on the command line: the environment,
// then the configuration file. It is a kong.Resolver.
type sources struct {
	keys      map[string]bool
	lookupEnv func(string) (string, bool)
	file      map[string]setting
	origins   map[string]string // where the values came from that were not on the command line
}

// setting is one value of the configuration file and where it stands.
type setting struct {
	text string
	at   string // file:line
}

// Validate is part of kong.Resolver. Unknown keys are found when the file is read.
func (s *sources) Validate(*kong.Application) error { return nil }

// Resolve returns the flag's value as text, or nil when no source has one. It tries the
// value, so that the error can say where it came from.
func (s *sources) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if !s.keys[flag.Name] {
		return nil, nil //nolint:nilnil // kong's way of saying that there is no value
	}
	name := envName(flag.Name)
	// An empty variable counts as none: that is what compose files and unit files make of
	// a variable that is not set.
	value, from := setting{}, ""
	if text, ok := s.lookupEnv(name); ok && text != "" {
		value, from = setting{text: text}, name
	} else if value, ok = s.file[flag.Name]; ok {
		from = value.at
	} else {
		return nil, nil //nolint:nilnil // as above
	}
	trial := reflect.New(flag.Target.Type()).Elem()
	if err := flag.Mapper.Decode(&kong.DecodeContext{Value: flag.Value, Scan: kong.Scan().PushTyped(value.text, kong.FlagValueToken)}, trial); err != nil {
		return nil, fmt.Errorf("%w (from %s)", err, from)
	}
	s.origins[flag.Name] = from
	return value.text, nil
}

// flagInFront is how a mistake begins that is about a flag.
var flagInFront = regexp.MustCompile(`^--([a-z0-9-]+)`)

// locate says of mistakes about values that were not on the command line where they were set.
func (s *sources) locate(mistakes []error) []error {
	located := make([]error, len(mistakes))
	for i, err := range mistakes {
		located[i] = err
		found := flagInFront.FindStringSubmatch(err.Error())
		if found == nil || s.origins[found[1]] == "" {
			continue
		}
		located[i] = fmt.Errorf("%w (from %s)", err, s.origins[found[1]])
	}
	return located
}

func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// unknownVariables names the variables of an environment that look like settings and are
// none, each with what may be meant. They are no error: container runtimes make such ones of
// a service's name.
func unknownVariables(model *kong.Application, environ []string) []string {
	keys := configKeys(model)
	_ = kong.Visit(model, func(node kong.Visitable, next kong.Next) error { // those of single commands, such as LIVECHAT_TOKEN
		if flag, ok := node.(*kong.Flag); ok {
			for _, name := range flag.Envs {
				if rest, ours := strings.CutPrefix(name, envPrefix); ours {
					keys[strings.ToLower(strings.ReplaceAll(rest, "_", "-"))] = true
				}
			}
		}
		return next(nil)
	})
	var unknown []string
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		rest, ours := strings.CutPrefix(name, envPrefix)
		key := strings.ToLower(strings.ReplaceAll(rest, "_", "-"))
		if !ours || keys[key] && envName(key) == name {
			continue
		}
		text := fmt.Sprintf("%s in the environment is no setting", name)
		if near := similarKey(key, keys); near != "" {
			text += ", did you mean " + envName(near) + "?"
		}
		unknown = append(unknown, text)
	}
	slices.Sort(unknown)
	return unknown
}

// configFile is the path of the configuration file; kong calls BeforeResolve when one is
// given.
type configFile string

// BeforeResolve reads the file before any flag is resolved.
func (configFile) BeforeResolve(ctx *kong.Context, trace *kong.Path, src *sources) error {
	path, ok := ctx.FlagValue(trace.Flag).(configFile)
	if !ok || path == "" {
		return nil
	}
	values, err := readConfigFile(string(path), src.keys)
	if err != nil {
		return fmt.Errorf("--config=%s: %w", path, err)
	}
	src.file = values
	return nil
}

func readConfigFile(path string, keys map[string]bool) (map[string]setting, error) {
	file, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // nothing was written
	data, err := io.ReadAll(io.LimitReader(file, maxConfigFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxConfigFileBytes {
		return nil, fmt.Errorf("it is longer than %d bytes", maxConfigFileBytes)
	}
	return parseConfigFile(path, data, keys)
}

// parseConfigFile reads one YAML mapping of settings. Values stay text, so that they mean
// the same as on the command line: "udp: 10000" is a port, "secret: 0123" keeps its zero.
func parseConfigFile(name string, data []byte, keys map[string]bool) (map[string]setting, error) {
	decoder := yaml.NewDecoder(strings.NewReader(string(data)))
	var document yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return map[string]setting{}, nil // empty, or only comments
	case err != nil:
		return nil, fmt.Errorf("it is not YAML: %w", err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("it must be a single YAML document")
	}
	root := document.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return map[string]setting{}, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, errors.New(`it must consist of lines like "key: value"`)
	}
	values, unknown := map[string]setting{}, false
	var problems []error
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, node := root.Content[i], root.Content[i+1]
		at := fmt.Sprintf("%s:%d", name, key.Line)
		text, set, err := settingText(node)
		switch {
		case !keys[key.Value]:
			unknown = true
			problem := fmt.Sprintf("%s: unknown key %q", at, key.Value)
			if near := similarKey(key.Value, keys); near != "" {
				problem += fmt.Sprintf(", did you mean %q?", near)
			}
			problems = append(problems, errors.New(problem))
		case values[key.Value].at != "":
			problems = append(problems, fmt.Errorf("%s: %s was set already, at %s", at, key.Value, values[key.Value].at))
		case err != nil:
			problems = append(problems, fmt.Errorf("%s: %s: %w", at, key.Value, err))
		case set:
			values[key.Value] = setting{text: text, at: at}
		}
	}
	if unknown {
		problems = append(problems, fmt.Errorf("the keys are: %s", strings.Join(slices.Sorted(maps.Keys(keys)), ", ")))
	}
	if len(problems) > 0 {
		return nil, &app.ConfigError{Mistakes: problems}
	}
	return values, nil
}

// settingText is a node's value as it would stand on the command line; a null sets nothing.
func settingText(node *yaml.Node) (text string, set bool, err error) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch {
	case node.Kind == yaml.ScalarNode:
		return node.Value, node.Tag != "!!null", nil
	case node.Kind != yaml.SequenceNode:
		return "", false, errors.New("it must be a value or a list of values")
	}
	items := make([]string, len(node.Content))
	for i, item := range node.Content {
		if item.Kind != yaml.ScalarNode {
			return "", false, errors.New("its list must hold plain values")
		}
		items[i] = item.Value
	}
	return kong.JoinEscaped(items, ','), true, nil
}

// similarKey is the key that was probably meant: the nearest by letters that are added, missing, others or have changed places, where these are
// few; else the only one that key is a part of; "" when there is none.
func similarKey(key string, keys map[string]bool) string {
	plain := func(s string) string {
		return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(s))
	}
	short := plain(key)
	nearest, least := "", min(maxEdits, 1+len(short)/editsEach)
	var containing []string
	for _, known := range slices.Sorted(maps.Keys(keys)) {
		if edits := distance(short, plain(known)); edits < least || edits == least && nearest == "" {
			nearest, least = known, edits
		}
		if len(short) > editsEach && strings.Contains(plain(known), short) {
			containing = append(containing, known)
		}
	}
	if nearest == "" && len(containing) == 1 {
		return containing[0]
	}
	return nearest
}

const (
	// maxEdits is how many letters may be wrong, and editsEach in how many there may be one more than one.
	maxEdits  = 3
	editsEach = 5
)

// distance is how many bytes are to be added, removed, exchanged, or swapped with the next, to make b of a (optimal string alignment).
func distance(a, b string) int {
	before, last, now := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range now {
		now[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, now = last, now, before
		now[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
	}
	return now[len(b)]
}
