package wafrules

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// refusal validates one rule around a statement and returns the error.
func refusal(t *testing.T, w *world, statement, action string) *Error {
	t.Helper()
	rules, err := ParseRules([]byte(search("[" + ruleJSON("r", 0, statement, action) + "]")))
	if err != nil {
		t.Fatalf("%v in %s", err, statement)
	}
	err = ValidateRules(rules, Checks{References: w})
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("%T: %v", err, err)
	}
	return e
}

func TestValidation(t *testing.T) {
	leaf := byteMatchJSON("EXACTLY", "/", path, "")
	match := func(field, ts string) string {
		return fmt.Sprintf(`{"ByteMatchStatement":{"SearchString":"@x","PositionalConstraint":"CONTAINS","FieldToMatch":%s,"TextTransformations":%s}}`, field, ts)
	}
	rate := func(more string) string { return `{"RateBasedStatement":{"Limit":100,` + more + `}}` }
	const count = `"OverrideAction":{"Count":{}}`
	cases := []struct {
		name, statement, action string
		reason, field           string // "" for a valid rule
	}{
		{"valid", leaf, block, "", ""},
		{"no statement", `{}`, block, reasonExactlyOne, "STATEMENT"},
		{"two statements", `{"LabelMatchStatement":{"Scope":"LABEL","Key":"a"},"GeoMatchStatement":{"CountryCodes":["DE"]}}`, block, reasonExactlyOne, "STATEMENT"},
		{"and of one", `{"AndStatement":{"Statements":[` + leaf + `]}}`, block, reasonThreshold, "AND_STATEMENT"},
		{"or of none", `{"OrStatement":{"Statements":[]}}`, block, reasonThreshold, "OR_STATEMENT"},
		{"nested rate", `{"NotStatement":{"Statement":` + rate(`"AggregateKeyType":"IP"`) + `}}`, block, reasonReference, "STATEMENT"},
		{"no action", leaf, count, reasonReference, "RULE"},
		{"two actions", leaf, `"Action":{"Block":{},"Count":{}}`, reasonExactlyOne, "RULE_ACTION"},
		{"empty action", leaf, `"Action":{}`, reasonExactlyOne, "RULE_ACTION"},
		{"no component", match(`{}`, chain("NONE")), block, reasonExactlyOne, "FIELD_TO_MATCH"},
		{"two components", match(`{"UriPath":{},"Method":{}}`, chain("NONE")), block, reasonExactlyOne, "FIELD_TO_MATCH"},
		{"no transformation", match(path, `[]`), block, reasonMissing, "TEXT_TRANSFORMATION"},
		{"eleven transformations", match(path, chain(strings.Repeat("NONE,", 10)+"NONE")), block, reasonOutOfBounds, "TEXT_TRANSFORMATION"},
		{"same priority", match(path, `[{"Priority":0,"Type":"NONE"},{"Priority":0,"Type":"LOWERCASE"}]`), block, reasonPriority, "TEXT_TRANSFORMATION"},
		{"unknown transformation", match(path, chain("ROT13")), block, reasonUnsupported, "TEXT_TRANSFORMATION"},
		{"long header name", match(`{"SingleHeader":{"Name":"`+strings.Repeat("a", 65)+`"}}`, chain("NONE")), block, reasonOutOfBounds, "SINGLE_HEADER"},
		{"two header patterns", match(`{"Headers":{"MatchPattern":{"All":{},"IncludedHeaders":["a"]},"MatchScope":"ALL","OversizeHandling":"MATCH"}}`, chain("NONE")), block, reasonExactlyOne, "HEADER_MATCH_PATTERN"},
		{"cookie scope", match(`{"Cookies":{"MatchPattern":{"All":{}},"MatchScope":"NAME","OversizeHandling":"MATCH"}}`, chain("NONE")), block, reasonUnsupported, "MAP_MATCH_SCOPE"},
		{"bad pointer", match(`{"JsonBody":{"MatchPattern":{"IncludedPaths":["a"]},"MatchScope":"ALL","OversizeHandling":"MATCH"}}`, chain("NONE")), block, reasonFormat, "JSON_MATCH_PATTERN"},
		{"bad fallback", match(`{"JsonBody":{"MatchPattern":{"All":{}},"MatchScope":"ALL","InvalidFallbackBehavior":"X","OversizeHandling":"MATCH"}}`, chain("NONE")), block, reasonUnsupported, "BODY_PARSING_FALLBACK_BEHAVIOR"},
		{"fingerprint contains", match(`{"JA3Fingerprint":{"FallbackBehavior":"MATCH"}}`, chain("NONE")), block, reasonUnsupported, "FIELD_TO_MATCH"},
		{"word with space", byteMatchJSON("CONTAINS_WORD", "a b", path, ""), block, fmt.Sprintf(reasonSearchString, "a b"), "BYTE_MATCH_STATEMENT"},
		{"position", byteMatchJSON("NEAR", "a", path, ""), block, reasonUnsupported, "BYTE_MATCH_STATEMENT"},
		{"operator", `{"SizeConstraintStatement":{"FieldToMatch":` + path + `,"ComparisonOperator":"IN","Size":1,"TextTransformations":` + chain("NONE") + `}}`, block, reasonUnsupported, "SIZE_CONSTRAINT_STATEMENT"},
		{"size", `{"SizeConstraintStatement":{"FieldToMatch":` + path + `,"ComparisonOperator":"EQ","Size":-1,"TextTransformations":` + chain("NONE") + `}}`, block, reasonOutOfBounds, "SIZE_CONSTRAINT_STATEMENT"},
		{"long pattern", `{"RegexMatchStatement":{"RegexString":"` + strings.Repeat("a", 201) + `","FieldToMatch":` + path + `,"TextTransformations":` + chain("NONE") + `}}`, block, reasonOutOfBounds, "STATEMENT"},
		{"look-behind", `{"RegexMatchStatement":{"RegexString":"(?<=a)b","FieldToMatch":` + path + `,"TextTransformations":` + chain("NONE") + `}}`, block, reasonFormat, "STATEMENT"},
		{"country", `{"GeoMatchStatement":{"CountryCodes":["de"]}}`, block, reasonUnsupported, "GEO_MATCH_STATEMENT"},
		{"position of geography", `{"GeoMatchStatement":{"CountryCodes":["DE"],"ForwardedIPConfig":{"HeaderName":"a","FallbackBehavior":"MATCH","Position":"ANY"}}}`, block, reasonUnsupported, "POSITION"},
		{"no position of an IP set", `{"IPSetReferenceStatement":{"ARN":"` + setARN + `","IPSetForwardedIPConfig":{"HeaderName":"a","FallbackBehavior":"MATCH"}}}`, block, reasonUnsupported, "POSITION"},
		{"header of an IP set", `{"IPSetReferenceStatement":{"ARN":"` + setARN + `","IPSetForwardedIPConfig":{"HeaderName":"a b","FallbackBehavior":"MATCH","Position":"ANY"}}}`, block, reasonFormat, "HEADER_NAME"},
		{"ARN of another kind", `{"IPSetReferenceStatement":{"ARN":"` + regexARN + `"}}`, block, reasonARN, "RESOURCE_ARN"},
		{"label namespace", `{"LabelMatchStatement":{"Scope":"NAMESPACE","Key":"a"}}`, block, reasonFormat, "LABEL_MATCH_STATEMENT"},
		{"window", rate(`"AggregateKeyType":"IP","EvaluationWindowSec":90`), block, reasonUnsupported, "RATE_BASED_STATEMENT"},
		{"limit", `{"RateBasedStatement":{"Limit":9,"AggregateKeyType":"IP"}}`, block, reasonOutOfBounds, "RATE_BASED_STATEMENT"},
		{"rate that allows", rate(`"AggregateKeyType":"IP"`), `"Action":{"Allow":{}}`, reasonUnsupported, "RULE_ACTION"},
		{"constant without scope", rate(`"AggregateKeyType":"CONSTANT"`), block, reasonCondition, "SCOPE_DOWN"},
		{"forwarded without header", rate(`"AggregateKeyType":"FORWARDED_IP"`), block, reasonCondition, "FORWARDED_IP_CONFIG"},
		{"only addresses", rate(`"AggregateKeyType":"CUSTOM_KEYS","CustomKeys":[{"IP":{}}]`), block, reasonIndependent, "CUSTOM_KEYS"},
		{"same key twice", rate(`"AggregateKeyType":"CUSTOM_KEYS","CustomKeys":[{"HTTPMethod":{}},{"HTTPMethod":{}}]`), block, reasonDuplicate, "CUSTOM_KEYS"},
		{"keys without their type", rate(`"AggregateKeyType":"IP","CustomKeys":[{"HTTPMethod":{}}]`), block, reasonCondition, "CUSTOM_KEYS"},
		{"custom code", leaf, `"Action":{"Block":{"CustomResponse":{"ResponseCode":402}}}`, reasonUnsupported, "CUSTOM_RESPONSE"},
		{"content type", leaf, `"Action":{"Block":{"CustomResponse":{"ResponseCode":403,"ResponseHeaders":[{"Name":"Content-Type","Value":"a"}]}}}`, reasonUnsupported, "CUSTOM_RESPONSE"},
		{"header with line feed", leaf, `"Action":{"Count":{"CustomRequestHandling":{"InsertHeaders":[{"Name":"a","Value":"b\nc"}]}}}`, reasonFormat, "CUSTOM_REQUEST_HANDLING"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := refusal(t, newWorld(), c.statement, c.action)
			switch {
			case e == nil && c.reason != "":
				t.Errorf("accepted, want %s", c.reason)
			case e != nil && (e.Kind != InvalidParameter || e.Reason != c.reason || e.Field != c.field):
				t.Errorf("got %s: %s (%s), want %s (%s)", e.Kind, e.Reason, e.Field, c.reason, c.field)
			case e != nil && e.Message != "Error reason: "+e.Reason+", field: "+e.Field+", parameter: "+e.Parameter:
				t.Errorf("message %q", e.Message)
			}
		})
	}
}

