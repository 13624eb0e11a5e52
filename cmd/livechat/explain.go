package main

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/mini-livechat/mini-livechat/cmd/app"
)

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
