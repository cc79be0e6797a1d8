package identities

import (
	"context"
	"slices"

	"gatehouse/internal/awsapi/gen/iam"
)

func showGroup(account string, e *entity) iam.Group {
	return iam.Group{Path: &e.Path, GroupName: &e.Name, GroupId: &e.ID, Arn: new(groups.arn(account, e)), CreateDate: &e.Created}
}

// CreateGroup makes a group.
func (b *IAM) CreateGroup(ctx context.Context, in *iam.CreateGroupInput) (*iam.CreateGroupOutput, error) {
	out := new(iam.CreateGroupOutput)
	err := b.change(ctx, func(tx *txn) error {
		e, err := newEntity(tx, &groups, *in.GroupName, in.Path, nil, nil)
		if err != nil {
			return err
		}
		out.Group = new(showGroup(tx.account, &e))
		return groups.create(tx, e)
	})
	return out, err
}

// members returns the users in a group.
func usersOf(tx *txn, groupID string) ([]entity, error) {
	all, err := users.all(tx)
	return slices.DeleteFunc(all, func(u entity) bool { return !slices.Contains(u.Groups, groupID) }), err
}

// GetGroup shows a group and its users.
func (b *IAM) GetGroup(ctx context.Context, in *iam.GetGroupInput) (*iam.GetGroupOutput, error) {
	out := &iam.GetGroupOutput{Users: []iam.User{}}
	err := b.view(ctx, func(tx *txn) error {
		e, err := groups.get(tx, *in.GroupName)
		if err != nil {
			return err
		}
		all, err := usersOf(tx, e.ID)
		if err != nil {
			return err
		}
		if all, out.IsTruncated, out.Marker, err = page(all, entityName, in.Marker, in.MaxItems); err != nil {
			return err
		}
		out.Group = new(showGroup(tx.account, &e))
		for i := range all {
			u := showUser(tx.account, &all[i])
			u.Tags, u.PermissionsBoundary = nil, nil
			out.Users = append(out.Users, *u)
		}
		return nil
	})
	return out, err
}

// ListGroups lists groups by name.
func (b *IAM) ListGroups(ctx context.Context, in *iam.ListGroupsInput) (*iam.ListGroupsOutput, error) {
	out := new(iam.ListGroupsOutput)
	err := b.view(ctx, func(tx *txn) error {
		all, err := groups.all(tx)
		if err != nil {
			return err
		}
		all = under(all, func(e *entity) string { return e.Path }, in.PathPrefix)
		out.Groups, out.IsTruncated, out.Marker, err = pageOfGroups(tx, all, in.Marker, in.MaxItems)
		return err
	})
	return out, err
}

func pageOfGroups(tx *txn, all []entity, marker *string, limit *int32) (shown []iam.Group, truncated *bool, next *string, err error) {
	all, truncated, next, err = page(all, entityName, marker, limit)
	shown = []iam.Group{}
	for i := range all {
		shown = append(shown, showGroup(tx.account, &all[i]))
	}
	return shown, truncated, next, err
}

// ListGroupsForUser lists the groups that a user is in.
func (b *IAM) ListGroupsForUser(ctx context.Context, in *iam.ListGroupsForUserInput) (*iam.ListGroupsForUserOutput, error) {
	out := new(iam.ListGroupsForUserOutput)
	err := b.view(ctx, func(tx *txn) error {
		u, err := users.get(tx, *in.UserName)
		if err != nil {
			return err
		}
		all, err := groups.all(tx)
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(g entity) bool { return !slices.Contains(u.Groups, g.ID) })
		out.Groups, out.IsTruncated, out.Marker, err = pageOfGroups(tx, all, in.Marker, in.MaxItems)
		return err
	})
	return out, err
}

// UpdateGroup renames or moves a group.
func (b *IAM) UpdateGroup(ctx context.Context, in *iam.UpdateGroupInput) (*iam.UpdateGroupOutput, error) {
	return nil, b.change(ctx, func(tx *txn) error { return rename(tx, &groups, *in.GroupName, in.NewGroupName, in.NewPath) })
}

// DeleteGroup removes a group without users and policies.
func (b *IAM) DeleteGroup(ctx context.Context, in *iam.DeleteGroupInput) (*iam.DeleteGroupOutput, error) {
	return nil, b.change(ctx, func(tx *txn) error {
		e, err := groups.get(tx, *in.GroupName)
		if err != nil {
			return err
		}
		if all, err := usersOf(tx, e.ID); err != nil {
			return err
		} else if len(all) > 0 {
			return iam.DeleteConflictException("Cannot delete entity, must remove users from group first.")
		}
		if err := bare(&e); err != nil {
			return err
		}
		return groups.delete(tx, &e)
	})
}

// AddUserToGroup adds a user; adding one again changes nothing.
func (b *IAM) AddUserToGroup(ctx context.Context, in *iam.AddUserToGroupInput) (*iam.AddUserToGroupOutput, error) {
	return nil, b.membership(ctx, *in.GroupName, *in.UserName, func(u *entity, id string) {
		if !slices.Contains(u.Groups, id) {
			u.Groups = append(u.Groups, id)
		}
	})
}

// RemoveUserFromGroup takes a user out; one that is not in it stays so.
func (b *IAM) RemoveUserFromGroup(ctx context.Context, in *iam.RemoveUserFromGroupInput) (*iam.RemoveUserFromGroupOutput, error) {
	return nil, b.membership(ctx, *in.GroupName, *in.UserName, func(u *entity, id string) {
		u.Groups = slices.DeleteFunc(u.Groups, func(g string) bool { return g == id })
	})
}

func (b *IAM) membership(ctx context.Context, group, user string, fn func(u *entity, groupID string)) error {
	return b.change(ctx, func(tx *txn) error {
		g, err := groups.get(tx, group)
		if err != nil {
			return err
		}
		return users.edit(tx, user, func(u *entity) error {
			fn(u, g.ID)
			return nil
		})
	})
}