func TestValidationOfWorldsAndLimits(t *testing.T) {
	w := newWorld()
	w.noPlaces = true
	for _, s := range []string{`{"GeoMatchStatement":{"CountryCodes":["DE"]}}`, `{"AsnMatchStatement":{"AsnList":[1]}}`,
		`{"RateBasedStatement":{"Limit":100,"AggregateKeyType":"CUSTOM_KEYS","CustomKeys":[{"ASN":{}}]}}`} {
		if e := refusal(t, w, s, block); e == nil || e.Reason != reasonUnsupported {
			t.Errorf("%s without a database: %v", s, e)
		}
	}
	for kind, s := range map[Kind]string{
		NonexistentItem:      `{"IPSetReferenceStatement":{"ARN":"` + arnStart + `ipset/none/2"}}`,
		LimitsExceeded:       byteMatchJSON("CONTAINS", strings.Repeat("a", 201), path, ""),
		ConfigurationWarning: byteMatchJSON("CONTAINS", "a", `{"Body":{}}`, ""),
	} {
		if e := refusal(t, newWorld(), s, block); e == nil || e.Kind != kind {
			t.Errorf("%.80s: got %v, want %s", s, e, kind)
		}
	}
	deep := byteMatchJSON("EXACTLY", "/", path, "")
	for range maxNesting + 1 {
		deep = `{"NotStatement":{"Statement":` + deep + `}}`
	}
	if e := refusal(t, newWorld(), deep, block); e == nil || e.Reason != reasonOutOfBounds {
		t.Errorf("nested beyond the limit: %v", e)
	}
	var rates []string
	for i := range 11 {
		rates = append(rates, ruleJSON(fmt.Sprint("r", i), i, `{"RateBasedStatement":{"Limit":100,"AggregateKeyType":"IP"}}`, block))
	}
	rules, err := ParseRules([]byte("[" + strings.Join(rates, ",") + "]"))
	if err != nil {
		t.Fatal(err)
	}
	if e, ok := errors.AsType[*Error](ValidateRules(rules, Checks{References: newWorld()})); !ok || e.SourceType != "NUM_RATEBASED_STATEMENT_IN_WEBACL" {
		t.Errorf("eleven rate-based rules: %v", e)
	}
}

