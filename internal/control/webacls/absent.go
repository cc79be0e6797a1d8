package webacls

import (
	"context"

	"gatehouse/internal/awsapi/gen/wafv2"
)

// The operations of this file are about things that do not exist here: rule sets that this
// account sells, Firewall Manager, mobile SDKs, statistics about robots. Lists are empty,
// and whatever names one of them is told that it is not there.

// GetManagedRuleSet finds no rule set for sale.
func (s *WebACLs) GetManagedRuleSet(context.Context, *wafv2.GetManagedRuleSetInput) (*wafv2.GetManagedRuleSetOutput, error) {
	return nil, nonexistent()
}

// ListManagedRuleSets lists no rule sets for sale.
func (s *WebACLs) ListManagedRuleSets(_ context.Context, in *wafv2.ListManagedRuleSetsInput) (*wafv2.ListManagedRuleSetsOutput, error) {
	return &wafv2.ListManagedRuleSetsOutput{ManagedRuleSets: []wafv2.ManagedRuleSetSummary{}}, translate(regional(in.Scope))
}

// PutManagedRuleSetVersions finds no rule set for sale.
func (s *WebACLs) PutManagedRuleSetVersions(context.Context, *wafv2.PutManagedRuleSetVersionsInput) (*wafv2.PutManagedRuleSetVersionsOutput, error) {
	return nil, nonexistent()
}

// UpdateManagedRuleSetVersionExpiryDate finds no rule set for sale.
func (s *WebACLs) UpdateManagedRuleSetVersionExpiryDate(context.Context, *wafv2.UpdateManagedRuleSetVersionExpiryDateInput) (*wafv2.UpdateManagedRuleSetVersionExpiryDateOutput, error) {
	return nil, nonexistent()
}

// DeleteFirewallManagerRuleGroups finds no group of Firewall Manager in the caller's ACL.
func (s *WebACLs) DeleteFirewallManagerRuleGroups(context.Context, *wafv2.DeleteFirewallManagerRuleGroupsInput) (*wafv2.DeleteFirewallManagerRuleGroupsOutput, error) {
	return nil, wafv2.WAFInvalidOperationException("The operation isn't valid: the web ACL isn't managed by Firewall Manager.")
}

// GenerateMobileSdkReleaseUrl finds no release.
func (s *WebACLs) GenerateMobileSdkReleaseUrl(context.Context, *wafv2.GenerateMobileSdkReleaseUrlInput) (*wafv2.GenerateMobileSdkReleaseUrlOutput, error) {
	return nil, nonexistent()
}

// GetMobileSdkRelease finds no release.
func (s *WebACLs) GetMobileSdkRelease(context.Context, *wafv2.GetMobileSdkReleaseInput) (*wafv2.GetMobileSdkReleaseOutput, error) {
	return nil, nonexistent()
}

// ListMobileSdkReleases lists no releases.
func (s *WebACLs) ListMobileSdkReleases(context.Context, *wafv2.ListMobileSdkReleasesInput) (*wafv2.ListMobileSdkReleasesOutput, error) {
	return &wafv2.ListMobileSdkReleasesOutput{ReleaseSummaries: []wafv2.ReleaseSummary{}}, nil
}

// GetTopPathStatisticsByTraffic has no statistics: robots are not counted by path.
func (s *WebACLs) GetTopPathStatisticsByTraffic(context.Context, *wafv2.GetTopPathStatisticsByTrafficInput) (*wafv2.GetTopPathStatisticsByTrafficOutput, error) {
	return nil, wafv2.WAFInvalidOperationException("The operation isn't valid: Gatehouse keeps no statistics of robots by path.")
}
