package conformance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	gw "github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"

	"gatehouse/internal/server/servertest"
)

// populated makes three of everything that lists list, and returns the paths of the lists.
func populated(t *testing.T, g *servertest.Gatehouse) (lists []string) {
	c, _ := client(t, g)
	ctx := t.Context()
	first := must(c.CreateRestApi(ctx, &gw.CreateRestApiInput{Name: aws.String("first")}))(t)
	api, root := first.Id, first.RootResourceId
	must(c.PutMethod(ctx, &gw.PutMethodInput{RestApiId: api, ResourceId: root, HttpMethod: aws.String("GET"), AuthorizationType: aws.String("NONE")}))(t)
	must(c.PutIntegration(ctx, &gw.PutIntegrationInput{RestApiId: api, ResourceId: root, HttpMethod: aws.String("GET"), Type: types.IntegrationTypeMock}))(t)
	must(c.CreateDeployment(ctx, &gw.CreateDeploymentInput{RestApiId: api, StageName: aws.String("s0")}))(t)
	plan := must(c.CreateUsagePlan(ctx, &gw.CreateUsagePlanInput{Name: aws.String("p")}))(t).Id
	certificates := acm.NewFromConfig(g.AWS(t))
	var mapped, private *string
	for i := range 3 {
		n := aws.String(fmt.Sprint("n", i))
		must(c.CreateRestApi(ctx, &gw.CreateRestApiInput{Name: n}))(t)
		must(c.CreateResource(ctx, &gw.CreateResourceInput{RestApiId: api, ParentId: root, PathPart: n}))(t)
		must(c.CreateModel(ctx, &gw.CreateModelInput{RestApiId: api, Name: n, ContentType: aws.String("application/json"), Schema: aws.String("{}")}))(t)
		must(c.CreateRequestValidator(ctx, &gw.CreateRequestValidatorInput{RestApiId: api, Name: n}))(t)
		must(c.CreateAuthorizer(ctx, &gw.CreateAuthorizerInput{RestApiId: api, Name: n, Type: types.AuthorizerTypeToken, AuthorizerUri: aws.String(lambdaURI), IdentitySource: aws.String("method.request.header.A")}))(t)
		must(c.CreateDeployment(ctx, &gw.CreateDeploymentInput{RestApiId: api}))(t)
		must(c.CreateDocumentationPart(ctx, &gw.CreateDocumentationPartInput{RestApiId: api, Properties: aws.String("{}"), Location: &types.DocumentationPartLocation{Type: types.DocumentationPartTypeModel, Name: n}}))(t)
		must(c.CreateDocumentationVersion(ctx, &gw.CreateDocumentationVersionInput{RestApiId: api, DocumentationVersion: n}))(t)
		must(c.GenerateClientCertificate(ctx, &gw.GenerateClientCertificateInput{}))(t)
		must(c.CreateVpcLink(ctx, &gw.CreateVpcLinkInput{Name: n, TargetArns: []string{"arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/net/n/1"}}))(t)
		must(c.CreateUsagePlan(ctx, &gw.CreateUsagePlanInput{Name: n}))(t)
		key := must(c.CreateApiKey(ctx, &gw.CreateApiKeyInput{Name: n}))(t).Id
		must(c.CreateUsagePlanKey(ctx, &gw.CreateUsagePlanKeyInput{UsagePlanId: plan, KeyId: key, KeyType: aws.String("API_KEY")}))(t)
		domain := aws.String(fmt.Sprintf("d%d.example.com", i))
		arn := must(certificates.RequestCertificate(ctx, &acm.RequestCertificateInput{DomainName: domain}))(t).CertificateArn
		private = must(c.CreateDomainName(ctx, &gw.CreateDomainNameInput{DomainName: domain, CertificateArn: arn, EndpointConfiguration: &types.EndpointConfiguration{Types: []types.EndpointType{types.EndpointTypePrivate}}}))(t).DomainNameArn
		mapped = domain
	}
	for i := range 3 {
		must(c.CreateBasePathMapping(ctx, &gw.CreateBasePathMappingInput{DomainName: mapped, BasePath: aws.String(fmt.Sprint("b", i)), RestApiId: api, Stage: aws.String("s0")}))(t)
		must(c.CreateDomainNameAccessAssociation(ctx, &gw.CreateDomainNameAccessAssociationInput{DomainNameArn: private, AccessAssociationSourceType: types.AccessAssociationSourceTypeVpce, AccessAssociationSource: aws.String(fmt.Sprint("vpce-0", i))}))(t)
	}
	of := "/restapis/" + *api
	return []string{"/restapis", of + "/resources", of + "/models", of + "/requestvalidators", of + "/authorizers", of + "/deployments", of + "/gatewayresponses",
		of + "/documentation/parts", of + "/documentation/versions", "/clientcertificates", "/vpclinks", "/usageplans", "/usageplans/" + *plan + "/keys", "/apikeys",
		"/domainnames", "/domainnames/" + *mapped + "/basepathmappings", "/domainnameaccessassociations"}
}

