package wafrules

import (
	"fmt"
	"strings"
	"testing"
)

const path = `{"UriPath":{}}`

func TestByteMatchPositions(t *testing.T) {
	cases := []struct {
		position, text, value string
		want                  bool
	}{
		{"EXACTLY", "/abc", "/abc", true},
		{"EXACTLY", "/abc", "/abcd", false},
		{"EXACTLY", "/abc", "/ABC", false},
		{"STARTS_WITH", "/ab", "/abc", true},
		{"STARTS_WITH", "bc", "/abc", false},
		{"ENDS_WITH", "bc", "/abc", true},
		{"ENDS_WITH", "/ab", "/abc", false},
		{"CONTAINS", "b", "/abc", true},
		{"CONTAINS", "B", "/abc", false},
		{"CONTAINS", "bb", "/aBbbb", true},
		{"CONTAINS_WORD", "admin", "/admin/x", true},
		{"CONTAINS_WORD", "admin", "/admins", false},
		{"CONTAINS_WORD", "admin", "/my-admin", true},
		{"CONTAINS_WORD", "admin", "/my_admin", false},
		{"CONTAINS_WORD", "admin", "admin", true},
		{"CONTAINS_WORD", "admin", "/admins/admin", true},
	}
	for _, c := range cases {
		r := request("/")
		r.Path = c.value
		if got := matches(t, byteMatchJSON(c.position, c.text, path, ""), r); got != c.want {
			t.Errorf("%s %q in %q: got %v, want %v", c.position, c.text, c.value, got, c.want)
		}
	}
}

// TestBytesThatAreNotText looks for what is not UTF-8, as the magic bytes of serialized
// objects.
func TestBytesThatAreNotText(t *testing.T) {
	for _, position := range []string{"CONTAINS", "STARTS_WITH"} {
		statement := `{"ByteMatchStatement":{"SearchString":"rO1C","PositionalConstraint":"` + position + `","FieldToMatch":{"UriPath":{}},"TextTransformations":` + chain("NONE") + `}}`
		for value, want := range map[string]bool{"\xac\xedB": true, "\xac\xedb": false, "\xac\xecB": false, "\ufffd\ufffdB": false} {
			r := request("/")
			r.Path = value
			if got := matches(t, statement, r); got != want {
				t.Errorf("%s in %q: got %v, want %v", position, value, got, want)
			}
		}
	}
}

func TestSizeConstraint(t *testing.T) {
	for _, c := range []struct {
		operator string
		size     int
		want     bool
	}{
		{"EQ", 4, true}, {"EQ", 3, false}, {"NE", 3, true}, {"NE", 4, false}, {"LT", 5, true}, {"LT", 4, false},
		{"LE", 4, true}, {"LE", 3, false}, {"GT", 3, true}, {"GT", 4, false}, {"GE", 4, true}, {"GE", 5, false},
	} {
		s := fmt.Sprintf(`{"SizeConstraintStatement":{"FieldToMatch":%s,"ComparisonOperator":%q,"Size":%d,"TextTransformations":%s}}`, path, c.operator, c.size, chain("URL_DECODE"))
		if got := matches(t, s, request("/%61bc")); got != c.want {
			t.Errorf("length 4 after decoding %s %d: got %v, want %v", c.operator, c.size, got, c.want)
		}
	}
	missing := `{"SizeConstraintStatement":{"FieldToMatch":{"SingleHeader":{"Name":"a"}},"ComparisonOperator":"GE","Size":0,"TextTransformations":` + chain("NONE") + `}}`
	if matches(t, missing, request("/")) {
		t.Error("a missing header has a size")
	}
	if !matches(t, `{"NotStatement":{"Statement":`+missing+`}}`, request("/")) {
		t.Error("Not does not turn a missing header into a match")
	}
}

