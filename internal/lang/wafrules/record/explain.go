package record

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"gatehouse/internal/lang/wafrules"
)

// An ExplainedMatch tells which rule, statement, component and bytes matched. AWS has
// nothing like it.
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
	// digits of a keyed SHA-256 of the matched bytes.
	Hash string `json:"hash,omitempty"`
	// Matched are the bytes themselves, "" unless asked for.
	Matched string `json:"matched,omitempty"`
}

// maxMatched bounds the matched bytes that are shown.
const maxMatched = 256

// Explain lists what made each rule match. Without raw, matched bytes appear only as
// length, offset and hash under key, and names of cookies and arguments stay, values do not.
func Explain(v *wafrules.Verdict, key []byte, raw bool) []ExplainedMatch {
	var all []ExplainedMatch
	for i := range v.Rules {
		r := &v.Rules[i]
		group := ""
		if r.Group >= 0 {
			group = v.Groups[r.Group].ID
		}
		for _, m := range v.Matches[r.From:r.To] {
			e := ExplainedMatch{Rule: r.Name, Group: group, Action: string(r.Action), Statement: m.Statement, Component: m.Component,
				Name: strings.Clone(m.Name), Offset: m.Start, Length: m.End - m.Start}
			for _, t := range m.Transformations {
				e.Transformations = append(e.Transformations, t.String())
			}
			if m.End > m.Start {
				e.Hash = keyedHash(key, m.Value[m.Start:m.End])
			}
			if raw {
				e.Matched = strings.ToValidUTF8(strings.Clone(m.Value[m.Start:min(m.End, m.Start+maxMatched)]), "\ufffd")
			}
			all = append(all, e)
		}
	}
	return all
}

func keyedHash(key []byte, s string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(s))
	return hex.EncodeToString(h.Sum(nil)[:8])
}
