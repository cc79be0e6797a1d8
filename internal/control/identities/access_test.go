package identities

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsgw "github.com/aws/aws-sdk-go-v2/service/apigateway"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/sigv4"
	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/store"
)

// list calls GetRestApis: allowed calls end in NotImplementedException here.
func (f *fixture) list(k Key, token string) error {
	_, err := awsgw.NewFromConfig(f.config(k, token)).GetRestApis(f.t.Context(), &awsgw.GetRestApisInput{})
	return err
}

func (f *fixture) wantAllowed(k Key, token string) {
	f.t.Helper()
	wantError(f.t, f.list(k, token), "NotImplementedException", "")
}

func (f *fixture) wantDenied(k Key, token, text string) {
	f.t.Helper()
	wantError(f.t, f.list(k, token), "AccessDeniedException", text)
}

func TestSignatures(t *testing.T) {
	f := start(t)
	id := get(f.sts(testRoot).GetCallerIdentity(t.Context(), &awssts.GetCallerIdentityInput{}))(t)
	if *id.Arn != "arn:aws:iam::000000000000:root" || *id.UserId != account || *id.Account != account {
		t.Errorf("root is %s %s %s", *id.Arn, *id.UserId, *id.Account)
	}
	_, err := f.sts(Key{testRoot.ID, "wrong"}).GetCallerIdentity(t.Context(), &awssts.GetCallerIdentityInput{})
	wantError(t, err, "SignatureDoesNotMatch", "The request signature we calculated does not match")
	_, err = f.sts(Key{"AKIANOBODYNOBODYNOBO", "x"}).GetCallerIdentity(t.Context(), &awssts.GetCallerIdentityInput{})
	wantError(t, err, "InvalidClientTokenId", "The security token included in the request is invalid.")
	wantError(t, f.list(Key{"AKIANOBODYNOBODYNOBO", "x"}, ""), "UnrecognizedClientException", "The security token included in the request is invalid.")
	f.clock.advance(time.Hour)
	wantError(t, f.list(testRoot, ""), "InvalidSignatureException", "Signature expired: ")
}

// Policies of the user and its groups, boundary, key status and deletion act on the
// next call.
func TestPermissionsActAtOnce(t *testing.T) {
	f := start(t)
	c, ctx, s := f.root(), t.Context(), aws.String
	k := f.user("alice", "")
	const user = "User: arn:aws:iam::000000000000:user/alice is not authorized to perform: apigateway:GET on resource: arn:aws:apigateway:us-east-1::/restapis"
	f.wantAllowed(testRoot, "")
	f.wantDenied(k, "", user+" because no identity-based policy allows the apigateway:GET action")

	ok(t)(c.PutUserPolicy(ctx, &awsiam.PutUserPolicyInput{UserName: s("alice"), PolicyName: s("p"), PolicyDocument: s(allow("apigateway:GET"))}))
	f.wantAllowed(k, "")

	p := get(c.CreatePolicy(ctx, &awsiam.CreatePolicyInput{PolicyName: s("deny"), PolicyDocument: s(strings.Replace(allow("apigateway:*"), "Allow", "Deny", 1))}))(t).Policy.Arn
	ok(t)(c.CreateGroup(ctx, &awsiam.CreateGroupInput{GroupName: s("g")}))
	ok(t)(c.AttachGroupPolicy(ctx, &awsiam.AttachGroupPolicyInput{GroupName: s("g"), PolicyArn: p}))
	f.wantAllowed(k, "")
	ok(t)(c.AddUserToGroup(ctx, &awsiam.AddUserToGroupInput{GroupName: s("g"), UserName: s("alice")}))
	f.wantDenied(k, "", user+" with an explicit deny in an identity-based policy")
	ok(t)(c.CreatePolicyVersion(ctx, &awsiam.CreatePolicyVersionInput{PolicyArn: p, PolicyDocument: s(allow("s3:*")), SetAsDefault: true}))
	f.wantAllowed(k, "")

	ok(t)(c.PutUserPermissionsBoundary(ctx, &awsiam.PutUserPermissionsBoundaryInput{UserName: s("alice"), PermissionsBoundary: p}))
	f.wantDenied(k, "", user+" because no permissions boundary allows the apigateway:GET action")
	ok(t)(c.DeleteUserPermissionsBoundary(ctx, &awsiam.DeleteUserPermissionsBoundaryInput{UserName: s("alice")}))
	f.wantAllowed(k, "")

	ok(t)(c.UpdateAccessKey(ctx, &awsiam.UpdateAccessKeyInput{UserName: s("alice"), AccessKeyId: &k.ID, Status: "Inactive"}))
	wantError(t, f.list(k, ""), "UnrecognizedClientException", "")
	ok(t)(c.UpdateAccessKey(ctx, &awsiam.UpdateAccessKeyInput{UserName: s("alice"), AccessKeyId: &k.ID, Status: "Active"}))
	f.wantAllowed(k, "")
	ok(t)(c.DeleteAccessKey(ctx, &awsiam.DeleteAccessKeyInput{UserName: s("alice"), AccessKeyId: &k.ID}))
	wantError(t, f.list(k, ""), "UnrecognizedClientException", "")
}

