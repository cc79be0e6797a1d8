package webacls_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/wafv2"
	"github.com/aws/aws-sdk-go-v2/service/wafv2/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gatehouse/internal/firewall"
	"gatehouse/internal/lang/wafrules"
	"gatehouse/internal/lang/wafrules/managed"
	"gatehouse/internal/lang/wafrules/record"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

const regional = types.ScopeRegional

var unexported = cmpopts.IgnoreUnexported(types.Rule{}, types.Statement{}, types.ByteMatchStatement{}, types.FieldToMatch{}, types.UriPath{}, types.TextTransformation{},
	types.RuleAction{}, types.BlockAction{}, types.VisibilityConfig{}, types.AllowAction{}, types.AndStatement{}, types.NotStatement{}, types.IPSetReferenceStatement{},
	types.RegexPatternSetReferenceStatement{}, types.JsonBody{}, types.JsonMatchPattern{}, types.All{}, types.SizeConstraintStatement{}, types.RuleGroupReferenceStatement{},
	types.OverrideAction{}, types.NoneAction{}, types.CountAction{}, types.ManagedRuleGroupStatement{}, types.RuleActionOverride{}, types.Label{}, types.RateBasedStatement{},
	types.ForwardedIPConfig{}, types.GeoMatchStatement{}, types.CustomResponse{}, types.CustomHTTPHeader{}, types.RateBasedStatementCustomKey{}, types.RateLimitHeader{},
	types.RateLimitIP{}, types.Headers{}, types.HeaderMatchPattern{}, types.SqliMatchStatement{}, types.LabelMatchStatement{}, types.OrStatement{})

func TestWebACLComesBackAsItWasSent(t *testing.T) {
	s := serve(t)
	ips := must[*sdk.CreateIPSetOutput](t)(s.CreateIPSet(t.Context(), &sdk.CreateIPSetInput{Name: aws.String("office"), Scope: regional, IPAddressVersion: types.IPAddressVersionIpv4, Addresses: []string{"192.0.2.0/24"}}))
	patterns := must[*sdk.CreateRegexPatternSetOutput](t)(s.CreateRegexPatternSet(t.Context(), &sdk.CreateRegexPatternSetInput{Name: aws.String("bad"), Scope: regional,
		RegularExpressionList: []types.Regex{{RegexString: aws.String("ev+il")}}}))
	group := must[*sdk.CreateRuleGroupOutput](t)(s.CreateRuleGroup(t.Context(), &sdk.CreateRuleGroupInput{Name: aws.String("own"), Scope: regional, Capacity: aws.Int64(50),
		VisibilityConfig: visibility("own"), Rules: []types.Rule{rule("inner", 1, pathContains("inner"))}}))
	and := rule("and", 3, &types.Statement{AndStatement: &types.AndStatement{Statements: []types.Statement{
		{NotStatement: &types.NotStatement{Statement: &types.Statement{IPSetReferenceStatement: &types.IPSetReferenceStatement{ARN: ips.Summary.ARN}}}},
		{RegexPatternSetReferenceStatement: &types.RegexPatternSetReferenceStatement{ARN: patterns.Summary.ARN, TextTransformations: none,
			FieldToMatch: &types.FieldToMatch{JsonBody: &types.JsonBody{MatchScope: types.JsonMatchScopeAll, MatchPattern: &types.JsonMatchPattern{All: &types.All{}}, OversizeHandling: types.OversizeHandlingContinue}}}},
	}}})
	and.RuleLabels = []types.Label{{Name: aws.String("ns:and")}}
	and.Action = &types.RuleAction{Block: &types.BlockAction{CustomResponse: &types.CustomResponse{ResponseCode: aws.Int32(429), ResponseHeaders: []types.CustomHTTPHeader{{Name: aws.String("X-A"), Value: aws.String("b")}}}}}
	reference := rule("ref", 5, &types.Statement{RuleGroupReferenceStatement: &types.RuleGroupReferenceStatement{ARN: group.Summary.ARN,
		RuleActionOverrides: []types.RuleActionOverride{{Name: aws.String("inner"), ActionToUse: &types.RuleAction{Count: &types.CountAction{}}}}}})
	reference.Action, reference.OverrideAction = nil, &types.OverrideAction{None: &types.NoneAction{}}
	common := rule("common", 4, &types.Statement{ManagedRuleGroupStatement: &types.ManagedRuleGroupStatement{VendorName: aws.String("AWS"), Name: aws.String("AWSManagedRulesCommonRuleSet"), ScopeDownStatement: pathContains("x")}})
	common.Action, common.OverrideAction = nil, &types.OverrideAction{Count: &types.CountAction{}}
	rate := rule("rate", 9, &types.Statement{RateBasedStatement: &types.RateBasedStatement{Limit: aws.Int64(100), AggregateKeyType: types.RateBasedStatementAggregateKeyTypeForwardedIp, EvaluationWindowSec: 120,
		ForwardedIPConfig: &types.ForwardedIPConfig{HeaderName: aws.String("X-Forwarded-For"), FallbackBehavior: types.FallbackBehaviorMatch}}})
	rules := []types.Rule{and, rule("first", 0, pathContains("first\x00\xff")), reference, common, rate}

	acl := s.newACL(t, "acl", rules...)
	if want := "arn:aws:wafv2:us-east-1:" + account + ":regional/webacl/acl/" + *acl.Id; *acl.ARN != want {
		t.Errorf("ARN %s, want %s", *acl.ARN, want)
	}
	got := must[*sdk.GetWebACLOutput](t)(s.GetWebACL(t.Context(), &sdk.GetWebACLInput{Name: acl.Name, Id: acl.Id, Scope: regional}))
	if diff := cmp.Diff(rules, got.WebACL.Rules, unexported); diff != "" {
		t.Errorf("rules (-sent +got):\n%s", diff)
	}
	// and: 1 + 25*2 (JSON); first: 10; reference: 50; common: 700+10; rate: 2; one label.
	if got.WebACL.Capacity != 1+50+10+50+700+10+2+1 || *got.LockToken != *acl.LockToken || *got.WebACL.LabelNamespace != "awswaf:"+account+":webacl:acl:" {
		t.Errorf("capacity %d, token %s, namespace %s", got.WebACL.Capacity, *got.LockToken, *got.WebACL.LabelNamespace)
	}
	byARN := must[*sdk.GetWebACLOutput](t)(s.GetWebACL(t.Context(), &sdk.GetWebACLInput{ARN: acl.ARN}))
	if *byARN.WebACL.Id != *acl.Id {
		t.Errorf("by ARN: %s", *byARN.WebACL.Id)
	}

	for kind, err := range map[string]error{
		"IP set":   second(s.DeleteIPSet(t.Context(), &sdk.DeleteIPSetInput{Name: ips.Summary.Name, Id: ips.Summary.Id, Scope: regional, LockToken: ips.Summary.LockToken})),
		"patterns": second(s.DeleteRegexPatternSet(t.Context(), &sdk.DeleteRegexPatternSetInput{Name: patterns.Summary.Name, Id: patterns.Summary.Id, Scope: regional, LockToken: patterns.Summary.LockToken})),
		"group":    second(s.DeleteRuleGroup(t.Context(), &sdk.DeleteRuleGroupInput{Name: group.Summary.Name, Id: group.Summary.Id, Scope: regional, LockToken: group.Summary.LockToken})),
	} {
		t.Log(kind)
		wantCode(t, err, "WAFAssociatedItemException")
	}
}

