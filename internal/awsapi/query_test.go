package awsapi_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	sdkiam "github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	sdksts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/gen/iam"
	"gatehouse/internal/awsapi/gen/sts"
)

type iamBackend struct {
	iam.Unimplemented
	in  any
	err error
}

func (b *iamBackend) CreateRole(_ context.Context, in *iam.CreateRoleInput) (*iam.CreateRoleOutput, error) {
	b.in = in
	at := time.Unix(1700000000, 0).UTC()
	return &iam.CreateRoleOutput{Role: &iam.Role{RoleName: in.RoleName, Arn: new("arn<&>\""), CreateDate: &at, MaxSessionDuration: new(int32(3600)), Tags: in.Tags}}, b.err
}

func (b *iamBackend) DeleteRole(context.Context, *iam.DeleteRoleInput) (*iam.DeleteRoleOutput, error) {
	return nil, b.err
}

func (b *iamBackend) GetAccountSummary(context.Context, *iam.GetAccountSummaryInput) (*iam.GetAccountSummaryOutput, error) {
	return &iam.GetAccountSummaryOutput{SummaryMap: map[string]int32{"Users": 3}}, nil
}

func (b *iamBackend) SimulateCustomPolicy(_ context.Context, in *iam.SimulateCustomPolicyInput) (*iam.SimulatePolicyResponse, error) {
	b.in = in
	return &iam.SimulatePolicyResponse{}, nil
}

func TestQueryRoundTrip(t *testing.T) {
	b := &iamBackend{}
	f := serve(t, iam.Bind(b))
	client := sdkiam.NewFromConfig(f.config())
	out, err := client.CreateRole(t.Context(), &sdkiam.CreateRoleInput{RoleName: new("gw"), AssumeRolePolicyDocument: new(`{"Version":"2012-10-17"}`), Path: new("/x/"),
		MaxSessionDuration: new(int32(3600)), Tags: []iamtypes.Tag{{Key: new("a"), Value: new("1 + 1")}, {Key: new("b"), Value: new("")}}})
	if err != nil {
		t.Fatal(err)
	}
	want := &iam.CreateRoleInput{RoleName: new("gw"), AssumeRolePolicyDocument: new(`{"Version":"2012-10-17"}`), Path: new("/x/"),
		MaxSessionDuration: new(int32(3600)), Tags: []iam.Tag{{Key: new("a"), Value: new("1 + 1")}, {Key: new("b"), Value: new("")}}}
	if d := cmp.Diff(want, b.in); d != "" {
		t.Errorf("input (-want +got):\n%s", d)
	}
	if r := out.Role; *r.RoleName != "gw" || *r.Arn != `arn<&>"` || r.CreateDate.Unix() != 1700000000 || *r.MaxSessionDuration != 3600 || len(r.Tags) != 2 || *r.Tags[0].Value != "1 + 1" {
		t.Errorf("output: %+v", r)
	}
	if d := cmp.Diff([]string{"iam:CreateRole arn:aws:iam::123456789012:role/gw"}, f.asked()); d != "" {
		t.Errorf("accesses (-want +got):\n%s", d)
	}
	summary, err := client.GetAccountSummary(t.Context(), &sdkiam.GetAccountSummaryInput{})
	if err != nil || summary.SummaryMap["Users"] != 3 {
		t.Errorf("error %v, output %+v", err, summary)
	}
	if _, err := client.SimulateCustomPolicy(t.Context(), &sdkiam.SimulateCustomPolicyInput{ActionNames: []string{"a:b", "c:d"}, PolicyInputList: []string{"{}"},
		ContextEntries: []iamtypes.ContextEntry{{ContextKeyName: new("aws:SourceIp"), ContextKeyType: iamtypes.ContextKeyTypeEnumIp, ContextKeyValues: []string{"x"}}}}); err != nil {
		t.Fatal(err)
	}
	if in := b.in.(*iam.SimulateCustomPolicyInput); len(in.ActionNames) != 2 || in.ContextEntries[0].ContextKeyValues[0] != "x" {
		t.Errorf("input: %+v", in)
	}
}

func (b *iamBackend) UpdateRole(context.Context, *iam.UpdateRoleInput) (*iam.UpdateRoleOutput, error) {
	return nil, nil
}

