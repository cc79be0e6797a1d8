package ojson

import (
	"errors"
	"fmt"
	"strings"
)

// Errors that a SyntaxError wraps when a limit was passed rather than the grammar broken.
var (
	ErrTooDeep  = errors.New("nested deeper than the limit")
	ErrTooLarge = errors.New("larger than the limit")
)

// A SyntaxError says where a text stops being JSON.
type SyntaxError struct {
	Offset       int // in bytes, from 0
	Line, Column int // from 1; the column counts bytes
	Msg          string
	Err          error // ErrTooDeep, ErrTooLarge or nil
}

// Error returns the place and the message.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Msg)
}

// Unwrap returns the limit that was passed, if one was.
func (e *SyntaxError) Unwrap() error { return e.Err }

// errorAt makes a SyntaxError for the byte at offset.
func errorAt(text string, offset int, err error, format string, args ...any) *SyntaxError {
	offset = min(offset, len(text))
	before := text[:offset]
	return &SyntaxError{
		Offset: offset,
		Line:   strings.Count(before, "\n") + 1,
		Column: offset - (strings.LastIndexByte(before, '\n') + 1) + 1,
		Msg:    fmt.Sprintf(format, args...),
		Err:    err,
	}
}

// found names what stands at offset for an error message.
func found(text string, offset int) string {
	if offset >= len(text) {
		return "the end"
	}
	if c := text[offset]; c < 0x20 || c >= 0x7f {
		return fmt.Sprintf("byte 0x%02x", c)
	}
	return fmt.Sprintf("%q", text[offset])
}
