package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/mini-livechat/mini-livechat/signaling/protocol"
)

type adminNodesCommand struct {
	administering `embed:""`
}

// Run shows the nodes.
func (c *adminNodesCommand) Run() error {
	return show(&c.administering, "nodes", func(all *protocol.AdminNodes) error {
		if c.JSON {
			return printJSON(all)
		}
		rows := [][]string{{"NAME", "STATE", "PEOPLE", "LOAD", "LOG", "RTT", "SINCE", "PAGE"}}
		for i := range all.Nodes {
			n := &all.Nodes[i]
			row := []string{n.Name, nodeState(n), "-", "-", "-", "-", "-", orDash(n.URL)}
			if n.State == "here" {
				row = []string{
					n.Name, nodeState(n), strconv.Itoa(n.People), percent(n.Load), logState(n), delay(n.RTTMS), "-", orDash(n.URL),
				}
			}
			if n.Since != nil {
				row[6] = moment(*n.Since)
			}
			rows = append(rows, row)
		}
		if err := table(rows); err != nil {
			return err
		}
		if err := linksTable(all); err != nil {
			return err
		}
		for i := range all.Nodes {
			if n := &all.Nodes[i]; n.Why != "" {
				_, _ = fmt.Fprintf(os.Stdout, "%s was refused: %s\n", n.Name, n.Why)
			}
			if words := clockWords(all, &all.Nodes[i]); words != "" {
				_, _ = fmt.Fprintln(os.Stdout, words)
			}
		}
		if !all.Quorum {
			_, _ = fmt.Fprintln(os.Stdout, "Too few nodes are there: nothing new is remembered until most of them are.")
		}
		return nil
	})
}

// linksTable shows by which ways voice goes from each node to each other.
func linksTable(all *protocol.AdminNodes) error {
	rows := [][]string{{}, {"VOICE AT", "OF", "LINK", "RTT", "LOSS IN", "LOSS OUT", "JITTER IN", "TALKERS IN", "TALKERS OUT"}}
	for i := range all.Nodes {
		n := &all.Nodes[i]
		if n.Silent {
			rows = append(rows, []string{n.Name, "-", "did not say", "-", "-", "-", "-", "-", "-"})
		}
		for j := range n.Links {
			l := &n.Links[j]
			state := "up"
			if !l.Up {
				state = "LOST"
			}
			rows = append(rows, []string{
				n.Name, l.Node, state + " for " + since(l.Since), delay(l.RTTMS), percent(l.LossIn), percent(l.LossOut), delay(l.JitterInMS),
				strconv.Itoa(l.TalkersIn), strconv.Itoa(l.TalkersOut),
			})
		}
	}
	if len(rows) == 2 { // it is alone
		return nil
	}
	return table(rows)
}

// logState is how far a node has applied what all remember.
func logState(n *protocol.AdminNode) string {
	if n.Behind > 0 {
		return fmt.Sprintf("%d, %d behind", n.Position, n.Behind)
	}
	return strconv.FormatUint(n.Position, 10)
}

// nodeState is what there is to say of a node.
func nodeState(n *protocol.AdminNode) string {
	state := n.State
	if n.Self {
		state += ", this one"
	}
	if n.Draining {
		state += ", drains"
	}
	if off := clockOff(n); off != "" {
		state += ", clock " + off
	}
	return state
}

// worstClock is how far a node's clock may differ before it is shown.
const worstClock = 2 * time.Second

// clockOff is how far a node's clock is off, or "".
func clockOff(n *protocol.AdminNode) string {
	by := (time.Duration(n.ClockMS) * time.Millisecond).Round(time.Second)
	switch {
	case by > worstClock:
		return by.String() + " ahead"
	case by < -worstClock:
		return (-by).String() + " behind"
	}
	return ""
}

// clockWords are what is to be done about a node whose clock is off, or "".
func clockWords(all *protocol.AdminNodes, n *protocol.AdminNode) string {
	off := clockOff(n)
	switch {
	case off == "":
		return ""
	case all.TimeKnown:
		return fmt.Sprintf("The clock of %s is %s. It goes by that of most nodes instead, but certificates, and tokens that are made there by hand, do not: "+
			"set it right, for instance with timedatectl set-ntp true.", n.Name, off)
	default:
		return fmt.Sprintf("The clock of %s is %s, if that of %s is right; too few nodes are there to tell. Set both right, for instance with "+
			"timedatectl set-ntp true.", n.Name, off, all.Nodes[0].Name)
	}
}
