package wafrules

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
)

// TestEvasions hides one text in the ways that attackers know. The rules use the
// transformations that their authors would.
func TestEvasions(t *testing.T) {
	const decoded = "URL_DECODE_UNI,HTML_ENTITY_DECODE,LOWERCASE,REPLACE_COMMENTS,COMPRESS_WHITE_SPACE,REMOVE_NULLS"
	args, body := `{"AllQueryArguments":{}}`, `{"Body":{"OversizeHandling":"MATCH"}}`
	json := `{"JsonBody":{"MatchPattern":{"All":{}},"MatchScope":"ALL","InvalidFallbackBehavior":"EVALUATE_AS_STRING","OversizeHandling":"MATCH"}}`
	manyHeaders := make([]string, 250)
	for i := range manyHeaders {
		manyHeaders[i] = fmt.Sprintf("h%d: v", i)
	}
	manyHeaders[249] = "x: union select"
	cases := []struct {
		name, field, transformations string
		r                            *Request
	}{
		{"percent", args, decoded, request("/?q=%75nion%20select")},
		{"unicode escape", args, decoded, request("/?q=%u0075nion%20select")},
		{"full width", args, decoded, request("/?q=%uFF55nion%20select")},
		{"twice encoded", args, "URL_DECODE," + decoded, request("/?q=%2575nion%2520select")},
		{"plus", args, decoded, request("/?q=union+select")},
		{"case", args, decoded, request("/?q=UnIoN%20SeLeCt")},
		{"comment", args, decoded, request("/?q=union/**/select")},
		{"comment with text", args, decoded, request("/?q=union/*!x*/select")},
		{"tabs and line feeds", args, decoded, request("/?q=union%09%0a%0dselect")},
		{"no-break space", args, decoded, request("/?q=union%a0select")},
		{"null", args, decoded, request("/?q=uni%00on%20select")},
		{"entities", args, decoded, request("/?q=%26%23x75;nion%26%2332;select")},
		{"duplicate parameter", args, decoded, request("/?q=1&q=union%20select")},
		{"semicolon", args, decoded, request("/?a=1;q=union%20select")},
		{"JSON escape", json, decoded, withBody(request("/"), `{"a":"\u0075nion\u0020select"}`)},
		{"JSON key", json, decoded, withBody(request("/"), `{"union select":1}`)},
		{"JSON in another content type", json, decoded, withBody(request("/", "Content-Type: text/plain"), `{"a":"union select"}`)},
		{"duplicate JSON key", json, decoded, withBody(request("/"), `{"a":"x","a":"union select"}`)},
		{"broken JSON", json, decoded, withBody(request("/"), `{"a":"x",,"b":union select`)},
		{"deep JSON", json, decoded, withBody(request("/"), strings.Repeat(`{"a":`, 600)+`"union select"`)},
		{"not JSON", json, decoded, withBody(request("/"), `q=union select`)},
		{"one byte past the limit", body, decoded, withBody(request("/"), strings.Repeat(" ", 16384)+"union select")},
		{"across the limit", body, decoded, withBody(request("/"), strings.Repeat(" ", 16380)+"union select")},
		{"past 200 headers", `{"Headers":{"MatchPattern":{"All":{}},"MatchScope":"ALL","OversizeHandling":"MATCH"}}`, decoded, request("/", manyHeaders...)},
		{"folded header", `{"SingleHeader":{"Name":"x"}}`, decoded, request("/", "x: union\r\n select")},
		{"cookies beyond the limit", `{"Cookies":{"MatchPattern":{"All":{}},"MatchScope":"ALL","OversizeHandling":"MATCH"}}`, decoded, request("/", "Cookie: a="+strings.Repeat("b", 8200)+"; c=union select")},
		{"cookie without a name", `{"Cookies":{"MatchPattern":{"All":{}},"MatchScope":"ALL","OversizeHandling":"MATCH"}}`, decoded, request("/", "Cookie: union select")},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if !matches(t, byteMatchJSON("CONTAINS", "union select", c.field, c.transformations), c.r) {
				t.Error("evaded")
			}
		})
	}
}

