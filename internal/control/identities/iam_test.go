package identities

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"
)

const lambdaTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

// The calls of Terraform's provider for a role with a managed and an inline policy:
// create, read back as a plan does, destroy.
func TestTerraformRole(t *testing.T) {
	f := start(t)
	c, ctx := f.root(), t.Context()
	logs := aws.String("arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs")
	name := aws.String("gw")
	made := get(c.CreateRole(ctx, &awsiam.CreateRoleInput{RoleName: name, Path: aws.String("/svc/"), AssumeRolePolicyDocument: aws.String(lambdaTrust),
		Description: aws.String("d"), MaxSessionDuration: aws.Int32(7200), Tags: []types.Tag{{Key: aws.String("rev"), Value: aws.String("1")}}}))(t)
	if got, want := *made.Role.Arn, "arn:aws:iam::000000000000:role/svc/gw"; got != want {
		t.Errorf("ARN %s, want %s", got, want)
	}
	ok(t)(c.AttachRolePolicy(ctx, &awsiam.AttachRolePolicyInput{RoleName: name, PolicyArn: logs}))
	ok(t)(c.AttachRolePolicy(ctx, &awsiam.AttachRolePolicyInput{RoleName: name, PolicyArn: logs})) // again: no change
	ok(t)(c.PutRolePolicy(ctx, &awsiam.PutRolePolicyInput{RoleName: name, PolicyName: aws.String("p"), PolicyDocument: aws.String(allow("s3:*"))}))

	role := get(c.GetRole(ctx, &awsiam.GetRoleInput{RoleName: name}))(t).Role
	trust, err := url.QueryUnescape(*role.AssumeRolePolicyDocument)
	if err != nil || trust != lambdaTrust || strings.ContainsAny(*role.AssumeRolePolicyDocument, `{"+ `) {
		t.Errorf("trust policy %s, %v", *role.AssumeRolePolicyDocument, err)
	}
	if *role.MaxSessionDuration != 7200 || *role.Description != "d" || len(role.Tags) != 1 || !strings.HasPrefix(*role.RoleId, "AROA") || len(*role.RoleId) != 21 {
		t.Errorf("role %+v", role)
	}
	inline := get(c.ListRolePolicies(ctx, &awsiam.ListRolePoliciesInput{RoleName: name}))(t)
	if d := cmp.Diff([]string{"p"}, inline.PolicyNames); d != "" {
		t.Error(d)
	}
	document := get(c.GetRolePolicy(ctx, &awsiam.GetRolePolicyInput{RoleName: name, PolicyName: aws.String("p")}))(t)
	if text, err := url.QueryUnescape(*document.PolicyDocument); err != nil || text != allow("s3:*") {
		t.Errorf("inline policy %s, %v", *document.PolicyDocument, err)
	}
	attached := get(c.ListAttachedRolePolicies(ctx, &awsiam.ListAttachedRolePoliciesInput{RoleName: name}))(t)
	if len(attached.AttachedPolicies) != 1 || *attached.AttachedPolicies[0].PolicyArn != *logs {
		t.Errorf("attached %+v", attached.AttachedPolicies)
	}
	if held := get(c.ListInstanceProfilesForRole(ctx, &awsiam.ListInstanceProfilesForRoleInput{RoleName: name}))(t); len(held.InstanceProfiles) != 0 {
		t.Errorf("profiles %+v", held.InstanceProfiles)
	}

	_, err = c.DeleteRole(ctx, &awsiam.DeleteRoleInput{RoleName: name})
	wantError(t, err, "DeleteConflict", "Cannot delete entity, must detach all policies first.")
	ok(t)(c.DetachRolePolicy(ctx, &awsiam.DetachRolePolicyInput{RoleName: name, PolicyArn: logs}))
	_, err = c.DeleteRole(ctx, &awsiam.DeleteRoleInput{RoleName: name})
	wantError(t, err, "DeleteConflict", "Cannot delete entity, must delete policies first.")
	ok(t)(c.DeleteRolePolicy(ctx, &awsiam.DeleteRolePolicyInput{RoleName: name, PolicyName: aws.String("p")}))
	ok(t)(c.DeleteRole(ctx, &awsiam.DeleteRoleInput{RoleName: name}))
	_, err = c.GetRole(ctx, &awsiam.GetRoleInput{RoleName: name})
	wantError(t, err, "NoSuchEntity", "The role with name gw cannot be found.")
}

