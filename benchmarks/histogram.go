package benchmarks

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Bounds of recorded times. What is shorter counts as the least, what is longer as the most.
const (
	leastTime = 100 * time.Nanosecond
	mostTime  = time.Hour
)

// newHistogram makes a histogram of times in nanoseconds, exact to so many significant decimal digits.
func newHistogram(digits int) *hdrhistogram.Histogram {
	return hdrhistogram.New(int64(leastTime), int64(mostTime), digits)
}

// clip brings a time into the histogram's bounds. A time may be negative only by a clock that ran backwards, which a monotonic one does not.
func clip(d time.Duration) int64 { return int64(min(max(d, 0), mostTime)) }
