package domains

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"

	"gatehouse/internal/awsapi"
	v2 "gatehouse/internal/awsapi/gen/apigatewayv2"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

var routingRules = store.Collection[model.RoutingRule]{Kind: model.KindRoutingRule}

// Limits of routing rules (routing-and-integrations, section 3.2), in characters.
const (
	maxHeaderName   = 39
	maxGlob         = 127
	maxInfix        = 39
	maxRuleBasePath = 127
	maxHeaders      = 2 // conditions on headers in a rule
)

// headerName is a token (RFC 9110 section 5.6.2) without the asterisk, which would be taken
// for a wildcard.
var headerName = regexp.MustCompile(`^[!#$%&'+\-.^_|~0-9A-Za-z` + "`" + `]+$`)

// refusedHeaders cannot be conditions; refusedPrefixes begin such names.
var (
	refusedHeaders = []string{"authorization", "connection", "content-encoding", "content-length", "content-location", "forwarded", "keep-alive",
		"origin", "proxy-authenticate", "proxy-authorization", "te", "trailers", "transfer-encoding", "upgrade", "x-forwarded-for", "x-forwarded-host",
		"x-forwarded-proto", "x-restapi", "via"}
	refusedPrefixes = []string{"access-control-", "apigw-", "x-amz-", "x-amzn-", "x-apigw-api-id"}
)

// A ruleInput is what both CreateRoutingRule and PutRoutingRule say.
type ruleInput struct {
	actions    []v2.RoutingRuleAction
	conditions []v2.RoutingRuleCondition
	priority   int32
}

// newRule judges the input and returns the rule, without its id.
func newRule(ctx context.Context, tx *store.Tx, d model.DomainName, in ruleInput) (model.RoutingRule, error) {
	r := model.RoutingRule{Priority: int(in.priority)}
	if len(in.actions) != 1 || in.actions[0].InvokeApi == nil {
		return r, badRequest("A routing rule must have exactly one action, which invokes an API")
	}
	a := in.actions[0].InvokeApi
	r.APIID, r.Stage, r.StripBasePath = opt.Value(a.ApiId), opt.Value(a.Stage), opt.Value(a.StripBasePath)
	for _, c := range in.conditions {
		var err error
		switch {
		case (c.MatchHeaders == nil) == (c.MatchBasePaths == nil):
			err = badRequest("A condition must have one of MatchHeaders and MatchBasePaths")
		case c.MatchHeaders != nil:
			err = addHeader(&r, c.MatchHeaders)
		default:
			err = addBasePath(&r, c.MatchBasePaths)
		}
		if err != nil {
			return r, err
		}
	}
	return r, checkTarget(ctx, tx, d, r.APIID, r.Stage)
}

func addHeader(r *model.RoutingRule, m *v2.RoutingRuleMatchHeaders) error {
	if len(m.AnyOf) != 1 {
		return badRequest("MatchHeaders.AnyOf must have exactly one value")
	}
	if len(r.Headers) == maxHeaders {
		return badRequest("A routing rule can have at most two MatchHeaders conditions")
	}
	name, glob := opt.Value(m.AnyOf[0].Header), opt.Value(m.AnyOf[0].ValueGlob)
	lower := strings.ToLower(name)
	refused := func(p string) bool { return strings.HasPrefix(lower, p) }
	switch {
	case !headerName.MatchString(name) || len(name) > maxHeaderName:
		return badRequest("Invalid header " + name + ": want a header name of less than 40 characters without wildcards")
	case slices.Contains(refusedHeaders, lower) || slices.ContainsFunc(refusedPrefixes, refused):
		return badRequest("The header " + name + " cannot be used in a condition of a routing rule")
	}
	infix := strings.TrimSuffix(strings.TrimPrefix(glob, "*"), "*")
	both := len(glob) > 1 && strings.HasPrefix(glob, "*") && strings.HasSuffix(glob, "*")
	if glob == "" || len(glob) > maxGlob || strings.Contains(infix, "*") || both && len(infix) > maxInfix || strings.ContainsFunc(glob, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return badRequest("Invalid header value " + glob + ": want less than 128 characters, with an asterisk at the beginning, the end or both, and then less than 40 between them")
	}
	r.Headers = append(r.Headers, model.HeaderMatch{Header: name, ValueGlob: glob})
	return nil
}

