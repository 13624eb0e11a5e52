package peer

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"
	pion "github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/forward"
	"github.com/mini-livechat/mini-livechat/sfu/repair"
	"github.com/mini-livechat/mini-livechat/sfu/voice"
	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

// link makes the listener hear the talker on its first slot.
func link(talker, listener *Peer) {
	listener.Slots()[0].Assign(talker.Source())
	talker.Source().SetSlots([]*forward.Slot{listener.Slots()[0].Slot})
}

// talk sends a packet every 20 ms from seq on until the test is done with it.
func (c *client) talk(t *testing.T, skip func(seq uint16) bool) (stop func()) {
	t.Helper()
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for seq := uint16(1); ; seq++ {
			select {
			case <-done:
				return
			case <-ticker.C:
			}
			if skip == nil || !skip(seq) {
				c.say(t, c.ssrc(), seq, 109, "twenty bytes of Opus")
			}
		}
	}()
	return func() {
		close(done)
		<-stopped
	}
}

// readRTCP returns the first packet of a type that comes from read.
func readRTCP[P rtcp.Packet](t *testing.T, read func() ([]rtcp.Packet, error)) P {
	t.Helper()
	found := make(chan P, 1)
	go func() {
		for {
			packets, err := read()
			if err != nil {
				return
			}
			for _, packet := range packets {
				if p, ok := packet.(P); ok {
					found <- p
					return
				}
			}
		}
	}()
	select {
	case p := <-found:
		return p
	case <-time.After(patience):
		t.Fatal("no report came")
		panic("unreachable")
	}
}

func TestReportsToTalkerAndListener(t *testing.T) {
	verifyNoLeaks(t)
	f := newFactory(t, func(c *Config) { c.ReportInterval = time.Second })
	ada, adaPeer := connect(t, f, 0)
	bob, bobPeer := connect(t, f, 1)
	link(adaPeer, bobPeer)
	stop := ada.talk(t, func(seq uint16) bool { return seq%4 == 0 })
	defer stop()
	first := bob.hear(t)

	report := readRTCP[*rtcp.SenderReport](t, func() ([]rtcp.Packet, error) {
		packets, _, err := bob.pc.GetReceivers()[0].ReadRTCP()
		return packets, err
	})
	require.Equal(t, first.SSRC, report.SSRC)
	require.Positive(t, report.PacketCount)
	require.Equal(t, report.PacketCount*uint32(len(first.Payload)), report.OctetCount)
	sent := time.Unix(int64(report.NTPTime>>32)-2_208_988_800, 0)
	require.WithinDuration(t, time.Now(), sent, patience)
	// The report's clock is the slot's: as far from the first packet as that is from now.
	elapsed := float64(int32(report.RTPTime-first.Timestamp)) / opusClockRate
	require.InDelta(t, 0, elapsed, patience.Seconds())
	require.GreaterOrEqual(t, elapsed, 0.0)

	// Ada's engine reports when it sent what; she is told what arrived, and of which report.
	for deadline := time.Now().Add(patience); ; {
		require.True(t, time.Now().Before(deadline), "no complete receiver report came")
		received := readRTCP[*rtcp.ReceiverReport](t, func() ([]rtcp.Packet, error) {
			packets, _, err := ada.pc.GetSenders()[0].ReadRTCP()
			return packets, err
		})
		require.Len(t, received.Reports, 1)
		block := received.Reports[0]
		require.Equal(t, ada.ssrc(), block.SSRC)
		if block.LastSenderReport == 0 || block.FractionLost == 0 {
			continue
		}
		require.Less(t, float64(block.Delay)/65536, patience.Seconds())
		require.InDelta(t, 0.25, float64(block.FractionLost)/256, 0.1)
		require.Positive(t, block.TotalLost)
		break
	}
	// The same is kept for statistics, and what Bob's engine reported.
	stats := adaPeer.Stats()
	require.InDelta(t, 0.25, stats.Network.LossUp, 0.1)
	require.Positive(t, stats.Network.JitterUp)
	require.Positive(t, stats.Source.Packets)
	require.Positive(t, stats.Endpoint.PacketsIn)
	require.Empty(t, stats.Slots)
	eventually(t, "Bob's round trip to be known", func() bool { return bobPeer.Stats().Network.RTT > 0 })
	stats = bobPeer.Stats()
	require.Positive(t, stats.Slots[0].Packets)
	require.Positive(t, stats.Slots[0].Missing, "Ada's loss is not Bob's")
	require.Less(t, stats.Network.LossDown, 0.1)
	eventually(t, "Bob's jitter to be known", func() bool { return bobPeer.Stats().Network.JitterDown > 0 })
	require.Equal(t, Drops{}, stats.Dropped)
}

