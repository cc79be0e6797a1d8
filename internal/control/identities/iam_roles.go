package identities

import (
	"context"
	"errors"
	"slices"
	"strings"

	"gatehouse/internal/awsapi/gen/iam"
	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/store"
)

// maxTrust is the quota of a trust policy's characters, as far as it can be raised.
const maxTrust = 4096

// defaultSession is how long sessions of a role may last when it does not say, in seconds.
const defaultSession = 3600

// showRole shows a role as CreateRole and GetRole do.
func showRole(account string, e *entity) *iam.Role {
	return &iam.Role{Path: &e.Path, RoleName: &e.Name, RoleId: &e.ID, Arn: new(roles.arn(account, e)), CreateDate: &e.Created,
		AssumeRolePolicyDocument: encode(e.Trust), Description: opt(e.Description), MaxSessionDuration: &e.MaxSession,
		PermissionsBoundary: showBoundary(e.Boundary), Tags: showTags(e.Tags), RoleLastUsed: &iam.RoleLastUsed{}}
}

// listedRole shows a role as lists do, with less.
func listedRole(account string, e *entity) iam.Role {
	r := showRole(account, e)
	r.PermissionsBoundary, r.Tags, r.RoleLastUsed = nil, nil, nil
	return *r
}

func checkTrust(document string) error {
	if n := size(document); n > maxTrust {
		return iam.LimitExceededException("Cannot exceed quota for ACLSizePerRole: 4096")
	}
	return checkDocument(document, iampolicy.Trust)
}

// CreateRole makes a role.
func (b *IAM) CreateRole(ctx context.Context, in *iam.CreateRoleInput) (*iam.CreateRoleOutput, error) {
	if err := checkTrust(*in.AssumeRolePolicyDocument); err != nil {
		return nil, err
	}
	out := new(iam.CreateRoleOutput)
	err := b.change(ctx, func(tx *txn) error {
		e, err := newEntity(tx, &roles, *in.RoleName, in.Path, in.PermissionsBoundary, in.Tags)
		if err != nil {
			return err
		}
		e.Trust, e.Description, e.MaxSession = *in.AssumeRolePolicyDocument, val(in.Description), defaultSession
		if in.MaxSessionDuration != nil {
			e.MaxSession = *in.MaxSessionDuration
		}
		out.Role = showRole(tx.account, &e)
		out.Role.RoleLastUsed = nil
		return roles.create(tx, e)
	})
	return out, err
}

// GetRole shows a role.
func (b *IAM) GetRole(ctx context.Context, in *iam.GetRoleInput) (*iam.GetRoleOutput, error) {
	out := new(iam.GetRoleOutput)
	err := b.view(ctx, func(tx *txn) error {
		e, err := roles.get(tx, *in.RoleName)
		out.Role = showRole(tx.account, &e)
		return err
	})
	return out, err
}

// ListRoles lists roles by name.
func (b *IAM) ListRoles(ctx context.Context, in *iam.ListRolesInput) (*iam.ListRolesOutput, error) {
	out := &iam.ListRolesOutput{Roles: []iam.Role{}}
	err := b.view(ctx, func(tx *txn) error {
		all, err := roles.all(tx)
		if err != nil {
			return err
		}
		all = under(all, func(e *entity) string { return e.Path }, in.PathPrefix)
		if all, out.IsTruncated, out.Marker, err = page(all, entityName, in.Marker, in.MaxItems); err != nil {
			return err
		}
		for i := range all {
			out.Roles = append(out.Roles, listedRole(tx.account, &all[i]))
		}
		return nil
	})
	return out, err
}

// UpdateRole changes description and longest session; what is not named stays.
func (b *IAM) UpdateRole(ctx context.Context, in *iam.UpdateRoleInput) (*iam.UpdateRoleOutput, error) {
	return nil, b.change(ctx, func(tx *txn) error {
		return roles.edit(tx, *in.RoleName, func(e *entity) error {
			if in.Description != nil {
				e.Description = *in.Description
			}
			if in.MaxSessionDuration != nil {
				e.MaxSession = *in.MaxSessionDuration
			}
			return nil
		})
	})
}