// IAM's own calls are judged by the ARN with the path, and denied in IAM's words.
func TestAccessToIAM(t *testing.T) {
	f := start(t)
	ctx, s := t.Context(), aws.String
	ok(t)(f.root().CreateUser(ctx, &awsiam.CreateUserInput{UserName: s("carol"), Path: s("/dev/")}))
	k := f.user("alice", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["iam:GetUser","iam:CreateUser"],"Resource":"arn:aws:iam::*:user/dev/*"},
		{"Effect":"Allow","Action":["iam:*AccessKey*","iam:GetUser"],"Resource":"arn:aws:iam::*:user/${aws:username}"},
		{"Effect":"Allow","Action":"iam:AttachUserPolicy","Resource":"*","Condition":{"ArnLike":{"iam:PolicyARN":"arn:aws:iam::aws:policy/*ReadOnly*"}}},
		{"Effect":"Allow","Action":"iam:TagUser","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["team"]},"StringEquals":{"aws:RequestTag/team":"a"}}}]}`)
	c := f.iam(k)
	ok(t)(c.GetUser(ctx, &awsiam.GetUserInput{UserName: s("carol")}))
	ok(t)(c.GetUser(ctx, &awsiam.GetUserInput{}))
	ok(t)(c.ListAccessKeys(ctx, &awsiam.ListAccessKeysInput{}))
	ok(t)(c.CreateUser(ctx, &awsiam.CreateUserInput{UserName: s("dan"), Path: s("/dev/")}))
	ok(t)(c.AttachUserPolicy(ctx, &awsiam.AttachUserPolicyInput{UserName: s("dan"), PolicyArn: s("arn:aws:iam::aws:policy/ReadOnlyAccess")}))
	_, err := c.AttachUserPolicy(ctx, &awsiam.AttachUserPolicyInput{UserName: s("alice"), PolicyArn: s("arn:aws:iam::aws:policy/AdministratorAccess")})
	wantError(t, err, "AccessDenied", "is not authorized to perform: iam:AttachUserPolicy on resource: user alice because no identity-based policy allows the iam:AttachUserPolicy action")
	_, err = c.CreateUser(ctx, &awsiam.CreateUserInput{UserName: s("eve")})
	wantError(t, err, "AccessDenied", "on resource: arn:aws:iam::000000000000:user/eve because")
	_, err = c.ListAccessKeys(ctx, &awsiam.ListAccessKeysInput{UserName: s("carol")})
	wantError(t, err, "AccessDenied", "on resource: user carol because")
	for _, tc := range []struct {
		tags map[string]string
		ok   bool
	}{{map[string]string{"team": "a"}, true}, {map[string]string{"team": "b"}, false}, {map[string]string{"team": "a", "x": ""}, false}} {
		_, err := c.TagUser(ctx, &awsiam.TagUserInput{UserName: s("dan"), Tags: iamTags(tc.tags)})
		if (err == nil) != tc.ok {
			t.Errorf("tags %v: %v", tc.tags, err)
		}
	}
}

func trustOf(principal string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":["sts:AssumeRole","sts:TagSession"],"Condition":{"StringEqualsIfExists":{"sts:ExternalId":"x1"}}}]}`
}

func TestAssumeRole(t *testing.T) {
	f := start(t)
	c, ctx, s := f.root(), t.Context(), aws.String
	named := f.user("named", "")
	delegated := f.user("delegated", allow("sts:AssumeRole"))
	silent := f.user("silent", "")
	for name, trust := range map[string]string{"ofuser": trustOf("arn:aws:iam::000000000000:user/named"), "ofaccount": trustOf("000000000000"), "ofservice": lambdaTrust} {
		ok(t)(c.CreateRole(ctx, &awsiam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust}))
		ok(t)(c.PutRolePolicy(ctx, &awsiam.PutRolePolicyInput{RoleName: &name, PolicyName: s("p"), PolicyDocument: s(allow("apigateway:*"))}))
	}
	assume := func(k Key, role string, change ...func(*awssts.AssumeRoleInput)) (Key, string, error) {
		in := &awssts.AssumeRoleInput{RoleArn: s("arn:aws:iam::000000000000:role/" + role), RoleSessionName: s("s1")}
		for _, fn := range change {
			fn(in)
		}
		out, err := f.sts(k).AssumeRole(ctx, in)
		if err != nil {
			return Key{}, "", err
		}
		return Key{*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey}, *out.Credentials.SessionToken, nil
	}
	const denied = "is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::000000000000:role/"
	for _, tc := range []struct {
		who  Key
		role string
		ok   bool
	}{
		{named, "ofuser", true}, {named, "ofaccount", false}, {named, "ofservice", false},
		{delegated, "ofuser", false}, {delegated, "ofaccount", true}, {delegated, "ofservice", false},
		{silent, "ofuser", false}, {silent, "ofaccount", false},
		{testRoot, "ofuser", false}, {testRoot, "ofaccount", true}, {testRoot, "none", false},
	} {
		if _, _, err := assume(tc.who, tc.role); tc.ok && err != nil {
			t.Errorf("%v, %s: %v", tc.who, tc.role, err)
		} else if !tc.ok {
			wantError(t, err, "AccessDenied", denied+tc.role)
		}
	}
	_, _, err := assume(named, "ofuser", func(in *awssts.AssumeRoleInput) { in.ExternalId = s("other") })
	wantError(t, err, "AccessDenied", denied)
	_, _, err = assume(named, "ofuser", func(in *awssts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(7200) })
	wantError(t, err, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	_, _, err = assume(named, "ofuser", func(in *awssts.AssumeRoleInput) { in.Policy = s(`{}`) })
	wantError(t, err, "MalformedPolicyDocument", "the policy has no Statement")
	_, _, err = assume(named, "ofuser", func(in *awssts.AssumeRoleInput) {
		in.PolicyArns = []types.PolicyDescriptorType{{Arn: s("arn:aws:iam::aws:policy/None")}}
	})
	wantError(t, err, "MalformedPolicyDocument", "does not exist or is not attachable")

	unknown := strings.Replace(trustOf("000000000000"), "sts:ExternalId", "acme:Unheard", 1)
	ok(t)(c.CreateRole(ctx, &awsiam.CreateRoleInput{RoleName: s("unknown"), AssumeRolePolicyDocument: &unknown}))
	for _, k := range []Key{delegated, testRoot} { // IfExists holds for an absent key: it must not for an unknown one
		_, _, err = assume(k, "unknown")
		wantError(t, err, "AccessDenied", denied+"unknown")
	}

	k, token, err := assume(named, "ofuser", func(in *awssts.AssumeRoleInput) { in.ExternalId = s("x1") })
	if err != nil {
		t.Fatal(err)
	}
	who := get(awssts.NewFromConfig(f.config(k, token)).GetCallerIdentity(ctx, &awssts.GetCallerIdentityInput{}))(t)
	if *who.Arn != "arn:aws:sts::000000000000:assumed-role/ofuser/s1" || !strings.HasPrefix(*who.UserId, "AROA") || !strings.HasSuffix(*who.UserId, ":s1") {
		t.Errorf("session is %s %s", *who.Arn, *who.UserId)
	}
	f.wantAllowed(k, token)
	wantError(t, f.list(k, ""), "UnrecognizedClientException", "")                              // a session's key without its token
	wantError(t, f.list(k, token[:len(token)-8]+"AAAAAAA="), "UnrecognizedClientException", "") // a forged token
	wantError(t, f.list(testRoot, token), "UnrecognizedClientException", "")                    // another key's token

	limited, limitedToken, err := assume(named, "ofuser", func(in *awssts.AssumeRoleInput) { in.Policy = s(allow("s3:*")) })
	if err != nil {
		t.Fatal(err)
	}
	f.wantDenied(limited, limitedToken, "User: arn:aws:sts::000000000000:assumed-role/ofuser/s1 is not authorized to perform: apigateway:GET on resource: arn:aws:apigateway:us-east-1::/restapis because no session policy allows the apigateway:GET action")
	readOnly, readOnlyToken, err := assume(named, "ofuser", func(in *awssts.AssumeRoleInput) {
		in.PolicyArns = []types.PolicyDescriptorType{{Arn: s("arn:aws:iam::aws:policy/ReadOnlyAccess")}}
	})
	if err != nil {
		t.Fatal(err)
	}
	f.wantAllowed(readOnly, readOnlyToken)

	// Tags of the session are the principal's.
	ok(t)(c.PutRolePolicy(ctx, &awsiam.PutRolePolicyInput{RoleName: s("ofuser"), PolicyName: s("p"), PolicyDocument: s(
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"apigateway:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/Team":"a"}}}}`)}))
	f.wantDenied(k, token, "because no identity-based policy")
	tagged, taggedToken, err := assume(named, "ofuser", func(in *awssts.AssumeRoleInput) {
		in.Tags = []types.Tag{{Key: s("team"), Value: s("a")}}
	})
	if err != nil {
		t.Fatal(err)
	}
	f.wantAllowed(tagged, taggedToken)

	// Another service on the same store knows the session; its end is the role's.
	again := startOn(t, f.store)
	again.wantAllowed(tagged, taggedToken)
	ok(t)(c.DeleteRolePolicy(ctx, &awsiam.DeleteRolePolicyInput{RoleName: s("ofuser"), PolicyName: s("p")}))
	ok(t)(c.DeleteRole(ctx, &awsiam.DeleteRoleInput{RoleName: s("ofuser")}))
	ok(t)(c.CreateRole(ctx, &awsiam.CreateRoleInput{RoleName: s("ofuser"), AssumeRolePolicyDocument: s(trustOf("000000000000"))}))
	wantError(t, f.list(tagged, taggedToken), "UnrecognizedClientException", "") // a namesake is another role
}

func TestSessionsEnd(t *testing.T) {
	f := start(t)
	alice := f.user("alice", allow("apigateway:*"))
	out := get(f.sts(alice).GetSessionToken(t.Context(), &awssts.GetSessionTokenInput{DurationSeconds: aws.Int32(900)}))(t)
	k, token := Key{*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey}, *out.Credentials.SessionToken
	f.wantAllowed(k, token)
	_, err := awssts.NewFromConfig(f.config(k, token)).GetSessionToken(t.Context(), &awssts.GetSessionTokenInput{})
	wantError(t, err, "AccessDenied", "Cannot call GetSessionToken with session credentials")
	f.clock.advance(15 * time.Minute)
	if _, err := f.Lookup(t.Context(), k.ID, token); !errors.Is(err, sigv4.ErrTokenExpired) {
		t.Errorf("after its time: %v", err)
	}
}

func TestServiceSessions(t *testing.T) {
	f := start(t)
	role := aws.String("fn")
	ok(t)(f.root().CreateRole(t.Context(), &awsiam.CreateRoleInput{RoleName: role, AssumeRolePolicyDocument: aws.String(lambdaTrust)}))
	ok(t)(f.root().PutRolePolicy(t.Context(), &awsiam.PutRolePolicyInput{RoleName: role, PolicyName: aws.String("p"), PolicyDocument: aws.String(allow("apigateway:*"))}))
	const arn = "arn:aws:iam::000000000000:role/fn"
	s, err := f.AssumeForService(arn, "fn-1", "lambda.amazonaws.com", nil, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	f.wantAllowed(s.Key, s.Token)
	if _, err := f.AssumeForService(arn, "x", "apigateway.amazonaws.com", nil, time.Hour); err == nil {
		t.Error("a service that the role does not trust got credentials")
	}
	p, err := f.ActAs(arn, "gw", "lambda.amazonaws.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	for action, want := range map[string]bool{"apigateway:GET": true, "lambda:InvokeFunction": false} {
		a := awsapi.Access{Call: &awsapi.Call{Account: account, Service: "apigateway", Identity: IdentityOf(&p)}, Action: action, Resource: "*"}
		if err := f.Authorize(t.Context(), a); (err == nil) != want {
			t.Errorf("%s as %+v: %v", action, p, err)
		}
	}
	if _, err := f.ActAs(arn, "gw", "apigateway.amazonaws.com", nil); err == nil {
		t.Error("a service that the role does not trust acts as it")
	}
}

// Resource policies join in: here that of a bucket, for callers without credentials too.
func TestResourcePolicies(t *testing.T) {
	var policy *iampolicy.Policy
	owner := account
	f := start(t, func(c *Config) {
		c.ResourcePolicy = func(_ context.Context, service, arn string) (*iampolicy.Policy, string, error) {
			if service != "apigateway" {
				return nil, "", nil
			}
			return policy, owner, nil
		}
	})
	parse := func(effect string) *iampolicy.Policy {
		p, err := iampolicy.Parse(`{"Statement":{"Effect":"`+effect+`","Principal":{"AWS":"*"},"Action":"*","Resource":"*"}}`, iampolicy.Resource)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	silent, allowed := f.user("silent", ""), f.user("allowed", allow("apigateway:*"))
	policy = parse("Allow")
	f.wantAllowed(silent, "")
	policy = parse("Deny")
	f.wantDenied(allowed, "", "with an explicit deny in a resource-based policy")
	policy, owner = nil, "111111111111"
	f.wantDenied(allowed, "", "because no resource-based policy allows the apigateway:GET action")
	policy = parse("Allow")
	f.wantDenied(silent, "", "because no identity-based policy allows the apigateway:GET action")
	f.wantAllowed(allowed, "")
}

// A condition on a key that is not computed refuses what it might have denied; keys
// that are known to be absent do not.
func TestUnknownConditionKeys(t *testing.T) {
	f := start(t)
	denyIf := func(operator, key string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"apigateway:*","Resource":"*","Condition":{"` + operator + `":{"` + key + `":"x"}}}]}`
	}
	f.wantDenied(f.user("unknown", denyIf("StringEquals", "apigateway:Request/EndpointType")), "", "because a policy depends on apigateway:request/endpointtype, which is not known here")
	f.wantAllowed(f.user("absent", denyIf("StringEquals", "aws:SourceVpce")), "")
	f.wantAllowed(f.user("known", denyIf("StringEquals", "aws:username")), "")
	f.wantDenied(f.user("negated", denyIf("StringNotEquals", "aws:SourceVpce")), "", "with an explicit deny")
	f.wantDenied(f.user("x", denyIf("StringEquals", "aws:username")), "", "with an explicit deny")
	other := strings.Replace(denyIf("StringEquals", "apigateway:Request/EndpointType"), `"apigateway:*"`, `"lambda:*"`, 1)
	f.wantAllowed(f.user("elsewhere", other), "") // it is not about this call
}

