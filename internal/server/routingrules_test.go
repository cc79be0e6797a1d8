package server_test

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	v2types "github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"gatehouse/internal/server/servertest"
)

// A routed is a custom domain name whose mappings and rules a test sets.
type routed struct {
	t    *testing.T
	c    *apigateway.Client
	v2   *apigatewayv2.Client
	name string
}

func newDomain(t *testing.T, g *servertest.Gatehouse, name string) *routed {
	t.Helper()
	d := &routed{t, apigateway.NewFromConfig(g.AWS(t)), apigatewayv2.NewFromConfig(g.AWS(t)), name}
	cert, err := acm.NewFromConfig(g.AWS(t)).RequestCertificate(t.Context(), &acm.RequestCertificateInput{DomainName: &name})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.c.CreateDomainName(t.Context(), &apigateway.CreateDomainNameInput{
		DomainName: &name, RegionalCertificateArn: cert.CertificateArn, SecurityPolicy: types.SecurityPolicyTls12,
		EndpointConfiguration: &types.EndpointConfiguration{Types: []types.EndpointType{types.EndpointTypeRegional}},
	}); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *routed) mode(mode string) {
	d.t.Helper()
	if _, err := d.c.UpdateDomainName(d.t.Context(), &apigateway.UpdateDomainNameInput{DomainName: &d.name, PatchOperations: []types.PatchOperation{
		{Op: types.OpReplace, Path: aws.String("/routingMode"), Value: &mode}}}); err != nil {
		d.t.Fatal(err)
	}
}

func (d *routed) mapTo(a *api, key string) string {
	d.t.Helper()
	out, err := d.v2.CreateApiMapping(d.t.Context(), &apigatewayv2.CreateApiMappingInput{DomainName: &d.name, ApiId: a.id, Stage: aws.String("prod"), ApiMappingKey: &key})
	if err != nil {
		d.t.Fatal(err)
	}
	return *out.ApiMappingId
}

func onHeader(name, glob string) v2types.RoutingRuleCondition {
	return v2types.RoutingRuleCondition{MatchHeaders: &v2types.RoutingRuleMatchHeaders{AnyOf: []v2types.RoutingRuleMatchHeaderValue{{Header: &name, ValueGlob: &glob}}}}
}

func onPath(path string) v2types.RoutingRuleCondition {
	return v2types.RoutingRuleCondition{MatchBasePaths: &v2types.RoutingRuleMatchBasePaths{AnyOf: []string{path}}}
}

func invokeAPI(a *api, strip bool) []v2types.RoutingRuleAction {
	return []v2types.RoutingRuleAction{{InvokeApi: &v2types.RoutingRuleActionInvokeApi{ApiId: a.id, Stage: aws.String("prod"), StripBasePath: &strip}}}
}

func (d *routed) create(priority int32, actions []v2types.RoutingRuleAction, conditions ...v2types.RoutingRuleCondition) (string, error) {
	if conditions == nil {
		conditions = []v2types.RoutingRuleCondition{}
	}
	out, err := d.v2.CreateRoutingRule(d.t.Context(), &apigatewayv2.CreateRoutingRuleInput{DomainName: &d.name, Priority: &priority, Actions: actions, Conditions: conditions})
	if err != nil {
		return "", err
	}
	return *out.RoutingRuleId, nil
}

func (d *routed) rule(priority int32, a *api, strip bool, conditions ...v2types.RoutingRuleCondition) string {
	d.t.Helper()
	id, err := d.create(priority, invokeAPI(a, strip), conditions...)
	if err != nil {
		d.t.Fatal(err)
	}
	return id
}

// named is an API that answers with its name and the path that came to it.
func named(t *testing.T, g *servertest.Gatehouse, name string) *api {
	t.Helper()
	a := newAPI(t, g)
	a.mock(a.root, "GET", `{"statusCode": 200}`, name)
	a.mock(a.resource("/{proxy+}"), "GET", `{"statusCode": 200}`, name+` $input.params('proxy')`)
	a.deploy("prod")
	return a
}

const forbidden = `{"message":"Forbidden"}`

