package server_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"gatehouse/internal/server"
	"gatehouse/internal/server/servertest"
)

// emptySHA256 is the hash of no body.
const emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// signed makes a request that is signed for execute-api.
func signed(t *testing.T, method, url, id, secret, region string, at time.Time) *http.Request {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}, req, emptySHA256, "execute-api", region, at); err != nil {
		t.Fatal(err)
	}
	return req
}

// setPolicy gives the API a resource policy and deploys it.
func (a *api) setPolicy(policy string) {
	a.t.Helper()
	if _, err := a.c.UpdateRestApi(a.t.Context(), &apigateway.UpdateRestApiInput{RestApiId: a.id,
		PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: aws.String("/policy"), Value: &policy}}}); err != nil {
		a.t.Fatal(err)
	}
	a.deploy("prod")
}

func TestIAMAuthorization(t *testing.T) {
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	hello := a.resource("/hello")
	a.mock(hello, "GET", `{"statusCode": 200}`, `$context.identity.userArn $context.identity.accountId`)
	if _, err := a.c.UpdateMethod(t.Context(), &apigateway.UpdateMethodInput{RestApiId: a.id, ResourceId: hello, HttpMethod: aws.String("GET"),
		PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: aws.String("/authorizationType"), Value: aws.String("AWS_IAM")}}}); err != nil {
		t.Fatal(err)
	}
	a.deploy("prod")
	users := iam.NewFromConfig(g.AWS(t))
	user := func(name, policy string) (id, secret string) {
		t.Helper()
		if _, err := users.CreateUser(t.Context(), &iam.CreateUserInput{UserName: &name}); err != nil {
			t.Fatal(err)
		}
		if policy != "" {
			if _, err := users.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: &name, PolicyName: aws.String("p"), PolicyDocument: &policy}); err != nil {
				t.Fatal(err)
			}
		}
		key, err := users.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: &name})
		if err != nil {
			t.Fatal(err)
		}
		return *key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey
	}
	allow := func(resource string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"` + resource + `"}]}`
	}
	annID, annSecret := user("ann", allow("arn:aws:execute-api:us-east-1:000000000000:"+*a.id+"/prod/GET/hello"))
	bobID, bobSecret := user("bob", allow("arn:aws:execute-api:us-east-1:000000000000:"+*a.id+"/other/*"))
	root, err := server.RootKey(g.Config)
	if err != nil {
		t.Fatal(err)
	}
	c := g.Client(t, nil)
	url := "https://" + a.host() + "/prod/hello"
	now := time.Now()
	masked := "arn:aws:execute-api:us-east-1:********0000:" + *a.id + "/prod/GET/hello"
	for _, tc := range []struct {
		name   string
		req    *http.Request
		status int
		body   string
		kind   string
	}{
		{"allowed user", signed(t, "GET", url, annID, annSecret, "us-east-1", now), 200, "arn:aws:iam::000000000000:user/ann 000000000000", ""},
		{"root", signed(t, "GET", url, root.AccessKeyID, root.SecretAccessKey, "us-east-1", now), 200, "arn:aws:iam::000000000000:root 000000000000", ""},
		{"another stage's permission", signed(t, "GET", url, bobID, bobSecret, "us-east-1", now), 403,
			`{"Message":"User: arn:aws:iam::000000000000:user/bob is not authorized to perform: execute-api:Invoke on resource: ` + masked + ` because no identity-based policy allows the execute-api:Invoke action"}`, "AccessDeniedException"},
		{"wrong secret", signed(t, "GET", url, annID, "not her secret", "us-east-1", now), 403, "The request signature we calculated does not match", "InvalidSignatureException"},
		{"old signature", signed(t, "GET", url, annID, annSecret, "us-east-1", now.Add(-10*time.Minute)), 403, "Signature expired", "InvalidSignatureException"},
		{"unknown key", signed(t, "GET", url, "AKIANOBODY", annSecret, "us-east-1", now), 403, `{"message":"The security token included in the request is invalid."}`, "UnrecognizedClientException"},
		{"another region", signed(t, "GET", url, annID, annSecret, "eu-west-1", now), 403, "Credential should be scoped to a valid region", "InvalidSignatureException"},
	} {
		status, body, header := do(t, c, tc.req)
		if status != tc.status || !strings.Contains(body, tc.body) || header.Get("x-amzn-ErrorType") != tc.kind {
			t.Errorf("%s: %d %s %s", tc.name, status, body, header.Get("x-amzn-ErrorType"))
		}
	}
	if status, body, _ := get(t, c, url); status != 403 || body != `{"message":"Missing Authentication Token"}` {
		t.Errorf("unsigned: %d %s", status, body)
	}
	// An explicit deny of the API's own policy wins over what the user may.
	a.setPolicy(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::000000000000:user/ann"},"Action":"execute-api:Invoke","Resource":"execute-api:/*"}]}`)
	if status, body, _ := do(t, c, signed(t, "GET", url, annID, annSecret, "us-east-1", now)); status != 403 || !strings.Contains(body, "with an explicit deny in a resource-based policy") {
		t.Errorf("denied by the API: %d %s", status, body)
	}
}

