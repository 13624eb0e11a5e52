package main

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// explain says what to do about an error of opening a socket; others pass unchanged.
func explain(err error) error {
	socket, ok := errors.AsType[*net.OpError](err)
	if !ok || socket.Op != "listen" {
		return err
	}
	flag := "--http"
	if socket.Net == "udp" || socket.Net == "udp4" || socket.Net == "udp6" {
		flag = "--udp"
	}
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
	return fmt.Errorf("cannot listen on %s %s: %w; %s", socket.Net, socket.Addr, socket.Err, advice)
}