// TestMappingsOfSeveralLevels: the longest mapping at a segment's end leads (the table of
// routing-and-integrations, section 3.1), and both versions of the API show the same mappings.
func TestMappingsOfSeveralLevels(t *testing.T) {
	g := servertest.Start(t, nil)
	d := newDomain(t, g, "api.example.test")
	one, two, three, four := named(t, g, "1"), named(t, g, "2"), named(t, g, "3"), named(t, g, "4")
	d.mapTo(one, "")
	id := d.mapTo(two, "orders/v1/items")
	d.mapTo(three, "orders/v2/items")
	d.mapTo(four, "orders/v2/items/categories")
	client := g.Client(t, nil)
	check := func(path, want string) {
		t.Helper()
		if status, body, _ := get(t, client, "https://"+d.name+path); status != 200 || body != want {
			t.Errorf("%s: got %d %q, want %q", path, status, body, want)
		}
	}
	check("/orders/v1/items", "2")
	check("/orders/v2/items", "3")
	check("/orders/v1/items/123", "2 123")
	check("/orders/v2/items/categories/5", "4 5")
	check("/customers", "1 customers")
	check("/orders/v2/itemsx", "1 orders/v2/itemsx")
	check("/orders/v2/items/categoriesx", "3 categoriesx")
	check("/orders%2Fv1/items", "1 orders/v1/items") // an escaped slash parts no levels

	list, err := d.c.GetBasePathMappings(t.Context(), &apigateway.GetBasePathMappingsInput{DomainName: &d.name})
	if err != nil || len(list.Items) != 4 || *list.Items[1].BasePath != "orders/v1/items" || *list.Items[0].BasePath != "(none)" {
		t.Errorf("version 1 shows %+v, %v", list, err)
	}
	if _, err := d.c.CreateBasePathMapping(t.Context(), &apigateway.CreateBasePathMappingInput{DomainName: &d.name, RestApiId: one.id, Stage: aws.String("prod"), BasePath: aws.String("single")}); err != nil {
		t.Fatal(err)
	}
	var keys []string
	in := &apigatewayv2.GetApiMappingsInput{DomainName: &d.name, MaxResults: aws.String("2")}
	for {
		out, err := d.v2.GetApiMappings(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range out.Items {
			keys = append(keys, *m.ApiMappingKey)
			if got, err := d.v2.GetApiMapping(t.Context(), &apigatewayv2.GetApiMappingInput{DomainName: &d.name, ApiMappingId: m.ApiMappingId}); err != nil || *got.ApiMappingKey != *m.ApiMappingKey || *got.Stage != "prod" {
				t.Errorf("mapping %s: %+v, %v", *m.ApiMappingKey, got, err)
			}
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if got := strings.Join(keys, "|"); got != "|orders/v1/items|orders/v2/items|orders/v2/items/categories|single" {
		t.Errorf("mappings: %q", got)
	}

	moved, err := d.v2.UpdateApiMapping(t.Context(), &apigatewayv2.UpdateApiMappingInput{DomainName: &d.name, ApiMappingId: &id, ApiId: four.id, ApiMappingKey: aws.String("orders/v3")})
	if err != nil || *moved.ApiMappingId != id || *moved.Stage != "prod" {
		t.Errorf("moving a mapping: %+v, %v", moved, err)
	}
	check("/orders/v3/x", "4 x")
	check("/orders/v1/items", "1 orders/v1/items")
	if _, err := d.v2.UpdateApiMapping(t.Context(), &apigatewayv2.UpdateApiMappingInput{DomainName: &d.name, ApiMappingId: &id, ApiId: four.id, ApiMappingKey: aws.String("single")}); err == nil || !strings.Contains(err.Error(), "ConflictException") {
		t.Errorf("moving a mapping onto another: %v", err)
	}
	if _, err := d.v2.DeleteApiMapping(t.Context(), &apigatewayv2.DeleteApiMappingInput{DomainName: &d.name, ApiMappingId: &id}); err != nil {
		t.Fatal(err)
	}
	check("/orders/v3/x", "1 orders/v3/x")
	if _, err := d.v2.GetApiMapping(t.Context(), &apigatewayv2.GetApiMappingInput{DomainName: &d.name, ApiMappingId: &id}); err == nil || !strings.Contains(err.Error(), "NotFoundException") {
		t.Errorf("a deleted mapping: %v", err)
	}
	for what, in := range map[string]*apigatewayv2.CreateApiMappingInput{
		"a path with a space": {ApiMappingKey: aws.String("a b"), ApiId: one.id, Stage: aws.String("prod")},
		"empty levels":        {ApiMappingKey: aws.String("a//b"), ApiId: one.id, Stage: aws.String("prod")},
		"no such API":         {ApiMappingKey: aws.String("x"), ApiId: aws.String("absent"), Stage: aws.String("prod")},
		"no such stage":       {ApiMappingKey: aws.String("x"), ApiId: one.id, Stage: aws.String("absent")},
	} {
		in.DomainName = &d.name
		if _, err := d.v2.CreateApiMapping(t.Context(), in); err == nil || !strings.Contains(err.Error(), "BadRequestException") {
			t.Errorf("%s: got %v, want BadRequestException", what, err)
		}
	}
}

// TestRoutingRules: conditions on headers and base path, in order of priority, in all three
// modes.
func TestRoutingRules(t *testing.T) {
	g := servertest.Start(t, nil)
	d := newDomain(t, g, "*.shops.test")
	mapped, beta, shop, shopKept, host, both, rest := named(t, g, "mapped"), named(t, g, "beta"), named(t, g, "shop"), named(t, g, "kept"), named(t, g, "host"), named(t, g, "both"), named(t, g, "rest")
	d.mapTo(mapped, "")
	// Created out of order: priority decides.
	last := d.rule(1000, rest, false, onHeader("X-Catch", "*"))
	d.rule(50, shopKept, false, onPath("KeptShop"))
	d.rule(40, shop, true, onPath("PetShop/v1"))
	d.rule(10, beta, false, onHeader("X-Version", "beta"))
	d.rule(15, beta, false, onHeader("X-Suffix", "*-eu"))
	d.rule(16, beta, false, onHeader("X-Prefix", "v2*"))
	d.rule(17, beta, false, onHeader("X-Infix", "*mid*"))
	d.rule(20, host, false, onHeader("Host", "Blue.*"))
	d.rule(5, both, true, onHeader("X-A", "1"), onHeader("X-B", "2"), onPath("PetShop"))
	client := g.Client(t, nil)
	ask := func(hostname, path string, header ...string) string {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+hostname+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Add(header[i], header[i+1])
		}
		status, body, _ := do(t, client, req)
		if status == 403 {
			return "403 " + body
		}
		return body
	}
	cases := []struct {
		host, path string
		header     []string
		want       string // "" where no rule matches
	}{
		{"red", "/x", nil, ""},
		{"red", "/x", []string{"X-Version", "beta"}, "beta x"},
		{"red", "/x", []string{"x-version", "beta"}, "beta x"},
		{"red", "/x", []string{"X-Version", "Beta"}, ""},
		{"red", "/x", []string{"X-Version", "beta2"}, ""},
		{"red", "/x", []string{"X-Version", "beta", "X-Version", "other"}, ""}, // as one value: "beta, other"
		{"red", "/x", []string{"X-Version", "other", "X-Version", "beta"}, ""},
		{"red", "/x", []string{"X-Suffix", "shop-eu"}, "beta x"},
		{"red", "/x", []string{"X-Suffix", "shop-eu2"}, ""},
		{"red", "/x", []string{"X-Prefix", "v2.1"}, "beta x"},
		{"red", "/x", []string{"X-Infix", "a mid b"}, "beta x"},
		{"red", "/x", []string{"X-Catch", ""}, "rest x"},
		{"red", "/PetShop/v1/dogs", nil, "shop dogs"},
		{"red", "/PetShop/v1", nil, "shop"},
		{"red", "//PetShop/v1/dogs", nil, "shop dogs"},
		{"red", "/PetShop/v1x/dogs", nil, ""},
		{"red", "/petshop/v1/dogs", nil, ""},
		{"red", "/PetShop%2Fv1/dogs", nil, ""},
		{"red", "/KeptShop/dogs", nil, "kept KeptShop/dogs"},
		{"red", "/PetShop/v1/dogs", []string{"X-A", "1"}, "shop dogs"},
		{"red", "/PetShop/v1/dogs", []string{"X-A", "1", "X-B", "2"}, "both v1/dogs"},
		{"red", "/PetShop/v1/dogs", []string{"X-Version", "beta"}, "beta PetShop/v1/dogs"}, // 10 before 40
		{"blue", "/x", nil, "host x"},
		{"BLUE", "/x", nil, "host x"},
	}
	run := func(mode string, unmatched func(path string) string, rules bool) {
		t.Helper()
		d.mode(mode)
		for _, c := range cases {
			want := c.want
			if want == "" || !rules {
				want = unmatched(c.path)
			}
			if got := ask(c.host+".shops.test", c.path, c.header...); got != want {
				t.Errorf("%s: %s%s %q: got %q, want %q", mode, c.host, c.path, c.header, got, want)
			}
		}
	}
	byMapping := func(path string) string {
		return "mapped " + strings.ReplaceAll(strings.TrimLeft(path, "/"), "%2F", "/")
	}
	run("BASE_PATH_MAPPING_ONLY", byMapping, false)
	run("ROUTING_RULE_THEN_BASE_PATH_MAPPING", byMapping, true)
	run("ROUTING_RULE_ONLY", func(string) string { return "403 " + forbidden }, true)
	if _, err := d.v2.CreateApiMapping(t.Context(), &apigatewayv2.CreateApiMappingInput{DomainName: &d.name, ApiId: mapped.id, Stage: aws.String("prod"), ApiMappingKey: aws.String("x")}); err == nil || !strings.Contains(err.Error(), "ROUTING_RULE_ONLY") {
		t.Errorf("a mapping in the mode ROUTING_RULE_ONLY: %v", err)
	}
	// A changed and a deleted rule act at once.
	if _, err := d.v2.PutRoutingRule(t.Context(), &apigatewayv2.PutRoutingRuleInput{DomainName: &d.name, RoutingRuleId: &last, Priority: aws.Int32(1), Actions: invokeAPI(rest, false), Conditions: []v2types.RoutingRuleCondition{}}); err != nil {
		t.Fatal(err)
	}
	if got := ask("blue.shops.test", "/x"); got != "rest x" {
		t.Errorf("with a catch-all in front: %q", got)
	}
	if _, err := d.v2.DeleteRoutingRule(t.Context(), &apigatewayv2.DeleteRoutingRuleInput{DomainName: &d.name, RoutingRuleId: &last}); err != nil {
		t.Fatal(err)
	}
	if got := ask("blue.shops.test", "/x"); got != "host x" {
		t.Errorf("without it: %q", got)
	}
	// What a rule leads to stays.
	if _, err := d.c.DeleteStage(t.Context(), &apigateway.DeleteStageInput{RestApiId: beta.id, StageName: aws.String("prod")}); err == nil || !strings.Contains(err.Error(), "routing rule") {
		t.Errorf("deleting a stage that a rule leads to: %v", err)
	}
	if _, err := d.c.DeleteRestApi(t.Context(), &apigateway.DeleteRestApiInput{RestApiId: beta.id}); err == nil || !strings.Contains(err.Error(), "routing rule") {
		t.Errorf("deleting an API that a rule leads to: %v", err)
	}
	if _, err := d.c.DeleteDomainName(t.Context(), &apigateway.DeleteDomainNameInput{DomainName: &d.name}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.c.DeleteRestApi(t.Context(), &apigateway.DeleteRestApiInput{RestApiId: beta.id}); err != nil {
		t.Errorf("deleting the API when the domain name is gone: %v", err)
	}
}

// TestRoutingRulesAreJudged: what CreateRoutingRule refuses, and what reading gives back.
func TestRoutingRulesAreJudged(t *testing.T) {
	g := servertest.Start(t, nil)
	d := newDomain(t, g, "rules.example.test")
	a := named(t, g, "a")
	id := d.rule(7, a, true, onHeader("Accept", "*json*"), onPath("/x/y/"))
	got, err := d.v2.GetRoutingRule(t.Context(), &apigatewayv2.GetRoutingRuleInput{DomainName: &d.name, RoutingRuleId: &id})
	if err != nil || *got.Priority != 7 || len(got.Conditions) != 2 || got.Conditions[1].MatchBasePaths.AnyOf[0] != "x/y" || !*got.Actions[0].InvokeApi.StripBasePath ||
		*got.RoutingRuleArn != "arn:aws:apigateway:us-east-1:000000000000:/domainnames/rules.example.test/routingrules/"+id {
		t.Errorf("rule: %+v, %v", got, err)
	}
	long := strings.Repeat("x", 200)
	for _, c := range []struct {
		name       string
		priority   int32
		actions    []v2types.RoutingRuleAction
		conditions []v2types.RoutingRuleCondition
		want       string
	}{
		{"a priority twice", 7, invokeAPI(a, false), nil, "ConflictException"},
		{"priority 0", 0, invokeAPI(a, false), nil, "BadRequestException"},
		{"priority above a million", 1_000_001, invokeAPI(a, false), nil, "BadRequestException"},
		{"no action", 8, []v2types.RoutingRuleAction{}, nil, "exactly one action"},
		{"two actions", 8, append(invokeAPI(a, false), invokeAPI(a, false)...), nil, "exactly one action"},
		{"three headers", 8, invokeAPI(a, false), []v2types.RoutingRuleCondition{onHeader("A", "1"), onHeader("B", "1"), onHeader("C", "1")}, "at most two"},
		{"two paths", 8, invokeAPI(a, false), []v2types.RoutingRuleCondition{onPath("a"), onPath("b")}, "at most one"},
		{"an empty condition", 8, invokeAPI(a, false), []v2types.RoutingRuleCondition{{}}, "one of MatchHeaders and MatchBasePaths"},
		{"a long header", 8, invokeAPI(a, false), []v2types.RoutingRuleCondition{onHeader(long[:40], "1")}, "Invalid header"},
		{"a wildcard header", 8, invokeAPI(a, false), []v2types.RoutingRuleCondition{onHeader("X-*", "1")}, "Invalid header"},
		{"Authorization", 8, invokeAPI(a, false), []v2types.RoutingRuleCondition{onHeader("aUthorization", "1")}, "cannot be used"},
		{"x-amz-", 8, invokeAPI(a, false), []v2types.RoutingRuleCondition{onHeader("X-Amz-Date", "1")}, "cannot be used"},
		{"x-forwarded-for", 8, invokeAPI(a, false), []v2types.RoutingRuleCondition{onHeader("X-Forwarded-For", "1")}, "cannot be used"},
		{"an asterisk within", 8, invokeAPI(a, false), []v2types.RoutingRuleCondition{onHeader("A", "a*b")}, "Invalid header value"},
		{"a long value", 8, invokeAPI(a, false), []v2types.RoutingRuleCondition{onHeader("A", long)}, "Invalid header value"},
		{"a long infix", 8, invokeAPI(a, false), []v2types.RoutingRuleCondition{onHeader("A", "*"+long[:40]+"*")}, "Invalid header value"},
		{"a long path", 8, invokeAPI(a, false), []v2types.RoutingRuleCondition{onPath(long)}, "Invalid base path"},
		{"a path with a query", 8, invokeAPI(a, false), []v2types.RoutingRuleCondition{onPath("a?b")}, "Invalid base path"},
		{"no such API", 8, []v2types.RoutingRuleAction{{InvokeApi: &v2types.RoutingRuleActionInvokeApi{ApiId: aws.String("absent"), Stage: aws.String("prod")}}}, nil, "Invalid API identifier"},
		{"no such stage", 8, []v2types.RoutingRuleAction{{InvokeApi: &v2types.RoutingRuleActionInvokeApi{ApiId: a.id, Stage: aws.String("absent")}}}, nil, "Invalid stage identifier"},
	} {
		if _, err := d.create(c.priority, c.actions, c.conditions...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
		}
	}
	for n := range int32(3) {
		d.rule(100-n, a, false)
	}
	var order []int32
	in := &apigatewayv2.ListRoutingRulesInput{DomainName: &d.name, MaxResults: aws.Int32(3)}
	for {
		out, err := d.v2.ListRoutingRules(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range out.RoutingRules {
			order = append(order, *r.Priority)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if len(order) != 4 || order[0] != 7 || order[1] != 98 || order[3] != 100 {
		t.Errorf("listed in the order %v", order)
	}
	absent := "absent"
	if _, err := d.v2.PutRoutingRule(t.Context(), &apigatewayv2.PutRoutingRuleInput{DomainName: &d.name, RoutingRuleId: &absent, Priority: aws.Int32(9), Actions: invokeAPI(a, false), Conditions: []v2types.RoutingRuleCondition{}}); err == nil || !strings.Contains(err.Error(), "NotFoundException") {
		t.Errorf("replacing a rule that is not there: %v", err)
	}
}

// TestRulesOpenNothing: a rule is one more way to a stage, and every control on the old ways is
// on this one: the domain's mutual TLS, the closed default endpoint, the API's policy, and the
// log tells by which rule a request came.
func TestRulesOpenNothing(t *testing.T) {
	g := servertest.Start(t, nil)
	root := newCA(t, "root")
	d := guard(t, g, "mutual.example.test", root.pem())
	r := &routed{t, d.c, apigatewayv2.NewFromConfig(g.AWS(t)), d.name}
	open := newDomain(t, g, "open.example.test")
	secret := named(t, g, "secret")
	if _, err := d.c.UpdateRestApi(t.Context(), &apigateway.UpdateRestApiInput{RestApiId: secret.id, PatchOperations: []types.PatchOperation{
		{Op: types.OpReplace, Path: aws.String("/disableExecuteApiEndpoint"), Value: aws.String("true")}}}); err != nil {
		t.Fatal(err)
	}
	secret.deploy("prod")
	r.mode("ROUTING_RULE_ONLY")
	id := r.rule(1, secret, false, onHeader("X-Go", "secret"))
	open.mode("ROUTING_RULE_THEN_BASE_PATH_MAPPING")
	open.mapTo(d.api, "")

	group := "arn:aws:logs:us-east-1:000000000000:log-group:rules"
	logs := logClient(t, g)
	if _, err := logs.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("rules")}); err != nil {
		t.Fatal(err)
	}
	secret.stage("prod", map[string]string{"/accessLogSettings/destinationArn": group,
		"/accessLogSettings/format": `$context.requestId rule=$context.customDomain.routingRuleIdMatched base=$context.customDomain.basePathMatched`})

	ann := root.client(t, "ann")
	with, without := d.client(&ann, "http/1.1", tls.VersionTLS13), d.client(nil, "http/1.1", tls.VersionTLS13)
	request := func(host, path string) *http.Request {
		req, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+host+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Go", "secret")
		return req
	}
	if status, body, header := do(t, with, request(d.name, "/x")); status != 200 || body != "secret x" {
		t.Errorf("with a certificate: %d %q", status, body)
	} else if lines := eventually(t, logs, cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("rules"), FilterPattern: aws.String(`"` + header.Get("x-amzn-RequestId") + `"`)}, 1); !strings.HasSuffix(*lines[0].Message, "rule="+id+" base=-") {
		t.Errorf("logged %q, want the rule %s and no base path", *lines[0].Message, id)
	}
	if resp, err := without.Do(request(d.name, "/x")); err == nil {
		resp.Body.Close()
		if resp.StatusCode != 403 {
			t.Errorf("without a certificate: %d", resp.StatusCode)
		}
	}
	other := newCA(t, "other").client(t, "ann")
	if status, body, _ := do(t, d.client(&other, "http/1.1", tls.VersionTLS13), request(d.name, "/x")); status != 403 || body != forbidden {
		t.Errorf("with a certificate of another authority: %d %q", status, body)
	}
	// By the handshake of another domain name.
	front := request(open.name, "/x")
	front.Host = d.name
	if status, body, _ := do(t, g.Client(t, nil), front); status != 403 || body != forbidden {
		t.Errorf("by the handshake of another domain name: %d %q", status, body)
	}
	// The default endpoint in its forms stays closed.
	if status, _, _ := do(t, g.Client(t, nil), request(secret.host(), "/prod/x")); status != 403 {
		t.Errorf("by the default endpoint: %d", status)
	}
	if status, _, _ := get(t, http.DefaultClient, "http://"+g.Control+"/_aws/execute-api/"+*secret.id+"/prod/x"); status != 403 {
		t.Errorf("by the control port: %d", status)
	}
	// The mapping is not used beside rules, and the plain port serves neither.
	if status, body, _ := do(t, with, mustGet(t, "https://"+d.name+"/hello")); status != 403 || body != forbidden {
		t.Errorf("a mapped path in the mode ROUTING_RULE_ONLY: %d %q", status, body)
	}
	plain := request(d.name, "/x")
	plain.URL.Scheme = "http"
	if status, _, _ := do(t, g.Client(t, nil), plain); status != 403 {
		t.Errorf("over plain HTTP: %d", status)
	}
	// The API's own policy judges requests that a rule brought.
	secret.setPolicy(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/prod/GET/allowed"}]}`)
	secret.deploy("prod")
	if status, _, _ := do(t, with, request(d.name, "/allowed")); status != 200 {
		t.Errorf("what the policy allows: %d", status)
	}
	if status, _, _ := do(t, with, request(d.name, "/x")); status != 403 {
		t.Errorf("what the policy does not allow: %d", status)
	}
	// A rule on a domain name without mutual TLS is a way around it, and is told.
	open.rule(1, secret, false, onHeader("X-Go", "secret"))
	if status, body := operation(t, g, "/_gatehouse/ready"); !strings.Contains(body, "mutual TLS of "+d.name+" can be gone around") || !strings.Contains(body, open.name) {
		t.Errorf("ready: %d %s, want it to tell of the way around", status, body)
	}
}

func mustGet(t *testing.T, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}
