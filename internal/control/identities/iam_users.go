package identities

import (
	"context"
	"slices"
	"strings"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/gen/iam"
	"gatehouse/internal/store"
)

func showUser(account string, e *entity) *iam.User {
	return &iam.User{Path: &e.Path, UserName: &e.Name, UserId: &e.ID, Arn: new(users.arn(account, e)), CreateDate: &e.Created,
		PermissionsBoundary: showBoundary(e.Boundary), Tags: showTags(e.Tags)}
}

// newEntity makes an entity with what users, groups and roles have in common.
func newEntity(tx *txn, of *sort, name string, path, boundary *string, tags []iam.Tag) (e entity, err error) {
	e = entity{Name: name, ID: newID(of.prefix, 17), Created: tx.Now(), Boundary: val(boundary)}
	if e.Path, err = pathOf(path); err != nil {
		return e, err
	}
	if e.Tags, err = mergeTags(nil, tags); err != nil {
		return e, err
	}
	if e.Boundary != "" {
		_, err = mustManaged(tx, e.Boundary, notAttachable)
	}
	return e, err
}

// CreateUser makes a user.
func (b *IAM) CreateUser(ctx context.Context, in *iam.CreateUserInput) (*iam.CreateUserOutput, error) {
	out := new(iam.CreateUserOutput)
	err := b.change(ctx, func(tx *txn) error {
		e, err := newEntity(tx, &users, *in.UserName, in.Path, in.PermissionsBoundary, in.Tags)
		if err != nil {
			return err
		}
		out.User = showUser(tx.account, &e)
		return users.create(tx, e)
	})
	return out, err
}

// userName is the user that a call means when it names none: the caller.
func userName(ctx context.Context, name *string) (string, error) {
	if name != nil {
		return *name, nil
	}
	id := &awsapi.CallFrom(ctx).Identity
	if id.Kind != awsapi.User {
		return "", invalid("Must specify userName when calling with non-User credentials")
	}
	return id.Name, nil
}

