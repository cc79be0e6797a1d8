// Package record turns a verdict of the firewall into what people read: the log record in
// AWS's format, a sampled request, and the explanation of what matched.
//
// The gateway calls it after an evaluation, while the Verdict is still valid; everything that is
// returned owns its memory. It has no state.
//
// Formats: reference/wafv2.md section 10.
package record

import (
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/lang/wafrules"
)

// maxLabels is how many labels of a request are recorded.
const maxLabels = 100

// An Event is one evaluated request.
type Event struct {
	Request *wafrules.Request
	Verdict *wafrules.Verdict
	WebACL  string // ARN
	// Source names the stage: "account:api:stage".
	Source    string
	RequestID string
	Country   string // of the client, "" if not known
	// Status is what the client was sent instead of the backend's answer, 0 if the request
	// went on.
	Status int
}

// A Log is one log record.
type Log struct {
	Timestamp                   int64            `json:"timestamp"` // milliseconds
	FormatVersion               int              `json:"formatVersion"`
	WebACLID                    string           `json:"webaclId"`
	TerminatingRuleID           string           `json:"terminatingRuleId"`
	TerminatingRuleType         string           `json:"terminatingRuleType"`
	Action                      string           `json:"action"`
	TerminatingRuleMatchDetails []MatchDetail    `json:"terminatingRuleMatchDetails"`
	HTTPSourceName              string           `json:"httpSourceName"`
	HTTPSourceID                string           `json:"httpSourceId"`
	RuleGroupList               []Group          `json:"ruleGroupList"`
	RateBasedRuleList           []Rate           `json:"rateBasedRuleList"`
	NonTerminatingMatchingRules []Rule           `json:"nonTerminatingMatchingRules"`
	RequestHeadersInserted      []Header         `json:"requestHeadersInserted"`
	ResponseCodeSent            *int             `json:"responseCodeSent"`
	HTTPRequest                 HTTPRequest      `json:"httpRequest"`
	Labels                      []Label          `json:"labels,omitempty"`
	OversizeFields              []string         `json:"oversizeFields,omitempty"`
	CaptchaResponse             *PuzzleResponse  `json:"captchaResponse,omitempty"`
	ChallengeResponse           *PuzzleResponse  `json:"challengeResponse,omitempty"`
	Explanation                 []ExplainedMatch `json:"explanation,omitempty"` // ours, by option
}

// A MatchDetail says what a SQL injection or XSS statement found.
type MatchDetail struct {
	ConditionType    string   `json:"conditionType"`
	SensitivityLevel string   `json:"sensitivityLevel,omitempty"`
	Location         string   `json:"location"`
	MatchedData      []string `json:"matchedData"`
}

// A Group is a rule group that was evaluated.
type Group struct {
	RuleGroupID                 string         `json:"ruleGroupId"`
	TerminatingRule             *Rule          `json:"terminatingRule"`
	NonTerminatingMatchingRules []Rule         `json:"nonTerminatingMatchingRules"`
	ExcludedRules               []ExcludedRule `json:"excludedRules"`
	CustomerConfig              *string        `json:"customerConfig"`
}

// A Rule is a rule that matched.
type Rule struct {
	RuleID            string          `json:"ruleId"`
	Action            string          `json:"action"`
	RuleMatchDetails  []MatchDetail   `json:"ruleMatchDetails"`
	OverriddenAction  string          `json:"overriddenAction,omitempty"`
	CaptchaResponse   *PuzzleResponse `json:"captchaResponse,omitempty"`
	ChallengeResponse *PuzzleResponse `json:"challengeResponse,omitempty"`
}

// An ExcludedRule is a rule whose action was set to Count in the old way.
type ExcludedRule struct {
	ExclusionType string `json:"exclusionType"`
	RuleID        string `json:"ruleId"`
}

