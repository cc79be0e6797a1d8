package inspect

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"gatehouse/internal/lang/wafrules"
	"gatehouse/internal/lang/wafrules/record"
	"gatehouse/internal/message"
)

// recorder keeps what it is told.
type recorder struct {
	Samples
	Explanations
	logs []*record.Log
}

func (r *recorder) Log(_ *Logging, l *record.Log) { r.logs = append(r.logs, l) }

// nowhere is a References without anything.
type nowhere struct{}

func (nowhere) IPSet(string) *wafrules.IPSet                     { return nil }
func (nowhere) RegexPatternSet(string) *wafrules.RegexPatternSet { return nil }
func (nowhere) RuleGroup(string) *wafrules.Group                 { return nil }
func (nowhere) HasGeography() bool                               { return false }
func (nowhere) ManagedGroup(string, string, string) (*wafrules.Group, error) {
	return nil, errors.New("no groups here")
}

// guard has a rule per path: /block, /custom, /captcha, /challenge, /insert; and one on the
// body.
func guard(t *testing.T, rec Recorder) *Guard {
	t.Helper()
	rule := func(name, action string) string {
		return `{"Name":"` + name + `","Priority":` + string('0'+rune(len(name)%10)) + `,"Action":` + action + `,"VisibilityConfig":{"MetricName":"` + name + `","SampledRequestsEnabled":true,"CloudWatchMetricsEnabled":true},
			"Statement":{"RegexMatchStatement":{"RegexString":"/` + name + `$","FieldToMatch":{"UriPath":{}},"TextTransformations":[{"Priority":0,"Type":"NONE"}]}}}`
	}
	rules := []string{
		rule("block", `{"Block":{}}`), rule("custom", `{"Block":{"CustomResponse":{"ResponseCode":418}}}`), rule("captcha", `{"Captcha":{}}`), rule("challenge", `{"Challenge":{}}`),
		rule("insertee", `{"Count":{"CustomRequestHandling":{"InsertHeaders":[{"Name":"seen","Value":"yes"}]}}}`),
		strings.Replace(rule("b", `{"Block":{}}`), `"RegexString":"/b$","FieldToMatch":{"UriPath":{}}`, `"RegexString":"evil","FieldToMatch":{"Body":{"OversizeHandling":"CONTINUE"}}`, 1),
	}
	acl, err := wafrules.ParseWebACL([]byte(`{"DefaultAction":{"Allow":{}},"VisibilityConfig":{"MetricName":"acl"},"Rules":[` + strings.Join(rules, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := wafrules.Compile(acl, wafrules.Identity{ARN: "arn:acl"}, wafrules.Environment{References: nowhere{}})
	if err != nil {
		t.Fatal(err)
	}
	return &Guard{ACL: compiled, Source: "1:api:prod", Metric: "acl", Account: "1", Recorder: rec, Logging: &Logging{Destination: "arn:logs"},
		Protections: []record.Protection{{Type: "SINGLE_HEADER", Keys: []string{"authorization"}}}}
}

func subject(path, body string) *Subject {
	p := new(Peeker)
	p.Reset(strings.NewReader(body), nil)
	return &Subject{Path: "/prod" + path, Trace: "Root=1", RequestID: "id", Time: time.Unix(1_700_000_000, 0), Body: p, Request: &message.Request{
		Method: "POST", Path: "/prod" + path, RawQuery: "q=1", Host: "h", Header: message.Header{{Name: "Host", Value: "h"}, {Name: "X-Forwarded-For", Value: "203.0.113.1"}, {Name: "Authorization", Value: "secret"}},
		Conn: &message.Conn{Remote: netip.MustParseAddrPort("192.0.2.1:1234"), Local: netip.MustParseAddrPort("127.0.0.1:443")}}}
}

func TestOutcomes(t *testing.T) {
	cases := []struct {
		path, body string
		want       Outcome
	}{
		{"/", "", Outcome{Allowed: true, Rule: "Default_Action"}},
		{"/block", "", Outcome{Blocked: true, Rule: "block"}},
		{"/custom", "", Outcome{Blocked: true, Rule: "custom", Response: &wafrules.Response{Status: 418}}},
		{"/captcha", "", Outcome{Rule: "captcha", Response: captcha}},
		{"/challenge", "", Outcome{Rule: "challenge", Response: challenge}},
		{"/insertee", "", Outcome{Allowed: true, Rule: "Default_Action", Insert: []wafrules.Header{{Name: "x-amzn-waf-seen", Value: "yes"}}}},
		{"/", "this is evil", Outcome{Blocked: true, Rule: "b"}},
	}
	for _, c := range cases {
		rec := new(recorder)
		s := subject(c.path, c.body)
		got, err := guard(t, rec).Inspect(s)
		if err != nil {
			t.Fatal(err)
		}
		if got.Allowed != (got.Why == "") {
			t.Errorf("%s: allowed %v, why %q", c.path, got.Allowed, got.Why)
		}
		got.Why = ""
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s %q (-want +got):\n%s", c.path, c.body, diff)
		}
		if len(rec.logs) != 1 || rec.logs[0].TerminatingRuleID != c.want.Rule || rec.logs[0].HTTPSourceID != "1:api:prod" {
			t.Errorf("%s: logs %+v", c.path, rec.logs)
		}
		if rest, err := io.ReadAll(s.Body); err != nil || string(rest) != c.body {
			t.Errorf("%s: the body is %q, %v after the inspection, want %q", c.path, rest, err, c.body)
		}
	}
}

func TestRefusalsAreExplained(t *testing.T) {
	for _, c := range []struct{ path, body, want string }{
		{"/block", "", `rule "block": RegexMatch on path, bytes 5 to 11`},
		{"/", "this is evil", `rule "b": RegexMatch on body:CONTINUE, bytes 8 to 12`},
	} {
		got, err := guard(t, nil).Inspect(subject(c.path, c.body))
		if err != nil || got.Why != c.want {
			t.Errorf("%s: %q, %v, want %q", c.path, got.Why, err, c.want)
		}
	}
}

func TestWhatTheFirewallSees(t *testing.T) {
	rec := new(recorder)
	if _, err := guard(t, rec).Inspect(subject("/", "")); err != nil {
		t.Fatal(err)
	}
	want := []record.Header{{Name: "X-Forwarded-For", Value: "203.0.113.1, 192.0.2.1"}, {Name: "X-Forwarded-Proto", Value: "http"}, {Name: "X-Forwarded-Port", Value: "443"},
		{Name: "Host", Value: "h"}, {Name: "X-Amzn-Trace-Id", Value: "Root=1"}, {Name: "Authorization", Value: "REDACTED"}}
	got := rec.logs[0].HTTPRequest
	if diff := cmp.Diff(want, got.Headers); diff != "" {
		t.Error(diff)
	}
	if got.URI != "/prod/" || got.Args != "q=1" || got.ClientIP != "192.0.2.1" {
		t.Errorf("request %+v", got)
	}
}

func TestPeekerGivesEverythingBack(t *testing.T) {
	body := strings.Repeat("0123456789", 5000)
	for _, limit := range []int{1, 100, 16384, 49999, 50000, 50001} {
		for name, src := range map[string]io.Reader{"whole": strings.NewReader(body), "bytewise": iotest.OneByteReader(strings.NewReader(body)), "data with EOF": iotest.DataErrReader(strings.NewReader(body))} {
			var p Peeker
			p.Reset(src, make([]byte, 0, 10))
			prefix, more, err := p.Peek(limit)
			if err != nil || string(prefix) != body[:min(limit, len(body))] || more != (limit < len(body)) {
				t.Errorf("%s, limit %d: %d bytes, more %v, %v", name, limit, len(prefix), more, err)
			}
			if all, err := io.ReadAll(&p); err != nil || string(all) != body {
				t.Errorf("%s, limit %d: read %d bytes back, %v", name, limit, len(all), err)
			}
		}
	}
}

func TestBodyErrorsAreTheClients(t *testing.T) {
	s := subject("/", "")
	s.Body.Reset(io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(message.ErrClientGone)), nil)
	_, err := guard(t, nil).Inspect(s)
	if cause, ok := IsBody(err); !ok || cause != message.ErrClientGone {
		t.Errorf("%v: cause %v, from the body %v", err, cause, ok)
	}
	if _, ok := IsBody(errors.New("other")); ok {
		t.Error("another error counts as one of the body")
	}
}

func TestSamples(t *testing.T) {
	rec := new(recorder)
	g := guard(t, rec)
	for range 100 {
		if _, err := g.Inspect(subject("/block", "")); err != nil {
			t.Fatal(err)
		}
	}
	at := subject("/", "").Time
	list, population := rec.Sampled("arn:acl", "block", at.Add(-time.Minute), at.Add(time.Minute), 20)
	if len(list) != 20 || population != 100 || list[0].Action != "BLOCK" || list[0].Request.Headers[5].Value != "REDACTED" {
		t.Errorf("%d samples of %d", len(list), population)
	}
	if list, population := rec.Sampled("arn:acl", "block", at.Add(time.Minute), at.Add(time.Hour), 20); len(list) != 0 || population != 0 {
		t.Errorf("after the window: %d of %d", len(list), population)
	}
	var bounded Samples
	for i := range 3 * maxMetrics {
		bounded.Wants("acl", strings.Repeat("m", i%7)+string(rune('a'+i%26))+time.Duration(i).String(), at)
	}
	if n := len(bounded.metrics); n > maxMetrics {
		t.Errorf("%d metrics are kept", n)
	}
}

func TestSamplesAreBoundedInBytes(t *testing.T) {
	var s Samples
	large := record.Sample{Request: record.HTTPRequest{Args: strings.Repeat("a", 60<<10)}}
	for i := range 3000 {
		s.Sample("acl", string(rune('a'+i%10)), large)
	}
	total := 0
	for _, m := range s.metrics {
		for i := range m.ring {
			total += sizeOf(&m.ring[i])
		}
	}
	if total > maxSampleBytes || total != s.size || total == 0 {
		t.Errorf("%d bytes are kept, %d are counted, want at most %d", total, s.size, maxSampleBytes)
	}
}

func BenchmarkInspect(b *testing.B) {
	g := guard(&testing.T{}, new(recorder))
	g.Logging = nil
	s := subject("/", "")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Inspect(s); err != nil {
			b.Fatal(err)
		}
	}
}

