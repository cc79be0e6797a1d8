package server_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"gatehouse/internal/config"
	"gatehouse/internal/server/servertest"
)

const gatewayService = "apigateway.amazonaws.com"

// service puts a method with an AWS integration that answers whatever the service said.
func (a *api) service(path, verb, uri, role string, in apigateway.PutIntegrationInput) *string {
	a.t.Helper()
	in.Type, in.Uri, in.Credentials = types.IntegrationTypeAws, &uri, &role
	if in.IntegrationHttpMethod == nil {
		in.IntegrationHttpMethod = aws.String("POST")
	}
	r := a.resource(path)
	a.method(r, verb, in)
	a.respond(r, verb, "200", apigateway.PutIntegrationResponseInput{})
	a.respond(r, verb, "403", apigateway.PutIntegrationResponseInput{SelectionPattern: aws.String("403")})
	a.respond(r, verb, "404", apigateway.PutIntegrationResponseInput{SelectionPattern: aws.String("404")})
	return r
}

// TestOwnServices: S3 behind an API is Gatehouse's own, reached with the role's keys or the
// caller's and no others.
func TestOwnServices(t *testing.T) {
	g := servertest.Start(t, nil)
	bucket := "behind"
	store := s3.NewFromConfig(g.AWS(t), func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := store.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	reader := *newRole(t, g, "reader", gatewayService, "s3:GetObject", "s3:ListBucket")
	writer := *newRole(t, g, "writer", gatewayService, "s3:PutObject")
	stranger := *newRole(t, g, "stranger", "lambda.amazonaws.com", "s3:*")
	const uri = "arn:aws:apigateway:us-east-1:s3:path/behind/{key}"
	keyed := func(method string) apigateway.PutIntegrationInput {
		return apigateway.PutIntegrationInput{IntegrationHttpMethod: &method, RequestParameters: map[string]string{
			"integration.request.path.key": "method.request.path.key", "integration.request.header.Content-Type": "method.request.header.Content-Type"}}
	}
	a := newAPI(t, g)
	a.service("/put/{key}", "PUT", uri, writer, keyed("PUT"))
	a.service("/get/{key}", "GET", uri, reader, keyed("GET"))
	a.service("/virtual/{key}", "GET", "arn:aws:apigateway:us-east-1:behind.s3:path/{key}", reader, keyed("GET"))
	a.service("/wrong/{key}", "GET", uri, writer, keyed("GET"))
	a.service("/untrusted/{key}", "GET", uri, stranger, keyed("GET"))
	a.service("/absent/{key}", "GET", uri, "arn:aws:iam::000000000000:role/absent", keyed("GET"))
	a.service("/none/{key}", "GET", uri, "", keyed("GET"))
	a.service("/unsigned/{key}", "GET", uri, "arn:aws:iam::*:user/*", keyed("GET"))
	a.service("/variable/{key}", "GET", uri, "arn:aws:iam::000000000000:role/${stageVariables.role}", keyed("GET"))
	forged := keyed("GET")
	forged.RequestParameters["integration.request.header.Host"] = "method.request.header.X-Host"
	forged.RequestParameters["integration.request.header.X-Amz-Security-Token"] = "method.request.header.X-Token"
	a.service("/forged/{key}", "GET", uri, reader, forged)
	caller := a.service("/caller/{key}", "GET", uri, "arn:aws:iam::*:user/*", keyed("GET"))
	if _, err := a.c.UpdateMethod(t.Context(), &apigateway.UpdateMethodInput{RestApiId: a.id, ResourceId: caller, HttpMethod: aws.String("GET"), PatchOperations: []types.PatchOperation{
		{Op: types.OpReplace, Path: aws.String("/authorizationType"), Value: aws.String("AWS_IAM")}}}); err != nil {
		t.Fatal(err)
	}
	a.deploy("prod")
	a.stage("prod", map[string]string{"/*/*/logging/loglevel": "INFO", "/variables/role": "reader"})
	client := g.Client(t, nil)
	base := "https://" + a.host() + "/prod"
	ask := func(req *http.Request, status int, body, logged string) {
		t.Helper()
		got, text, header := do(t, client, req)
		if got != status || !strings.Contains(text, body) {
			t.Errorf("%s: got %d %q, want %d with %q; logged %q", req.URL.Path, got, text, status, body, executionLog(t, g, a, header))
		}
		if logged == "" {
			return
		}
		if lines := executionLog(t, g, a, header); !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, logged) }) {
			t.Errorf("%s: logged %q, want %q", req.URL.Path, lines, logged)
		}
	}
	request := func(method, path, body string) *http.Request {
		req, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "text/plain")
		return req
	}
	const failed = `{"message": "Internal server error"}`
	ask(request("PUT", "/put/a%2Fb%20c", "stored"), 200, "", "")
	ask(request("GET", "/get/a%2Fb%20c", ""), 200, "stored", "AWS Integration Endpoint RequestId : ")
	if out, err := store.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("a/b c")}); err != nil || aws.ToString(out.ContentType) != "text/plain" {
		t.Errorf("object: %v, %v", out, err)
	}
	ask(request("GET", "/virtual/a%2Fb%20c", ""), 200, "stored", "")
	ask(request("GET", "/get/nothing", ""), 404, "NoSuchKey", "Sending request to https://s3.us-east-1.amazonaws.com/behind/nothing")
	ask(request("GET", "/wrong/a%2Fb%20c", ""), 403, "AccessDenied", "")
	ask(request("GET", "/untrusted/k", ""), 500, failed, "Execution failed due to configuration error: API Gateway does not have permission to assume the provided role "+stranger)
	ask(request("GET", "/absent/k", ""), 500, failed, "API Gateway does not have permission to assume the provided role arn:aws:iam::000000000000:role/absent")
	ask(request("GET", "/none/k", ""), 500, failed, "need credentials")
	ask(request("GET", "/unsigned/k", ""), 500, failed, "not signed")
	ask(request("GET", "/variable/a%2Fb%20c", ""), 200, "stored", "")
	trick := request("GET", "/forged/a%2Fb%20c", "")
	trick.Header.Set("X-Host", "other.s3.localhost")
	trick.Header.Set("X-Token", "forged")
	ask(trick, 200, "stored", "")

	// What one caller may see is not kept for another.
	a.stage("prod", map[string]string{"/cacheClusterEnabled": "true", "/~1caller~1{key}/GET/caching/enabled": "true"})
	// The caller's keys: with and without the right.
	for _, c := range []struct {
		name, action string
		status       int
		body         string
	}{{"may", "s3:GetObject", 200, "stored"}, {"may-not", "s3:PutObject", 403, "AccessDenied"}} {
		id, secret := userWith(t, g, c.name, c.action, "execute-api:Invoke")
		ask(signed(t, "GET", base+"/caller/a%2Fb%20c", id, secret, "us-east-1", time.Now()), c.status, c.body, "")
	}
}