func second[T any](_ T, err error) error { return err }

func TestLockTokens(t *testing.T) {
	s := serve(t)
	acl := s.newACL(t, "acl")
	put := func(token *string) (*sdk.UpdateWebACLOutput, error) {
		return s.UpdateWebACL(t.Context(), &sdk.UpdateWebACLInput{Name: acl.Name, Id: acl.Id, Scope: regional, LockToken: token, DefaultAction: allow, VisibilityConfig: visibility("acl")})
	}
	next := must[*sdk.UpdateWebACLOutput](t)(put(acl.LockToken))
	_, err := put(acl.LockToken)
	wantCode(t, err, "WAFOptimisticLockException")
	_, err = s.DeleteWebACL(t.Context(), &sdk.DeleteWebACLInput{Name: acl.Name, Id: acl.Id, Scope: regional, LockToken: acl.LockToken})
	wantCode(t, err, "WAFOptimisticLockException")
	must[*sdk.DeleteWebACLOutput](t)(s.DeleteWebACL(t.Context(), &sdk.DeleteWebACLInput{Name: acl.Name, Id: acl.Id, Scope: regional, LockToken: next.NextLockToken}))
	_, err = s.GetWebACL(t.Context(), &sdk.GetWebACLInput{Name: acl.Name, Id: acl.Id, Scope: regional})
	wantCode(t, err, "WAFNonexistentItemException")
	s.newACL(t, "acl") // the name is free again
	_, err = s.CreateWebACL(t.Context(), &sdk.CreateWebACLInput{Name: aws.String("acl"), Scope: regional, DefaultAction: allow, VisibilityConfig: visibility("acl")})
	wantCode(t, err, "WAFDuplicateItemException")
}

func TestRefusals(t *testing.T) {
	s := serve(t)
	create := func(change func(*sdk.CreateWebACLInput)) error {
		in := &sdk.CreateWebACLInput{Name: aws.String("acl"), Scope: regional, DefaultAction: allow, VisibilityConfig: visibility("acl")}
		change(in)
		return second(s.CreateWebACL(t.Context(), in))
	}
	body := &types.Statement{ByteMatchStatement: &types.ByteMatchStatement{SearchString: []byte("x"), FieldToMatch: &types.FieldToMatch{Body: &types.Body{}}, TextTransformations: none, PositionalConstraint: types.PositionalConstraintContains}}
	regex := func(p string) *types.Statement {
		return &types.Statement{RegexMatchStatement: &types.RegexMatchStatement{RegexString: &p, FieldToMatch: &types.FieldToMatch{UriPath: &types.UriPath{}}, TextTransformations: none}}
	}
	grouped := func(name, version string) types.Rule {
		r := rule("m", 1, &types.Statement{ManagedRuleGroupStatement: &types.ManagedRuleGroupStatement{VendorName: aws.String("AWS"), Name: &name}})
		if version != "" {
			r.Statement.ManagedRuleGroupStatement.Version = &version
		}
		r.Action, r.OverrideAction = nil, &types.OverrideAction{None: &types.NoneAction{}}
		return r
	}
	both := grouped("AWSManagedRulesCommonRuleSet", "")
	both.Action = blocked
	cases := []struct {
		name, code, field string
		change            func(*sdk.CreateWebACLInput)
	}{
		{"scope", "WAFInvalidParameterException", "SCOPE_VALUE", func(in *sdk.CreateWebACLInput) { in.Scope = types.ScopeCloudfront }},
		{"same priority", "WAFInvalidParameterException", "RULE", func(in *sdk.CreateWebACLInput) {
			in.Rules = []types.Rule{rule("a", 1, pathContains("a")), rule("b", 1, pathContains("b"))}
		}},
		{"empty statement", "WAFInvalidParameterException", "STATEMENT", func(in *sdk.CreateWebACLInput) { in.Rules = []types.Rule{rule("a", 1, &types.Statement{})} }},
		{"two actions", "WAFInvalidParameterException", "RULE", func(in *sdk.CreateWebACLInput) { in.Rules = []types.Rule{both} }},
		{"reserved metric", "WAFInvalidParameterException", "METRIC_NAME", func(in *sdk.CreateWebACLInput) { in.VisibilityConfig = visibility("Default_Action") }},
		{"look-ahead", "WAFInvalidParameterException", "STATEMENT", func(in *sdk.CreateWebACLInput) { in.Rules = []types.Rule{rule("a", 1, regex("a(?=b)"))} }},
		{"missing set", "WAFNonexistentItemException", "", func(in *sdk.CreateWebACLInput) {
			in.Rules = []types.Rule{rule("a", 1, &types.Statement{IPSetReferenceStatement: &types.IPSetReferenceStatement{ARN: aws.String("arn:aws:wafv2:us-east-1:" + account + ":regional/ipset/x/00000000-0000-4000-8000-000000000000")}})}
		}},
		{"unknown group", "WAFNonexistentItemException", "", func(in *sdk.CreateWebACLInput) { in.Rules = []types.Rule{grouped("AWSManagedRulesATPRuleSet", "")} }},
		{"AWS's version", "WAFExpiredManagedRuleGroupVersionException", "", func(in *sdk.CreateWebACLInput) {
			in.Rules = []types.Rule{grouped("AWSManagedRulesCommonRuleSet", "Version_1.0")}
		}},
		{"implicit oversize", "WAFConfigurationWarningException", "", func(in *sdk.CreateWebACLInput) { in.Rules = []types.Rule{rule("a", 1, body)} }},
		{"unknown response body", "WAFInvalidParameterException", "CUSTOM_RESPONSE", func(in *sdk.CreateWebACLInput) {
			in.DefaultAction = &types.DefaultAction{Block: &types.BlockAction{CustomResponse: &types.CustomResponse{ResponseCode: aws.Int32(403), CustomResponseBodyKey: aws.String("k")}}}
		}},
		{"data protection without keys", "WAFInvalidParameterException", "DATA_PROTECTION_CONFIG", func(in *sdk.CreateWebACLInput) {
			in.DataProtectionConfig = &types.DataProtectionConfig{DataProtections: []types.DataProtection{{Action: types.DataProtectionActionHash, Field: &types.FieldToProtect{FieldType: types.FieldToProtectTypeSingleCookie}}}}
		}},
		{"steering tag", "WAFInvalidParameterException", "TAGS", func(in *sdk.CreateWebACLInput) {
			in.Tags = []types.Tag{{Key: aws.String("gatehouse:x"), Value: aws.String("1")}}
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := create(c.change)
			wantCode(t, err, c.code)
			if e, ok := errors.AsType[*types.WAFInvalidParameterException](err); ok && (string(e.Field) != c.field || e.Reason == nil || !strings.Contains(e.ErrorMessage(), *e.Reason)) {
				t.Errorf("field %s, want %s; message %q", e.Field, c.field, e.ErrorMessage())
			}
		})
	}
	if err := create(func(in *sdk.CreateWebACLInput) {
		in.Rules = []types.Rule{rule("a", 1, body)}
		in.Tags = []types.Tag{{Key: aws.String("WAF:OversizeFieldsHandlingConstraintOptOut"), Value: aws.String("true")}}
	}); err != nil {
		t.Errorf("with the opt-out tag: %v", err)
	}
}