// What the service says to what cannot be done.
func TestRefusals(t *testing.T) {
	f := start(t)
	c, s := f.root(), aws.String
	arn, allowAll := s("arn:aws:iam::000000000000:policy/p"), s(allow("*"))
	for _, setUp := range []func(context.Context) (any, error){
		func(ctx context.Context) (any, error) {
			return c.CreateUser(ctx, &awsiam.CreateUserInput{UserName: s("u")})
		},
		func(ctx context.Context) (any, error) {
			return c.CreateGroup(ctx, &awsiam.CreateGroupInput{GroupName: s("g")})
		},
		func(ctx context.Context) (any, error) {
			return c.CreateRole(ctx, &awsiam.CreateRoleInput{RoleName: s("r"), AssumeRolePolicyDocument: s(lambdaTrust)})
		},
		func(ctx context.Context) (any, error) {
			return c.CreatePolicy(ctx, &awsiam.CreatePolicyInput{PolicyName: s("p"), PolicyDocument: allowAll})
		},
		func(ctx context.Context) (any, error) {
			return c.AttachUserPolicy(ctx, &awsiam.AttachUserPolicyInput{UserName: s("u"), PolicyArn: arn})
		},
		func(ctx context.Context) (any, error) {
			return c.AddUserToGroup(ctx, &awsiam.AddUserToGroupInput{UserName: s("u"), GroupName: s("g")})
		},
		func(ctx context.Context) (any, error) {
			return c.CreateAccessKey(ctx, &awsiam.CreateAccessKeyInput{UserName: s("u")})
		},
		func(ctx context.Context) (any, error) {
			return c.CreateAccessKey(ctx, &awsiam.CreateAccessKeyInput{UserName: s("u")})
		},
	} {
		ok(t)(setUp(t.Context()))
	}
	big := s(allow(strings.Split(strings.Repeat("s3:GetObject ", 500), " ")[:500]...))
	for _, tc := range []struct {
		name, code, text string
		call             func(context.Context) (any, error)
	}{
		{"user again, in another case", "EntityAlreadyExists", "User with name U already exists.", func(ctx context.Context) (any, error) {
			return c.CreateUser(ctx, &awsiam.CreateUserInput{UserName: s("U")})
		}},
		{"group again", "EntityAlreadyExists", "Group with name g already exists.", func(ctx context.Context) (any, error) {
			return c.CreateGroup(ctx, &awsiam.CreateGroupInput{GroupName: s("g")})
		}},
		{"role again", "EntityAlreadyExists", "Role with name r already exists.", func(ctx context.Context) (any, error) {
			return c.CreateRole(ctx, &awsiam.CreateRoleInput{RoleName: s("r"), AssumeRolePolicyDocument: s(lambdaTrust)})
		}},
		{"policy again", "EntityAlreadyExists", "A policy called p already exists. Duplicate names are not allowed.", func(ctx context.Context) (any, error) {
			return c.CreatePolicy(ctx, &awsiam.CreatePolicyInput{PolicyName: s("p"), Path: s("/x/"), PolicyDocument: allowAll})
		}},
		{"unknown user", "NoSuchEntity", "The user with name nobody cannot be found.", func(ctx context.Context) (any, error) {
			return c.GetUser(ctx, &awsiam.GetUserInput{UserName: s("nobody")})
		}},
		{"unknown group", "NoSuchEntity", "The group with name none cannot be found.", func(ctx context.Context) (any, error) {
			return c.GetGroup(ctx, &awsiam.GetGroupInput{GroupName: s("none")})
		}},
		{"unknown policy", "NoSuchEntity", "Policy arn:aws:iam::000000000000:policy/none was not found.", func(ctx context.Context) (any, error) {
			return c.GetPolicy(ctx, &awsiam.GetPolicyInput{PolicyArn: s("arn:aws:iam::000000000000:policy/none")})
		}},
		{"policy by another path", "NoSuchEntity", "was not found.", func(ctx context.Context) (any, error) {
			return c.GetPolicy(ctx, &awsiam.GetPolicyInput{PolicyArn: s("arn:aws:iam::000000000000:policy/x/p")})
		}},
		{"unknown version", "NoSuchEntity", "version v9 does not exist or is not attachable.", func(ctx context.Context) (any, error) {
			return c.GetPolicyVersion(ctx, &awsiam.GetPolicyVersionInput{PolicyArn: arn, VersionId: s("v9")})
		}},
		{"unknown inline policy", "NoSuchEntity", "The user policy with name x cannot be found.", func(ctx context.Context) (any, error) {
			return c.GetUserPolicy(ctx, &awsiam.GetUserPolicyInput{UserName: s("u"), PolicyName: s("x")})
		}},
		{"attach unknown", "NoSuchEntity", "Policy arn:aws:iam::aws:policy/Unheard does not exist or is not attachable.", func(ctx context.Context) (any, error) {
			return c.AttachRolePolicy(ctx, &awsiam.AttachRolePolicyInput{RoleName: s("r"), PolicyArn: s("arn:aws:iam::aws:policy/Unheard")})
		}},
		{"detach what is not attached", "NoSuchEntity", "Policy arn:aws:iam::000000000000:policy/p was not found.", func(ctx context.Context) (any, error) {
			return c.DetachRolePolicy(ctx, &awsiam.DetachRolePolicyInput{RoleName: s("r"), PolicyArn: arn})
		}},
		{"attached policy", "DeleteConflict", "Cannot delete a policy attached to entities.", func(ctx context.Context) (any, error) {
			return c.DeletePolicy(ctx, &awsiam.DeletePolicyInput{PolicyArn: arn})
		}},
		{"default version", "DeleteConflict", "Cannot delete the default version of a policy.", func(ctx context.Context) (any, error) {
			return c.DeletePolicyVersion(ctx, &awsiam.DeletePolicyVersionInput{PolicyArn: arn, VersionId: s("v1")})
		}},
		{"user with keys", "DeleteConflict", "Cannot delete entity, must delete access keys first.", func(ctx context.Context) (any, error) {
			return c.DeleteUser(ctx, &awsiam.DeleteUserInput{UserName: s("u")})
		}},
		{"group with users", "DeleteConflict", "Cannot delete entity, must remove users from group first.", func(ctx context.Context) (any, error) {
			return c.DeleteGroup(ctx, &awsiam.DeleteGroupInput{GroupName: s("g")})
		}},
		{"third key", "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2", func(ctx context.Context) (any, error) {
			return c.CreateAccessKey(ctx, &awsiam.CreateAccessKeyInput{UserName: s("u")})
		}},
		{"unknown key", "NoSuchEntity", "The Access Key with id AKIAAAAAAAAAAAAAAAAA cannot be found.", func(ctx context.Context) (any, error) {
			return c.DeleteAccessKey(ctx, &awsiam.DeleteAccessKeyInput{UserName: s("u"), AccessKeyId: s("AKIAAAAAAAAAAAAAAAAA")})
		}},
		{"key of whom", "ValidationError", "Must specify userName when calling with non-User credentials", func(ctx context.Context) (any, error) {
			return c.CreateAccessKey(ctx, &awsiam.CreateAccessKeyInput{})
		}},
		{"bad document", "MalformedPolicyDocument", "Syntax errors in policy. (line 1, column 25: Statement.Effect: found \"Alow\"", func(ctx context.Context) (any, error) {
			return c.PutUserPolicy(ctx, &awsiam.PutUserPolicyInput{UserName: s("u"), PolicyName: s("x"), PolicyDocument: s(`{"Statement":{"Effect": "Alow"}}`)})
		}},
		{"trust with resource", "MalformedPolicyDocument", "Has prohibited field Resource", func(ctx context.Context) (any, error) {
			return c.UpdateAssumeRolePolicy(ctx, &awsiam.UpdateAssumeRolePolicyInput{RoleName: s("r"), PolicyDocument: allowAll})
		}},
		{"big inline policy", "LimitExceeded", "Maximum policy size of 2048 bytes exceeded for user u", func(ctx context.Context) (any, error) {
			return c.PutUserPolicy(ctx, &awsiam.PutUserPolicyInput{UserName: s("u"), PolicyName: s("x"), PolicyDocument: big})
		}},
		{"big managed policy", "LimitExceeded", "Cannot exceed quota for PolicySize: 6144", func(ctx context.Context) (any, error) {
			return c.CreatePolicy(ctx, &awsiam.CreatePolicyInput{PolicyName: s("big"), PolicyDocument: big})
		}},
		{"boundary that is not there", "NoSuchEntity", "does not exist or is not attachable.", func(ctx context.Context) (any, error) {
			return c.PutRolePermissionsBoundary(ctx, &awsiam.PutRolePermissionsBoundaryInput{RoleName: s("r"), PermissionsBoundary: s("arn:aws:iam::000000000000:policy/none")})
		}},
		{"tag of ours", "InvalidInput", "gatehouse:x is not known", func(ctx context.Context) (any, error) {
			return c.TagRole(ctx, &awsiam.TagRoleInput{RoleName: s("r"), Tags: []types.Tag{{Key: s("gatehouse:x"), Value: s("")}}})
		}},
		{"tag twice", "InvalidInput", "Duplicate tag keys found.", func(ctx context.Context) (any, error) {
			return c.TagUser(ctx, &awsiam.TagUserInput{UserName: s("u"), Tags: []types.Tag{{Key: s("a"), Value: s("")}, {Key: s("A"), Value: s("")}}})
		}},
		{"AWS's policy", "InvalidInput", "is managed by AWS", func(ctx context.Context) (any, error) {
			return c.CreatePolicyVersion(ctx, &awsiam.CreatePolicyVersionInput{PolicyArn: s("arn:aws:iam::aws:policy/AdministratorAccess"), PolicyDocument: allowAll})
		}},
		{"marker", "ValidationError", "Invalid Marker.", func(ctx context.Context) (any, error) {
			return c.ListUsers(ctx, &awsiam.ListUsersInput{Marker: s("!")})
		}},
		{"login profile", "NoSuchEntity", "Login Profile for User u cannot be found.", func(ctx context.Context) (any, error) {
			return c.GetLoginProfile(ctx, &awsiam.GetLoginProfileInput{UserName: s("u")})
		}},
		{"not served", "NotImplementedException", "CreateServiceLinkedRole", func(ctx context.Context) (any, error) {
			return c.CreateServiceLinkedRole(ctx, &awsiam.CreateServiceLinkedRoleInput{AWSServiceName: s("ops.apigateway.amazonaws.com")})
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := tc.call(t.Context())
			wantError(t, err, tc.code, tc.text)
		})
	}
}

