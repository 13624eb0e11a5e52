package e2e

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// spreadOver is the environment variable that says over how many processes at a time the tests are spread. They mostly
// wait, but cannot be parallel in one process: most look whether they left a goroutine behind. Go's cache of results
// does not see what the processes read; ask for -count=1.
const spreadOver = "LIVECHAT_SPREAD"

func TestMain(m *testing.M) {
	n, _ := strconv.Atoi(os.Getenv(spreadOver))
	_ = os.Unsetenv(spreadOver) // of the processes each runs what it is told to itself
	if n < 2 {
		os.Exit(m.Run())
	}
	flag.Parse()
	if err := spread(n); err != nil {
		_, _ = fmt.Fprintln(os.Stdout, err)
		os.Exit(1)
	}
}

// alone are the tests that judge how good voice is in a browser, for which they want the machine to themselves.
var alone = regexp.MustCompile(`^TestBrowser(Crowd|Rings)$`)

// spread runs the tests that were asked for in n processes at a time, in random order, then those that want to be alone.
func spread(n int) error {
	left, err := testsAskedFor()
	if err != nil {
		return err
	}
	rand.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
	last := slices.DeleteFunc(slices.Clone(left), func(name string) bool { return !alone.MatchString(name) })
	return errors.Join(inProcesses(n, slices.DeleteFunc(left, alone.MatchString)), inProcesses(1, last))
}

// inProcesses runs tests in n processes at a time. Each takes some of what is left, in the end one, so that all are done at
// about the same time; what it printed comes in one piece, if it failed or -v asks.
func inProcesses(n int, left []string) error {
	var mu sync.Mutex // guards left, failed and the output
	var failed error
	work := func() {
		mu.Lock()
		defer mu.Unlock()
		for len(left) > 0 {
			some := max(1, len(left)/(4*n))
			run := "-test.run=^(" + strings.Join(left[:some], "|") + ")$"
			left = left[some:]
			mu.Unlock()
			//nolint:noctx // it is this program, and keeps to -timeout by itself
			out, err := exec.Command(os.Args[0], append(slices.Clone(os.Args[1:]), run, "-test.testlogfile=")...).CombinedOutput()
			mu.Lock()
			if err != nil {
				failed = errors.Join(failed, fmt.Errorf("%s: %w", run, err))
			}
			if err != nil || testing.Verbose() {
				_, _ = os.Stdout.Write(bytes.TrimSuffix(out, []byte("PASS\n"))) // which is said once for all
			}
		}
	}
	var workers sync.WaitGroup
	for range n {
		workers.Go(work)
	}
	workers.Wait()
	return failed
}

// testsAskedFor lists the tests that -run and -skip leave, which here are about whole tests.
func testsAskedFor() ([]string, error) {
	skip, err := regexp.Compile(flag.Lookup("test.skip").Value.String())
	if err != nil {
		return nil, err
	}
	//nolint:noctx // it is this program
	out, err := exec.Command(os.Args[0], "-test.list="+cmp.Or(flag.Lookup("test.run").Value.String(), ".")).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("list the tests: %w\n%s", err, out)
	}
	return slices.DeleteFunc(strings.Fields(string(out)), func(name string) bool {
		return skip.String() != "" && skip.MatchString(name)
	}), nil
}