func TestSilentPeersAreSentNoReports(t *testing.T) {
	f := newFactory(t)
	f.stop() // the test reports in its place
	f.running.Wait()
	ada, adaPeer := connect(t, f, 0)
	bob, bobPeer := connect(t, f, 2)
	require.Empty(t, adaPeer.reports(time.Now()))
	require.Empty(t, bobPeer.reports(time.Now()))
	link(adaPeer, bobPeer)
	ada.say(t, ada.ssrc(), 1, 109, "x")
	bob.hear(t)
	require.Len(t, adaPeer.reports(time.Now()), 1)
	require.Len(t, bobPeer.reports(time.Now()), 1, "for the slot that was used")
	require.Empty(t, adaPeer.reports(time.Now()), "nothing since")
	require.Empty(t, bobPeer.reports(time.Now()))
}

// A sender report in a silence says what the slot's clock shows then, not at its last packet.
func TestSenderReportGoesOnWithTheClock(t *testing.T) {
	f := newFactory(t)
	f.stop() // the test reports in its place
	f.running.Wait()
	ada, adaPeer := connect(t, f, 0)
	bob, bobPeer := connect(t, f, 1)
	link(adaPeer, bobPeer)
	ada.say(t, ada.ssrc(), 7, 109, "x")
	packet := bob.hear(t)
	now := bobPeer.Slots()[0].Stats().LastTime.Add(3 * time.Second)
	reports := bobPeer.reports(now)
	require.Len(t, reports, 1)
	report, ok := reports[0].(*rtcp.SenderReport)
	require.True(t, ok)
	require.Equal(t, repair.NTP(now), report.NTPTime)
	require.Equal(t, packet.Timestamp+3*opusClockRate, report.RTPTime)
}

func TestSecondSSRCTakesOverAfterSilence(t *testing.T) {
	f := newFactory(t)
	ada, adaPeer := connect(t, f, 0)
	bob, bobPeer := connect(t, f, 1)
	link(adaPeer, bobPeer)
	first, second := ada.ssrc(), ada.ssrc()+1
	ada.say(t, first, 1, 109, "a")
	require.Equal(t, []uint32{first}, bob.hear(t).CSRC)
	ada.say(t, second, 1, 109, "b")
	eventually(t, "a second SSRC beside the first to be dropped", func() bool { return adaPeer.dropped() == Drops{SecondSSRC: 1} })
	time.Sleep(voice.Takeover)
	ada.say(t, second, 2, 109, "c")
	packet := bob.hear(t)
	require.Equal(t, []uint32{second}, packet.CSRC)
	require.Equal(t, "c", string(packet.Payload))
	ssrc, _ := adaPeer.SSRC()
	require.Equal(t, second, ssrc)
}

// A fan-out too large for the receiving loop takes the lanes and arrives all the same,
// in order.
func TestLargeFanOut(t *testing.T) {
	f := newFactory(t)
	ada, adaPeer := connect(t, f, 0)
	bob, bobPeer := connect(t, f, 1)
	bobPeer.Slots()[0].Assign(adaPeer.Source())
	// Bob is the last of many; the others' slots are not connected.
	slots := make([]*forward.Slot, 1000)
	for i := range slots {
		slot, err := forward.NewSlot(forward.RandomSlotConfig(uint32(i), 111, 0),
			slotWriter{bobPeer.endpoint.Sender(uint32(i))})
		require.NoError(t, err)
		slots[i] = slot
	}
	slots[999] = bobPeer.Slots()[0].Slot
	adaPeer.Source().SetSlots(slots)
	packets := make([]*pion.Packet, 0, 50)
	for seq := uint16(1); seq <= 50; seq++ {
		ada.say(t, ada.ssrc(), seq, 109, string(rune('a'+seq%26)))
		time.Sleep(time.Millisecond)
	}
	for range 50 {
		packets = append(packets, bob.hear(t))
	}
	for i, packet := range packets {
		require.Equal(t, packets[0].SequenceNumber+uint16(i), packet.SequenceNumber)
		require.Equal(t, string(rune('a'+(i+1)%26)), string(packet.Payload))
	}

	// What is sent on the spot stays in this batch, which is never flushed.
	lone := new(voice.In)
	lone.Open(voice.Format{Opus: testOpus}, nil, 1, time.Now(), nil)
	lone.Source().SetSlots(slots)
	slots[999].Assign(lone.Source())
	lone.Receive(f.engine.NewBatch(), rtpOf(plain, testOpus, 1, "by lane"), time.Now())
	require.Equal(t, "by lane", string(bob.hear(t).Payload))
}

