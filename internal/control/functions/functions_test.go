package functions_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http/httptest"
	"os"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awstest"
	"gatehouse/internal/awsapi/gen/lambda"
	"gatehouse/internal/awsapi/schema"
	"gatehouse/internal/control/functions"
	"gatehouse/internal/control/identities"
	"gatehouse/internal/runtime"
	"gatehouse/internal/store"
)

const (
	account = "000000000000"
	role    = "arn:aws:iam::000000000000:role/fn"
)

type backend struct {
	*functions.Functions
	lambda.Unimplemented
}

type fixture struct {
	*sdk.Client
	t         *testing.T
	functions *functions.Functions
	runner    *runtime.Runner
	store     *store.Store
	python    string
	objects   map[string][]byte // by bucket/key
	written   chan object
	log       logBook
}

// logBook keeps what is logged.
type logBook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// object is one that was written for a function.
type object struct{ bucket, key, body string }

func newFixture(t *testing.T) *fixture {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	runner, err := runtime.New(runtime.Options{RunDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := runner.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	f := &fixture{t: t, runner: runner, store: st, objects: make(map[string][]byte), written: make(chan object, 10)}
	for _, v := range []string{"python3.11", "python3.12", "python3.13", "python3.14"} {
		if runner.Check(v) == nil {
			f.python = v
			break
		}
	}
	if f.python == "" {
		t.Fatal("no Python from 3.11 to 3.14 found: run `make test-deps`")
	}
	f.functions = f.open(runner)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.functions.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	ids, err := identities.New(t.Context(), identities.Config{
		Store: st, Account: account, Root: identities.RootKey{AccessKeyID: "root", SecretAccessKey: "secret"}, Log: slog.New(slog.DiscardHandler), HomeRegion: "us-east-1",
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(awsapi.NewServer(awsapi.Config{
		Services:      []schema.Bound{lambda.Bind(&backend{Functions: f.functions})},
		Authenticator: ids, Authorizer: ids, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})), Account: account, Region: "us-east-1",
	}))
	t.Cleanup(server.Close)
	f.Client = sdk.NewFromConfig(aws.Config{
		Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("root", "secret", ""),
		Retryer: awstest.Retryer,
	})
	return f
}

// open makes Functions over the fixture's store, as a server's start does.
func (f *fixture) open(runner functions.Runner) *functions.Functions {
	return f.openIn(runner, f.t.TempDir())
}

func (f *fixture) openIn(runner functions.Runner, dir string) *functions.Functions {
	f.t.Helper()
	fns, err := functions.New(f.t.Context(), functions.Config{
		Store: f.store, Runner: runner, CodeDir: dir, Log: slog.New(slog.NewTextHandler(&f.log, nil)),
		ReadObject: func(_ context.Context, bucket, key, _ string, _ int64) ([]byte, error) {
			if b, ok := f.objects[bucket+"/"+key]; ok {
				return b, nil
			}
			return nil, errors.New("S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.")
		},
		MayPass: func(context.Context, string) error { return nil },
		MayAlso: func(_ context.Context, action, resource string) error {
			if strings.Contains(resource, ":layer:forbidden:") {
				return errors.New("not authorized to perform " + action)
			}
			return nil
		},
		MayAs: func(_ context.Context, _, _, action, resource string) error {
			if strings.HasSuffix(resource, ":forbidden") {
				return errors.New("not authorized to perform " + action)
			}
			return nil
		},
		PutObject: func(_ context.Context, _, bucket, key string, body []byte) error {
			f.written <- object{bucket, key, string(body)}
			return nil
		},
		URL: func(region, id string) string { return "https://" + id + ".lambda-url." + region + ".test/" },
		Credentials: func(_ context.Context, r, session string) (runtime.Credentials, error) {
			if !strings.HasPrefix(r, role) {
				return runtime.Credentials{}, errors.New("no such role")
			}
			return runtime.Credentials{AccessKeyID: "ASIA-" + session, SecretAccessKey: "s", SessionToken: "t"}, nil
		},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return fns
}

func zipped(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, content := range files {
		h := &zip.FileHeader{Name: name}
		h.SetMode(fs.FileMode(0o644))
		e, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// answering is a package whose handler answers with an expression.
func (f *fixture) answering(expression string) []byte {
	return zipped(f.t, map[string]string{"m.py": "import os, json\ndef handler(event, context):\n    return " + expression + "\n"})
}

func (f *fixture) create(name, expression string, change func(*sdk.CreateFunctionInput)) *sdk.CreateFunctionOutput {
	f.t.Helper()
	in := &sdk.CreateFunctionInput{
		FunctionName: &name, Runtime: types.Runtime(f.python), Role: aws.String(role), Handler: aws.String("m.handler"),
		Code: &types.FunctionCode{ZipFile: f.answering(expression)},
	}
	if change != nil {
		change(in)
	}
	out, err := f.CreateFunction(f.t.Context(), in)
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}

// call invokes a function and returns its payload.
func (f *fixture) call(name, payload string) string {
	f.t.Helper()
	out, err := f.Invoke(f.t.Context(), &sdk.InvokeInput{FunctionName: &name, Payload: []byte(payload), LogType: types.LogTypeTail})
	if err != nil {
		f.t.Fatal(err)
	}
	if out.FunctionError != nil {
		log, _ := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
		f.t.Fatalf("%s: %s\n%s", name, out.Payload, log)
	}
	return string(out.Payload)
}

// refused checks an error's code and that its message has a text.
func refused(t *testing.T, err error, code, text string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), text) {
		t.Errorf("error %v, want %s with %q", err, code, text)
	}
}

func TestFunctionFromCreationToDeletion(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	made := f.create("auth", "{'n': event['n'] + 1, 'v': os.environ['MODE'], 'key': os.environ['AWS_ACCESS_KEY_ID']}", func(in *sdk.CreateFunctionInput) {
		in.Environment = &types.Environment{Variables: map[string]string{"MODE": "first"}}
		in.Tags = map[string]string{"team": "a"}
	})
	if *made.FunctionArn != "arn:aws:lambda:us-east-1:000000000000:function:auth" || made.State != types.StateActive || *made.Version != "$LATEST" ||
		*made.Timeout != 3 || *made.MemorySize != 128 || made.PackageType != types.PackageTypeZip || *made.EphemeralStorage.Size != 512 {
		t.Errorf("created %+v", made)
	}
	for _, name := range []string{"auth", "000000000000:function:auth", *made.FunctionArn, *made.FunctionArn + ":$LATEST", "auth:$LATEST"} {
		if got := f.call(name, `{"n":1}`); got != `{"n": 2, "v": "first", "key": "ASIA-auth"}` {
			t.Errorf("%s answered %s", name, got)
		}
	}
	got, err := f.GetFunction(ctx, &sdk.GetFunctionInput{FunctionName: aws.String("auth")})
	if err != nil || *got.Configuration.CodeSha256 != *made.CodeSha256 || got.Tags["team"] != "a" || got.Configuration.Environment.Variables["MODE"] != "first" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := f.UpdateFunctionConfiguration(ctx, &sdk.UpdateFunctionConfigurationInput{FunctionName: aws.String("auth"), Environment: &types.Environment{Variables: map[string]string{"MODE": "second"}}, MemorySize: aws.Int32(256)}); err != nil {
		t.Fatal(err)
	}
	// The effect is there when the call has answered.
	if got := f.call("auth", `{"n":1}`); got != `{"n": 2, "v": "second", "key": "ASIA-auth"}` {
		t.Errorf("after the configuration changed: %s", got)
	}
	if _, err := f.UpdateFunctionCode(ctx, &sdk.UpdateFunctionCodeInput{FunctionName: aws.String("auth"), ZipFile: f.answering("'other code'")}); err != nil {
		t.Fatal(err)
	}
	if got := f.call("auth", `{}`); got != `"other code"` {
		t.Errorf("after the code changed: %s", got)
	}
	if _, err := f.DeleteFunction(ctx, &sdk.DeleteFunctionInput{FunctionName: aws.String("auth")}); err != nil {
		t.Fatal(err)
	}
	_, err = f.Invoke(ctx, &sdk.InvokeInput{FunctionName: aws.String("auth")})
	refused(t, err, "ResourceNotFoundException", "Function not found: arn:aws:lambda:us-east-1:000000000000:function:auth")
	_, err = f.GetFunction(ctx, &sdk.GetFunctionInput{FunctionName: aws.String("auth")})
	refused(t, err, "ResourceNotFoundException", "Function not found")
}

func TestInvoke(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	f.create("fn", "{'id': context.aws_request_id, 'arn': context.invoked_function_arn, 'fail': event['fail']}", nil)
	name := aws.String("fn")
	out, err := f.Invoke(ctx, &sdk.InvokeInput{FunctionName: name, Payload: []byte(`{"fail":0}`), LogType: types.LogTypeTail})
	if err != nil || out.StatusCode != 200 || *out.ExecutedVersion != "$LATEST" || !json.Valid(out.Payload) {
		t.Fatalf("%+v, %v", out, err)
	}
	log, _ := base64.StdEncoding.DecodeString(*out.LogResult)
	if !strings.HasPrefix(string(log), "START RequestId: ") {
		t.Errorf("log tail %s", log)
	}
	out, err = f.Invoke(ctx, &sdk.InvokeInput{FunctionName: name, Payload: []byte(`{}`)})
	if err != nil || out.StatusCode != 200 || aws.ToString(out.FunctionError) != "Unhandled" || !strings.Contains(string(out.Payload), `"errorType": "KeyError"`) || out.LogResult != nil {
		t.Errorf("a failing function: %+v, %v", out, err)
	}
	out, err = f.Invoke(ctx, &sdk.InvokeInput{FunctionName: name, InvocationType: types.InvocationTypeDryRun})
	if err != nil || out.StatusCode != 204 {
		t.Errorf("dry run: %+v, %v", out, err)
	}
	out, err = f.Invoke(ctx, &sdk.InvokeInput{FunctionName: name, InvocationType: types.InvocationTypeEvent, Payload: []byte(`{"fail":0}`)})
	if err != nil || out.StatusCode != 202 || len(out.Payload) != 0 {
		t.Errorf("asynchronous: %+v, %v", out, err)
	}
	_, err = f.Invoke(ctx, &sdk.InvokeInput{FunctionName: name, Payload: []byte(`{`)})
	refused(t, err, "InvalidRequestContentException", "Could not parse request body into json")
	_, err = f.Invoke(ctx, &sdk.InvokeInput{FunctionName: name, Qualifier: aws.String("nope")})
	refused(t, err, "ResourceNotFoundException", "Function not found: arn:aws:lambda:us-east-1:000000000000:function:fn:nope")
	if _, err := f.PutFunctionConcurrency(ctx, &sdk.PutFunctionConcurrencyInput{FunctionName: name, ReservedConcurrentExecutions: aws.Int32(0)}); err != nil {
		t.Fatal(err)
	}
	_, err = f.Invoke(ctx, &sdk.InvokeInput{FunctionName: name})
	refused(t, err, "TooManyRequestsException", "Rate Exceeded.")
	if _, err := f.DeleteFunctionConcurrency(ctx, &sdk.DeleteFunctionConcurrencyInput{FunctionName: name}); err != nil {
		t.Fatal(err)
	}
	f.call("fn", `{"fail":0}`)
}

func TestVersionsAndAliases(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	name := aws.String("fn")
	f.create("fn", "'one'", nil)
	publish := func(want string) {
		t.Helper()
		v, err := f.PublishVersion(ctx, &sdk.PublishVersionInput{FunctionName: name, Description: aws.String("d")})
		if err != nil || *v.Version != want || *v.FunctionArn != "arn:aws:lambda:us-east-1:000000000000:function:fn:"+want {
			t.Fatalf("published %+v, %v, want version %s", v, err, want)
		}
	}
	publish("1")
	publish("1") // nothing has changed
	if _, err := f.UpdateFunctionCode(ctx, &sdk.UpdateFunctionCodeInput{FunctionName: name, ZipFile: f.answering("'two'")}); err != nil {
		t.Fatal(err)
	}
	publish("2")
	if _, err := f.UpdateFunctionCode(ctx, &sdk.UpdateFunctionCodeInput{FunctionName: name, ZipFile: f.answering("'three'")}); err != nil {
		t.Fatal(err)
	}
	for q, want := range map[string]string{"fn:1": `"one"`, "fn:2": `"two"`, "fn:$LATEST": `"three"`, "fn": `"three"`} {
		if got := f.call(q, `{}`); got != want {
			t.Errorf("%s answered %s, want %s", q, got, want)
		}
	}
	list, err := f.ListVersionsByFunction(ctx, &sdk.ListVersionsByFunctionInput{FunctionName: name})
	if err != nil || len(list.Versions) != 3 || *list.Versions[0].Version != "$LATEST" || *list.Versions[2].Version != "2" {
		t.Errorf("versions %+v, %v", list, err)
	}
	var paged []string
	for p := sdk.NewListVersionsByFunctionPaginator(f, &sdk.ListVersionsByFunctionInput{FunctionName: name, MaxItems: aws.Int32(1)}); p.HasMorePages(); {
		o, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range o.Versions {
			paged = append(paged, *v.Version)
		}
	}
	if !slices.Equal(paged, []string{"$LATEST", "1", "2"}) {
		t.Errorf("versions a page each: %v", paged)
	}
	a, err := f.CreateAlias(ctx, &sdk.CreateAliasInput{FunctionName: name, Name: aws.String("live"), FunctionVersion: aws.String("1")})
	if err != nil || *a.AliasArn != "arn:aws:lambda:us-east-1:000000000000:function:fn:live" {
		t.Fatalf("%+v, %v", a, err)
	}
	if got := f.call("fn:live", `{}`); got != `"one"` {
		t.Errorf("the alias answered %s", got)
	}
	_, err = f.CreateAlias(ctx, &sdk.CreateAliasInput{FunctionName: name, Name: aws.String("live"), FunctionVersion: aws.String("1")})
	refused(t, err, "ResourceConflictException", "Alias already exists")
	_, err = f.CreateAlias(ctx, &sdk.CreateAliasInput{FunctionName: name, Name: aws.String("x"), FunctionVersion: aws.String("7")})
	refused(t, err, "ResourceNotFoundException", "Function not found: arn:aws:lambda:us-east-1:000000000000:function:fn:7")
	_, err = f.DeleteFunction(ctx, &sdk.DeleteFunctionInput{FunctionName: name, Qualifier: aws.String("1")})
	refused(t, err, "ResourceConflictException", "Version 1 is referenced by alias live")
	if _, err := f.UpdateAlias(ctx, &sdk.UpdateAliasInput{FunctionName: name, Name: aws.String("live"), RoutingConfig: &types.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{"2": 0.5}}}); err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]int)
	for range 40 {
		seen[f.call("fn:live", `{}`)]++
	}
	if seen[`"one"`] == 0 || seen[`"two"`] == 0 || len(seen) != 2 {
		t.Errorf("an alias of two versions, half each, answered %v", seen)
	}
	_, err = f.UpdateAlias(ctx, &sdk.UpdateAliasInput{FunctionName: name, Name: aws.String("live"), RevisionId: aws.String("00000000-0000-0000-0000-000000000000")})
	refused(t, err, "PreconditionFailedException", "The Revision Id provided does not match the latest Revision Id.")
	if _, err := f.DeleteAlias(ctx, &sdk.DeleteAliasInput{FunctionName: name, Name: aws.String("live")}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.DeleteFunction(ctx, &sdk.DeleteFunctionInput{FunctionName: name, Qualifier: aws.String("1")}); err != nil {
		t.Fatal(err)
	}
	_, err = f.Invoke(ctx, &sdk.InvokeInput{FunctionName: name, Qualifier: aws.String("1")})
	refused(t, err, "ResourceNotFoundException", "Function not found")
	publish("3")
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	name := aws.String("fn")
	f.create("fn", "1", nil)
	const arn = "arn:aws:lambda:us-east-1:000000000000:function:fn"
	gateway := functions.Caller{Service: "apigateway.amazonaws.com", SourceARN: "arn:aws:execute-api:us-east-1:000000000000:api/prod/GET/x", SourceAccount: account}
	if err := f.functions.Permits(gateway, arn); !errors.Is(err, functions.ErrNotPermitted) {
		t.Errorf("without a policy: %v", err)
	}
	out, err := f.AddPermission(ctx, &sdk.AddPermissionInput{
		FunctionName: name, StatementId: aws.String("gw"), Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("apigateway.amazonaws.com"),
		SourceArn: aws.String("arn:aws:execute-api:us-east-1:000000000000:api/*"),
	})
	want := `{"Sid":"gw","Effect":"Allow","Principal":{"Service":"apigateway.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"` + arn +
		`","Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:execute-api:us-east-1:000000000000:api/*"}}}`
	if err != nil || *out.Statement != want {
		t.Fatalf("statement %v, %v\nwant %s", aws.ToString(out.Statement), err, want)
	}
	p, err := f.GetPolicy(ctx, &sdk.GetPolicyInput{FunctionName: name})
	if err != nil || *p.Policy != `{"Version":"2012-10-17","Id":"default","Statement":[`+want+`]}` {
		t.Errorf("policy %v, %v", aws.ToString(p.Policy), err)
	}
	other := gateway
	other.SourceARN = "arn:aws:execute-api:us-east-1:000000000000:another/prod/GET/x"
	events := gateway
	events.Service = "events.amazonaws.com"
	for what, tt := range map[string]struct {
		caller functions.Caller
		arn    string
		want   error
	}{
		"the API that is named":          {gateway, arn, nil},
		"another API":                    {other, arn, functions.ErrNotPermitted},
		"another service":                {events, arn, functions.ErrNotPermitted},
		"a version, by another policy":   {gateway, arn + ":$LATEST", functions.ErrNotPermitted},
		"a qualifier that leads nowhere": {gateway, arn + ":live", functions.ErrNoFunction},
		"another function":               {gateway, arn + "x", functions.ErrNoFunction},
		"no function's ARN":              {gateway, "arn:aws:s3:::bucket", functions.ErrNoFunction},
	} {
		if err := f.functions.Permits(tt.caller, tt.arn); !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v, want %v", what, err, tt.want)
		}
	}
	_, err = f.AddPermission(ctx, &sdk.AddPermissionInput{FunctionName: name, StatementId: aws.String("gw"), Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("*")})
	refused(t, err, "ResourceConflictException", "The statement id (gw) provided already exists.")
	if _, err := f.RemovePermission(ctx, &sdk.RemovePermissionInput{FunctionName: name, StatementId: aws.String("gw")}); err != nil {
		t.Fatal(err)
	}
	if err := f.functions.Permits(gateway, arn); !errors.Is(err, functions.ErrNotPermitted) {
		t.Errorf("after the permission was removed: %v", err)
	}
	_, err = f.GetPolicy(ctx, &sdk.GetPolicyInput{FunctionName: name})
	refused(t, err, "ResourceNotFoundException", "The resource you requested does not exist.")
}

