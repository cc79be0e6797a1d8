package trial

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/lang/wafrules"
	"gatehouse/internal/lang/wafrules/ratecount"
	"gatehouse/internal/lang/wafrules/record"
)

// nowhere is a References without anything.
type nowhere struct{}

func (nowhere) IPSet(string) *wafrules.IPSet                     { return nil }
func (nowhere) RegexPatternSet(string) *wafrules.RegexPatternSet { return nil }
func (nowhere) RuleGroup(string) *wafrules.Group                 { return nil }
func (nowhere) HasGeography() bool                               { return false }
func (nowhere) ManagedGroup(string, string, string) (*wafrules.Group, error) {
	return nil, errors.New("no groups here")
}

// judge has the given rules, each a name, an action and a statement.
func judge(t *testing.T, rules ...[3]string) *Judge {
	t.Helper()
	var list []string
	for i, r := range rules {
		list = append(list, fmt.Sprintf(`{"Name":%q,"Priority":%d,"Action":%s,"Statement":%s,"VisibilityConfig":{"MetricName":"m"}}`, r[0], i, r[1], r[2]))
	}
	acl, err := wafrules.ParseWebACL([]byte(`{"DefaultAction":{"Allow":{}},"VisibilityConfig":{"MetricName":"acl"},"Rules":[` + strings.Join(list, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := wafrules.Compile(acl, wafrules.Identity{ARN: "arn:acl"}, wafrules.Environment{References: nowhere{}, Counters: ratecount.NewStore()})
	if err != nil {
		t.Fatal(err)
	}
	return &Judge{ACL: compiled}
}

const block, count200 = `{"Block":{}}`, `{"Count":{"CustomRequestHandling":{"InsertHeaders":[{"Name":"seen","Value":"yes"}]}}}`

func contains(text, field string) string {
	return fmt.Sprintf(`{"RegexMatchStatement":{"RegexString":%q,"FieldToMatch":%s,"TextTransformations":[{"Priority":0,"Type":"LOWERCASE"}]}}`, text, field)
}

var local = Client{Address: netip.MustParseAddr("192.0.2.7")}

func TestTry(t *testing.T) {
	j := judge(t,
		[3]string{"seen", count200, contains("watch", `{"QueryString":{}}`)},
		[3]string{"forwarded", block, contains("^203.0.113.9, 192.0.2.7$", `{"SingleHeader":{"Name":"x-forwarded-for"}}`)},
		[3]string{"body", block, contains("evil", `{"Body":{"OversizeHandling":"CONTINUE"}}`)},
		[3]string{"order", block, contains("^x-forwarded-for:x-forwarded-proto:x-forwarded-port:host:x-amzn-trace-id:b-first:a-second$", `{"HeaderOrder":{"OversizeHandling":"CONTINUE"}}`)},
	)
	for _, c := range []struct{ text, rule string }{
		{"GET /prod/a?q=1 HTTP/1.1\r\nHost: h\r\n\r\n", "Default_Action"},
		{"GET /prod/a?q=WATCH HTTP/1.1\nHost: h", "Default_Action"},
		{"GET https://h/prod/a?q=1 HTTP/1.1\nHost: h\nX-Forwarded-For: 203.0.113.9\n\n", "forwarded"},
		{"POST /prod/a HTTP/1.1\nHost: h\nContent-Length: 2\n\nall of it is EVIL", "body"},
		{"GET / HTTP/1.1\nB-First: 1\nHost: h\nA-Second: 2\n\n", "order"},
	} {
		got, err := j.Try([]byte(c.text), local, time.Unix(1, 0))
		if err != nil || got.Rule != c.rule {
			t.Errorf("%q: %+v, %v, want %s", c.text, got.Explanation, err, c.rule)
		}
	}
	got, err := j.Try([]byte("GET /prod/a?q=1WATCH HTTP/1.1\nHost: h\n\n"), local, time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	want := record.ExplainedMatch{Rule: "seen", Action: "COUNT", Statement: "RegexMatch", Component: "query", Transformations: []string{"LOWERCASE"}, Offset: 3, Length: 5, Matched: "watch"}
	if len(got.Matches) != 1 {
		t.Fatalf("matches %+v", got.Matches)
	}
	got.Matches[0].Hash = ""
	if diff := cmp.Diff(want, got.Matches[0], cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".bytes" }, cmp.Ignore())); diff != "" {
		t.Error(diff)
	}
	if len(got.Inserted) != 1 || got.Inserted[0].Name != "x-amzn-waf-seen" || got.Status != 0 {
		t.Errorf("inserted %v, status %d", got.Inserted, got.Status)
	}
}

func TestBadRequestsAreExplained(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "request line",
		"GET /":                           "want METHOD TARGET HTTP/1.1",
		"GET / HTTP/2\n\n":                "want METHOD TARGET HTTP/1.1",
		"GET / HTTP/1.1\nno colon\n\n":    "line 2",
		"GET / HTTP/1.1\nA: b\n folded\n": "line 3",
		"GET / HTTP/1.1\nA: b\rc: d\n\n":  "bare carriage return",
	} {
		if _, err := ParseRequest([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// logged is a record of a request.
func logged(action, rule string, change func(*record.Log)) string {
	l := &record.Log{Timestamp: 1_700_000_000_000, Action: action, TerminatingRuleID: rule,
		HTTPRequest: record.HTTPRequest{ClientIP: "192.0.2.7", URI: "/prod/a", Args: "q=good", HTTPMethod: "GET", HTTPVersion: "HTTP/1.1", RequestID: "id"}}
	if change != nil {
		change(l)
	}
	line, err := json.Marshal(l)
	if err != nil {
		panic(err) // plain data
	}
	return string(line)
}

func TestReplay(t *testing.T) {
	j := judge(t, [3]string{"bad", block, contains("bad", `{"QueryString":{}}`)}, [3]string{"body", block, contains("evil", `{"Body":{"OversizeHandling":"CONTINUE"}}`)})
	bad := func(l *record.Log) { l.HTTPRequest.Args, l.HTTPRequest.RequestID = "q=BAD", "bad" }
	withBody := func(l *record.Log) {
		l.HTTPRequest.Headers, l.HTTPRequest.RequestID = []record.Header{{Name: "Content-Length", Value: "12"}}, "body"
	}
	hidden := func(l *record.Log) { l.HTTPRequest.Args, l.HTTPRequest.RequestID = "q="+record.Redacted, "hidden" }
	text, _ := json.Marshal(logged("BLOCK", "old", bad))
	log := strings.Join([]string{
		logged("ALLOW", "Default_Action", nil),
		logged("ALLOW", "Default_Action", bad),
		"[" + logged("BLOCK", "bad", bad) + "," + string(text) + "]",
		`{"events":[{"message":` + string(text) + `}],"nextToken":"x"}`,
		logged("BLOCK", "body", withBody), logged("BLOCK", "bad", hidden),
		`{"other":1}`, `"no record"`, `3`,
	}, "\n\t ")
	got, err := j.Replay(strings.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	if got.Records != 7 || got.Same != 2 || got.Rule != 2 || got.Changed != 3 || got.Bodies != 1 || got.Hidden != 1 || got.Unreadable != 3 || len(got.Errors) != 3 {
		t.Errorf("report %+v", got)
	}
	var told []string
	for _, d := range got.Differences {
		told = append(told, fmt.Sprint(d.RequestID, " ", d.Was.Action, " ", d.Now.Action, " ", d.Now.Rule, " ", d.BodyUnseen, " ", d.PartsHidden))
	}
	want := []string{"bad ALLOW BLOCK bad false false", "body BLOCK ALLOW Default_Action true false", "hidden BLOCK ALLOW Default_Action false true"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
}

// TestReplayCountsAtTheTimesOfTheLog holds that rate-based rules see the log's times.
func TestReplayCountsAtTheTimesOfTheLog(t *testing.T) {
	j := judge(t, [3]string{"rate", block, `{"RateBasedStatement":{"Limit":10,"EvaluationWindowSec":60,"AggregateKeyType":"IP"}}`})
	var log strings.Builder
	for i := range 30 {
		log.WriteString(logged("ALLOW", "Default_Action", func(l *record.Log) {
			l.Timestamp += int64(i) * 1000 // one in a second: all within the window
			if i >= 15 {
				l.Timestamp += 3600_000
			}
		}))
	}
	got, err := j.Replay(strings.NewReader(log.String()))
	if err != nil || got.Changed != 5+5 || got.Differences[0].Now.Rates[0].LimitValue != "192.0.2.7" {
		t.Errorf("%+v, %v", got, err)
	}
}

// endless is a value without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '['
	}
	return len(p), nil
}

func TestReplayIsBounded(t *testing.T) {
	j := judge(t)
	if _, err := j.Replay(io.MultiReader(strings.NewReader(`"`), endless{})); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("an endless value: %v", err)
	}
	got, err := j.Replay(strings.NewReader(strings.Repeat("[", 100) + strings.Repeat("]", 100)))
	if err != nil || got.Unreadable != 1 {
		t.Errorf("lists in lists: %+v, %v", got, err)
	}
}

// FuzzParseRequest holds that what was read is in the text, in its order.
func FuzzParseRequest(f *testing.F) {
	f.Add([]byte("GET /a?b HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\nbody"))
	f.Add([]byte("POST http://h/a HTTP/1.1\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ParseRequest(text)
		if err != nil {
			return
		}
		rest := string(text)
		after := func(part string) {
			at := strings.Index(rest, part)
			if at < 0 {
				t.Fatalf("%q is not in the rest %q", part, rest)
			}
			rest = rest[at+len(part):]
		}
		after(r.Method)
		for _, h := range r.Header {
			after(h.Name)
			after(h.Value)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || !strings.HasSuffix(rest, string(body)) {
			t.Errorf("body %q, %v, want the end of %q", body, err, rest)
		}
	})
}

// FuzzReplay holds that every value of a log is either a record or counted as unreadable,
// and that the numbers add up.
func FuzzReplay(f *testing.F) {
	f.Add([]byte(logged("BLOCK", "x", nil)))
	f.Add([]byte(`{"events":[{"message":"{}"}]}`))
	f.Fuzz(func(t *testing.T, log []byte) {
		j := judge(t, [3]string{"bad", block, contains("bad", `{"QueryString":{}}`)})
		r, err := j.Replay(strings.NewReader(string(log)))
		if err == nil && (r.Records != r.Same+r.Rule+r.Changed || len(r.Differences)+r.Omitted != r.Changed) {
			t.Errorf("%+v", r)
		}
	})
}
