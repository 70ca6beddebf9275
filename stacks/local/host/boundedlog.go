package host

import (
	"fmt"
	"os"
	"sync"
	"time"
)

// boundedLog is a log of at most twice logSize: what is full becomes PATH.1.
type boundedLog struct {
	path string
	mu   sync.Mutex
	file *os.File
	size int64
}

// Write appends to the log. It never fails: a service must not die of its log.
func (l *boundedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil && l.size+int64(len(p)) > logSize {
		l.file.Close()
		l.file = nil
		_ = os.Rename(l.path, l.path+".1")
	}
	if l.file == nil {
		file, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
		if err != nil {
			return len(p), nil
		}
		l.file, l.size = file, 0
		if st, err := file.Stat(); err == nil {
			l.size = st.Size()
		}
	}
	n, _ := l.file.Write(p)
	l.size += int64(n)
	return len(p), nil
}

func (l *boundedLog) note(text string) {
	_, _ = fmt.Fprintf(l, "[surety %s] %s\n", time.Now().UTC().Format(time.RFC3339Nano), text)
}

// Close closes the log's file.
func (l *boundedLog) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}