// TestNoLoopsAndNoClimbing: an integration cannot call itself through our own services, and a
// path parameter cannot leave the place that the integration gives it.
func TestNoLoopsAndNoClimbing(t *testing.T) {
	g := servertest.Start(t, nil)
	role := *newRole(t, g, "all", gatewayService, "*")
	store := s3.NewFromConfig(g.AWS(t), func(o *s3.Options) { o.UsePathStyle = true })
	for _, bucket := range []string{"inside", "outside"} {
		if _, err := store.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
			t.Fatal(err)
		}
		if _, err := store.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("k"), Body: strings.NewReader(bucket)}); err != nil {
			t.Fatal(err)
		}
	}
	a := newAPI(t, g)
	a.service("/in/{key}", "GET", "arn:aws:apigateway:us-east-1:s3:path/inside/{key}", role, apigateway.PutIntegrationInput{IntegrationHttpMethod: aws.String("GET"),
		RequestParameters: map[string]string{"integration.request.path.key": "method.request.path.key"}})
	loop := a.resource("/loop")
	uri := "arn:aws:apigateway:us-east-1:apigateway:path/restapis/" + *a.id + "/resources/" + *loop + "/methods/GET"
	a.method(loop, "GET", apigateway.PutIntegrationInput{Type: types.IntegrationTypeAws, IntegrationHttpMethod: aws.String("POST"), Uri: &uri, Credentials: &role,
		RequestTemplates: map[string]string{"application/json": "{}"}})
	a.respond(loop, "GET", "200", apigateway.PutIntegrationResponseInput{})
	a.deploy("prod")
	client := g.Client(t, nil)
	if status, body, _ := get(t, client, "https://"+a.host()+"/prod/in/k"); status != 200 || body != "inside" {
		t.Errorf("inside: %d %q", status, body)
	}
	for _, key := range []string{"..%2Foutside%2Fk", "%2e%2e%2Foutside%2Fk", "..%2foutside%2fk", "%2E%2E%2foutside%2Fk", "x%2F..%2F..%2Foutside%2Fk", "..", "%2e%2e"} {
		if status, body, _ := get(t, client, "https://"+a.host()+"/prod/in/"+key); status == 200 || strings.Contains(body, "outside") && !strings.Contains(body, "NoSuchKey") {
			t.Errorf("%s: got %d %q, want nothing from outside", key, status, body)
		}
	}
	// The test of the method calls the method's test: once, and no further.
	status, body, _ := get(t, client, "https://"+a.host()+"/prod/loop")
	if status != 200 || strings.Count(body, "The integration was called by a call of an integration") != 1 {
		t.Errorf("loop: %d %.600q, want the inner call refused", status, body)
	}
}

