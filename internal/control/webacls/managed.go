package webacls

import (
	"context"
	"strconv"

	"gatehouse/internal/awsapi/gen/wafv2"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/lang/wafrules"
	"gatehouse/internal/lang/wafrules/managed"
)

// ListAvailableManagedRuleGroups lists the groups that can be had; what cannot be offered is
// absent.
func (s *WebACLs) ListAvailableManagedRuleGroups(_ context.Context, in *wafv2.ListAvailableManagedRuleGroupsInput) (*wafv2.ListAvailableManagedRuleGroupsOutput, error) {
	if err := regional(in.Scope); err != nil {
		return nil, translate(err)
	}
	groups, next, err := slicePage(s.Environment.Catalog.List(), in.NextMarker, in.Limit)
	out := &wafv2.ListAvailableManagedRuleGroupsOutput{NextMarker: next, ManagedRuleGroups: []wafv2.ManagedRuleGroupSummary{}}
	for _, g := range groups {
		out.ManagedRuleGroups = append(out.ManagedRuleGroups, wafv2.ManagedRuleGroupSummary{VendorName: opt.Of(managed.Vendor), Name: &g.Name,
			VersioningSupported: &g.Versioned, Description: &g.Description})
	}
	return out, err
}

// slicePage cuts a page out of a fixed list; markers are positions.
func slicePage[T any](all []T, marker *string, limit *int32) (page []T, next *string, err error) {
	from := 0
	if marker != nil {
		if from, err = strconv.Atoi(*marker); err != nil || from < 0 || from > len(all) {
			return nil, nil, badMarker(*marker)
		}
	}
	to := min(from+int(opt.Or(limit, maxPage)), len(all))
	if to < len(all) {
		next = opt.Of(strconv.Itoa(to))
	}
	return all[from:to], next, nil
}

// findGroup finds a managed group.
func (s *WebACLs) findGroup(sc *wafv2.Scope, vendor, name string) (*managed.Info, error) {
	if err := regional(sc); err != nil {
		return nil, translate(err)
	}
	info := s.Environment.Catalog.Find(vendor, name)
	if info == nil {
		return nil, nonexistent()
	}
	return info, nil
}

// ListAvailableManagedRuleGroupVersions lists the versions of a group.
func (s *WebACLs) ListAvailableManagedRuleGroupVersions(_ context.Context, in *wafv2.ListAvailableManagedRuleGroupVersionsInput) (*wafv2.ListAvailableManagedRuleGroupVersionsOutput, error) {
	info, err := s.findGroup(in.Scope, *in.VendorName, *in.Name)
	if err != nil {
		return nil, err
	}
	out := &wafv2.ListAvailableManagedRuleGroupVersionsOutput{Versions: []wafv2.ManagedRuleGroupVersion{}}
	if info.Versioned {
		out.CurrentDefaultVersion = opt.Of(managed.Version)
		out.Versions = append(out.Versions, wafv2.ManagedRuleGroupVersion{Name: opt.Of(managed.Version), LastUpdateTimestamp: &managed.Released})
	}
	return out, nil
}

// wireActions are the actions of rules as the API writes them.
var wireActions = map[wafrules.Action]*wafv2.RuleAction{
	wafrules.Block: {Block: &wafv2.BlockAction{}}, wafrules.Allow: {Allow: &wafv2.AllowAction{}}, wafrules.Count: {Count: &wafv2.CountAction{}},
	wafrules.Captcha: {Captcha: &wafv2.CaptchaAction{}}, wafrules.Challenge: {Challenge: &wafv2.ChallengeAction{}},
}

// DescribeManagedRuleGroup describes the rules of a group.
func (s *WebACLs) DescribeManagedRuleGroup(_ context.Context, in *wafv2.DescribeManagedRuleGroupInput) (*wafv2.DescribeManagedRuleGroupOutput, error) {
	info, err := s.findGroup(in.Scope, *in.VendorName, *in.Name)
	if err != nil {
		return nil, err
	}
	if _, err := s.Environment.Catalog.Group(*in.VendorName, *in.Name, opt.Value(in.VersionName)); err != nil {
		return nil, translate(err)
	}
	out := &wafv2.DescribeManagedRuleGroupOutput{Capacity: &info.Group.Capacity, LabelNamespace: &info.Group.LabelNamespace, Rules: []wafv2.RuleSummary{}}
	if info.Versioned {
		out.VersionName = opt.Of(managed.Version)
	}
	for _, r := range info.Group.Rules() {
		out.Rules = append(out.Rules, wafv2.RuleSummary{Name: &r.Name, Action: wireActions[r.Action]})
	}
	for _, l := range info.AvailableLabels {
		out.AvailableLabels = append(out.AvailableLabels, wafv2.LabelSummary{Name: &l})
	}
	return out, nil
}

func (s *WebACLs) products() []wafv2.ManagedProductDescriptor {
	list := []wafv2.ManagedProductDescriptor{}
	for _, g := range s.Environment.Catalog.List() {
		list = append(list, wafv2.ManagedProductDescriptor{VendorName: opt.Of(managed.Vendor), ManagedRuleSetName: &g.Name, ProductTitle: &g.Name,
			ProductDescription: &g.Description, IsVersioningSupported: &g.Versioned, IsAdvancedManagedRuleSet: opt.Of(false)})
	}
	return list
}

// DescribeAllManagedProducts describes all groups.
func (s *WebACLs) DescribeAllManagedProducts(_ context.Context, in *wafv2.DescribeAllManagedProductsInput) (*wafv2.DescribeAllManagedProductsOutput, error) {
	if err := regional(in.Scope); err != nil {
		return nil, translate(err)
	}
	return &wafv2.DescribeAllManagedProductsOutput{ManagedProducts: s.products()}, nil
}

// DescribeManagedProductsByVendor describes the groups of a vendor.
func (s *WebACLs) DescribeManagedProductsByVendor(_ context.Context, in *wafv2.DescribeManagedProductsByVendorInput) (*wafv2.DescribeManagedProductsByVendorOutput, error) {
	if err := regional(in.Scope); err != nil {
		return nil, translate(err)
	}
	out := &wafv2.DescribeManagedProductsByVendorOutput{ManagedProducts: []wafv2.ManagedProductDescriptor{}}
	if *in.VendorName == managed.Vendor {
		out.ManagedProducts = s.products()
	}
	return out, nil
}