// Who signs a request for a path or method that is not there is judged as on an AWS_IAM method, and
// told 404 only when he may call it (request-lifecycle, section 4.2); an unsigned one learns nothing.
func TestSignedRequestForNoMethod(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	a.mock(a.resource("/pets"), "GET", `{"statusCode": 200}`, `ok`)
	a.setPolicy(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*"},
		{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/prod/GET/secret"}]}`)
	root, err := server.RootKey(g.Config)
	if err != nil {
		t.Fatal(err)
	}
	key, err := iam.NewFromConfig(g.AWS(t)).CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("ann")})
	if err != nil {
		t.Fatal(err)
	}
	ann, err := iam.NewFromConfig(g.AWS(t)).CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: key.User.UserName})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := iam.NewFromConfig(g.AWS(t)).PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: key.User.UserName, PolicyName: aws.String("p"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:*:*:*/prod/DELETE/pets"}]}`)}); err != nil {
		t.Fatal(err)
	}
	c, now, base := g.Client(t, nil), time.Now(), "https://"+a.host()+"/prod"
	by := func(method, path, secret string, at time.Time) *http.Request {
		return signed(t, method, base+path, *ann.AccessKey.AccessKeyId, secret, "us-east-1", at)
	}
	secret := *ann.AccessKey.SecretAccessKey
	arn := "arn:aws:execute-api:us-east-1:********0000:" + *a.id + "/prod/"
	for _, tc := range []struct {
		name       string
		req        *http.Request
		status     int
		body, kind string
	}{
		{"no such path", by("GET", "/none", secret, now), 404, `{"message":"Not Found"}`, "NotFoundException"},
		{"no such method", by("PUT", "/pets", secret, now), 404, `{"message":"Not Found"}`, "NotFoundException"},
		{"root", signed(t, "GET", base+"/none", root.AccessKeyID, root.SecretAccessKey, "us-east-1", now), 404, `{"message":"Not Found"}`, "NotFoundException"},
		{"denied by the caller's policy", by("DELETE", "/pets", secret, now), 403,
			`{"Message":"User: arn:aws:iam::000000000000:user/ann is not authorized to perform: execute-api:Invoke on resource: ` + arn + `DELETE/pets with an explicit deny in an identity-based policy"}`, "AccessDeniedException"},
		{"denied by the API's policy", by("GET", "/secret", secret, now), 403, `on resource: ` + arn + `GET/secret with an explicit deny in a resource-based policy"}`, "AccessDeniedException"},
		{"wrong secret", by("GET", "/none", "not hers", now), 403, "The request signature we calculated does not match", "InvalidSignatureException"},
		{"old signature", by("GET", "/none", secret, now.Add(-10*time.Minute)), 403, "Signature expired", "InvalidSignatureException"},
		{"unknown key", signed(t, "GET", base+"/none", "AKIANOBODY", secret, "us-east-1", now), 403, `{"message":"The security token included in the request is invalid."}`, "UnrecognizedClientException"},
		{"a method without authorization does not look at signatures", by("GET", "/pets", "not hers", now), 200, "ok", ""},
	} {
		status, body, header := do(t, c, tc.req)
		if status != tc.status || !strings.Contains(body, tc.body) || header.Get("x-amzn-ErrorType") != tc.kind {
			t.Errorf("%s: %d %s %s", tc.name, status, body, header.Get("x-amzn-ErrorType"))
		}
	}
	if status, body, _ := get(t, c, base+"/none"); status != 403 || body != `{"message":"Missing Authentication Token"}` {
		t.Errorf("unsigned: %d %s", status, body)
	}
	// A signature in the query counts as one in the header does.
	presigned, _, err := v4.NewSigner().PresignHTTP(t.Context(), aws.Credentials{AccessKeyID: root.AccessKeyID, SecretAccessKey: root.SecretAccessKey},
		unsigned(t, base+"/none"), emptySHA256, "execute-api", "us-east-1", now)
	if err != nil {
		t.Fatal(err)
	}
	if status, body, _ := get(t, c, presigned); status != 404 || body != `{"message":"Not Found"}` {
		t.Errorf("presigned: %d %s", status, body)
	}
}

