//go:build race

package repair

// raceDetector says that the tests run with the race detector, which allocates.
const raceDetector = true