// TestExplanationsAreBounded holds that the newest are kept, by number and by bytes.
func TestExplanationsAreBounded(t *testing.T) {
	var e Explanations
	for i := range KeptExplanations + 5 {
		e.Explain(strconv.Itoa(i), &record.Explanation{Rule: strconv.Itoa(i)})
	}
	if e.Explained("4") != nil || e.Explained("5") == nil || e.Explained(strconv.Itoa(KeptExplanations+4)) == nil || len(e.byID) != KeptExplanations {
		t.Errorf("%d are kept, want the newest %d", len(e.byID), KeptExplanations)
	}
	labels := make([]string, 1000) // 64 KB
	for i := range 1000 {
		e.Explain("large"+strconv.Itoa(i), &record.Explanation{Labels: labels})
	}
	if e.size > maxExplanationBytes || e.Explained("large999") == nil || e.Explained("large0") != nil {
		t.Errorf("%d bytes, want at most %d with the newest among them", e.size, maxExplanationBytes)
	}
}

func TestExplanationsAreKeptByID(t *testing.T) {
	rec := new(recorder)
	g := guard(t, rec)
	g.Protections = append(g.Protections, record.Protection{Type: "BODY"})
	for _, c := range []struct{ path, body, matched string }{{"/block", "", "/block"}, {"/insertee", "", "/insertee"}, {"/", "this is evil", ""}, {"/none", "", "nothing"}} {
		s := subject(c.path, c.body)
		s.RequestID = c.path
		if _, err := g.Inspect(s); err != nil {
			t.Fatal(err)
		}
		x := rec.Explained(c.path)
		if c.matched == "nothing" {
			if x != nil {
				t.Errorf("%s: %+v, want nothing", c.path, x)
			}
			continue
		}
		if x == nil || len(x.Matches) != 1 || x.Show(nil, true).Matches[0].Matched != c.matched {
			t.Errorf("%s: %+v, want %q", c.path, x, c.matched)
		}
	}
}

