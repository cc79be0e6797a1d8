package identities

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/awsapi/gen/iam"
	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/store"
)

const (
	// maxManaged is the most characters of a managed policy, white space not counted.
	maxManaged = 6144

	// maxVersions is how many versions a managed policy can have.
	maxVersions = 5
)

// uses counts where managed policies are attached or set as boundary.
type uses struct{ attached, boundary map[string]int32 }

func countUses(tx *txn) (u uses, _ error) {
	u = uses{map[string]int32{}, map[string]int32{}}
	for _, of := range []*sort{&users, &groups, &roles} {
		all, err := of.all(tx)
		if err != nil {
			return u, err
		}
		for _, e := range all {
			for _, arn := range e.Attached {
				u.attached[arn]++
			}
			if e.Boundary != "" {
				u.boundary[e.Boundary]++
			}
		}
	}
	return u, nil
}

func showPolicy(p *managedPolicy, u uses) *iam.Policy {
	return &iam.Policy{PolicyName: &p.Name, PolicyId: &p.ID, Arn: &p.ARN, Path: &p.Path, DefaultVersionId: &p.Default,
		AttachmentCount: new(u.attached[p.ARN]), PermissionsBoundaryUsageCount: new(u.boundary[p.ARN]), IsAttachable: new(true),
		Description: opt(p.Description), CreateDate: &p.Created, UpdateDate: &p.Updated, Tags: showTags(p.Tags)}
}

func (p *managedPolicy) show(v *policyVersion) *iam.PolicyVersion {
	return &iam.PolicyVersion{VersionId: &v.ID, IsDefaultVersion: new(v.ID == p.Default), CreateDate: &v.Created}
}

func checkManaged(document string) error {
	if size(document) > maxManaged {
		return iam.LimitExceededException("Cannot exceed quota for PolicySize: 6144")
	}
	return checkDocument(document, iampolicy.Identity)
}

// CreatePolicy makes a managed policy with its first version.
func (b *IAM) CreatePolicy(ctx context.Context, in *iam.CreatePolicyInput) (*iam.CreatePolicyOutput, error) {
	if err := checkManaged(*in.PolicyDocument); err != nil {
		return nil, err
	}
	out := new(iam.CreatePolicyOutput)
	err := b.change(ctx, func(tx *txn) (err error) {
		now := tx.Now()
		p := managedPolicy{Name: *in.PolicyName, ID: newID("ANPA", 17), Description: val(in.Description), Created: now, Updated: now,
			Default: "v1", Next: 2, Versions: []policyVersion{{"v1", *in.PolicyDocument, now}}}
		if p.Path, err = pathOf(in.Path); err != nil {
			return err
		}
		if p.Tags, err = mergeTags(nil, in.Tags); err != nil {
			return err
		}
		p.ARN = "arn:aws:iam::" + tx.account + ":policy" + p.Path + p.Name
		out.Policy = showPolicy(&p, uses{})
		id := strings.ToLower(p.Name)
		tx.touch(policies.Key(tx.scope(), id))
		err = policies.Create(tx.Tx, tx.scope(), id, p)
		if errors.Is(err, store.ErrExists) {
			return iam.EntityAlreadyExistsException("A policy called " + p.Name + " already exists. Duplicate names are not allowed.")
		}
		return err
	})
	return out, err
}

// GetPolicy shows a managed policy.
func (b *IAM) GetPolicy(ctx context.Context, in *iam.GetPolicyInput) (*iam.GetPolicyOutput, error) {
	out := new(iam.GetPolicyOutput)
	err := b.view(ctx, func(tx *txn) error {
		p, err := mustManaged(tx, *in.PolicyArn, notFound)
		if err != nil {
			return err
		}
		u, err := countUses(tx)
		out.Policy = showPolicy(&p, u)
		return err
	})
	return out, err
}

// GetPolicyVersion shows a version with its document.
func (b *IAM) GetPolicyVersion(ctx context.Context, in *iam.GetPolicyVersionInput) (*iam.GetPolicyVersionOutput, error) {
	out := new(iam.GetPolicyVersionOutput)
	err := b.view(ctx, func(tx *txn) error {
		p, err := mustManaged(tx, *in.PolicyArn, notFound)
		if err != nil {
			return err
		}
		v := p.version(*in.VersionId)
		if v == nil {
			return noVersion(&p, *in.VersionId)
		}
		out.PolicyVersion = p.show(v)
		out.PolicyVersion.Document = encode(v.Document)
		return nil
	})
	return out, err
}

