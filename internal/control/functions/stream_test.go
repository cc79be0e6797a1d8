package functions_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// node is the runtime that this machine's Node.js serves.
func (f *fixture) node() types.Runtime {
	f.t.Helper()
	for _, v := range []string{"nodejs20.x", "nodejs22.x", "nodejs24.x"} {
		if f.runner.Check(v) == nil {
			return types.Runtime(v)
		}
	}
	f.t.Fatal("no Node.js 20, 22 or 24 found: run `make test-deps`")
	return ""
}

// An answer arrives in parts while the function writes it; then comes how it ended.
func TestInvokeWithResponseStream(t *testing.T) {
	f := newFixture(t)
	f.create("s", "", func(in *sdk.CreateFunctionInput) {
		in.Runtime, in.Publish = f.node(), true
		in.Code = &types.FunctionCode{ZipFile: zipped(t, map[string]string{"m.js": `
exports.handler = awslambda.streamifyResponse(async (event, out, context) => {
  if (event.fail === 'before') throw new TypeError('at once');
  console.log('streaming');
  out.write('first ');
  await new Promise((done) => setTimeout(done, 300));
  if (event.fail === 'midway') throw new TypeError('later');
  out.write('second');
  out.end();
});`})}
	})
	type answer struct {
		parts         []string
		code, details string
		log           string
	}
	ask := func(in *sdk.InvokeWithResponseStreamInput) (a answer, out *sdk.InvokeWithResponseStreamOutput) {
		t.Helper()
		in.FunctionName, in.LogType = aws.String("s"), types.LogTypeTail
		out, err := f.InvokeWithResponseStream(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		stream := out.GetStream()
		defer stream.Close()
		for e := range stream.Events() {
			switch e := e.(type) {
			case *types.InvokeWithResponseStreamResponseEventMemberPayloadChunk:
				a.parts = append(a.parts, string(e.Value.Payload))
			case *types.InvokeWithResponseStreamResponseEventMemberInvokeComplete:
				a.code, a.details = aws.ToString(e.Value.ErrorCode), aws.ToString(e.Value.ErrorDetails)
				log, err := base64.StdEncoding.DecodeString(aws.ToString(e.Value.LogResult))
				if err != nil {
					t.Error(err)
				}
				a.log = string(log)
			}
		}
		if err := stream.Err(); err != nil {
			t.Fatal(err)
		}
		return a, out
	}
	whole, out := ask(&sdk.InvokeWithResponseStreamInput{Qualifier: aws.String("1")})
	if strings.Join(whole.parts, "|") != "first |second" || whole.code != "" || !strings.Contains(whole.log, "streaming") || !strings.Contains(whole.log, "REPORT ") {
		t.Errorf("streamed: %+v", whole)
	}
	if aws.ToString(out.ExecutedVersion) != "1" || out.StatusCode != 200 {
		t.Errorf("its head: %+v", out)
	}
	if got, _ := ask(&sdk.InvokeWithResponseStreamInput{Payload: []byte(`{"fail":"before"}`)}); got.code != "Unhandled" || !strings.Contains(got.details, `"errorMessage":"at once"`) {
		t.Errorf("failed at once: %+v", got)
	}
	if got, _ := ask(&sdk.InvokeWithResponseStreamInput{Payload: []byte(`{"fail":"midway"}`)}); strings.Join(got.parts, "") != "first " || got.code != "Unhandled" || !strings.Contains(got.details, "later") {
		t.Errorf("failed midway: %+v", got)
	}
	_, err := f.InvokeWithResponseStream(t.Context(), &sdk.InvokeWithResponseStreamInput{FunctionName: aws.String("none")})
	refused(t, err, "ResourceNotFoundException", "function:none")
}

// A function that answers in one piece can be streamed too, and a streaming one called
// without.
func TestStreamingAndNot(t *testing.T) {
	f := newFixture(t)
	f.create("whole", `"all of it"`, nil)
	out, err := f.InvokeWithResponseStream(t.Context(), &sdk.InvokeWithResponseStreamInput{FunctionName: aws.String("whole")})
	if err != nil {
		t.Fatal(err)
	}
	stream, got := out.GetStream(), ""
	defer stream.Close()
	for e := range stream.Events() {
		if part, ok := e.(*types.InvokeWithResponseStreamResponseEventMemberPayloadChunk); ok {
			got += string(part.Value.Payload)
		}
	}
	if got != `"all of it"` || stream.Err() != nil {
		t.Errorf("streamed: %s, %v", got, stream.Err())
	}
	f.create("parts", "", func(in *sdk.CreateFunctionInput) {
		in.Runtime = f.node()
		in.Code = &types.FunctionCode{ZipFile: zipped(t, map[string]string{"m.js": `exports.handler = awslambda.streamifyResponse(async (e, out) => { out.write('["a",'); out.write('"b"]'); out.end(); });`})}
	})
	if got := f.call("parts", "{}"); got != `["a","b"]` {
		t.Errorf("in one piece: %s", got)
	}
}
