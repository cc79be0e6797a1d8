package webacls

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/gen/wafv2"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/firewall"
	"gatehouse/internal/lang/wafrules"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// setACL fills a web ACL from what a caller sent, after checking all of it.
func (s *WebACLs) setACL(ctx context.Context, tx *store.Tx, acl *model.WebACL, in *wafv2.WebACL) error {
	acl.Description = opt.Value(in.Description)
	extra := &wafv2.WebACL{DataProtectionConfig: in.DataProtectionConfig, OnSourceDDoSProtectionConfig: in.OnSourceDDoSProtectionConfig, ApplicationConfig: in.ApplicationConfig}
	if err := checkProtection(in.DataProtectionConfig); err != nil {
		return err
	}
	evaluated := *in
	evaluated.Description, evaluated.DataProtectionConfig, evaluated.OnSourceDDoSProtectionConfig, evaluated.ApplicationConfig = nil, nil, nil, nil
	acl.Definition, acl.Extra = shapeJSON("WebACL", &evaluated), shapeJSON("WebACL", extra)
	parsed, err := wafrules.ParseWebACL(acl.Definition)
	if err != nil {
		return invalid(msgUnsupported, "WEB_ACL", err.Error())
	}
	checks, refs := s.checks(ctx, tx, acl.Tags)
	if acl.Capacity, err = wafrules.ValidateWebACL(parsed, checks); err != nil {
		return err
	}
	return refs.Err
}

// CreateWebACL makes a web ACL.
func (s *WebACLs) CreateWebACL(ctx context.Context, in *wafv2.CreateWebACLInput) (*wafv2.CreateWebACLOutput, error) {
	return update(ctx, s, func(tx *store.Tx) (*wafv2.CreateWebACLOutput, error) {
		if err := regional(in.Scope); err != nil {
			return nil, err
		}
		item, err := newItem(ctx, model.KindWebACL, *in.Name, in.Description, in.Tags)
		if err != nil {
			return nil, err
		}
		acl := model.WebACL{FirewallItem: item}
		if err := s.setACL(ctx, tx, &acl, &wafv2.WebACL{Description: in.Description, DefaultAction: in.DefaultAction, Rules: in.Rules, VisibilityConfig: in.VisibilityConfig,
			DataProtectionConfig: in.DataProtectionConfig, CustomResponseBodies: in.CustomResponseBodies, CaptchaConfig: in.CaptchaConfig,
			ChallengeConfig: in.ChallengeConfig, TokenDomains: in.TokenDomains, AssociationConfig: in.AssociationConfig,
			OnSourceDDoSProtectionConfig: in.OnSourceDDoSProtectionConfig, ApplicationConfig: in.ApplicationConfig}); err != nil {
			return nil, err
		}
		it, err := acls.add(ctx, tx, acl)
		if err != nil {
			return nil, err
		}
		return &wafv2.CreateWebACLOutput{Summary: aclSummary(it)}, nil
	})
}

func aclSummary(it *model.FirewallItem) *wafv2.WebACLSummary {
	return &wafv2.WebACLSummary{Name: &it.Name, Id: &it.ID, Description: opt.NonZero(it.Description), LockToken: &it.LockToken, ARN: &it.ARN}
}

// UpdateWebACL replaces everything about a web ACL but name, scope and tags.
func (s *WebACLs) UpdateWebACL(ctx context.Context, in *wafv2.UpdateWebACLInput) (*wafv2.UpdateWebACLOutput, error) {
	return update(ctx, s, func(tx *store.Tx) (*wafv2.UpdateWebACLOutput, error) {
		if err := regional(in.Scope); err != nil {
			return nil, err
		}
		v, err := acls.locked(ctx, tx, in.Name, in.Id, in.LockToken)
		if err != nil {
			return nil, err
		}
		if err := s.setACL(ctx, tx, &v.Value, &wafv2.WebACL{Description: in.Description, DefaultAction: in.DefaultAction, Rules: in.Rules, VisibilityConfig: in.VisibilityConfig,
			DataProtectionConfig: in.DataProtectionConfig, CustomResponseBodies: in.CustomResponseBodies, CaptchaConfig: in.CaptchaConfig,
			ChallengeConfig: in.ChallengeConfig, TokenDomains: in.TokenDomains, AssociationConfig: in.AssociationConfig,
			OnSourceDDoSProtectionConfig: in.OnSourceDDoSProtectionConfig, ApplicationConfig: in.ApplicationConfig}); err != nil {
			return nil, err
		}
		next, err := acls.save(tx, v)
		return &wafv2.UpdateWebACLOutput{NextLockToken: next}, err
	})
}

// GetWebACL returns a web ACL as it was sent.
func (s *WebACLs) GetWebACL(ctx context.Context, in *wafv2.GetWebACLInput) (*wafv2.GetWebACLOutput, error) {
	return view(ctx, s, func(tx *store.Tx) (*wafv2.GetWebACLOutput, error) {
		if err := regional(in.Scope); err != nil {
			return nil, err
		}
		v, err := acls.either(ctx, tx, in.ARN, in.Name, in.Id)
		if err != nil {
			return nil, err
		}
		out, err := wireACL(ctx, &v.Value)
		return &wafv2.GetWebACLOutput{WebACL: out, LockToken: &v.Value.LockToken}, err
	})
}

