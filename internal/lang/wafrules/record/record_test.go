package record

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/lang/wafrules"
	"gatehouse/internal/lang/wafrules/transform"
)

// event is a request that a group's rule blocked, after rules that counted.
func event() *Event {
	return &Event{
		WebACL: "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/a/1", Source: "123456789012:api:prod", RequestID: "id", Status: 403,
		Request: &wafrules.Request{Method: "GET", Path: "/prod/pets", Query: "id=1&token=secret", Version: "HTTP/1.1", ClientIP: netip.MustParseAddr("192.0.2.1"),
			Time: time.UnixMilli(1632420416512), Header: []wafrules.Header{{Name: "Host", Value: "h"}, {Name: "Cookie", Value: "a=1; sid=secret"}, {Name: "Authorization", Value: "secret"}}},
		Verdict: &wafrules.Verdict{
			Action: wafrules.Block, Rule: "g", RuleType: "GROUP", Labels: []string{"awswaf:x:y"}, OversizeHeaders: true,
			Groups: []wafrules.GroupResult{{ID: "arn:group", Rule: "g", Outcome: wafrules.Block}},
			Rates: []wafrules.RateMatch{
				{Rule: "r", ID: "acl/r", Kind: "IP", Limit: 100, Window: 120 * time.Second, Address: netip.MustParseAddr("192.0.2.1"), Evaluated: true},
				{Rule: "k", Kind: "CUSTOM_KEYS", Limit: 10, Window: 60 * time.Second, Evaluated: true, Values: []wafrules.RateValue{{Kind: "COOKIE", Name: "sid", Value: strings.Repeat("s", 40)}}},
			},
			Rules: []wafrules.RuleMatch{
				{Name: "counted", Metric: "mc", Group: -1, Action: wafrules.Count, Sampled: true, From: 0, To: 1},
				{Name: "inner", Group: 0, Action: wafrules.Count, Overridden: wafrules.Block, Excluded: true, From: 1, To: 1},
				{Name: "ends", Group: 0, Action: wafrules.Block, Terminating: true, From: 1, To: 2},
				{Name: "g", Metric: "mg", Group: -1, Action: wafrules.Block, Terminating: true, Sampled: true, From: 2, To: 2},
			},
			Matches: []wafrules.Match{
				{Statement: "SqliMatch", Condition: "SQL_INJECTION", Sensitivity: "LOW", Location: "ALL_QUERY_ARGS", Component: "arguments", Name: "id", Value: "10 AND 1", Start: 0, End: 8, Transformations: []transform.Type{transform.URLDecode}},
				{Statement: "ByteMatch", Location: "URI", Component: "path", Value: "/prod/pets", Start: 6, End: 10},
			},
		},
	}
}

