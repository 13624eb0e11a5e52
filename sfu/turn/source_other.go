//go:build !linux

package turn

import "net"

// AnswerFromWhereAsked returns the socket as it is: other systems choose the source by their routing tables.
func AnswerFromWhereAsked(conn net.PacketConn) (net.PacketConn, error) { return conn, nil }