// TestBodyValues extracts what applications see, for managed groups.
func TestBodyValues(t *testing.T) {
	cases := []struct {
		name, contentType, body string
		want                    []string // among the values
	}{
		{"form", "application/x-www-form-urlencoded", "a=1&b=%3c", []string{"a", "1", "b", "%3c"}},
		{"json", "application/json", `{"a":["b",{"c":"d"}]}`, []string{"a", "b", "c", "d"}},
		{"json as form", "application/x-www-form-urlencoded", `{"a":"b"}`, []string{"a", "b"}},
		{"form that looks like json", "application/x-www-form-urlencoded", `{"x&id=evil`, []string{"evil"}},
		{"json with a tail", "application/json", `{"a":"b"}&id=evil`, []string{"evil"}},
		{"text", "text/plain", "hello", []string{"hello"}},
		{"text with equals", "text/plain", "x = evil", []string{"x = evil"}},
		{"multipart", "multipart/form-data; boundary=B", "--B\r\nContent-Disposition: form-data; name=\"n\"; filename=\"f;g.php\"\r\nContent-Type: text/plain\r\n\r\nvalue\r\n--B--\r\n", []string{"n", "f;g.php", "value"}},
		{"multipart, bare line feeds", "multipart/form-data; boundary=B", "--B\nContent-Disposition: form-data; name=n\n\nvalue\n--B--", []string{"value", "name=n"}},
		{"multipart without end", "multipart/form-data; boundary=B", "--B\r\n\r\nvalue", []string{"value"}},
		{"multipart, other boundary", "multipart/form-data; boundary=X", "--B\r\n\r\nvalue\r\n--B--", []string{"value"}},
		{"multipart, epilogue", "multipart/form-data; boundary=B", "--B\r\n\r\nv\r\n--B--\r\nevil", []string{"--B\r\n\r\nv\r\n--B--\r\nevil"}},
		{"multipart in disguise", "text/plain", "--B\r\n\r\nvalue\r\n--B--", []string{"value"}},
		{"xml", "text/xml", `<?xml version="1.0"?><a b="c" d='e'>text<![CDATA[data]]></a>`, []string{"a", "b", "c", "e", "text", "data"}},
		{"xml, entity", "application/xml", `<!DOCTYPE x [<!ENTITY y SYSTEM "file:///z">]><x>&y;</x>`, []string{`<!DOCTYPE x [<!ENTITY y SYSTEM "file:///z">]>`}},
		{"html", "text/html", `<script>x</script>`, []string{`<script>x</script>`}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			x := &evaluation{acl: &ACL{bodyLimit: 16384}, req: withBody(request("/", "Content-Type: "+c.contentType), c.body)}
			var got nodeState
			x.bodyValues(&got)
			for _, want := range c.want {
				found := false
				for _, v := range got.values {
					found = found || v == want
				}
				if !found {
					t.Errorf("%q is not among %q", want, got.values)
				}
			}
		})
	}
}