func TestCapacity(t *testing.T) {
	s := serve(t)
	check := func(rules ...types.Rule) int64 {
		t.Helper()
		return must[*sdk.CheckCapacityOutput](t)(s.CheckCapacity(t.Context(), &sdk.CheckCapacityInput{Scope: regional, Rules: rules})).Capacity
	}
	url := []types.TextTransformation{{Priority: 0, Type: types.TextTransformationTypeUrlDecode}}
	json := &types.FieldToMatch{JsonBody: &types.JsonBody{MatchScope: types.JsonMatchScopeValue, MatchPattern: &types.JsonMatchPattern{All: &types.All{}}, OversizeHandling: types.OversizeHandlingMatch}}
	sqli := &types.Statement{SqliMatchStatement: &types.SqliMatchStatement{FieldToMatch: json, TextTransformations: url}}
	if got := check(rule("a", 1, sqli)); got != 50 { // the reference's example
		t.Errorf("SQLi LOW on a JSON body with URL_DECODE: %d, want 50", got)
	}
	if got := check(rule("a", 1, sqli), rule("b", 2, sqli)); got != 90 { // the transformation is charged once
		t.Errorf("twice the same: %d, want 90", got)
	}
	if got := check(rule("a", 1, pathContains("x"))); got != 10 {
		t.Errorf("CONTAINS: %d, want 10", got)
	}
	var many []types.Rule
	for i := range int32(501) {
		many = append(many, rule(fmt.Sprint("r", i), i, pathContains("x")))
	}
	_, err := s.CheckCapacity(t.Context(), &sdk.CheckCapacityInput{Scope: regional, Rules: many})
	wantCode(t, err, "WAFLimitsExceededException")
	_, err = s.CreateRuleGroup(t.Context(), &sdk.CreateRuleGroupInput{Name: aws.String("g"), Scope: regional, Capacity: aws.Int64(9), VisibilityConfig: visibility("g"), Rules: []types.Rule{rule("a", 1, pathContains("x"))}})
	wantCode(t, err, "WAFLimitsExceededException")
	if e, ok := errors.AsType[*types.WAFLimitsExceededException](err); !ok || aws.ToString(e.SourceType) != "NUM_CAPACITY_UNITS_IN_RULE_GROUP" {
		t.Errorf("source type of %v", err)
	}
}

func TestAssociation(t *testing.T) {
	s := serve(t)
	stage := s.newStage(t, "abc123", "prod")
	one, two := s.newACL(t, "one"), s.newACL(t, "two")
	none := must[*sdk.GetWebACLForResourceOutput](t)(s.GetWebACLForResource(t.Context(), &sdk.GetWebACLForResourceInput{ResourceArn: &stage}))
	if none.WebACL != nil {
		t.Errorf("a new stage has web ACL %s", *none.WebACL.Name)
	}
	for _, acl := range []*types.WebACLSummary{one, two} { // the second replaces the first
		must[*sdk.AssociateWebACLOutput](t)(s.AssociateWebACL(t.Context(), &sdk.AssociateWebACLInput{WebACLArn: acl.ARN, ResourceArn: &stage}))
	}
	got := must[*sdk.GetWebACLForResourceOutput](t)(s.GetWebACLForResource(t.Context(), &sdk.GetWebACLForResourceInput{ResourceArn: &stage}))
	if *got.WebACL.Name != "two" {
		t.Errorf("web ACL %s, want two", *got.WebACL.Name)
	}
	for acl, want := range map[*types.WebACLSummary]int{one: 0, two: 1} {
		list := must[*sdk.ListResourcesForWebACLOutput](t)(s.ListResourcesForWebACL(t.Context(), &sdk.ListResourcesForWebACLInput{WebACLArn: acl.ARN, ResourceType: types.ResourceTypeApiGateway}))
		if len(list.ResourceArns) != want {
			t.Errorf("%s protects %v, want %d", *acl.Name, list.ResourceArns, want)
		}
	}
	_, err := s.DeleteWebACL(t.Context(), &sdk.DeleteWebACLInput{Name: two.Name, Id: two.Id, Scope: regional, LockToken: two.LockToken})
	wantCode(t, err, "WAFAssociatedItemException")
	must[*sdk.DisassociateWebACLOutput](t)(s.DisassociateWebACL(t.Context(), &sdk.DisassociateWebACLInput{ResourceArn: &stage}))
	must[*sdk.DeleteWebACLOutput](t)(s.DeleteWebACL(t.Context(), &sdk.DeleteWebACLInput{Name: two.Name, Id: two.Id, Scope: regional, LockToken: two.LockToken}))

	for arn, code := range map[string]string{
		"arn:aws:apigateway:us-east-1::/restapis/abc123/stages/none": "WAFNonexistentItemException",
		"arn:aws:apigateway:us-east-1::/apis/abc123/stages/prod":     "WAFInvalidParameterException", // an HTTP API
		"arn:aws:apigateway:eu-west-1::/restapis/abc123/stages/prod": "WAFInvalidParameterException",
	} {
		_, err := s.AssociateWebACL(t.Context(), &sdk.AssociateWebACLInput{WebACLArn: one.ARN, ResourceArn: &arn})
		wantCode(t, err, code)
	}
}

