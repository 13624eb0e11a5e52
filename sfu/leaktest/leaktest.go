// Package leaktest fails tests that leave goroutines behind. It is goleak with patience: goleak looks for half a second, which is not long for
// goroutines that are about to end on a machine that has other things to do. One that stays is found all the same.
package leaktest

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long goroutines may take to end.
const patience = 30 * time.Second

// Check fails the test if, after all its later clean-ups, goroutines run that did not run at this call. Call it first. What is to be done
// before it is looked, as closing connections that are kept, is in last.
func Check(tb testing.TB, last ...func()) {
	tb.Helper()
	before := goleak.IgnoreCurrent()
	tb.Cleanup(func() {
		tb.Helper()
		for _, do := range last {
			do()
		}
		if err := find(patience, before); err != nil {
			tb.Error(err)
		}
	})
}

// Verify fails the test if any goroutines but the test's run now and stay. It is for what is deferred.
func Verify(tb testing.TB) {
	tb.Helper()
	if err := find(patience); err != nil {
		tb.Error(err)
	}
}

// Main runs the tests of a package, which fail if goroutines stay after all of them.
func Main(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if err := find(patience); err != nil {
			fmt.Fprintln(os.Stderr, "goroutines are left:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// find looks for that long, and half a second more.
func find(within time.Duration, options ...goleak.Option) (err error) {
	for end := time.Now().Add(within); ; {
		if err = goleak.Find(options...); err == nil || time.Now().After(end) {
			return err
		}
	}
}