func TestLayers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	publish := func(layer, module, value string) string {
		t.Helper()
		out, err := f.PublishLayerVersion(ctx, &sdk.PublishLayerVersionInput{
			LayerName: &layer, Content: &types.LayerVersionContentInput{ZipFile: zipped(t, map[string]string{"python/" + module + ".py": "value = " + value})},
		})
		if err != nil {
			t.Fatal(err)
		}
		return *out.LayerVersionArn
	}
	base, extra := publish("base", "shared", "'base'"), publish("extra", "more", "'extra'")
	if base != "arn:aws:lambda:us-east-1:000000000000:layer:base:1" {
		t.Errorf("layer version %s", base)
	}
	f.create("fn", "[__import__('shared').value, __import__('more').value]", func(in *sdk.CreateFunctionInput) { in.Layers = []string{base, extra} })
	if got := f.call("fn", `{}`); got != `["base", "extra"]` {
		t.Errorf("with two layers: %s", got)
	}
	second := publish("base", "shared", "'second'")
	update := func(arns ...string) error {
		_, err := f.UpdateFunctionConfiguration(ctx, &sdk.UpdateFunctionConfigurationInput{FunctionName: aws.String("fn"), Layers: arns})
		return err
	}
	if err := update(second, extra); err != nil {
		t.Fatal(err)
	}
	if got := f.call("fn", `{}`); got != `["second", "extra"]` {
		t.Errorf("with the second version: %s", got)
	}
	refused(t, update(base, second), "InvalidParameterValueException", "Two different versions of the same layer")
	refused(t, update(base[:len(base)-1]+"9"), "InvalidParameterValueException", "does not exist")
	versions, err := f.ListLayerVersions(ctx, &sdk.ListLayerVersionsInput{LayerName: aws.String("base")})
	if err != nil || len(versions.LayerVersions) != 2 || versions.LayerVersions[0].Version != 2 {
		t.Errorf("versions %+v, %v", versions, err)
	}
	all, err := f.ListLayers(ctx, &sdk.ListLayersInput{})
	if err != nil || len(all.Layers) != 2 || all.Layers[0].LatestMatchingVersion.Version != 2 {
		t.Errorf("layers %+v, %v", all, err)
	}
	// A deleted version goes on serving the functions that use it.
	if _, err := f.DeleteLayerVersion(ctx, &sdk.DeleteLayerVersionInput{LayerName: aws.String("base"), VersionNumber: aws.Int64(2)}); err != nil {
		t.Fatal(err)
	}
	_, err = f.GetLayerVersion(ctx, &sdk.GetLayerVersionInput{LayerName: aws.String("base"), VersionNumber: aws.Int64(2)})
	refused(t, err, "ResourceNotFoundException", "does not exist")
	if _, err := f.UpdateFunctionConfiguration(ctx, &sdk.UpdateFunctionConfigurationInput{FunctionName: aws.String("fn"), Description: aws.String("again")}); err != nil {
		t.Fatal(err)
	}
	if got := f.call("fn", `{}`); got != `["second", "extra"]` {
		t.Errorf("after the layer's version was deleted: %s", got)
	}
}