func unsigned(t *testing.T, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// A resource policy's conditions see who signed: tags of users, the type of principal, and
// that a long-term key says nothing of a second factor.
func TestResourcePolicySeesTheCaller(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	for _, path := range []string{"/tagged", "/session", "/factor"} {
		r := a.resource(path)
		a.mock(r, "GET", `{"statusCode": 200}`, `ok`)
		if _, err := a.c.UpdateMethod(t.Context(), &apigateway.UpdateMethodInput{RestApiId: a.id, ResourceId: r, HttpMethod: aws.String("GET"),
			PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: aws.String("/authorizationType"), Value: aws.String("AWS_IAM")}}}); err != nil {
			t.Fatal(err)
		}
	}
	users := iam.NewFromConfig(g.AWS(t))
	keys := map[string]*iamtypes.AccessKey{}
	for name, team := range map[string]string{"ann": "red", "bob": "blue"} {
		if _, err := users.CreateUser(t.Context(), &iam.CreateUserInput{UserName: &name, Tags: []iamtypes.Tag{{Key: aws.String("Team"), Value: &team}}}); err != nil {
			t.Fatal(err)
		}
		out, err := users.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: &name})
		if err != nil {
			t.Fatal(err)
		}
		keys[name] = out.AccessKey
	}
	a.setPolicy(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*"},
		{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*/GET/tagged","Condition":{"StringEquals":{"aws:PrincipalTag/team":"red"}}},
		{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*/GET/session","Condition":{"StringNotEquals":{"aws:PrincipalType":"AssumedRole"}}},
		{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/*/GET/factor","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"false"}}}]}`)
	c := g.Client(t, nil)
	for _, tc := range []struct {
		who, path string
		status    int
	}{{"ann", "/tagged", 403}, {"bob", "/tagged", 200}, {"ann", "/session", 403}, {"ann", "/factor", 200}} {
		k := keys[tc.who]
		req := signed(t, "GET", "https://"+a.host()+"/prod"+tc.path, *k.AccessKeyId, *k.SecretAccessKey, "us-east-1", time.Now())
		if status, body, _ := do(t, c, req); status != tc.status {
			t.Errorf("%s %s: %d %s", tc.who, tc.path, status, body)
		}
	}
}

func TestResourcePolicy(t *testing.T) {
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	for _, path := range []string{"/open", "/closed", "/browser"} {
		a.mock(a.resource(path), "GET", `{"statusCode": 200}`, `ok`)
	}
	a.setPolicy(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/prod/GET/open"},
		{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/prod/GET/browser","Condition":{"StringLike":{"aws:UserAgent":"Mozilla*"}}},
		{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":"execute-api:/prod/GET/open","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}`)
	c := g.Client(t, nil)
	arn := "arn:aws:execute-api:us-east-1:********0000:" + *a.id + "/prod/GET/"
	for _, tc := range []struct {
		url    string
		status int
		body   string
	}{
		{"https://" + a.host() + "/prod/open", 200, "ok"},
		{"http://" + a.host() + "/prod/open", 403, `{"Message":"User: anonymous is not authorized to perform: execute-api:Invoke on resource: ` + arn + `open with an explicit deny in a resource-based policy"}`},
		{"https://" + a.host() + "/prod/closed", 403, `{"Message":"User: anonymous is not authorized to perform: execute-api:Invoke on resource: ` + arn + `closed because no resource-based policy allows the execute-api:Invoke action"}`},
		{"https://" + a.host() + "/prod/browser", 403, "because no resource-based policy allows"},
		{"https://" + a.host() + "/prod/%6Fpen", 403, "because no resource-based policy allows"}, // the route is found, the policy speaks of another
		{"https://" + a.host() + "/prod//open", 200, "ok"},
	} {
		status, body, _ := get(t, c, tc.url)
		if status != tc.status || !strings.Contains(body, tc.body) {
			t.Errorf("%s: %d %s", tc.url, status, body)
		}
	}
	req, _ := http.NewRequest("GET", "https://"+a.host()+"/prod/browser", nil)
	req.Header.Set("User-Agent", "Mozilla/5.0")
	if status, body, _ := do(t, c, req); status != 200 {
		t.Errorf("browser: %s", fmt.Sprint(status, body))
	}
}

// A path that is denied is denied however it is spelt, and a path with a method of its own is not
// served by the greedy one beside it.
func TestSpellingsOfAPathLeadAroundNothing(t *testing.T) {
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	a.mock(a.resource("/{proxy+}"), "ANY", `{"statusCode": 200}`, `greedy`)
	a.mock(a.resource("/keyed"), "GET", `{"statusCode": 200}`, `keyed`)
	a.setPolicy(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","NotResource":["execute-api:/prod/*/hidden","execute-api:/prod/*/hidden/*"]},
		{"Effect":"Deny","Principal":"*","Action":"execute-api:Invoke","Resource":["execute-api:/prod/*/admin","execute-api:/prod/*/admin/*"]}]}`)
	c := g.Client(t, nil)
	for path, want := range map[string]string{
		"/open":                "greedy",
		"/open/a%2Fb":          "greedy",
		"/admin/x":             "explicit deny",
		"/%61dmin/x":           "explicit deny",
		"/admin":               "explicit deny",
		"/admin/":              "explicit deny",
		"//admin":              "explicit deny",
		"/admin%2Fx":           "explicit deny",
		"/./admin/x":           "explicit deny",
		"/open/../admin/x":     "explicit deny",
		"/open/%2e%2e/admin/x": "explicit deny",
		"/open/..;/admin/x":    "explicit deny",
		"/admin;x=1/x":         "explicit deny",
		"/hidden/x":            "because no resource-based policy allows",
		"/%68idden/x":          "because no resource-based policy allows",
		"/hidden/":             "because no resource-based policy allows",
		"/keyed":               "keyed",
		"/k%65yed":             "keyed",
		"/k%65yed/":            "keyed",
	} {
		req, err := http.NewRequest("GET", "https://"+a.host()+"/prod", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.URL.Opaque = "//" + a.host() + "/prod" + path
		if status, body, _ := do(t, c, req); !strings.Contains(body, want) {
			t.Errorf("%s: %d %s, want %s", path, status, body, want)
		}
	}
}

// A large body is not taken into memory for a signature that will be refused whatever it is.
func TestLargeBodiesOfUnknownKeysAreNotRead(t *testing.T) {
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	upload := a.resource("/upload")
	a.mock(upload, "POST", `{"statusCode": 200}`, "")
	if _, err := a.c.UpdateMethod(t.Context(), &apigateway.UpdateMethodInput{RestApiId: a.id, ResourceId: upload, HttpMethod: aws.String("POST"),
		PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: aws.String("/authorizationType"), Value: aws.String("AWS_IAM")}}}); err != nil {
		t.Fatal(err)
	}
	a.deploy("prod")
	req := signed(t, "POST", "https://"+a.host()+"/prod/upload", "AKIANOBODYNOBODYNOBO", "x", "us-east-1", time.Now())
	body, sent := io.Pipe() // nothing comes of it: the answer must not wait
	defer sent.Close()
	req.Body, req.ContentLength = body, 1<<20
	if status, text, _ := do(t, g.Client(t, nil), req); status != 403 || !strings.Contains(text, "security token") {
		t.Errorf("got %d %s, want 403", status, text)
	}
}