func TestPolicyVersions(t *testing.T) {
	f := start(t)
	c, ctx := f.root(), t.Context()
	p := get(c.CreatePolicy(ctx, &awsiam.CreatePolicyInput{PolicyName: aws.String("p"), PolicyDocument: aws.String(allow("apigateway:GET"))}))(t).Policy
	for i := 2; i <= 5; i++ {
		v := get(c.CreatePolicyVersion(ctx, &awsiam.CreatePolicyVersionInput{PolicyArn: p.Arn, PolicyDocument: aws.String(allow(fmt.Sprintf("s3:Get%d", i))), SetAsDefault: i == 3}))(t)
		if want := fmt.Sprintf("v%d", i); *v.PolicyVersion.VersionId != want || v.PolicyVersion.IsDefaultVersion != (i == 3) {
			t.Errorf("version %+v, want %s", v.PolicyVersion, want)
		}
	}
	_, err := c.CreatePolicyVersion(ctx, &awsiam.CreatePolicyVersionInput{PolicyArn: p.Arn, PolicyDocument: aws.String(allow("*"))})
	wantError(t, err, "LimitExceeded", "A managed policy can have up to 5 versions.")
	_, err = c.DeletePolicy(ctx, &awsiam.DeletePolicyInput{PolicyArn: p.Arn})
	wantError(t, err, "DeleteConflict", "This policy has more than one version.")
	ok(t)(c.DeletePolicyVersion(ctx, &awsiam.DeletePolicyVersionInput{PolicyArn: p.Arn, VersionId: aws.String("v5")}))
	v := get(c.CreatePolicyVersion(ctx, &awsiam.CreatePolicyVersionInput{PolicyArn: p.Arn, PolicyDocument: aws.String(allow("*"))}))(t)
	if *v.PolicyVersion.VersionId != "v6" {
		t.Errorf("a number was used again: %s", *v.PolicyVersion.VersionId)
	}
	ok(t)(c.SetDefaultPolicyVersion(ctx, &awsiam.SetDefaultPolicyVersionInput{PolicyArn: p.Arn, VersionId: aws.String("v1")}))
	list := get(c.ListPolicyVersions(ctx, &awsiam.ListPolicyVersionsInput{PolicyArn: p.Arn}))(t)
	var ids []string
	for _, v := range list.Versions {
		ids = append(ids, *v.VersionId)
		if v.IsDefaultVersion != (*v.VersionId == "v1") {
			t.Errorf("%s: default %v", *v.VersionId, v.IsDefaultVersion)
		}
	}
	if d := cmp.Diff([]string{"v6", "v4", "v3", "v2", "v1"}, ids); d != "" {
		t.Error(d)
	}
}

