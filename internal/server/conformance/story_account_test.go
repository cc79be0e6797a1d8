package conformance

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	gw "github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
)

// deployed makes deployments and stages, and a client certificate for one.
func (s story) deployed(api *string) {
	ctx, prod := s.Context(), aws.String("prod")
	d := must(s.c.CreateDeployment(ctx, &gw.CreateDeploymentInput{RestApiId: api}))(s.T).Id
	must(s.c.GetDeployment(ctx, &gw.GetDeploymentInput{RestApiId: api, DeploymentId: d, Embed: []string{"apisummary"}}))(s.T)
	must(s.c.GetDeployments(ctx, &gw.GetDeploymentsInput{RestApiId: api}))(s.T)
	must(s.c.UpdateDeployment(ctx, &gw.UpdateDeploymentInput{RestApiId: api, DeploymentId: d, PatchOperations: replace("/description", "d")}))(s.T)
	must(s.c.CreateStage(ctx, &gw.CreateStageInput{RestApiId: api, StageName: prod, DeploymentId: d}))(s.T)
	must(s.c.GetStages(ctx, &gw.GetStagesInput{RestApiId: api}))(s.T)
	cert := must(s.c.GenerateClientCertificate(ctx, &gw.GenerateClientCertificateInput{Description: aws.String("c")}))(s.T)
	checkCertificate(s.T, cert)
	must(s.c.UpdateStage(ctx, &gw.UpdateStageInput{RestApiId: api, StageName: prod, PatchOperations: replace("/clientCertificateId", *cert.ClientCertificateId)}))(s.T)
	if st := must(s.c.GetStage(ctx, &gw.GetStageInput{RestApiId: api, StageName: prod}))(s.T); *st.ClientCertificateId != *cert.ClientCertificateId {
		s.Errorf("stage: %+v", st)
	}
	_, err := s.c.DeleteClientCertificate(ctx, &gw.DeleteClientCertificateInput{ClientCertificateId: cert.ClientCertificateId})
	refused(s.T, err, "ConflictException")
	must(s.c.UpdateStage(ctx, &gw.UpdateStageInput{RestApiId: api, StageName: prod, PatchOperations: replace("/clientCertificateId", "")}))(s.T)
	must(s.c.GetClientCertificate(ctx, &gw.GetClientCertificateInput{ClientCertificateId: cert.ClientCertificateId}))(s.T)
	must(s.c.GetClientCertificates(ctx, &gw.GetClientCertificatesInput{}))(s.T)
	must(s.c.UpdateClientCertificate(ctx, &gw.UpdateClientCertificateInput{ClientCertificateId: cert.ClientCertificateId, PatchOperations: replace("/description", "e")}))(s.T)
	_, err = s.c.UpdateClientCertificate(ctx, &gw.UpdateClientCertificateInput{ClientCertificateId: cert.ClientCertificateId, PatchOperations: wrongPath})
	refused(s.T, err, "/wrong")
	must(s.c.DeleteClientCertificate(ctx, &gw.DeleteClientCertificateInput{ClientCertificateId: cert.ClientCertificateId}))(s.T)
	must(s.c.FlushStageCache(ctx, &gw.FlushStageCacheInput{RestApiId: api, StageName: prod}))(s.T)
	must(s.c.FlushStageAuthorizersCache(ctx, &gw.FlushStageAuthorizersCacheInput{RestApiId: api, StageName: prod}))(s.T)
	_, err = s.c.UpdateStage(ctx, &gw.UpdateStageInput{RestApiId: api, StageName: prod, PatchOperations: wrongPath})
	refused(s.T, err, "/wrong")
	old := must(s.c.CreateDeployment(ctx, &gw.CreateDeploymentInput{RestApiId: api, StageName: aws.String("old")}))(s.T).Id
	must(s.c.DeleteStage(ctx, &gw.DeleteStageInput{RestApiId: api, StageName: aws.String("old")}))(s.T)
	must(s.c.DeleteDeployment(ctx, &gw.DeleteDeploymentInput{RestApiId: api, DeploymentId: old}))(s.T)
}

