package openapi

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gatehouse/internal/lang/jsonschema"
	"gatehouse/internal/model"
)

// generator makes APIs out of everything that a document of its version carries.
type generator struct {
	*rand.Rand
	v3 bool
}

func (g generator) maybe() bool { return g.IntN(2) == 0 }

func (g generator) pick(from ...string) string { return from[g.IntN(len(from))] }

const apiID = "abcde12345"

func (g generator) api() *API {
	a := &API{}
	s := &a.Snapshot.API
	*s = model.RestAPI{ID: apiID, Name: g.pick("pets", "ün \"quoted\"", "a: b # c"), Version: g.pick("1.0", "2024-01-01T00:00:00Z", "no"), APIKeySource: "HEADER"}
	if g.maybe() {
		s.Description = g.pick("text", "- two\nlines", "true")
		s.BinaryMediaTypes = []string{"image/*", "a/b"}
		s.APIKeySource = "AUTHORIZER"
		size := g.IntN(100)
		s.MinimumCompressionSize = &size
		s.Policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"*"}]}`
		s.DisableExecuteAPIEndpoint = true
		s.SecurityPolicy, s.EndpointAccessMode = "TLS_1_2", "BASIC"
	}
	ref := func(name string) string { return `{"$ref":"` + jsonschema.ModelURI(apiID, name) + `"}` }
	a.Models = []model.APIModel{
		{Name: "Pet", ContentType: "application/json", Schema: `{"type":"object","properties":{"b":{"type":"integer","minimum":1.50},"a":` + ref("Owner") + `},"required":["b"]}`},
		{Name: "Owner", ContentType: "application/json", Description: "d", Schema: `{"description":"d","type":"object","properties":{"pets":{"type":"array","items":` + ref("Pet") + `},"self":` + ref("Owner") + `,"$ref":{"enum":["x",1,null]}}}`},
	}
	for _, name := range []string{"all", "body only"} {
		a.RequestValidators = append(a.RequestValidators, model.RequestValidator{ID: name, Name: name, ValidateRequestBody: true, ValidateRequestParameters: name == "all"})
	}
	ttl := g.IntN(3600)
	a.Authorizers = []model.Authorizer{
		{ID: "tok", Name: "tok", Type: "TOKEN", AuthType: "custom", AuthorizerURI: "arn:aws:apigateway:r:lambda:path/f/invocations", IdentitySource: "method.request.header.X-T", IdentityValidationExpression: "^a$"},
		{ID: "req", Name: "req", Type: "REQUEST", AuthType: "custom", AuthorizerURI: "arn", AuthorizerCredentials: "arn:aws:iam::1:role/r", IdentitySource: g.pick("method.request.header.A, context.stage", "method.request.querystring.q", ""), AuthorizerResultTTLInSeconds: &ttl},
		{ID: "cog", Name: "cog", Type: "COGNITO_USER_POOLS", AuthType: "cognito_user_pools", IdentitySource: "method.request.header.Authorization", ProviderARNs: []string{"arn:aws:cognito-idp:r:1:userpool/p"}},
	}
	if g.maybe() {
		a.GatewayResponses = []model.GatewayResponse{
			{ResponseType: "DEFAULT_4XX", ResponseParameters: map[string]string{"gatewayresponse.header.x": "'y'"}},
			{ResponseType: "THROTTLED", StatusCode: "429", ResponseTemplates: map[string]string{"application/json": "{\"a\":\"$context.requestId\"}\n"}},
		}
	}
	if g.maybe() {
		a.DocumentationVersion = "1"
		a.Documentation = []model.DocumentationPart{
			{Location: model.DocumentationLocation{Type: "METHOD", Path: "/pets", Method: "GET"}, Properties: `{"description":"list","x-a":[1,{"b":null}]}`},
			{Location: model.DocumentationLocation{Type: "RESPONSE", StatusCode: "200"}, Properties: `{"description":"ok"}`},
			{Location: model.DocumentationLocation{Type: "MODEL", Name: "Pet"}, Properties: `{"description":"a pet"}`},
		}
	}
	g.resources(a)
	return a
}

func (g generator) resources(a *API) {
	paths := []string{"/", "/pets", "/pets/{id}", "/pets/{id}/toys", "/any", "/any/{proxy+}"}
	ids := map[string]string{}
	for i, p := range paths {
		r := model.Resource{ID: fmt.Sprint("r", i), Path: p, PathPart: p[strings.LastIndexByte(p, '/')+1:]}
		if p != "/" {
			parent := p[:max(1, strings.LastIndexByte(p, '/'))]
			r.ParentID = ids[parent]
		}
		ids[p] = r.ID
		for _, verb := range []string{"GET", "POST", "ANY", "PATCH"} {
			if g.maybe() {
				if r.Methods == nil {
					r.Methods = map[string]*model.Method{}
				}
				r.Methods[verb] = g.method(verb, p)
			}
		}
		a.Resources = append(a.Resources, r)
	}
}

func (g generator) method(verb, path string) *model.Method {
	m := &model.Method{HTTPMethod: verb, AuthorizationType: "NONE", APIKeyRequired: g.maybe(), OperationName: g.pick("", "listPets", "1")}
	switch g.IntN(5) {
	case 0:
		m.AuthorizationType = "AWS_IAM"
	case 1:
		m.AuthorizationType, m.AuthorizerID = "CUSTOM", g.pick("tok", "req")
	case 2:
		m.AuthorizationType, m.AuthorizerID, m.AuthorizationScopes = "COGNITO_USER_POOLS", "cog", []string{"a/b", "c"}
	}
	m.RequestValidatorID = g.pick("", "all", "body only")
	m.RequestParameters = map[string]bool{"method.request.querystring.q": g.maybe(), "method.request.header.X-H": g.maybe()}
	for _, v := range pathVariable.FindAllStringSubmatch(path, -1) {
		m.RequestParameters["method.request.path."+v[1]] = true
	}
	if strings.Contains(path, "+}") {
		m.RequestParameters["method.request.path.proxy"] = true
	}
	if g.maybe() {
		m.RequestModels = map[string]string{"application/json": "Pet"}
		if g.v3 {
			m.RequestModels["application/xml"] = "Owner"
		}
	}
	m.MethodResponses = map[string]*model.MethodResponse{"200": {StatusCode: "200", ResponseParameters: map[string]bool{"method.response.header.X-A": false}}, "404": {StatusCode: "404"}}
	if g.maybe() {
		m.MethodResponses["200"].ResponseModels = map[string]string{"application/json": "Owner"}
		if g.v3 {
			m.MethodResponses["404"].ResponseModels = map[string]string{"text/x": "Pet"}
		}
	}
	if g.maybe() {
		m.Integration = g.integration()
	}
	return m
}

func (g generator) integration() *model.Integration {
	i := &model.Integration{Type: g.pick(integrationTypes...), PassthroughBehavior: g.pick("WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER"), TimeoutInMillis: DefaultTimeout, CacheKeyParameters: []string{}}
	if i.Type != "MOCK" {
		i.HTTPMethod, i.URI = "POST", g.pick("https://x.example.com/{id}", "arn:aws:apigateway:r:sqs:path/1/q")
		i.Credentials = g.pick("", "arn:aws:iam::1:role/r")
	}
	if g.maybe() {
		i.ConnectionType, i.ConnectionID = "VPC_LINK", "${stageVariables.link}"
		i.TimeoutInMillis = 50 + g.IntN(1000)
		i.CacheNamespace, i.CacheKeyParameters = "ns", []string{"method.request.querystring.q"}
		i.ContentHandling, i.ResponseTransferMode = "CONVERT_TO_TEXT", "STREAM"
		i.TLSConfig = &model.TLSConfig{InsecureSkipVerification: true}
		i.IntegrationTarget = "arn:aws:elasticloadbalancing:r:1:listener/x"
	}
	if g.maybe() {
		template, pattern := "#set($a = \"x\")\n{\"b\": $a, \"c\":\t'd' \\u0041  }\u2028é", `5\d{2}|.*"not found".*`
		i.RequestParameters = map[string]string{"integration.request.header.a": "'static: {}'", "integration.request.querystring.b": "method.request.querystring.q"}
		i.RequestTemplates = map[string]string{"application/json": template, "$default": ""}
		i.IntegrationResponses = map[string]*model.IntegrationResponse{
			"200": {StatusCode: "200", ResponseParameters: map[string]string{"method.response.header.X-A": "integration.response.body.a"}, ContentHandling: "CONVERT_TO_BINARY"},
			"404": {StatusCode: "404", SelectionPattern: &pattern, ResponseTemplates: map[string]*string{"application/json": &template, "text/plain": nil}},
		}
	}
	return i
}

// canonical is what is compared: ids are names, schemas are what they mean, lists that have no
// order are sorted, and resources on the way to others need not be told.
func canonical(t *testing.T, in API) API {
	in.Models = slices.Clone(in.Models)
	for i := range in.Models {
		var v any
		if err := json.Unmarshal([]byte(in.Models[i].Schema), &v); err != nil {
			t.Fatalf("model %s: %v: %s", in.Models[i].Name, err, in.Models[i].Schema)
		}
		text, _ := json.Marshal(v)
		in.Models[i].Schema = string(text)
	}
	in.Resources = slices.Clone(in.Resources)
	for i := range in.Resources {
		in.Resources[i].ID, in.Resources[i].ParentID = "", ""
	}
	slices.SortFunc(in.Resources, func(a, b model.Resource) int { return strings.Compare(a.Path, b.Path) })
	in.Snapshot.API.ID = ""
	return in
}

// What an export with all extensions shows, an import makes of it again, in every form.
func TestImportOfExport(t *testing.T) {
	for seed := range uint64(40) {
		g := generator{rand.New(rand.NewPCG(seed, 1)), seed%2 == 0}
		a := g.api()
		tree, err := Export(a, ExportOptions{OpenAPI3: g.v3, Gateway: true, Host: "h.example.com", Stage: "prod", Version: "v"})
		if err != nil {
			t.Fatal(err)
		}
		for form, body := range map[string][]byte{"json": tree.JSON(), "yaml": tree.YAML()} {
			got, err := Read(body, Options{API: apiID})
			if err != nil {
				t.Fatalf("seed %d, %s: %v\n%s", seed, form, err, body)
			}
			if len(got.Problems) > 0 || len(got.Warnings) > 0 {
				t.Fatalf("seed %d, %s: %q, %q\n%s", seed, form, got.Problems, got.Warnings, body)
			}
			if diff := cmp.Diff(canonical(t, *a), canonical(t, got.API), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("seed %d, %s (-exported +imported):\n%s\n%s", seed, form, diff, body)
			}
		}
	}
}

// The two forms of an export are the same document.
func TestFormsAreTheSame(t *testing.T) {
	for seed := range uint64(20) {
		g := generator{rand.New(rand.NewPCG(seed, 2)), seed%2 == 0}
		tree, err := Export(g.api(), ExportOptions{OpenAPI3: g.v3, Gateway: seed%3 == 0, Host: "h", Stage: "s"})
		if err != nil {
			t.Fatal(err)
		}
		j, err := parse(tree.JSON())
		if err != nil {
			t.Fatal(err)
		}
		y, err := parse(tree.YAML())
		if err != nil {
			t.Fatalf("%v\n%s", err, tree.YAML())
		}
		if j.JSON() != compact(t, tree.JSON()) || y.JSON() != j.JSON() {
			t.Fatalf("seed %d: JSON\n%s\nYAML\n%s", seed, j.JSON(), y.JSON())
		}
	}
}

func compact(t *testing.T, text []byte) string {
	v, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return v.JSON()
}

// Without extensions nothing of the service shows.
func TestPlainExport(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(7, 7)), true}
	for _, v3 := range []bool{true, false} {
		tree, err := Export(g.api(), ExportOptions{OpenAPI3: v3, Host: "h", Stage: "s"})
		if err != nil {
			t.Fatal(err)
		}
		if text := string(tree.JSON()); strings.Contains(text, "x-amazon") {
			t.Errorf("OpenAPI 3 %v: %s", v3, text)
		}
	}
}

func fixedRand() *rand.Rand { return rand.New(rand.NewPCG(3, 3)) }
