// Package admission decides how much strangers may cost, in one place: by the address that they come from, by the user
// that they are, and by their connection. Everything that somebody may do too often is a [Kind], and each has its rules
// in rules.go. A [Book] keeps what was done; who went too far is told how long to wait.
//
// It has no clock: the time is an argument. Memory is bounded, however many addresses and users there are. A Book may be
// used by any number of goroutines, a [Meter] by one at a time.
package admission
