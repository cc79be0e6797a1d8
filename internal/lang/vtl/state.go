package vtl

import (
	"errors"
	"strings"
	"time"
)

// place is an offset into the template's text.
type place int32

// in returns the line and column of the place, both from 1.
func (at place) in(text string) (line, column int) {
	before := text[:min(int(at), len(text))]
	return strings.Count(before, "\n") + 1, len(before) - (strings.LastIndexByte(before, '\n') + 1) + 1
}

// How #stop, #break and #return leave what they are in.
var (
	errStop   = errors.New("#stop outside a template")
	errBreak  = errors.New("#break outside a loop")
	errReturn = errors.New("#return outside a macro")
)

// state is one rendering.
type state struct {
	out     []byte
	start   int // length of what was there before
	vars    []variable
	symbols *symbols
	host    Variables
	limits  Limits
	call    Call
	stack   []Value // arguments of methods that are being called
	frame   *frame  // the macro that runs, nil outside
	depth   int
	at      place // of what is evaluated now, for errors

	work     int // steps left
	check    int // steps left at which the time is looked at next
	deadline time.Time
}

// variable is a slot of a name.
type variable struct {
	v   Value
	set bool // v counts; otherwise the host is asked
}

// frame is one call of a macro.
type frame struct {
	args   []argument
	caller *frame
}

// argument is an argument of a macro: an expression that is evaluated in the caller at each
// use, as Velocity passes them, until the macro assigns to it.
type argument struct {
	e   expr
	v   Value
	set bool
}

// timeEvery is the number of steps between two looks at the clock.
const timeEvery = 4096

// spend takes n steps.
func (s *state) spend(n int) error {
	s.work -= n
	if s.work > s.check {
		return nil
	}
	return s.overdue()
}

// overdue looks at the clock, or at the end of the steps.
func (s *state) overdue() error {
	if s.work < 0 {
		return ErrWork
	}
	now := time.Now()
	if s.deadline.IsZero() {
		s.deadline = now.Add(s.limits.Time)
	} else if now.After(s.deadline) {
		return ErrTime
	}
	s.check = max(s.work-timeEvery, 0)
	return nil
}

// fits charges for n bytes of a new string or of output, and refuses what is too long.
func (s *state) fits(n int) error {
	if n > s.limits.Output {
		return ErrOutput
	}
	return s.spend(n / 32)
}

// wrote checks the output after something was appended to it.
func (s *state) wrote(before int) error {
	if len(s.out)-s.start > s.limits.Output {
		return ErrOutput
	}
	return s.spend(1 + (len(s.out)-before)/32)
}

// enter counts a level of macros, blocks or evaluations.
func (s *state) enter() error {
	if s.depth++; s.depth > s.limits.Depth {
		return ErrDepth
	}
	return nil
}

func (s *state) leave() { s.depth-- }

// failure makes the error of a rendering.
func (s *state) failure(err error, text string) error {
	line, column := s.at.in(text)
	return &RenderError{line, column, err}
}

// lookup returns the value of a variable, which the host gives when nothing was assigned.
func (s *state) lookup(slot int) Value {
	x := &s.vars[slot]
	if !x.set {
		x.set = true
		if s.host != nil {
			x.v, _ = s.host.Variable(s.symbols.names[slot])
		}
	}
	return x.v
}

// block renders nodes.
func (s *state) block(nodes []node) error {
	for _, n := range nodes {
		if err := n.render(s); err != nil {
			return err
		}
	}
	return nil
}

// capture renders nodes to a string.
func (s *state) capture(nodes []node) (string, error) {
	if err := s.enter(); err != nil {
		return "", err
	}
	defer s.leave()
	begin, start := len(s.out), s.start
	s.start = begin
	err := s.block(nodes)
	text := string(s.out[begin:])
	s.out, s.start = s.out[:begin], start
	if err != nil {
		return "", err
	}
	return text, s.fits(len(text))
}

// A Call lets an Object's method reach the rendering that called it.
type Call struct{ s *state }

// Spend charges the rendering for n steps of work. Its error must be returned.
func (c *Call) Spend(n int) error { return c.s.spend(n) }

// Budget returns the steps that are left.
func (c *Call) Budget() int { return c.s.work }

// Fits charges for a string of n bytes. Its error must be returned.
func (c *Call) Fits(n int) error { return c.s.fits(n) }

// Text returns what a reference to v prints.
func (c *Call) Text(v Value) (string, error) { return c.s.text(v) }

// Invoke calls a method of v as a template would.
func (c *Call) Invoke(v Value, name string, args []Value) (Value, error) {
	return c.s.invoke(v, name, args)
}
