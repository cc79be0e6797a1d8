package identities

import (
	"context"

	"gatehouse/internal/awsapi/gen/iam"
)

// AttachUserPolicy attaches a managed policy to a user.
func (b *IAM) AttachUserPolicy(ctx context.Context, in *iam.AttachUserPolicyInput) (*iam.AttachUserPolicyOutput, error) {
	return nil, b.attach(ctx, &users, *in.UserName, *in.PolicyArn)
}

// DetachUserPolicy detaches a managed policy from a user.
func (b *IAM) DetachUserPolicy(ctx context.Context, in *iam.DetachUserPolicyInput) (*iam.DetachUserPolicyOutput, error) {
	return nil, b.detach(ctx, &users, *in.UserName, *in.PolicyArn)
}

// ListAttachedUserPolicies lists the managed policies of a user.
func (b *IAM) ListAttachedUserPolicies(ctx context.Context, in *iam.ListAttachedUserPoliciesInput) (*iam.ListAttachedUserPoliciesOutput, error) {
	list, truncated, next, err := b.listAttached(ctx, &users, *in.UserName, in.PathPrefix, in.Marker, in.MaxItems)
	return &iam.ListAttachedUserPoliciesOutput{AttachedPolicies: list, IsTruncated: truncated, Marker: next}, err
}

// PutUserPolicy writes an inline policy of a user.
func (b *IAM) PutUserPolicy(ctx context.Context, in *iam.PutUserPolicyInput) (*iam.PutUserPolicyOutput, error) {
	return nil, b.putInline(ctx, &users, *in.UserName, *in.PolicyName, *in.PolicyDocument)
}

// GetUserPolicy shows an inline policy of a user.
func (b *IAM) GetUserPolicy(ctx context.Context, in *iam.GetUserPolicyInput) (*iam.GetUserPolicyOutput, error) {
	owner, document, err := b.getInline(ctx, &users, *in.UserName, *in.PolicyName)
	return &iam.GetUserPolicyOutput{UserName: owner, PolicyName: in.PolicyName, PolicyDocument: document}, err
}

// DeleteUserPolicy removes an inline policy of a user.
func (b *IAM) DeleteUserPolicy(ctx context.Context, in *iam.DeleteUserPolicyInput) (*iam.DeleteUserPolicyOutput, error) {
	return nil, b.deleteInline(ctx, &users, *in.UserName, *in.PolicyName)
}

// ListUserPolicies lists the inline policies of a user.
func (b *IAM) ListUserPolicies(ctx context.Context, in *iam.ListUserPoliciesInput) (*iam.ListUserPoliciesOutput, error) {
	names, truncated, next, err := b.listInline(ctx, &users, *in.UserName, in.Marker, in.MaxItems)
	return &iam.ListUserPoliciesOutput{PolicyNames: names, IsTruncated: truncated, Marker: next}, err
}

// PutUserPermissionsBoundary sets the boundary of a user.
func (b *IAM) PutUserPermissionsBoundary(ctx context.Context, in *iam.PutUserPermissionsBoundaryInput) (*iam.PutUserPermissionsBoundaryOutput, error) {
	return nil, b.setBoundary(ctx, &users, *in.UserName, *in.PermissionsBoundary)
}

// DeleteUserPermissionsBoundary takes the boundary of a user away.
func (b *IAM) DeleteUserPermissionsBoundary(ctx context.Context, in *iam.DeleteUserPermissionsBoundaryInput) (*iam.DeleteUserPermissionsBoundaryOutput, error) {
	return nil, b.setBoundary(ctx, &users, *in.UserName, "")
}

// TagUser adds tags to a user.
func (b *IAM) TagUser(ctx context.Context, in *iam.TagUserInput) (*iam.TagUserOutput, error) {
	return nil, b.editTags(ctx, &users, *in.UserName, in.Tags, nil)
}