// Pages of any size show every item once, in order, though items come and go between.
func TestPaging(t *testing.T) {
	f := start(t)
	c, ctx := f.root(), t.Context()
	for i := range 7 {
		path := aws.String([]string{"/", "/a/"}[i%2])
		ok(t)(c.CreateUser(ctx, &awsiam.CreateUserInput{UserName: aws.String(fmt.Sprintf("%c%d", "uU"[i%2], i)), Path: path}))
	}
	for _, tc := range []struct {
		prefix string
		size   int32
		want   []string
	}{
		{"", 2, []string{"u0", "U1", "u2", "U3", "u4", "U5", "u6"}},
		{"", 7, []string{"u0", "U1", "u2", "U3", "u4", "U5", "u6"}},
		{"/a", 1, []string{"U1", "U3", "U5"}},
		{"/b", 1, nil},
	} {
		in := &awsiam.ListUsersInput{MaxItems: &tc.size}
		if tc.prefix != "" {
			in.PathPrefix = aws.String(tc.prefix + "/")
		}
		var got []string
		for pages := awsiam.NewListUsersPaginator(c, in); pages.HasMorePages(); {
			page := get(pages.NextPage(ctx))(t)
			if len(page.Users) > int(tc.size) || page.IsTruncated != (page.Marker != nil) {
				t.Errorf("page of %d users, truncated %v, marker %v", len(page.Users), page.IsTruncated, page.Marker)
			}
			for _, u := range page.Users {
				got = append(got, *u.UserName)
			}
		}
		if d := cmp.Diff(tc.want, got); d != "" {
			t.Errorf("prefix %q, pages of %d: %s", tc.prefix, tc.size, d)
		}
	}
}

