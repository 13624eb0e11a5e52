package bench

import (
	"fmt"
	"strings"
)

// clusterFoot explains the rows of a cluster.
const clusterFoot = `
"On N nodes" is the same with everybody spread over N processes that are one server,
and what they take together. Of each node "× one" is its CPU time for a packet that
arrives at its people, divided by that of the server that is alone, in the same run;
"× alike" is that divided by what a server that is alone takes which has as many people
as the node, and so tells what it costs to be one of several.
It relays so many streams to the other nodes, of one channel at most K to each.
`

// writeClusters writes what there is of nodes: a line for each, and how much later one is heard on another.
func writeClusters(page *strings.Builder, summaries []Summary) {
	explained := false
	for _, s := range summaries {
		all := s.Median.Cluster
		if all == nil {
			continue
		}
		if !explained {
			page.WriteString(clusterFoot)
			explained = true
		}
		b := all.Between
		fmt.Fprintf(page, "\n%-14s %6s %10s %6s %7s %6s %7s %8s %10s %8s %8s\n", s.Median.Scenario,
			"people", "packets/s", "cores", "µs", "× one", "× alike", "relayed", "a channel", "at most", "packets/s")
		line := func(name string, people int, figures ...string) {
			fmt.Fprintf(page, "  %-12s %6d %10s %6s %7s %6s %7s %8s %10s %8s %8s\n", append([]any{name, people}, anys(figures)...)...)
		}
		for i := range b.Nodes {
			n := &b.Nodes[i]
			line(fmt.Sprintf("node %d", i+1), n.People, decimals(n.ForwardedPPS, 0), decimals(n.CPUCores, 3), decimals(n.CPUPerPacket, 2),
				decimals(n.RatioOne, 2), decimals(n.RatioAlike, 2), decimals(n.Relayed, 0), decimals(n.RelayedMost, 0), decimals(b.RelayedBound, 0), decimals(n.RelayedPPS, 0))
		}
		fmt.Fprintf(page, "  all together %s µs a packet, %s times one node's", decimals(all.Server.CPUPerPacket, 2), decimals(b.RatioOne, 2))
		if alike := s.Median.Alike; alike != nil {
			fmt.Fprintf(page, ", and %s times that of %s on a server that is alone", decimals(b.RatioAlike, 2), alike.Scenario)
		}
		fmt.Fprintf(page, ";\n  packets to people of the same node took %s ms (p50), to those of another %s ms: %s ms more\n",
			decimals(b.Same.P50, 2), decimals(b.Across.P50, 2), decimals(b.AcrossMore, 2))
	}
}

func anys(texts []string) []any {
	list := make([]any, len(texts))
	for i, text := range texts {
		list[i] = text
	}
	return list
}
