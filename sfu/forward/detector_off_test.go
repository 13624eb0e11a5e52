//go:build !race

package forward

// raceDetector says that the tests run with the race detector, which allocates.
const raceDetector = false