func TestLayerPermissions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	if _, err := f.PublishLayerVersion(ctx, &sdk.PublishLayerVersionInput{
		LayerName: aws.String("shared"), Content: &types.LayerVersionContentInput{ZipFile: zipped(t, map[string]string{"python/m.py": "value = 1"})},
	}); err != nil {
		t.Fatal(err)
	}
	const arn = "arn:aws:lambda:us-east-1:000000000000:layer:shared:1"
	add := func(id, principal string, organization, revision *string) (*sdk.AddLayerVersionPermissionOutput, error) {
		return f.AddLayerVersionPermission(ctx, &sdk.AddLayerVersionPermissionInput{
			LayerName: aws.String("shared"), VersionNumber: aws.Int64(1), StatementId: &id, Action: aws.String("lambda:GetLayerVersion"), Principal: &principal,
			OrganizationId: organization, RevisionId: revision,
		})
	}
	get := func(number int64) (*sdk.GetLayerVersionPolicyOutput, error) {
		return f.GetLayerVersionPolicy(ctx, &sdk.GetLayerVersionPolicyInput{LayerName: aws.String("shared"), VersionNumber: &number})
	}
	remove := func(id string, revision *string) error {
		_, err := f.RemoveLayerVersionPermission(ctx, &sdk.RemoveLayerVersionPermissionInput{LayerName: aws.String("shared"), VersionNumber: aws.Int64(1), StatementId: &id, RevisionId: revision})
		return err
	}
	_, err := get(1)
	refused(t, err, "ResourceNotFoundException", "does not exist")
	first, err := add("one", "111122223333", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	const statement = `{"Sid":"one","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"lambda:GetLayerVersion","Resource":"` + arn + `"}`
	if *first.Statement != statement {
		t.Errorf("statement %s, want %s", *first.Statement, statement)
	}
	if p, account, err := f.functions.ResourcePolicy(ctx, arn); p == nil || account != "000000000000" || err != nil {
		t.Errorf("the policy that is judged: %v of %s, %v", p, account, err)
	}
	if p, _, err := f.functions.ResourcePolicy(ctx, arn[:len(arn)-1]+"2"); p != nil || err != nil {
		t.Errorf("the policy of another version: %v, %v", p, err)
	}
	_, err = add("one", "*", nil, nil)
	refused(t, err, "ResourceConflictException", "already exists")
	_, err = add("two", "*", nil, aws.String("old"))
	refused(t, err, "PreconditionFailedException", "")
	second, err := add("two", "*", aws.String("o-1234567890"), first.RevisionId)
	if err != nil || !strings.Contains(*second.Statement, `"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1234567890"}}`) {
		t.Fatalf("%+v, %v", second, err)
	}
	policy, err := get(1)
	if err != nil || *policy.RevisionId != *second.RevisionId || *policy.Policy != `{"Version":"2012-10-17","Id":"default","Statement":[`+statement+","+*second.Statement+`]}` {
		t.Errorf("policy %+v, %v", policy, err)
	}
	refused(t, remove("three", nil), "ResourceNotFoundException", "three is not found")
	refused(t, remove("one", aws.String("old")), "PreconditionFailedException", "")
	for _, id := range []string{"one", "two"} {
		if err := remove(id, nil); err != nil {
			t.Fatal(err)
		}
	}
	_, err = get(1)
	refused(t, err, "ResourceNotFoundException", "does not exist")
	_, err = get(2)
	refused(t, err, "ResourceNotFoundException", "does not exist")

	// Who may not read a layer cannot read it by a function either.
	err = func() error {
		_, err := f.CreateFunction(ctx, &sdk.CreateFunctionInput{
			FunctionName: aws.String("thief"), Role: aws.String(role), Runtime: types.Runtime(f.python), Handler: aws.String("m.handler"),
			Code: &types.FunctionCode{ZipFile: f.answering("1")}, Layers: []string{"arn:aws:lambda:us-east-1:000000000000:layer:forbidden:1"},
		})
		return err
	}()
	if err == nil {
		t.Error("a function was made with a layer that its author may not read")
	}
}