// packed compresses a text.
func packed(coding, text string) string {
	var b bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zlib":
		w = zlib.NewWriter(&b)
	case "named": // by more than the standard library reads
		named := gzip.NewWriter(&b)
		named.Name, named.Comment, named.Extra = strings.Repeat("n", 5000), "c", []byte("extra")
		w = named
	case "comment":
		named := gzip.NewWriter(&b)
		named.Comment = "&id=this is evil&"
		w = named
	case "br":
		w = brotli.NewWriter(&b)
	case "zstd":
		w, _ = zstd.NewWriter(&b)
	default:
		w, _ = flate.NewWriter(&b, 9)
	}
	io.WriteString(w, text)
	w.Close()
	return b.String()
}

// Compression hides nothing, and what is not compressed as it claims is inspected as it is.
// The body goes on as it came.
func TestCompressedBodiesAreInspected(t *testing.T) {
	long := strings.Repeat("x", 10_000) + "this is evil"
	for _, c := range []struct {
		name, coding, body string
		blocked            bool
	}{
		{"gzip", "gzip", packed("gzip", long), true}, {"x-gzip", "X-GZip", packed("gzip", long), true}, {"zlib", "deflate", packed("zlib", long), true},
		{"deflate", "deflate", packed("flate", long), true}, {"harmless", "gzip", packed("gzip", "good"), false}, {"not compressed", "gzip", "this is evil", true},
		{"unknown", "br", "this is evil", true}, {"broken off", "gzip", packed("gzip", "evil"+strings.Repeat("ab", 9000))[:40], true},
		{"garbage after it", "gzip", packed("gzip", "evil") + "garbage", true}, {"two members", "gzip", packed("gzip", "good") + packed("gzip", "evil"), true}, {"empty", "gzip", "", false},
		{"long name", "gzip", packed("named", long), true}, {"wrong checksum", "gzip", packed("gzip", "evil")[:len(packed("gzip", "evil"))-8] + "checksum", true},
		{"Brotli", "br", packed("br", long), true}, {"Zstandard", "zstd", packed("zstd", long), true}, {"Zstandard broken off", "zstd", packed("zstd", "evil"+strings.Repeat("ab", 300_000))[:40], true},
		{"one over another", "gzip, br", packed("br", packed("gzip", long)), true}, {"the same twice", "gzip,gzip", packed("gzip", packed("gzip", long)), true},
		{"with others", "identity, gzip, utf-8", packed("gzip", long), true}, {"five times", "gzip,gzip,gzip,gzip,gzip", "evil", true},
		{"zlib or not", "deflate", "\x78\x01\x00\xfe\xff" + "x" + packed("flate", "evil"), true},
		{"text behind it", "deflate", "K\x04\x00&id=this+is+evil", true}, {"text in its header", "gzip", packed("comment", "good"), true}, {"identity around it", "gzip", packed("gzip", "good") + "&id=evil", true},
		{"past the limit", "gzip", packed("gzip", strings.Repeat("x", 100_000)+"evil"), false}, // CONTINUE
	} {
		s := subject("/", c.body)
		s.Request.Header.Add("Content-Encoding", c.coding)
		out, err := guard(t, nil).Inspect(s)
		if err != nil || out.Blocked != c.blocked {
			t.Errorf("%s: blocked %t, %v, want %t", c.name, out.Blocked, err, c.blocked)
		}
		if got, err := io.ReadAll(s.Body); err != nil || string(got) != c.body {
			t.Errorf("%s: the body goes on with %d bytes, %v, want the %d that came", c.name, len(got), err, len(c.body))
		}
	}
}

