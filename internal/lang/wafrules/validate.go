package wafrules

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Limits of the service that are structural (reference/wafv2.md section 4).
const (
	MaxCapacity = 5000 // WCU of a web ACL or rule group

	maxReferences          = 50
	maxRateRulesInACL      = 10
	maxRateRulesInGroup    = 4
	maxInsertedPerAction   = 10
	maxInsertedInContainer = 100
	maxBodies              = 50
	maxBodyBytes           = 4096
	maxBodiesBytes         = 50 * 1024
	maxNesting             = 200 // ours: bounds recursion, far above what a request body can state
	maxOverrides           = 100
)

// Checks tells Validate what it cannot see in the rules.
type Checks struct {
	References References
	// AllowImplicitOversize suppresses the warning about components without
	// OversizeHandling, as the tag WAF:OversizeFieldsHandlingConstraintOptOut does.
	AllowImplicitOversize bool
}

// A validator checks the rules of one container.
type validator struct {
	Checks
	inGroup    bool
	bodies     map[string]CustomResponseBody
	inserted   int
	references int
	rateRules  int
	// boundedBody is set once a rule has blocked large bodies.
	boundedBody bool
}

// ValidateWebACL checks everything that the service checks in a web ACL and returns the
// first violation as an *Error, or nil and the capacity that the rules use.
func ValidateWebACL(acl *WebACL, c Checks) (capacity int64, err error) {
	v := &validator{Checks: c, bodies: acl.CustomResponseBodies}
	if err := v.bodiesOK(); err != nil {
		return 0, err
	}
	if err := v.visibility(acl.VisibilityConfig); err != nil {
		return 0, err
	}
	if err := v.defaultAction(acl.DefaultAction); err != nil {
		return 0, err
	}
	if err := acl.inspectionLimitOK(); err != nil {
		return 0, err
	}
	if err := v.rules(acl.Rules); err != nil {
		return 0, err
	}
	capacity, err = Capacity(acl.Rules, c.References)
	if err == nil && capacity > MaxCapacity {
		err = limit("NUM_CAPACITY_UNITS_IN_WEB_ACL")
	}
	return capacity, err
}

// ValidateRuleGroup checks a rule group likewise; its rules must fit its Capacity.
func ValidateRuleGroup(g *RuleGroup, c Checks) (capacity int64, err error) {
	v := &validator{Checks: c, inGroup: true, bodies: g.CustomResponseBodies}
	if err := v.bodiesOK(); err != nil {
		return 0, err
	}
	if err := v.visibility(g.VisibilityConfig); err != nil {
		return 0, err
	}
	if err := v.rules(g.Rules); err != nil {
		return 0, err
	}
	if g.Capacity > MaxCapacity {
		return 0, limit("NUM_CAPACITY_UNITS_IN_RULE_GROUP")
	}
	capacity, err = Capacity(g.Rules, c.References)
	if err == nil && capacity > g.Capacity {
		err = limit("NUM_CAPACITY_UNITS_IN_RULE_GROUP")
	}
	return capacity, err
}

// ValidateRules checks rules outside a container, as CheckCapacity does.
func ValidateRules(rules []Rule, c Checks) error {
	return (&validator{Checks: c}).rules(rules)
}

func (v *validator) bodiesOK() error {
	if len(v.bodies) > maxBodies {
		return limit("NUM_CUSTOM_RESPONSE_BODY_IN_CONTAINER")
	}
	total := 0
	for name, b := range v.bodies {
		if !slices.Contains([]string{"TEXT_PLAIN", "TEXT_HTML", "APPLICATION_JSON"}, b.ContentType) {
			return Invalid(reasonUnsupported, "RESPONSE_CONTENT_TYPE", b.ContentType)
		}
		if len(b.Content) == 0 || len(b.Content) > maxBodyBytes {
			return Invalid(reasonOutOfBounds, "CUSTOM_RESPONSE_BODY", name)
		}
		total += len(b.Content)
	}
	if total > maxBodiesBytes {
		return limit("TOTAL_SIZE_CUSTOM_RESPONSE_BODY_IN_CONTAINER_IN_KB")
	}
	return nil
}

var metricName = regexp.MustCompile(`^[\w#:.\-/]{1,255}$`)

