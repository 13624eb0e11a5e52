package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

// TestHostileGuests: one address makes guests as fast as it can and holds as many connections as it can. Guests of other addresses
// come in.
func TestHostileGuests(t *testing.T) {
	f := fortify(t, fortressPlan{})
	rude := address(0)
	first, held, guests := time.Now(), 0, 0
	for i := range f.scaled(1000, 350) {
		c, err := f.stranger(rude)
		if err != nil {
			require.NotContains(t, err.Error(), "503 Service", "connection %d", i) // 429, or closed at once
			continue
		}
		held++
		if token, status, err := f.guestToken(rude, "Mallory"); status == http.StatusOK {
			require.NoError(t, err)
			require.NoError(t, c.identify(token))
			guests++
		}
	}
	require.LessOrEqual(t, held, 300)
	long := time.Duration(f.scaled(20, 2)) * time.Second
	perSecond := f.scaled(1000, 100)
	var attack sync.WaitGroup
	var made int
	var took time.Duration
	began := time.Now()
	attack.Go(func() {
		made = f.floodGuests(rude, perSecond*int(long.Seconds()), perSecond)
		took = time.Since(began)
	})
	others, in := f.scaled(400, 40), 0
	for i := range others {
		time.Sleep(time.Until(began.Add(long * time.Duration(i) / time.Duration(others))))
		_, err := f.guest(address(1+i), fmt.Sprint("Guest ", i))
		if err == nil {
			in++
			continue
		}
		require.NotContains(t, err.Error(), "503 Service")
		t.Logf("guest %d: %v", i, err)
	}
	attack.Wait()
	reached := float64(perSecond) * long.Seconds() / took.Seconds()
	t.Logf("%d connections were held, %d of them guests'; of %.0f tries a second for %v, %d made a guest; of others %d of %d came in",
		held, guests, reached, took.Round(time.Second), made, in, others)
	require.LessOrEqual(t, guests+made, 200+int(time.Since(first).Seconds()*4))
	require.GreaterOrEqual(t, in*100, others*99)
	if f.full {
		require.Greater(t, reached, 0.9*float64(perSecond), "the attack is as hard as it should be")
	}
}