// UntagUser removes tags from a user.
func (b *IAM) UntagUser(ctx context.Context, in *iam.UntagUserInput) (*iam.UntagUserOutput, error) {
	return nil, b.editTags(ctx, &users, *in.UserName, nil, in.TagKeys)
}

// ListUserTags lists the tags of a user.
func (b *IAM) ListUserTags(ctx context.Context, in *iam.ListUserTagsInput) (*iam.ListUserTagsOutput, error) {
	tags, truncated, next, err := b.tagsOf(ctx, &users, *in.UserName, in.Marker, in.MaxItems)
	return &iam.ListUserTagsOutput{Tags: tags, IsTruncated: truncated, Marker: next}, err
}

// AttachGroupPolicy attaches a managed policy to a group.
func (b *IAM) AttachGroupPolicy(ctx context.Context, in *iam.AttachGroupPolicyInput) (*iam.AttachGroupPolicyOutput, error) {
	return nil, b.attach(ctx, &groups, *in.GroupName, *in.PolicyArn)
}

// DetachGroupPolicy detaches a managed policy from a group.
func (b *IAM) DetachGroupPolicy(ctx context.Context, in *iam.DetachGroupPolicyInput) (*iam.DetachGroupPolicyOutput, error) {
	return nil, b.detach(ctx, &groups, *in.GroupName, *in.PolicyArn)
}

// ListAttachedGroupPolicies lists the managed policies of a group.
func (b *IAM) ListAttachedGroupPolicies(ctx context.Context, in *iam.ListAttachedGroupPoliciesInput) (*iam.ListAttachedGroupPoliciesOutput, error) {
	list, truncated, next, err := b.listAttached(ctx, &groups, *in.GroupName, in.PathPrefix, in.Marker, in.MaxItems)
	return &iam.ListAttachedGroupPoliciesOutput{AttachedPolicies: list, IsTruncated: truncated, Marker: next}, err
}

// PutGroupPolicy writes an inline policy of a group.
func (b *IAM) PutGroupPolicy(ctx context.Context, in *iam.PutGroupPolicyInput) (*iam.PutGroupPolicyOutput, error) {
	return nil, b.putInline(ctx, &groups, *in.GroupName, *in.PolicyName, *in.PolicyDocument)
}

// GetGroupPolicy shows an inline policy of a group.
func (b *IAM) GetGroupPolicy(ctx context.Context, in *iam.GetGroupPolicyInput) (*iam.GetGroupPolicyOutput, error) {
	owner, document, err := b.getInline(ctx, &groups, *in.GroupName, *in.PolicyName)
	return &iam.GetGroupPolicyOutput{GroupName: owner, PolicyName: in.PolicyName, PolicyDocument: document}, err
}

// DeleteGroupPolicy removes an inline policy of a group.
func (b *IAM) DeleteGroupPolicy(ctx context.Context, in *iam.DeleteGroupPolicyInput) (*iam.DeleteGroupPolicyOutput, error) {
	return nil, b.deleteInline(ctx, &groups, *in.GroupName, *in.PolicyName)
}

// ListGroupPolicies lists the inline policies of a group.
func (b *IAM) ListGroupPolicies(ctx context.Context, in *iam.ListGroupPoliciesInput) (*iam.ListGroupPoliciesOutput, error) {
	names, truncated, next, err := b.listInline(ctx, &groups, *in.GroupName, in.Marker, in.MaxItems)
	return &iam.ListGroupPoliciesOutput{PolicyNames: names, IsTruncated: truncated, Marker: next}, err
}

// AttachRolePolicy attaches a managed policy to a role.
func (b *IAM) AttachRolePolicy(ctx context.Context, in *iam.AttachRolePolicyInput) (*iam.AttachRolePolicyOutput, error) {
	return nil, b.attach(ctx, &roles, *in.RoleName, *in.PolicyArn)
}

// DetachRolePolicy detaches a managed policy from a role.
func (b *IAM) DetachRolePolicy(ctx context.Context, in *iam.DetachRolePolicyInput) (*iam.DetachRolePolicyOutput, error) {
	return nil, b.detach(ctx, &roles, *in.RoleName, *in.PolicyArn)
}

