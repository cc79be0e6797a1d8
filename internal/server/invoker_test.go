package server_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"gatehouse/internal/awsapi/sigv4"
	"gatehouse/internal/config"
	"gatehouse/internal/invoke"
	"gatehouse/internal/server/servertest"
)

// trust is a policy that lets a service assume a role.
func trust(service string) *string {
	return aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole"}]}`)
}

// newRole makes a role that a service may assume, with a policy when allow names an
// action, and returns its ARN.
func newRole(t testing.TB, g *servertest.Gatehouse, name, service string, allow ...string) *string {
	t.Helper()
	c := iam.NewFromConfig(g.AWS(t))
	out, err := c.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: trust(service)})
	if err != nil {
		t.Fatal(err)
	}
	if len(allow) > 0 {
		doc := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["` + strings.Join(allow, `","`) + `"],"Resource":"*"}]}`
		if _, err := c.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: &name, PolicyName: aws.String("p"), PolicyDocument: &doc}); err != nil {
			t.Fatal(err)
		}
	}
	return out.Role.Arn
}

// pythonCode is a package with m.py.
func pythonCode(t testing.TB, source string) *types.FunctionCode { return code(t, "m.py", source) }

// code is a package with one file.
func code(t testing.TB, name, source string) *types.FunctionCode {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(w, source)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return &types.FunctionCode{ZipFile: b.Bytes()}
}

// Nothing reaches a function that neither its policy nor the credentials let.
func TestInvokerJudgesPermission(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	ctx := t.Context()
	c := lambda.NewFromConfig(g.AWS(t))
	fn, err := c.CreateFunction(ctx, &lambda.CreateFunctionInput{
		FunctionName: aws.String("fn"), Runtime: pythonRuntime(t), Role: newRole(t, g, "fn", "lambda.amazonaws.com"),
		Handler: aws.String("m.handler"), Timeout: aws.Int32(2), Publish: true,
		Code: pythonCode(t, "import time\ndef handler(e, c):\n    if e == 'fail': raise ValueError('no')\n    if e == 'sleep': time.sleep(9)\n    return c.invoked_function_arn\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	const source = "arn:aws:execute-api:us-east-1:000000000000:api/prod/GET/pets"
	if _, err := c.AddPermission(ctx, &lambda.AddPermissionInput{
		FunctionName: aws.String("fn"), StatementId: aws.String("api"), Action: aws.String("lambda:InvokeFunction"),
		Principal: aws.String("apigateway.amazonaws.com"), SourceArn: aws.String("arn:aws:execute-api:us-east-1:000000000000:api/*/GET/pets"),
	}); err != nil {
		t.Fatal(err)
	}
	plain := strings.TrimSuffix(*fn.FunctionArn, ":1")
	may := newRole(t, g, "may", "apigateway.amazonaws.com", "lambda:InvokeFunction")
	mayNot := newRole(t, g, "maynot", "apigateway.amazonaws.com")
	other := newRole(t, g, "other", "lambda.amazonaws.com", "lambda:InvokeFunction")
	root := &sigv4.Principal{Kind: sigv4.Root, Account: "000000000000", ARN: "arn:aws:iam::000000000000:root", ID: "000000000000"}
	nobody := &sigv4.Principal{Kind: sigv4.User, Account: "000000000000", ARN: "arn:aws:iam::000000000000:user/gone", ID: "AIDAGONE"}
	for name, tt := range map[string]struct {
		function string
		by       invoke.Authority
		want     invoke.Kind
		ok       bool
	}{
		"statement":                 {plain, invoke.Authority{Source: source}, 0, true},
		"statement, another method": {plain, invoke.Authority{Source: strings.Replace(source, "GET", "POST", 1)}, invoke.NotPermitted, false},
		"statement, another API":    {plain, invoke.Authority{Source: strings.Replace(source, ":api/", ":apix/", 1)}, invoke.NotPermitted, false},
		"statement of the function does not open a version": {plain + ":1", invoke.Authority{Source: source}, invoke.NotPermitted, false},
		"unknown function":             {plain + "x", invoke.Authority{Source: source}, invoke.NotPermitted, false},
		"role":                         {plain, invoke.Authority{Credentials: *may}, 0, true},
		"role opens a version":         {plain + ":1", invoke.Authority{Credentials: *may}, 0, true},
		"role, unknown function":       {plain + "x", invoke.Authority{Credentials: *may}, invoke.NotFound, false},
		"role without policy":          {plain, invoke.Authority{Source: source, Credentials: *mayNot}, invoke.NotPermitted, false},
		"role of another service":      {plain, invoke.Authority{Source: source, Credentials: *other}, invoke.NotPermitted, false},
		"role that is not there":       {plain, invoke.Authority{Source: source, Credentials: *may + "x"}, invoke.NotPermitted, false},
		"caller":                       {plain, invoke.Authority{Credentials: invoke.CallerCredentials, Caller: root}, 0, true},
		"caller who is gone":           {plain, invoke.Authority{Source: source, Credentials: invoke.CallerCredentials, Caller: nobody}, invoke.NotPermitted, false},
		"caller, request not signed":   {plain, invoke.Authority{Source: source, Credentials: invoke.CallerCredentials}, invoke.NotPermitted, false},
		"an ARN that is no function's": {"arn:aws:s3:::bucket", invoke.Authority{Source: source}, invoke.NotPermitted, false},
	} {
		tt.by.Account = "000000000000"
		res, err := g.Server.Invoker().Invoke(ctx, &invoke.Call{Function: tt.function, By: tt.by})
		e, _ := errors.AsType[*invoke.Error](err)
		switch {
		case tt.ok && (err != nil || string(res.Payload) != `"`+tt.function+`"` || res.FunctionError != "" || res.Status != 200 || res.RequestID == ""):
			t.Errorf("%s: %+v, %v", name, res, err)
		case !tt.ok && (e == nil || e.Kind != tt.want):
			t.Errorf("%s: %+v, %v", name, res, err)
		}
	}
	call := func(payload []byte, async bool) (*invoke.Result, error) {
		return g.Server.Invoker().Invoke(ctx, &invoke.Call{Function: plain, Payload: payload, Async: async, By: invoke.Authority{Source: source, Account: "000000000000"}})
	}
	if res, err := call([]byte(`"fail"`), false); err != nil || res.FunctionError != "Unhandled" {
		t.Errorf("a function that fails: %+v, %v", res, err)
	} else if kind, message := res.Failure(); kind != "ValueError" || message != "no" || !bytes.Contains(res.LogTail, []byte("REPORT RequestId: "+res.RequestID)) {
		t.Errorf("its failure: %s %s, log %s", kind, message, res.LogTail)
	}
	if res, err := call([]byte(`"sleep"`), false); err != nil || res.FunctionError != "Unhandled" {
		t.Errorf("a function that takes too long: %+v, %v", res, err)
	} else if kind, message := res.Failure(); kind != "Sandbox.Timedout" || !strings.Contains(message, "Task timed out after 2.00 seconds") {
		t.Errorf("its failure: %s %s", kind, message)
	}
	if res, err := call([]byte(`"x"`), true); err != nil || res.Status != 202 || res.RequestID == "" || res.Payload != nil {
		t.Errorf("asynchronous: %+v, %v", res, err)
	}
	big := bytes.Repeat([]byte("1"), invoke.MaxPayload+1)
	for name, tt := range map[string]struct {
		payload []byte
		async   bool
		want    invoke.Kind
	}{
		"too large": {big, false, invoke.TooLarge}, "too large for an event": {big[:invoke.MaxAsyncPayload+1], true, invoke.TooLarge},
		"not JSON": {[]byte("{"), false, invoke.BadRequest},
	} {
		res, err := call(tt.payload, tt.async)
		if e, _ := errors.AsType[*invoke.Error](err); e == nil || e.Kind != tt.want {
			t.Errorf("%s: %+v, %v", name, res, err)
		}
	}
	s, err := g.Server.Invoker().Stream(ctx, &invoke.Call{Function: plain, By: invoke.Authority{Source: source, Account: "000000000000"}})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(s.Body)
	if s.Body.Close(); err != nil || string(body) != `"`+plain+`"` || s.Version != "$LATEST" {
		t.Errorf("streamed: %s, %v, %+v", body, err, s)
	}
	if _, err := g.Server.Invoker().Stream(ctx, &invoke.Call{Function: plain + ":1", By: invoke.Authority{Source: source, Account: "000000000000"}}); err == nil {
		t.Error("a stream without permission")
	}
	if _, err := c.PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: aws.String("fn"), ReservedConcurrentExecutions: aws.Int32(0)}); err != nil {
		t.Fatal(err)
	}
	res, err := call([]byte(`1`), false)
	if e, _ := errors.AsType[*invoke.Error](err); e == nil || e.Kind != invoke.Throttled || e.Status != 429 {
		t.Errorf("throttled: %+v, %v", res, err)
	}
}

// nodeRuntime is the runtime that this machine's Node.js serves.
func nodeRuntime(t *testing.T) types.Runtime {
	t.Helper()
	out, err := exec.Command("node", "--version").Output()
	if err != nil {
		t.Fatal("no Node.js found: run `make test-deps`")
	}
	major, _, _ := strings.Cut(strings.TrimPrefix(string(out), "v"), ".")
	return types.Runtime("nodejs" + major + ".x")
}

// nodeCode is a package with m.js.
func nodeCode(t *testing.T, source string) *types.FunctionCode { return code(t, "m.js", source) }

// A function can run at another Lambda endpoint, here that of another Gatehouse. The
// route stands in for its policy, and not for those of credentials.
func TestFunctionsElsewhere(t *testing.T) {
	t.Parallel()
	other := servertest.Start(t, nil)
	if _, err := lambda.NewFromConfig(other.AWS(t)).CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: aws.String("far"), Runtime: pythonRuntime(t), Role: newRole(t, other, "far", "lambda.amazonaws.com"),
		Handler: aws.String("m.handler"), Code: pythonCode(t, "def handler(e, c): return [e, c.function_name]\n"),
	}); err != nil {
		t.Fatal(err)
	}
	keys, err := other.AWS(t).Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	g := servertest.Start(t, func(c *config.Config) {
		c.Functions.Routes = []config.FunctionRoute{{
			Function: "f*", Lambda: "http://" + other.Control, AccessKeyID: keys.AccessKeyID, SecretAccessKey: config.Secret(keys.SecretAccessKey),
		}}
	})
	const far = "arn:aws:lambda:us-east-1:000000000000:function:far"
	res, err := g.Server.Invoker().Invoke(t.Context(), &invoke.Call{Function: far, Payload: []byte("1")})
	if err != nil || string(res.Payload) != `[1, "far"]` || res.Version != "$LATEST" || len(res.LogTail) == 0 {
		t.Errorf("%+v, %v", res, err)
	}
	_, err = g.Server.Invoker().Invoke(t.Context(), &invoke.Call{Function: far, By: invoke.Authority{Credentials: *newRole(t, g, "no", "apigateway.amazonaws.com")}})
	if e, _ := errors.AsType[*invoke.Error](err); e == nil || e.Kind != invoke.NotPermitted {
		t.Errorf("by a role that may not: %v", err)
	}
	_, err = g.Server.Invoker().Invoke(t.Context(), &invoke.Call{Function: far + "x"})
	if e, _ := errors.AsType[*invoke.Error](err); e == nil || e.Kind != invoke.NotFound {
		t.Errorf("a function that is not there either: %v", err)
	}
	_, err = g.Server.Invoker().Invoke(t.Context(), &invoke.Call{Function: strings.Replace(far, "far", "near", 1)})
	if e, _ := errors.AsType[*invoke.Error](err); e == nil || e.Kind != invoke.NotPermitted {
		t.Errorf("a function of no route: %v", err)
	}
}
