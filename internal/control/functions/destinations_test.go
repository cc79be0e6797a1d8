package functions_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// outcome is the record that destinations get.
type outcome struct {
	Version        string
	RequestContext struct {
		RequestID, FunctionArn, Condition string
		ApproximateInvokeCount            int
	}
	RequestPayload  any
	ResponseContext struct {
		StatusCode                     int
		ExecutedVersion, FunctionError string
	}
	ResponsePayload any
}

func (f *fixture) send(name, payload string) {
	f.t.Helper()
	if _, err := f.Invoke(f.t.Context(), &sdk.InvokeInput{FunctionName: &name, InvocationType: types.InvocationTypeEvent, Payload: []byte(payload)}); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) outcome() (o outcome, key string) {
	f.t.Helper()
	select {
	case w := <-f.written:
		if err := json.Unmarshal([]byte(w.body), &o); err != nil || w.bucket != "outcomes" {
			f.t.Fatalf("%+v: %v", w, err)
		}
		return o, w.key
	case <-time.After(20 * time.Second):
		f.t.Fatal("no outcome was written")
		return o, ""
	}
}

// What becomes of events is told to functions and buckets.
func TestDestinations(t *testing.T) {
	f := newFixture(t)
	const bucket = "arn:aws:s3:::outcomes"
	arn := func(name string) *string { return aws.String("arn:aws:lambda:us-east-1:000000000000:function:" + name) }
	configure := func(name string, success, failure *string) error {
		_, err := f.PutFunctionEventInvokeConfig(t.Context(), &sdk.PutFunctionEventInvokeConfigInput{
			FunctionName: &name, MaximumRetryAttempts: aws.Int32(0),
			DestinationConfig: &types.DestinationConfig{OnSuccess: &types.OnSuccess{Destination: success}, OnFailure: &types.OnFailure{Destination: failure}},
		})
		return err
	}
	f.create("fails", "1/0", nil)
	if err := configure("fails", nil, aws.String(bucket)); err != nil {
		t.Fatal(err)
	}
	f.send("fails", `{"n":1}`)
	o, key := f.outcome()
	if o.Version != "1.0" || o.RequestContext.Condition != "RetriesExhausted" || o.RequestContext.ApproximateInvokeCount != 1 || o.RequestContext.FunctionArn != *arn("fails")+":$LATEST" ||
		o.ResponseContext.FunctionError != "Unhandled" || o.ResponseContext.ExecutedVersion != "$LATEST" || !strings.Contains(key, "aws/lambda/async/fails/") {
		t.Errorf("a failure: %s %+v", key, o)
	}

	// Success goes to a function, whose own failure, with the record as event, goes on to the bucket.
	f.create("works", `{"got": event}`, nil)
	f.create("next", "1/0", nil)
	if err := configure("works", arn("next"), nil); err != nil {
		t.Fatal(err)
	}
	if err := configure("next", nil, aws.String(bucket)); err != nil {
		t.Fatal(err)
	}
	f.send("works", `{"n":2}`)
	o, _ = f.outcome()
	handed, err := json.Marshal(o.RequestPayload)
	if err != nil {
		t.Fatal(err)
	}
	var inner outcome
	if err := json.Unmarshal(handed, &inner); err != nil || inner.RequestContext.Condition != "Success" || inner.RequestContext.FunctionArn != *arn("works")+":$LATEST" {
		t.Errorf("what the next function got: %s, %v", handed, err)
	}

	listed, err := f.ListFunctionEventInvokeConfigs(t.Context(), &sdk.ListFunctionEventInvokeConfigsInput{FunctionName: aws.String("works")})
	if err != nil || len(listed.FunctionEventInvokeConfigs) != 1 || aws.ToString(listed.FunctionEventInvokeConfigs[0].DestinationConfig.OnSuccess.Destination) != *arn("next") {
		t.Errorf("listed: %+v, %v", listed, err)
	}
	for _, c := range []struct {
		success, failure *string
		want             string
	}{
		{arn("works"), nil, "cannot be the function itself"},
		{aws.String(bucket), nil, "or for OnFailure of a bucket"},
		{nil, aws.String("arn:aws:sqs:us-east-1:000000000000:queue.fifo"), "queue.fifo is not supported by Gatehouse"},
		{aws.String("arn:aws:kinesis:us-east-1:000000000000:stream/s"), nil, "is not supported by Gatehouse"},
	} {
		refused(t, configure("works", c.success, c.failure), "InvalidParameterValueException", c.want)
	}
}

// Functions that hand events on to each other in a circle are stopped.
func TestLoopOfDestinationsEnds(t *testing.T) {
	f := newFixture(t)
	for name, next := range map[string]string{"ping": "pong", "pong": "ping"} {
		f.create(name, "None", func(in *sdk.CreateFunctionInput) { in.Description = aws.String("hands on to " + next) })
		if _, err := f.PutFunctionEventInvokeConfig(t.Context(), &sdk.PutFunctionEventInvokeConfigInput{
			FunctionName:      &name,
			DestinationConfig: &types.DestinationConfig{OnSuccess: &types.OnSuccess{Destination: aws.String("arn:aws:lambda:us-east-1:000000000000:function:" + next)}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	f.send("ping", "1")
	for until := time.Now().Add(30 * time.Second); !strings.Contains(f.log.String(), "that is a loop"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("the loop did not end")
		}
	}
}
