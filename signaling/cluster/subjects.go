package cluster

import "fmt"

// The subjects of what nodes say to each other. On the wire each has "lc.", the version of the cluster protocol and a dot in front,
// but for the beats, which nodes of all versions understand.
const (
	// SubjectMembers carries the changes of a node's own people in channels, numbered; SubjectSnapshot, a dot and a boot id asks that node for
	// all of them, or tells it all of another's.
	SubjectMembers  = "members"
	SubjectSnapshot = "members.all"
	// SubjectChat carries what was said to who is here now.
	SubjectChat = "chat"
	// SubjectModerate asks the node of somebody to carry out what a moderator decided.
	SubjectModerate = "moderate"
	// SubjectAdmin asks a node for what an operator wants to see of it.
	SubjectAdmin = "admin"
	// SubjectFloor carries whom nodes see, and what is asked for and decided where people talk by turns.
	SubjectFloor = "floor"
	// SubjectRelay carries what the ends of a media link tell each other.
	SubjectRelay = "relay"
	// SubjectBackup asks for a copy of what a node remembers.
	SubjectBackup = "backup"

	// subjectBeats carries beats.
	subjectBeats = "lc.beats"
)

// wireSubject is a subject as it is said to NATS.
func wireSubject(subject string) string { return fmt.Sprintf("lc.%d.%s", Protocol, subject) }
