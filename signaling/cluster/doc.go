// Package cluster makes several processes of the server one: which nodes there are, and how they tell each other what happens.
//
// Every node is the only author of what it says of itself and of the people on it; the others hold copies. So there is nothing
// to lock and nothing to agree upon here. A node says several times a second that it is there (a beat). Who is silent for
// DeadAfter, or to whom the way is closed, is gone; what was published meanwhile is lost, and who holds copies asks for them
// anew when the node is back. That is all that [Bus] and [Members] promise, and it is enough.
//
// A Simulated is the same without a network and with a clock that is told, for tests and for clusters larger than a machine.
//
// What a node is told comes on one goroutine, in the order in which it arrived: messages of all subjects, and that nodes are
// there or gone. So what a node says comes after the word that it is there, and nothing more comes after the word that it is
// gone. Who is told must not wait for anything, and may publish.
package cluster