func TestSets(t *testing.T) {
	s := serve(t)
	set := must[*sdk.CreateIPSetOutput](t)(s.CreateIPSet(t.Context(), &sdk.CreateIPSetInput{Name: aws.String("six"), Scope: regional, IPAddressVersion: types.IPAddressVersionIpv6, Addresses: []string{}, Description: aws.String("sixth")})).Summary
	for _, bad := range [][]string{{"192.0.2.0/24"}, {"2001:db8::1/32"}, {"::/0"}, {"2001:db8::"}, {"2001:db8::/32", "2001:db8::/32"}} {
		_, err := s.UpdateIPSet(t.Context(), &sdk.UpdateIPSetInput{Name: set.Name, Id: set.Id, Scope: regional, LockToken: set.LockToken, Addresses: bad})
		wantCode(t, err, "WAFInvalidParameterException")
	}
	must[*sdk.UpdateIPSetOutput](t)(s.UpdateIPSet(t.Context(), &sdk.UpdateIPSetInput{Name: set.Name, Id: set.Id, Scope: regional, LockToken: set.LockToken, Addresses: []string{"2001:db8::/32"}}))
	got := must[*sdk.GetIPSetOutput](t)(s.GetIPSet(t.Context(), &sdk.GetIPSetInput{Name: set.Name, Id: set.Id, Scope: regional}))
	if !slices.Equal(got.IPSet.Addresses, []string{"2001:db8::/32"}) || got.IPSet.IPAddressVersion != types.IPAddressVersionIpv6 || *got.LockToken == *set.LockToken {
		t.Errorf("got %+v", got.IPSet)
	}
	patterns := must[*sdk.CreateRegexPatternSetOutput](t)(s.CreateRegexPatternSet(t.Context(), &sdk.CreateRegexPatternSetInput{Name: aws.String("p"), Scope: regional, RegularExpressionList: []types.Regex{{RegexString: aws.String("a+")}}})).Summary
	next := must[*sdk.UpdateRegexPatternSetOutput](t)(s.UpdateRegexPatternSet(t.Context(), &sdk.UpdateRegexPatternSetInput{Name: patterns.Name, Id: patterns.Id, Scope: regional, LockToken: patterns.LockToken,
		RegularExpressionList: []types.Regex{{RegexString: aws.String("b+")}, {RegexString: aws.String("c")}}}))
	_, err := s.UpdateRegexPatternSet(t.Context(), &sdk.UpdateRegexPatternSetInput{Name: patterns.Name, Id: patterns.Id, Scope: regional, LockToken: next.NextLockToken,
		RegularExpressionList: []types.Regex{{RegexString: aws.String("a")}, {RegexString: aws.String("a")}}})
	wantCode(t, err, "WAFInvalidParameterException")
	list := must[*sdk.GetRegexPatternSetOutput](t)(s.GetRegexPatternSet(t.Context(), &sdk.GetRegexPatternSetInput{Name: patterns.Name, Id: patterns.Id, Scope: regional})).RegexPatternSet.RegularExpressionList
	if len(list) != 2 || *list[0].RegexString != "b+" {
		t.Errorf("patterns %v", list)
	}
	must[*sdk.DeleteRegexPatternSetOutput](t)(s.DeleteRegexPatternSet(t.Context(), &sdk.DeleteRegexPatternSetInput{Name: patterns.Name, Id: patterns.Id, Scope: regional, LockToken: next.NextLockToken}))
	must[*sdk.DeleteIPSetOutput](t)(s.DeleteIPSet(t.Context(), &sdk.DeleteIPSetInput{Name: set.Name, Id: set.Id, Scope: regional, LockToken: got.LockToken}))
	if n := len(must[*sdk.ListIPSetsOutput](t)(s.ListIPSets(t.Context(), &sdk.ListIPSetsInput{Scope: regional})).IPSets); n != 0 {
		t.Errorf("%d IP sets are left", n)
	}
}