func TestCodeFromS3(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.objects["code/fn.zip"] = f.answering("'from s3'")
	f.create("fn", "", func(in *sdk.CreateFunctionInput) {
		in.Code = &types.FunctionCode{S3Bucket: aws.String("code"), S3Key: aws.String("fn.zip")}
	})
	if got := f.call("fn", `{}`); got != `"from s3"` {
		t.Errorf("got %s", got)
	}
	_, err := f.UpdateFunctionCode(t.Context(), &sdk.UpdateFunctionCodeInput{FunctionName: aws.String("fn"), S3Bucket: aws.String("code"), S3Key: aws.String("none.zip")})
	refused(t, err, "InvalidParameterValueException", "Error occurred while GetObject. S3 Error Code: NoSuchKey.")
}

// What cannot be done is refused by name, never stored without effect.
func TestRefusals(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create("taken", "1", nil)
	good := sdk.CreateFunctionInput{
		FunctionName: aws.String("fn"), Runtime: types.Runtime(f.python), Role: aws.String(role), Handler: aws.String("m.handler"), Code: &types.FunctionCode{ZipFile: f.answering("1")},
	}
	for name, tt := range map[string]struct {
		change     func(*sdk.CreateFunctionInput)
		code, text string
	}{
		"a name that is taken": {func(in *sdk.CreateFunctionInput) { in.FunctionName = aws.String("taken") }, "ResourceConflictException", "Function already exist: taken"},
		"an image":             {func(in *sdk.CreateFunctionInput) { in.PackageType = types.PackageTypeImage }, "InvalidParameterValueException", "PackageType Image"},
		"an image's address":   {func(in *sdk.CreateFunctionInput) { in.Code = &types.FunctionCode{ImageUri: aws.String("x")} }, "InvalidParameterValueException", "Container images are not supported"},
		"no code":              {func(in *sdk.CreateFunctionInput) { in.Code = &types.FunctionCode{} }, "InvalidParameterValueException", "Please provide a source for function code."},
		"no zip":               {func(in *sdk.CreateFunctionInput) { in.Code = &types.FunctionCode{ZipFile: []byte("x")} }, "InvalidParameterValueException", "Could not unzip uploaded file."},
		"a VPC":                {func(in *sdk.CreateFunctionInput) { in.VpcConfig = &types.VpcConfig{SubnetIds: []string{"subnet-1"}} }, "InvalidParameterValueException", "VpcConfig is not supported"},
		"another role":         {func(in *sdk.CreateFunctionInput) { in.Role = aws.String("arn:aws:iam::000000000000:role/other") }, "InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda."},
		".NET":                 {func(in *sdk.CreateFunctionInput) { in.Runtime = types.RuntimeDotnet8 }, "InvalidParameterValueException", "runtime dotnet8: this version is not offered"},
		"a reserved variable": {func(in *sdk.CreateFunctionInput) {
			in.Environment = &types.Environment{Variables: map[string]string{"AWS_REGION": "x"}}
		}, "InvalidParameterValueException", "Reserved keys used in this request: AWS_REGION"},
		"too much environment": {func(in *sdk.CreateFunctionInput) {
			in.Environment = &types.Environment{Variables: map[string]string{"AB": strings.Repeat("x", 5000)}}
		}, "InvalidParameterValueException", "exceeded the 4096 bytes limit"},
		"no handler": {func(in *sdk.CreateFunctionInput) { in.Handler = nil }, "InvalidParameterValueException", "Runtime and Handler are mandatory"},
		"a layer that is not": {func(in *sdk.CreateFunctionInput) {
			in.Layers = []string{"arn:aws:lambda:us-east-1:000000000000:layer:no:1"}
		}, "InvalidParameterValueException", "does not exist"},
		"another architecture": {func(in *sdk.CreateFunctionInput) {
			in.Runtime = types.RuntimeProvidedal2023
			in.Architectures = otherArchitecture()
		}, "InvalidParameterValueException", "Architecture"},
		"a function of another": {func(in *sdk.CreateFunctionInput) {
			in.FunctionName = aws.String("arn:aws:lambda:us-east-1:111111111111:function:fn")
		}, "ResourceNotFoundException", "Function not found"},
	} {
		in := good
		tt.change(&in)
		_, err := f.CreateFunction(t.Context(), &in)
		if err == nil {
			t.Errorf("%s: created", name)
			continue
		}
		t.Run(name, func(t *testing.T) { refused(t, err, tt.code, tt.text) })
	}
}

