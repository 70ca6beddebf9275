package benchmarks

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"
)

// The raw form, under gzip: a magic line, then for each sample its intended start as the difference to the one before, the wait and
// the service time, bytes, and its class and kind as numbers into one list of texts, all as varints. A number that the list does not
// have yet is followed by the new text. After the last sample stands a mark and their count, so that a torn file is seen as one.
const (
	rawMagic = "surety samples 1\n"
	rawMore  = 1
	rawEnd   = 0
	maxText  = 1 << 10 // bytes of a class or kind
	maxTexts = 1 << 16
)

// RawWriter is a fold that keeps each sample.
type RawWriter struct {
	zip   *gzip.Writer
	out   *bufio.Writer
	texts map[string]uint64
	last  time.Duration
	count uint64
	buf   []byte
	err   error
}

// WriteSamples keeps samples in w, compactly. The writer must be closed; w stays open.
func WriteSamples(w io.Writer) *RawWriter {
	zip, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // errs for an unknown level only
	r := &RawWriter{zip: zip, out: bufio.NewWriterSize(zip, 1<<16), texts: map[string]uint64{}}
	_, r.err = r.out.WriteString(rawMagic)
	return r
}

// Add writes a sample. The first error is kept for Close.
func (r *RawWriter) Add(s Sample) {
	if r.err != nil {
		return
	}
	b := append(r.buf[:0], rawMore)
	b = binary.AppendVarint(b, int64(s.Intended-r.last))
	b = binary.AppendVarint(b, int64(s.Started-s.Intended))
	b = binary.AppendVarint(b, int64(s.Ended-s.Started))
	b = binary.AppendVarint(b, s.Bytes)
	b = r.text(b, s.Class)
	b = r.text(b, s.Op)
	r.last, r.buf = s.Intended, b
	if r.count++; r.err != nil {
		return
	}
	_, r.err = r.out.Write(b)
}

func (r *RawWriter) text(b []byte, s string) []byte {
	s = s[:min(len(s), maxText)]
	id, known := r.texts[s]
	if known {
		return binary.AppendUvarint(b, id)
	}
	if len(r.texts) == maxTexts {
		r.err = fmt.Errorf("more than %d error classes and kinds", maxTexts)
		return b
	}
	id = uint64(len(r.texts))
	r.texts[s] = id
	b = binary.AppendUvarint(b, id)
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// Close ends the stream and gives the first error of all.
func (r *RawWriter) Close() error {
	if r.err == nil {
		_, r.err = r.out.Write(binary.AppendUvarint([]byte{rawEnd}, r.count))
	}
	if err := errors.Join(r.err, r.out.Flush(), r.zip.Close()); err != nil {
		return fmt.Errorf("keep samples: %w", err)
	}
	return nil
}

// ReadSamples reads what WriteSamples kept. It yields an error, last, when the stream is not whole.
func ReadSamples(r io.Reader) iter.Seq2[Sample, error] {
	return func(yield func(Sample, error) bool) {
		if err := readSamples(r, yield); err != nil {
			yield(Sample{}, fmt.Errorf("read samples: %w", err))
		}
	}
}

func readSamples(r io.Reader, yield func(Sample, error) bool) error {
	zip, err := gzip.NewReader(r)
	if err != nil {
		return err
	}
	in := rawReader{Reader: bufio.NewReaderSize(zip, 1<<16)}
	magic := make([]byte, len(rawMagic))
	if _, err := io.ReadFull(in, magic); err != nil || string(magic) != rawMagic {
		return fmt.Errorf("this is no stream of samples that this version knows")
	}
	var last time.Duration
	for count := uint64(0); ; count++ {
		mark, err := in.ReadByte()
		if err != nil {
			return cutShort(err)
		}
		if mark == rawEnd {
			want := in.unsigned()
			if in.err == nil && want != count {
				in.err = fmt.Errorf("there are %d samples, where the stream says %d", count, want)
			}
			if in.err != nil {
				return cutShort(in.err)
			}
			// The checksum is behind the last byte, and looked at when that is passed.
			if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
				return fmt.Errorf("after the last sample: %w", cmp.Or(err, errMore))
			}
			return nil
		}
		var s Sample
		s.Intended = last + time.Duration(in.signed())
		s.Started = s.Intended + time.Duration(in.signed())
		s.Ended = s.Started + time.Duration(in.signed())
		s.Bytes, s.Class, s.Op = in.signed(), in.text(), in.text()
		if in.err != nil {
			return cutShort(in.err)
		}
		if last = s.Intended; !yield(s, nil) {
			return nil
		}
	}
}

var errMore = errors.New("there is more")

// cutShort makes the end of input an unexpected one.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// rawReader reads varints and remembers the first error.
type rawReader struct {
	*bufio.Reader
	texts []string
	err   error
}

func (r *rawReader) signed() int64 {
	if r.err != nil {
		return 0
	}
	var v int64
	v, r.err = binary.ReadVarint(r)
	return v
}

func (r *rawReader) unsigned() uint64 {
	if r.err != nil {
		return 0
	}
	var v uint64
	v, r.err = binary.ReadUvarint(r)
	return v
}

func (r *rawReader) text() string {
	id := r.unsigned()
	switch {
	case r.err != nil:
		return ""
	case id < uint64(len(r.texts)):
		return r.texts[id]
	case id > uint64(len(r.texts)) || id >= maxTexts:
		r.err = fmt.Errorf("text %d of %d", id, len(r.texts))
		return ""
	}
	length := r.unsigned()
	if r.err == nil && length > maxText {
		r.err = fmt.Errorf("a text of %d bytes", length)
	}
	if r.err != nil {
		return ""
	}
	b := make([]byte, length)
	if _, r.err = io.ReadFull(r.Reader, b); r.err != nil {
		return ""
	}
	r.texts = append(r.texts, string(b))
	return string(b)
}