// A reference has the name of what it refers to, else nobody sees that it is in use; and what
// belongs to another account or region is not there.
func TestReferencesAreExact(t *testing.T) {
	s := serve(t)
	set := must[*sdk.CreateIPSetOutput](t)(s.CreateIPSet(t.Context(), &sdk.CreateIPSetInput{Name: aws.String("mine"), Scope: regional, IPAddressVersion: types.IPAddressVersionIpv4, Addresses: []string{}})).Summary
	foreign := "11111111-2222-4333-8444-555555555555"
	arn := "arn:aws:wafv2:us-east-1:111122223333:regional/ipset/other/" + foreign
	if _, err := s.store.Update(t.Context(), func(tx *store.Tx) error {
		return firewall.IPSets.Put(tx, store.Scope{Account: "111122223333", Region: "us-east-1"}, foreign, model.IPSet{FirewallItem: model.FirewallItem{Name: "other", ID: foreign, ARN: arn}, Version: "IPV4"})
	}); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{strings.Replace(*set.ARN, "/mine/", "/else/", 1), strings.Replace(*set.ARN, "us-east-1", "eu-west-1", 1), arn} {
		_, err := s.CheckCapacity(t.Context(), &sdk.CheckCapacityInput{Scope: regional, Rules: []types.Rule{rule("r", 0, &types.Statement{IPSetReferenceStatement: &types.IPSetReferenceStatement{ARN: &bad}})}})
		wantCode(t, err, "WAFNonexistentItemException")
		_, err = s.CreateWebACL(t.Context(), &sdk.CreateWebACLInput{Name: aws.String("acl"), Scope: regional, DefaultAction: allow, VisibilityConfig: visibility("acl"),
			Rules: []types.Rule{rule("r", 0, &types.Statement{IPSetReferenceStatement: &types.IPSetReferenceStatement{ARN: &bad}})}})
		wantCode(t, err, "WAFNonexistentItemException")
	}
}