// An answer has a result element when the model says so, even an empty one: clients
// look for it.
func TestQueryResultElement(t *testing.T) {
	f := serve(t, iam.Bind(&iamBackend{}))
	for action, want := range map[string]string{
		"UpdateRole": `<UpdateRoleResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><UpdateRoleResult></UpdateRoleResult><ResponseMetadata><RequestId>`,
		"DeleteRole": `<DeleteRoleResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ResponseMetadata><RequestId>`,
	} {
		res := f.raw(t, "POST", "/", "Action="+action+"&Version=2010-05-08&RoleName=r", "Authorization: "+signed("iam"), "Content-Type: application/x-www-form-urlencoded")
		if got := text(t, res.Body); res.StatusCode != 200 || !strings.HasPrefix(got, want) {
			t.Errorf("%d %s\nwant %s", res.StatusCode, got, want)
		}
	}
}

func TestQueryErrors(t *testing.T) {
	b := &iamBackend{err: iam.NoSuchEntityException("The role with name gw cannot be found.")}
	f := serve(t, iam.Bind(b))
	client := sdkiam.NewFromConfig(f.config())
	_, err := client.DeleteRole(t.Context(), &sdkiam.DeleteRoleInput{RoleName: new("gw")})
	if e, ok := errors.AsType[*iamtypes.NoSuchEntityException](err); !ok || *e.Message != "The role with name gw cannot be found." {
		t.Errorf("error %v", err)
	}
	auth, form := "Authorization: "+signed("iam"), "Content-Type: application/x-www-form-urlencoded"
	for _, c := range []struct{ body, code string }{
		{"Action=CreateRole&Version=2010-05-08&RoleName=a%20b&AssumeRolePolicyDocument=%7B%7D", "ValidationError"},
		{"Action=CreateRole&Version=2010-05-08&RoleName=a&RoleName=b", "MalformedInput"},
		{"Action=CreateRole&Version=2010-05-08&MaxSessionDuration=x", "MalformedInput"},
		{"Action=CreateRole&Version=2010-05-08&Tags.member.x.Key=x", "MalformedInput"},
		{"Action=CreateSAMLProvider&Version=2010-05-08", "NotImplementedException"},
		{"Action=ListRoles&Version=2010-05-08", "NotImplementedException"},
		{"Action=Nothing&Version=2010-05-08", "InvalidAction"},
		{"Action=CreateRole&Version=1999-01-01", "InvalidAction"},
		{"Version=2010-05-08", "MissingAction"},
	} {
		res := f.raw(t, "POST", "/", c.body, auth, form)
		got := text(t, res.Body)
		if !strings.HasPrefix(got, `<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>`) || !strings.Contains(got, "<Code>"+c.code+"</Code>") ||
			!strings.Contains(got, "<RequestId>"+res.Header.Get("X-Amzn-Requestid")+"</RequestId>") {
			t.Errorf("%s: %s, want %s", c.body, got, c.code)
		}
	}
}

type stsBackend struct{ sts.Unimplemented }

func (stsBackend) GetCallerIdentity(ctx context.Context, _ *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
	c := awsapi.CallFrom(ctx)
	return &sts.GetCallerIdentityOutput{Account: &c.Account, Arn: &c.Identity.ARN, UserId: &c.Identity.ID}, nil
}

func TestCallerIdentity(t *testing.T) {
	f := serve(t, sts.Bind(stsBackend{}))
	out, err := sdksts.NewFromConfig(f.config()).GetCallerIdentity(t.Context(), &sdksts.GetCallerIdentityInput{})
	if err != nil || *out.Account != "123456789012" || *out.Arn != "arn:aws:iam::123456789012:root" || *out.UserId != "" {
		t.Errorf("error %v, output %+v", err, out)
	}
	// A presigned GET, as other systems use it to prove who they are.
	res := f.raw(t, "GET", "/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Credential=AKID%2F20260101%2Feu-central-1%2Fsts%2Faws4_request", "")
	if got := text(t, res.Body); res.StatusCode != 200 || !strings.Contains(got, "<GetCallerIdentityResult><UserId></UserId><Account>123456789012</Account>") {
		t.Errorf("%d %s", res.StatusCode, got)
	}
}