func TestRegexStatements(t *testing.T) {
	regex := func(p string) string {
		return fmt.Sprintf(`{"RegexMatchStatement":{"RegexString":%q,"FieldToMatch":%s,"TextTransformations":%s}}`, p, `{"AllQueryArguments":{}}`, chain("LOWERCASE"))
	}
	set := fmt.Sprintf(`{"RegexPatternSetReferenceStatement":{"ARN":%q,"FieldToMatch":%s,"TextTransformations":%s}}`, regexARN, `{"AllQueryArguments":{}}`, chain("LOWERCASE"))
	for _, c := range []struct {
		statement, target string
		want              bool
	}{
		{regex(`ad+min[0-9]`), "/?a=x&b=ADDMIN7", true},
		{regex(`ad+min[0-9]`), "/?a=x&b=ADMIN", false},
		{regex(`^[a-f]+$`), "/?a=xyz&b=ABC", true},
		{set, "/?a=EVIL", true},
		{set, "/?a=b&c=123", true},
		{set, "/?a=good", false},
	} {
		if got := matches(t, c.statement, request(c.target)); got != c.want {
			t.Errorf("%s on %s: got %v, want %v", c.statement, c.target, got, c.want)
		}
	}
}

func TestDetectors(t *testing.T) {
	sqli := func(level string) string {
		return `{"SqliMatchStatement":{"FieldToMatch":{"AllQueryArguments":{}},"SensitivityLevel":"` + level + `","TextTransformations":` + chain("URL_DECODE") + `}}`
	}
	xss := `{"XssMatchStatement":{"FieldToMatch":{"AllQueryArguments":{}},"TextTransformations":` + chain("URL_DECODE,HTML_ENTITY_DECODE") + `}}`
	for _, c := range []struct {
		name, statement, target string
		want                    bool
	}{
		{"sqli", sqli("LOW"), "/?id=1'+OR+'1'='1", true},
		{"sqli, a name", sqli("LOW"), "/?id=O'Brien", false},
		{"sqli, text", sqli("LOW"), "/?q=please+select+one+from+the+list", false},
		{"sqli, HIGH sees more", sqli("HIGH"), "/?q=x;+select+a", true},
		{"sqli, HIGH, clean", sqli("HIGH"), "/?q=hello+world", false},
		{"xss", xss, "/?q=%3Cscript%3Ealert(1)%3C/script%3E", true},
		{"xss, entities", xss, "/?q=%26lt;img%20src=x%20onerror=alert(1)%26gt;", true},
		{"xss, attribute", xss, "/?q=%22%20onmouseover=alert(1)%20x=%22", true},
		{"xss, text", xss, "/?q=1+%3C+2", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := matches(t, c.statement, request(c.target)); got != c.want {
				t.Errorf("%s: got %v, want %v", c.target, got, c.want)
			}
		})
	}
}

// FuzzDetectorShortcuts holds that the values which skip the detectors are clean.
func FuzzDetectorShortcuts(f *testing.F) {
	f.Add("1 or 1=1")
	f.Add("abc_123")
	f.Add("javascript:alert(1)")
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := isSQLi(s), plainSQLi(s); got != want {
			t.Errorf("SQLi %q: got %v, detector says %v", s, got, want)
		}
		if got, want := isXSS(s), plainXSS(s); got != want {
			t.Errorf("XSS %q: got %v, detector says %v", s, got, want)
		}
	})
}

