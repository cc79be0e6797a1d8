package webacls

import (
	"context"
	"encoding/json"
	"slices"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/gen/wafv2"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/lang/wafrules"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// setGroup fills a rule group from what a caller sent, after checking all of it.
func (s *WebACLs) setGroup(ctx context.Context, tx *store.Tx, group *model.RuleGroup, in *wafv2.RuleGroup) error {
	group.Description = opt.Value(in.Description)
	evaluated := *in
	evaluated.Description = nil
	group.Definition = shapeJSON("RuleGroup", &evaluated)
	parsed, err := wafrules.ParseRuleGroup(group.Definition)
	if err != nil {
		return invalid(msgUnsupported, "RULE_GROUP", err.Error())
	}
	checks, refs := s.checks(ctx, tx, group.Tags)
	if _, err := wafrules.ValidateRuleGroup(parsed, checks); err != nil {
		return err
	}
	return refs.Err
}

// CreateRuleGroup makes a rule group.
func (s *WebACLs) CreateRuleGroup(ctx context.Context, in *wafv2.CreateRuleGroupInput) (*wafv2.CreateRuleGroupOutput, error) {
	return update(ctx, s, func(tx *store.Tx) (*wafv2.CreateRuleGroupOutput, error) {
		if err := regional(in.Scope); err != nil {
			return nil, err
		}
		item, err := newItem(ctx, model.KindRuleGroup, *in.Name, in.Description, in.Tags)
		if err != nil {
			return nil, err
		}
		group := model.RuleGroup{FirewallItem: item}
		if err := s.setGroup(ctx, tx, &group, &wafv2.RuleGroup{Description: in.Description, Capacity: in.Capacity, Rules: in.Rules,
			VisibilityConfig: in.VisibilityConfig, CustomResponseBodies: in.CustomResponseBodies}); err != nil {
			return nil, err
		}
		it, err := groups.add(ctx, tx, group)
		if err != nil {
			return nil, err
		}
		return &wafv2.CreateRuleGroupOutput{Summary: groupSummary(it)}, nil
	})
}

func groupSummary(it *model.FirewallItem) *wafv2.RuleGroupSummary {
	return &wafv2.RuleGroupSummary{Name: &it.Name, Id: &it.ID, Description: opt.NonZero(it.Description), LockToken: &it.LockToken, ARN: &it.ARN}
}

// UpdateRuleGroup replaces the rules of a group; its capacity stays.
func (s *WebACLs) UpdateRuleGroup(ctx context.Context, in *wafv2.UpdateRuleGroupInput) (*wafv2.UpdateRuleGroupOutput, error) {
	return update(ctx, s, func(tx *store.Tx) (*wafv2.UpdateRuleGroupOutput, error) {
		if err := regional(in.Scope); err != nil {
			return nil, err
		}
		v, err := groups.locked(ctx, tx, in.Name, in.Id, in.LockToken)
		if err != nil {
			return nil, err
		}
		var before wafv2.RuleGroup
		if err := fromJSON(v.Value.Definition, "RuleGroup", &before); err != nil {
			return nil, err
		}
		if err := s.setGroup(ctx, tx, &v.Value, &wafv2.RuleGroup{Description: in.Description, Capacity: before.Capacity, Rules: in.Rules,
			VisibilityConfig: in.VisibilityConfig, CustomResponseBodies: in.CustomResponseBodies}); err != nil {
			return nil, err
		}
		next, err := groups.save(tx, v)
		if err != nil {
			return nil, err
		}
		return &wafv2.UpdateRuleGroupOutput{NextLockToken: next}, s.stillFits(ctx, tx, v.Value.ARN)
	})
}

// stillFits checks the web ACLs that use a group: their overrides may name rules that
// are no more.
func (s *WebACLs) stillFits(ctx context.Context, tx *store.Tx, arn string) error {
	for v, err := range acls.In(tx, operation.Scope(ctx)) {
		if err != nil {
			return err
		}
		if !refers(v.Value.Definition, arn) {
			continue
		}
		parsed, err := wafrules.ParseWebACL(v.Value.Definition)
		if err != nil {
			return err
		}
		checks, refs := s.checks(ctx, tx, map[string]string{oversizeOptOut: "true"})
		if _, err := wafrules.ValidateWebACL(parsed, checks); err != nil {
			return err
		}
		if refs.Err != nil {
			return refs.Err
		}
	}
	return nil
}

// GetRuleGroup returns a rule group as it was sent, with the labels that it makes and
// looks for.
func (s *WebACLs) GetRuleGroup(ctx context.Context, in *wafv2.GetRuleGroupInput) (*wafv2.GetRuleGroupOutput, error) {
	return view(ctx, s, func(tx *store.Tx) (*wafv2.GetRuleGroupOutput, error) {
		if err := regional(in.Scope); err != nil {
			return nil, err
		}
		v, err := groups.either(ctx, tx, in.ARN, in.Name, in.Id)
		if err != nil {
			return nil, err
		}
		out := new(wafv2.RuleGroup)
		if err := fromJSON(v.Value.Definition, "RuleGroup", out); err != nil {
			return nil, err
		}
		it := &v.Value.FirewallItem
		out.Name, out.Id, out.ARN, out.Description = &it.Name, &it.ID, &it.ARN, opt.NonZero(it.Description)
		prefix := "awswaf:" + awsapi.CallFrom(ctx).Account + ":rulegroup:" + it.Name + ":"
		out.LabelNamespace = &prefix
		if out.Rules == nil {
			out.Rules = []wafv2.Rule{}
		}
		out.AvailableLabels, out.ConsumedLabels = labelsOf(out.Rules, v.Value.Definition, prefix)
		return &wafv2.GetRuleGroupOutput{RuleGroup: out, LockToken: &it.LockToken}, nil
	})
}

// labelsOf lists the labels that rules add, and those that they look for.
func labelsOf(rules []wafv2.Rule, definition json.RawMessage, prefix string) (available, consumed []wafv2.LabelSummary) {
	add := func(list *[]wafv2.LabelSummary, name string) {
		if !slices.ContainsFunc(*list, func(l wafv2.LabelSummary) bool { return *l.Name == name }) {
			*list = append(*list, wafv2.LabelSummary{Name: &name})
		}
	}
	for _, r := range rules {
		for _, l := range r.RuleLabels {
			add(&available, prefix+*l.Name)
		}
	}
	for _, key := range matchedLabels(definition) {
		add(&consumed, key)
	}
	return available, consumed
}

// matchedLabels lists the keys of label match statements.
func matchedLabels(definition json.RawMessage) []string {
	var keys []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if m, ok := v["LabelMatchStatement"].(map[string]any); ok {
				if key, ok := m["Key"].(string); ok {
					keys = append(keys, key)
				}
			}
			for _, member := range v {
				walk(member)
			}
		case []any:
			for _, member := range v {
				walk(member)
			}
		}
	}
	var tree any
	if json.Unmarshal(definition, &tree) == nil {
		walk(tree)
	}
	slices.Sort(keys)
	return keys
}

