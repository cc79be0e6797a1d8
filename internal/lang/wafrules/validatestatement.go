package wafrules

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/lang/wafrules/jsonbody"
	"gatehouse/internal/lang/wafrules/transform"
)

// statement checks s and what is nested in it. depth counts the statements around it.
func (v *validator) statement(s *Statement, depth int) error {
	if !exactlyOne(s.ByteMatch != nil, s.SqliMatch != nil, s.XssMatch != nil, s.SizeConstraint != nil, s.GeoMatch != nil,
		s.AsnMatch != nil, s.RuleGroupReference != nil, s.IPSetReference != nil, s.RegexPatternSetReference != nil,
		s.RateBased != nil, s.And != nil, s.Or != nil, s.Not != nil, s.ManagedRuleGroup != nil, s.LabelMatch != nil,
		s.RegexMatch != nil, s.AnyPattern != nil, s.AnyAddress != nil, s.Claim != nil) {
		return Invalid(reasonExactlyOne, "STATEMENT", "Statement")
	}
	if depth > maxNesting {
		return Invalid(reasonOutOfBounds, "STATEMENT", "Statement")
	}
	switch {
	case s.RateBased != nil, s.RuleGroupReference != nil, s.ManagedRuleGroup != nil:
		return v.topStatement(s, depth)
	case s.And != nil:
		return v.list(s.And, "AND_STATEMENT", depth)
	case s.Or != nil:
		return v.list(s.Or, "OR_STATEMENT", depth)
	case s.Not != nil:
		if s.Not.Statement == nil {
			return Invalid(reasonMissing, "NOT_STATEMENT", "Statement")
		}
		return v.statement(s.Not.Statement, depth+1)
	}
	return v.leaf(s)
}

func (v *validator) list(l *ListStatement, field string, depth int) error {
	if len(l.Statements) < 2 {
		return Invalid(reasonThreshold, field, "Statements")
	}
	for i := range l.Statements {
		if err := v.statement(&l.Statements[i], depth+1); err != nil {
			return err
		}
	}
	return nil
}

// topStatement checks the statements that stand only at the top of a rule.
func (v *validator) topStatement(s *Statement, depth int) error {
	if depth > 0 {
		return Invalid(reasonReference, "STATEMENT", "Statement")
	}
	if s.RateBased != nil {
		v.rateRules++
		return v.rateBased(s.RateBased)
	}
	if v.inGroup {
		return Invalid(reasonReference, "STATEMENT", "Statement")
	}
	v.references++
	if g := s.RuleGroupReference; g != nil {
		if err := checkARN(g.ARN, "rulegroup"); err != nil {
			return err
		}
		group := v.References.RuleGroup(g.ARN)
		if group == nil {
			return nonexistent()
		}
		return v.overrides(group, g.ExcludedRules, g.RuleActionOverrides, false)
	}
	m := s.ManagedRuleGroup
	group, err := v.References.ManagedGroup(m.VendorName, m.Name, m.Version)
	if err != nil {
		return err
	}
	if err := v.overrides(group, m.ExcludedRules, m.RuleActionOverrides, true); err != nil {
		return err
	}
	for _, c := range m.ManagedRuleGroupConfigs {
		if c.unsupported() {
			return Invalid(reasonUnsupported, "MANAGED_RULE_GROUP_CONFIG", m.Name)
		}
		if b := c.AWSManagedRulesBotControlRuleSet; b != nil && b.InspectionLevel != "COMMON" {
			// Targeted protection needs tokens and scripts that only the service has.
			return Invalid(reasonUnsupported, "MANAGED_RULE_GROUP_CONFIG", b.InspectionLevel)
		}
	}
	if m.ScopeDownStatement != nil {
		return v.statement(m.ScopeDownStatement, 1)
	}
	return nil
}

