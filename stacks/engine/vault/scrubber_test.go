package vault

import "testing"

func TestScrubberLeavesNoRemainder(t *testing.T) {
	s := NewScrubber()
	for _, secret := range []string{"word", "word-and-more", "abc", "another"} {
		s.Add(secret)
	}
	if got, want := s.Clean("x word-and-more word abc another"), "x [secret] [secret] abc [secret]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