// TestBodyValuesInDisguise has the ways in which a body looks different to us than to the
// application: what the application reads must be among the values, or in one of them.
func TestBodyValuesInDisguise(t *testing.T) {
	const evil = "1' union select 2"
	utf16 := func(s string, high int) string {
		var b []byte
		for i := range len(s) {
			b = append(b, [][2]byte{{s[i], 0}, {0, s[i]}}[high][:]...)
		}
		return string(b)
	}
	ebcdic := strings.Map(func(r rune) rune {
		b, _ := charmap.CodePage037.EncodeRune(r)
		return rune(b)
	}, "id=1' union select 2")
	var escaped strings.Builder
	for _, r := range ebcdic {
		if r == 0x7e { // "="
			escaped.WriteByte('=')
			continue
		}
		fmt.Fprintf(&escaped, "%%%02x", r)
	}
	form := "application/x-www-form-urlencoded"
	cases := []struct{ name, contentType, body, want string }{
		{"escapes after a duplicate key", "application/json", `{"a":1,"a":1,"b":"1\u0027 union select 2"}`, evil},
		{"escapes after NaN", "application/json", `{"a":NaN,"b":"1\u0027 union select 2"}`, evil},
		{"escapes after a comment", "application/json", `{/* " */"b":"1\u0027 union select 2"}`, evil},
		{"escapes in single quotes", "application/json", `{'b':'1\u0027 union select 2'}`, evil},
		{"escapes in a second document", "application/json", "{}\n{\"b\":\"1\\u0027 union select 2\"}", evil},
		{"escapes in a string alone", "application/json", `"1\u0027 union select 2"`, evil},
		{"escapes after a byte order mark", "application/json", utf8Mark + `{"b":"1\u0027 union select 2"}`, evil},
		{"JSON in UTF-16", "application/json", utf16(`{"b":"1\u0027 union select 2"}`, 0), evil},
		{"JSON in UTF-16, big end first", "application/json", utf16(`{"b":"1\u0027 union select 2"}`, 1), evil},
		{"JSON in UTF-16 with a mark", "application/json", "\xff\xfe" + utf16(`{"b":"1\u0027 union select 2"}`, 0), evil},
		{"JSON in UTF-32", "application/json", strings.ReplaceAll(utf16(`{"b":"1' union select 2"}`, 0), "\x00", "\x00\x00\x00"), evil},
		{"form in UTF-16", form, utf16("id="+evil, 0), evil},
		{"form in EBCDIC", form + "; charset=ibm037", string(latin1(ebcdic)), evil},
		{"form in EBCDIC, escaped", form + `;charset="IBM037"`, escaped.String(), evil},
		{"form that is JSON by its look", form, `{"q=1' union/*":"*/select 2"}`, `1' union/*":"*/select 2"}`},
		{"form with semicolons", form, "a=1;id=" + evil, evil},
		{"multipart, decoy boundary in a comment", "multipart/form-data; boundary=B", "--A\r\n\r\nx\r\n--B\r\nContent-Disposition: form-data; name=a\r\n\r\n1' union/*--A*/select 2\r\n--B--\r\n--A--", "1' union/*--A*/select 2"},
		{"multipart, two boundaries", "multipart/form-data; boundary=A; boundary=B", "--A\r\n\r\n1' union/*\r\n--A\r\n*/select 2\r\n--A--", "1' union/*\r\n--A\r\n*/select 2"},
		{"multipart, boundary inside a line", "multipart/form-data; boundary=A", "--A\r\n\r\n1' union/*--A*/select 2\r\n--A--", "1' union/*--A*/select 2"},
		{"multipart, longer boundary", "multipart/form-data; boundary=AB", "--A\r\n\r\n1' union/*\r\n--A\r\n*/select 2\r\n--AB--\r\n--A--", "1' union/*\r\n--A\r\n*/select 2"},
		{"multipart, preamble", "multipart/form-data; boundary=A", "hello\r\n--A\r\n\r\n1' union select 2\r\n--A--", evil},
		{"multipart, base64", "multipart/form-data; boundary=A", "--A\r\nContent-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64\r\n\r\nMScgdW5pb24gc2Vs\r\nZWN0IDI=\r\n--A--", evil},
		{"multipart, quoted-printable", "multipart/form-data; boundary=A", "--A\r\ncontent-transfer-encoding: Quoted-Printable\r\n\r\n1=27 uni=\r\non select 2\r\n--A--", evil},
		{"multipart, file name in pieces", "multipart/form-data; boundary=A", "--A\r\nContent-Disposition: form-data; name=a; filename*0=\"x.p\"; filename*1=\"hp\"\r\n\r\nv\r\n--A--", "x.php"},
		{"multipart, file name as a word", "multipart/form-data; boundary=A", "--A\r\nContent-Disposition: form-data; name=a; filename=\"=?utf-8?B?eC5waHA=?=\"\r\n\r\nv\r\n--A--", "x.php"},
		{"multipart, escaped quote", "multipart/form-data; boundary=A", "--A\r\nContent-Disposition: form-data; name=a; filename=\"x\\\".php\"\r\n\r\nv\r\n--A--", `x".php`},
		{"multipart, two names", "multipart/form-data; boundary=A", "--A\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Disposition: form-data; name=\"b\"; filename=\"x.php\"\r\n\r\nv\r\n--A--", "x.php"},
		{"multipart, UTF-7", "multipart/form-data; boundary=A", "--A\r\nContent-Disposition: form-data; name=a\r\nContent-Type: text/plain; charset=UTF-7\r\n\r\n+ADw-script+AD4-x+-y\r\n--A--", "<script>x+y"},
		{"JSON in UTF-7", "application/json; charset=utf-7", `+AHs-"b":"1+AFw-u0027 union select 2"}`, evil},
		{"XML text around a comment", "text/xml", "<a>1' uni<!-- x -->on sel<?x y?>ect 2</a>", evil},
		{"XML text in sections", "text/xml", "<a>1' uni<![CDATA[on select]]> 2</a>", evil},
		{"XML without a type", "text/plain", "<a>1' uni<!-- x -->on select 2</a>", evil},
		{"XML, mark in an attribute", "text/xml", `<a b="1' union/*>*/select 2"/>`, "1' union/*>*/select 2"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			x := &evaluation{acl: &ACL{bodyLimit: 16384}, req: withBody(request("/", "Content-Type: "+c.contentType), c.body)}
			var got nodeState
			x.bodyValues(&got)
			for _, v := range got.values {
				if strings.Contains(v, c.want) {
					return
				}
			}
			t.Errorf("%q is in none of %q", c.want, got.values)
		})
	}
}