// overrides checks the changes to a group's rules. For managed groups an unknown rule name
// is ignored, as in the service.
func (v *validator) overrides(g *Group, excluded []ExcludedRule, overrides []RuleActionOverride, managed bool) error {
	if len(excluded) > 0 && len(overrides) > 0 {
		return Invalid(reasonCoexist, "EXCLUDED_RULE", excluded[0].Name)
	}
	if len(excluded) > maxOverrides || len(overrides) > maxOverrides {
		return Invalid(reasonOutOfBounds, "EXCLUDED_RULE", "RuleActionOverrides")
	}
	seen := map[string]bool{}
	check := func(name string) error {
		switch {
		case seen[name]:
			return Invalid(reasonDuplicate, "EXCLUDED_RULE", name)
		case !managed && !g.has(name):
			return Invalid(reasonReference, "EXCLUDED_RULE", name)
		}
		seen[name] = true
		return nil
	}
	for _, e := range excluded {
		if err := check(e.Name); err != nil {
			return err
		}
	}
	for _, o := range overrides {
		if err := check(o.Name); err != nil {
			return err
		}
		if o.ActionToUse == nil {
			return Invalid(reasonMissing, "RULE_ACTION", o.Name)
		}
		if err := v.action(o.ActionToUse); err != nil {
			return err
		}
	}
	return nil
}

func checkARN(arn, kind string) error {
	if !strings.HasPrefix(arn, "arn:") || !strings.Contains(arn, ":wafv2:") || !strings.Contains(arn, "/"+kind+"/") {
		return Invalid(reasonARN, "RESOURCE_ARN", arn)
	}
	return nil
}

func (v *validator) leaf(s *Statement) error {
	switch {
	case s.ByteMatch != nil:
		return v.byteMatch(s.ByteMatch)
	case s.SqliMatch != nil:
		if l := s.SqliMatch.SensitivityLevel; l != "" && l != "LOW" && l != "HIGH" {
			return Invalid(reasonUnsupported, "SQLI_MATCH_STATEMENT", l)
		}
		return v.inspection(s.SqliMatch.FieldToMatch, s.SqliMatch.TextTransformations, false)
	case s.XssMatch != nil:
		return v.inspection(s.XssMatch.FieldToMatch, s.XssMatch.TextTransformations, false)
	case s.SizeConstraint != nil:
		c := s.SizeConstraint
		if _, ok := comparisons[c.ComparisonOperator]; !ok {
			return Invalid(reasonUnsupported, "SIZE_CONSTRAINT_STATEMENT", c.ComparisonOperator)
		}
		if c.Size < 0 || c.Size > 21474836480 {
			return Invalid(reasonOutOfBounds, "SIZE_CONSTRAINT_STATEMENT", strconv.FormatInt(c.Size, 10))
		}
		return v.inspection(c.FieldToMatch, c.TextTransformations, false)
	case s.RegexMatch != nil:
		if _, err := compilePattern(s.RegexMatch.RegexString, "STATEMENT"); err != nil {
			return err
		}
		return v.inspection(s.RegexMatch.FieldToMatch, s.RegexMatch.TextTransformations, false)
	case s.RegexPatternSetReference != nil:
		r := s.RegexPatternSetReference
		v.references++
		if err := checkARN(r.ARN, "regexpatternset"); err != nil {
			return err
		}
		if v.References.RegexPatternSet(r.ARN) == nil {
			return nonexistent()
		}
		return v.inspection(r.FieldToMatch, r.TextTransformations, false)
	case s.LabelMatch != nil:
		return v.labelMatch(s.LabelMatch)
	case s.AnyPattern != nil:
		return v.inspection(s.AnyPattern.FieldToMatch, s.AnyPattern.TextTransformations, false)
	case s.AnyAddress != nil, s.Claim != nil:
		return nil
	}
	return v.address(s)
}

