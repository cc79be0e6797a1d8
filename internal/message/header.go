package message

import "strings"

// A Field is one header or trailer line as it was, or will be, sent: the
// name keeps its case, the value has no surrounding white space.
type Field struct {
	Name, Value string
}

// Header is the ordered list of header lines of one message. The order and the
// case of names are kept; look-ups ignore ASCII case. The zero value is an empty
// header ready for use. A Header is not safe for concurrent modification.
type Header []Field

// Get returns the value of the first line called name, or "".
func (h Header) Get(name string) string {
	for i := range h {
		if EqualName(h[i].Name, name) {
			return h[i].Value
		}
	}
	return ""
}

// Has reports whether a line called name is present, even an empty one.
func (h Header) Has(name string) bool {
	return h.Count(name) > 0
}

// Count returns how many lines are called name.
func (h Header) Count(name string) int {
	n := 0
	for i := range h {
		if EqualName(h[i].Name, name) {
			n++
		}
	}
	return n
}

// Values returns the values of all lines called name, in order; nil when there is none.
func (h Header) Values(name string) []string {
	var vs []string
	for i := range h {
		if EqualName(h[i].Name, name) {
			vs = append(vs, h[i].Value)
		}
	}
	return vs
}

// Add appends a line.
func (h *Header) Add(name, value string) {
	*h = append(*h, Field{name, value})
}

// Set makes value the only value of name. The first line called name keeps its
// place and takes the given case; without one, a line is appended.
func (h *Header) Set(name, value string) {
	for i := range *h {
		if EqualName((*h)[i].Name, name) {
			(*h)[i] = Field{name, value}
			rest := (*h)[i+1:]
			rest.Del(name)
			*h = (*h)[:i+1+len(rest)]
			return
		}
	}
	h.Add(name, value)
}

// Del removes every line called name, keeping the order of the others.
func (h *Header) Del(name string) {
	kept := (*h)[:0]
	for _, f := range *h {
		if !EqualName(f.Name, name) {
			kept = append(kept, f)
		}
	}
	*h = kept
}

// EqualName reports whether two field names are the same: RFC 9110 section 5.1
// compares them without regard to ASCII case. Letters outside ASCII never match.
func EqualName(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		if 'A' <= x && x <= 'Z' {
			x += 'a' - 'A'
		}
		if 'A' <= y && y <= 'Z' {
			y += 'a' - 'A'
		}
		if x != y {
			return false
		}
	}
	return true
}

// HasToken reports whether the comma-separated list value contains token,
// without regard to ASCII case (RFC 9110 section 5.6.1).
func HasToken(value, token string) bool {
	for {
		part, rest, more := strings.Cut(value, ",")
		for len(part) > 0 && (part[0] == ' ' || part[0] == '\t') {
			part = part[1:]
		}
		for len(part) > 0 && (part[len(part)-1] == ' ' || part[len(part)-1] == '\t') {
			part = part[:len(part)-1]
		}
		if EqualName(part, token) {
			return true
		}
		if !more {
			return false
		}
		value = rest
	}
}
