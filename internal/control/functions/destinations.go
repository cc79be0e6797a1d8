package functions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
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
		case isFunction, isMessaging(*to), strings.HasPrefix(*to, bucketPrefix) && to == failure:
		default:
			return nil, nil, invalid("The destination " + *to + " is not supported by Gatehouse: want the ARN of a function, a standard queue, a standard topic or an event bus, or for OnFailure of a bucket")
		}
	}
	return success, failure, nil
}

const bucketPrefix = "arn:aws:s3:::"

// messaging are the services, beside functions and buckets, that outcomes are handed to.
// Ordered queues and topics are none (Lambda guide, "Adding a destination").
var messaging = regexp.MustCompile(`^arn:aws:(sqs|sns):[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$|^arn:aws:events:[a-z0-9-]+:[0-9]{12}:event-bus/[A-Za-z0-9._/-]+$`)

func isMessaging(arn string) bool { return messaging.MatchString(arn) }

// An Outcome is what became of an asynchronous call, on its way to a queue, topic or event bus.
type Outcome struct {
	To       string // ARN of the destination
	Function string // ARN of the function that was called, with its qualifier
	Success  bool
	Document []byte // the record, JSON
}

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
// given up. It reports false when it was interrupted by ctx: the event is not over then.
func (f *Functions) eventDone(ctx context.Context, r runtime.Record) (told bool) {
	arn := r.Event.Request.InvokedARN
	log := f.Log.With("function", arn, "request", r.Event.Request.ID, "reason", r.Reason, "tries", r.Event.Tries)
	if r.Reason != "Success" {
		log.Warn("an asynchronous event was given up", "error", r.Err, "functionError", r.Result.FunctionError)
	}
	sc, name, qualifier, _ := splitARN(arn)
	e := f.find(sc, name)
	if e == nil {
		return true
	}
	settings := e.fn.Events[eventsOf(qualifier)]
	to := settings.Success
	if r.Reason != "Success" {
		to = settings.Failure
	}
	v, _ := version(&e.fn, qualifier)
	if to == "" || v == nil {
		return true
	}
	for try := 0; ; try++ {
		err := f.deliver(ctx, v.Role, to, r)
		if err == nil {
			return true
		}
		if ctx.Err() != nil || errors.Is(err, runtime.ErrClosed) {
			return false
		}
		if try == len(deliverAgain) {
			log.Error("the outcome of an asynchronous event did not reach its destination", "destination", to, "error", err)
			return true
		}
		select {
		case <-time.After(deliverAgain[try]):
		case <-ctx.Done():
			return false
		}
	}
}

// deliverTime bounds one delivery of an outcome; deliverAgain are the pauses before others.
const deliverTime = 20 * time.Second

var deliverAgain = []time.Duration{time.Second, 10 * time.Second}

// deliver hands an event's outcome on in the name of the function's role.
func (f *Functions) deliver(ctx context.Context, role, to string, r runtime.Record) error {
	ctx, cancel := context.WithTimeout(ctx, deliverTime)
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
	if isMessaging(to) {
		return f.Send(ctx, role, Outcome{To: to, Function: qualifiedARN(r), Success: r.Reason == "Success", Document: document})
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
	_, err = f.queue.Add(ctx, e)
	return err
}

// qualifiedARN is the ARN of the function that an event was for, with the qualifier.
func qualifiedARN(r runtime.Record) string {
	arn := r.Event.Request.InvokedARN
	if _, _, qualifier, _ := splitARN(arn); qualifier == "" {
		arn += ":" + latest
	}
	return arn
}

// record describes what became of an event.
func record(r runtime.Record) *outcome {
	o := &outcome{
		Version: "1.0", Timestamp: time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), RequestPayload: r.Event.Request.Payload,
		RequestContext: outcomeRequest{RequestID: r.Event.Request.ID, FunctionARN: qualifiedARN(r), Condition: r.Reason, Invocations: r.Event.Tries},
	}
	if len(o.RequestPayload) == 0 {
		o.RequestPayload = json.RawMessage("{}")
	}
	if r.Event.Tries > 0 && r.Err == nil {
		o.Response = &outcomeAnswer{StatusCode: 200, ExecutedVersion: r.Result.Version, FunctionError: r.Result.FunctionError}
		if json.Valid(r.Result.Payload) {
			o.ResponsePayload = r.Result.Payload
		}
	}
	return o
}