func noVersion(p *managedPolicy, version string) error {
	return iam.NoSuchEntityException("Policy " + p.ARN + " version " + version + " does not exist or is not attachable.")
}

// ListPolicyVersions lists versions, the newest first, without documents.
func (b *IAM) ListPolicyVersions(ctx context.Context, in *iam.ListPolicyVersionsInput) (*iam.ListPolicyVersionsOutput, error) {
	out := &iam.ListPolicyVersionsOutput{Versions: []iam.PolicyVersion{}, IsTruncated: new(false)}
	err := b.view(ctx, func(tx *txn) error {
		p, err := mustManaged(tx, *in.PolicyArn, notFound)
		for i := range slices.Backward(p.Versions) { // at most five: always one page
			out.Versions = append(out.Versions, *p.show(&p.Versions[i]))
		}
		return err
	})
	return out, err
}

// ListPolicies lists managed policies by name: the account's, AWS's, or both.
func (b *IAM) ListPolicies(ctx context.Context, in *iam.ListPoliciesInput) (*iam.ListPoliciesOutput, error) {
	scope := iam.PolicyScopeTypeAll
	if in.Scope != nil {
		scope = *in.Scope
	}
	out := &iam.ListPoliciesOutput{Policies: []iam.Policy{}}
	err := b.view(ctx, func(tx *txn) error {
		var all []managedPolicy
		var err error
		if scope != iam.PolicyScopeTypeAws {
			if all, err = values(policies, tx, tx.scope()); err != nil {
				return err
			}
		}
		if scope != iam.PolicyScopeTypeLocal {
			_, list := builtinIndex()
			for _, p := range list {
				all = append(all, p.managedPolicy)
			}
		}
		u, err := countUses(tx)
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(p managedPolicy) bool { return !wanted(in, &p, u) })
		all = under(all, func(p *managedPolicy) string { return p.Path }, in.PathPrefix)
		if all, out.IsTruncated, out.Marker, err = page(all, func(p *managedPolicy) string { return p.Name }, in.Marker, in.MaxItems); err != nil {
			return err
		}
		for i := range all {
			p := showPolicy(&all[i], u)
			p.Description, p.Tags = nil, nil
			out.Policies = append(out.Policies, *p)
		}
		return nil
	})
	return out, err
}

// wanted applies the filters by use.
func wanted(in *iam.ListPoliciesInput, p *managedPolicy, u uses) bool {
	asPermission, asBoundary := u.attached[p.ARN] > 0, u.boundary[p.ARN] > 0
	switch val(in.PolicyUsageFilter) {
	case iam.PolicyUsageTypePermissionsPolicy:
		return asPermission
	case iam.PolicyUsageTypePermissionsBoundary:
		return asBoundary
	}
	return !val(in.OnlyAttached) || asPermission || asBoundary
}

// editPolicy changes a managed policy of the account. AWS's own cannot be changed.
func (b *IAM) editPolicy(ctx context.Context, arn string, fn func(*txn, *managedPolicy) error) error {
	return b.change(ctx, func(tx *txn) error {
		p, err := mustManaged(tx, arn, notFound)
		if err != nil {
			return err
		}
		if awsManaged(arn) != nil {
			return iam.InvalidInputException("Policy " + arn + " is managed by AWS and cannot be changed.")
		}
		if err := fn(tx, &p); err != nil {
			return err
		}
		id := strings.ToLower(p.Name)
		tx.touch(policies.Key(tx.scope(), id))
		if p.Versions == nil { // deleted
			return policies.Delete(tx.Tx, tx.scope(), id)
		}
		return policies.Put(tx.Tx, tx.scope(), id, p)
	})
}

// CreatePolicyVersion adds a version, in force when SetAsDefault says so.
func (b *IAM) CreatePolicyVersion(ctx context.Context, in *iam.CreatePolicyVersionInput) (*iam.CreatePolicyVersionOutput, error) {
	if err := checkManaged(*in.PolicyDocument); err != nil {
		return nil, err
	}
	out := new(iam.CreatePolicyVersionOutput)
	err := b.editPolicy(ctx, *in.PolicyArn, func(tx *txn, p *managedPolicy) error {
		if len(p.Versions) >= maxVersions {
			return iam.LimitExceededException("A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.")
		}
		v := policyVersion{"v" + strconv.Itoa(p.Next), *in.PolicyDocument, tx.Now()}
		p.Next++
		p.Versions = append(p.Versions, v)
		if val(in.SetAsDefault) {
			p.Default, p.Updated = v.ID, tx.Now()
		}
		out.PolicyVersion = p.show(&v)
		return nil
	})
	return out, err
}

