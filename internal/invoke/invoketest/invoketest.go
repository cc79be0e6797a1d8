// Package invoketest has an Invoker for tests: functions are Go functions by ARN.
package invoketest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"

	"gatehouse/internal/invoke"
)

// A Function is called in place of a function. What it returns is the answer; a
// *FunctionError makes a failed function, an *invoke.Error a call that does not come to
// one.
type Function func(ctx context.Context, c *invoke.Call) (payload []byte, err error)

// A FunctionError is an unhandled error of a function.
type FunctionError struct{ Type, Message string }

func (e *FunctionError) Error() string { return e.Type + ": " + e.Message }

// Functions is an invoke.Invoker. The zero value knows no function and permits no call;
// its methods may be called concurrently.
type Functions struct {
	mu        sync.Mutex
	functions map[string]Function
	calls     []invoke.Call
}

// Set makes f what is called by an ARN, and permits everybody to.
func (fs *Functions) Set(arn string, f Function) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.functions == nil {
		fs.functions = make(map[string]Function)
	}
	fs.functions[arn] = f
}

// Answer makes a function that always answers the same.
func Answer(payload string) Function {
	return func(context.Context, *invoke.Call) ([]byte, error) { return []byte(payload), nil }
}

// Calls returns the calls so far, in order of their arrival.
func (fs *Functions) Calls() []invoke.Call {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return slices.Clone(fs.calls)
}

// Invoke implements invoke.Invoker. Calls to unknown functions are not permitted, as
// those without credentials are by the real one.
func (fs *Functions) Invoke(ctx context.Context, c *invoke.Call) (*invoke.Result, error) {
	fs.mu.Lock()
	f := fs.functions[c.Function]
	fs.calls = append(fs.calls, *c)
	id := fmt.Sprintf("00000000-0000-4000-8000-%012d", len(fs.calls))
	fs.mu.Unlock()
	if f == nil {
		return nil, invoke.Errorf(invoke.NotPermitted, nil, invoke.NotPermittedMessage)
	}
	limit := invoke.MaxPayload
	if c.Async {
		limit = invoke.MaxAsyncPayload
	}
	if len(c.Payload) > limit {
		return nil, invoke.Errorf(invoke.TooLarge, nil, "payload of %d bytes: want at most %d", len(c.Payload), limit)
	}
	payload, err := f(ctx, c)
	if failed, ok := err.(*FunctionError); ok {
		document, err := json.Marshal(map[string]string{"errorType": failed.Type, "errorMessage": failed.Message})
		if err != nil {
			return nil, err
		}
		return &invoke.Result{Status: 200, RequestID: id, Version: "$LATEST", Payload: document, FunctionError: "Unhandled"}, nil
	}
	if err != nil {
		return nil, err
	}
	if c.Async {
		return &invoke.Result{Status: 202, RequestID: id}, nil
	}
	return &invoke.Result{Status: 200, RequestID: id, Version: "$LATEST", Payload: payload}, nil
}

// Stream implements invoke.Invoker: the answer comes in one piece.
func (fs *Functions) Stream(ctx context.Context, c *invoke.Call) (*invoke.Stream, error) {
	r, err := fs.Invoke(ctx, c)
	if err != nil {
		return nil, err
	}
	return &invoke.Stream{
		RequestID: r.RequestID, Version: r.Version, FunctionError: r.FunctionError, Body: io.NopCloser(bytes.NewReader(r.Payload)),
	}, nil
}
