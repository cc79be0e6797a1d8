package wafrules

import "gatehouse/internal/lang/wafrules/transform"

// Action is what a rule does with a request, as logs name it.
type Action string

// The actions.
const (
	Allow     Action = "ALLOW"
	Block     Action = "BLOCK"
	Count     Action = "COUNT"
	Captcha   Action = "CAPTCHA"
	Challenge Action = "CHALLENGE"
)

// DefaultActionRule stands for the rule when none ended the evaluation.
const DefaultActionRule = "Default_Action"

// action is a compiled RuleAction.
type action struct {
	kind     Action
	response *Response
	insert   []Header // with their prefix
}

// A Response is what the owner of a rule wants to be sent for a block.
type Response struct {
	Status      int
	ContentType string // "" without a body
	Body        string
	Header      []Header
}

// insertPrefix is put before the names of inserted headers, so that none can replace
// a header of the client.
const insertPrefix = "x-amzn-waf-"

var contentTypes = map[string]string{"TEXT_PLAIN": "text/plain", "TEXT_HTML": "text/html", "APPLICATION_JSON": "application/json"}

func newAction(a *RuleAction, bodies map[string]CustomResponseBody) action {
	var out action
	var custom *CustomAction
	switch {
	case a.Block != nil:
		out.kind = Block
		if c := a.Block.CustomResponse; c != nil {
			body := bodies[c.CustomResponseBodyKey]
			out.response = &Response{Status: int(c.ResponseCode), ContentType: contentTypes[body.ContentType], Body: body.Content}
			for _, h := range c.ResponseHeaders {
				out.response.Header = append(out.response.Header, Header(h))
			}
		}
		return out
	case a.Allow != nil:
		out.kind, custom = Allow, a.Allow
	case a.Count != nil:
		out.kind, custom = Count, a.Count
	case a.Captcha != nil:
		out.kind, custom = Captcha, a.Captcha
	default:
		out.kind, custom = Challenge, a.Challenge
	}
	if custom.CustomRequestHandling != nil {
		for _, h := range custom.CustomRequestHandling.InsertHeaders {
			out.insert = append(out.insert, Header{insertPrefix + h.Name, h.Value})
		}
	}
	return out
}

// A Verdict is the outcome of one evaluation. Its slices and strings belong to the
// Scratch and are valid until it is used or released again.
type Verdict struct {
	// Action is Allow, Block, Captcha or Challenge.
	Action Action
	// Rule is the name of the web ACL's rule that ended the evaluation, or
	// DefaultActionRule.
	Rule string
	// RuleType is REGULAR, RATE_BASED, GROUP or MANAGED_RULE_GROUP.
	RuleType string
	// Response is the custom response of a block, or nil.
	Response *Response
	// Insert lists headers to add to the request when it goes on, names with prefix.
	Insert []Header

	Labels []string
	// Rules lists every rule whose statement was true, in order.
	Rules []RuleMatch
	// Groups lists the rule groups that were evaluated, in order.
	Groups []GroupResult
	// Rates lists the rate-based rules that limit the request or lacked a key.
	Rates []RateMatch
	// Matches says what made statements true; rules refer to ranges of it.
	Matches []Match

	OversizeBody, OversizeJSON, OversizeHeaders, OversizeCookies bool
}

// A RuleMatch is a rule whose statement was true.
type RuleMatch struct {
	Name   string
	Metric string
	// Group is the index in Verdict.Groups of the group that holds the rule, or -1.
	Group  int
	Action Action
	// Overridden is the rule's own action when the ACL changed it, else "".
	Overridden Action
	// Excluded says that ExcludedRules changed it.
	Excluded bool
	// Terminating says that the rule ended the evaluation of its group or ACL.
	Terminating bool
	RateBased   bool
	Sampled     bool // the rule's sampling is on
	// Matches is the range [From, To) of Verdict.Matches.
	From, To int
}

// A GroupResult is a rule group that was evaluated.
type GroupResult struct {
	ID      string // as in logs
	Rule    string // of the ACL, that refers to it
	Managed bool
	// Outcome is what the group decided: "" if none of its rules ended it.
	Outcome Action
	// Counted says that OverrideAction turned the outcome into Count.
	Counted bool
}

// A Match says what made a statement true.
type Match struct {
	Statement       string // place in the rule: "And/1/ByteMatch"
	Location        string // component as in logs, "" for a statement without one
	Component       string // component in full: "header:user-agent"
	Name            string // of the header or argument, when there are several
	Transformations []transform.Type
	Value           string // transformed; "" when no value was inspected
	Start, End      int    // of the match in Value
	Condition       string // SQL_INJECTION, XSS or ""
	Sensitivity     string
}