func otherArchitecture() []types.Architecture {
	if goruntime.GOARCH == "arm64" {
		return []types.Architecture{types.ArchitectureX8664}
	}
	return []types.Architecture{types.ArchitectureArm64}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	name := aws.String("fn")
	made := f.create("fn", "1", nil)
	if _, err := f.TagResource(ctx, &sdk.TagResourceInput{Resource: made.FunctionArn, Tags: map[string]string{"a": "1", "b": "2"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.UntagResource(ctx, &sdk.UntagResourceInput{Resource: made.FunctionArn, TagKeys: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	tags, err := f.ListTags(ctx, &sdk.ListTagsInput{Resource: made.FunctionArn})
	if err != nil || len(tags.Tags) != 1 || tags.Tags["b"] != "2" {
		t.Errorf("tags %+v, %v", tags, err)
	}
	_, err = f.GetFunctionEventInvokeConfig(ctx, &sdk.GetFunctionEventInvokeConfigInput{FunctionName: name})
	refused(t, err, "ResourceNotFoundException", "doesn't have an EventInvokeConfig")
	if _, err := f.PutFunctionEventInvokeConfig(ctx, &sdk.PutFunctionEventInvokeConfigInput{FunctionName: name, MaximumRetryAttempts: aws.Int32(0)}); err != nil {
		t.Fatal(err)
	}
	ev, err := f.UpdateFunctionEventInvokeConfig(ctx, &sdk.UpdateFunctionEventInvokeConfigInput{FunctionName: name, MaximumEventAgeInSeconds: aws.Int32(60)})
	if err != nil || *ev.MaximumRetryAttempts != 0 || *ev.MaximumEventAgeInSeconds != 60 || *ev.FunctionArn != *made.FunctionArn+":$LATEST" {
		t.Errorf("event settings %+v, %v", ev, err)
	}
	if _, err := f.DeleteFunctionEventInvokeConfig(ctx, &sdk.DeleteFunctionEventInvokeConfigInput{FunctionName: name}); err != nil {
		t.Fatal(err)
	}
	// What Terraform asks of every function.
	if _, err := f.GetFunctionCodeSigningConfig(ctx, &sdk.GetFunctionCodeSigningConfigInput{FunctionName: name}); err != nil {
		t.Error(err)
	}
	list, err := f.ListFunctions(ctx, &sdk.ListFunctionsInput{})
	if err != nil || len(list.Functions) != 1 || *list.Functions[0].FunctionName != "fn" {
		t.Errorf("functions %+v, %v", list, err)
	}
	acct, err := f.GetAccountSettings(ctx, &sdk.GetAccountSettingsInput{})
	if err != nil || acct.AccountUsage.FunctionCount != 1 {
		t.Errorf("account %+v, %v", acct, err)
	}
}

// Unpacked code stays for the next start, and goes when nothing uses it any more.
func TestCodeFoldersAreTidied(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	runner, err := runtime.New(runtime.Options{RunDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer runner.Close(context.Background())
	dir := t.TempDir()
	names := func() (out []string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			out = append(out, e.Name())
		}
		return out
	}
	f.create("stays", "'stays'", nil)
	f.create("goes", "'goes'", nil)
	node := f.openIn(runner, dir)
	for _, name := range []string{"stays", "goes"} {
		if res, err := node.Call(t.Context(), "arn:aws:lambda:us-east-1:000000000000:function:"+name, runtime.Request{}); err != nil || res.FunctionError != "" {
			t.Fatalf("%s: %s, %v", name, res.Payload, err)
		}
	}
	before := names()
	if _, err := f.DeleteFunction(t.Context(), &sdk.DeleteFunctionInput{FunctionName: aws.String("goes")}); err != nil {
		t.Fatal(err)
	}
	f.openIn(runner, dir)
	if after := names(); len(before) != 2 || len(after) != 1 || !slices.Contains(before, after[0]) {
		t.Errorf("folders %v, after a restart without one of the functions %v", before, after)
	}
}

// Another node, and a server that starts again, find functions in the store.
func TestOtherNodesFollow(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	runner, err := runtime.New(runtime.Options{RunDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer runner.Close(context.Background())
	node := f.open(runner)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- node.Run(ctx) }()
	f.create("fn", "'one'", nil)
	const arn = "arn:aws:lambda:us-east-1:000000000000:function:fn"
	eventually := func(want string) {
		t.Helper()
		var last string
		for until := time.Now().Add(15 * time.Second); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
			res, err := node.Call(t.Context(), arn, runtime.Request{})
			if last = fmt.Sprint(string(res.Payload), err); last == want+"<nil>" {
				return
			}
		}
		t.Errorf("the other node answers %s, want %s", last, want)
	}
	eventually(`"one"`)
	if _, err := f.UpdateFunctionCode(t.Context(), &sdk.UpdateFunctionCodeInput{FunctionName: aws.String("fn"), ZipFile: f.answering("'two'")}); err != nil {
		t.Fatal(err)
	}
	eventually(`"two"`)
	late := f.open(runner)
	if res, err := late.Call(t.Context(), arn, runtime.Request{}); err != nil || string(res.Payload) != `"two"` {
		t.Errorf("a server that starts again: %s, %v", res.Payload, err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	// Without the database calls go on.
	if err := f.store.Close(); err != nil {
		t.Fatal(err)
	}
	if res, err := late.Call(t.Context(), arn, runtime.Request{}); err != nil || string(res.Payload) != `"two"` {
		t.Errorf("without the store: %s, %v", res.Payload, err)
	}
}
