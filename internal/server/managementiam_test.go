package server_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"

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
