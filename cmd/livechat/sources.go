package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
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
	return value.text, nil
}

func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// unknownVariables names the variables of an environment that look like settings and are
// none, each with what may be meant. They are no error: container runtimes make such ones of
// a service's name.
func unknownVariables(model *kong.Application, environ []string) []string {
	keys := configKeys(model)
	keys["config"] = true
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

// similarKey is the key that was probably meant: of the same letters, or all but one of them;
// "" when there is none.
func similarKey(key string, keys map[string]bool) string {
	plain := func(s string) string {
		return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(s))
	}
	for _, known := range slices.Sorted(maps.Keys(keys)) {
		if withinOneEdit(plain(key), plain(known)) {
			return known
		}
	}
	return ""
}

// withinOneEdit reports whether a and b differ in at most one byte that is added, missing
// or another, or in two that changed places.
func withinOneEdit(a, b string) bool {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	a, b = a[i:], b[i:]
	if a == "" || b == "" {
		return len(a)+len(b) <= 1
	}
	swapped := len(a) > 1 && len(b) > 1 && a[0] == b[1] && a[1] == b[0] && a[2:] == b[2:]
	return a == b[1:] || a[1:] == b || a[1:] == b[1:] || swapped
}
