package server_test

import (
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/server/servertest"
)

// A function sees the client certificate that mutual TLS verified, in the members and the
// spelling of the service, and none that the client only claims to have.
func TestLambdaSeesClientCertificate(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	authority := newCA(t, "partners")
	d := guard(t, g, "lambda.example.com", authority.pem())
	c := newFunction(t, g, "fn", `
import json
def handler(e, c):
    context = e["requestContext"]
    return {"body": json.dumps({"cert": context["identity"].get("clientCert"), "path": e["path"], "resource": e["resource"], "contextPath": context["path"], "domain": context["domainName"],
        "headers": {k: v for k, v in e["headers"].items() if "cert" in k.lower()}})}
`)
	d.proxyFunction(d.resource("/f"), "GET", "fn")
	d.deploy("prod")
	permit(t, c, "fn", "api", d.source("prod/GET/f"))
	cert := authority.client(t, "partner 7")
	req, err := http.NewRequest("GET", "https://lambda.example.com/f", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Client-Cert", "mine")
	req.Header.Set("Client-Cert", ":bWluZQ==:")
	status, body, _ := do(t, g.Client(t, &tls.Config{Certificates: []tls.Certificate{cert}}), req)
	var got struct {
		Cert struct {
			ClientCertPem, SubjectDN, IssuerDN, SerialNumber string
			Validity                                         struct{ NotBefore, NotAfter string }
		}
		Path, Resource, ContextPath, Domain string
		Headers                             map[string]string
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	if got.Cert.SubjectDN != "CN=partner 7" || got.Cert.IssuerDN != "O=Test,CN=partners" && got.Cert.IssuerDN != "CN=partners,O=Test" || got.Cert.SerialNumber != strings.TrimSuffix(strings.Repeat("a1:", 16), ":") {
		t.Errorf("certificate %+v", got.Cert)
	}
	if want := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})); got.Cert.ClientCertPem != want {
		t.Errorf("PEM (-want +got):\n%s", cmp.Diff(want, got.Cert.ClientCertPem))
	}
	if _, err := time.Parse("Jan _2 15:04:05 2006 GMT", got.Cert.Validity.NotAfter); err != nil {
		t.Errorf("validity %+v: %v", got.Cert.Validity, err)
	}
	for name := range got.Headers {
		if !strings.EqualFold(name, "X-Client-Cert") { // no header of a gateway: anybody's
			t.Errorf("the event has %q", name)
		}
	}
	if got.Path != "/f" || got.Resource != "/f" || got.ContextPath != "/f" || !strings.HasPrefix(got.Domain, "lambda.example.com") {
		t.Errorf("path %s, resource %s, context path %s, domain %s", got.Path, got.Resource, got.ContextPath, got.Domain)
	}
}

// With arn:aws:iam::*:user/* the function is called as whoever signed the request: their
// policies decide, and an unsigned request calls nothing. The signature itself is not told.
func TestLambdaAsCaller(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	newFunction(t, g, "fn", `
import json
def handler(e, c):
    i = e["requestContext"]["identity"]
    return {"body": json.dumps([i["userArn"], i["accountId"], i["accessKey"][:4], i["user"] == i["caller"], "Authorization" in e["headers"], "X-Amz-Security-Token" in e["headers"]])}
`)
	a := newAPI(t, g)
	for path, auth := range map[string]string{"/iam": "AWS_IAM", "/open": "NONE"} {
		r := a.resource(path)
		a.method(r, "GET", apigateway.PutIntegrationInput{Type: types.IntegrationTypeAwsProxy, IntegrationHttpMethod: aws.String("POST"), Uri: lambdaURI("fn"), Credentials: aws.String("arn:aws:iam::*:user/*")})
		if _, err := a.c.UpdateMethod(t.Context(), &apigateway.UpdateMethodInput{RestApiId: a.id, ResourceId: r, HttpMethod: aws.String("GET"),
			PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: aws.String("/authorizationType"), Value: aws.String(auth)}}}); err != nil {
			t.Fatal(err)
		}
	}
	a.deploy("prod")
	users := iam.NewFromConfig(g.AWS(t))
	user := func(name, actions string) (id, secret string) {
		t.Helper()
		if _, err := users.CreateUser(t.Context(), &iam.CreateUserInput{UserName: &name}); err != nil {
			t.Fatal(err)
		}
		if _, err := users.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: &name, PolicyName: aws.String("p"),
			PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":` + actions + `,"Resource":"*"}]}`)}); err != nil {
			t.Fatal(err)
		}
		key, err := users.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: &name})
		if err != nil {
			t.Fatal(err)
		}
		return *key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey
	}
	bothID, bothSecret := user("both", `["execute-api:Invoke","lambda:InvokeFunction"]`)
	oneID, oneSecret := user("one", `["execute-api:Invoke"]`)
	url := "https://" + a.host() + "/prod"
	unsigned, err := http.NewRequest("GET", url+"/open", nil)
	if err != nil {
		t.Fatal(err)
	}
	const refused = `500 {"message": "Internal server error"}`
	for _, c := range []struct {
		name string
		req  *http.Request
		want string
	}{
		{"may both", signed(t, "GET", url+"/iam", bothID, bothSecret, "us-east-1", time.Now()), `200 ["arn:aws:iam::000000000000:user/both", "000000000000", "AKIA", true, false, false]`},
		{"may not call the function", signed(t, "GET", url+"/iam", oneID, oneSecret, "us-east-1", time.Now()), refused},
		{"unsigned", unsigned, refused},
		{"signed where nobody verifies it", signed(t, "GET", url+"/open", bothID, bothSecret, "us-east-1", time.Now()), refused},
	} {
		status, body, _ := do(t, g.Client(t, nil), c.req)
		if got := fmt.Sprint(status, " ", body); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

// A function sees what the authorizer said: every value as text, and how long it took, 0 when
// the answer was remembered.
func TestLambdaSeesAuthorizer(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	arn := pythonFunction(t, g, "auth", authorizerSource)
	c := newFunction(t, g, "fn", "import json\ndef handler(e, c): return {'body': json.dumps(e['requestContext'].get('authorizer'))}\n")
	a := newAPI(t, g)
	r, open := a.resource("/f"), a.resource("/open")
	a.proxyFunction(r, "GET", "fn")
	a.proxyFunction(open, "GET", "fn")
	id := a.authorizer(apigateway.CreateAuthorizerInput{
		Type: types.AuthorizerTypeToken, IdentitySource: aws.String("method.request.header.Authorization"),
		AuthorizerUri: aws.String("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/" + arn + "/invocations"),
	})
	a.authorize(r, "GET", "CUSTOM", id)
	a.deploy("prod")
	permit(t, c, "auth", "api", a.source("authorizers/"+id))
	permit(t, c, "fn", "api", a.source("*"))
	for i := range 2 {
		req, err := http.NewRequest("GET", "http://"+a.host()+"/prod/f", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "t")
		status, body, _ := do(t, g.Client(t, nil), req)
		var got map[string]any
		if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		took, isNumber := got["integrationLatency"].(float64)
		delete(got, "integrationLatency")
		if diff := cmp.Diff(map[string]any{"principalId": "user|t", "calls": "1", "admin": "false", "token": "t"}, got); diff != "" || !isNumber || i == 1 && took != 0 {
			t.Errorf("call %d: %s\n%s", i, body, diff)
		}
	}
	if status, body, _ := get(t, g.Client(t, nil), "http://"+a.host()+"/prod/open"); status != 200 || body != "null" {
		t.Errorf("without an authorizer: %d %s", status, body)
	}
}