// TestArgumentsInPieces holds that values which servers join are inspected in one piece, and
// that nothing is joined otherwise.
func TestArgumentsInPieces(t *testing.T) {
	for query, want := range map[string]string{
		"a=1/*&b=x&a=*/union/*&%61=*/select": "1/*,*/union/*,*/select",
		"a=1&A=2&b=3&B=4":                    "1,2 3,4",
		"a=1&b=2&=3&=4":                      "",
		"x&x":                                ",",
	} {
		x := &evaluation{req: request("/?" + query)}
		var got nodeState
		x.arguments(&got, true)
		before := strings.Count(query, "&") + 1
		for _, pair := range strings.Split(query, "&") {
			if name, _, _ := strings.Cut(pair, "="); name != "" {
				before++
			}
		}
		if joined := strings.Join(got.values[before:], " "); joined != want {
			t.Errorf("%s: %q joined, want %q", query, joined, want)
		}
	}
}

// TestQuotedCookies holds that semicolons and backslashes in quotes hide nothing from rules
// on cookies.
func TestQuotedCookies(t *testing.T) {
	f := &mapField{scope: scope{values: true}, excluded: true}
	for header, want := range map[string]string{
		`a="1' union; select 2"; b=c`:     `1' union; select 2`,
		`b=c;a="1\047 union \"select"`:    `1' union "select`,
		`$Version=1; a="x;y\`:             `x;y\`,
		`a="` + strings.Repeat("x", 9000): strings.Repeat("x", 8190),
	} {
		x := &evaluation{req: request("/", "Cookie: "+header)}
		var got nodeState
		x.cookies(&got, f)
		if !slices.Contains(got.values, want) {
			t.Errorf("%.50s: %.50q is not among %.200q", header, want, got.values)
		}
	}
}

// coded is a body that was sent otherwise than it is read.
type coded struct {
	bodyText
	sent string
}

func (c coded) Sent(limit int) ([]byte, error) { return []byte(c.sent)[:min(len(c.sent), limit)], nil }