// TestBodyIsBoundedByAnEarlierRule accepts a component without OversizeHandling behind a
// rule that blocks large bodies.
func TestBodyIsBoundedByAnEarlierRule(t *testing.T) {
	bound := ruleJSON("b", 0, `{"SizeConstraintStatement":{"FieldToMatch":{"Body":{"OversizeHandling":"MATCH"}},"ComparisonOperator":"GT","Size":8192,"TextTransformations":`+chain("NONE")+`}}`, block)
	rules, err := ParseRules([]byte(search("[" + bound + "," + ruleJSON("r", 1, byteMatchJSON("CONTAINS", "a", `{"Body":{}}`, ""), block) + "]")))
	if err != nil {
		t.Fatal(err)
	}
	if err := ValidateRules(rules, Checks{References: newWorld()}); err != nil {
		t.Error(err)
	}
}

func TestParseRefusesUnknownMembers(t *testing.T) {
	for _, src := range []string{`[{"Name":"a","Surprise":1}]`, `[{"Statement":{"ByteMatchStatement":{"FieldToMatch":{"UriPath":{"X":1}}}}}]`, `[] []`, `{`, `[{"Priority":"1"}]`} {
		if rules, err := ParseRules([]byte(src)); err == nil {
			t.Errorf("%s: parsed as %+v", src, rules)
		}
	}
}

