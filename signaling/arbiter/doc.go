// Package arbiter has the nodes of a cluster agree on which of them decides about the floors of a channel where people talk by turns, and carries what
// they tell each other of those.
//
// Each node says which others it sees, and with that whom it takes for the arbiter of each channel: the home of the channel among them
// (cluster.Home). A node that is about to go is none as long as there are others. A node decides about a channel only while most of those that there
// should be, it being one of them, take it for the arbiter. What follows from that is in package sfu: a new arbiter waits until nobody can have the floor any
// more by what an old one decided, and a node carries out what its own arbiter says and nobody else.
//
// What other nodes say comes on the bus's goroutine. What is sent here never waits.
package arbiter
