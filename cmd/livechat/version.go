package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/mini-livechat/mini-livechat/cmd/app"
)

const versionOverview = `Print the version, the commit that it was built from, what built it, and for which system. "livechat --version" does the same.

Usage: livechat version`

const versionExamples = `Examples:
  livechat version
      livechat 0.1.0 3f2a9c1d04be go1.26.8 linux/amd64`

// versionCommand prints the version.
type versionCommand struct{}

// Run prints the version, the commit if it is known, and what it was built with and for.
func (versionCommand) Run() error {
	commit := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		commit = revision(info.Settings)
	}
	_, err := fmt.Fprintf(os.Stdout, "livechat %s%s %s %s/%s\n", app.Version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return fmt.Errorf("print the version: %w", err)
	}
	return nil
}

// shortCommit is how many digits of a commit are shown.
const shortCommit = 12

func revision(settings []debug.BuildSetting) string {
	commit, changed := "", ""
	for _, s := range settings {
		switch s.Key {
		case "vcs.revision":
			commit = " " + s.Value[:min(len(s.Value), shortCommit)]
		case "vcs.modified":
			if s.Value == "true" {
				changed = "+changes"
			}
		}
	}
	if commit == "" {
		return ""
	}
	return commit + changed
}