func addBasePath(r *model.RoutingRule, m *v2.RoutingRuleMatchBasePaths) error {
	if len(m.AnyOf) != 1 {
		return badRequest("MatchBasePaths.AnyOf must have exactly one value")
	}
	if r.BasePath != "" {
		return badRequest("A routing rule can have at most one MatchBasePaths condition")
	}
	path := strings.Trim(m.AnyOf[0], "/")
	if path == "" || len(path) > maxRuleBasePath || !basePath.MatchString(path) || strings.Contains(path, "//") {
		return badRequest("Invalid base path " + m.AnyOf[0] + ": want less than 128 ASCII letters, digits and the characters $-_.+!*'()/")
	}
	r.BasePath = path
	return nil
}

// checkPriority refuses a priority that another rule of the domain name has.
func checkPriority(tx *store.Tx, owner store.Scope, r model.RoutingRule) error {
	for other, err := range routingRules.In(tx, owner) {
		if err != nil {
			return err
		}
		if other.Value.Priority == r.Priority && other.Value.ID != r.ID {
			return v2.ConflictException("A routing rule with the same priority exists for this domain name: " + other.Value.ID)
		}
	}
	return nil
}

// CreateRoutingRule makes a rule. Whether it acts is up to the domain name's routing mode.
func (s *DomainNames) CreateRoutingRule(ctx context.Context, in *v2.CreateRoutingRuleInput) (*v2.CreateRoutingRuleOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*v2.CreateRoutingRuleOutput, error) {
		d, owner, err := ruleDomain(ctx, tx, in.DomainName, in.DomainNameId)
		if err != nil {
			return nil, err
		}
		r, err := newRule(ctx, tx, d, ruleInput{in.Actions, in.Conditions, *in.Priority})
		if err != nil {
			return nil, err
		}
		r.ID = model.NewID(10)
		if err := checkPriority(tx, owner, r); err != nil {
			return nil, err
		}
		out := v2.CreateRoutingRuleOutput(wireRule(ctx, d, r))
		return &out, routingRules.Create(tx, owner, r.ID, r)
	})
}

// PutRoutingRule replaces a rule.
func (s *DomainNames) PutRoutingRule(ctx context.Context, in *v2.PutRoutingRuleInput) (*v2.PutRoutingRuleOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*v2.PutRoutingRuleOutput, error) {
		d, owner, err := ruleDomain(ctx, tx, in.DomainName, in.DomainNameId)
		if err != nil {
			return nil, err
		}
		if _, err := routingRules.Get(tx, owner, *in.RoutingRuleId); err != nil {
			return nil, operation.OrElse(err, v2.NotFoundException("Invalid routing rule identifier specified"))
		}
		r, err := newRule(ctx, tx, d, ruleInput{in.Actions, in.Conditions, *in.Priority})
		if err != nil {
			return nil, err
		}
		r.ID = *in.RoutingRuleId
		if err := checkPriority(tx, owner, r); err != nil {
			return nil, err
		}
		out := v2.PutRoutingRuleOutput(wireRule(ctx, d, r))
		return &out, routingRules.Put(tx, owner, r.ID, r)
	})
}

// ruleDomain finds the domain name of a call on rules.
func ruleDomain(ctx context.Context, tx *store.Tx, name, id *string) (model.DomainName, store.Scope, error) {
	d, err := getDomain(ctx, tx, *name, id)
	return d.Value, operation.Scope(ctx).Of(d.Value.DomainName), err
}

func findRule(ctx context.Context, tx *store.Tx, name, nameID *string, id string) (model.DomainName, store.Item[model.RoutingRule], error) {
	d, owner, err := ruleDomain(ctx, tx, name, nameID)
	if err != nil {
		return d, store.Item[model.RoutingRule]{}, err
	}
	r, err := routingRules.Item(tx, owner, id)
	return d, r, operation.OrElse(err, v2.NotFoundException("Invalid routing rule identifier specified"))
}