func TestMayPass(t *testing.T) {
	f := start(t)
	f.user("alice", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::*:role/fn-*","Condition":{"StringEquals":{"iam:PassedToService":"lambda.amazonaws.com"}}}}`)
	alice := f.dir.named(&users, account, "alice")
	a := awsapi.Access{Call: &awsapi.Call{Account: account, Service: "lambda", Identity: awsapi.Identity{Kind: awsapi.User, Account: account, ARN: alice.arn, ID: alice.ID, Name: alice.Name}}}
	const arn = "arn:aws:iam::000000000000:role/"
	if err := f.MayPass(t.Context(), a, arn+"fn-1", "lambda.amazonaws.com"); err != nil {
		t.Error(err)
	}
	for _, tc := range [][2]string{{"fn-1", "apigateway.amazonaws.com"}, {"admin", "lambda.amazonaws.com"}} {
		err := f.MayPass(t.Context(), a, arn+tc[0], tc[1])
		if want := "is not authorized to perform: iam:PassRole on resource: " + arn + tc[0] + " because"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %s", tc, err, want)
		}
	}
}

// Tags of resources decide where they are known, and where they are not nothing passes:
// an absent tag would satisfy negated conditions and keep a Deny from applying.
func TestResourceTags(t *testing.T) {
	var tags map[string]string
	known := true
	f := start(t, func(c *Config) {
		c.ResourceTags = func(_ context.Context, service, arn string) (map[string]string, bool, error) {
			return tags, known && service == "apigateway" && arn == "arn:aws:apigateway:us-east-1::/restapis", nil
		}
	})
	only := f.user("only", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"apigateway:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"${aws:username}"}}}}`)
	but := f.user("but", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"apigateway:*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/locked":"yes"}}}]}`)
	f.wantDenied(only, "", "because no identity-based policy allows")
	f.wantAllowed(but, "")
	tags = map[string]string{"Team": "only", "locked": "yes"}
	f.wantAllowed(only, "")
	f.wantDenied(but, "", "with an explicit deny in an identity-based policy")
	tags, known = nil, false
	f.wantDenied(only, "", "because no identity-based policy allows")
	f.wantDenied(but, "", "because a policy depends on aws:resourcetag/locked, which is not known here")

	// IAM's own are known here.
	s, c := aws.String, f.root()
	k := f.user("warden", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:GetUser","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/ward":"1"}}}}`)
	_, err := f.iam(k).GetUser(t.Context(), &awsiam.GetUserInput{UserName: s("only")})
	wantError(t, err, "AccessDenied", "because no identity-based policy allows")
	ok(t)(c.TagUser(t.Context(), &awsiam.TagUserInput{UserName: s("only"), Tags: iamTags(map[string]string{"ward": "1"})}))
	ok(t)(f.iam(k).GetUser(t.Context(), &awsiam.GetUserInput{UserName: s("only")}))
}

