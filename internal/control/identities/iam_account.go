package identities

import (
	"context"
	"errors"
	"strings"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/gen/iam"
	"gatehouse/internal/store"
)

// TagPolicy adds tags to a managed policy.
func (b *IAM) TagPolicy(ctx context.Context, in *iam.TagPolicyInput) (*iam.TagPolicyOutput, error) {
	return nil, b.editPolicy(ctx, *in.PolicyArn, func(_ *txn, p *managedPolicy) (err error) {
		p.Tags, err = mergeTags(p.Tags, in.Tags)
		return err
	})
}

// UntagPolicy removes tags from a managed policy.
func (b *IAM) UntagPolicy(ctx context.Context, in *iam.UntagPolicyInput) (*iam.UntagPolicyOutput, error) {
	return nil, b.editPolicy(ctx, *in.PolicyArn, func(_ *txn, p *managedPolicy) error {
		p.Tags = removeTags(p.Tags, in.TagKeys)
		return nil
	})
}

// ListPolicyTags lists the tags of a managed policy.
func (b *IAM) ListPolicyTags(ctx context.Context, in *iam.ListPolicyTagsInput) (*iam.ListPolicyTagsOutput, error) {
	out := new(iam.ListPolicyTagsOutput)
	err := b.view(ctx, func(tx *txn) error {
		p, err := mustManaged(tx, *in.PolicyArn, notFound)
		if err == nil {
			out.Tags, out.IsTruncated, out.Marker, err = listTags(p.Tags, in.Marker, in.MaxItems)
		}
		return err
	})
	return out, err
}

// aliasID is the id of the one alias of an account. Aliases are unique in the store.
const aliasID = "alias"

// CreateAccountAlias names the account, in the place of an earlier alias.
func (b *IAM) CreateAccountAlias(ctx context.Context, in *iam.CreateAccountAliasInput) (*iam.CreateAccountAliasOutput, error) {
	return nil, b.change(ctx, func(tx *txn) error {
		k := aliases.Key(tx.scope(), aliasID)
		if old, err := aliases.Get(tx.Tx, tx.scope(), aliasID); err == nil && old.Alias != *in.AccountAlias {
			if err := tx.Release(aliases.Kind, old.Alias); err != nil {
				return err
			}
		}
		if err := aliases.Put(tx.Tx, tx.scope(), aliasID, accountAlias{*in.AccountAlias}); err != nil {
			return err
		}
		err := tx.Claim(aliases.Kind, *in.AccountAlias, k)
		if errors.Is(err, store.ErrTaken) {
			return iam.EntityAlreadyExistsException("The account alias " + *in.AccountAlias + " already exists.")
		}
		return err
	})
}

// DeleteAccountAlias takes the alias away.
func (b *IAM) DeleteAccountAlias(ctx context.Context, in *iam.DeleteAccountAliasInput) (*iam.DeleteAccountAliasOutput, error) {
	return nil, b.change(ctx, func(tx *txn) error {
		old, err := aliases.Get(tx.Tx, tx.scope(), aliasID)
		if errors.Is(err, store.ErrNotFound) || err == nil && old.Alias != *in.AccountAlias {
			return iam.NoSuchEntityException("The account alias " + *in.AccountAlias + " cannot be found.")
		}
		if err != nil {
			return err
		}
		return aliases.Delete(tx.Tx, tx.scope(), aliasID)
	})
}

// ListAccountAliases shows the alias, if there is one.
func (b *IAM) ListAccountAliases(ctx context.Context, _ *iam.ListAccountAliasesInput) (*iam.ListAccountAliasesOutput, error) {
	out := &iam.ListAccountAliasesOutput{AccountAliases: []string{}, IsTruncated: new(false)}
	err := b.view(ctx, func(tx *txn) error {
		a, err := aliases.Get(tx.Tx, tx.scope(), aliasID)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		out.AccountAliases = append(out.AccountAliases, a.Alias)
		return err
	})
	return out, err
}

// GetAccountSummary counts what the account has, with the quotas that hold here.
func (b *IAM) GetAccountSummary(ctx context.Context, _ *iam.GetAccountSummaryInput) (*iam.GetAccountSummaryOutput, error) {
	out := &iam.GetAccountSummaryOutput{SummaryMap: map[string]int32{
		"AccessKeysPerUserQuota": maxAccessKeys, "UserPolicySizeQuota": int32(users.maxInline), "GroupPolicySizeQuota": int32(groups.maxInline),
		"RolePolicySizeQuota": int32(roles.maxInline), "PolicySizeQuota": maxManaged, "VersionsPerPolicyQuota": maxVersions,
		"AssumeRolePolicySizeQuota": maxTrust, "MFADevices": 0, "MFADevicesInUse": 0, "AccountMFAEnabled": 0, "AccountAccessKeysPresent": 1,
		"AccountPasswordPresent": 0, "AccountSigningCertificatesPresent": 0, "ServerCertificates": 0, "Providers": 0, "GlobalEndpointTokenVersion": 2,
	}}
	err := b.view(ctx, func(tx *txn) error {
		for name, kind := range map[string]string{"Users": users.docs.Kind, "Groups": groups.docs.Kind, "Roles": roles.docs.Kind,
			"Policies": policies.Kind, "InstanceProfiles": profiles.Kind} {
			n, err := tx.Count(kind, tx.scope())
			if err != nil {
				return err
			}
			out.SummaryMap[name] = int32(n)
		}
		all, err := values(policies, tx, tx.scope())
		for i := range all {
			out.SummaryMap["PolicyVersionsInUse"] += int32(len(all[i].Versions))
		}
		return err
	})
	return out, err
}

