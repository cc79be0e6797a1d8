package wafrules

import (
	"fmt"
	"slices"
	"strings"

	"gatehouse/internal/lang/wafrules/pattern"
)

// rule compiles a rule with a statement of its own. prefix is that of the labels of the
// rule's context.
func (b *builder) rule(r *Rule, prefix string, bodies map[string]CustomResponseBody) rule {
	out := rule{name: r.Name, metric: r.VisibilityConfig.MetricName, sampled: r.VisibilityConfig.SampledRequestsEnabled,
		action: newAction(r.Action, bodies)}
	for _, l := range r.RuleLabels {
		out.labels = append(out.labels, prefix+l.Name)
	}
	if r.Statement.RateBased != nil {
		out.rateBased = true
		out.statement = b.rateBased(r.Statement.RateBased, prefix, r.Name)
		return out
	}
	out.statement = b.statement(r.Statement, prefix, "")
	return out
}

// statement compiles s, which stands at path in its rule.
func (b *builder) statement(s *Statement, context, path string) matcher {
	switch {
	case s.And != nil:
		return allOf(b.statements(s.And.Statements, context, path+"And/"))
	case s.Or != nil:
		return anyOf(b.statements(s.Or.Statements, context, path+"Or/"))
	case s.Not != nil:
		return not{b.statement(s.Not.Statement, context, path+"Not/")}
	case s.LabelMatch != nil:
		key := s.LabelMatch.Key
		return &labelMatch{key: key, context: context, namespace: s.LabelMatch.Scope == "NAMESPACE",
			full: strings.HasPrefix(key, "awswaf:"), info: b.plainInfo(path + "LabelMatch")}
	case s.IPSetReference != nil:
		return &inSet{b.refs.IPSet(s.IPSetReference.ARN), newOrigin(s.IPSetReference.IPSetForwardedIPConfig), b.plainInfo(path + "IPSetReference")}
	case s.AnyAddress != nil:
		return &inSet{s.AnyAddress.Set, origin{}, b.plainInfo(path + "Addresses")}
	case s.Claim != nil:
		return b.claim(s.Claim, context, path)
	case s.GeoMatch != nil:
		countries := slices.Clone(s.GeoMatch.CountryCodes)
		slices.Sort(countries)
		return &geoMatch{countries, newOrigin(s.GeoMatch.ForwardedIPConfig), b.plainInfo(path + "GeoMatch")}
	case s.AsnMatch != nil:
		var numbers []uint32
		for _, n := range s.AsnMatch.AsnList {
			numbers = append(numbers, uint32(n))
		}
		slices.Sort(numbers)
		return &asnMatch{numbers, newOrigin(s.AsnMatch.ForwardedIPConfig), b.plainInfo(path + "AsnMatch")}
	}
	return b.inspecting(s, path)
}

func (b *builder) claim(s *ClaimStatement, context, path string) matcher {
	m := &claim{claim: b.statement(s.Claim, context, path+"Claim/"), always: s.Always}
	if s.Proof != nil {
		m.proof = b.statement(s.Proof, context, path+"Proof/")
	}
	for _, l := range s.Proven {
		m.proven = append(m.proven, context+l)
	}
	for _, l := range s.Unproven {
		m.unproven = append(m.unproven, context+l)
	}
	return m
}

func (b *builder) statements(list []Statement, context, path string) []matcher {
	all := make([]matcher, len(list))
	for i := range list {
		all[i] = b.statement(&list[i], context, fmt.Sprintf("%s%d/", path, i))
	}
	return all
}

// plainInfo describes a statement without a component.
func (b *builder) plainInfo(path string) *leafInfo { return &leafInfo{path: path} }

func (b *builder) inspection(f *FieldToMatch, ts []TextTransformation, path string) inspection {
	n := b.node(f, ts)
	return inspection{n, &leafInfo{path: path, chain: b.unit.transformations(n)}}
}

// inspecting compiles a statement on a component.
func (b *builder) inspecting(s *Statement, path string) matcher {
	switch {
	case s.ByteMatch != nil:
		return b.byteMatch(s.ByteMatch, path+"ByteMatch")
	case s.SizeConstraint != nil:
		c := s.SizeConstraint
		in := b.inspection(c.FieldToMatch, c.TextTransformations, path+"SizeConstraint")
		return &sizeConstraint{in, comparisons[c.ComparisonOperator], c.Size}
	case s.XssMatch != nil:
		in := b.inspection(s.XssMatch.FieldToMatch, s.XssMatch.TextTransformations, path+"XssMatch")
		in.info.condition = "XSS"
		return &detector{in, isXSS}
	case s.SqliMatch != nil:
		return b.sqliMatch(s.SqliMatch, path+"SqliMatch")
	case s.RegexMatch != nil:
		m := s.RegexMatch
		return b.regexes([]*pattern.Regexp{pattern.MustCompile(m.RegexString)}, b.inspection(m.FieldToMatch, m.TextTransformations, path+"RegexMatch"))
	case s.RegexPatternSetReference != nil:
		r := s.RegexPatternSetReference
		set := b.refs.RegexPatternSet(r.ARN)
		return b.regexes(set.patterns, b.inspection(r.FieldToMatch, r.TextTransformations, path+"RegexPatternSetReference"))
	}
	p := s.AnyPattern
	return b.regexes(b.compileAll(p.Patterns), b.inspection(p.FieldToMatch, p.TextTransformations, path+"Patterns"))
}

// compileAll compiles patterns of ours, each once for all the components that it is
// looked for in.
func (b *builder) compileAll(sources []string) []*pattern.Regexp {
	all := make([]*pattern.Regexp, len(sources))
	for i, s := range sources {
		re := b.patterns[s]
		if re == nil {
			re = pattern.MustCompile(s)
			b.patterns[s] = re
		}
		all[i] = re
	}
	return all
}

func (b *builder) sqliMatch(s *SqliMatchStatement, path string) matcher {
	in := b.inspection(s.FieldToMatch, s.TextTransformations, path)
	in.info.condition, in.info.sensitivity = "SQL_INJECTION", "LOW"
	low := &detector{in, isSQLi}
	if s.SensitivityLevel != "HIGH" {
		return low
	}
	in.info.sensitivity = "HIGH"
	return anyOf{low, b.regexes(b.compileAll(sqliHigh), in)}
}

// byteMatch leaves the search inside values to the scanner.
func (b *builder) byteMatch(s *ByteMatchStatement, path string) matcher {
	in := b.inspection(s.FieldToMatch, s.TextTransformations, path)
	text := string(s.SearchString)
	switch s.PositionalConstraint {
	case "CONTAINS", "CONTAINS_WORD":
		return &scanned{in, b.wanted[in.node].contains(text, s.PositionalConstraint == "CONTAINS_WORD")}
	}
	return &byteMatch{in, s.PositionalConstraint, text}
}

// regexes gives every pattern with literals a target of the scanner.
func (b *builder) regexes(patterns []*pattern.Regexp, in inspection) matcher {
	m := &regexes{inspection: in, first: b.wanted[in.node].targets}
	for _, re := range patterns {
		if re.Literals() == nil {
			m.always = append(m.always, re)
			continue
		}
		b.wanted[in.node].pattern(re)
		m.guarded = append(m.guarded, re)
	}
	return m
}
