package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrThrottled means that a function already runs as often at a time as it may. Lambda
// answers 429 TooManyRequestsException, with the reason ReservedFunctionConcurrentInvocationLimitExceeded.
var ErrThrottled = errors.New("Rate Exceeded.")

// ErrPayloadTooLarge means that the event is larger than MaxPayload. Lambda answers 413
// RequestTooLargeException.
var ErrPayloadTooLarge = fmt.Errorf("Request must be smaller than %d bytes for the InvokeFunction operation", MaxPayload)

// ErrClosed means that the Runner is shutting down.
var ErrClosed = errors.New("functions are shutting down")

// A NotContainedError means that this machine cannot keep functions apart from the
// server, and that running them regardless was not configured.
type NotContainedError struct {
	Reasons []string // what is missing, each a sentence
}

func (e *NotContainedError) Error() string {
	return "functions cannot be contained on this machine (" + strings.Join(e.Reasons, "; ") +
		"); allow user namespaces, or configure functions.sandbox: none to run them with the server's own rights"
}

// A RuntimeError means that a function's runtime cannot be run here. Lambda has no such
// error; callers see InvalidRuntimeException with this text.
type RuntimeError struct {
	Runtime string
	Problem string // what was looked for, what was found
}

func (e *RuntimeError) Error() string { return fmt.Sprintf("runtime %s: %s", e.Runtime, e.Problem) }

// failure is a function's failure in Lambda's words. It becomes the payload.
type failure struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

func (f failure) payload() []byte {
	b, err := json.Marshal(f)
	if err != nil {
		panic(err) // two strings
	}
	return b
}

// The failures that a runtime itself does not report.

func timedOut(id string, after time.Duration) failure {
	return failure{"Sandbox.Timedout", fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", id, after.Seconds())}
}

func exited(id string, how string) failure {
	return failure{"Runtime.ExitError", fmt.Sprintf("RequestId: %s Error: %s", id, how)}
}

func outOfMemory(id string) failure {
	return failure{"Runtime.OutOfMemory", fmt.Sprintf("RequestId: %s Error: Runtime exited with error: signal: killed", id)}
}

func tooLarge() failure {
	return failure{
		"Function.ResponseSizeTooLarge",
		fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", MaxPayload),
	}
}

func invalidEntrypoint(id, what string) failure {
	return failure{"Runtime.InvalidEntrypoint", fmt.Sprintf("RequestId: %s Error: %s", id, what)}
}

// errorType reads the type out of a failure's document, for the log.
func errorType(payload []byte) string {
	var f failure
	if json.Unmarshal(payload, &f) != nil || f.Type == "" {
		return "Runtime.Unknown"
	}
	return f.Type
}