// GetAccountAuthorizationDetails shows all entities with their policies, on one page
// however many there are: every client takes more than it asked for as the last page.
func (b *IAM) GetAccountAuthorizationDetails(ctx context.Context, in *iam.GetAccountAuthorizationDetailsInput) (*iam.GetAccountAuthorizationDetailsOutput, error) {
	wants := map[iam.EntityType]bool{}
	for _, f := range in.Filter {
		wants[f] = true
	}
	want := func(t iam.EntityType) bool { return len(wants) == 0 || wants[t] }
	out := &iam.GetAccountAuthorizationDetailsOutput{IsTruncated: new(false), UserDetailList: []iam.UserDetail{},
		GroupDetailList: []iam.GroupDetail{}, RoleDetailList: []iam.RoleDetail{}, Policies: []iam.ManagedPolicyDetail{}}
	err := b.view(ctx, func(tx *txn) error {
		d := detailer{tx: tx, out: out, groupNames: map[string]string{}}
		return errors.Join(d.groups(want(iam.EntityTypeGroup)), d.users(want(iam.EntityTypeUser)), d.roles(want(iam.EntityTypeRole)),
			d.policies(want(iam.EntityTypeLocalManagedPolicy), want(iam.EntityTypeAWSManagedPolicy)))
	})
	return out, err
}

// A detailer gathers GetAccountAuthorizationDetails.
type detailer struct {
	tx         *txn
	out        *iam.GetAccountAuthorizationDetailsOutput
	groupNames map[string]string // by id
}

func details(e *entity) (inline []iam.PolicyDetail, attached []iam.AttachedPolicy) {
	inline, attached = []iam.PolicyDetail{}, []iam.AttachedPolicy{}
	for _, p := range e.Inline {
		inline = append(inline, iam.PolicyDetail{PolicyName: new(p.Name), PolicyDocument: encode(p.Document)})
	}
	for _, arn := range e.Attached {
		attached = append(attached, iam.AttachedPolicy{PolicyArn: new(arn), PolicyName: new(arn[strings.LastIndexByte(arn, '/')+1:])})
	}
	return inline, attached
}

func (d *detailer) groups(want bool) error {
	all, err := groups.all(d.tx)
	for i := range all {
		e := &all[i]
		d.groupNames[e.ID] = e.Name
		if want {
			inline, attached := details(e)
			d.out.GroupDetailList = append(d.out.GroupDetailList, iam.GroupDetail{Path: &e.Path, GroupName: &e.Name, GroupId: &e.ID,
				Arn: new(groups.arn(d.tx.account, e)), CreateDate: &e.Created, GroupPolicyList: inline, AttachedManagedPolicies: attached})
		}
	}
	return err
}

func (d *detailer) users(want bool) error {
	if !want {
		return nil
	}
	all, err := users.all(d.tx)
	for i := range all {
		e := &all[i]
		inline, attached := details(e)
		in := []string{}
		for _, id := range e.Groups {
			in = append(in, d.groupNames[id])
		}
		d.out.UserDetailList = append(d.out.UserDetailList, iam.UserDetail{Path: &e.Path, UserName: &e.Name, UserId: &e.ID,
			Arn: new(users.arn(d.tx.account, e)), CreateDate: &e.Created, UserPolicyList: inline, GroupList: in,
			AttachedManagedPolicies: attached, PermissionsBoundary: showBoundary(e.Boundary), Tags: showTags(e.Tags)})
	}
	return err
}

func (d *detailer) roles(want bool) error {
	if !want {
		return nil
	}
	all, err := roles.all(d.tx)
	for i := range all {
		e := &all[i]
		inline, attached := details(e)
		held, err := profilesOf(d.tx, e.ID)
		if err != nil {
			return err
		}
		shown, _, _, err := pageOfProfiles(d.tx, held, nil, nil)
		if err != nil {
			return err
		}
		d.out.RoleDetailList = append(d.out.RoleDetailList, iam.RoleDetail{Path: &e.Path, RoleName: &e.Name, RoleId: &e.ID,
			Arn: new(roles.arn(d.tx.account, e)), CreateDate: &e.Created, AssumeRolePolicyDocument: encode(e.Trust),
			InstanceProfileList: shown, RolePolicyList: inline, AttachedManagedPolicies: attached,
			PermissionsBoundary: showBoundary(e.Boundary), Tags: showTags(e.Tags), RoleLastUsed: &iam.RoleLastUsed{}})
	}
	return err
}

func (d *detailer) policies(local, aws bool) error {
	u, err := countUses(d.tx)
	if err != nil {
		return err
	}
	var all []managedPolicy
	if local {
		if all, err = values(policies, d.tx, d.tx.scope()); err != nil {
			return err
		}
	}
	if aws {
		_, list := builtinIndex()
		for _, b := range list {
			if u.attached[b.ARN] > 0 {
				all = append(all, b.managedPolicy)
			}
		}
	}
	for i := range all {
		p := &all[i]
		versions := []iam.PolicyVersion{}
		for j := range p.Versions {
			v := p.show(&p.Versions[j])
			v.Document = encode(p.Versions[j].Document)
			versions = append(versions, *v)
		}
		d.out.Policies = append(d.out.Policies, iam.ManagedPolicyDetail{PolicyName: &p.Name, PolicyId: &p.ID, Arn: &p.ARN, Path: &p.Path,
			DefaultVersionId: &p.Default, AttachmentCount: new(u.attached[p.ARN]), PermissionsBoundaryUsageCount: new(u.boundary[p.ARN]),
			IsAttachable: new(true), Description: opt(p.Description), CreateDate: &p.Created, UpdateDate: &p.Updated, PolicyVersionList: versions})
	}
	return nil
}

// caller returns who makes the call.
func caller(ctx context.Context) *awsapi.Identity { return &awsapi.CallFrom(ctx).Identity }