// GetRoutingRule returns a rule.
func (s *DomainNames) GetRoutingRule(ctx context.Context, in *v2.GetRoutingRuleInput) (*v2.GetRoutingRuleOutput, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*v2.GetRoutingRuleOutput, error) {
		d, r, err := findRule(ctx, tx, in.DomainName, in.DomainNameId, *in.RoutingRuleId)
		if err != nil {
			return nil, err
		}
		out := v2.GetRoutingRuleOutput(wireRule(ctx, d, r.Value))
		return &out, nil
	})
}

// ListRoutingRules lists the rules of a domain name in the order in which they are tried.
func (s *DomainNames) ListRoutingRules(ctx context.Context, in *v2.ListRoutingRulesInput) (*v2.ListRoutingRulesOutput, error) {
	return operation.View(ctx, s.Store, func(tx *store.Tx) (*v2.ListRoutingRulesOutput, error) {
		d, owner, err := ruleDomain(ctx, tx, in.DomainName, in.DomainNameId)
		if err != nil {
			return nil, err
		}
		var all []model.RoutingRule
		for r, err := range routingRules.In(tx, owner) {
			if err != nil {
				return nil, err
			}
			all = append(all, r.Value)
		}
		slices.SortFunc(all, func(a, b model.RoutingRule) int { return cmp.Compare(a.Priority, b.Priority) })
		if after := opt.Value(in.NextToken); after != "" { // the id of the last rule that was shown
			i := slices.IndexFunc(all, func(r model.RoutingRule) bool { return r.ID == after })
			if i < 0 {
				return nil, operation.ListError(store.ErrCursor)
			}
			all = all[i+1:]
		}
		out := &v2.ListRoutingRulesOutput{RoutingRules: []v2.RoutingRule{}}
		limit := int(opt.Or(in.MaxResults, 100))
		for n, r := range all {
			if n == limit {
				out.NextToken = opt.Of(all[n-1].ID)
				break
			}
			out.RoutingRules = append(out.RoutingRules, wireRule(ctx, d, r))
		}
		return out, nil
	})
}

// DeleteRoutingRule deletes a rule.
func (s *DomainNames) DeleteRoutingRule(ctx context.Context, in *v2.DeleteRoutingRuleInput) (*v2.DeleteRoutingRuleOutput, error) {
	return operation.Update(ctx, s.Store, func(tx *store.Tx) (*v2.DeleteRoutingRuleOutput, error) {
		_, r, err := findRule(ctx, tx, in.DomainName, in.DomainNameId, *in.RoutingRuleId)
		if err != nil {
			return nil, err
		}
		return nil, routingRules.Delete(tx, r.Key.Scope(), r.Key.ID)
	})
}

func wireRule(ctx context.Context, d model.DomainName, r model.RoutingRule) v2.RoutingRule {
	call := awsapi.CallFrom(ctx)
	out := v2.RoutingRule{
		RoutingRuleId: &r.ID, Priority: opt.Of(int32(r.Priority)), Conditions: []v2.RoutingRuleCondition{},
		RoutingRuleArn: opt.Of(model.ARN{Partition: "aws", Service: "apigateway", Region: call.Region, Account: call.Account,
			Resource: "/domainnames/" + d.DomainName + "/routingrules/" + r.ID}.String()),
		Actions: []v2.RoutingRuleAction{{InvokeApi: &v2.RoutingRuleActionInvokeApi{ApiId: &r.APIID, Stage: &r.Stage, StripBasePath: &r.StripBasePath}}},
	}
	for _, h := range r.Headers {
		out.Conditions = append(out.Conditions, v2.RoutingRuleCondition{MatchHeaders: &v2.RoutingRuleMatchHeaders{
			AnyOf: []v2.RoutingRuleMatchHeaderValue{{Header: &h.Header, ValueGlob: &h.ValueGlob}}}})
	}
	if r.BasePath != "" {
		out.Conditions = append(out.Conditions, v2.RoutingRuleCondition{MatchBasePaths: &v2.RoutingRuleMatchBasePaths{AnyOf: []string{r.BasePath}}})
	}
	return out
}
