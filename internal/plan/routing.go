package plan

import "strings"

// A Rule leads requests of a domain to a stage by what they carry
// (routing-and-integrations, section 3.2).
type Rule struct {
	ID       string
	Priority int
	Headers  []HeaderMatch
	BasePath string // without slashes at its ends; "" for no condition
	Strip    bool   // takes the base path off
	API      APIKey
	Stage    string
}

// A HeaderMatch is a condition on the value of a header field. Names match without regard
// to case, values with it, but for Host's, which has none.
type HeaderMatch struct {
	Name string // in lower case

	text           string
	suffix, prefix bool // an asterisk before text, after it
}

// NewHeaderMatch reads a value with an asterisk at an end or at both.
func NewHeaderMatch(name, glob string) HeaderMatch {
	m := HeaderMatch{Name: strings.ToLower(name)}
	m.text, m.suffix = strings.CutPrefix(glob, "*")
	m.text, m.prefix = strings.CutSuffix(m.text, "*")
	if m.Name == "host" {
		m.text = strings.ToLower(m.text)
	}
	return m
}

// Match reports whether the field's value fits. A field that is absent fits nothing, not even
// an asterisk: the caller does not ask.
func (m *HeaderMatch) Match(value string) bool {
	switch {
	case m.suffix && m.prefix:
		return strings.Contains(value, m.text)
	case m.suffix:
		return strings.HasSuffix(value, m.text)
	case m.prefix:
		return strings.HasPrefix(value, m.text)
	}
	return value == m.text
}

// Rule selects the first rule, by priority, that fits path, which starts with "/", and whose
// header conditions hold: header returns a field's value and whether it is there. rest is
// what the stage gets, the base path taken off where the rule says so.
func (d *Domain) Rule(path string, header func(name string) (string, bool)) (r *Rule, rest string) {
	trimmed := strings.TrimLeft(path, "/")
	for i := range d.Rules {
		r := &d.Rules[i]
		tail, ok := strings.CutPrefix(trimmed, r.BasePath)
		if r.BasePath != "" && (!ok || tail != "" && tail[0] != '/') || !r.holds(header) {
			continue
		}
		if r.Strip && r.BasePath != "" {
			return r, tail
		}
		return r, path
	}
	return nil, ""
}

func (r *Rule) holds(header func(name string) (string, bool)) bool {
	for i := range r.Headers {
		v, ok := header(r.Headers[i].Name)
		if !ok || !r.Headers[i].Match(v) {
			return false
		}
	}
	return true
}