// GetUser shows a user, the caller by default. The root key is shown as such.
func (b *IAM) GetUser(ctx context.Context, in *iam.GetUserInput) (*iam.GetUserOutput, error) {
	out := new(iam.GetUserOutput)
	if id := &awsapi.CallFrom(ctx).Identity; in.UserName == nil && id.Kind == awsapi.Root {
		out.User = &iam.User{Path: new("/"), UserName: new("root"), UserId: new(id.Account), Arn: new(id.ARN), CreateDate: new(builtinTime)}
		return out, nil
	}
	name, err := userName(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	err = b.view(ctx, func(tx *txn) error {
		e, err := users.get(tx, name)
		out.User = showUser(tx.account, &e)
		return err
	})
	return out, err
}

// ListUsers lists users by name, without tags and boundary.
func (b *IAM) ListUsers(ctx context.Context, in *iam.ListUsersInput) (*iam.ListUsersOutput, error) {
	out := &iam.ListUsersOutput{Users: []iam.User{}}
	err := b.view(ctx, func(tx *txn) error {
		all, err := users.all(tx)
		if err != nil {
			return err
		}
		all = under(all, func(e *entity) string { return e.Path }, in.PathPrefix)
		if all, out.IsTruncated, out.Marker, err = page(all, entityName, in.Marker, in.MaxItems); err != nil {
			return err
		}
		for i := range all {
			u := showUser(tx.account, &all[i])
			u.Tags, u.PermissionsBoundary = nil, nil
			out.Users = append(out.Users, *u)
		}
		return nil
	})
	return out, err
}

func entityName(e *entity) string { return e.Name }

// rename gives an entity a new name or path. What belongs to it goes by its id or with
// its document.
func rename(tx *txn, of *sort, name string, newName, newPath *string) error {
	e, err := of.get(tx, name)
	if err != nil {
		return err
	}
	old := e
	if newPath != nil {
		if e.Path, err = pathOf(newPath); err != nil {
			return err
		}
	}
	if newName == nil || strings.EqualFold(*newName, e.Name) {
		if newName != nil {
			e.Name = *newName
		}
		return of.put(tx, e)
	}
	if err := of.delete(tx, &old); err != nil {
		return err
	}
	e.Name = *newName
	return of.create(tx, e)
}

// UpdateUser renames or moves a user.
func (b *IAM) UpdateUser(ctx context.Context, in *iam.UpdateUserInput) (*iam.UpdateUserOutput, error) {
	return nil, b.change(ctx, func(tx *txn) error { return rename(tx, &users, *in.UserName, in.NewUserName, in.NewPath) })
}

// DeleteUser removes a user that has nothing left.
func (b *IAM) DeleteUser(ctx context.Context, in *iam.DeleteUserInput) (*iam.DeleteUserOutput, error) {
	return nil, b.change(ctx, func(tx *txn) error {
		e, err := users.get(tx, *in.UserName)
		if err != nil {
			return err
		}
		keys, err := accessKeys.Count(tx.Tx, tx.scope().Of(e.ID))
		switch {
		case err != nil:
			return err
		case keys > 0:
			return iam.DeleteConflictException("Cannot delete entity, must delete access keys first.")
		case len(e.Groups) > 0:
			return iam.DeleteConflictException("Cannot delete entity, must remove user from groups first.")
		}
		if err := bare(&e); err != nil {
			return err
		}
		return users.delete(tx, &e)
	})
}

// bare refuses to delete an entity that has policies.
func bare(e *entity) error {
	if len(e.Attached) > 0 {
		return iam.DeleteConflictException("Cannot delete entity, must detach all policies first.")
	}
	if len(e.Inline) > 0 {
		return iam.DeleteConflictException("Cannot delete entity, must delete policies first.")
	}
	return nil
}

// mustUser is for the operations on credentials that no user has here: they only check
// that the user exists.
func (b *IAM) mustUser(ctx context.Context, name *string) error {
	n, err := userName(ctx, name)
	if err != nil {
		return err
	}
	return b.view(ctx, func(tx *txn) error {
		_, err := users.get(tx, n)
		return err
	})
}

// GetLoginProfile answers that the user has no password: there is no console to use it.
func (b *IAM) GetLoginProfile(ctx context.Context, in *iam.GetLoginProfileInput) (*iam.GetLoginProfileOutput, error) {
	if err := b.mustUser(ctx, in.UserName); err != nil {
		return nil, err
	}
	return nil, noLoginProfile(val(in.UserName))
}

// DeleteLoginProfile answers like GetLoginProfile.
func (b *IAM) DeleteLoginProfile(ctx context.Context, in *iam.DeleteLoginProfileInput) (*iam.DeleteLoginProfileOutput, error) {
	if err := b.mustUser(ctx, in.UserName); err != nil {
		return nil, err
	}
	return nil, noLoginProfile(val(in.UserName))
}

func noLoginProfile(user string) error {
	return iam.NoSuchEntityException("Login Profile for User " + user + " cannot be found.")
}

// ListMFADevices is empty: sessions are not made with devices here.
func (b *IAM) ListMFADevices(ctx context.Context, in *iam.ListMFADevicesInput) (*iam.ListMFADevicesOutput, error) {
	return &iam.ListMFADevicesOutput{MFADevices: []iam.MFADevice{}, IsTruncated: new(false)}, b.mustUser(ctx, in.UserName)
}

// ListVirtualMFADevices is empty, see ListMFADevices.
func (b *IAM) ListVirtualMFADevices(context.Context, *iam.ListVirtualMFADevicesInput) (*iam.ListVirtualMFADevicesOutput, error) {
	return &iam.ListVirtualMFADevicesOutput{VirtualMFADevices: []iam.VirtualMFADevice{}, IsTruncated: new(false)}, nil
}

// ListSSHPublicKeys is empty: CodeCommit is not here.
func (b *IAM) ListSSHPublicKeys(ctx context.Context, in *iam.ListSSHPublicKeysInput) (*iam.ListSSHPublicKeysOutput, error) {
	return &iam.ListSSHPublicKeysOutput{SSHPublicKeys: []iam.SSHPublicKeyMetadata{}, IsTruncated: new(false)}, b.mustUser(ctx, in.UserName)
}

// ListServiceSpecificCredentials is empty: the services that have such are not here.
func (b *IAM) ListServiceSpecificCredentials(ctx context.Context, in *iam.ListServiceSpecificCredentialsInput) (*iam.ListServiceSpecificCredentialsOutput, error) {
	out := &iam.ListServiceSpecificCredentialsOutput{ServiceSpecificCredentials: []iam.ServiceSpecificCredentialMetadata{}}
	if val(in.AllUsers) {
		return out, nil
	}
	return out, b.mustUser(ctx, in.UserName)
}

// ListSigningCertificates is empty: requests are not signed with certificates here.
func (b *IAM) ListSigningCertificates(ctx context.Context, in *iam.ListSigningCertificatesInput) (*iam.ListSigningCertificatesOutput, error) {
	return &iam.ListSigningCertificatesOutput{Certificates: []iam.SigningCertificate{}, IsTruncated: new(false)}, b.mustUser(ctx, in.UserName)
}

// maxAccessKeys is IAM's quota per user, which cannot be raised.
const maxAccessKeys = 2

// CreateAccessKey makes a key for a user. Its secret is shown this once.
func (b *IAM) CreateAccessKey(ctx context.Context, in *iam.CreateAccessKeyInput) (*iam.CreateAccessKeyOutput, error) {
	name, err := userName(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	out := new(iam.CreateAccessKeyOutput)
	err = b.change(ctx, func(tx *txn) error {
		e, err := users.get(tx, name)
		if err != nil {
			return err
		}
		in := tx.scope().Of(e.ID)
		if n, err := accessKeys.Count(tx.Tx, in); err != nil {
			return err
		} else if n >= maxAccessKeys {
			return iam.LimitExceededException("Cannot exceed quota for AccessKeysPerUser: 2")
		}
		k, secret := accessKey{ID: newID("AKIA", 16), Active: true, Created: tx.Now()}, newSecret()
		tx.touch(accessKeys.Key(in, k.ID))
		if err := accessKeys.Create(tx.Tx, in, k.ID, k); err != nil {
			return err
		}
		out.AccessKey = &iam.AccessKey{UserName: &e.Name, AccessKeyId: &k.ID, Status: new(iam.StatusTypeActive), SecretAccessKey: &secret, CreateDate: &k.Created}
		return tx.PutSecret(accessKeys.Key(in, k.ID), secretName, store.Secret(secret))
	})
	return out, err
}

func showStatus(active bool) *iam.StatusType {
	if active {
		return new(iam.StatusTypeActive)
	}
	return new(iam.StatusTypeInactive)
}

// ListAccessKeys lists a user's keys, the caller's by default.
func (b *IAM) ListAccessKeys(ctx context.Context, in *iam.ListAccessKeysInput) (*iam.ListAccessKeysOutput, error) {
	name, err := userName(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	out := &iam.ListAccessKeysOutput{AccessKeyMetadata: []iam.AccessKeyMetadata{}}
	err = b.view(ctx, func(tx *txn) error {
		e, err := users.get(tx, name)
		if err != nil {
			return err
		}
		all, err := values(accessKeys, tx, tx.scope().Of(e.ID))
		if err != nil {
			return err
		}
		if all, out.IsTruncated, out.Marker, err = page(all, func(k *accessKey) string { return k.ID }, in.Marker, in.MaxItems); err != nil {
			return err
		}
		for i := range all {
			out.AccessKeyMetadata = append(out.AccessKeyMetadata, iam.AccessKeyMetadata{UserName: &e.Name,
				AccessKeyId: &all[i].ID, Status: showStatus(all[i].Active), CreateDate: &all[i].Created})
		}
		return nil
	})
	return out, err
}

// withKey finds a key of a user. Without a user's name, it is the caller's.
func (b *IAM) withKey(ctx context.Context, user *string, id string, fn func(*txn, store.Scope, accessKey) error) error {
	name, err := userName(ctx, user)
	if err != nil {
		return err
	}
	return b.change(ctx, func(tx *txn) error {
		e, err := users.get(tx, name)
		if err != nil {
			return err
		}
		in := tx.scope().Of(e.ID)
		all, err := values(accessKeys, tx, in)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(k accessKey) bool { return k.ID == id })
		if i < 0 {
			return iam.NoSuchEntityException("The Access Key with id " + id + " cannot be found.")
		}
		tx.touch(accessKeys.Key(in, id))
		return fn(tx, in, all[i])
	})
}

// UpdateAccessKey switches a key on or off.
func (b *IAM) UpdateAccessKey(ctx context.Context, in *iam.UpdateAccessKeyInput) (*iam.UpdateAccessKeyOutput, error) {
	if *in.Status == iam.StatusTypeExpired {
		return nil, invalid("Status Expired cannot be set; want Active or Inactive.")
	}
	return nil, b.withKey(ctx, in.UserName, *in.AccessKeyId, func(tx *txn, at store.Scope, k accessKey) error {
		k.Active = *in.Status == iam.StatusTypeActive
		return accessKeys.Put(tx.Tx, at, k.ID, k)
	})
}

// DeleteAccessKey removes a key with its secret.
func (b *IAM) DeleteAccessKey(ctx context.Context, in *iam.DeleteAccessKeyInput) (*iam.DeleteAccessKeyOutput, error) {
	return nil, b.withKey(ctx, in.UserName, *in.AccessKeyId, func(tx *txn, at store.Scope, k accessKey) error {
		return accessKeys.Delete(tx.Tx, at, k.ID)
	})
}

// GetAccessKeyLastUsed tells when a key was used, as far as this process has seen it.
func (b *IAM) GetAccessKeyLastUsed(ctx context.Context, in *iam.GetAccessKeyLastUsedInput) (*iam.GetAccessKeyLastUsedOutput, error) {
	account := awsapi.CallFrom(ctx).Account
	k := b.s.dir.key(*in.AccessKeyId)
	if k == nil || k.account != account {
		return nil, iam.NoSuchEntityException("The Access Key with id " + *in.AccessKeyId + " cannot be found.")
	}
	out := &iam.GetAccessKeyLastUsedOutput{AccessKeyLastUsed: &iam.AccessKeyLastUsed{ServiceName: new("N/A"), Region: new("N/A")}}
	if sub := b.s.dir.subject(account, k.userID); sub != nil {
		out.UserName = &sub.Name
	}
	if u, ok := b.s.used.get(k.ID); ok {
		out.AccessKeyLastUsed = &iam.AccessKeyLastUsed{LastUsedDate: &u.at, ServiceName: &u.service, Region: &u.region}
	}
	return out, nil
}
