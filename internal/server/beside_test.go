package server_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/wafv2"

	"gatehouse/internal/server/servertest"
)

// TestActionsBesideTheCall: what opens an API needs an action of its own beside that of the call
// that does it, in whatever way it is done.
func TestActionsBesideTheCall(t *testing.T) {
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	a.mock(a.resource("/x"), "GET", `{"statusCode": 200}`, "")
	a.deploy("prod")
	const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"*"}]}`
	update := func(c *apigateway.Client, op types.Op) error {
		o := types.PatchOperation{Op: op, Path: aws.String("/policy")}
		if op == types.OpReplace {
			o.Value = aws.String(policy)
		}
		_, err := c.UpdateRestApi(t.Context(), &apigateway.UpdateRestApiInput{RestApiId: a.id, PatchOperations: []types.PatchOperation{o}})
		return err
	}
	if err := update(a.c, types.OpReplace); err != nil {
		t.Fatal(err)
	}
	const head, tail = `{"openapi":"3.0.1","info":{"title":"t","version":"1"},"paths":{}`, `}`
	with := []byte(head + `,"x-amazon-apigateway-policy":` + policy + tail)
	verbs := []string{"apigateway:GET", "apigateway:POST", "apigateway:PUT", "apigateway:PATCH", "apigateway:DELETE", "wafv2:*"}
	build := g.AWSWith(userWith(t, g, "builder", verbs...))
	manage := g.AWSWith(userWith(t, g, "manager", append(verbs, "apigateway:UpdateRestApiPolicy", "apigateway:SetWebACL")...))
	stage := aws.String("arn:aws:apigateway:us-east-1::/restapis/" + *a.id + "/stages/prod")
	for _, tt := range []struct {
		name, action string
		call         func(c *apigateway.Client, w *wafv2.Client) error
	}{
		{"CreateRestApi", "UpdateRestApiPolicy", func(c *apigateway.Client, _ *wafv2.Client) error {
			_, err := c.CreateRestApi(t.Context(), &apigateway.CreateRestApiInput{Name: aws.String("n"), Policy: aws.String(policy)})
			return err
		}},
		{"CreateRestApi of a clone", "UpdateRestApiPolicy", func(c *apigateway.Client, _ *wafv2.Client) error {
			_, err := c.CreateRestApi(t.Context(), &apigateway.CreateRestApiInput{Name: aws.String("n"), CloneFrom: a.id})
			return err
		}},
		{"UpdateRestApi", "UpdateRestApiPolicy", func(c *apigateway.Client, _ *wafv2.Client) error { return update(c, types.OpReplace) }},
		{"ImportRestApi", "UpdateRestApiPolicy", func(c *apigateway.Client, _ *wafv2.Client) error {
			_, err := c.ImportRestApi(t.Context(), &apigateway.ImportRestApiInput{Body: with})
			return err
		}},
		{"PutRestApi", "UpdateRestApiPolicy", func(c *apigateway.Client, _ *wafv2.Client) error {
			_, err := c.PutRestApi(t.Context(), &apigateway.PutRestApiInput{RestApiId: a.id, Mode: types.PutModeMerge, Body: with})
			return err
		}},
		{"PutRestApi that overwrites", "UpdateRestApiPolicy", func(c *apigateway.Client, _ *wafv2.Client) error {
			_, err := c.PutRestApi(t.Context(), &apigateway.PutRestApiInput{RestApiId: a.id, Mode: types.PutModeOverwrite, Body: []byte(head + tail)})
			return err
		}},
		{"UpdateRestApi that removes", "UpdateRestApiPolicy", func(c *apigateway.Client, _ *wafv2.Client) error { return update(c, types.OpRemove) }},
		{"DisassociateWebACL", "SetWebACL", func(_ *apigateway.Client, w *wafv2.Client) error {
			_, err := w.DisassociateWebACL(t.Context(), &wafv2.DisassociateWebACLInput{ResourceArn: stage})
			return err
		}},
	} {
		err := tt.call(apigateway.NewFromConfig(build), wafv2.NewFromConfig(build))
		if err == nil || !strings.Contains(err.Error(), "apigateway:"+tt.action) {
			t.Errorf("%s without the right: got %v, want a denial of apigateway:%s", tt.name, err, tt.action)
		}
		if err := tt.call(apigateway.NewFromConfig(manage), wafv2.NewFromConfig(manage)); err != nil {
			t.Errorf("%s with the right: %v", tt.name, err)
		}
	}
	// What changes nothing about the policy needs no more than before.
	c := apigateway.NewFromConfig(build)
	if _, err := c.PutRestApi(t.Context(), &apigateway.PutRestApiInput{RestApiId: a.id, Mode: types.PutModeMerge, Body: []byte(head + tail)}); err != nil {
		t.Errorf("a document without a policy: %v", err)
	}
	if _, err := c.CreateRestApi(t.Context(), &apigateway.CreateRestApiInput{Name: aws.String("n")}); err != nil {
		t.Errorf("an API without a policy: %v", err)
	}
}

// A domain name has no case: what a policy denies about it is not done under another spelling.
func TestDenialsOfDomainNamesHaveNoCase(t *testing.T) {
	g := servertest.Start(t, nil)
	cert, err := acm.NewFromConfig(g.AWS(t)).RequestCertificate(t.Context(), &acm.RequestCertificateInput{DomainName: aws.String("guarded.example.com")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := apigateway.NewFromConfig(g.AWS(t)).CreateDomainName(t.Context(), &apigateway.CreateDomainNameInput{DomainName: aws.String("guarded.example.com"), RegionalCertificateArn: cert.CertificateArn,
		EndpointConfiguration: &types.EndpointConfiguration{Types: []types.EndpointType{types.EndpointTypeRegional}}}); err != nil {
		t.Fatal(err)
	}
	id, secret := userWith(t, g, "developer", "apigateway:*")
	if _, err := iam.NewFromConfig(g.AWS(t)).PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: aws.String("developer"), PolicyName: aws.String("guard"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"apigateway:*","Resource":"arn:aws:apigateway:us-east-1::/domainnames/guarded.example.com*"}]}`)}); err != nil {
		t.Fatal(err)
	}
	c, v2 := apigateway.NewFromConfig(g.AWSWith(id, secret)), apigatewayv2.NewFromConfig(g.AWSWith(id, secret))
	for _, name := range []string{"guarded.example.com", "GUARDED.example.com", "guarded.example.COM"} {
		if _, err := c.GetDomainName(t.Context(), &apigateway.GetDomainNameInput{DomainName: &name}); err == nil || !strings.Contains(err.Error(), "explicit deny") {
			t.Errorf("%s: got %v, want an explicit deny", name, err)
		}
		if _, err := v2.GetApiMappings(t.Context(), &apigatewayv2.GetApiMappingsInput{DomainName: &name}); err == nil || !strings.Contains(err.Error(), "explicit deny") {
			t.Errorf("%s in version 2: got %v, want an explicit deny", name, err)
		}
	}
}

