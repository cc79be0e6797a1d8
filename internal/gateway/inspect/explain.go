package inspect

import (
	"fmt"
	"strings"

	"gatehouse/internal/lang/wafrules"
	"gatehouse/internal/lang/wafrules/record"
)

// maxExplained is how many matches an explanation tells of.
const maxExplained = 3

// explain says in one line which rule refused a request and what made it true, without
// showing the bytes:
//
//	rule "common" (AWS#AWSManagedRulesCommonRuleSet: GenericLFI_QUERYARGUMENTS): Patterns on arguments "f" after URL_DECODE, bytes 3 to 9
func explain(v *wafrules.Verdict) string {
	var b strings.Builder
	fmt.Fprintf(&b, "rule %q", v.Rule)
	told := 0
	for _, m := range record.Explain(v, nil, false) {
		if !decisive(v, &m) || told == maxExplained {
			continue
		}
		if told == 0 && m.Group != "" {
			fmt.Fprintf(&b, " (%s: %s)", m.Group, m.Rule)
		}
		b.WriteString([]string{": ", ", and "}[min(told, 1)])
		describeMatch(&b, &m)
		told++
	}
	return b.String()
}

// decisive reports whether a match belongs to the rule that ended the evaluation: the
// web ACL's own, or the one of the group to which that refers.
func decisive(v *wafrules.Verdict, m *record.ExplainedMatch) bool {
	if m.Group == "" {
		return m.Rule == v.Rule
	}
	for i := range v.Rules {
		if r := &v.Rules[i]; r.Group >= 0 && r.Terminating && r.Name == m.Rule && v.Groups[r.Group].Rule == v.Rule {
			return true
		}
	}
	return false
}

func describeMatch(b *strings.Builder, m *record.ExplainedMatch) {
	b.WriteString(m.Statement)
	if m.Component == "" {
		return
	}
	fmt.Fprintf(b, " on %s", m.Component)
	if m.Name != "" {
		fmt.Fprintf(b, " %.40q", m.Name)
	}
	if len(m.Transformations) > 0 {
		fmt.Fprintf(b, " after %s", strings.Join(m.Transformations, ", "))
	}
	if m.Length > 0 {
		fmt.Fprintf(b, ", bytes %d to %d", m.Offset, m.Offset+m.Length)
	}
}