// address checks the statements about where the request comes from.
func (v *validator) address(s *Statement) error {
	switch {
	case s.IPSetReference != nil:
		v.references++
		if err := checkARN(s.IPSetReference.ARN, "ipset"); err != nil {
			return err
		}
		if v.References.IPSet(s.IPSetReference.ARN) == nil {
			return nonexistent()
		}
		return v.forwarded(s.IPSetReference.IPSetForwardedIPConfig, "IP_SET_FORWARDED_IP_CONFIG")
	case s.GeoMatch != nil:
		if n := len(s.GeoMatch.CountryCodes); n < 1 || n > 50 {
			return Invalid(reasonOutOfBounds, "GEO_MATCH_STATEMENT", "CountryCodes")
		}
		for _, c := range s.GeoMatch.CountryCodes {
			if len(c) != 2 || c[0] < 'A' || c[0] > 'Z' || c[1] < 'A' || c[1] > 'Z' {
				return Invalid(reasonUnsupported, "GEO_MATCH_STATEMENT", c)
			}
		}
		if !v.References.HasGeography() {
			return Invalid(reasonUnsupported, "GEO_MATCH_STATEMENT", "no geographic database is configured")
		}
		return v.forwarded(s.GeoMatch.ForwardedIPConfig, "FORWARDED_IP_CONFIG")
	}
	if n := len(s.AsnMatch.AsnList); n < 1 || n > 100 {
		return Invalid(reasonOutOfBounds, "STATEMENT", "AsnList")
	}
	for _, n := range s.AsnMatch.AsnList {
		if n < 0 || n > 4294967295 {
			return Invalid(reasonOutOfBounds, "STATEMENT", strconv.FormatInt(n, 10))
		}
	}
	if !v.References.HasGeography() {
		return Invalid(reasonUnsupported, "STATEMENT", "no database of autonomous systems is configured")
	}
	return v.forwarded(s.AsnMatch.ForwardedIPConfig, "FORWARDED_IP_CONFIG")
}

var forwardedHeader = regexp.MustCompile(`^[a-zA-Z0-9-]{1,255}$`)

func (v *validator) forwarded(c *ForwardedIPConfig, field string) error {
	if c == nil {
		return nil
	}
	if !forwardedHeader.MatchString(c.HeaderName) {
		return Invalid(reasonFormat, "HEADER_NAME", c.HeaderName)
	}
	if c.FallbackBehavior != "MATCH" && c.FallbackBehavior != "NO_MATCH" {
		return Invalid(reasonUnsupported, "FALLBACK_BEHAVIOR", c.FallbackBehavior)
	}
	wantPosition := field == "IP_SET_FORWARDED_IP_CONFIG"
	if wantPosition != slices.Contains([]string{"FIRST", "LAST", "ANY"}, c.Position) {
		return Invalid(reasonUnsupported, "POSITION", c.Position)
	}
	return nil
}

var wordBytes = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

func (v *validator) byteMatch(b *ByteMatchStatement) error {
	switch {
	case len(b.SearchString) == 0:
		return Invalid(reasonMissing, "BYTE_MATCH_STATEMENT", "SearchString")
	case len(b.SearchString) > 200:
		return limit("NUM_BYTES_IN_BYTEMATCH_SEARCHSTRING")
	case !slices.Contains([]string{"EXACTLY", "STARTS_WITH", "ENDS_WITH", "CONTAINS", "CONTAINS_WORD"}, b.PositionalConstraint):
		return Invalid(reasonUnsupported, "BYTE_MATCH_STATEMENT", b.PositionalConstraint)
	case b.PositionalConstraint == "CONTAINS_WORD" && !wordBytes.Match(b.SearchString):
		return Invalid(fmt.Sprintf(reasonSearchString, b.SearchString), "BYTE_MATCH_STATEMENT", base64.StdEncoding.EncodeToString(b.SearchString))
	}
	return v.inspection(b.FieldToMatch, b.TextTransformations, b.PositionalConstraint == "EXACTLY")
}

// inspection checks a component and its transformations. Fingerprints are compared
// exactly and only so.
func (v *validator) inspection(f *FieldToMatch, ts []TextTransformation, exact bool) error {
	if err := v.fieldToMatch(f); err != nil {
		return err
	}
	if (f.JA3Fingerprint != nil || f.JA4Fingerprint != nil) && !exact {
		return Invalid(reasonUnsupported, "FIELD_TO_MATCH", "a fingerprint needs ByteMatchStatement with EXACTLY")
	}
	return checkTransformations(ts)
}

