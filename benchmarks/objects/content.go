package objects

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"sync"
)

// content gives every object its bytes: a window of one random block, repeated, that begins where a hash of the key says. It does not
// compress, differs from key to key, and whoever knows key and size knows what a reader must get.
type content struct {
	block []byte   // twice the period, so that every window of one period is in one piece
	sums  sync.Map // key to CRC-32C, of what was asked for
}

// period is a prime number of bytes, so that repetitions share no alignment with any block size of a store.
const period = 1048573

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func newContent(seed uint64) *content {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	c := &content{block: make([]byte, 2*period)}
	_, _ = rand.NewChaCha8(key).Read(c.block[:period]) // never fails
	copy(c.block[period:], c.block[:period])
	return c
}

// place chooses a number below limit by the key.
func (c *content) place(key string, limit int) int {
	h := fnv.New64a()
	_, _ = io.WriteString(h, key)
	return int(h.Sum64() % uint64(limit))
}

// reader gives an object's bytes; it can be read again from any place, which the client needs for signing. Objects within a period are
// one piece of memory.
func (c *content) reader(key string, size int64) io.ReadSeeker {
	at := c.place(key, period)
	if size <= period {
		return bytes.NewReader(c.block[at : at+int(size)])
	}
	return io.NewSectionReader(window{c, at}, 0, size)
}

// window reads the repeated block.
type window struct {
	c  *content
	at int
}

// ReadAt fills b whatever its size.
func (w window) ReadAt(b []byte, off int64) (int, error) {
	for n := 0; n < len(b); {
		from := int((int64(w.at) + off + int64(n)) % period)
		n += copy(b[n:], w.c.block[from:from+period])
	}
	return len(b), nil
}

// sum is the CRC-32C of an object.
func (c *content) sum(key string, size int64) uint32 {
	if s, ok := c.sums.Load(key); ok {
		return s.(uint32)
	}
	h := crc32.New(castagnoli)
	_, _ = io.Copy(h, c.reader(key, size))
	c.sums.Store(key, h.Sum32())
	return h.Sum32()
}

// verify reads all of an object through buffer and compares it with what was written.
func (c *content) verify(from io.Reader, h hash.Hash32, buffer []byte, key string, size int64) (int64, error) {
	h.Reset()
	var n int64
	for {
		m, err := from.Read(buffer)
		_, _ = h.Write(buffer[:m])
		n += int64(m)
		if err == io.EOF {
			break
		}
		if err != nil {
			return n, err
		}
	}
	if n != size {
		return n, fmt.Errorf("%w: %s has %d bytes instead of %d", errContent, key, n, size)
	}
	if got, want := h.Sum32(), c.sum(key, size); got != want {
		return n, fmt.Errorf("%w: %s has the checksum %08x instead of %08x", errContent, key, got, want)
	}
	return n, nil
}