// SetDefaultPolicyVersion puts a version in force.
func (b *IAM) SetDefaultPolicyVersion(ctx context.Context, in *iam.SetDefaultPolicyVersionInput) (*iam.SetDefaultPolicyVersionOutput, error) {
	return nil, b.editPolicy(ctx, *in.PolicyArn, func(tx *txn, p *managedPolicy) error {
		if p.version(*in.VersionId) == nil {
			return noVersion(p, *in.VersionId)
		}
		p.Default, p.Updated = *in.VersionId, tx.Now()
		return nil
	})
}

// DeletePolicyVersion removes a version that is not in force.
func (b *IAM) DeletePolicyVersion(ctx context.Context, in *iam.DeletePolicyVersionInput) (*iam.DeletePolicyVersionOutput, error) {
	return nil, b.editPolicy(ctx, *in.PolicyArn, func(tx *txn, p *managedPolicy) error {
		switch {
		case p.version(*in.VersionId) == nil:
			return noVersion(p, *in.VersionId)
		case p.Default == *in.VersionId:
			return iam.DeleteConflictException("Cannot delete the default version of a policy.")
		}
		p.Versions = slices.DeleteFunc(p.Versions, func(v policyVersion) bool { return v.ID == *in.VersionId })
		return nil
	})
}

// DeletePolicy removes a managed policy that nobody uses, with its only version.
func (b *IAM) DeletePolicy(ctx context.Context, in *iam.DeletePolicyInput) (*iam.DeletePolicyOutput, error) {
	return nil, b.editPolicy(ctx, *in.PolicyArn, func(tx *txn, p *managedPolicy) error {
		u, err := countUses(tx)
		switch {
		case err != nil:
			return err
		case u.attached[p.ARN]+u.boundary[p.ARN] > 0:
			return iam.DeleteConflictException("Cannot delete a policy attached to entities.")
		case len(p.Versions) > 1:
			return iam.DeleteConflictException("This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
		}
		p.Versions = nil
		return nil
	})
}

// ListEntitiesForPolicy lists who has a managed policy, attached or as boundary.
func (b *IAM) ListEntitiesForPolicy(ctx context.Context, in *iam.ListEntitiesForPolicyInput) (*iam.ListEntitiesForPolicyOutput, error) {
	out := &iam.ListEntitiesForPolicyOutput{PolicyGroups: []iam.PolicyGroup{}, PolicyUsers: []iam.PolicyUser{}, PolicyRoles: []iam.PolicyRole{}}
	err := b.view(ctx, func(tx *txn) error {
		if _, err := mustManaged(tx, *in.PolicyArn, notFound); err != nil {
			return err
		}
		type holder struct {
			of *sort
			e  entity
		}
		var all []holder
		for _, of := range []*sort{&groups, &users, &roles} {
			if in.EntityFilter != nil && string(*in.EntityFilter) != of.title {
				continue
			}
			es, err := of.all(tx)
			if err != nil {
				return err
			}
			for _, e := range under(es, func(e *entity) string { return e.Path }, in.PathPrefix) {
				asPermission := val(in.PolicyUsageFilter) != iam.PolicyUsageTypePermissionsBoundary && slices.Contains(e.Attached, *in.PolicyArn)
				asBoundary := val(in.PolicyUsageFilter) != iam.PolicyUsageTypePermissionsPolicy && e.Boundary == *in.PolicyArn
				if asPermission || asBoundary {
					all = append(all, holder{of, e})
				}
			}
		}
		var err error
		all, out.IsTruncated, out.Marker, err = page(all, func(h *holder) string { return h.of.resource + "/" + h.e.Name }, in.Marker, in.MaxItems)
		for i := range all {
			switch e := &all[i].e; all[i].of {
			case &groups:
				out.PolicyGroups = append(out.PolicyGroups, iam.PolicyGroup{GroupName: &e.Name, GroupId: &e.ID})
			case &users:
				out.PolicyUsers = append(out.PolicyUsers, iam.PolicyUser{UserName: &e.Name, UserId: &e.ID})
			default:
				out.PolicyRoles = append(out.PolicyRoles, iam.PolicyRole{RoleName: &e.Name, RoleId: &e.ID})
			}
		}
		return err
	})
	return out, err
}
