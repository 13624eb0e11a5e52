//go:build !unix

package talk

// ignoreFileLimit does nothing: there are no such limits.
func ignoreFileLimit() {}