func checkTransformations(ts []TextTransformation) error {
	if len(ts) == 0 {
		return Invalid(reasonMissing, "TEXT_TRANSFORMATION", "TextTransformations")
	}
	if len(ts) > 10 {
		return Invalid(reasonOutOfBounds, "TEXT_TRANSFORMATION", "TextTransformations")
	}
	seen := map[int32]bool{}
	for _, t := range ts {
		switch _, known := transform.Parse(t.Type); {
		case !known:
			return Invalid(reasonUnsupported, "TEXT_TRANSFORMATION", t.Type)
		case t.Priority < 0:
			return Invalid(reasonOutOfBounds, "TEXT_TRANSFORMATION", strconv.Itoa(int(t.Priority)))
		case seen[t.Priority]:
			return Invalid(reasonPriority, "TEXT_TRANSFORMATION", strconv.Itoa(int(t.Priority)))
		}
		seen[t.Priority] = true
	}
	return nil
}

func (v *validator) fieldToMatch(f *FieldToMatch) error {
	if f == nil {
		return Invalid(reasonMissing, "FIELD_TO_MATCH", "FieldToMatch")
	}
	if !exactlyOne(f.SingleHeader != nil, f.SingleQueryArgument != nil, f.AllQueryArguments != nil, f.UriPath != nil,
		f.QueryString != nil, f.Body != nil, f.Method != nil, f.JsonBody != nil, f.Headers != nil, f.Cookies != nil,
		f.HeaderOrder != nil, f.JA3Fingerprint != nil, f.JA4Fingerprint != nil, f.UriFragment != nil, f.BodyValues != nil,
		f.QueryNamesAndValues != nil) {
		return Invalid(reasonExactlyOne, "FIELD_TO_MATCH", "FieldToMatch")
	}
	switch {
	case f.SingleHeader != nil:
		return named(f.SingleHeader, "SINGLE_HEADER")
	case f.SingleQueryArgument != nil:
		return named(f.SingleQueryArgument, "SINGLE_QUERY_ARGUMENT")
	case f.Body != nil:
		return v.oversizeBody(f.Body.OversizeHandling)
	case f.HeaderOrder != nil:
		return oversize(f.HeaderOrder.OversizeHandling, true)
	case f.Headers != nil:
		return checkMapField(f.Headers, f.Headers.MatchPattern != nil && exactlyOne(f.Headers.MatchPattern.All != nil,
			f.Headers.MatchPattern.IncludedHeaders != nil, f.Headers.MatchPattern.ExcludedHeaders != nil), "HEADER_MATCH_PATTERN")
	case f.Cookies != nil:
		return checkMapField(f.Cookies, f.Cookies.MatchPattern != nil && exactlyOne(f.Cookies.MatchPattern.All != nil,
			f.Cookies.MatchPattern.IncludedCookies != nil, f.Cookies.MatchPattern.ExcludedCookies != nil), "COOKIE_MATCH_PATTERN")
	case f.JsonBody != nil:
		return v.jsonBody(f.JsonBody)
	}
	for _, fb := range []*Fallback{f.JA3Fingerprint, f.JA4Fingerprint, f.UriFragment} {
		if fb != nil && fb.FallbackBehavior != "MATCH" && fb.FallbackBehavior != "NO_MATCH" && (fb != f.UriFragment || fb.FallbackBehavior != "") {
			return Invalid(reasonUnsupported, "FALLBACK_BEHAVIOR", fb.FallbackBehavior)
		}
	}
	return nil
}

func named(n *NamedField, field string) error {
	if n.Name == "" || len(n.Name) > 64 {
		return Invalid(reasonOutOfBounds, field, n.Name)
	}
	return nil
}

func checkMapField(m *MapField, one bool, field string) error {
	if !one {
		return Invalid(reasonExactlyOne, field, "MatchPattern")
	}
	if !slices.Contains([]string{"ALL", "KEY", "VALUE"}, m.MatchScope) {
		return Invalid(reasonUnsupported, "MAP_MATCH_SCOPE", m.MatchScope)
	}
	p := m.MatchPattern
	for _, names := range [][]string{p.IncludedHeaders, p.ExcludedHeaders, p.IncludedCookies, p.ExcludedCookies} {
		if names != nil && (len(names) == 0 || len(names) > 199) {
			return Invalid(reasonOutOfBounds, field, "MatchPattern")
		}
		seen := map[string]bool{}
		for _, n := range names {
			if n == "" || len(n) > 64 {
				return Invalid(reasonOutOfBounds, field, n)
			}
			if seen[n] {
				return Invalid(reasonDuplicate, field, n)
			}
			seen[n] = true
		}
	}
	return oversize(m.OversizeHandling, true)
}