// gate is a job that holds its lane until it is opened.
type gate chan struct{}

func (g gate) Step(*wire.Batch, int) bool {
	<-g
	return false
}
func (gate) Drop() {}

// A packet that the loop could send itself waits for those before it that are in a lane.
func TestFanOutsKeepTheirOrder(t *testing.T) {
	f := newFactory(t)
	ada, adaPeer := connect(t, f, 0)
	bob, bobPeer := connect(t, f, 1)
	bobPeer.Slots()[0].Assign(adaPeer.Source())
	many := make([]*forward.Slot, 2*wire.JobShare)
	for i := range many { // not connected, but the first, which is Bob's
		slot, err := forward.NewSlot(forward.RandomSlotConfig(uint32(i), 111, 0),
			slotWriter{bobPeer.endpoint.Sender(uint32(i))})
		require.NoError(t, err)
		many[i] = slot
	}
	many[0] = bobPeer.Slots()[0].Slot
	lanes := make(gate)
	open := sync.OnceFunc(func() { close(lanes) })
	defer open()
	for part := range uint32(runtime.NumCPU()) {
		require.True(t, f.engine.NewBatch().Defer(part, lanes))
	}

	adaPeer.Source().SetSlots(many)
	ada.say(t, ada.ssrc(), 1, 109, "first")
	require.Eventually(t, func() bool { return adaPeer.talker.Waiting() == 2 }, patience, time.Millisecond)
	adaPeer.Source().SetSlots(many[:1])
	ada.say(t, ada.ssrc(), 2, 109, "second")
	require.Eventually(t, func() bool { return adaPeer.talker.Waiting() == 3 }, patience, time.Millisecond)
	open()
	require.Equal(t, "first", string(bob.hear(t).Payload))
	require.Equal(t, "second", string(bob.hear(t).Payload))
	require.Eventually(t, func() bool { return adaPeer.talker.Waiting() == 0 }, patience, time.Millisecond)
	ada.say(t, ada.ssrc(), 3, 109, "third")
	require.Equal(t, "third", string(bob.hear(t).Payload))
	require.Zero(t, adaPeer.talker.Waiting())
}

// TestMuteReachesTheLanes: what waits in a lane when the talker mutes is not sent, not even after the unmute.
func TestMuteReachesTheLanes(t *testing.T) {
	f := newFactory(t)
	ada, adaPeer := connect(t, f, 0)
	bob, bobPeer := connect(t, f, 1)
	slots := make([]*forward.Slot, wire.JobShare+1) // more than a loop sends itself
	for i := range slots {
		slot, err := forward.NewSlot(forward.RandomSlotConfig(uint32(i), 111, 0), slotWriter{bobPeer.endpoint.Sender(uint32(i))})
		require.NoError(t, err)
		slots[i] = slot
	}
	slots[0] = bobPeer.Slots()[0].Slot
	link(adaPeer, bobPeer)
	ada.say(t, ada.ssrc(), 1, 109, "heard")
	first := bob.hear(t)
	adaPeer.Source().SetSlots(slots)

	lanes := make(gate)
	open := sync.OnceFunc(func() { close(lanes) })
	defer open()
	for part := range uint32(runtime.NumCPU()) {
		require.True(t, f.engine.NewBatch().Defer(part, lanes))
	}
	ada.say(t, ada.ssrc(), 2, 109, "said before the mute")
	eventually(t, "the packet to wait in the lanes", func() bool { return adaPeer.talker.Waiting() == 2 })
	adaPeer.Source().SetMuted(true)
	adaPeer.Source().SetMuted(false)
	open()
	eventually(t, "the lanes to be done", func() bool { return adaPeer.talker.Waiting() == 0 })
	ada.say(t, ada.ssrc(), 3, 109, "said after it")
	next := bob.hear(t)
	require.Equal(t, "said after it", string(next.Payload))
	require.Equal(t, first.SequenceNumber+1, next.SequenceNumber)
	require.EqualValues(t, 1, bobPeer.Slots()[0].Stats().Dropped.Withheld)
}

// An answerer that listens only has no microphone: what it sends is dropped.
func TestListenerCannotTalk(t *testing.T) {
	f := newFactory(t)
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	require.NoError(t, err)
	defer pc.Close()
	_, err = pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio,
		webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	require.NoError(t, err)
	offer, err := pc.CreateOffer(nil)
	require.NoError(t, err)
	p, err := f.Answer(offer.SDP)
	require.NoError(t, err)
	defer p.Close()
	require.False(t, p.Talker())
	p.OnRTP(nil, nil, []byte{0x80, 111, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0}, time.Now())
	require.Equal(t, Drops{NoMicrophone: 1}, p.dropped())
}
