package webacls

import (
	"context"

	"gatehouse/internal/awsapi/gen/wafv2"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/lang/wafrules"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// CreateIPSet makes an IP set.
func (s *WebACLs) CreateIPSet(ctx context.Context, in *wafv2.CreateIPSetInput) (*wafv2.CreateIPSetOutput, error) {
	return update(ctx, s, func(tx *store.Tx) (*wafv2.CreateIPSetOutput, error) {
		if err := regional(in.Scope); err != nil {
			return nil, err
		}
		item, err := newItem(ctx, model.KindIPSet, *in.Name, in.Description, in.Tags)
		if err != nil {
			return nil, err
		}
		set := model.IPSet{FirewallItem: item, Version: string(*in.IPAddressVersion), Addresses: in.Addresses}
		if err := wafrules.CheckAddresses(set.Version, set.Addresses); err != nil {
			return nil, err
		}
		it, err := ipSets.add(ctx, tx, set)
		if err != nil {
			return nil, err
		}
		return &wafv2.CreateIPSetOutput{Summary: ipSetSummary(it)}, nil
	})
}

func ipSetSummary(it *model.FirewallItem) *wafv2.IPSetSummary {
	return &wafv2.IPSetSummary{Name: &it.Name, Id: &it.ID, Description: opt.Of(it.Description), LockToken: &it.LockToken, ARN: &it.ARN}
}

// GetIPSet returns an IP set.
func (s *WebACLs) GetIPSet(ctx context.Context, in *wafv2.GetIPSetInput) (*wafv2.GetIPSetOutput, error) {
	return view(ctx, s, func(tx *store.Tx) (*wafv2.GetIPSetOutput, error) {
		if err := regional(in.Scope); err != nil {
			return nil, err
		}
		v, err := ipSets.get(ctx, tx, in.Name, in.Id)
		if err != nil {
			return nil, err
		}
		set := &v.Value
		addresses := set.Addresses
		if addresses == nil {
			addresses = []string{}
		}
		return &wafv2.GetIPSetOutput{LockToken: &set.LockToken, IPSet: &wafv2.IPSet{Name: &set.Name, Id: &set.ID, ARN: &set.ARN,
			Description: opt.NonZero(set.Description), IPAddressVersion: opt.Convert[wafv2.IPAddressVersion](set.Version), Addresses: addresses}}, nil
	})
}

// UpdateIPSet replaces the addresses of an IP set.
func (s *WebACLs) UpdateIPSet(ctx context.Context, in *wafv2.UpdateIPSetInput) (*wafv2.UpdateIPSetOutput, error) {
	return update(ctx, s, func(tx *store.Tx) (*wafv2.UpdateIPSetOutput, error) {
		if err := regional(in.Scope); err != nil {
			return nil, err
		}
		v, err := ipSets.locked(ctx, tx, in.Name, in.Id, in.LockToken)
		if err != nil {
			return nil, err
		}
		if err := wafrules.CheckAddresses(v.Value.Version, in.Addresses); err != nil {
			return nil, err
		}
		v.Value.Addresses, v.Value.Description = in.Addresses, opt.Value(in.Description)
		next, err := ipSets.save(tx, v)
		return &wafv2.UpdateIPSetOutput{NextLockToken: next}, err
	})
}

// DeleteIPSet deletes an IP set that no rule uses.
func (s *WebACLs) DeleteIPSet(ctx context.Context, in *wafv2.DeleteIPSetInput) (*wafv2.DeleteIPSetOutput, error) {
	return update(ctx, s, func(tx *store.Tx) (*wafv2.DeleteIPSetOutput, error) {
		if err := regional(in.Scope); err != nil {
			return nil, err
		}
		return &wafv2.DeleteIPSetOutput{}, ipSets.drop(ctx, tx, in.Name, in.Id, in.LockToken)
	})
}

// ListIPSets lists IP sets in order of creation.
func (s *WebACLs) ListIPSets(ctx context.Context, in *wafv2.ListIPSetsInput) (*wafv2.ListIPSetsOutput, error) {
	return view(ctx, s, func(tx *store.Tx) (*wafv2.ListIPSetsOutput, error) {
		items, next, err := ipSets.page(ctx, tx, in.Scope, in.NextMarker, in.Limit)
		out := &wafv2.ListIPSetsOutput{NextMarker: next, IPSets: []wafv2.IPSetSummary{}}
		for _, it := range items {
			out.IPSets = append(out.IPSets, *ipSetSummary(it))
		}
		return out, err
	})
}

// patternsOf reads and checks the list of a pattern set.
func patternsOf(list []wafv2.Regex) ([]string, error) {
	patterns := []string{}
	for _, r := range list {
		if r.RegexString == nil {
			return nil, invalid(msgMissing, "REGEX_PATTERN_SET", "RegexString")
		}
		patterns = append(patterns, *r.RegexString)
	}
	_, err := wafrules.NewRegexPatternSet(patterns)
	return patterns, err
}

// CreateRegexPatternSet makes a regex pattern set.
func (s *WebACLs) CreateRegexPatternSet(ctx context.Context, in *wafv2.CreateRegexPatternSetInput) (*wafv2.CreateRegexPatternSetOutput, error) {
	return update(ctx, s, func(tx *store.Tx) (*wafv2.CreateRegexPatternSetOutput, error) {
		if err := regional(in.Scope); err != nil {
			return nil, err
		}
		item, err := newItem(ctx, model.KindRegexPatternSet, *in.Name, in.Description, in.Tags)
		if err != nil {
			return nil, err
		}
		patterns, err := patternsOf(in.RegularExpressionList)
		if err != nil {
			return nil, err
		}
		it, err := patternSets.add(ctx, tx, model.RegexPatternSet{FirewallItem: item, Patterns: patterns})
		if err != nil {
			return nil, err
		}
		return &wafv2.CreateRegexPatternSetOutput{Summary: patternSetSummary(it)}, nil
	})
}

func patternSetSummary(it *model.FirewallItem) *wafv2.RegexPatternSetSummary {
	return &wafv2.RegexPatternSetSummary{Name: &it.Name, Id: &it.ID, Description: opt.Of(it.Description), LockToken: &it.LockToken, ARN: &it.ARN}
}

// GetRegexPatternSet returns a regex pattern set.
func (s *WebACLs) GetRegexPatternSet(ctx context.Context, in *wafv2.GetRegexPatternSetInput) (*wafv2.GetRegexPatternSetOutput, error) {
	return view(ctx, s, func(tx *store.Tx) (*wafv2.GetRegexPatternSetOutput, error) {
		if err := regional(in.Scope); err != nil {
			return nil, err
		}
		v, err := patternSets.get(ctx, tx, in.Name, in.Id)
		if err != nil {
			return nil, err
		}
		set := &v.Value
		out := &wafv2.RegexPatternSet{Name: &set.Name, Id: &set.ID, ARN: &set.ARN, Description: opt.NonZero(set.Description), RegularExpressionList: []wafv2.Regex{}}
		for _, p := range set.Patterns {
			out.RegularExpressionList = append(out.RegularExpressionList, wafv2.Regex{RegexString: &p})
		}
		return &wafv2.GetRegexPatternSetOutput{RegexPatternSet: out, LockToken: &set.LockToken}, nil
	})
}

// UpdateRegexPatternSet replaces the patterns of a set.
func (s *WebACLs) UpdateRegexPatternSet(ctx context.Context, in *wafv2.UpdateRegexPatternSetInput) (*wafv2.UpdateRegexPatternSetOutput, error) {
	return update(ctx, s, func(tx *store.Tx) (*wafv2.UpdateRegexPatternSetOutput, error) {
		if err := regional(in.Scope); err != nil {
			return nil, err
		}
		v, err := patternSets.locked(ctx, tx, in.Name, in.Id, in.LockToken)
		if err != nil {
			return nil, err
		}
		if v.Value.Patterns, err = patternsOf(in.RegularExpressionList); err != nil {
			return nil, err
		}
		v.Value.Description = opt.Value(in.Description)
		next, err := patternSets.save(tx, v)
		return &wafv2.UpdateRegexPatternSetOutput{NextLockToken: next}, err
	})
}

// DeleteRegexPatternSet deletes a set that no rule uses.
func (s *WebACLs) DeleteRegexPatternSet(ctx context.Context, in *wafv2.DeleteRegexPatternSetInput) (*wafv2.DeleteRegexPatternSetOutput, error) {
	return update(ctx, s, func(tx *store.Tx) (*wafv2.DeleteRegexPatternSetOutput, error) {
		if err := regional(in.Scope); err != nil {
			return nil, err
		}
		return &wafv2.DeleteRegexPatternSetOutput{}, patternSets.drop(ctx, tx, in.Name, in.Id, in.LockToken)
	})
}

// ListRegexPatternSets lists sets in order of creation.
func (s *WebACLs) ListRegexPatternSets(ctx context.Context, in *wafv2.ListRegexPatternSetsInput) (*wafv2.ListRegexPatternSetsOutput, error) {
	return view(ctx, s, func(tx *store.Tx) (*wafv2.ListRegexPatternSetsOutput, error) {
		items, next, err := patternSets.page(ctx, tx, in.Scope, in.NextMarker, in.Limit)
		out := &wafv2.ListRegexPatternSetsOutput{NextMarker: next, RegexPatternSets: []wafv2.RegexPatternSetSummary{}}
		for _, it := range items {
			out.RegexPatternSets = append(out.RegexPatternSets, *patternSetSummary(it))
		}
		return out, err
	})
}
