// Package quality estimates how good a conversation is for those who have it, out of what is known of the network. It is pure.
//
// It is the E-model of ITU-T G.107 (06/2015) with everything but the network at its default values, for which R is 93.2 (clause 7.7):
//
//	R = 93.2 - Id - Ie,eff
//
// Id, what delay costs, is the approximation of R. Cole and J. Rosenbluth, "Voice over IP performance monitoring", ACM SIGCOMM CCR
// 31(2), 2001. Ie,eff, what losses cost, is that of clause 7.5 with losses
// that are independent of each other. We know of no values of the ITU for Opus. On the narrow-band scale of G.107 it costs nothing
// itself at the rates of browsers (Ie = 0); its robustness (Bpl = 20, with in-band FEC) is that of G. García's rtcscore
// (github.com/ggarber/rtcscore).
package quality

import "time"

const (
	// bestR is R of a connection without delay and loss.
	bestR = 93.2
	// opusIe and opusBpl are Opus's equipment impairment factor and packet-loss robustness factor.
	opusIe, opusBpl = 0, 20
	// codecDelay is one frame of 20 ms and Opus's look-ahead of 6.5 ms (RFC 6716, section 2).
	codecDelay = 26500 * time.Microsecond
	// kneeDelay is from where on delay disturbs a conversation.
	kneeDelay = 177300 * time.Microsecond
	// bufferJitters is how many times the jitter a receiver holds packets back.
	bufferJitters = 2
)

// Conditions are those of a connection between a client and the server, over some time.
type Conditions struct {
	// RTT is there and back, Jitter as RFC 3550 (section 6.4.1) has it.
	RTT, Jitter time.Duration
	// Loss is the share of packets, 0 to 1, that was lost for good.
	Loss float64
}

// Rating returns the E-model's R, 0 to 93.2. Of the delay it knows the part that is the connection's: half of its round trip, and what
// codec and jitter buffer add.
func Rating(c Conditions) float64 {
	delay := c.RTT/2 + codecDelay + bufferJitters*c.Jitter
	r := bestR - delayImpairment(delay) - lossImpairment(min(max(c.Loss, 0), 1))
	return min(max(r, 0), bestR)
}

// delayImpairment is Id.
func delayImpairment(delay time.Duration) float64 {
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	id := 0.024 * ms(delay)
	if delay > kneeDelay {
		id += 0.11 * ms(delay-kneeDelay)
	}
	return id
}

// lossImpairment is Ie,eff (G.107, equation 7-29, BurstR = 1).
func lossImpairment(loss float64) float64 {
	percent := 100 * loss
	return opusIe + (95-opusIe)*percent/(percent+opusBpl)
}

// MOS returns the mean opinion score, 1 to 4.5, of an R (G.107, Annex B).
func MOS(r float64) float64 {
	switch {
	case r <= 0:
		return 1
	case r >= 100:
		return 4.5
	}
	return max(1, 1+0.035*r+r*(r-60)*(100-r)*7e-6) // between 0 and 6.5 the formula falls below 1
}

// Unrepaired returns the share of packets that is lost for good, where each packet carries so many of those before it (RFC 2198), and losses
// are independent of each other.
func Unrepaired(loss float64, redundancy int) float64 {
	left := loss
	for range redundancy {
		left *= loss
	}
	return left
}

// Arrivals is what came of a microphone over some time.
type Arrivals struct {
	// Loss is the share of packets that did not come by themselves. Passed is how many there were in the end, of which Repaired
	// came out of redundancy, or because they were asked for.
	Loss             float64
	Passed, Repaired uint64
}

// Residual returns the share of packets that did not come at all.
func (a Arrivals) Residual() float64 {
	if a.Passed <= a.Repaired || a.Loss >= 1 {
		return a.Loss
	}
	expected := float64(a.Passed-a.Repaired) / (1 - a.Loss)
	return max(expected-float64(a.Passed), 0) / expected
}