// A Rate is a rate-based rule that saw the request.
type Rate struct {
	RateBasedRuleID     string      `json:"rateBasedRuleId"`
	RateBasedRuleName   string      `json:"rateBasedRuleName"`
	LimitKey            string      `json:"limitKey"`
	LimitValue          string      `json:"limitValue,omitempty"`
	MaxRateAllowed      int64       `json:"maxRateAllowed"`
	EvaluationWindowSec string      `json:"evaluationWindowSec"` // a string, as the service has it
	CustomValues        []RateValue `json:"customValues,omitempty"`
}

// A RateValue is one part of a custom aggregation key.
type RateValue struct {
	Key   string `json:"key"`
	Name  string `json:"name,omitempty"`
	Value string `json:"value"`
}

// A Header is a header line.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// A Label is a label.
type Label struct {
	Name string `json:"name"`
}

// An HTTPRequest describes the request.
type HTTPRequest struct {
	ClientIP    string   `json:"clientIp"`
	Country     string   `json:"country"`
	Headers     []Header `json:"headers"`
	URI         string   `json:"uri"`
	Args        string   `json:"args"`
	HTTPVersion string   `json:"httpVersion"`
	HTTPMethod  string   `json:"httpMethod"`
	RequestID   string   `json:"requestId"`
}

// A PuzzleResponse says why a CAPTCHA or challenge was sent.
type PuzzleResponse struct {
	ResponseCode   int    `json:"responseCode"`
	SolveTimestamp int64  `json:"solveTimestamp"`
	FailureReason  string `json:"failureReason"`
}

// rateKinds spell aggregate key types as logs do.
var rateKinds = map[string]string{"CUSTOM_KEYS": "CUSTOMKEYS"}

// maxRateValue is how much of a value is recorded, in bytes.
const maxRateValue = 32

// New makes the log record of e, before anything is Redacted.
func New(e *Event) *Log {
	v, r := e.Verdict, e.Request
	l := &Log{
		Timestamp: r.Time.UnixMilli(), FormatVersion: 1, WebACLID: e.WebACL,
		TerminatingRuleID: v.Rule, TerminatingRuleType: v.RuleType, Action: string(v.Action),
		TerminatingRuleMatchDetails: []MatchDetail{}, HTTPSourceName: "APIGW", HTTPSourceID: e.Source,
		RuleGroupList: groups(v), RateBasedRuleList: rates(v), NonTerminatingMatchingRules: []Rule{},
		HTTPRequest: HTTPRequest{ClientIP: r.ClientIP.String(), Country: orDash(e.Country), URI: strings.Clone(r.Path), Args: strings.Clone(r.Query),
			HTTPVersion: r.Version, HTTPMethod: r.Method, RequestID: e.RequestID, Headers: headers(r.Header)},
		OversizeFields: oversize(v),
	}
	for i := range v.Rules {
		switch m := &v.Rules[i]; {
		case m.Group >= 0:
		case m.Terminating:
			l.TerminatingRuleMatchDetails = details(v, m)
		default:
			l.NonTerminatingMatchingRules = append(l.NonTerminatingMatchingRules, newRule(v, m))
		}
	}
	if len(v.Insert) > 0 {
		l.RequestHeadersInserted = headers(v.Insert)
	}
	if e.Status != 0 {
		l.ResponseCodeSent = &e.Status
	}
	for _, name := range v.Labels[:min(len(v.Labels), maxLabels)] {
		l.Labels = append(l.Labels, Label{strings.Clone(name)})
	}
	l.CaptchaResponse, l.ChallengeResponse = puzzle(v.Action)
	return l
}

func orDash(country string) string {
	if country == "" {
		return "-"
	}
	return country
}

func headers(hs []wafrules.Header) []Header {
	out := make([]Header, len(hs))
	for i, h := range hs {
		out[i] = Header{strings.Clone(h.Name), strings.Clone(h.Value)}
	}
	return out
}

// puzzle is what a client without a token gets.
func puzzle(a wafrules.Action) (captcha, challenge *PuzzleResponse) {
	switch a {
	case wafrules.Captcha:
		return &PuzzleResponse{405, 0, "TOKEN_MISSING"}, nil
	case wafrules.Challenge:
		return nil, &PuzzleResponse{202, 0, "TOKEN_MISSING"}
	}
	return nil, nil
}