func (v *validator) visibility(c *VisibilityConfig) error {
	switch {
	case c == nil:
		return Invalid(reasonMissing, "METRIC_NAME", "VisibilityConfig")
	case c.MetricName == "All" || c.MetricName == "Default_Action" || !metricName.MatchString(c.MetricName):
		return Invalid(reasonMetricName, "METRIC_NAME", c.MetricName)
	}
	return nil
}

func (v *validator) rules(rules []Rule) error {
	names, priorities := map[string]bool{}, map[int32]bool{}
	for i := range rules {
		r := &rules[i]
		switch {
		case r.Name == "":
			return Invalid(reasonMissing, "RULE", "Name")
		case r.Priority == nil:
			return Invalid(reasonMissing, "RULE", "Priority")
		case *r.Priority < 0:
			return Invalid(reasonOutOfBounds, "RULE", strconv.Itoa(int(*r.Priority)))
		case priorities[*r.Priority]:
			return Invalid(reasonPriority, "RULE", strconv.Itoa(int(*r.Priority)))
		case names[r.Name]:
			return Invalid(reasonDuplicate, "RULE", r.Name)
		}
		names[r.Name], priorities[*r.Priority] = true, true
	}
	for _, r := range byPriority(rules) {
		if err := v.rule(r); err != nil {
			return err
		}
	}
	return v.totals()
}

// byPriority returns the rules in the order of their evaluation.
func byPriority(rules []Rule) []*Rule {
	sorted := make([]*Rule, len(rules))
	for i := range rules {
		sorted[i] = &rules[i]
	}
	slices.SortStableFunc(sorted, func(a, b *Rule) int { return int(*a.Priority) - int(*b.Priority) })
	return sorted
}

func (v *validator) totals() error {
	switch {
	case v.references > maxReferences:
		return limit("NUM_REFERENCED_STATEMENT_IN_CONTAINER")
	case v.inGroup && v.rateRules > maxRateRulesInGroup:
		return limit("NUM_RATEBASED_STATEMENT_IN_RULE_GROUP")
	case !v.inGroup && v.rateRules > maxRateRulesInACL:
		return limit("NUM_RATEBASED_STATEMENT_IN_WEBACL")
	case v.inserted > maxInsertedInContainer:
		return limit("NUM_CUSTOM_REQUEST_HTTPHEADER_IN_CONTAINER")
	}
	return nil
}

func (v *validator) rule(r *Rule) error {
	if err := v.visibility(r.VisibilityConfig); err != nil {
		return err
	}
	if r.Statement == nil {
		return Invalid(reasonMissing, "STATEMENT", r.Name)
	}
	isGroup := r.Statement.RuleGroupReference != nil || r.Statement.ManagedRuleGroup != nil
	if isGroup != (r.OverrideAction != nil) || isGroup == (r.Action != nil) || isGroup && len(r.RuleLabels) > 0 {
		return Invalid(reasonReference, "RULE", r.Name)
	}
	if err := v.labels(r.RuleLabels); err != nil {
		return err
	}
	if r.OverrideAction != nil && (r.OverrideAction.Count == nil) == (r.OverrideAction.None == nil) {
		return Invalid(reasonExactlyOne, "OVERRIDE_ACTION", r.Name)
	}
	if r.Action != nil {
		if err := v.action(r.Action); err != nil {
			return err
		}
		if r.Statement.RateBased != nil && r.Action.Allow != nil {
			return Invalid(reasonUnsupported, "RULE_ACTION", "Allow")
		}
	}
	if err := v.statement(r.Statement, 0); err != nil {
		return err
	}
	if s := r.Statement.SizeConstraint; s != nil && r.Action.Block != nil && s.FieldToMatch.Body != nil && (s.ComparisonOperator == "GT" || s.ComparisonOperator == "GE") {
		v.boundedBody = true
	}
	return nil
}

var reservedLabelParts = []string{"awswaf", "aws", "waf", "rulegroup", "webacl", "regexpatternset", "ipset", "managed"}

var labelPart = regexp.MustCompile(`^[0-9A-Za-z_\-]{1,128}$`)

