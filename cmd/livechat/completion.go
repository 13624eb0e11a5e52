package main

import (
	_ "embed"
	"fmt"
	"os"
)

const completionOverview = `Print what has a shell complete the commands, flags and values of this program. "make install" and the Debian package put it where shells look.

Usage: livechat completion bash|zsh|fish`

const completionExamples = `Examples:
  source <(livechat completion bash)
      in ~/.bashrc
  livechat completion zsh > "${fpath[1]}/_livechat"
      once; the directory must be one of zsh's fpath
  livechat completion fish > ~/.config/fish/completions/livechat.fish
      once`

// The shells ask the program itself what may come next, so these need not change with it.
var (
	//go:embed completion/livechat.bash
	bashCompletion string
	//go:embed completion/livechat.zsh
	zshCompletion string
	//go:embed completion/livechat.fish
	fishCompletion string
)

// completionCommand prints one of them.
type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"The shell: bash, zsh or fish."`
}

// Run prints it.
func (c *completionCommand) Run() error {
	script := map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[c.Shell]
	if _, err := fmt.Fprint(os.Stdout, script); err != nil {
		return fmt.Errorf("print the completion: %w", err)
	}
	return nil
}