func newRule(v *wafrules.Verdict, m *wafrules.RuleMatch) Rule {
	r := Rule{RuleID: m.Name, Action: string(m.Action), RuleMatchDetails: details(v, m), OverriddenAction: string(m.Overridden)}
	r.CaptchaResponse, r.ChallengeResponse = puzzle(m.Action)
	return r
}

// details lists what the SQL injection and XSS statements of a rule found.
func details(v *wafrules.Verdict, m *wafrules.RuleMatch) []MatchDetail {
	all := []MatchDetail{}
	for _, match := range v.Matches[m.From:m.To] {
		if match.Condition == "" {
			continue
		}
		all = append(all, MatchDetail{match.Condition, match.Sensitivity, match.Location, tokens(match.Value[match.Start:match.End])})
	}
	return all
}

// maxTokens is how many pieces of a value stand for what a detector saw in it.
const maxTokens = 5

// tokens cuts a value into words and marks, the way that the service shows matched data.
func tokens(s string) []string {
	list := []string{}
	for i := 0; i < len(s) && len(list) < maxTokens; {
		if s[i] <= ' ' {
			i++
			continue
		}
		j := i + 1
		if isWord(s[i]) {
			for j < len(s) && isWord(s[j]) {
				j++
			}
		}
		list = append(list, strings.ToValidUTF8(strings.Clone(s[i:j]), "\ufffd"))
		i = j
	}
	return list
}

func isWord(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c >= 0x80
}

func groups(v *wafrules.Verdict) []Group {
	list := make([]Group, len(v.Groups))
	for i, g := range v.Groups {
		list[i] = Group{RuleGroupID: g.ID, NonTerminatingMatchingRules: []Rule{}}
	}
	for i := range v.Rules {
		m := &v.Rules[i]
		if m.Group < 0 {
			continue
		}
		g := &list[m.Group]
		r := newRule(v, m)
		switch {
		case m.Excluded:
			g.ExcludedRules = append(g.ExcludedRules, ExcludedRule{"EXCLUDED_AS_COUNT", m.Name})
		case m.Terminating:
			g.TerminatingRule = &r
		default:
			g.NonTerminatingMatchingRules = append(g.NonTerminatingMatchingRules, r)
		}
	}
	return list
}

func rates(v *wafrules.Verdict) []Rate {
	list := make([]Rate, 0, len(v.Rates))
	for _, r := range v.Rates {
		out := Rate{RateBasedRuleID: r.ID, RateBasedRuleName: r.Rule, LimitKey: r.Kind, MaxRateAllowed: r.Limit,
			EvaluationWindowSec: strconv.Itoa(int(r.Window / time.Second))}
		if spelt, ok := rateKinds[r.Kind]; ok {
			out.LimitKey = spelt
		}
		if !r.Evaluated {
			out.RateBasedRuleID = "NO_EVALUATION_PERFORMED"
		}
		if r.Kind == "IP" || r.Kind == "FORWARDED_IP" {
			out.LimitValue = "INVALID"
			if r.Address.IsValid() {
				out.LimitValue = r.Address.String()
			}
		}
		for _, value := range r.Values {
			text := strings.ToValidUTF8(value.Value[:min(len(value.Value), maxRateValue)], "")
			out.CustomValues = append(out.CustomValues, RateValue{value.Kind, value.Name, strings.Clone(text)})
		}
		list = append(list, out)
	}
	return list
}

func oversize(v *wafrules.Verdict) []string {
	var list []string
	for _, f := range []struct {
		set  bool
		name string
	}{{v.OversizeBody, "REQUEST_BODY"}, {v.OversizeJSON, "REQUEST_JSON_BODY"}, {v.OversizeHeaders, "REQUEST_HEADERS"}, {v.OversizeCookies, "REQUEST_COOKIES"}} {
		if f.set {
			list = append(list, f.name)
		}
	}
	return list
}
