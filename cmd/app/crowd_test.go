package app

import (
	"net"
	"net/netip"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/admission"
)

// remoteConn is a connection from somewhere.
type remoteConn struct {
	net.Conn

	from netip.AddrPort
}

func (c *remoteConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.from) }

func conn(from string) *remoteConn {
	return &remoteConn{from: netip.AddrPortFrom(netip.MustParseAddr(from), 4711)}
}

// Who comes with many pushes out its own; who is a proxy may be as many as there is room for.
func TestCrowdIsSharedByAddress(t *testing.T) {
	t.Parallel()
	c := newCrowd(10, 3, admission.Proxies{netip.MustParsePrefix("10.0.0.0/8")})
	var gone []string
	enter := func(name, from string) *remoteConn {
		one := conn(from)
		c.Enter(one, func() { gone = append(gone, name) })
		return one
	}
	quiet := enter("quiet", "192.0.2.1")
	rude := make([]*remoteConn, 0, 6)
	for i := range 6 {
		rude = append(rude, enter("rude"+strconv.Itoa(i), "2001:db8::"+strconv.Itoa(i)))
	}
	require.Equal(t, []string{"rude0", "rude1", "rude2"}, gone, "one /64 is one")
	c.Touch(rude[3])
	enter("rude6", "2001:db8::6")
	require.Equal(t, "rude4", gone[3], "the one that was quiet for longest")
	require.Equal(t, 4, c.all.Len())

	gone = nil
	for i := range 6 {
		enter("proxy"+strconv.Itoa(i), "10.0.0.1")
	}
	require.Empty(t, gone)
	enter("proxy6", "10.0.0.1")
	require.Equal(t, []string{"quiet"}, gone, "nobody has room any more")
	require.Len(t, c.networks, 1)
	c.Leave(quiet) // who is out may say so again
	for _, one := range rude {
		c.Leave(one)
	}
	enter("later", "192.0.2.1")
	require.Len(t, c.networks, 2)
}

func TestCrowdForgets(t *testing.T) {
	t.Parallel()
	c := newCrowd(8, 3, nil)
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := range 2000 {
				one := conn("192.0.2." + strconv.Itoa((worker+i)%5))
				c.Enter(one, func() {})
				c.Touch(one)
				if i%3 > 0 {
					c.Leave(one)
				}
			}
		})
	}
	all.Wait()
	require.LessOrEqual(t, c.all.Len(), 8)
	held := 0
	for _, line := range c.networks {
		require.LessOrEqual(t, line.Len(), 3)
		held += line.Len()
	}
	require.Equal(t, c.all.Len(), held, "a connection is in both lines or in none")
}