func TestCapacityTable(t *testing.T) {
	w := newWorld()
	group(t, w, `[`+always("c", 0, `"Action":{"Count":{}}`)+`]`)
	sqli := func(level, field, ts string) string {
		return `{"SqliMatchStatement":{"SensitivityLevel":"` + level + `","FieldToMatch":` + field + `,"TextTransformations":` + chain(ts) + `}}`
	}
	leaf := byteMatchJSON("EXACTLY", "a", path, "")
	cases := []struct {
		statement string
		want      int64
	}{
		{leaf, 2}, {byteMatchJSON("STARTS_WITH", "a", path, ""), 2}, {byteMatchJSON("CONTAINS", "a", path, ""), 10}, {byteMatchJSON("CONTAINS_WORD", "a", path, ""), 10},
		{byteMatchJSON("EXACTLY", "a", path, "LOWERCASE,URL_DECODE"), 22}, {byteMatchJSON("EXACTLY", "a", `{"AllQueryArguments":{}}`, ""), 12},
		{`{"RegexMatchStatement":{"RegexString":"a","FieldToMatch":` + path + `,"TextTransformations":` + chain("NONE") + `}}`, 3},
		{`{"RegexPatternSetReferenceStatement":{"ARN":"` + regexARN + `","FieldToMatch":` + path + `,"TextTransformations":` + chain("NONE") + `}}`, 25},
		{sqli("LOW", path, "NONE"), 20}, {sqli("HIGH", path, "NONE"), 30}, {sqli("LOW", `{"JsonBody":{"MatchPattern":{"All":{}},"MatchScope":"ALL","OversizeHandling":"MATCH"}}`, "URL_DECODE"), 50},
		{`{"XssMatchStatement":{"FieldToMatch":` + path + `,"TextTransformations":` + chain("NONE") + `}}`, 40},
		{`{"GeoMatchStatement":{"CountryCodes":["DE"]}}`, 1}, {`{"AsnMatchStatement":{"AsnList":[1]}}`, 1}, {`{"LabelMatchStatement":{"Scope":"LABEL","Key":"a"}}`, 1},
		{`{"IPSetReferenceStatement":{"ARN":"` + setARN + `"}}`, 1},
		{`{"IPSetReferenceStatement":{"ARN":"` + setARN + `","IPSetForwardedIPConfig":{"HeaderName":"a","FallbackBehavior":"MATCH","Position":"ANY"}}}`, 5},
		{`{"RateBasedStatement":{"Limit":100,"AggregateKeyType":"IP","ScopeDownStatement":` + leaf + `}}`, 4},
		{`{"RateBasedStatement":{"Limit":100,"AggregateKeyType":"CUSTOM_KEYS","CustomKeys":[{"HTTPMethod":{}},{"Header":{"Name":"a","TextTransformations":` + chain("LOWERCASE") + `}}]}}`, 72},
		{`{"AndStatement":{"Statements":[` + leaf + `,{"NotStatement":{"Statement":` + leaf + `}}]}}`, 4},
		{`{"AndStatement":{"Statements":[` + byteMatchJSON("EXACTLY", "a", path, "LOWERCASE") + `,` + byteMatchJSON("EXACTLY", "b", path, "LOWERCASE") + `]}}`, 14},
		{`{"RuleGroupReferenceStatement":{"ARN":"` + groupARN + `"}}`, 500},
	}
	for _, c := range cases {
		action := block
		if strings.Contains(c.statement, "RuleGroup") {
			action = `"OverrideAction":{"None":{}}`
		}
		rules, err := ParseRules([]byte(search("[" + ruleJSON("r", 0, c.statement, action) + "]")))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Capacity(rules, w); err != nil || got != c.want {
			t.Errorf("%s: %d, %v, want %d", c.statement, got, err, c.want)
		}
	}
}
