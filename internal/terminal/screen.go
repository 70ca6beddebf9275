// Package terminal shows what the tool does to a person: colours and moving lines on a terminal, plain lines on a pipe.
package terminal

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"surety/validate"
)

// Options say how to show.
type Options struct {
	NoColor bool
	Quiet   bool // show nothing: the caller prints JSON
	Verbose bool
}

// Screen writes lines, and on a terminal one moving line below them that says what is going on.
// It is safe for use by several goroutines.
type Screen struct {
	out     io.Writer
	color   bool
	live    bool
	quiet   bool
	Verbose bool

	mu     sync.Mutex
	status string    // the moving line
	since  time.Time // when its activity began
	drawn  bool
	stop   chan struct{}
	turn   int
}

// New gives a screen on out. Colours and movement are only for a terminal; NO_COLOR and TERM=dumb are honoured.
func New(out io.Writer, o Options) *Screen {
	f, isFile := out.(*os.File)
	tty := isFile && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
	return &Screen{out: out, live: tty && !o.Quiet, quiet: o.Quiet, Verbose: o.Verbose,
		color: tty && !o.NoColor && os.Getenv("NO_COLOR") == ""}
}

// Style is a way to set text apart.
type Style string

// Styles, as ANSI codes.
const (
	Plain  Style = ""
	Bold   Style = "1"
	Dim    Style = "2"
	Red    Style = "31"
	Green  Style = "32"
	Yellow Style = "33"
)

// Paint gives text in a style, or as it is where there are no colours.
func (s *Screen) Paint(style Style, text string) string {
	if !s.color || style == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(style) + "m" + text + "\x1b[0m"
}

// Line prints one line above the moving line.
func (s *Screen) Line(format string, args ...any) {
	if s.quiet {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	fmt.Fprintf(s.out, format+"\n", args...)
	s.draw()
}

// More prints one line when the user asked for more.
func (s *Screen) More(format string, args ...any) {
	if s.Verbose {
		s.Line(format, args...)
	}
}

// Doing sets the moving line, which then shows how long this has been going on; an empty text takes it away.
func (s *Screen) Doing(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.live {
		return
	}
	s.erase()
	if text == "" {
		s.status = ""
		if s.stop != nil {
			close(s.stop)
			s.stop = nil
		}
		return
	}
	if s.status == "" {
		s.since = time.Now()
	}
	s.status = text
	if s.stop == nil {
		s.stop = make(chan struct{})
		go s.animate(s.stop)
	}
	s.draw()
}

func (s *Screen) animate(stop chan struct{}) {
	tick := time.NewTicker(120 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			s.mu.Lock()
			s.erase()
			s.turn++
			s.draw()
			s.mu.Unlock()
		}
	}
}

const spinner = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"

func (s *Screen) draw() {
	if !s.live || s.status == "" {
		return
	}
	frames := []rune(spinner)
	text := fmt.Sprintf("%c %s  %.0f s", frames[s.turn%len(frames)], s.status, time.Since(s.since).Seconds())
	if f, ok := s.out.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			text = Cut(text, width-1)
		}
	}
	fmt.Fprint(s.out, s.Paint(Dim, text))
	s.drawn = true
}

func (s *Screen) erase() {
	if s.drawn {
		fmt.Fprint(s.out, "\r\x1b[K")
		s.drawn = false
	}
}

// cut is Cut on a terminal; what goes to a file or another program is never cut.
func (s *Screen) cut(text string, width int) string {
	if !s.live {
		return text
	}
	return Cut(text, width)
}

// Cut shortens text to a number of characters, with an ellipsis where it was cut.
func Cut(text string, width int) string {
	if width < 1 || utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}

// Pad fills text with blanks up to a number of characters.
func Pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}

// Took prints a duration as results do.
func Took(d time.Duration) string { return validate.Took(d) }

// Count gives "1 thing" or "3 things".
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