func (v *validator) jsonBody(j *JSONField) error {
	if j.MatchPattern == nil || !exactlyOne(j.MatchPattern.All != nil, j.MatchPattern.IncludedPaths != nil) {
		return Invalid(reasonExactlyOne, "JSON_MATCH_PATTERN", "MatchPattern")
	}
	if !slices.Contains([]string{"ALL", "KEY", "VALUE"}, j.MatchScope) {
		return Invalid(reasonUnsupported, "JSON_MATCH_SCOPE", j.MatchScope)
	}
	if !slices.Contains([]string{"", "MATCH", "NO_MATCH", "EVALUATE_AS_STRING"}, j.InvalidFallbackBehavior) {
		return Invalid(reasonUnsupported, "BODY_PARSING_FALLBACK_BEHAVIOR", j.InvalidFallbackBehavior)
	}
	for _, p := range j.MatchPattern.IncludedPaths {
		if _, err := jsonbody.ParsePointer(p); err != nil || p == "" || len(p) > 512 {
			return Invalid(reasonFormat, "JSON_MATCH_PATTERN", p)
		}
	}
	return v.oversizeBody(j.OversizeHandling)
}

// oversizeBody also accepts an absent choice after a rule that blocks large bodies.
func (v *validator) oversizeBody(choice string) error {
	return oversize(choice, !v.AllowImplicitOversize && !v.boundedBody)
}

func oversize(choice string, needed bool) error {
	switch choice {
	case "CONTINUE", "MATCH", "NO_MATCH":
		return nil
	case "":
		if needed {
			return &Error{Kind: ConfigurationWarning, Message: messageOversize}
		}
		return nil
	}
	return Invalid(reasonUnsupported, "OVERSIZE_HANDLING", choice)
}

var labelKey = regexp.MustCompile(`^[0-9A-Za-z_\-:]+$`)

func (v *validator) labelMatch(l *LabelMatchStatement) error {
	switch {
	case l.Scope != "LABEL" && l.Scope != "NAMESPACE":
		return Invalid(reasonUnsupported, "LABEL_MATCH_STATEMENT", l.Scope)
	case len(l.Key) > 1024, !labelKey.MatchString(l.Key), (l.Scope == "NAMESPACE") != strings.HasSuffix(l.Key, ":"):
		return Invalid(reasonFormat, "LABEL_MATCH_STATEMENT", l.Key)
	}
	return nil
}

func (v *validator) rateBased(r *RateBasedStatement) error {
	switch {
	case r.Limit < 10 || r.Limit > 2_000_000_000:
		return Invalid(reasonOutOfBounds, "RATE_BASED_STATEMENT", strconv.FormatInt(r.Limit, 10))
	case !slices.Contains([]int64{0, 60, 120, 300, 600}, r.EvaluationWindowSec):
		return Invalid(reasonUnsupported, "RATE_BASED_STATEMENT", strconv.FormatInt(r.EvaluationWindowSec, 10))
	case !slices.Contains([]string{"IP", "FORWARDED_IP", "CUSTOM_KEYS", "CONSTANT"}, r.AggregateKeyType):
		return Invalid(reasonUnsupported, "RATE_BASED_STATEMENT", r.AggregateKeyType)
	case (r.AggregateKeyType == "CUSTOM_KEYS") != (len(r.CustomKeys) > 0):
		return Invalid(reasonCondition, "CUSTOM_KEYS", r.AggregateKeyType)
	case r.AggregateKeyType == "CONSTANT" && r.ScopeDownStatement == nil:
		return Invalid(reasonCondition, "SCOPE_DOWN", "CONSTANT")
	case r.AggregateKeyType == "FORWARDED_IP" && r.ForwardedIPConfig == nil:
		return Invalid(reasonCondition, "FORWARDED_IP_CONFIG", "FORWARDED_IP")
	}
	if err := v.forwarded(r.ForwardedIPConfig, "FORWARDED_IP_CONFIG"); err != nil {
		return err
	}
	if err := v.rateKeys(r); err != nil {
		return err
	}
	if r.ScopeDownStatement != nil {
		return v.statement(r.ScopeDownStatement, 1)
	}
	return nil
}