// What a policy denies about a stage is not done under another spelling of its ARN.
func TestDenialsOfStagesHoldForEverySpelling(t *testing.T) {
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	a.mock(a.resource("/x"), "GET", `{"statusCode": 200}`, "")
	a.deploy("prod")
	id, secret := userWith(t, g, "developer", "apigateway:*", "wafv2:*")
	stage := "::/restapis/" + *a.id + "/stages/prod"
	if _, err := iam.NewFromConfig(g.AWS(t)).PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: aws.String("developer"), PolicyName: aws.String("guard"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"apigateway:*","Resource":["arn:aws:apigateway:us-east-1` + stage + `","arn:aws:apigateway:us-east-1::/tags/` +
			url.QueryEscape("arn:aws:apigateway:us-east-1"+stage) + `"]}]}`)}); err != nil {
		t.Fatal(err)
	}
	c, w := apigateway.NewFromConfig(g.AWSWith(id, secret)), wafv2.NewFromConfig(g.AWSWith(id, secret))
	for _, arn := range []string{
		"arn:aws:apigateway:us-east-1" + stage,
		"arn:aws-x:apigateway:us-east-1" + stage,
		"arn:aws:apigateway:us-east-1::x" + stage[2:],
		"arn:aws:apigateway:us-east-1:000000000000:" + stage[2:],
	} {
		if _, err := w.DisassociateWebACL(t.Context(), &wafv2.DisassociateWebACLInput{ResourceArn: &arn}); err == nil {
			t.Errorf("DisassociateWebACL of %s is done", arn)
		}
		if _, err := c.TagResource(t.Context(), &apigateway.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{"k": "v"}}); err == nil {
			t.Errorf("TagResource of %s is done", arn)
		}
	}
}

// A clone is an API with the roles of its source, and shows all that the source holds: it asks for
// what an import of the same would, and for reading the source.
func TestClonesAskForWhatTheyTakeOver(t *testing.T) {
	g := servertest.Start(t, nil)
	users := iam.NewFromConfig(g.AWS(t))
	role, err := users.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("backend"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"apigateway.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	a := newAPI(t, g)
	x := a.resource("/x")
	a.mock(x, "GET", `{"statusCode": 200}`, "")
	if _, err := a.c.PutIntegration(t.Context(), &apigateway.PutIntegrationInput{RestApiId: a.id, ResourceId: x, HttpMethod: aws.String("GET"), Type: types.IntegrationTypeAws,
		IntegrationHttpMethod: aws.String("POST"), Uri: aws.String("arn:aws:apigateway:us-east-1:sqs:action/SendMessage"), Credentials: role.Role.Arn}); err != nil {
		t.Fatal(err)
	}
	deny := func(user, action, resource string) {
		t.Helper()
		if _, err := users.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: &user, PolicyName: aws.String("deny"), PolicyDocument: aws.String(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"` + action + `","Resource":"` + resource + `"}]}`)}); err != nil {
			t.Fatal(err)
		}
	}
	clone := func(id, secret string) error {
		_, err := apigateway.NewFromConfig(g.AWSWith(id, secret)).CreateRestApi(t.Context(), &apigateway.CreateRestApiInput{Name: aws.String("clone"), CloneFrom: a.id})
		return err
	}
	if err := clone(userWith(t, g, "builder", "apigateway:*")); err == nil || !strings.Contains(err.Error(), "iam:PassRole") {
		t.Errorf("without iam:PassRole: got %v, want a denial of it", err)
	}
	id, secret := userWith(t, g, "trusted", "apigateway:*", "iam:PassRole")
	if err := clone(id, secret); err != nil {
		t.Errorf("with iam:PassRole: %v", err)
	}
	deny("trusted", "apigateway:GET", "arn:aws:apigateway:us-east-1::/restapis/"+*a.id)
	if err := clone(id, secret); err == nil || !strings.Contains(err.Error(), "apigateway:GET") {
		t.Errorf("of an API that the caller may not read: got %v, want a denial of apigateway:GET", err)
	}
}