func TestLogRecord(t *testing.T) {
	got, err := json.MarshalIndent(New(event()), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
 "timestamp": 1632420416512,
 "formatVersion": 1,
 "webaclId": "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/a/1",
 "terminatingRuleId": "g",
 "terminatingRuleType": "GROUP",
 "action": "BLOCK",
 "terminatingRuleMatchDetails": [],
 "httpSourceName": "APIGW",
 "httpSourceId": "123456789012:api:prod",
 "ruleGroupList": [
  {
   "ruleGroupId": "arn:group",
   "terminatingRule": {
    "ruleId": "ends",
    "action": "BLOCK",
    "ruleMatchDetails": []
   },
   "nonTerminatingMatchingRules": [],
   "excludedRules": [
    {
     "exclusionType": "EXCLUDED_AS_COUNT",
     "ruleId": "inner"
    }
   ],
   "customerConfig": null
  }
 ],
 "rateBasedRuleList": [
  {
   "rateBasedRuleId": "acl/r",
   "rateBasedRuleName": "r",
   "limitKey": "IP",
   "limitValue": "192.0.2.1",
   "maxRateAllowed": 100,
   "evaluationWindowSec": "120"
  },
  {
   "rateBasedRuleId": "",
   "rateBasedRuleName": "k",
   "limitKey": "CUSTOMKEYS",
   "maxRateAllowed": 10,
   "evaluationWindowSec": "60",
   "customValues": [
    {
     "key": "COOKIE",
     "name": "sid",
     "value": "ssssssssssssssssssssssssssssssss"
    }
   ]
  }
 ],
 "nonTerminatingMatchingRules": [
  {
   "ruleId": "counted",
   "action": "COUNT",
   "ruleMatchDetails": [
    {
     "conditionType": "SQL_INJECTION",
     "sensitivityLevel": "LOW",
     "location": "ALL_QUERY_ARGS",
     "matchedData": [
      "10",
      "AND",
      "1"
     ]
    }
   ]
  }
 ],
 "requestHeadersInserted": null,
 "responseCodeSent": 403,
 "httpRequest": {
  "clientIp": "192.0.2.1",
  "country": "-",
  "headers": [
   {
    "name": "Host",
    "value": "h"
   },
   {
    "name": "Cookie",
    "value": "a=1; sid=secret"
   },
   {
    "name": "Authorization",
    "value": "secret"
   }
  ],
  "uri": "/prod/pets",
  "args": "id=1\u0026token=secret",
  "httpVersion": "HTTP/1.1",
  "httpMethod": "GET",
  "requestId": "id"
 },
 "labels": [
  {
   "name": "awswaf:x:y"
  }
 ],
 "oversizeFields": [
  "REQUEST_HEADERS"
 ]
}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPuzzleResponses(t *testing.T) {
	for action, status := range map[wafrules.Action]int{wafrules.Captcha: 405, wafrules.Challenge: 202} {
		e := event()
		e.Verdict.Action = action
		l := New(e)
		got := l.CaptchaResponse
		if action == wafrules.Challenge {
			got = l.ChallengeResponse
		}
		if got == nil || got.ResponseCode != status || got.FailureReason != "TOKEN_MISSING" {
			t.Errorf("%s: %+v", action, got)
		}
	}
}

func TestRedaction(t *testing.T) {
	l := New(event())
	l.Redact(Redaction{Headers: []string{"authorization"}, Query: true, URIPath: true, HTTPVerb: true})
	if l.HTTPRequest.Headers[2].Value != Redacted || l.HTTPRequest.Args != Redacted || l.HTTPRequest.URI != Redacted || l.HTTPRequest.HTTPMethod != Redacted || l.HTTPRequest.Headers[0].Value != "h" {
		t.Errorf("got %+v", l.HTTPRequest)
	}
}

func TestProtection(t *testing.T) {
	l := New(event())
	l.Protect("123456789012", []Protection{
		{Type: "SINGLE_COOKIE", Keys: []string{"sid"}}, {Type: "SINGLE_QUERY_ARGUMENT", Keys: []string{"TOKEN"}}, {Type: "SINGLE_HEADER", Keys: []string{"authorization"}, Hash: true},
	})
	r := l.HTTPRequest
	if r.Args != "id=1&token=REDACTED" || r.Headers[1].Value != "a=1; sid=REDACTED" {
		t.Errorf("args %s, cookie %s", r.Args, r.Headers[1].Value)
	}
	// base64(SHA-256("123456789012" + "secret"))
	if got := r.Headers[2].Value; len(got) != 44 || got == Redacted {
		t.Errorf("hashed header %s", got)
	}
	if got := l.RateBasedRuleList[1].CustomValues[0].Value; got != Redacted {
		t.Errorf("rate key %s", got)
	}
	// One protected argument hides what a rule found anywhere in the query.
	if got := l.NonTerminatingMatchingRules[0].RuleMatchDetails[0].MatchedData; len(got) != 1 || got[0] != Redacted {
		t.Errorf("matched data %q", got)
	}
	kept := New(event())
	kept.Protect("1", []Protection{{Type: "QUERY_STRING", ExcludeRuleMatchDetails: true, ExcludeRateBasedDetails: true}})
	if kept.HTTPRequest.Args != Redacted || len(kept.NonTerminatingMatchingRules[0].RuleMatchDetails[0].MatchedData) != 3 {
		t.Errorf("with exclusions: args %s, %+v", kept.HTTPRequest.Args, kept.NonTerminatingMatchingRules)
	}
}

// TestProtectionInDisguise holds that a protected value stays hidden however its name is
// written and whatever parts it from others.
func TestProtectionInDisguise(t *testing.T) {
	argument, cookie := Protection{Type: "SINGLE_QUERY_ARGUMENT", Keys: []string{"token"}}, Protection{Type: "SINGLE_COOKIE", Keys: []string{"sid"}}
	for _, c := range []struct{ args, cookie string }{
		{"a=1;token=secret&b=2", "a=1;sid=secret;b=2"}, {"to%6ben=secret", `sid="x;secret"; b=2`}, {"TOKEN=secret", `sid="\";secret"`}, {`a="x&token=secret&b="`, `a="x; sid=secret; b="`},
		{"token=a&token=secret", "sid=a; sid=secret"}, {"token=secret", `sid="secret`}, {"token==secret", "sid==secret"},
	} {
		r := HTTPRequest{Args: c.args, Headers: []Header{{"Cookie", c.cookie}}}
		r.protect("1", &argument)
		r.protect("1", &cookie)
		if strings.Contains(r.Args+r.Headers[0].Value, "secret") {
			t.Errorf("%s and %s: %s and %s", c.args, c.cookie, r.Args, r.Headers[0].Value)
		}
	}
	rates := Log{RateBasedRuleList: []Rate{{CustomValues: []RateValue{{"HEADER", "Cookie", "sid=secret"}, {"COOKIE", "other", "seen"}}}}}
	rates.Protect("1", []Protection{cookie})
	if got := rates.RateBasedRuleList[0].CustomValues; got[0].Value != Redacted || got[1].Value != "seen" {
		t.Errorf("keys of a rate-based rule: %+v", got)
	}
	rates.Protect("1", []Protection{{Type: "SINGLE_HEADER", Keys: []string{"cookie"}}})
	if got := rates.RateBasedRuleList[0].CustomValues; got[1].Value != Redacted {
		t.Errorf("a cookie of a protected header: %+v", got)
	}
}

func TestExplanationIsMasked(t *testing.T) {
	v := event().Verdict
	key := []byte("key")
	masked := Explain(v, key, false)
	if len(masked) != 2 {
		t.Fatalf("%d matches, want 2", len(masked))
	}
	first := masked[0]
	if first.Matched != "" || len(first.Hash) != 16 || first.Length != 8 || first.Rule != "counted" || first.Transformations[0] != "URL_DECODE" {
		t.Errorf("got %+v", first)
	}
	second := masked[1]
	if second.Group != "arn:group" || second.Offset != 6 || second.Length != 4 {
		t.Errorf("got %+v", second)
	}
	if src, _ := json.Marshal(masked); strings.Contains(string(src), "AND") || strings.Contains(string(src), "pets") {
		t.Errorf("matched bytes shine through: %s", src)
	}
	raw := Explain(v, key, true)
	if raw[1].Matched != "pets" || raw[1].Hash != second.Hash {
		t.Errorf("raw %+v", raw[1])
	}
	if other := Explain(v, []byte("other"), false); other[0].Hash == first.Hash {
		t.Error("the hash does not depend on the key")
	}
}

func all(string) bool { return true }

func TestSamples(t *testing.T) {
	if none := Samples(event(), "default", func(string) bool { return false }); none != nil {
		t.Errorf("samples that nobody wants: %v", none)
	}
	got := Samples(event(), "default", all)
	if len(got) != 2 {
		t.Fatalf("samples %v", got)
	}
	if s := got["mg"]; s.RuleNameWithinRuleGroup != "ends" || s.Action != "BLOCK" || s.Status != 403 {
		t.Errorf("group's sample %+v", s)
	}
	if s := got["mc"]; s.Action != "COUNT" || s.RuleNameWithinRuleGroup != "" {
		t.Errorf("counting rule's sample %+v", s)
	}
	e := event()
	e.Verdict.Rule, e.Verdict.Action, e.Verdict.Rules = wafrules.DefaultActionRule, wafrules.Allow, nil
	if s, ok := Samples(e, "default", all)["default"]; !ok || s.Action != "ALLOW" {
		t.Errorf("default action's sample %+v", s)
	}
}

func TestFilter(t *testing.T) {
	v := event().Verdict
	action := func(a string) FilterCondition { return FilterCondition{Action: a} }
	label := FilterCondition{Label: "awswaf:x:y"}
	cases := []struct {
		name string
		f    *Filter
		want bool
	}{
		{"none", nil, true},
		{"default drop", &Filter{Drop: true}, false},
		{"blocked", &Filter{Drop: true, Rules: []FilterRule{{Conditions: []FilterCondition{action("BLOCK")}}}}, true},
		{"counted by a rule", &Filter{Drop: true, Rules: []FilterRule{{Conditions: []FilterCondition{action("COUNT")}}}}, true},
		{"excluded", &Filter{Drop: true, Rules: []FilterRule{{Conditions: []FilterCondition{action("EXCLUDED_AS_COUNT")}}}}, true},
		{"all of two", &Filter{Drop: true, Rules: []FilterRule{{Conditions: []FilterCondition{action("ALLOW"), label}}}}, false},
		{"any of two", &Filter{Drop: true, Rules: []FilterRule{{Any: true, Conditions: []FilterCondition{action("ALLOW"), label}}}}, true},
		{"first decides", &Filter{Rules: []FilterRule{{Drop: true, Conditions: []FilterCondition{label}}, {Conditions: []FilterCondition{action("BLOCK")}}}}, false},
	}
	for _, c := range cases {
		if got := c.f.Keeps(v); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