// --dev: keys that nobody made are root, keys that exist are verified.
func TestDev(t *testing.T) {
	f := start(t, func(c *Config) { c.Dev, c.Root = true, DevRootKey })
	f.wantAllowed(Key{"test", "test"}, "")
	f.wantAllowed(Key{"anything", "goes"}, "")
	f.wantAllowed(Key{"anything", "goes"}, "some token")
	wantError(t, f.list(Key{"test", "wrong"}, ""), "InvalidSignatureException", "")
	if _, err := f.Lookup(t.Context(), "anything", ""); !errors.Is(err, sigv4.ErrUnknownKey) {
		t.Errorf("the data plane would accept an unknown key: %v", err)
	}
}

func TestRegions(t *testing.T) {
	f := start(t, func(c *Config) { c.Region = func(r string) bool { return r == "eu-west-1" } })
	wantError(t, f.list(testRoot, ""), "InvalidSignatureException", "Credential should be scoped to a valid region.")
	ok(t)(f.root().ListUsers(t.Context(), &awsiam.ListUsersInput{})) // signed for us-east-1 wherever it is called
}

// What another node changes acts here; the change log brings it.
func TestFollowsOtherNodes(t *testing.T) {
	f := start(t)
	other := startOn(t, f.store)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- other.Run(ctx) }()
	k := f.user("alice", allow("apigateway:*"))
	await := func(want error) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); ; {
			if _, err := other.Lookup(ctx, k.ID, ""); errors.Is(err, want) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("no %v after ten seconds", want)
			}
			get(other.nextChange(ctx))(t)
		}
	}
	await(nil)
	ok(t)(f.root().DeleteAccessKey(ctx, &awsiam.DeleteAccessKeyInput{UserName: aws.String("alice"), AccessKeyId: &k.ID}))
	await(sigv4.ErrUnknownKey)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run ended with %v", err)
	}
}

