// Package store is what the server remembers: one SQLite file, livechat.db, that one can understand and copy.
//
// What changes it is a [Fact]. Facts are numbered in the order in which they are appended and carried out on the tables in the
// same transaction, so that the tables are nothing but a reading of the facts. The facts themselves are not kept: who deletes
// a message wants it gone. What is appended is on the disk when [Store.Append] returns.
//
// # Goroutines
//
// All methods may be called from any goroutine. One goroutine writes; what is appended while it waits for the disk is committed
// together the next time. Readers work beside it and see whole transactions. Calls wait for the disk, so nothing of a call
// or of the media path may.
//
// # Trouble
//
// A disk that is full, read-only or broken makes calls fail with [ErrTrouble] and ends nothing: the next call tries again, and the
// store does so by itself. A file that is found to be damaged is not written to any more, and reading it is tried each time.
package store