func TestLists(t *testing.T) {
	s := serve(t)
	for i := range 5 {
		s.newACL(t, fmt.Sprint("acl", i))
	}
	var names []string
	var marker *string
	for {
		page := must[*sdk.ListWebACLsOutput](t)(s.ListWebACLs(t.Context(), &sdk.ListWebACLsInput{Scope: regional, Limit: aws.Int32(2), NextMarker: marker}))
		for _, a := range page.WebACLs {
			names = append(names, *a.Name)
		}
		if marker = page.NextMarker; marker == nil {
			break
		}
	}
	if got := strings.Join(names, " "); got != "acl0 acl1 acl2 acl3 acl4" {
		t.Errorf("listed %s", got)
	}
	// A marker that no answer gave out is refused with all that the exception has, by every list.
	bad := aws.String("nonsense")
	acl := must[*sdk.ListWebACLsOutput](t)(s.ListWebACLs(t.Context(), &sdk.ListWebACLsInput{Scope: regional})).WebACLs[0]
	for name, list := range map[string]func() error{
		"web ACLs": func() error {
			_, err := s.ListWebACLs(t.Context(), &sdk.ListWebACLsInput{Scope: regional, NextMarker: bad})
			return err
		},
		"rule groups": func() error {
			_, err := s.ListRuleGroups(t.Context(), &sdk.ListRuleGroupsInput{Scope: regional, NextMarker: bad})
			return err
		},
		"keys": func() error {
			_, err := s.ListAPIKeys(t.Context(), &sdk.ListAPIKeysInput{Scope: regional, NextMarker: bad})
			return err
		},
		"managed groups": func() error {
			_, err := s.ListAvailableManagedRuleGroups(t.Context(), &sdk.ListAvailableManagedRuleGroupsInput{Scope: regional, NextMarker: bad})
			return err
		},
		"tags": func() error {
			_, err := s.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceARN: acl.ARN, NextMarker: bad})
			return err
		},
		"logging": func() error {
			_, err := s.ListLoggingConfigurations(t.Context(), &sdk.ListLoggingConfigurationsInput{Scope: regional, NextMarker: bad})
			return err
		},
	} {
		e, ok := errors.AsType[*types.WAFInvalidParameterException](list())
		if !ok || e.Field != types.ParameterExceptionFieldEntityLimit || aws.ToString(e.Parameter) != *bad || !strings.HasPrefix(e.ErrorMessage(), "Error reason: "+aws.ToString(e.Reason)) {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

func TestRuleGroup(t *testing.T) {
	s := serve(t)
	labelled := rule("l", 1, pathContains("x"))
	labelled.RuleLabels = []types.Label{{Name: aws.String("a:b")}}
	looking := rule("m", 2, &types.Statement{LabelMatchStatement: &types.LabelMatchStatement{Scope: types.LabelMatchScopeLabel, Key: aws.String("a:b")}})
	group := must[*sdk.CreateRuleGroupOutput](t)(s.CreateRuleGroup(t.Context(), &sdk.CreateRuleGroupInput{Name: aws.String("g"), Scope: regional, Capacity: aws.Int64(20), VisibilityConfig: visibility("g"), Rules: []types.Rule{labelled, looking}})).Summary
	got := must[*sdk.GetRuleGroupOutput](t)(s.GetRuleGroup(t.Context(), &sdk.GetRuleGroupInput{ARN: group.ARN})).RuleGroup
	if diff := cmp.Diff([]types.Rule{labelled, looking}, got.Rules, unexported); diff != "" {
		t.Errorf("(-sent +got):\n%s", diff)
	}
	if len(got.AvailableLabels) != 1 || *got.AvailableLabels[0].Name != "awswaf:"+account+":rulegroup:g:a:b" || len(got.ConsumedLabels) != 1 || *got.Capacity != 20 {
		t.Errorf("labels %v, %v, capacity %d", got.AvailableLabels, got.ConsumedLabels, *got.Capacity)
	}
	use := rule("use", 1, &types.Statement{RuleGroupReferenceStatement: &types.RuleGroupReferenceStatement{ARN: group.ARN, ExcludedRules: []types.ExcludedRule{{Name: aws.String("m")}}}})
	use.Action, use.OverrideAction = nil, &types.OverrideAction{None: &types.NoneAction{}}
	s.newACL(t, "acl", use)
	update := func(rules ...types.Rule) (*sdk.UpdateRuleGroupOutput, error) {
		return s.UpdateRuleGroup(t.Context(), &sdk.UpdateRuleGroupInput{Name: group.Name, Id: group.Id, Scope: regional, LockToken: group.LockToken, VisibilityConfig: visibility("g"), Rules: rules})
	}
	_, err := update(labelled) // the web ACL excludes m
	wantCode(t, err, "WAFInvalidParameterException")
	_, err = update(labelled, rule("m", 2, pathContains("yyy")))
	wantCode(t, err, "WAFLimitsExceededException") // 21 units
	must[*sdk.UpdateRuleGroupOutput](t)(update(rule("m", 2, pathContains("y"))))

	_, err = s.GetPermissionPolicy(t.Context(), &sdk.GetPermissionPolicyInput{ResourceArn: group.ARN})
	wantCode(t, err, "WAFNonexistentItemException")
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":["wafv2:GetRuleGroup"]}]}`
	must[*sdk.PutPermissionPolicyOutput](t)(s.PutPermissionPolicy(t.Context(), &sdk.PutPermissionPolicyInput{ResourceArn: group.ARN, Policy: &policy}))
	if p := must[*sdk.GetPermissionPolicyOutput](t)(s.GetPermissionPolicy(t.Context(), &sdk.GetPermissionPolicyInput{ResourceArn: group.ARN})).Policy; *p != policy {
		t.Errorf("policy %s", *p)
	}
	_, err = s.PutPermissionPolicy(t.Context(), &sdk.PutPermissionPolicyInput{ResourceArn: group.ARN, Policy: aws.String("{}")})
	wantCode(t, err, "WAFInvalidPermissionPolicyException")
	must[*sdk.DeletePermissionPolicyOutput](t)(s.DeletePermissionPolicy(t.Context(), &sdk.DeletePermissionPolicyInput{ResourceArn: group.ARN}))
}

func TestManagedListings(t *testing.T) {
	s := serve(t)
	list := must[*sdk.ListAvailableManagedRuleGroupsOutput](t)(s.ListAvailableManagedRuleGroups(t.Context(), &sdk.ListAvailableManagedRuleGroupsInput{Scope: regional})).ManagedRuleGroups
	if len(list) != 10 || *list[0].Name != "AWSManagedRulesCommonRuleSet" {
		t.Errorf("%d groups", len(list))
	}
	in := &sdk.DescribeManagedRuleGroupInput{VendorName: aws.String("AWS"), Name: aws.String("AWSManagedRulesSQLiRuleSet"), Scope: regional}
	got := must[*sdk.DescribeManagedRuleGroupOutput](t)(s.DescribeManagedRuleGroup(t.Context(), in))
	if *got.Capacity != 200 || len(got.Rules) != 8 || got.Rules[0].Action.Block == nil || *got.VersionName != managed.Version || len(got.AvailableLabels) != 8 {
		t.Errorf("got %+v", got)
	}
	in.Name = aws.String("AWSManagedRulesATPRuleSet")
	_, err := s.DescribeManagedRuleGroup(t.Context(), in)
	wantCode(t, err, "WAFNonexistentItemException")
	versions := must[*sdk.ListAvailableManagedRuleGroupVersionsOutput](t)(s.ListAvailableManagedRuleGroupVersions(t.Context(), &sdk.ListAvailableManagedRuleGroupVersionsInput{VendorName: aws.String("AWS"), Name: aws.String("AWSManagedRulesSQLiRuleSet"), Scope: regional}))
	if len(versions.Versions) != 1 || *versions.CurrentDefaultVersion != managed.Version {
		t.Errorf("versions %v", versions.Versions)
	}
	if n := len(must[*sdk.DescribeAllManagedProductsOutput](t)(s.DescribeAllManagedProducts(t.Context(), &sdk.DescribeAllManagedProductsInput{Scope: regional})).ManagedProducts); n != 10 {
		t.Errorf("%d products", n)
	}
	if n := len(must[*sdk.DescribeManagedProductsByVendorOutput](t)(s.DescribeManagedProductsByVendor(t.Context(), &sdk.DescribeManagedProductsByVendorInput{Scope: regional, VendorName: aws.String("Other")})).ManagedProducts); n != 0 {
		t.Errorf("%d products of another vendor", n)
	}
}

func TestLogging(t *testing.T) {
	s := serve(t)
	acl := s.newACL(t, "acl")
	put := func(destination string, change func(*types.LoggingConfiguration)) error {
		c := &types.LoggingConfiguration{ResourceArn: acl.ARN, LogDestinationConfigs: []string{destination}}
		if change != nil {
			change(c)
		}
		return second(s.PutLoggingConfiguration(t.Context(), &sdk.PutLoggingConfigurationInput{LoggingConfiguration: c}))
	}
	const group = "arn:aws:logs:us-east-1:" + account + ":log-group:aws-waf-logs-x"
	for _, bad := range []string{"arn:aws:logs:us-east-1:" + account + ":log-group:other", group + ":*", "arn:aws:logs:eu-west-1:" + account + ":log-group:aws-waf-logs-x", "arn:aws:sqs:us-east-1:" + account + ":aws-waf-logs-x"} {
		wantCode(t, put(bad, nil), "WAFInvalidParameterException")
	}
	wantCode(t, put(group, func(c *types.LoggingConfiguration) {
		c.RedactedFields = []types.FieldToMatch{{Body: &types.Body{}}}
	}), "WAFInvalidParameterException")
	if err := put(group, func(c *types.LoggingConfiguration) {
		c.RedactedFields = []types.FieldToMatch{{SingleHeader: &types.SingleHeader{Name: aws.String("authorization")}}}
		c.LoggingFilter = &types.LoggingFilter{DefaultBehavior: types.FilterBehaviorDrop, Filters: []types.Filter{{Behavior: types.FilterBehaviorKeep, Requirement: types.FilterRequirementMeetsAny,
			Conditions: []types.Condition{{ActionCondition: &types.ActionCondition{Action: types.ActionValueBlock}}}}}}
	}); err != nil {
		t.Fatal(err)
	}
	got := must[*sdk.GetLoggingConfigurationOutput](t)(s.GetLoggingConfiguration(t.Context(), &sdk.GetLoggingConfigurationInput{ResourceArn: acl.ARN})).LoggingConfiguration
	if got.LogDestinationConfigs[0] != group || *got.RedactedFields[0].SingleHeader.Name != "authorization" || got.LoggingFilter == nil {
		t.Errorf("got %+v", got)
	}
	if n := len(must[*sdk.ListLoggingConfigurationsOutput](t)(s.ListLoggingConfigurations(t.Context(), &sdk.ListLoggingConfigurationsInput{Scope: regional})).LoggingConfigurations); n != 1 {
		t.Errorf("%d configurations", n)
	}
	must[*sdk.DeleteLoggingConfigurationOutput](t)(s.DeleteLoggingConfiguration(t.Context(), &sdk.DeleteLoggingConfigurationInput{ResourceArn: acl.ARN}))
	_, err := s.GetLoggingConfiguration(t.Context(), &sdk.GetLoggingConfigurationInput{ResourceArn: acl.ARN})
	wantCode(t, err, "WAFNonexistentItemException")
}

func TestTags(t *testing.T) {
	s := serve(t)
	acl := s.newACL(t, "acl")
	must[*sdk.TagResourceOutput](t)(s.TagResource(t.Context(), &sdk.TagResourceInput{ResourceARN: acl.ARN, Tags: []types.Tag{{Key: aws.String("b"), Value: aws.String("2")}, {Key: aws.String("a"), Value: aws.String("1")}}}))
	must[*sdk.UntagResourceOutput](t)(s.UntagResource(t.Context(), &sdk.UntagResourceInput{ResourceARN: acl.ARN, TagKeys: []string{"b"}}))
	got := must[*sdk.ListTagsForResourceOutput](t)(s.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceARN: acl.ARN})).TagInfoForResource
	if len(got.TagList) != 1 || *got.TagList[0].Key != "a" || *got.ResourceARN != *acl.ARN {
		t.Errorf("tags %v", got.TagList)
	}
}