// nextChange lets the follower work: it takes part in one reload of nothing.
func (s *Service) nextChange(ctx context.Context) (string, error) {
	return "", s.reload(ctx, nil)
}

// After a restart keys, policies and open sessions are as they were.
func TestSurvivesRestart(t *testing.T) {
	folder := t.TempDir()
	st, err := store.Open(t.Context(), store.Options{Dir: folder})
	if err != nil {
		t.Fatal(err)
	}
	f := startOn(t, st)
	k := f.user("alice", allow("apigateway:*"))
	session := get(f.sts(k).GetSessionToken(t.Context(), &awssts.GetSessionTokenInput{}))(t).Credentials
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	again := startOn(t, openStore(t, folder))
	again.wantAllowed(k, "")
	again.wantAllowed(Key{*session.AccessKeyId, *session.SecretAccessKey}, *session.SessionToken)
}

// What decides requests stays known without the database.
func TestWorksWithoutTheStore(t *testing.T) {
	st, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	f := startOn(t, st)
	k := f.user("alice", allow("apigateway:*"))
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	f.wantAllowed(k, "")
}

// A restored store is in force when the restore is answered: keys made since are gone,
// and so are sessions when the store's own keys are others.
func TestReloadAfterRestore(t *testing.T) {
	f := start(t)
	old := f.user("old", allow("apigateway:*"))
	var backup bytes.Buffer
	if err := f.store.Backup(t.Context(), &backup, store.BackupOptions{SealingKeys: true}); err != nil {
		t.Fatal(err)
	}
	young := f.user("young", allow("apigateway:*"))
	f.wantAllowed(young, "")

	other := start(t)
	theirs := other.user("theirs", allow("apigateway:*"))
	session := get(other.sts(theirs).GetSessionToken(t.Context(), &awssts.GetSessionTokenInput{}))(t).Credentials
	k, token := Key{*session.AccessKeyId, *session.SecretAccessKey}, *session.SessionToken
	other.wantAllowed(k, token)
	for _, to := range []*fixture{f, other} {
		if _, err := to.store.Restore(t.Context(), bytes.NewReader(backup.Bytes())); err != nil {
			t.Fatal(err)
		}
		if err := to.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		to.wantAllowed(old, "")
	}
	wantError(t, f.list(young, ""), "UnrecognizedClientException", "")
	wantError(t, other.list(theirs, ""), "UnrecognizedClientException", "")
	wantError(t, other.list(k, token), "UnrecognizedClientException", "")
	if _, err := other.open(token); err == nil {
		t.Error("a token of the store before opens with the keys of the store after")
	}
}

