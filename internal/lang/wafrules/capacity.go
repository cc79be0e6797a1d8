package wafrules

import "gatehouse/internal/lang/wafrules/transform"

// The costs of statements in web ACL capacity units (reference/wafv2.md section 6).
const (
	costTransformation = 10
	costAllArguments   = 10
	costRateKey        = 30
	labelsPerUnit      = 5
)

// A meter adds up the capacity of one container. Equal transformations of the same
// component are charged once.
type meter struct {
	refs    References
	charged map[string]bool
	total   int64
}

// Capacity returns the capacity that the rules of one container use. The rules must be
// valid; an *Error is returned for a reference that does not exist.
func Capacity(rules []Rule, refs References) (int64, error) {
	m := &meter{refs: refs, charged: map[string]bool{}}
	labels := 0
	for i := range rules {
		labels += len(rules[i].RuleLabels)
		if err := m.statement(rules[i].Statement); err != nil {
			return 0, err
		}
	}
	return m.total + int64((labels+labelsPerUnit-1)/labelsPerUnit), nil
}

func (m *meter) statement(s *Statement) error {
	switch {
	case s.ByteMatch != nil:
		base := int64(2)
		if p := s.ByteMatch.PositionalConstraint; p == "CONTAINS" || p == "CONTAINS_WORD" {
			base = 10
		}
		m.inspect(base, s.ByteMatch.FieldToMatch, s.ByteMatch.TextTransformations)
	case s.SqliMatch != nil:
		base := int64(20)
		if s.SqliMatch.SensitivityLevel == "HIGH" {
			base = 30
		}
		m.inspect(base, s.SqliMatch.FieldToMatch, s.SqliMatch.TextTransformations)
	case s.XssMatch != nil:
		m.inspect(40, s.XssMatch.FieldToMatch, s.XssMatch.TextTransformations)
	case s.SizeConstraint != nil:
		m.inspect(1, s.SizeConstraint.FieldToMatch, s.SizeConstraint.TextTransformations)
	case s.RegexMatch != nil:
		m.inspect(3, s.RegexMatch.FieldToMatch, s.RegexMatch.TextTransformations)
	case s.RegexPatternSetReference != nil:
		m.inspect(25, s.RegexPatternSetReference.FieldToMatch, s.RegexPatternSetReference.TextTransformations)
	case s.IPSetReference != nil:
		m.total++
		if c := s.IPSetReference.IPSetForwardedIPConfig; c != nil && c.Position == "ANY" {
			m.total += 4
		}
	case s.And != nil:
		return m.statements(s.And.Statements)
	case s.Or != nil:
		return m.statements(s.Or.Statements)
	case s.Not != nil:
		return m.statement(s.Not.Statement)
	case s.RateBased != nil:
		return m.rateBased(s.RateBased)
	case s.RuleGroupReference != nil:
		g := m.refs.RuleGroup(s.RuleGroupReference.ARN)
		if g == nil {
			return nonexistent()
		}
		m.total += g.Capacity
	case s.ManagedRuleGroup != nil:
		return m.managed(s.ManagedRuleGroup)
	default:
		m.total++ // geo, ASN and label matches
	}
	return nil
}

func (m *meter) statements(list []Statement) error {
	for i := range list {
		if err := m.statement(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

// inspect charges a match statement on a component.
func (m *meter) inspect(base int64, f *FieldToMatch, ts []TextTransformation) {
	if f.JsonBody != nil {
		base *= 2
	}
	if f.AllQueryArguments != nil {
		base += costAllArguments
	}
	m.total += base
	m.transformations(newField(f).key, ts)
}

func (m *meter) transformations(component string, ts []TextTransformation) {
	for _, t := range ts {
		if t.Type == transform.None.String() || m.charged[component+"|"+t.Type] {
			continue
		}
		m.charged[component+"|"+t.Type] = true
		m.total += costTransformation
	}
}

func (m *meter) rateBased(r *RateBasedStatement) error {
	m.total += 2 + costRateKey*int64(len(r.CustomKeys))
	for i := range r.CustomKeys {
		m.transformations(r.CustomKeys[i].id(), r.CustomKeys[i].transformations())
	}
	if r.ScopeDownStatement == nil {
		return nil
	}
	return m.statement(r.ScopeDownStatement)
}

func (m *meter) managed(s *ManagedRuleGroupStatement) error {
	g, err := m.refs.ManagedGroup(s.VendorName, s.Name, s.Version)
	if err != nil {
		return err
	}
	m.total += g.Capacity
	if s.ScopeDownStatement == nil {
		return nil
	}
	return m.statement(s.ScopeDownStatement)
}
