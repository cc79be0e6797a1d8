package record

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"gatehouse/internal/lang/wafrules/transform"
)

// Redacted stands for what must not be shown.
const Redacted = "REDACTED"

// A Redaction names the parts of a request that stay out of log records
// (LoggingConfiguration's RedactedFields).
type Redaction struct {
	Headers                  []string // names, without regard to case
	URIPath, Query, HTTPVerb bool
}

// Redact hides the named parts of l.
func (l *Log) Redact(r Redaction) {
	for i := range l.HTTPRequest.Headers {
		for _, name := range r.Headers {
			if strings.EqualFold(name, l.HTTPRequest.Headers[i].Name) {
				l.HTTPRequest.Headers[i].Value = Redacted
			}
		}
	}
	for _, part := range []struct {
		hide bool
		text *string
	}{{r.URIPath, &l.HTTPRequest.URI}, {r.Query, &l.HTTPRequest.Args}, {r.HTTPVerb, &l.HTTPRequest.HTTPMethod}} {
		if part.hide {
			*part.text = Redacted
		}
	}
}

// A Protection is one item of a web ACL's DataProtectionConfig. It acts on log records and
// samples alike.
type Protection struct {
	Type                    string // SINGLE_HEADER, SINGLE_COOKIE, SINGLE_QUERY_ARGUMENT, QUERY_STRING or BODY
	Keys                    []string
	Hash                    bool // rather than substitute
	ExcludeRuleMatchDetails bool
	ExcludeRateBasedDetails bool
}

// hide returns what stands for the value. Hashes include the account, so that they
// cannot be compared between accounts.
func (p *Protection) hide(account, value string) string {
	if !p.Hash {
		return Redacted
	}
	sum := sha256.Sum256([]byte(account + value))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func (p *Protection) has(name string, fold bool) bool {
	for _, k := range p.Keys {
		if k == name || fold && strings.EqualFold(k, name) {
			return true
		}
	}
	return false
}

// Protect hides what the web ACL's protections cover. Where several cover a value,
// substitution wins.
func (l *Log) Protect(account string, ps []Protection) {
	for _, hash := range []bool{true, false} {
		for i := range ps {
			if p := &ps[i]; p.Hash == hash {
				l.HTTPRequest.protect(account, p)
				l.protectDetails(account, p)
			}
		}
	}
}

func (r *HTTPRequest) protect(account string, p *Protection) {
	switch p.Type {
	case "QUERY_STRING":
		if r.Args != "" {
			r.Args = p.hide(account, r.Args)
		}
	case "SINGLE_QUERY_ARGUMENT":
		r.Args = protectPairs(r.Args, "&;", func(name string) bool { return p.has(name, true) || p.has(unescaped(name), true) }, func(v string) string { return p.hide(account, v) })
	case "SINGLE_HEADER", "SINGLE_COOKIE":
		protectHeaders(r.Headers, account, p)
	}
}

func protectHeaders(hs []Header, account string, p *Protection) {
	for i := range hs {
		h := &hs[i]
		switch {
		case p.Type == "SINGLE_HEADER" && p.has(h.Name, true):
			h.Value = p.hide(account, h.Value)
		case p.Type == "SINGLE_COOKIE" && strings.EqualFold(h.Name, "cookie"):
			h.Value = protectPairs(h.Value, ";", func(name string) bool { return p.has(name, false) }, func(v string) string { return p.hide(account, v) })
		}
	}
}

// protectPairs hides the values of selected name=value pairs, which any of the separators
// part. A selected value in quotes is hidden to where they end.
func protectPairs(text, separators string, selected func(string) bool, hide func(string) string) string {
	var b strings.Builder
	for {
		end := strings.IndexAny(text, separators)
		if end < 0 {
			end = len(text)
		}
		name, value, found := strings.Cut(text[:end], "=")
		if found && selected(strings.TrimSpace(name)) {
			if strings.HasPrefix(value, `"`) {
				end = max(end, len(name)+len(`="`)+closing(text[len(name)+len(`="`):]))
				value = text[len(name)+1 : end]
			}
			b.WriteString(name + "=" + hide(value))
		} else {
			b.WriteString(text[:end])
		}
		if end == len(text) {
			return b.String()
		}
		b.WriteByte(text[end])
		text = text[end+1:]
	}
}

// closing is the place behind the quote that ends a value, 0 when none does.
func closing(s string) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

// unescaped is a name as applications read it.
func unescaped(name string) string {
	return string(transform.URLDecode.Append(nil, name))
}

// locations lists the components whose matched data a protection hides: one argument hides
// the whole query, one cookie the whole header.
var locations = map[string][]string{
	"SINGLE_HEADER": {"HEADER"}, "SINGLE_COOKIE": {"HEADER"}, "BODY": {"BODY", "UNKNOWN"},
	"SINGLE_QUERY_ARGUMENT": {"QUERY_STRING", "ALL_QUERY_ARGS", "SINGLE_QUERY_ARG"}, "QUERY_STRING": {"QUERY_STRING", "ALL_QUERY_ARGS", "SINGLE_QUERY_ARG"},
}

// rateKeys likewise for rate-based rules.
var rateKeys = map[string]string{"SINGLE_HEADER": "HEADER", "SINGLE_COOKIE": "COOKIE", "SINGLE_QUERY_ARGUMENT": "QUERY_ARGUMENT", "QUERY_STRING": "QUERY_STRING"}

func (l *Log) protectDetails(account string, p *Protection) {
	if !p.ExcludeRuleMatchDetails {
		protectMatches(l.TerminatingRuleMatchDetails, account, p)
		for _, r := range l.NonTerminatingMatchingRules {
			protectMatches(r.RuleMatchDetails, account, p)
		}
		for _, g := range l.RuleGroupList {
			if g.TerminatingRule != nil {
				protectMatches(g.TerminatingRule.RuleMatchDetails, account, p)
			}
			for _, r := range g.NonTerminatingMatchingRules {
				protectMatches(r.RuleMatchDetails, account, p)
			}
		}
	}
	if p.ExcludeRateBasedDetails {
		return
	}
	for _, r := range l.RateBasedRuleList {
		for i := range r.CustomValues {
			v := &r.CustomValues[i]
			if v.Key == rateKeys[p.Type] && (p.Type == "QUERY_STRING" || p.has(v.Name, p.Type != "SINGLE_COOKIE")) ||
				v.Key == "QUERY_ARGUMENT" && p.Type == "QUERY_STRING" || v.Key == "QUERY_STRING" && p.Type == "SINGLE_QUERY_ARGUMENT" ||
				v.Key == "HEADER" && p.Type == "SINGLE_COOKIE" && strings.EqualFold(v.Name, "cookie") || v.Key == "COOKIE" && p.Type == "SINGLE_HEADER" && p.has("cookie", true) {
				v.Value = p.hide(account, v.Value)
			}
		}
	}
}

func protectMatches(ms []MatchDetail, account string, p *Protection) {
	for i := range ms {
		for _, where := range locations[p.Type] {
			if ms[i].Location == where {
				ms[i].MatchedData = []string{p.hide(account, strings.Join(ms[i].MatchedData, " "))}
			}
		}
	}
}
