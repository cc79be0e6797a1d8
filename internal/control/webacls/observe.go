package webacls

import (
	"context"
	"net/netip"
	"time"

	"gatehouse/internal/awsapi/gen/wafv2"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/lang/wafrules"
	"gatehouse/internal/lang/wafrules/record"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// sampleAge is how long samples are kept.
const sampleAge = 3 * time.Hour

// GetSampledRequests returns samples of a rule or of the default action.
func (s *WebACLs) GetSampledRequests(ctx context.Context, in *wafv2.GetSampledRequestsInput) (*wafv2.GetSampledRequestsOutput, error) {
	acl, err := view(ctx, s, func(tx *store.Tx) (store.Item[model.WebACL], error) {
		if err := regional(in.Scope); err != nil {
			return store.Item[model.WebACL]{}, err
		}
		return acls.byARN(ctx, tx, *in.WebAclArn)
	})
	if err != nil {
		return nil, err
	}
	from, to := *in.TimeWindow.StartTime, *in.TimeWindow.EndTime
	if oldest := s.now().Add(-sampleAge); from.Before(oldest) {
		from = oldest
	}
	if to.Before(from) {
		return nil, translate(invalid("The parameter value is out of bounds.", "ENTITY_LIMIT", "TimeWindow"))
	}
	out := &wafv2.GetSampledRequestsOutput{SampledRequests: []wafv2.SampledHTTPRequest{}, PopulationSize: opt.Of(int64(0)), TimeWindow: &wafv2.TimeWindow{StartTime: &from, EndTime: &to}}
	if s.Traffic == nil {
		return out, nil
	}
	samples, population := s.Traffic.Sampled(acl.Value.ARN, *in.RuleMetricName, from, to, int(*in.MaxItems))
	out.PopulationSize = &population
	for i := range samples {
		out.SampledRequests = append(out.SampledRequests, wireSample(&samples[i], max(1, population/int64(len(samples)))))
	}
	return out, nil
}

func wireSample(s *record.Sample, weight int64) wafv2.SampledHTTPRequest {
	r := &s.Request
	uri := r.URI
	if r.Args != "" {
		uri += "?" + r.Args
	}
	out := wafv2.SampledHTTPRequest{Weight: &weight, Timestamp: &s.Time, Action: &s.Action, RuleNameWithinRuleGroup: opt.NonZero(s.RuleNameWithinRuleGroup),
		OverriddenAction: opt.NonZero(s.OverriddenAction), ResponseCodeSent: opt.NonZero(int32(s.Status)), RequestHeadersInserted: wireHeaders(s.Inserted),
		Request: &wafv2.HTTPRequest{ClientIP: &r.ClientIP, Country: &r.Country, URI: &uri, Method: &r.HTTPMethod, HTTPVersion: &r.HTTPVersion, Headers: wireHeaders(r.Headers)}}
	for _, l := range s.Labels {
		out.Labels = append(out.Labels, wafv2.Label{Name: &l})
	}
	switch s.Action {
	case string(wafrules.Captcha):
		out.CaptchaResponse = &wafv2.CaptchaResponse{ResponseCode: opt.Of(int32(405)), SolveTimestamp: opt.Of(int64(0)), FailureReason: opt.Of(wafv2.FailureReasonTokenMissing)}
	case string(wafrules.Challenge):
		out.ChallengeResponse = &wafv2.ChallengeResponse{ResponseCode: opt.Of(int32(202)), SolveTimestamp: opt.Of(int64(0)), FailureReason: opt.Of(wafv2.FailureReasonTokenMissing)}
	}
	return out
}

func wireHeaders(hs []record.Header) []wafv2.HTTPHeader {
	var out []wafv2.HTTPHeader
	for _, h := range hs {
		out = append(out, wafv2.HTTPHeader{Name: &h.Name, Value: &h.Value})
	}
	return out
}

// rateRule finds a rate-based statement and the identity of its counter.
func rateRule(refs func(arn string) ([]wafrules.Rule, error), acl *model.WebACL, in *wafv2.GetRateBasedStatementManagedKeysInput) (*wafrules.RateBasedStatement, string, error) {
	parsed, err := wafrules.ParseWebACL(acl.Definition)
	if err != nil {
		return nil, "", err
	}
	rule := named(parsed.Rules, *in.RuleName)
	via := ""
	if rule != nil && in.RuleGroupRuleName != nil {
		if rule.Statement.RuleGroupReference == nil {
			return nil, "", nonexistent()
		}
		rules, err := refs(rule.Statement.RuleGroupReference.ARN)
		if err != nil {
			return nil, "", err
		}
		via, rule = rule.Name, named(rules, *in.RuleGroupRuleName)
	}
	if rule == nil || rule.Statement.RateBased == nil {
		return nil, "", nonexistent()
	}
	return rule.Statement.RateBased, wafrules.CounterID(acl.ARN, via, rule.Name, rule.Statement.RateBased), nil
}

func named(rules []wafrules.Rule, name string) *wafrules.Rule {
	for i := range rules {
		if rules[i].Name == name {
			return &rules[i]
		}
	}
	return nil
}

// GetRateBasedStatementManagedKeys lists the addresses that a rate-based rule limits.
func (s *WebACLs) GetRateBasedStatementManagedKeys(ctx context.Context, in *wafv2.GetRateBasedStatementManagedKeysInput) (*wafv2.GetRateBasedStatementManagedKeysOutput, error) {
	var counter string
	if _, err := view(ctx, s, func(tx *store.Tx) (struct{}, error) {
		if err := regional(in.Scope); err != nil {
			return struct{}{}, err
		}
		acl, err := acls.get(ctx, tx, in.WebACLName, in.WebACLId)
		if err != nil {
			return struct{}{}, err
		}
		rate, id, err := rateRule(func(arn string) ([]wafrules.Rule, error) {
			group, err := groups.byARN(ctx, tx, arn)
			if err != nil {
				return nil, err
			}
			parsed, err := wafrules.ParseRuleGroup(group.Value.Definition)
			if err != nil {
				return nil, err
			}
			return parsed.Rules, nil
		}, &acl.Value, in)
		if err == nil && rate.AggregateKeyType != "IP" && rate.AggregateKeyType != "FORWARDED_IP" {
			err = wafv2.WAFUnsupportedAggregateKeyTypeException("The rule that you've named doesn't aggregate solely on the IP address or solely on the forwarded IP address. This call is only available for rate-based rules with an AggregateKeyType setting of IP or FORWARDED_IP.")
		}
		counter = id
		return struct{}{}, err
	}); err != nil {
		return nil, err
	}
	var addresses []netip.Addr
	if s.Traffic != nil {
		addresses = s.Traffic.Limited(counter, s.now())
	}
	return &wafv2.GetRateBasedStatementManagedKeysOutput{ManagedKeysIPV4: limited("IPV4", addresses), ManagedKeysIPV6: limited("IPV6", addresses)}, nil
}

// limited lists the addresses of one version as single-address ranges.
func limited(version wafv2.IPAddressVersion, addresses []netip.Addr) *wafv2.RateBasedStatementManagedKeysIPSet {
	set := &wafv2.RateBasedStatementManagedKeysIPSet{IPAddressVersion: &version, Addresses: []string{}}
	for _, a := range addresses {
		if a.Is4() == (version == "IPV4") {
			set.Addresses = append(set.Addresses, netip.PrefixFrom(a, a.BitLen()).String())
		}
	}
	return set
}