// TestCodedBodies holds that rules see a body as it was sent beside what it becomes: whole in
// rules on the body, what is legible of it in managed groups.
func TestCodedBodies(t *testing.T) {
	r := request("/", "Content-Type: application/x-www-form-urlencoded")
	r.Body = coded{"a=good", "\x1f\x8b\x00q=union select 2&b=c\x00\x01short\x02&tail=union all"}
	field := `{"Body":{"OversizeHandling":"CONTINUE"}}`
	for text, want := range map[string]bool{"good": true, "union select": true, "absent": false} {
		if got := matches(t, byteMatchJSON("CONTAINS", text, field, "NONE"), r); got != want {
			t.Errorf("%q in the body: %t, want %t", text, got, want)
		}
	}
	x := &evaluation{acl: &ACL{bodyLimit: 16384}, req: r}
	var got nodeState
	x.bodyValues(&got)
	for _, want := range []string{"good", "union select 2", "c", "union all"} {
		if !slices.Contains(got.values, want) {
			t.Errorf("%q is not among %q", want, got.values)
		}
	}
	if slices.Contains(got.values, "short") {
		t.Errorf("%q: what comes about by chance is among them", got.values)
	}
}

// latin1 writes one byte for each character.
func latin1(s string) (b []byte) {
	for _, r := range s {
		b = append(b, byte(r))
	}
	return b
}

// FuzzBodyValues holds that extraction ends, and that no body loses all its content.
func FuzzBodyValues(f *testing.F) {
	f.Add("application/json", `{"a":"b"`)
	f.Add("multipart/form-data", "--B\r\n\r\nv\r\n--B--")
	f.Add("text/xml", `<a b="c">d</a>`)
	f.Fuzz(func(t *testing.T, contentType, body string) {
		x := &evaluation{acl: &ACL{bodyLimit: 16384}, req: withBody(request("/", "Content-Type: "+contentType), body)}
		var got nodeState
		x.bodyValues(&got)
		total := 0
		for _, v := range got.values {
			total += len(v)
		}
		if bound := 20*len(body) + 100; total > bound {
			t.Fatalf("%d bytes of values from %d bytes of body", total, len(body))
		}
	})
}

// TestHostileRules evaluates the most expensive rules that are accepted, against the
// largest body. A matcher that backtracks would never end.
func TestHostileRules(t *testing.T) {
	body := `{"JsonBody":{"MatchPattern":{"All":{}},"MatchScope":"ALL","OversizeHandling":"CONTINUE"}}`
	var rules []string
	for i, p := range []string{`(a+)+b`, `(a|aa)+$`, `(.*)*x`, `(a?){30}a{30}`, `(?:a{0,30}){0,30}b`, `^(([a-z])+.)+[A-Z]([a-z])+$`, `a.{0,900}b`, `(x+x+)+y`} {
		rules = append(rules, ruleJSON(fmt.Sprint("p", i), i, fmt.Sprintf(`{"RegexMatchStatement":{"RegexString":%q,"FieldToMatch":%s,"TextTransformations":%s}}`, p,
			`{"Body":{"OversizeHandling":"CONTINUE"}}`, chain("UTF8_TO_UNICODE,HTML_ENTITY_DECODE")), `"Action":{"Count":{}}`))
	}
	for i := range 100 {
		rules = append(rules, ruleJSON(fmt.Sprint("c", i), 100+i, byteMatchJSON("CONTAINS", strings.Repeat("a", 199)+"b", body, fmt.Sprintf("%s,LOWERCASE", []string{"URL_DECODE", "JS_DECODE", "CSS_DECODE", "CMD_LINE"}[i%4])), `"Action":{"Count":{}}`))
	}
	a := acl(t, newWorld(), "["+strings.Join(rules, ",")+"]")
	for _, text := range []string{strings.Repeat("a", 16384), `["` + strings.Repeat("a", 16380) + `"]`, strings.Repeat("é", 8192), "[" + strings.Repeat(`"a",`, 4000) + "1]", strings.Repeat("x", 16384)} {
		if v := evaluate(t, a, withBody(request("/"), text)); v.Action != Allow {
			t.Errorf("%.20s…: %s by rules that only count", text, v.Action)
		}
	}
}
