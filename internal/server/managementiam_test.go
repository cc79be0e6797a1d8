package server_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"gatehouse/internal/server/servertest"
)

// The ARN of a private domain name has its account and id. Policies that go by tags hold for it
// all the same, and no other spelling leads around one that names it.
func TestPrivateDomainNameTags(t *testing.T) {
	g := servertest.Start(t, nil)
	root := apigateway.NewFromConfig(g.AWS(t))
	cert, err := acm.NewFromConfig(g.AWS(t)).RequestCertificate(t.Context(), &acm.RequestCertificateInput{DomainName: aws.String("in.example.com")})
	if err != nil {
		t.Fatal(err)
	}
	d, err := root.CreateDomainName(t.Context(), &apigateway.CreateDomainNameInput{DomainName: aws.String("in.example.com"), CertificateArn: cert.CertificateArn,
		EndpointConfiguration: &types.EndpointConfiguration{Types: []types.EndpointType{types.EndpointTypePrivate}}, Tags: map[string]string{"team": "a"}})
	if err != nil {
		t.Fatal(err)
	}
	if want := "arn:aws:apigateway:us-east-1:000000000000:/domainnames/in.example.com+" + *d.DomainNameId; *d.DomainNameArn != want {
		t.Errorf("ARN %s, want %s", *d.DomainNameArn, want)
	}
	if out, err := root.GetTags(t.Context(), &apigateway.GetTagsInput{ResourceArn: d.DomainNameArn}); err != nil || out.Tags["team"] != "a" {
		t.Errorf("tags by its ARN: %+v, %v", out, err)
	}
	for _, other := range []string{
		"arn:aws:apigateway:us-east-1::/domainnames/in.example.com",
		"arn:aws:apigateway:us-east-1:000000000000:/domainnames/in.example.com",
		"arn:aws:apigateway:us-east-1:000000000000:/domainnames/in.example.com+other",
		"arn:aws:apigateway:us-east-1::/domainnames/in.example.com+" + *d.DomainNameId,
	} {
		if _, err := root.TagResource(t.Context(), &apigateway.TagResourceInput{ResourceArn: &other, Tags: map[string]string{"team": "b"}}); err == nil {
			t.Errorf("tagged as %s", other)
		}
	}

	all := `{"Effect":"Allow","Action":"apigateway:*","Resource":"*"}`
	deny := `{"Effect":"Deny","Action":"apigateway:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"a"}}}`
	c := apigateway.NewFromConfig(g.AWSWith(userWithStatements(t, g, "outsider", all, deny)))
	if _, err := c.GetDomainName(t.Context(), &apigateway.GetDomainNameInput{DomainName: d.DomainName, DomainNameId: d.DomainNameId}); err == nil {
		t.Error("the tag denies reading it, and it is read")
	}
	if _, err := c.UntagResource(t.Context(), &apigateway.UntagResourceInput{ResourceArn: d.DomainNameArn, TagKeys: []string{"team"}}); err == nil {
		t.Error("the tag denies everything, and is taken away")
	}
}

// Who may not list a bucket is not told what is missing in it, by whatever operation.
func TestMissingObjectsAreConcealed(t *testing.T) {
	g := servertest.Start(t, nil)
	path := func(o *s3.Options) { o.UsePathStyle = true }
	root := s3.NewFromConfig(g.AWS(t), path)
	const bucket = "shelf"
	if _, err := root.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		t.Fatal(err)
	}
	read := `{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject","s3:GetObjectVersion"],"Resource":"arn:aws:s3:::shelf/*"}`
	list := `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::shelf"}`
	for _, c := range []struct {
		name       string
		statements []string
		status     int
	}{{"reader", []string{read}, 403}, {"lister", []string{read, list}, 404}} {
		user := s3.NewFromConfig(g.AWSWith(userWithStatements(t, g, c.name, c.statements...)), path)
		_, get := user.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("nothing")})
		_, head := user.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("nothing")})
		_, copied := user.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: aws.String(bucket), Key: aws.String("copy"), CopySource: aws.String(bucket + "/nothing")})
		for what, err := range map[string]error{"GetObject": get, "HeadObject": head, "CopyObject": copied} {
			var answer *awshttp.ResponseError
			if !errors.As(err, &answer) || answer.HTTPStatusCode() != c.status {
				t.Errorf("%s by %s: %v, want %d", what, c.name, err, c.status)
			}
		}
	}
}