// ListAttachedRolePolicies lists the managed policies of a role.
func (b *IAM) ListAttachedRolePolicies(ctx context.Context, in *iam.ListAttachedRolePoliciesInput) (*iam.ListAttachedRolePoliciesOutput, error) {
	list, truncated, next, err := b.listAttached(ctx, &roles, *in.RoleName, in.PathPrefix, in.Marker, in.MaxItems)
	return &iam.ListAttachedRolePoliciesOutput{AttachedPolicies: list, IsTruncated: truncated, Marker: next}, err
}

// PutRolePolicy writes an inline policy of a role.
func (b *IAM) PutRolePolicy(ctx context.Context, in *iam.PutRolePolicyInput) (*iam.PutRolePolicyOutput, error) {
	return nil, b.putInline(ctx, &roles, *in.RoleName, *in.PolicyName, *in.PolicyDocument)
}

// GetRolePolicy shows an inline policy of a role.
func (b *IAM) GetRolePolicy(ctx context.Context, in *iam.GetRolePolicyInput) (*iam.GetRolePolicyOutput, error) {
	owner, document, err := b.getInline(ctx, &roles, *in.RoleName, *in.PolicyName)
	return &iam.GetRolePolicyOutput{RoleName: owner, PolicyName: in.PolicyName, PolicyDocument: document}, err
}

// DeleteRolePolicy removes an inline policy of a role.
func (b *IAM) DeleteRolePolicy(ctx context.Context, in *iam.DeleteRolePolicyInput) (*iam.DeleteRolePolicyOutput, error) {
	return nil, b.deleteInline(ctx, &roles, *in.RoleName, *in.PolicyName)
}

// ListRolePolicies lists the inline policies of a role.
func (b *IAM) ListRolePolicies(ctx context.Context, in *iam.ListRolePoliciesInput) (*iam.ListRolePoliciesOutput, error) {
	names, truncated, next, err := b.listInline(ctx, &roles, *in.RoleName, in.Marker, in.MaxItems)
	return &iam.ListRolePoliciesOutput{PolicyNames: names, IsTruncated: truncated, Marker: next}, err
}

// PutRolePermissionsBoundary sets the boundary of a role.
func (b *IAM) PutRolePermissionsBoundary(ctx context.Context, in *iam.PutRolePermissionsBoundaryInput) (*iam.PutRolePermissionsBoundaryOutput, error) {
	return nil, b.setBoundary(ctx, &roles, *in.RoleName, *in.PermissionsBoundary)
}

// DeleteRolePermissionsBoundary takes the boundary of a role away.
func (b *IAM) DeleteRolePermissionsBoundary(ctx context.Context, in *iam.DeleteRolePermissionsBoundaryInput) (*iam.DeleteRolePermissionsBoundaryOutput, error) {
	return nil, b.setBoundary(ctx, &roles, *in.RoleName, "")
}

// TagRole adds tags to a role.
func (b *IAM) TagRole(ctx context.Context, in *iam.TagRoleInput) (*iam.TagRoleOutput, error) {
	return nil, b.editTags(ctx, &roles, *in.RoleName, in.Tags, nil)
}

// UntagRole removes tags from a role.
func (b *IAM) UntagRole(ctx context.Context, in *iam.UntagRoleInput) (*iam.UntagRoleOutput, error) {
	return nil, b.editTags(ctx, &roles, *in.RoleName, nil, in.TagKeys)
}

// ListRoleTags lists the tags of a role.
func (b *IAM) ListRoleTags(ctx context.Context, in *iam.ListRoleTagsInput) (*iam.ListRoleTagsOutput, error) {
	tags, truncated, next, err := b.tagsOf(ctx, &roles, *in.RoleName, in.Marker, in.MaxItems)
	return &iam.ListRoleTagsOutput{Tags: tags, IsTruncated: truncated, Marker: next}, err
}