func TestAPIKeys(t *testing.T) {
	s := serve(t)
	key := must[*sdk.CreateAPIKeyOutput](t)(s.CreateAPIKey(t.Context(), &sdk.CreateAPIKeyInput{Scope: regional, TokenDomains: []string{"example.com"}})).APIKey
	got := must[*sdk.GetDecryptedAPIKeyOutput](t)(s.GetDecryptedAPIKey(t.Context(), &sdk.GetDecryptedAPIKeyInput{Scope: regional, APIKey: key}))
	if !slices.Equal(got.TokenDomains, []string{"example.com"}) || got.CreationTimestamp == nil {
		t.Errorf("got %+v", got)
	}
	if n := len(must[*sdk.ListAPIKeysOutput](t)(s.ListAPIKeys(t.Context(), &sdk.ListAPIKeysInput{Scope: regional})).APIKeySummaries); n != 1 {
		t.Errorf("%d keys", n)
	}
	must[*sdk.DeleteAPIKeyOutput](t)(s.DeleteAPIKey(t.Context(), &sdk.DeleteAPIKeyInput{Scope: regional, APIKey: key}))
	_, err := s.DeleteAPIKey(t.Context(), &sdk.DeleteAPIKeyInput{Scope: regional, APIKey: key})
	wantCode(t, err, "WAFNonexistentItemException")
}

func TestAbsentFeatures(t *testing.T) {
	s := serve(t)
	id, token := aws.String("00000000-0000-4000-8000-000000000000"), aws.String("00000000-0000-4000-8000-000000000000")
	if n := len(must[*sdk.ListManagedRuleSetsOutput](t)(s.ListManagedRuleSets(t.Context(), &sdk.ListManagedRuleSetsInput{Scope: regional})).ManagedRuleSets); n != 0 {
		t.Errorf("%d managed rule sets", n)
	}
	if n := len(must[*sdk.ListMobileSdkReleasesOutput](t)(s.ListMobileSdkReleases(t.Context(), &sdk.ListMobileSdkReleasesInput{Platform: types.PlatformIos})).ReleaseSummaries); n != 0 {
		t.Errorf("%d releases", n)
	}
	now := time.Now()
	for code, errs := range map[string][]error{
		"WAFNonexistentItemException": {
			second(s.GetManagedRuleSet(t.Context(), &sdk.GetManagedRuleSetInput{Name: aws.String("x"), Scope: regional, Id: id})),
			second(s.PutManagedRuleSetVersions(t.Context(), &sdk.PutManagedRuleSetVersionsInput{Name: aws.String("x"), Scope: regional, Id: id, LockToken: token})),
			second(s.UpdateManagedRuleSetVersionExpiryDate(t.Context(), &sdk.UpdateManagedRuleSetVersionExpiryDateInput{Name: aws.String("x"), Scope: regional, Id: id, LockToken: token, VersionToExpire: aws.String("v"), ExpiryTimestamp: &now})),
			second(s.GetMobileSdkRelease(t.Context(), &sdk.GetMobileSdkReleaseInput{Platform: types.PlatformIos, ReleaseVersion: aws.String("1")})),
			second(s.GenerateMobileSdkReleaseUrl(t.Context(), &sdk.GenerateMobileSdkReleaseUrlInput{Platform: types.PlatformIos, ReleaseVersion: aws.String("1")})),
		},
		"WAFInvalidOperationException": {
			second(s.DeleteFirewallManagerRuleGroups(t.Context(), &sdk.DeleteFirewallManagerRuleGroupsInput{WebACLArn: aws.String("arn:aws:wafv2:us-east-1:" + account + ":regional/webacl/x/" + *id), WebACLLockToken: token})),
			second(s.GetTopPathStatisticsByTraffic(t.Context(), &sdk.GetTopPathStatisticsByTrafficInput{WebAclArn: aws.String("arn:aws:wafv2:us-east-1:" + account + ":regional/webacl/x/" + *id), Scope: regional,
				TimeWindow: &types.TimeWindow{StartTime: &now, EndTime: &now}, Limit: aws.Int32(1), NumberOfTopTrafficBotsPerPath: aws.Int32(1)})),
		},
	} {
		for _, err := range errs {
			wantCode(t, err, code)
		}
	}
}