// Who may update a domain name may not say by that alone whom it lets in: trust stores and
// policies have actions of their own.
func TestTrustStoresAndPoliciesNeedTheirPermission(t *testing.T) {
	g := servertest.Start(t, nil)
	d := guard(t, g, "api.example.test", newCA(t, "CA").pem())
	const policy = `{"Version":"2012-10-17","Statement":[]}`
	private := "in.example.test"
	if _, err := d.c.CreateDomainName(t.Context(), &apigateway.CreateDomainNameInput{DomainName: &private, CertificateArn: aws.String(d.certificate(private)),
		EndpointConfiguration: &types.EndpointConfiguration{Types: []types.EndpointType{types.EndpointTypePrivate}}}); err != nil {
		t.Fatal(err)
	}
	all := `{"Effect":"Allow","Action":["apigateway:*","s3:*"],"Resource":"*"}`
	for _, c := range []struct{ action, domain, path, value string }{
		{"AddCertificateToDomain", d.name, "/mutualTlsAuthentication/truststoreUri", "s3://" + d.bucket + "/ca.pem"},
		{"AddCertificateToDomain", d.name, "/mutualTlsAuthentication/truststoreVersion", d.upload(newCA(t, "Other").pem())},
		{"RemoveCertificateFromDomain", d.name, "/mutualTlsAuthentication/truststoreUri", ""},
		{"UpdateDomainNamePolicy", private, "/policy", policy},
		{"UpdateDomainNameManagementPolicy", private, "/managementPolicy", policy},
	} {
		update := func(user *apigateway.Client) error {
			_, err := user.UpdateDomainName(t.Context(), &apigateway.UpdateDomainNameInput{DomainName: &c.domain,
				PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: &c.path, Value: &c.value}}})
			return err
		}
		deny := `{"Effect":"Deny","Action":"apigateway:` + c.action + `","Resource":"arn:aws:apigateway:us-east-1::/domainnames/` + c.domain + `"}`
		name := strings.NewReplacer("/", ".").Replace("no" + c.action + c.path)
		name = name[:min(len(name), 60)]
		if err := update(apigateway.NewFromConfig(g.AWSWith(userWithStatements(t, g, name, all, deny)))); err == nil || !strings.Contains(err.Error(), "is not authorized to perform: apigateway:"+c.action+" on resource: ") {
			t.Errorf("%s = %q without %s: %v", c.path, c.value, c.action, err)
		}
		if err := update(apigateway.NewFromConfig(g.AWSWith(userWithStatements(t, g, name+"-may", all)))); err != nil {
			t.Errorf("%s = %q by who may: %v", c.path, c.value, err)
		}
	}
	maker := apigateway.NewFromConfig(g.AWSWith(userWithStatements(t, g, "maker", all, `{"Effect":"Deny","Action":["apigateway:AddCertificateToDomain","apigateway:UpdateDomainNamePolicy"],"Resource":"*"}`)))
	for _, in := range []*apigateway.CreateDomainNameInput{
		{DomainName: aws.String("new.example.test"), RegionalCertificateArn: aws.String(d.certificate("new.example.test")), SecurityPolicy: types.SecurityPolicyTls12,
			EndpointConfiguration:   &types.EndpointConfiguration{Types: []types.EndpointType{types.EndpointTypeRegional}},
			MutualTlsAuthentication: &types.MutualTlsAuthenticationInput{TruststoreUri: aws.String("s3://" + d.bucket + "/ca.pem")}},
		{DomainName: aws.String("new.in.example.test"), CertificateArn: aws.String(d.certificate("new.in.example.test")), Policy: aws.String(policy),
			EndpointConfiguration: &types.EndpointConfiguration{Types: []types.EndpointType{types.EndpointTypePrivate}}},
	} {
		if _, err := maker.CreateDomainName(t.Context(), in); err == nil || !strings.Contains(err.Error(), "is not authorized to perform") {
			t.Errorf("%s is made: %v", *in.DomainName, err)
		}
	}
}