// A store that cannot be read does not end Run: what was known stays, and once the
// reason is gone the change arrives.
func TestRunOutlivesFailures(t *testing.T) {
	f := start(t)
	k := f.user("alice", allow("apigateway:*"))
	key := users.docs.Key(store.Scope{Account: account}, "broken")
	write := func(body string) {
		t.Helper()
		if _, err := f.store.Update(t.Context(), func(tx *store.Tx) error { return tx.Put(key, []byte(body)) }); err != nil {
			t.Fatal(err)
		}
	}
	log := make(chan string, 10)
	other := startOn(t, f.store, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(lines(log), nil)) })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- other.Run(ctx) }()
	write(`"no user"`)
	for line := range log {
		if strings.Contains(line, "identities cannot be read") {
			break
		}
	}
	other.wantAllowed(k, "")
	write(`{"name":"mended","id":"AIDAMENDED"}`)
	for deadline := time.Now().Add(10 * time.Second); other.dir.subject(account, "AIDAMENDED") == nil; get(other.nextChange(ctx))(t) {
		if time.Now().After(deadline) {
			t.Fatal("the change did not arrive after the failure was over")
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run ended with %v", err)
	}
}

// lines sends what is logged, and drops it when nobody reads.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	select {
	case l <- string(p):
	default:
	}
	return len(p), nil
}

