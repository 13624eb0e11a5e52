// Package elsewhere sees to systems that the tests do not run on.
package elsewhere