// UpdateRoleDescription changes the description and shows the role.
func (b *IAM) UpdateRoleDescription(ctx context.Context, in *iam.UpdateRoleDescriptionInput) (*iam.UpdateRoleDescriptionOutput, error) {
	out := new(iam.UpdateRoleDescriptionOutput)
	err := b.change(ctx, func(tx *txn) error {
		return roles.edit(tx, *in.RoleName, func(e *entity) error {
			e.Description = *in.Description
			out.Role = showRole(tx.account, e)
			return nil
		})
	})
	return out, err
}

// UpdateAssumeRolePolicy replaces who may assume the role. Sessions that exist go on.
func (b *IAM) UpdateAssumeRolePolicy(ctx context.Context, in *iam.UpdateAssumeRolePolicyInput) (*iam.UpdateAssumeRolePolicyOutput, error) {
	if err := checkTrust(*in.PolicyDocument); err != nil {
		return nil, err
	}
	return nil, b.change(ctx, func(tx *txn) error {
		return roles.edit(tx, *in.RoleName, func(e *entity) error {
			e.Trust = *in.PolicyDocument
			return nil
		})
	})
}

// DeleteRole removes a role without policies and instance profiles. Its sessions end.
func (b *IAM) DeleteRole(ctx context.Context, in *iam.DeleteRoleInput) (*iam.DeleteRoleOutput, error) {
	return nil, b.change(ctx, func(tx *txn) error {
		e, err := roles.get(tx, *in.RoleName)
		if err != nil {
			return err
		}
		if held, err := profilesOf(tx, e.ID); err != nil {
			return err
		} else if len(held) > 0 {
			return iam.DeleteConflictException("Cannot delete entity, must remove roles from instance profile first.")
		}
		if err := bare(&e); err != nil {
			return err
		}
		return roles.delete(tx, &e)
	})
}

// profilesOf returns the instance profiles that hold a role.
func profilesOf(tx *txn, roleID string) ([]instanceProfile, error) {
	all, err := values(profiles, tx, tx.scope())
	return slices.DeleteFunc(all, func(p instanceProfile) bool { return !slices.Contains(p.Roles, roleID) }), err
}

func showProfile(tx *txn, p *instanceProfile) (*iam.InstanceProfile, error) {
	out := &iam.InstanceProfile{Path: &p.Path, InstanceProfileName: &p.Name, InstanceProfileId: &p.ID, CreateDate: &p.Created,
		Arn: new("arn:aws:iam::" + tx.account + ":instance-profile" + p.Path + p.Name), Roles: []iam.Role{}, Tags: showTags(p.Tags)}
	all, err := roles.all(tx)
	for i := range all {
		if slices.Contains(p.Roles, all[i].ID) {
			out.Roles = append(out.Roles, listedRole(tx.account, &all[i]))
		}
	}
	return out, err
}

func getProfile(tx *txn, name string) (instanceProfile, error) {
	p, err := profiles.Get(tx.Tx, tx.scope(), strings.ToLower(name))
	if errors.Is(err, store.ErrNotFound) {
		return p, iam.NoSuchEntityException("Instance Profile " + name + " cannot be found.")
	}
	return p, err
}

// CreateInstanceProfile makes an instance profile: a record, as there are no instances.
func (b *IAM) CreateInstanceProfile(ctx context.Context, in *iam.CreateInstanceProfileInput) (*iam.CreateInstanceProfileOutput, error) {
	out := new(iam.CreateInstanceProfileOutput)
	err := b.change(ctx, func(tx *txn) error {
		p := instanceProfile{Name: *in.InstanceProfileName, ID: newID("AIPA", 17), Created: tx.Now()}
		var err error
		if p.Path, err = pathOf(in.Path); err != nil {
			return err
		}
		if p.Tags, err = mergeTags(nil, in.Tags); err != nil {
			return err
		}
		err = profiles.Create(tx.Tx, tx.scope(), strings.ToLower(p.Name), p)
		if errors.Is(err, store.ErrExists) {
			return iam.EntityAlreadyExistsException("Instance Profile " + p.Name + " already exists.")
		}
		if err != nil {
			return err
		}
		out.InstanceProfile, err = showProfile(tx, &p)
		return err
	})
	return out, err
}

// GetInstanceProfile shows an instance profile.
func (b *IAM) GetInstanceProfile(ctx context.Context, in *iam.GetInstanceProfileInput) (*iam.GetInstanceProfileOutput, error) {
	out := new(iam.GetInstanceProfileOutput)
	err := b.view(ctx, func(tx *txn) error {
		p, err := getProfile(tx, *in.InstanceProfileName)
		if err != nil {
			return err
		}
		out.InstanceProfile, err = showProfile(tx, &p)
		return err
	})
	return out, err
}