// evaluate compiles a stored web ACL and runs a request.
func (s *service) evaluate(t *testing.T, arn string, r *wafrules.Request) *wafrules.Verdict {
	t.Helper()
	var acl *wafrules.ACL
	if err := s.store.View(t.Context(), func(tx *store.Tx) (err error) {
		acl, err = firewall.NewCompiler(s.env).Compile(tx, arn)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	v, err := acl.Evaluate(r, new(wafrules.Scratch))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestStoredACLsDecide(t *testing.T) {
	s := serve(t)
	set := must[*sdk.CreateIPSetOutput](t)(s.CreateIPSet(t.Context(), &sdk.CreateIPSetInput{Name: aws.String("office"), Scope: regional, IPAddressVersion: types.IPAddressVersionIpv4, Addresses: []string{"192.0.2.0/24"}})).Summary
	group := must[*sdk.CreateRuleGroupOutput](t)(s.CreateRuleGroup(t.Context(), &sdk.CreateRuleGroupInput{Name: aws.String("g"), Scope: regional, Capacity: aws.Int64(20), VisibilityConfig: visibility("g"),
		Rules: []types.Rule{rule("office", 1, &types.Statement{IPSetReferenceStatement: &types.IPSetReferenceStatement{ARN: set.ARN}})}})).Summary
	use := rule("use", 1, &types.Statement{RuleGroupReferenceStatement: &types.RuleGroupReferenceStatement{ARN: group.ARN}})
	use.Action, use.OverrideAction = nil, &types.OverrideAction{None: &types.NoneAction{}}
	acl := s.newACL(t, "acl", use, rule("path", 2, pathContains("evil")))
	request := func(ip, path string) *wafrules.Request {
		return &wafrules.Request{Method: "GET", Path: path, ClientIP: netip.MustParseAddr(ip)}
	}
	for _, c := range []struct{ ip, path, rule string }{{"192.0.2.1", "/", "use"}, {"198.51.100.1", "/evil", "path"}, {"198.51.100.1", "/", "Default_Action"}} {
		if v := s.evaluate(t, *acl.ARN, request(c.ip, c.path)); v.Rule != c.rule {
			t.Errorf("%s %s: decided by %s, want %s", c.ip, c.path, v.Rule, c.rule)
		}
	}
	// A changed set acts through the group that refers to it, in a compiler that knew both.
	compiler := firewall.NewCompiler(s.env)
	decide := func() (rule string) {
		if err := s.store.View(t.Context(), func(tx *store.Tx) error {
			compiled, err := compiler.Compile(tx, *acl.ARN)
			if err != nil {
				return err
			}
			v, err := compiled.Evaluate(request("203.0.113.1", "/"), new(wafrules.Scratch))
			rule = v.Rule
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return rule
	}
	if got := decide(); got != "Default_Action" {
		t.Errorf("before the change: %s", got)
	}
	must[*sdk.UpdateIPSetOutput](t)(s.UpdateIPSet(t.Context(), &sdk.UpdateIPSetInput{Name: set.Name, Id: set.Id, Scope: regional, LockToken: set.LockToken, Addresses: []string{"203.0.113.0/24"}}))
	if got := decide(); got != "use" {
		t.Errorf("after the change: %s", got)
	}
}

func TestManagedKeys(t *testing.T) {
	s := serve(t)
	byIP := rule("rate", 1, &types.Statement{RateBasedStatement: &types.RateBasedStatement{Limit: aws.Int64(10), AggregateKeyType: types.RateBasedStatementAggregateKeyTypeIp}})
	constant := rule("all", 2, &types.Statement{RateBasedStatement: &types.RateBasedStatement{Limit: aws.Int64(1000), AggregateKeyType: types.RateBasedStatementAggregateKeyTypeConstant, ScopeDownStatement: pathContains("/")}})
	acl := s.newACL(t, "acl", byIP, constant, rule("path", 3, pathContains("x")))
	for _, ip := range []string{"192.0.2.1", "2001:db8::1"} {
		for range 11 {
			s.evaluate(t, *acl.ARN, &wafrules.Request{Method: "GET", Path: "/", ClientIP: netip.MustParseAddr(ip), Time: time.Now()})
		}
	}
	keys := func(rule string) (*sdk.GetRateBasedStatementManagedKeysOutput, error) {
		return s.GetRateBasedStatementManagedKeys(t.Context(), &sdk.GetRateBasedStatementManagedKeysInput{Scope: regional, WebACLName: acl.Name, WebACLId: acl.Id, RuleName: &rule})
	}
	got := must[*sdk.GetRateBasedStatementManagedKeysOutput](t)(keys("rate"))
	if !slices.Equal(got.ManagedKeysIPV4.Addresses, []string{"192.0.2.1/32"}) || !slices.Equal(got.ManagedKeysIPV6.Addresses, []string{"2001:db8::1/128"}) {
		t.Errorf("limited %v and %v", got.ManagedKeysIPV4.Addresses, got.ManagedKeysIPV6.Addresses)
	}
	_, err := keys("all")
	wantCode(t, err, "WAFUnsupportedAggregateKeyTypeException")
	_, err = keys("path")
	wantCode(t, err, "WAFNonexistentItemException")
}

func TestSampledRequests(t *testing.T) {
	s := serve(t)
	acl := s.newACL(t, "acl")
	now := time.Now().Truncate(time.Second)
	s.traffic.samples = []record.Sample{{Time: now, Action: "BLOCK", Status: 403, Labels: []string{"awswaf:x"}, RuleNameWithinRuleGroup: "inner",
		Request: record.HTTPRequest{ClientIP: "192.0.2.1", Country: "DE", URI: "/a", Args: "b=c", HTTPMethod: "GET", HTTPVersion: "HTTP/1.1", Headers: []record.Header{{Name: "Host", Value: "h"}}}}}
	start, end := now.Add(-5*time.Hour), now
	got := must[*sdk.GetSampledRequestsOutput](t)(s.GetSampledRequests(t.Context(), &sdk.GetSampledRequestsInput{WebAclArn: acl.ARN, RuleMetricName: aws.String("m"), Scope: regional, MaxItems: aws.Int64(10),
		TimeWindow: &types.TimeWindow{StartTime: &start, EndTime: &end}}))
	if len(got.SampledRequests) != 1 || got.PopulationSize != 10 {
		t.Fatalf("got %+v", got)
	}
	if r := got.SampledRequests[0]; *r.Request.URI != "/a?b=c" || *r.Action != "BLOCK" || r.Weight != 10 || *r.ResponseCodeSent != 403 || *r.Labels[0].Name != "awswaf:x" || *r.RuleNameWithinRuleGroup != "inner" {
		t.Errorf("sample %+v", r)
	}
	if age := now.Sub(*got.TimeWindow.StartTime); age > 3*time.Hour+time.Minute {
		t.Errorf("the window begins %v ago, want at most three hours", age)
	}
}