func (v *validator) rateKeys(r *RateBasedStatement) error {
	if len(r.CustomKeys) > 5 {
		return Invalid(reasonOutOfBounds, "CUSTOM_KEYS", "CustomKeys")
	}
	seen, onlyAddresses := map[string]bool{}, len(r.CustomKeys) > 0
	for i := range r.CustomKeys {
		k := &r.CustomKeys[i]
		if !exactlyOne(k.Header != nil, k.Cookie != nil, k.QueryArgument != nil, k.QueryString != nil, k.UriPath != nil,
			k.HTTPMethod != nil, k.ForwardedIP != nil, k.IP != nil, k.LabelNamespace != nil, k.JA3Fingerprint != nil,
			k.JA4Fingerprint != nil, k.ASN != nil) {
			return Invalid(reasonExactlyOne, "CUSTOM_KEYS", "CustomKeys")
		}
		if err := v.rateKey(k, r.ForwardedIPConfig); err != nil {
			return err
		}
		if id := k.id(); seen[id] {
			return Invalid(reasonDuplicate, "CUSTOM_KEYS", id)
		} else {
			seen[id] = true
		}
		if k.IP == nil && k.ForwardedIP == nil {
			onlyAddresses = false
		}
	}
	if onlyAddresses {
		return Invalid(reasonIndependent, "CUSTOM_KEYS", "CustomKeys")
	}
	return nil
}

func (v *validator) rateKey(k *RateKey, forwarded *ForwardedIPConfig) error {
	for _, n := range []*NamedRateKey{k.Header, k.Cookie, k.QueryArgument} {
		if n != nil {
			if n.Name == "" || len(n.Name) > 64 {
				return Invalid(reasonOutOfBounds, "CUSTOM_KEYS", n.Name)
			}
			return checkTransformations(n.TextTransformations)
		}
	}
	for _, t := range []*TextRateKey{k.QueryString, k.UriPath} {
		if t != nil {
			return checkTransformations(t.TextTransformations)
		}
	}
	switch {
	case k.LabelNamespace != nil:
		if n := k.LabelNamespace.Namespace; !labelKey.MatchString(n) || !strings.HasSuffix(n, ":") {
			return Invalid(reasonFormat, "CUSTOM_KEYS", n)
		}
	case k.ForwardedIP != nil && forwarded == nil:
		return Invalid(reasonCondition, "FORWARDED_IP_CONFIG", "ForwardedIP")
	case k.ASN != nil && !v.References.HasGeography():
		return Invalid(reasonUnsupported, "CUSTOM_KEYS", "no database of autonomous systems is configured")
	}
	for _, fb := range []*Fallback{k.JA3Fingerprint, k.JA4Fingerprint} {
		if fb != nil && fb.FallbackBehavior != "MATCH" && fb.FallbackBehavior != "NO_MATCH" {
			return Invalid(reasonUnsupported, "FALLBACK_BEHAVIOR", fb.FallbackBehavior)
		}
	}
	return nil
}

// inspectionLimitOK checks the sizes of the association configuration.
func (acl *WebACL) inspectionLimitOK() error {
	if acl.AssociationConfig == nil {
		return nil
	}
	for _, r := range acl.AssociationConfig.RequestBody {
		if _, err := inspectionLimit(r.DefaultSizeInspectionLimit); err != nil {
			return err
		}
	}
	return nil
}

// inspectionLimit returns the bytes that a name such as KB_32 stands for.
func inspectionLimit(name string) (int, error) {
	switch name {
	case "KB_16", "KB_32", "KB_48", "KB_64":
		kb, _ := strconv.Atoi(name[3:])
		return kb << 10, nil
	}
	return 0, Invalid(reasonUnsupported, "ASSOCIATED_RESOURCE_TYPE", name)
}
