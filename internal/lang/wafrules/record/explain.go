package record

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"gatehouse/internal/lang/wafrules"
)

// An Explanation tells why the firewall treated a request as it did. AWS has nothing like
// it. It owns its memory.
type Explanation struct {
	WebACL  string           `json:"webAcl"` // ARN
	Action  string           `json:"action"`
	Rule    string           `json:"rule"` // that decided
	Labels  []string         `json:"labels,omitempty"`
	Matches []ExplainedMatch `json:"matches,omitempty"`
	Rates   []Rate           `json:"rateBasedRules,omitempty"`
	// Omitted counts the matches beyond the first 32.
	Omitted int `json:"omitted,omitempty"`
}

// An ExplainedMatch tells which rule, statement, component and bytes matched.
type ExplainedMatch struct {
	Rule            string   `json:"rule"`
	Group           string   `json:"group,omitempty"`
	Action          string   `json:"action"`
	Statement       string   `json:"statement"`
	Component       string   `json:"component,omitempty"`
	Name            string   `json:"name,omitempty"`
	Transformations []string `json:"transformations,omitempty"`
	Offset          int      `json:"offset"` // of the match in the transformed value
	Length          int      `json:"length"`
	// Hash identifies equal matches without showing them: the first 16 hexadecimal
	// digits of a keyed SHA-256 of the matched bytes (the first 256 of them).
	Hash string `json:"hash,omitempty"`
	// Matched are the bytes themselves, the first 256 of them, "" unless asked for.
	Matched string `json:"matched,omitempty"`

	bytes string // matched; "" when they must not be kept
}

const (
	maxMatched = 256 // bytes of a match that are kept
	maxMatches = 32  // of a request that are kept
)

// NewExplanation explains e, with the matched bytes inside but not shown: see Show.
func NewExplanation(e *Event) *Explanation {
	v := e.Verdict
	x := &Explanation{WebACL: e.WebACL, Action: string(v.Action), Rule: v.Rule, Matches: matches(v), Rates: rates(v)}
	for _, l := range v.Labels[:min(len(v.Labels), maxLabels)] {
		x.Labels = append(x.Labels, strings.Clone(l))
	}
	if n := len(x.Matches); n > maxMatches {
		x.Matches, x.Omitted = x.Matches[:maxMatches], n-maxMatches
	}
	return x
}

// Show returns x as it may be shown: without raw, matched bytes and values of aggregation
// keys appear only as length, offset and hash under key. Names of headers, cookies and
// arguments stay.
func (x *Explanation) Show(key []byte, raw bool) *Explanation {
	out := *x
	out.Matches = slices.Clone(x.Matches)
	for i := range out.Matches {
		out.Matches[i].show(key, raw)
	}
	if raw {
		return &out
	}
	out.Rates = slices.Clone(x.Rates)
	for i := range out.Rates {
		r := &out.Rates[i]
		r.CustomValues = slices.Clone(r.CustomValues)
		for j := range r.CustomValues {
			r.CustomValues[j].Value = ""
		}
	}
	return &out
}

// Size is roughly the memory of x, in bytes.
func (x *Explanation) Size() int {
	n := 256 + 64*len(x.Labels) + 128*len(x.Rates)
	for i := range x.Matches {
		n += 256 + len(x.Matches[i].bytes)
	}
	return n
}

// Protect forgets what the web ACL's protections cover.
func (x *Explanation) Protect(account string, ps []Protection) {
	for i := range x.Matches {
		for j := range ps {
			if ps[j].covers(&x.Matches[i]) {
				x.Matches[i].bytes = ""
			}
		}
	}
	l := Log{RateBasedRuleList: x.Rates}
	l.Protect(account, ps)
}

// covers reports whether the component of a match may show what p protects.
func (p *Protection) covers(m *ExplainedMatch) bool {
	component, of, _ := strings.Cut(m.Component, ":")
	switch component {
	case "header":
		return p.Type == "SINGLE_HEADER" && p.has(of, true) || p.Type == "SINGLE_COOKIE" && of == "cookie"
	case "headers":
		return p.Type == "SINGLE_HEADER" && p.has(m.Name, true) || p.Type == "SINGLE_COOKIE" && strings.EqualFold(m.Name, "cookie")
	case "cookies":
		return p.Type == "SINGLE_COOKIE" || p.Type == "SINGLE_HEADER" && p.has("cookie", true)
	case "query", "argument", "arguments", "names and arguments":
		return p.Type == "QUERY_STRING" || p.Type == "SINGLE_QUERY_ARGUMENT"
	case "body", "body values", "json":
		return p.Type == "BODY"
	}
	return false
}

// Explain lists what made each rule match. Without raw, matched bytes appear only as
// length, offset and hash under key, and names of cookies and arguments stay, values do not.
func Explain(v *wafrules.Verdict, key []byte, raw bool) []ExplainedMatch {
	all := matches(v)
	for i := range all {
		all[i].show(key, raw)
	}
	return all
}

func matches(v *wafrules.Verdict) []ExplainedMatch {
	var all []ExplainedMatch
	for i := range v.Rules {
		r := &v.Rules[i]
		group := ""
		if r.Group >= 0 {
			group = v.Groups[r.Group].ID
		}
		for _, m := range v.Matches[r.From:r.To] {
			e := ExplainedMatch{Rule: r.Name, Group: group, Action: string(r.Action), Statement: m.Statement, Component: m.Component,
				Name: strings.Clone(m.Name), Offset: m.Start, Length: m.End - m.Start, bytes: strings.Clone(m.Value[m.Start:min(m.End, m.Start+maxMatched)])}
			for _, t := range m.Transformations {
				e.Transformations = append(e.Transformations, t.String())
			}
			all = append(all, e)
		}
	}
	return all
}

// show fills in what may be shown.
func (m *ExplainedMatch) show(key []byte, raw bool) {
	if m.bytes == "" {
		return
	}
	m.Hash = keyedHash(key, m.bytes)
	if raw {
		m.Matched = strings.ToValidUTF8(m.bytes, "\ufffd")
	}
}

func keyedHash(key []byte, s string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(s))
	return hex.EncodeToString(h.Sum(nil)[:8])
}