// checkCertificate holds a generated certificate against the real service's own.
func checkCertificate(t *testing.T, out *gw.GenerateClientCertificateOutput) {
	t.Helper()
	block, rest := pem.Decode([]byte(*out.PemEncodedCertificate))
	if block == nil || len(rest) != 0 {
		t.Fatalf("not one PEM block: %s", *out.PemEncodedCertificate)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	key, isRSA := c.PublicKey.(*rsa.PublicKey)
	if !isRSA || key.N.BitLen() != 2048 || c.Version != 3 || len(c.Extensions) != 0 || c.SignatureAlgorithm != x509.SHA256WithRSA {
		t.Errorf("certificate: version %d, %v, %v, extensions %v", c.Version, c.SignatureAlgorithm, c.PublicKeyAlgorithm, c.Extensions)
	}
	if c.Subject.String() != "CN=ApiGateway,L=Seattle,C=US" || c.Issuer.String() != c.Subject.String() || c.SerialNumber.BitLen() != 63 {
		t.Errorf("subject %s, issuer %s, serial number %v", c.Subject, c.Issuer, c.SerialNumber)
	}
	if c.NotAfter.Sub(c.NotBefore) != 365*24*time.Hour || !c.NotBefore.Equal(*out.CreatedDate) || !c.NotAfter.Equal(*out.ExpirationDate) {
		t.Errorf("valid from %v to %v; created %v, expires %v", c.NotBefore, c.NotAfter, out.CreatedDate, out.ExpirationDate)
	}
	if err := c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil {
		t.Errorf("not signed by itself: %v", err)
	}
	if _, err := tls.X509KeyPair([]byte(*out.PemEncodedCertificate), []byte(*out.PemEncodedCertificate)); err == nil {
		t.Error("the answer holds a private key")
	}
}

// domains makes a private domain name with a mapping and access associations.
func (s story) domains(api *string) {
	ctx, name := s.Context(), aws.String("private.example.com")
	cert := must(s.acm.RequestCertificate(ctx, &acm.RequestCertificateInput{DomainName: name, ValidationMethod: acmtypes.ValidationMethodDns}))(s.T).CertificateArn
	d := must(s.c.CreateDomainName(ctx, &gw.CreateDomainNameInput{DomainName: name, CertificateArn: cert,
		EndpointConfiguration: &types.EndpointConfiguration{Types: []types.EndpointType{types.EndpointTypePrivate}}}))(s.T)
	must(s.c.GetDomainName(ctx, &gw.GetDomainNameInput{DomainName: name}))(s.T)
	must(s.c.GetDomainNames(ctx, &gw.GetDomainNamesInput{}))(s.T)
	must(s.c.UpdateDomainName(ctx, &gw.UpdateDomainNameInput{DomainName: name, PatchOperations: replace("/routingMode", "ROUTING_RULE_THEN_BASE_PATH_MAPPING")}))(s.T)
	_, err := s.c.UpdateDomainName(ctx, &gw.UpdateDomainNameInput{DomainName: name, PatchOperations: wrongPath})
	refused(s.T, err, "/wrong")
	must(s.c.CreateBasePathMapping(ctx, &gw.CreateBasePathMappingInput{DomainName: name, BasePath: aws.String("v1"), RestApiId: api, Stage: aws.String("prod")}))(s.T)
	must(s.c.GetBasePathMappings(ctx, &gw.GetBasePathMappingsInput{DomainName: name}))(s.T)
	must(s.c.UpdateBasePathMapping(ctx, &gw.UpdateBasePathMappingInput{DomainName: name, BasePath: aws.String("v1"), PatchOperations: replace("/basePath", "v2")}))(s.T)
	must(s.c.GetBasePathMapping(ctx, &gw.GetBasePathMappingInput{DomainName: name, BasePath: aws.String("v2")}))(s.T)
	_, err = s.c.UpdateBasePathMapping(ctx, &gw.UpdateBasePathMappingInput{DomainName: name, BasePath: aws.String("v2"), PatchOperations: wrongPath})
	refused(s.T, err, "/wrong")
	must(s.c.DeleteBasePathMapping(ctx, &gw.DeleteBasePathMappingInput{DomainName: name, BasePath: aws.String("v2")}))(s.T)
	for i, take := range []func(arn *string){
		func(arn *string) {
			must(s.c.DeleteDomainNameAccessAssociation(ctx, &gw.DeleteDomainNameAccessAssociationInput{DomainNameAccessAssociationArn: arn}))(s.T)
		},
		func(arn *string) {
			must(s.c.RejectDomainNameAccessAssociation(ctx, &gw.RejectDomainNameAccessAssociationInput{DomainNameAccessAssociationArn: arn, DomainNameArn: d.DomainNameArn}))(s.T)
		},
	} {
		a := must(s.c.CreateDomainNameAccessAssociation(ctx, &gw.CreateDomainNameAccessAssociationInput{DomainNameArn: d.DomainNameArn,
			AccessAssociationSourceType: types.AccessAssociationSourceTypeVpce, AccessAssociationSource: aws.String("vpce-0a")}))(s.T)
		if list := must(s.c.GetDomainNameAccessAssociations(ctx, &gw.GetDomainNameAccessAssociationsInput{}))(s.T); len(list.Items) != 1 {
			s.Errorf("%d: associations %v", i, list.Items)
		}
		take(a.DomainNameAccessAssociationArn)
		if list := must(s.c.GetDomainNameAccessAssociations(ctx, &gw.GetDomainNameAccessAssociationsInput{}))(s.T); len(list.Items) != 0 {
			s.Errorf("%d: associations left: %v", i, list.Items)
		}
	}
	must(s.c.DeleteDomainName(ctx, &gw.DeleteDomainNameInput{DomainName: name}))(s.T)
}

func (s story) keys(api *string) {
	ctx := s.Context()
	k := must(s.c.CreateApiKey(ctx, &gw.CreateApiKeyInput{Name: aws.String("k"), Enabled: true}))(s.T).Id
	must(s.c.GetApiKey(ctx, &gw.GetApiKeyInput{ApiKey: k}))(s.T)
	must(s.c.GetApiKeys(ctx, &gw.GetApiKeysInput{}))(s.T)
	must(s.c.UpdateApiKey(ctx, &gw.UpdateApiKeyInput{ApiKey: k, PatchOperations: replace("/description", "d")}))(s.T)
	_, err := s.c.UpdateApiKey(ctx, &gw.UpdateApiKeyInput{ApiKey: k, PatchOperations: wrongPath})
	refused(s.T, err, "/wrong")
	p := must(s.c.CreateUsagePlan(ctx, &gw.CreateUsagePlanInput{Name: aws.String("p"), ApiStages: []types.ApiStage{{ApiId: api, Stage: aws.String("prod")}}}))(s.T).Id
	must(s.c.GetUsagePlan(ctx, &gw.GetUsagePlanInput{UsagePlanId: p}))(s.T)
	must(s.c.GetUsagePlans(ctx, &gw.GetUsagePlansInput{}))(s.T)
	must(s.c.UpdateUsagePlan(ctx, &gw.UpdateUsagePlanInput{UsagePlanId: p, PatchOperations: replace("/name", "q")}))(s.T)
	_, err = s.c.UpdateUsagePlan(ctx, &gw.UpdateUsagePlanInput{UsagePlanId: p, PatchOperations: wrongPath})
	refused(s.T, err, "/wrong")
	must(s.c.CreateUsagePlanKey(ctx, &gw.CreateUsagePlanKeyInput{UsagePlanId: p, KeyId: k, KeyType: aws.String("API_KEY")}))(s.T)
	must(s.c.GetUsagePlanKey(ctx, &gw.GetUsagePlanKeyInput{UsagePlanId: p, KeyId: k}))(s.T)
	must(s.c.GetUsagePlanKeys(ctx, &gw.GetUsagePlanKeysInput{UsagePlanId: p}))(s.T)
	today := aws.String(time.Now().UTC().Format(time.DateOnly))
	must(s.c.GetUsage(ctx, &gw.GetUsageInput{UsagePlanId: p, StartDate: today, EndDate: today}))(s.T)
	imported := must(s.c.ImportApiKeys(ctx, &gw.ImportApiKeysInput{Format: types.ApiKeysFormatCsv, Body: []byte("Name,key\nimported,0123456789012345678901234567890\n")}))(s.T)
	if len(imported.Ids) != 1 {
		s.Errorf("imported: %+v", imported)
	}
	must(s.c.DeleteUsagePlanKey(ctx, &gw.DeleteUsagePlanKeyInput{UsagePlanId: p, KeyId: k}))(s.T)
	must(s.c.UpdateUsagePlan(ctx, &gw.UpdateUsagePlanInput{UsagePlanId: p, PatchOperations: []types.PatchOperation{{Op: types.OpRemove, Path: aws.String("/apiStages"), Value: aws.String(*api + ":prod")}}}))(s.T)
	must(s.c.DeleteUsagePlan(ctx, &gw.DeleteUsagePlanInput{UsagePlanId: p}))(s.T)
	must(s.c.DeleteApiKey(ctx, &gw.DeleteApiKeyInput{ApiKey: k}))(s.T)
}

func (s story) links() {
	ctx := s.Context()
	l := must(s.c.CreateVpcLink(ctx, &gw.CreateVpcLinkInput{Name: aws.String("l"), TargetArns: []string{"arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/net/a/b"}}))(s.T).Id
	must(s.c.GetVpcLink(ctx, &gw.GetVpcLinkInput{VpcLinkId: l}))(s.T)
	must(s.c.GetVpcLinks(ctx, &gw.GetVpcLinksInput{}))(s.T)
	must(s.c.UpdateVpcLink(ctx, &gw.UpdateVpcLinkInput{VpcLinkId: l, PatchOperations: replace("/name", "m")}))(s.T)
	_, err := s.c.UpdateVpcLink(ctx, &gw.UpdateVpcLinkInput{VpcLinkId: l, PatchOperations: wrongPath})
	refused(s.T, err, "/wrong")
	must(s.c.DeleteVpcLink(ctx, &gw.DeleteVpcLinkInput{VpcLinkId: l}))(s.T)
	if kinds := must(s.c.GetSdkTypes(ctx, &gw.GetSdkTypesInput{}))(s.T); len(kinds.Items) != 1 {
		s.Errorf("sdk types: %v", kinds.Items)
	}
	must(s.c.GetSdkType(ctx, &gw.GetSdkTypeInput{Id: aws.String("javascript")}))(s.T)
	_, err = s.c.GetSdkType(ctx, &gw.GetSdkTypeInput{Id: aws.String("android")})
	refused(s.T, err, "not offered")
}

func (s story) tagsAndAccount(api *string) {
	ctx, arn := s.Context(), aws.String("arn:aws:apigateway:us-east-1::/restapis/"+*api)
	must(s.c.TagResource(ctx, &gw.TagResourceInput{ResourceArn: arn, Tags: map[string]string{"a": "b", "c": "d"}}))(s.T)
	must(s.c.UntagResource(ctx, &gw.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"a"}}))(s.T)
	if got := must(s.c.GetTags(ctx, &gw.GetTagsInput{ResourceArn: arn}))(s.T); len(got.Tags) != 1 || got.Tags["c"] != "d" {
		s.Errorf("tags: %v", got.Tags)
	}
	must(s.c.UpdateAccount(ctx, &gw.UpdateAccountInput{PatchOperations: replace("/cloudwatchRoleArn", "arn:aws:iam::000000000000:role/r")}))(s.T)
	if got := must(s.c.GetAccount(ctx, &gw.GetAccountInput{}))(s.T); *got.CloudwatchRoleArn != "arn:aws:iam::000000000000:role/r" {
		s.Errorf("account: %+v", got)
	}
	_, err := s.c.UpdateAccount(ctx, &gw.UpdateAccountInput{PatchOperations: wrongPath})
	refused(s.T, err, "/wrong")
}

func (s story) deleteAPI(api *string) {
	must(s.c.DeleteRestApi(s.Context(), &gw.DeleteRestApiInput{RestApiId: api}))(s.T)
	if list := must(s.c.GetRestApis(s.Context(), &gw.GetRestApisInput{}))(s.T); len(list.Items) != 0 {
		s.Errorf("apis left: %v", list.Items)
	}
}