// DeleteRuleGroup deletes a rule group that no web ACL uses.
func (s *WebACLs) DeleteRuleGroup(ctx context.Context, in *wafv2.DeleteRuleGroupInput) (*wafv2.DeleteRuleGroupOutput, error) {
	return update(ctx, s, func(tx *store.Tx) (*wafv2.DeleteRuleGroupOutput, error) {
		if err := regional(in.Scope); err != nil {
			return nil, err
		}
		return &wafv2.DeleteRuleGroupOutput{}, groups.drop(ctx, tx, in.Name, in.Id, in.LockToken)
	})
}

// ListRuleGroups lists rule groups in order of creation.
func (s *WebACLs) ListRuleGroups(ctx context.Context, in *wafv2.ListRuleGroupsInput) (*wafv2.ListRuleGroupsOutput, error) {
	return view(ctx, s, func(tx *store.Tx) (*wafv2.ListRuleGroupsOutput, error) {
		items, next, err := groups.page(ctx, tx, in.Scope, in.NextMarker, in.Limit)
		out := &wafv2.ListRuleGroupsOutput{NextMarker: next, RuleGroups: []wafv2.RuleGroupSummary{}}
		for _, it := range items {
			out.RuleGroups = append(out.RuleGroups, *groupSummary(it))
		}
		return out, err
	})
}

// PutPermissionPolicy stores the policy by which a rule group is shared. All callers are of
// one organisation here: it is kept for the tools and not enforced.
func (s *WebACLs) PutPermissionPolicy(ctx context.Context, in *wafv2.PutPermissionPolicyInput) (*wafv2.PutPermissionPolicyOutput, error) {
	return update(ctx, s, func(tx *store.Tx) (*wafv2.PutPermissionPolicyOutput, error) {
		var policy struct {
			Version   string
			Statement json.RawMessage
		}
		if err := json.Unmarshal([]byte(*in.Policy), &policy); err != nil || policy.Statement == nil || policy.Version != "2012-10-17" && policy.Version != "2015-07-09" {
			return nil, wafv2.WAFInvalidPermissionPolicyException("The operation failed because the specified policy isn't in the proper format.")
		}
		v, err := groups.byARN(ctx, tx, *in.ResourceArn)
		if err != nil {
			return nil, err
		}
		v.Value.Policy = *in.Policy
		return &wafv2.PutPermissionPolicyOutput{}, groups.Replace(tx, v)
	})
}

// GetPermissionPolicy returns a rule group's policy.
func (s *WebACLs) GetPermissionPolicy(ctx context.Context, in *wafv2.GetPermissionPolicyInput) (*wafv2.GetPermissionPolicyOutput, error) {
	return view(ctx, s, func(tx *store.Tx) (*wafv2.GetPermissionPolicyOutput, error) {
		v, err := groups.byARN(ctx, tx, *in.ResourceArn)
		if err == nil && v.Value.Policy == "" {
			err = nonexistent()
		}
		return &wafv2.GetPermissionPolicyOutput{Policy: &v.Value.Policy}, err
	})
}

// DeletePermissionPolicy removes a rule group's policy.
func (s *WebACLs) DeletePermissionPolicy(ctx context.Context, in *wafv2.DeletePermissionPolicyInput) (*wafv2.DeletePermissionPolicyOutput, error) {
	return update(ctx, s, func(tx *store.Tx) (*wafv2.DeletePermissionPolicyOutput, error) {
		v, err := groups.byARN(ctx, tx, *in.ResourceArn)
		if err != nil {
			return nil, err
		}
		if v.Value.Policy == "" {
			return nil, nonexistent()
		}
		v.Value.Policy = ""
		return &wafv2.DeletePermissionPolicyOutput{}, groups.Replace(tx, v)
	})
}