// wireACL is a web ACL as the API shows it.
func wireACL(ctx context.Context, acl *model.WebACL) (*wafv2.WebACL, error) {
	out := new(wafv2.WebACL)
	for _, part := range []json.RawMessage{acl.Definition, acl.Extra} {
		if err := fromJSON(part, "WebACL", out); err != nil {
			return nil, err
		}
	}
	out.Name, out.Id, out.ARN, out.Description = &acl.Name, &acl.ID, &acl.ARN, opt.NonZero(acl.Description)
	out.Capacity = &acl.Capacity
	out.ManagedByFirewallManager, out.RetrofittedByFirewallManager = opt.Of(false), opt.Of(false)
	out.LabelNamespace = opt.Of("awswaf:" + awsapi.CallFrom(ctx).Account + ":webacl:" + acl.Name + ":")
	if out.Rules == nil {
		out.Rules = []wafv2.Rule{}
	}
	return out, nil
}

// DeleteWebACL deletes a web ACL that no stage uses.
func (s *WebACLs) DeleteWebACL(ctx context.Context, in *wafv2.DeleteWebACLInput) (*wafv2.DeleteWebACLOutput, error) {
	return update(ctx, s, func(tx *store.Tx) (*wafv2.DeleteWebACLOutput, error) {
		if err := regional(in.Scope); err != nil {
			return nil, err
		}
		return &wafv2.DeleteWebACLOutput{}, acls.drop(ctx, tx, in.Name, in.Id, in.LockToken)
	})
}

// ListWebACLs lists web ACLs in order of creation.
func (s *WebACLs) ListWebACLs(ctx context.Context, in *wafv2.ListWebACLsInput) (*wafv2.ListWebACLsOutput, error) {
	return view(ctx, s, func(tx *store.Tx) (*wafv2.ListWebACLsOutput, error) {
		items, next, err := acls.page(ctx, tx, in.Scope, in.NextMarker, in.Limit)
		out := &wafv2.ListWebACLsOutput{NextMarker: next, WebACLs: []wafv2.WebACLSummary{}}
		for _, it := range items {
			out.WebACLs = append(out.WebACLs, *aclSummary(it))
		}
		return out, err
	})
}

// CheckCapacity returns what rules would use.
func (s *WebACLs) CheckCapacity(ctx context.Context, in *wafv2.CheckCapacityInput) (*wafv2.CheckCapacityOutput, error) {
	return view(ctx, s, func(tx *store.Tx) (*wafv2.CheckCapacityOutput, error) {
		if err := regional(in.Scope); err != nil {
			return nil, err
		}
		rules, err := parseRules(in.Rules)
		if err != nil {
			return nil, err
		}
		refs := firewall.NewReferences(tx, s.Environment, operation.Scope(ctx))
		if err := wafrules.ValidateRules(rules, wafrules.Checks{References: refs, AllowImplicitOversize: true}); err != nil {
			return nil, err
		}
		capacity, err := wafrules.Capacity(rules, refs)
		if err == nil && capacity > wafrules.MaxCapacity {
			err = wafv2.WAFLimitsExceededException("You exceeded the capacity limit for a rule group or web ACL.").With("SourceType", "NUM_CAPACITY_UNITS_IN_WEB_ACL")
		}
		return &wafv2.CheckCapacityOutput{Capacity: &capacity}, err
	})
}

// parseRules hands rules to the engine in the API's JSON.
func parseRules(rules []wafv2.Rule) ([]wafrules.Rule, error) {
	var container struct{ Rules json.RawMessage }
	if err := json.Unmarshal(shapeJSON("WebACL", &wafv2.WebACL{Rules: rules}), &container); err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	if container.Rules == nil {
		return nil, nil
	}
	parsed, err := wafrules.ParseRules(container.Rules)
	if err != nil {
		return nil, invalid(msgUnsupported, "RULE", err.Error())
	}
	return parsed, nil
}

// checkProtection checks which parts of requests are to be hidden.
func checkProtection(c *wafv2.DataProtectionConfig) error {
	if c == nil {
		return nil
	}
	seen := map[string]bool{}
	for _, p := range c.DataProtections {
		if p.Field == nil || p.Field.FieldType == nil {
			return invalid(msgMissing, "DATA_PROTECTION_CONFIG", "Field")
		}
		kind, keys := string(*p.Field.FieldType), p.Field.FieldKeys
		named := strings.HasPrefix(kind, "SINGLE_")
		if named && len(keys) == 0 {
			return invalid("FieldKeys cannot be null or empty for "+kind+" type", "DATA_PROTECTION_CONFIG", kind)
		}
		if !named {
			keys = []string{""}
		}
		for _, key := range keys {
			if id := kind + ":" + key; seen[id] {
				return invalid("The field has already been specified for "+kind, "DATA_PROTECTION_CONFIG", key)
			} else {
				seen[id] = true
			}
		}
	}
	return nil
}

// refers reports whether a definition refers to an ARN.
func refers(definition json.RawMessage, arn string) bool {
	return slices.Contains(firewall.Referred(definition), arn)
}