// Every list has pages: one element at a time gives what one page gives, in the same order, and a
// position that no page gave is refused.
func TestPaging(t *testing.T) {
	g := servertest.Start(t, nil)
	w := newWire(t, g)
	page := func(t *testing.T, path, query string) (items []string, position string) {
		t.Helper()
		a := w.call(t, http.MethodGet, path+query, "")
		var out struct {
			Position string
			Item     []json.RawMessage
		}
		if a.status != 200 {
			t.Fatalf("%s%s: %d %s", path, query, a.status, a.body)
		}
		decode(t, a.body, &out)
		for _, i := range out.Item {
			items = append(items, string(i))
		}
		return items, out.Position
	}
	for _, path := range populated(t, g) {
		t.Run(strings.ReplaceAll(strings.TrimPrefix(path, "/"), "/", "_"), func(t *testing.T) {
			whole, position := page(t, path, "?limit=500")
			if len(whole) < 3 || position != "" {
				t.Fatalf("%d elements, position %q", len(whole), position)
			}
			if some, _ := page(t, path, "?limit=0"); len(some) != min(25, len(whole)) {
				t.Errorf("limit 0: %d elements, want the default", len(some))
			}
			var one []string
			for query := "?limit=1"; len(one) <= len(whole); {
				items, next := page(t, path, query)
				if len(items) > 1 {
					t.Fatalf("%s: %d elements", query, len(items))
				}
				one = append(one, items...)
				if next == "" {
					break
				}
				query = "?limit=1&position=" + url.QueryEscape(next)
			}
			if !slices.Equal(one, whole) {
				t.Errorf("one by one:\n%q\nat once:\n%q", one, whole)
			}
			if a := w.call(t, http.MethodGet, path+"?position=nosuch", ""); a.status != 400 || a.code != "BadRequestException" {
				t.Errorf("a position of nobody's: %d %s", a.status, a.body)
			}
			if a := w.call(t, http.MethodGet, path+"?limit=many", ""); a.status != 400 {
				t.Errorf("limit=many: %d %s", a.status, a.body)
			}
		})
	}
}

// Every update refuses a patch path that it does not have, an op that no update has, and a path
// that is no pointer, and changes nothing.
func TestBadPatches(t *testing.T) {
	g := servertest.Start(t, nil)
	w := newWire(t, g)
	var targets []string
	for _, list := range populated(t, g) {
		a := w.call(t, http.MethodGet, list+"?limit=1", "")
		var out struct {
			Item []struct{ ID, ClientCertificateID, DomainName, BasePath, Version, Name, ResponseType string }
		}
		decode(t, a.body, &out)
		one := out.Item[0]
		switch {
		case strings.HasSuffix(list, "/keys"), strings.HasSuffix(list, "associations"):
			continue // nothing updates these
		case strings.HasSuffix(list, "/models"):
			targets = append(targets, list+"/"+one.Name)
		case strings.HasSuffix(list, "/gatewayresponses"):
			targets = append(targets, list+"/"+one.ResponseType)
		case strings.HasSuffix(list, "/versions"):
			targets = append(targets, list+"/"+one.Version)
		default:
			targets = append(targets, list+"/"+one.ID+one.ClientCertificateID+one.DomainName+one.BasePath)
		}
	}
	for _, l := range targets {
		if strings.HasPrefix(l, "/restapis/") && strings.Contains(l, "/deployments/") {
			api := strings.Split(l, "/")[2]
			targets = append(targets, "/restapis/"+api+"/stages/s0")
			break
		}
	}
	targets = append(targets, "/account")
	for _, target := range targets {
		before := w.call(t, http.MethodGet, target, "").body
		for _, patch := range []string{
			`{"op":"replace","path":"/nosuch","value":"x"}`,
			`{"op":"replace","path":"/description~2","value":"x"}`,
			`{"op":"replace","path":"description","value":"x"}`,
			`{"op":"replace","path":"","value":"x"}`,
			`{"op":"test","path":"/nosuch","value":"x"}`,
			`{"op":"wrong","path":"/description","value":"x"}`,
			`{"op":"replace","path":"/` + strings.Repeat("a/", 5000) + `","value":"x"}`,
		} {
			if a := w.call(t, http.MethodPatch, target, `{"patchOperations":[`+patch+`]}`); a.status != 400 || a.message == "" {
				t.Errorf("%s %.80s: %d %.200s", target, patch, a.status, a.body)
			}
		}
		if after := w.call(t, http.MethodGet, target, "").body; after != before {
			t.Errorf("%s: %s after refusals, %s before", target, after, before)
		}
	}
	if len(targets) < 15 {
		t.Errorf("only %d updates tried: %v", len(targets), targets)
	}
}