func TestUsersGroupsAndTheRest(t *testing.T) {
	f := start(t)
	c, ctx, s := f.root(), t.Context(), aws.String
	key := f.user("alice", allow("iam:GetUser"))
	ok(t)(c.CreateGroup(ctx, &awsiam.CreateGroupInput{GroupName: s("admins")}))
	ok(t)(c.AddUserToGroup(ctx, &awsiam.AddUserToGroupInput{GroupName: s("admins"), UserName: s("alice")}))

	// A new name: keys, groups and policies stay with the user.
	ok(t)(c.UpdateUser(ctx, &awsiam.UpdateUserInput{UserName: s("alice"), NewUserName: s("bob"), NewPath: s("/dev/")}))
	me := get(f.iam(key).GetUser(ctx, &awsiam.GetUserInput{}))(t)
	if *me.User.UserName != "bob" || *me.User.Arn != "arn:aws:iam::000000000000:user/dev/bob" {
		t.Errorf("user %s %s", *me.User.UserName, *me.User.Arn)
	}
	of := get(c.ListGroupsForUser(ctx, &awsiam.ListGroupsForUserInput{UserName: s("bob")}))(t)
	if len(of.Groups) != 1 || *of.Groups[0].GroupName != "admins" {
		t.Errorf("groups %+v", of.Groups)
	}
	keys := get(c.ListAccessKeys(ctx, &awsiam.ListAccessKeysInput{UserName: s("bob")}))(t)
	if len(keys.AccessKeyMetadata) != 1 || *keys.AccessKeyMetadata[0].AccessKeyId != key.ID {
		t.Errorf("keys %+v", keys.AccessKeyMetadata)
	}
	used := get(c.GetAccessKeyLastUsed(ctx, &awsiam.GetAccessKeyLastUsedInput{AccessKeyId: &key.ID}))(t)
	if *used.UserName != "bob" || *used.AccessKeyLastUsed.ServiceName != "iam" {
		t.Errorf("last used %+v", used.AccessKeyLastUsed)
	}
	if root := get(c.GetUser(ctx, &awsiam.GetUserInput{}))(t); *root.User.Arn != "arn:aws:iam::000000000000:root" {
		t.Errorf("root is %s", *root.User.Arn)
	}

	ok(t)(c.TagUser(ctx, &awsiam.TagUserInput{UserName: s("bob"), Tags: []types.Tag{{Key: s("Team"), Value: s("a")}}}))
	ok(t)(c.TagUser(ctx, &awsiam.TagUserInput{UserName: s("bob"), Tags: []types.Tag{{Key: s("team"), Value: s("b")}, {Key: s("x"), Value: s("")}}}))
	ok(t)(c.UntagUser(ctx, &awsiam.UntagUserInput{UserName: s("bob"), TagKeys: []string{"X"}}))
	tags := get(c.ListUserTags(ctx, &awsiam.ListUserTagsInput{UserName: s("bob")}))(t)
	if len(tags.Tags) != 1 || *tags.Tags[0].Key != "team" || *tags.Tags[0].Value != "b" {
		t.Errorf("tags %+v", tags.Tags)
	}

	ok(t)(c.CreateAccountAlias(ctx, &awsiam.CreateAccountAliasInput{AccountAlias: s("one")}))
	ok(t)(c.CreateAccountAlias(ctx, &awsiam.CreateAccountAliasInput{AccountAlias: s("two")}))
	if got := get(c.ListAccountAliases(ctx, &awsiam.ListAccountAliasesInput{}))(t); len(got.AccountAliases) != 1 || got.AccountAliases[0] != "two" {
		t.Errorf("aliases %v", got.AccountAliases)
	}

	ok(t)(c.CreateRole(ctx, &awsiam.CreateRoleInput{RoleName: s("r"), AssumeRolePolicyDocument: s(lambdaTrust)}))
	ok(t)(c.CreateInstanceProfile(ctx, &awsiam.CreateInstanceProfileInput{InstanceProfileName: s("ip")}))
	ok(t)(c.AddRoleToInstanceProfile(ctx, &awsiam.AddRoleToInstanceProfileInput{InstanceProfileName: s("ip"), RoleName: s("r")}))
	profile := get(c.GetInstanceProfile(ctx, &awsiam.GetInstanceProfileInput{InstanceProfileName: s("ip")}))(t)
	if len(profile.InstanceProfile.Roles) != 1 {
		t.Errorf("profile %+v", profile.InstanceProfile)
	}
	_, err := c.DeleteRole(ctx, &awsiam.DeleteRoleInput{RoleName: s("r")})
	wantError(t, err, "DeleteConflict", "must remove roles from instance profile first")

	summary := get(c.GetAccountSummary(ctx, &awsiam.GetAccountSummaryInput{}))(t)
	if summary.SummaryMap["Users"] != 1 || summary.SummaryMap["Roles"] != 1 || summary.SummaryMap["Groups"] != 1 {
		t.Errorf("summary %v", summary.SummaryMap)
	}
	details := get(c.GetAccountAuthorizationDetails(ctx, &awsiam.GetAccountAuthorizationDetailsInput{}))(t)
	if len(details.UserDetailList) != 1 || details.UserDetailList[0].GroupList[0] != "admins" || len(details.RoleDetailList) != 1 {
		t.Errorf("details %+v", details)
	}
}