func (v *validator) labels(labels []Label) error {
	seen := map[string]bool{}
	for _, l := range labels {
		parts := strings.Split(l.Name, ":")
		if len(parts) > 8 || len(l.Name) > 1024 {
			return Invalid(reasonOutOfBounds, "RULE", l.Name)
		}
		for _, p := range parts {
			if !labelPart.MatchString(p) || slices.Contains(reservedLabelParts, p) {
				return Invalid(reasonFormat, "RULE", l.Name)
			}
		}
		if seen[l.Name] {
			return Invalid(reasonDuplicate, "RULE", l.Name)
		}
		seen[l.Name] = true
	}
	return nil
}

// exactlyOne reports whether one of the given members is set.
func exactlyOne(set ...bool) bool {
	n := 0
	for _, s := range set {
		if s {
			n++
		}
	}
	return n == 1
}

func (v *validator) defaultAction(a *DefaultAction) error {
	if a == nil || !exactlyOne(a.Allow != nil, a.Block != nil) {
		return Invalid(reasonExactlyOne, "DEFAULT_ACTION", "DefaultAction")
	}
	return v.action(&RuleAction{Allow: a.Allow, Block: a.Block})
}

func (v *validator) action(a *RuleAction) error {
	if !exactlyOne(a.Allow != nil, a.Block != nil, a.Count != nil, a.Captcha != nil, a.Challenge != nil) {
		return Invalid(reasonExactlyOne, "RULE_ACTION", "RuleAction")
	}
	if a.Block != nil {
		return v.customResponse(a.Block.CustomResponse)
	}
	for _, c := range []*CustomAction{a.Allow, a.Count, a.Captcha, a.Challenge} {
		if c != nil && c.CustomRequestHandling != nil {
			return v.insertHeaders(c.CustomRequestHandling.InsertHeaders)
		}
	}
	return nil
}

var headerName = regexp.MustCompile(`^[a-zA-Z0-9._$-]{1,64}$`)

func (v *validator) insertHeaders(hs []CustomHTTPHeader) error {
	if len(hs) == 0 {
		return Invalid(reasonMissing, "CUSTOM_REQUEST_HANDLING", "InsertHeaders")
	}
	if len(hs) > maxInsertedPerAction {
		return limit("NUM_CUSTOM_REQUEST_HTTPHEADER_IN_CONTAINER")
	}
	v.inserted += len(hs)
	return v.headers(hs, "CUSTOM_REQUEST_HANDLING")
}

func (v *validator) headers(hs []CustomHTTPHeader, field string) error {
	seen := map[string]bool{}
	for _, h := range hs {
		name := strings.ToLower(h.Name)
		switch {
		case !headerName.MatchString(h.Name):
			return Invalid(reasonFormat, field, h.Name)
		case h.Value == "" || len(h.Value) > 255 || strings.ContainsAny(h.Value, "\r\n\x00"):
			return Invalid(reasonFormat, field, h.Value)
		case seen[name]:
			return Invalid(reasonDuplicate, field, h.Name)
		}
		seen[name] = true
	}
	return nil
}

// responseCodes are the statuses that a custom response may have (section 8).
var responseCodes = []int32{200, 201, 202, 204, 206, 300, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 408, 409,
	411, 412, 413, 414, 415, 416, 421, 429, 500, 501, 502, 503, 504, 505}

func (v *validator) customResponse(c *CustomResponse) error {
	if c == nil {
		return nil
	}
	if !slices.Contains(responseCodes, c.ResponseCode) {
		return Invalid(reasonUnsupported, "CUSTOM_RESPONSE", fmt.Sprint(c.ResponseCode))
	}
	if _, ok := v.bodies[c.CustomResponseBodyKey]; c.CustomResponseBodyKey != "" && !ok {
		return Invalid(reasonReference, "CUSTOM_RESPONSE", c.CustomResponseBodyKey)
	}
	if len(c.ResponseHeaders) > maxInsertedPerAction {
		return limit("NUM_CUSTOM_REQUEST_HTTPHEADER_IN_CONTAINER")
	}
	for _, h := range c.ResponseHeaders {
		if strings.EqualFold(h.Name, "content-type") {
			return Invalid(reasonUnsupported, "CUSTOM_RESPONSE", h.Name)
		}
	}
	v.inserted += len(c.ResponseHeaders)
	return v.headers(c.ResponseHeaders, "CUSTOM_RESPONSE")
}
