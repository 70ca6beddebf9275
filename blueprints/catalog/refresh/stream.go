package refresh

import (
	"encoding/json"
	"fmt"
	"io"
)

// largest is the longest value that is held in memory. The longest in the vendors' files are a few ten thousand bytes.
const largest = 16 << 20

// stream reads a JSON file of any length value by value, in constant memory.
type stream struct {
	*json.Decoder
	in *bounded
}

// bounded ends a value that is too long to be one of a price list, before it fills the memory.
type bounded struct {
	io.Reader
	read, upTo int64
	each       func(n int)
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.read > b.upTo {
		return 0, fmt.Errorf("a value of more than %d MiB: this is no price list", largest>>20)
	}
	n, err := b.Reader.Read(p)
	b.read += int64(n)
	b.each(n)
	return n, err
}

func newStream(r io.Reader, each func(n int)) *stream {
	in := &bounded{Reader: r, upTo: largest, each: each}
	return &stream{json.NewDecoder(in), in}
}

// value reads the next value whole.
func (s *stream) value(into any) error {
	s.in.upTo = s.InputOffset() + largest
	return s.at(s.Decode(into))
}

func (s *stream) token() (json.Token, error) {
	s.in.upTo = s.InputOffset() + largest
	t, err := s.Token()
	return t, s.at(err)
}

// at says where in the file an error is.
func (s *stream) at(err error) error {
	switch err {
	case nil:
		return nil
	case io.EOF, io.ErrUnexpectedEOF:
		return fmt.Errorf("it ends in the middle, after %d bytes", s.in.read)
	}
	return fmt.Errorf("byte %d: %w", s.InputOffset(), err)
}

// object reads an object: each is called after every key, and reads its value.
func (s *stream) object(each func(key string) error) error {
	if t, err := s.token(); err != nil {
		return err
	} else if t != json.Delim('{') {
		return fmt.Errorf("byte %d: %v in place of an object", s.InputOffset(), t)
	}
	for s.More() {
		t, err := s.token()
		if err != nil {
			return err
		}
		key, ok := t.(string)
		if !ok {
			return fmt.Errorf("byte %d: %v in place of a name", s.InputOffset(), t)
		}
		if err := each(key); err != nil {
			return err
		}
	}
	_, err := s.token()
	return err
}

// skip passes over the next value, however long.
func (s *stream) skip() error {
	for depth := 0; ; {
		t, err := s.token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// end checks that nothing follows.
func (s *stream) end() error {
	if t, err := s.Token(); err != io.EOF {
		return fmt.Errorf("byte %d: %v follows after the end", s.InputOffset(), t)
	}
	return nil
}