// A body that the gateway has decoded itself is inspected as the backend gets it, even if it
// can be decoded once more.
func TestDecodedBodiesAreNotDecodedAgain(t *testing.T) {
	s := subject("/", packed("gzip", "good")+"&id=evil")
	s.Request.Header.Add("Content-Encoding", "gzip")
	s.Decoded = true
	if body := View(s).Body; body != wafrules.BodySource(s.Body) {
		t.Errorf("the body is seen through %T", body)
	}
}

// A second line of Content-Encoding counts as much as the first.
func TestCodingsInTwoLines(t *testing.T) {
	s := subject("/", packed("gzip", "this is evil"))
	s.Request.Header.Add("Content-Encoding", "identity")
	s.Request.Header.Add("content-encoding", "gzip")
	if out, err := guard(t, nil).Inspect(s); err != nil || !out.Blocked {
		t.Errorf("blocked %t, %v", out.Blocked, err)
	}
}

// What cannot be decoded is the beginning of something longer, so that rules can refuse it
// by their OversizeHandling.
func TestUndecodedBodiesCountAsOversize(t *testing.T) {
	for _, c := range []struct {
		coding, body string
		more         bool
	}{
		{"compress", "x", true}, {"gzip, exi", packed("gzip", "x"), true}, {"gzip,gzip,gzip,gzip", "x", true},
		{"gzip", "not gzip", true}, {"zstd", packed("zstd", "x")[:6], true}, {"br", "", false}, {"utf-8", "x", false}, {"gzip", packed("gzip", "x"), false}, {"gzip", packed("gzip", strings.Repeat("x", 1000))[:15], true},
		{"deflate", packed("zlib", "x"), false}, {"deflate", packed("flate", "x"), false}, {"br", packed("br", "x"), false}, {"zstd", packed("zstd", "x"), false},
	} {
		s := subject("/", c.body)
		s.Request.Header.Add("Content-Encoding", c.coding)
		_, more, err := View(s).Body.Peek(100)
		if err != nil || more != c.more {
			t.Errorf("%s: more is %t, %v, want %t", c.coding, more, err, c.more)
		}
	}
}

