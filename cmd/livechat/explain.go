package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"syscall"

	"github.com/mini-livechat/mini-livechat/cmd/app"
)

// What kong says of arguments.
var (
	tooMany = regexp.MustCompile(`^unexpected argument (.+?)(, did you mean .+)?$`)
	tooFew  = regexp.MustCompile(`^expected "(<.+>)"$|^missing positional arguments (<.+>)$`)
)

// plain says what is wrong with the arguments in the words of the help; other errors pass unchanged.
func plain(err error) error {
	if found := tooMany.FindStringSubmatch(err.Error()); found != nil {
		return fmt.Errorf("%q is too much here%s", found[1], found[2])
	}
	if found := tooFew.FindStringSubmatch(err.Error()); found != nil {
		names := strings.ToUpper(strings.NewReplacer("<", "", ">", "").Replace(found[1] + found[2]))
		return fmt.Errorf("%s is missing", strings.ReplaceAll(names, " ", " or "))
	}
	return err
}

// explain says what to do about an error of opening a socket; others pass unchanged.
func explain(err error) error {
	socket, ok := errors.AsType[*app.ListenError](err)
	if !ok {
		return err
	}
	flag := "--" + socket.Setting
	advice := "choose another address with " + flag
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		advice = "another program has it, perhaps another livechat: stop that, or choose another port with " + flag
	case errors.Is(err, syscall.EACCES):
		advice = "ports below 1024 need a privilege: choose a higher one with " + flag +
			", or give the program CAP_NET_BIND_SERVICE"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		advice = "this machine does not have that address: choose one of its own with " + flag
	}
	return fmt.Errorf("%w; %s", socket, advice)
}
