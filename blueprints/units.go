package blueprints

import "time"

// Bytes is an amount of memory or storage in bytes, written "512MiB", "4GiB", "20GB".
type Bytes int64

// Throughput is a data rate in bytes per second, written "50MiB/s".
type Throughput int64

// Duration is a span of time, written "150ms", "15m", "24h", "7d".
type Duration time.Duration

// Percent is a share in percent, written 99.9 or "0.1%".
type Percent float64