// userWith makes a user who may do actions, and a key.
func userWith(t *testing.T, g *servertest.Gatehouse, name string, actions ...string) (id, secret string) {
	t.Helper()
	return userWithStatements(t, g, name, `{"Effect":"Allow","Action":["`+strings.Join(actions, `","`)+`"],"Resource":"*"}`)
}

// userWithStatements makes an IAM user with a policy of statements, and a key of theirs.
func userWithStatements(t *testing.T, g *servertest.Gatehouse, name string, statements ...string) (id, secret string) {
	t.Helper()
	c := iam.NewFromConfig(g.AWS(t))
	if _, err := c.CreateUser(t.Context(), &iam.CreateUserInput{UserName: &name}); err != nil {
		t.Fatal(err)
	}
	doc := `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
	if _, err := c.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: &name, PolicyName: aws.String("p"), PolicyDocument: &doc}); err != nil {
		t.Fatal(err)
	}
	key, err := c.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return *key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey
}

// substitute is a stand-in for AWS services that answers with what it was asked.
func substitute(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("x-amzn-RequestId", "11111111-2222-3333-4444-555555555555")
		scope := strings.Split(r.Header.Get("Authorization"), "/")
		if len(scope) < 5 {
			http.Error(w, "not signed", http.StatusForbidden)
			return
		}
		if r.Header.Get("X-Fail") != "" {
			w.WriteHeader(http.StatusBadRequest)
		}
		fmt.Fprintf(w, `{"method":%q,"uri":%q,"target":%q,"type":%q,"scope":%q,"token":%t,"accept":%q,"referer":%q,"via":%q,"body":%q}`, r.Method, r.RequestURI,
			r.Header.Get("X-Amz-Target"), r.Header.Get("Content-Type"), scope[len(scope)-3]+"/"+scope[len(scope)-2], r.Header.Get("X-Amz-Security-Token") != "",
			r.Header.Get("Accept"), r.Header.Get("Referer"), r.Header.Get("Via"), body)
	}))
	t.Cleanup(s.Close)
	return s
}

// TestServicesElsewhere: what services at configured endpoints are asked, by protocol, and what
// becomes of their answers.
func TestServicesElsewhere(t *testing.T) {
	all, one := substitute(t), substitute(t)
	g := servertest.Start(t, func(c *config.Config) {
		c.AWS.Endpoints = map[string]string{"*": all.URL + "/{service}/{region}", "sqs": one.URL}
	})
	role := *newRole(t, g, "role", gatewayService)
	json := map[string]string{"application/json": `{"TableName":"t","Key":$input.json('$.k')}`}
	a := newAPI(t, g)
	none := apigateway.PutIntegrationInput{}
	a.service("/put-item", "POST", "arn:aws:apigateway:us-east-1:dynamodb:action/PutItem", role, apigateway.PutIntegrationInput{RequestTemplates: json})
	a.service("/list", "GET", "arn:aws:apigateway:eu-west-1:kinesis:action/ListStreams", role, none)
	a.service("/start", "POST", "arn:aws:apigateway:us-east-1:states:action/StartExecution", role, none)
	a.service("/events", "POST", "arn:aws:apigateway:us-east-1:events:action/PutEvents", role, apigateway.PutIntegrationInput{RequestParameters: map[string]string{
		"integration.request.header.X-Amz-Target": "'AWSEvents.PutEvents'", "integration.request.header.Content-Type": "'application/x-amz-json-1.1'"}})
	a.service("/queue", "POST", "arn:aws:apigateway:us-east-1:sqs:path/000000000000/orders", role, apigateway.PutIntegrationInput{
		RequestParameters: map[string]string{"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'",
			"integration.request.header.Referer": "'r'", "integration.request.header.Via": "'v'"},
		RequestTemplates: map[string]string{"application/json": "Action=SendMessage&MessageBody=$util.urlEncode($input.body)"}})
	a.service("/send", "GET", "arn:aws:apigateway:us-east-1:sqs:action/SendMessage", role, apigateway.PutIntegrationInput{IntegrationHttpMethod: aws.String("GET"),
		RequestParameters: map[string]string{"integration.request.querystring.MessageBody": "method.request.querystring.m"}})
	a.service("/ssm", "GET", "arn:aws:apigateway:us-east-1:ssm:action/GetParameter", role, apigateway.PutIntegrationInput{IntegrationHttpMethod: aws.String("GET"),
		RequestParameters: map[string]string{"integration.request.querystring.Name": "method.request.querystring.n", "integration.request.querystring.WithDecryption": "'true'"}})
	a.service("/endpoint", "POST", "arn:aws:apigateway:us-east-1:runtime.sagemaker:path/endpoints/e/invocations?x=1", role, none)
	r := a.service("/failing", "POST", "arn:aws:apigateway:us-east-1:dynamodb:action/Scan", role, apigateway.PutIntegrationInput{
		RequestParameters: map[string]string{"integration.request.header.X-Fail": "'yes'"}})
	a.respond(r, "POST", "400", apigateway.PutIntegrationResponseInput{SelectionPattern: aws.String("4\\d\\d"), ResponseTemplates: map[string]string{"application/json": "refused: $input.path('$.target')"}})
	a.deploy("prod")
	client := g.Client(t, nil)
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", "/put-item", `{"k":{"id":{"S":"1"}}}`, 200, `{"method":"POST","uri":"/dynamodb/us-east-1/","target":"DynamoDB_20120810.PutItem","type":"application/x-amz-json-1.0","scope":"us-east-1/dynamodb","token":true,"accept":"application/json","referer":"","via":"","body":"{\"TableName\":\"t\",\"Key\":{\"id\":{\"S\":\"1\"}}}"}`},
		{"GET", "/list", "", 200, `{"method":"POST","uri":"/kinesis/eu-west-1/","target":"Kinesis_20131202.ListStreams","type":"application/x-amz-json-1.1","scope":"eu-west-1/kinesis","token":true,"accept":"application/json","referer":"","via":"","body":"{}"}`},
		{"POST", "/start", `{"input":"{}"}`, 200, `{"method":"POST","uri":"/states/us-east-1/","target":"AWSStepFunctions.StartExecution","type":"application/x-amz-json-1.0","scope":"us-east-1/states","token":true,"accept":"application/json","referer":"","via":"","body":"{\"input\":\"{}\"}"}`},
		{"POST", "/events", `{"Entries":[]}`, 200, `{"method":"POST","uri":"/events/us-east-1/","target":"AWSEvents.PutEvents","type":"application/x-amz-json-1.1","scope":"us-east-1/events","token":true,"accept":"application/json","referer":"","via":"","body":"{\"Entries\":[]}"}`},
		{"POST", "/queue", `{"a":"b c"}`, 200, `{"method":"POST","uri":"/000000000000/orders","target":"","type":"application/x-www-form-urlencoded","scope":"us-east-1/sqs","token":true,"accept":"application/json","referer":"","via":"v","body":"Action=SendMessage&MessageBody=%7B%22a%22%3A%22b+c%22%7D"}`},
		{"GET", "/send?m=a%20b%26Action%3DDeleteQueue", "", 200, `{"method":"GET","uri":"/?Action=SendMessage&Version=2012-11-05&MessageBody=a%20b%26Action%3DDeleteQueue","target":"","type":"","scope":"us-east-1/sqs","token":true,"accept":"application/json","referer":"","via":"","body":""}`},
		{"GET", "/ssm?n=%2Fa%22b", "", 200, `{"GetParameterResponse":{"GetParameterResult":{"method":"POST","uri":"/ssm/us-east-1/","target":"AmazonSSM.GetParameter","type":"application/x-amz-json-1.1","scope":"us-east-1/ssm","token":true,"accept":"application/json","referer":"","via":"","body":"{\"Name\":\"/a\\\"b\",\"WithDecryption\":true}"},"ResponseMetadata":{"RequestId":"11111111-2222-3333-4444-555555555555"}}}`},
		{"POST", "/endpoint", `{}`, 200, `{"method":"POST","uri":"/sagemaker/us-east-1/endpoints/e/invocations?x=1","target":"","type":"application/json","scope":"us-east-1/sagemaker","token":true,"accept":"application/json","referer":"","via":"","body":"{}"}`},
		{"POST", "/failing", `{}`, 400, `refused: DynamoDB_20120810.Scan`},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, "https://"+a.host()+"/prod"+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		if c.body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		status, body, header := do(t, client, req)
		if status != c.status || body != c.want {
			t.Errorf("%s %s:\n got %d %s\nwant %d %s", c.method, c.path, status, body, c.status, c.want)
		}
		if header.Get("X-Amzn-Trace-Id") == "" {
			t.Errorf("%s %s: no X-Amzn-Trace-Id", c.method, c.path)
		}
	}
}

// TestPassRole: a role is put to use by those alone who may pass it, in whatever way they say so.
func TestPassRole(t *testing.T) {
	g := servertest.Start(t, nil)
	role := *newRole(t, g, "powerful", gatewayService, "s3:*")
	a := newAPI(t, g)
	const uri = "arn:aws:apigateway:us-east-1:s3:path/b/k"
	a.service("/role", "GET", uri, role, apigateway.PutIntegrationInput{IntegrationHttpMethod: aws.String("GET")})
	a.service("/variable", "GET", uri, "arn:aws:iam::000000000000:role/${stageVariables.role}", apigateway.PutIntegrationInput{IntegrationHttpMethod: aws.String("GET")})
	plain := a.service("/plain", "GET", uri, "", apigateway.PutIntegrationInput{IntegrationHttpMethod: aws.String("GET")})
	a.deploy("prod")
	role2 := a.resource("/put")
	a.mock(role2, "GET", `{"statusCode": 200}`, "")
	withRole := a.byPath("/role")
	id, secret := userWith(t, g, "developer", "apigateway:*")
	c := apigateway.NewFromConfig(g.AWSWith(id, secret))
	get := aws.String("GET")
	replace := func(path, value string) []types.PatchOperation {
		return []types.PatchOperation{{Op: types.OpReplace, Path: &path, Value: &value}}
	}
	for name, call := range map[string]func(role string) error{
		"PutIntegration": func(role string) error {
			_, err := c.PutIntegration(t.Context(), &apigateway.PutIntegrationInput{RestApiId: a.id, ResourceId: role2, HttpMethod: get, Type: types.IntegrationTypeAws,
				IntegrationHttpMethod: get, Uri: aws.String(uri), Credentials: &role})
			return err
		},
		"PutIntegration with a variable": func(string) error {
			_, err := c.PutIntegration(t.Context(), &apigateway.PutIntegrationInput{RestApiId: a.id, ResourceId: role2, HttpMethod: get, Type: types.IntegrationTypeAws,
				IntegrationHttpMethod: get, Uri: aws.String(uri), Credentials: aws.String("${stageVariables.role}")})
			return err
		},
		"UpdateIntegration": func(role string) error {
			_, err := c.UpdateIntegration(t.Context(), &apigateway.UpdateIntegrationInput{RestApiId: a.id, ResourceId: plain, HttpMethod: get, PatchOperations: replace("/credentials", role)})
			return err
		},
		"UpdateIntegration of the URI": func(string) error {
			_, err := c.UpdateIntegration(t.Context(), &apigateway.UpdateIntegrationInput{RestApiId: a.id, ResourceId: withRole, HttpMethod: get,
				PatchOperations: replace("/uri", "arn:aws:apigateway:us-east-1:s3:path/other/k")})
			return err
		},
		"UpdateStage": func(string) error {
			_, err := c.UpdateStage(t.Context(), &apigateway.UpdateStageInput{RestApiId: a.id, StageName: aws.String("prod"), PatchOperations: replace("/variables/role", "powerful")})
			return err
		},
		"CreateDeployment": func(string) error {
			_, err := c.CreateDeployment(t.Context(), &apigateway.CreateDeploymentInput{RestApiId: a.id, StageName: aws.String("new"), Variables: map[string]string{"role": "powerful"}})
			return err
		},
		"TestInvokeMethod": func(string) error {
			_, err := c.TestInvokeMethod(t.Context(), &apigateway.TestInvokeMethodInput{RestApiId: a.id, ResourceId: a.byPath("/variable"), HttpMethod: get, StageVariables: map[string]string{"role": "powerful"}})
			return err
		},
		"CreateAuthorizer": func(role string) error {
			_, err := c.CreateAuthorizer(t.Context(), &apigateway.CreateAuthorizerInput{RestApiId: a.id, Name: aws.String("a"), Type: types.AuthorizerTypeToken, IdentitySource: aws.String("method.request.header.A"),
				AuthorizerUri: aws.String("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:f/invocations"), AuthorizerCredentials: &role})
			return err
		},
		"PutRestApi": func(role string) error {
			body := `{"openapi":"3.0.1","info":{"title":"t","version":"1"},"paths":{"/x":{"get":{"responses":{},"x-amazon-apigateway-integration":{"type":"aws","httpMethod":"GET","uri":"` + uri + `","credentials":"` + role + `"}}}}}`
			_, err := c.PutRestApi(t.Context(), &apigateway.PutRestApiInput{RestApiId: a.id, Mode: types.PutModeMerge, Body: []byte(body)})
			return err
		},
	} {
		if err := call(role); err == nil || !strings.Contains(err.Error(), "iam:PassRole") {
			t.Errorf("%s without the right: got %v, want a denial of iam:PassRole", name, err)
		}
	}
	if _, err := c.UpdateStage(t.Context(), &apigateway.UpdateStageInput{RestApiId: a.id, StageName: aws.String("prod"), PatchOperations: replace("/description", "d")}); err != nil {
		t.Errorf("a change that passes nothing: %v", err)
	}
	user := "developer"
	if _, err := iam.NewFromConfig(g.AWS(t)).PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: &user, PolicyName: aws.String("pass"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:PassRole","Resource":"` + role + `","Condition":{"StringEquals":{"iam:PassedToService":"` + gatewayService + `"}}}]}`)}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UpdateIntegration(t.Context(), &apigateway.UpdateIntegrationInput{RestApiId: a.id, ResourceId: plain, HttpMethod: get, PatchOperations: replace("/credentials", role)}); err != nil {
		t.Errorf("with the right: %v", err)
	}
	if _, err := c.UpdateStage(t.Context(), &apigateway.UpdateStageInput{RestApiId: a.id, StageName: aws.String("prod"), PatchOperations: replace("/variables/role", "powerful")}); err != nil {
		t.Errorf("UpdateStage with the right: %v", err)
	}
}

// byPath finds a resource.
func (a *api) byPath(path string) *string {
	a.t.Helper()
	out, err := a.c.GetResources(a.t.Context(), &apigateway.GetResourcesInput{RestApiId: a.id, Limit: aws.Int32(500)})
	if err != nil {
		a.t.Fatal(err)
	}
	for _, r := range out.Items {
		if *r.Path == path {
			return r.Id
		}
	}
	a.t.Fatalf("no resource %s", path)
	return nil
}
