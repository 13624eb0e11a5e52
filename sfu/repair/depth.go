package repair

// Loss, as a fraction of the packets, from which on one, two and three redundant blocks
// are worth their bandwidth. What they leave is for NACK: with random loss p, depth d leaves
// p^(d+1); bursts leave more, and so the steps are low.
const (
	lossForOne   = 0.01
	lossForTwo   = 0.03
	lossForThree = 0.08
	// forget is how much of a better report counts: a network that has lost once is
	// trusted again after a few reports, one that begins to lose is believed at once.
	forget = 0.25
)

// Depth decides how many redundant blocks a receiver's packets carry, from the loss it
// reports. The zero value has heard of no loss yet.
type Depth struct {
	reported bool
	loss     float64
}

// Report takes the fraction of packets lost since the last report, 0 to 1.
func (d *Depth) Report(loss float64) {
	switch {
	case !d.reported || loss > d.loss:
		d.loss = loss
	default:
		d.loss += (loss - d.loss) * forget
	}
	d.reported = true
}

// Blocks returns how many redundant blocks to send, 0 to MaxDepth; 1 until the first report.
func (d *Depth) Blocks() int {
	switch {
	case !d.reported, d.loss >= lossForOne && d.loss < lossForTwo:
		return 1
	case d.loss < lossForOne:
		return 0
	case d.loss < lossForThree:
		return 2
	default:
		return MaxDepth
	}
}

// Loss returns the fraction of packets the receiver is taken to lose, 0 to 1.
func (d *Depth) Loss() float64 { return d.loss }
