// Package mirror has every node of a cluster know who is on the others: their sessions, their members in channels, and who of these
// speaks.
//
// A node is the only author of what is said of its own people. It says each change as one numbered message, and the others keep what
// it said: in an Exchange, and as mirrors in the rosters of their channels. Who misses a number, or sees a node appear, asks for
// all of it (a snapshot), which says after which number it is true. So copies are right again without anybody having to agree.
//
// When a node dies, the copies of its people stay for Grace: those who come back on another node meanwhile have never left, in the
// eyes of the others. The rest leaves then.
//
// A user has one session in the whole cluster. Each is given a rank when it begins, higher than any that is known of the
// user's; where nodes find out that they have the same user, the session of the highest rank goes on.
//
// What comes of other nodes comes on the bus's goroutine; what this node's own do comes from wherever it happens.
package mirror