func TestSecretsAreSealed(t *testing.T) {
	folder := t.TempDir()
	f := startOn(t, openStore(t, folder))
	k := f.user("alice", "")
	files, err := filepath.Glob(filepath.Join(folder, store.DatabaseFile+"*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	found := false
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found = found || bytes.Contains(text, []byte(k.ID))
		if bytes.Contains(text, []byte(k.Secret)) {
			t.Errorf("%s holds a secret in the clear", file)
		}
	}
	if !found {
		t.Error("the key's id is nowhere: the test looks in the wrong place")
	}
}

func TestRootKey(t *testing.T) {
	folder := t.TempDir()
	if _, err := LoadRootKey(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no key yet: %v", err)
	}
	first := get(OpenRootKey(folder))(t)
	path := filepath.Join(folder, rootFile)
	info := get(os.Stat(path))(t)
	if info.Mode().Perm() != 0o600 || len(first.AccessKeyID) != 20 || len(first.SecretAccessKey) != 40 {
		t.Errorf("key %s with a secret of %d, file mode %v", first.AccessKeyID, len(first.SecretAccessKey), info.Mode())
	}
	if again := get(OpenRootKey(folder))(t); again != first {
		t.Errorf("another start made %s, want %s", again.AccessKeyID, first.AccessKeyID)
	}
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenRootKey(folder); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a broken file: %v", err)
	}
}

// Keys are looked up from memory: what each signed request of the data plane costs.
func BenchmarkLookup(b *testing.B) {
	f := start(b)
	k := f.user("alice", allow("apigateway:*"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Lookup(b.Context(), k.ID, ""); err != nil {
			b.Fatal(err)
		}
	}
}

func iamTags(tags map[string]string) (list []iamtypes.Tag) {
	for k, v := range tags {
		list = append(list, iamtypes.Tag{Key: &k, Value: &v})
	}
	return list
}
