package functions

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"gatehouse/internal/awsapi/gen/lambda"
	"gatehouse/internal/runtime"
)

// destinations reads where the outcome of events goes: nil for what is not given, "" for
// none. Functions can be told of both outcomes, buckets of failures.
func destinations(d *lambda.DestinationConfig, own string) (success, failure *string, err error) {
	none := ""
	if d == nil {
		return nil, nil, nil
	}
	if d.OnSuccess != nil {
		if success = d.OnSuccess.Destination; success == nil {
			success = &none
		}
	}
	if d.OnFailure != nil {
		if failure = d.OnFailure.Destination; failure == nil {
			failure = &none
		}
	}
	for _, to := range []*string{success, failure} {
		if to == nil || *to == "" {
			continue
		}
		_, name, _, isFunction := splitARN(*to)
		switch {
		case isFunction && strings.HasPrefix(*to, own) && strings.HasSuffix(own, ":"+name):
			return nil, nil, invalid("The destination of a function cannot be the function itself: " + *to)
		case isFunction, strings.HasPrefix(*to, bucketPrefix) && to == failure:
		default:
			return nil, nil, invalid("The destination " + *to + " is not supported by Gatehouse: want the ARN of a function, or for OnFailure of a bucket")
		}
	}
	return success, failure, nil
}

const bucketPrefix = "arn:aws:s3:::"

// An eventCaller carries out queued events: by what the ARN leads to now, counted like
// other calls.
type eventCaller struct{ f *Functions }

// Invoke implements runtime.Invoker.
func (c eventCaller) Invoke(ctx context.Context, _ *runtime.Function, req runtime.Request) (runtime.Result, error) {
	return c.f.Call(ctx, req.InvokedARN, req)
}

// maxHops is how many functions may hand an event on to each other before that is taken for
// a loop (Lambda guide, "recursive loop detection").
const maxHops = 16

// outcome is the record of an event that destinations get (Lambda guide, "Capturing records
// of Lambda asynchronous invocations").
type outcome struct {
	Version         string          `json:"version"`
	Timestamp       string          `json:"timestamp"`
	RequestContext  outcomeRequest  `json:"requestContext"`
	RequestPayload  json.RawMessage `json:"requestPayload"`
	Response        *outcomeAnswer  `json:"responseContext,omitempty"`
	ResponsePayload json.RawMessage `json:"responsePayload,omitempty"`
}

type outcomeRequest struct {
	RequestID   string `json:"requestId"`
	FunctionARN string `json:"functionArn"`
	Condition   string `json:"condition"`
	Invocations int    `json:"approximateInvokeCount"`
}

type outcomeAnswer struct {
	StatusCode      int    `json:"statusCode"`
	ExecutedVersion string `json:"executedVersion"`
	FunctionError   string `json:"functionError,omitempty"`
}

// eventDone tells the function's destination what became of an event, and the log what was
// given up.
func (f *Functions) eventDone(r runtime.Record) {
	arn := r.Event.Request.InvokedARN
	log := f.Log.With("function", arn, "request", r.Event.Request.ID, "reason", r.Reason, "tries", r.Tries)
	if r.Reason != "Success" {
		log.Warn("an asynchronous event was given up", "error", r.Err, "functionError", r.Result.FunctionError)
	}
	sc, name, qualifier, _ := splitARN(arn)
	e := f.find(sc, name)
	if e == nil {
		return
	}
	settings := e.fn.Events[eventsOf(qualifier)]
	to := settings.Success
	if r.Reason != "Success" {
		to = settings.Failure
	}
	v, _ := version(&e.fn, qualifier)
	if to == "" || v == nil {
		return
	}
	if err := f.deliver(v.Role, to, r); err != nil {
		log.Error("the outcome of an asynchronous event did not reach its destination", "destination", to, "error", err)
	}
}

// deliverTime bounds the delivery of an outcome.
const deliverTime = 30 * time.Second

// deliver hands an event's outcome on in the name of the function's role.
func (f *Functions) deliver(role, to string, r runtime.Record) error {
	ctx, cancel := context.WithTimeout(context.Background(), deliverTime)
	defer cancel()
	document, err := json.Marshal(record(r))
	if err != nil {
		return err
	}
	if bucket, ok := strings.CutPrefix(to, bucketPrefix); ok {
		sc, name, _, _ := splitARN(r.Event.Request.InvokedARN)
		now := time.Now().UTC()
		key := fmt.Sprintf("aws/lambda/async/%s/%s/%s/%s-%s", name, sc.Region, now.Format("2006/01/02"), now.Format("2006-01-02T15.04.05"), r.Event.Request.ID)
		return f.PutObject(ctx, role, bucket, key, document)
	}
	if r.Event.Hops >= maxHops {
		return fmt.Errorf("%d functions handed the event on already: that is a loop", r.Event.Hops)
	}
	if err := f.MayAs(ctx, role, "lambda", "lambda:InvokeFunction", to); err != nil {
		return err
	}
	sc, name, qualifier, ok := splitARN(to)
	if !ok {
		return ErrNoFunction
	}
	t, err := f.target(ctx, sc, name, qualifier)
	if err != nil {
		return err
	}
	e := t.event(runtime.Request{Payload: document, InvokedARN: to})
	e.Hops = r.Event.Hops + 1
	_, err = f.queue.Add(e)
	return err
}

// record describes what became of an event.
func record(r runtime.Record) *outcome {
	arn := r.Event.Request.InvokedARN
	if _, _, qualifier, _ := splitARN(arn); qualifier == "" {
		arn += ":" + latest
	}
	o := &outcome{
		Version: "1.0", Timestamp: time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), RequestPayload: r.Event.Request.Payload,
		RequestContext: outcomeRequest{RequestID: r.Event.Request.ID, FunctionARN: arn, Condition: r.Reason, Invocations: r.Tries},
	}
	if len(o.RequestPayload) == 0 {
		o.RequestPayload = json.RawMessage("{}")
	}
	if r.Tries > 0 && r.Err == nil {
		o.Response = &outcomeAnswer{StatusCode: 200, ExecutedVersion: r.Result.Version, FunctionError: r.Result.FunctionError}
		if json.Valid(r.Result.Payload) {
			o.ResponsePayload = r.Result.Payload
		}
	}
	return o
}