// floodGuests asks for so many guests from an address, so many a second, on connections that are used as long as the server keeps
// them. It returns how many it got.
func (f *fortress) floodGuests(ip net.IP, n, perSecond int) (made int) {
	const body = `{"name":"Mallory"}`
	ask := fmt.Sprintf("POST /api/guest HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		f.hostPort(), len(body), body)
	turns := make(chan struct{}, perSecond)
	var workers sync.WaitGroup
	var got atomic.Int64
	for range 400 { // many of whose connections are kept for a moment before they are closed
		workers.Go(func() {
			var conn net.Conn
			var answers *bufio.Reader
			for range turns {
				if conn == nil {
					var err error
					if conn, err = from(ip).Dial("tcp", f.hostPort()); err != nil {
						conn = nil
						continue
					}
					_ = conn.SetDeadline(time.Now().Add(patience))
					answers = bufio.NewReader(conn)
				}
				status, goesOn := asked(conn, answers, ask)
				if status == http.StatusOK {
					got.Add(1)
				}
				if !goesOn {
					_ = conn.Close()
					conn = nil
				}
			}
			if conn != nil {
				_ = conn.Close()
			}
		})
	}
	paced(n, perSecond, func(int) { turns <- struct{}{} })
	close(turns)
	workers.Wait()
	return int(got.Load())
}

// asked sends a request and returns the status of the answer, 0 when there is none, and whether the connection may be used again.
func asked(conn net.Conn, answers *bufio.Reader, request string) (status int, goesOn bool) {
	if _, err := io.WriteString(conn, request); err != nil {
		return 0, false
	}
	resp, err := http.ReadResponse(answers, nil)
	if err != nil {
		return 0, false
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err == nil && !resp.Close
}

// TestHostileRequests: one address asks over HTTP as fast as it can, many requests at a time on as many connections as it gets.
func TestHostileRequests(t *testing.T) {
	people := 100
	if os.Getenv("LIVECHAT_HOSTILE") == "" {
		people = 10 // of whom a slow machine reaches the limits too
	}
	f := fortify(t, fortressPlan{PerAddress: people})
	burst := strings.Repeat("GET /healthz HTTP/1.1\r\nHost: "+f.hostPort()+"\r\n\r\n", 100)
	long := time.Duration(f.scaled(30, 2)) * time.Second
	before, began := f.processorTime(), time.Now()
	var got answers
	var attack sync.WaitGroup
	attack.Go(func() {
		for got.refused == 0 && time.Since(began) < long+patience { // a slow machine takes its time to answer too much
			more := assault(f.hostPort(), burst, long)
			got = answers{got.connections + more.connections, got.fine + more.fine, got.refused + more.refused}
		}
	})
	for range 5 {
		time.Sleep(long / 6)
		_, err := f.guest(address(1), "Ada")
		require.NoError(t, err)
	}
	attack.Wait()
	spent, took := f.processorTime()-before, time.Since(began).Seconds()
	t.Logf("in %.1f s: %d connections, %d answers, %d refusals", took, got.connections, got.fine, got.refused)
	require.Positive(t, got.refused)
	require.Less(t, got.fine, 100*people+int(5*float64(people)*took)+100)
	const turnedAway = 4 * 4 // a second: four come again, and wait a quarter of one
	require.Less(t, got.connections, 10*people+int((float64(people)/2+turnedAway)*took)+100)
	f.within("of a core", 100*spent.Seconds()/took, 6, "%")
}

// answers are what became of an assault.
type answers struct{ connections, fine, refused int }

// assault sends bursts of requests from one address on four connections, and on new ones as soon as those are closed.
func assault(hostPort, burst string, long time.Duration) answers {
	var attack sync.WaitGroup
	var fine, refused, connections atomic.Int64
	began := time.Now()
	for range 4 {
		attack.Go(func() {
			for time.Since(began) < long {
				conn, err := from(address(0)).Dial("tcp", hostPort)
				if err != nil {
					continue
				}
				connections.Add(1)
				go func() {
					for err == nil && time.Since(began) < long {
						_, err = io.WriteString(conn, burst)
					}
				}()
				lines := bufio.NewScanner(conn)
				_ = conn.SetReadDeadline(began.Add(long))
				for lines.Scan() {
					switch lines.Text() {
					case "HTTP/1.1 200 OK":
						fine.Add(1)
					case "HTTP/1.1 429 Too Many Requests":
						refused.Add(1)
					}
				}
				_ = conn.Close()
			}
		})
	}
	attack.Wait()
	return answers{int(connections.Load()), int(fine.Load()), int(refused.Load())}
}

// TestHostileNothing: nobody is hostile, they are only many, behind one address. With --per-address=1000 a thousand come in within a
// minute, a hundred to a channel; on the defaults a party of a hundred does.
func TestHostileNothing(t *testing.T) {
	for people, perAddress := range map[int]int{1000: 1000, 100: 0} {
		t.Run(fmt.Sprint(people), func(t *testing.T) {
			if people > 100 && os.Getenv("LIVECHAT_HOSTILE") == "" {
				t.Skip("make hostile")
			}
			channels := make([]string, 0, people/100)
			for i := range people / 100 {
				channels = append(channels, fmt.Sprint("hall", i))
			}
			f := fortify(t, fortressPlan{PerAddress: perAddress, Channels: channels})
			offer := offer(t, 0, 1)
			began := time.Now()
			var all sync.WaitGroup
			for worker := range 50 {
				all.Go(func() {
					for i := worker; i < people; i += 50 {
						c, err := f.guest(address(7), fmt.Sprint("Guest ", i))
						hall := channels[i%len(channels)]
						for _, step := range []struct {
							op protocol.Op
							d  any
						}{
							{protocol.OpChannelList, struct{}{}},
							{protocol.OpPresence, protocol.PresenceWatch{Watch: new(true)}},
							{protocol.OpRead, struct{}{}},
							{protocol.OpChannelJoin, protocol.ChannelJoin{ChannelID: hall, SDPOffer: offer}},
							{protocol.OpHistory, protocol.History{ChannelID: hall}},
							{protocol.OpMessageCreate, protocol.MessageCreate{ChannelID: hall, Content: "hello"}},
						} {
							if err == nil {
								_, err = c.ask(step.op, step.d)
							}
						}
						if err != nil {
							t.Errorf("person %d: %v", i, err)
							return
						}
						c.drain()
					}
				})
			}
			all.Wait()
			f.within(fmt.Sprint(people, " are in after"), time.Since(began).Seconds(), 60, "s")
		})
	}
}