// FuzzCodings holds that no body, however it is said to be coded, stops the evaluation, grows
// beyond the limit or is changed on its way to the backend.
func FuzzCodings(f *testing.F) {
	for _, c := range []string{"gzip", "deflate", "br", "zstd"} {
		f.Add(c, []byte(packed(c, "some text, some text")))
	}
	f.Add("gzip, br", []byte(packed("br", packed("gzip", "text"))))
	f.Fuzz(func(t *testing.T, coding string, body []byte) {
		s := subject("/", string(body))
		s.Request.Header.Add("Content-Encoding", coding)
		const limit = 1000
		prefix, _, err := View(s).Body.Peek(limit)
		if err != nil || len(prefix) > 2*limit {
			t.Fatalf("%d bytes, %v", len(prefix), err)
		}
		if got, err := io.ReadAll(s.Body); err != nil || !bytes.Equal(got, body) {
			t.Fatalf("the body goes on changed: %v", err)
		}
	})
}

// A compressed body that says nothing at great length is not read for ever.
func TestEmptyBlocksAreBounded(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	for b.Len() < 4<<20 {
		w.Flush() // an empty block
	}
	s := subject("/", b.String())
	s.Request.Header.Add("Content-Encoding", "gzip")
	if _, err := guard(t, nil).Inspect(s); err != nil {
		t.Fatal(err)
	}
	if n := len(s.Body.Buffer()); n > 1<<20 {
		t.Errorf("%d bytes were read ahead", n)
	}
}