func TestAddresses(t *testing.T) {
	forwarded := func(fallback, position string) string {
		return fmt.Sprintf(`,"IPSetForwardedIPConfig":{"HeaderName":"X-Forwarded-For","FallbackBehavior":%q,"Position":%q}`, fallback, position)
	}
	set := func(config string) string {
		return fmt.Sprintf(`{"IPSetReferenceStatement":{"ARN":%q%s}}`, setARN, config)
	}
	geo := func(codes, config string) string {
		return `{"GeoMatchStatement":{"CountryCodes":[` + codes + `]` + config + `}}`
	}
	asn := func(n, config string) string { return `{"AsnMatchStatement":{"AsnList":[` + n + `]` + config + `}}` }
	const byHeader = `,"ForwardedIPConfig":{"HeaderName":"x-forwarded-for","FallbackBehavior":"MATCH"}`
	eleven := "192.0.2.1" + strings.Repeat(",198.51.100.1", 10)
	cases := []struct {
		name, statement string
		header          string
		want            bool
	}{
		{"connection", set(""), "", true},
		{"first", set(forwarded("NO_MATCH", "FIRST")), "X-Forwarded-For: 192.0.2.1, 198.51.100.1", true},
		{"first is another", set(forwarded("NO_MATCH", "FIRST")), "X-Forwarded-For: 198.51.100.1, 192.0.2.1", false},
		{"last", set(forwarded("NO_MATCH", "LAST")), "X-Forwarded-For: 198.51.100.1,192.0.2.1", true},
		{"any", set(forwarded("NO_MATCH", "ANY")), "X-Forwarded-For: 198.51.100.1, 192.0.2.1, 198.51.100.2", true},
		{"any of the last ten", set(forwarded("NO_MATCH", "ANY")), "X-Forwarded-For: " + eleven, false},
		{"version 6", set(forwarded("NO_MATCH", "FIRST")), "X-Forwarded-For: 2001:db8::1", true},
		{"mapped", set(forwarded("NO_MATCH", "FIRST")), "X-Forwarded-For: ::ffff:192.0.2.1", true},
		{"missing: no fallback", set(forwarded("MATCH", "FIRST")), "", false},
		{"malformed: fallback", set(forwarded("MATCH", "FIRST")), "X-Forwarded-For: unknown", true},
		{"malformed: no fallback", set(forwarded("NO_MATCH", "FIRST")), "X-Forwarded-For: 192.0.2.1 198.51.100.1", false},
		{"any, malformed among them", set(forwarded("MATCH", "ANY")), "X-Forwarded-For: 198.51.100.1, x", true},
		{"not of missing", `{"NotStatement":{"Statement":` + set(forwarded("MATCH", "FIRST")) + `}}`, "", true},
		{"country", geo(`"FR","DE"`, ""), "", true},
		{"other country", geo(`"FR"`, ""), "", false},
		{"country of header", geo(`"DE"`, byHeader), "X-Forwarded-For: 198.51.100.1", false},
		{"country, malformed", geo(`"FR"`, byHeader), "X-Forwarded-For: x", true},
		{"asn", asn("1,64500", ""), "", true},
		{"asn, unmapped is 0", asn("0", byHeader), "X-Forwarded-For: 198.51.100.1", true},
		{"asn, missing", asn("0", byHeader), "", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var headers []string
			if c.header != "" {
				headers = []string{c.header}
			}
			if got := matches(t, c.statement, request("/", headers...)); got != c.want {
				t.Errorf("%s with %q: got %v, want %v", c.statement, c.header, got, c.want)
			}
		})
	}
}

func TestLogic(t *testing.T) {
	yes := byteMatchJSON("STARTS_WITH", "/", path, "")
	no := byteMatchJSON("STARTS_WITH", "x", path, "")
	for _, c := range []struct {
		statement string
		want      bool
	}{
		{`{"AndStatement":{"Statements":[` + yes + `,` + yes + `]}}`, true},
		{`{"AndStatement":{"Statements":[` + yes + `,` + no + `]}}`, false},
		{`{"OrStatement":{"Statements":[` + no + `,` + yes + `]}}`, true},
		{`{"OrStatement":{"Statements":[` + no + `,` + no + `]}}`, false},
		{`{"NotStatement":{"Statement":` + no + `}}`, true},
		{`{"NotStatement":{"Statement":{"NotStatement":{"Statement":` + no + `}}}}`, false},
	} {
		if got := matches(t, c.statement, request("/a")); got != c.want {
			t.Errorf("%s: got %v, want %v", c.statement, got, c.want)
		}
	}
}
