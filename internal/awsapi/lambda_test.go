package awsapi_test

import (
	"context"
	"errors"
	"io"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/awsapi/gen/lambda"
)

type lambdaBackend struct {
	lambda.Unimplemented
	in  any
	out *lambda.InvokeOutput
	err error
}

func (b *lambdaBackend) Invoke(_ context.Context, in *lambda.InvokeInput) (*lambda.InvokeOutput, error) {
	b.in = in
	return b.out, b.err
}

func (b *lambdaBackend) CreateFunction(_ context.Context, in *lambda.CreateFunctionInput) (*lambda.FunctionConfiguration, error) {
	b.in = in
	return &lambda.FunctionConfiguration{FunctionName: in.FunctionName, Timeout: in.Timeout}, b.err
}

func (b *lambdaBackend) ListTags(_ context.Context, in *lambda.ListTagsInput) (*lambda.ListTagsOutput, error) {
	b.in = in
	return &lambda.ListTagsOutput{Tags: map[string]string{"a": "b"}}, nil
}

// The payload passes through as it is; the status and two headers are members.
func TestLambdaInvoke(t *testing.T) {
	b := &lambdaBackend{out: &lambda.InvokeOutput{StatusCode: new(int32(202)), FunctionError: new("Unhandled"), ExecutedVersion: new("$LATEST"), Payload: []byte(`{"a":1}`)}}
	f := serve(t, lambda.Bind(b))
	client := sdk.NewFromConfig(f.config())
	out, err := client.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: new("123456789012:function:fn"), Qualifier: new("live"), Payload: []byte("\x00raw"), InvocationType: types.InvocationTypeEvent})
	if err != nil {
		t.Fatal(err)
	}
	want := &lambda.InvokeInput{FunctionName: new("123456789012:function:fn"), Qualifier: new("live"), Payload: []byte("\x00raw"), InvocationType: new(lambda.InvocationTypeEvent)}
	if d := cmp.Diff(want, b.in); d != "" {
		t.Errorf("input (-want +got):\n%s", d)
	}
	if out.StatusCode != 202 || *out.FunctionError != "Unhandled" || string(out.Payload) != `{"a":1}` || *out.ExecutedVersion != "$LATEST" {
		t.Errorf("output: %+v", out)
	}
	if d := cmp.Diff([]string{"lambda:InvokeFunction arn:aws:lambda:eu-central-1:123456789012:function:fn:live"}, f.asked()); d != "" {
		t.Errorf("accesses (-want +got):\n%s", d)
	}
	// No payload at all is no payload, not an empty one.
	if _, err := client.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: new("fn")}); err != nil || b.in.(*lambda.InvokeInput).Payload != nil {
		t.Errorf("error %v, input %+v", err, b.in)
	}
}

func (b *lambdaBackend) InvokeAsync(_ context.Context, in *lambda.InvokeAsyncInput) (*lambda.InvokeAsyncOutput, error) {
	args, err := io.ReadAll(in.InvokeArgs)
	b.in = string(args)
	return &lambda.InvokeAsyncOutput{Status: new(int32(202))}, err
}

// A streaming input of a service whose bodies are hashed first is a stream all the same.
func TestLambdaStreamingInput(t *testing.T) {
	b := &lambdaBackend{}
	f := serve(t, lambda.Bind(b))
	res := f.raw(t, "POST", "/2014-11-13/functions/fn/invoke-async/", `{"a":1}`, "Authorization: "+signed("lambda"))
	if res.StatusCode != 202 || b.in != `{"a":1}` {
		t.Errorf("%d, input %v: %s", res.StatusCode, b.in, text(t, res.Body))
	}
}

func TestLambdaBodyAndErrors(t *testing.T) {
	b := &lambdaBackend{}
	f := serve(t, lambda.Bind(b))
	client := sdk.NewFromConfig(f.config())
	zip := make([]byte, 3<<20) // larger than what other services may send
	if _, err := client.CreateFunction(t.Context(), &sdk.CreateFunctionInput{FunctionName: new("fn"), Role: new("arn:aws:iam::123456789012:role/r"),
		Code: &types.FunctionCode{ZipFile: zip}, Runtime: types.RuntimePython312, Handler: new("m.h"), Timeout: new(int32(3)),
		Environment: &types.Environment{Variables: map[string]string{"KEY": "v"}}}); err != nil {
		t.Fatal(err)
	}
	in := b.in.(*lambda.CreateFunctionInput)
	if len(in.Code.ZipFile) != len(zip) || *in.Runtime != lambda.RuntimePython312 || *in.Timeout != 3 || in.Environment.Variables["KEY"] != "v" {
		t.Errorf("input: %+v", in)
	}
	b.err = lambda.ResourceConflictException("Function already exist: fn")
	_, err := client.CreateFunction(t.Context(), &sdk.CreateFunctionInput{FunctionName: new("fn"), Role: new("arn:aws:iam::123456789012:role/r"), Code: &types.FunctionCode{ZipFile: []byte("x")}})
	if e, ok := errors.AsType[*types.ResourceConflictException](err); !ok || *e.Message != "Function already exist: fn" || *e.Type != "User" {
		t.Errorf("error %v (%+v)", err, e)
	}
	arn := "arn:aws:lambda:eu-central-1:123456789012:function:fn"
	if out, err := client.ListTags(t.Context(), &sdk.ListTagsInput{Resource: &arn}); err != nil || out.Tags["a"] != "b" || *b.in.(*lambda.ListTagsInput).Resource != arn {
		t.Errorf("error %v, input %+v", err, b.in)
	}
}

// A pattern that looks ahead is worded as in the model ("Lambda function URLs" in the
// recorded behaviour).
func TestLambdaQualifierPattern(t *testing.T) {
	f := serve(t, lambda.Bind(&lambdaBackend{}))
	res := f.raw(t, "GET", "/2021-10-31/functions/fn/url?Qualifier=1", "", "Authorization: "+signed("lambda"))
	want := `{"message":"1 validation error detected: Value '1' at 'qualifier' failed to satisfy constraint: Member must satisfy regular expression pattern: ((?!^\\d+$)^[0-9a-zA-Z-_]+$)"}`
	if got := text(t, res.Body); got != want || res.StatusCode != 400 || res.Header.Get("X-Amzn-Errortype") != "ValidationException" {
		t.Errorf("%d %s\nwant %s", res.StatusCode, got, want)
	}
}