// DeleteInstanceProfile removes an instance profile without roles.
func (b *IAM) DeleteInstanceProfile(ctx context.Context, in *iam.DeleteInstanceProfileInput) (*iam.DeleteInstanceProfileOutput, error) {
	return nil, b.change(ctx, func(tx *txn) error {
		p, err := getProfile(tx, *in.InstanceProfileName)
		if err != nil {
			return err
		}
		if len(p.Roles) > 0 {
			return iam.DeleteConflictException("Cannot delete entity, must remove roles from instance profile first.")
		}
		return profiles.Delete(tx.Tx, tx.scope(), strings.ToLower(p.Name))
	})
}

// AddRoleToInstanceProfile puts the one role in that a profile can hold.
func (b *IAM) AddRoleToInstanceProfile(ctx context.Context, in *iam.AddRoleToInstanceProfileInput) (*iam.AddRoleToInstanceProfileOutput, error) {
	return nil, b.profileRole(ctx, *in.InstanceProfileName, *in.RoleName, func(p *instanceProfile, id string) error {
		if len(p.Roles) > 0 {
			return iam.LimitExceededException("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
		}
		p.Roles = []string{id}
		return nil
	})
}

// RemoveRoleFromInstanceProfile takes the role out.
func (b *IAM) RemoveRoleFromInstanceProfile(ctx context.Context, in *iam.RemoveRoleFromInstanceProfileInput) (*iam.RemoveRoleFromInstanceProfileOutput, error) {
	return nil, b.profileRole(ctx, *in.InstanceProfileName, *in.RoleName, func(p *instanceProfile, id string) error {
		if !slices.Contains(p.Roles, id) {
			return iam.NoSuchEntityException("The role with name " + *in.RoleName + " cannot be found.")
		}
		p.Roles = nil
		return nil
	})
}

func (b *IAM) profileRole(ctx context.Context, profile, role string, fn func(p *instanceProfile, roleID string) error) error {
	return b.change(ctx, func(tx *txn) error {
		p, err := getProfile(tx, profile)
		if err != nil {
			return err
		}
		e, err := roles.get(tx, role)
		if err != nil {
			return err
		}
		if err := fn(&p, e.ID); err != nil {
			return err
		}
		return profiles.Put(tx.Tx, tx.scope(), strings.ToLower(p.Name), p)
	})
}

// ListInstanceProfiles lists instance profiles by name.
func (b *IAM) ListInstanceProfiles(ctx context.Context, in *iam.ListInstanceProfilesInput) (*iam.ListInstanceProfilesOutput, error) {
	out := new(iam.ListInstanceProfilesOutput)
	err := b.view(ctx, func(tx *txn) error {
		all, err := values(profiles, tx, tx.scope())
		if err != nil {
			return err
		}
		all = under(all, func(p *instanceProfile) string { return p.Path }, in.PathPrefix)
		out.InstanceProfiles, out.IsTruncated, out.Marker, err = pageOfProfiles(tx, all, in.Marker, in.MaxItems)
		return err
	})
	return out, err
}

// ListInstanceProfilesForRole lists the profiles that hold a role.
func (b *IAM) ListInstanceProfilesForRole(ctx context.Context, in *iam.ListInstanceProfilesForRoleInput) (*iam.ListInstanceProfilesForRoleOutput, error) {
	out := new(iam.ListInstanceProfilesForRoleOutput)
	err := b.view(ctx, func(tx *txn) error {
		e, err := roles.get(tx, *in.RoleName)
		if err != nil {
			return err
		}
		all, err := profilesOf(tx, e.ID)
		if err != nil {
			return err
		}
		out.InstanceProfiles, out.IsTruncated, out.Marker, err = pageOfProfiles(tx, all, in.Marker, in.MaxItems)
		return err
	})
	return out, err
}

func pageOfProfiles(tx *txn, all []instanceProfile, marker *string, limit *int32) (shown []iam.InstanceProfile, truncated *bool, next *string, err error) {
	all, truncated, next, err = page(all, func(p *instanceProfile) string { return p.Name }, marker, limit)
	shown = []iam.InstanceProfile{}
	for i := range all {
		p, err := showProfile(tx, &all[i])
		if err != nil {
			return nil, nil, nil, err
		}
		shown = append(shown, *p)
	}
	return shown, truncated, next, err
}
