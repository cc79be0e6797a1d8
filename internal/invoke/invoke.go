// Package invoke is what requests know of functions: an Invoker, what a call to it says,
// and what may come of it. The gateway calls functions through it, for integrations and
// authorizers; the server fills it. Package invoketest has an Invoker for tests.
//
// The gateway says who asks (an Authority), and the Invoker judges whether that may call
// the function: no call reaches a function that its policy, or the credentials, do not let.
package invoke

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"time"

	"gatehouse/internal/awsapi/sigv4"
)

// An Invoker calls functions. Implementations are safe for concurrent use and work
// without the store: what is known of functions is in memory.
type Invoker interface {
	// Invoke judges the permission, calls the function and waits for its answer, or, when
	// the call is asynchronous, until the event is accepted. A function that failed,
	// timed out or could not begin is a Result with FunctionError. Errors are an *Error, or
	// ctx's when it ended first: the function then goes on without anybody to answer to.
	Invoke(ctx context.Context, c *Call) (*Result, error)

	// Stream is Invoke for an answer that is read as the function writes it. It returns
	// when the answer begins. Call.Async must not be set. Payloads of functions that answer
	// in one piece come as a stream too.
	Stream(ctx context.Context, c *Call) (*Stream, error)
}

// A Call is one event for one function. The Invoker does not modify it and does not keep
// it, but for Payload, which must not change afterwards.
type Call struct {
	// Function is the ARN of the function, with a version or alias where one is meant:
	// "arn:aws:lambda:us-east-1:123456789012:function:name:alias". Permissions are those of
	// exactly what is named: a statement of the function does not open its alias.
	Function string

	// Payload is JSON, at most MaxPayload bytes (MaxAsyncPayload for asynchronous calls).
	// Empty means {}.
	Payload []byte

	// WellFormed says that Payload is known to be JSON: the gateway wrote it, and it need not be
	// read through again.
	WellFormed bool

	// Async asks for InvocationType Event: the call returns once the event is accepted.
	Async bool

	// By says in whose name the function is called.
	By Authority

	Tail          bool   // Result.LogTail is wanted
	ClientContext string // JSON; "" without
	TraceID       string // value of X-Amzn-Trace-Id; "" without
}

// Limits of events and answers, in bytes (Lambda quotas).
const (
	MaxPayload      = 6_291_556
	MaxAsyncPayload = 1 << 20
)

// CallerCredentials, as credentials of an integration, means those of the request's caller.
const CallerCredentials = "arn:aws:iam::*:user/*"

// An Authority is in whose name API Gateway calls a function
// (routing-and-integrations.md, section 4.3):
//
//   - without Credentials, the function's resource policy must have a statement for the
//     service apigateway.amazonaws.com, with Source as aws:SourceArn and Account as
//     aws:SourceAccount;
//   - with the ARN of a role, the role's trust policy must let the service assume it, and
//     its policies, or the function's resource policy, must allow lambda:InvokeFunction;
//   - with CallerCredentials, the policies of Caller, or the function's resource policy,
//     must allow it. Without a Caller the call is refused.
//
// A role or caller of another account than the function's needs both to allow it.
type Authority struct {
	// Source is the ARN of the method or authorizer:
	// "arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/GET/pets/{id}" with the resource's
	// method and path as configured (ANY, {proxy+}), ".../authorizers/ID" for authorizers.
	Source string

	Account     string           // that owns the API, 12 digits
	Credentials string           // "", a role's ARN or CallerCredentials
	Caller      *sigv4.Principal // who signed the request; nil when nobody did
	Client      netip.Addr       // aws:SourceIp of Caller's policies; the zero Addr fails conditions on it
}

// A Result is what a call came to.
type Result struct {
	Status    int    // as Lambda answers: 200, asynchronous calls 202
	RequestID string // Lambda's
	Version   string // that was executed: "$LATEST" or a number; "" when that is not known

	// Payload is the function's answer, or with FunctionError a document with errorType and
	// errorMessage. Asynchronous calls have none.
	Payload []byte

	// FunctionError is "" when the function answered. Otherwise "Unhandled", or what a
	// function says that runs elsewhere.
	FunctionError string

	LogTail []byte        // the last 4 KB of the call's log, with Call.Tail
	Took    time.Duration // from event to answer; 0 when it runs elsewhere
}

// Failure reads the document of a function that failed. Members that the document does not
// have as text are "". A function that ran out of time has the type "Sandbox.Timedout".
func (r *Result) Failure() (errorType, errorMessage string) { return failure(r.Payload) }

func failure(document []byte) (errorType, errorMessage string) {
	var d struct {
		Type    any `json:"errorType"`
		Message any `json:"errorMessage"`
	}
	if json.Unmarshal(document, &d) != nil {
		return "", ""
	}
	errorType, _ = d.Type.(string)
	errorMessage, _ = d.Message.(string)
	return errorType, errorMessage
}

// A Stream is an answer that is read while the function writes it.
type Stream struct {
	RequestID   string
	Version     string // as in Result
	ContentType string // as the function's runtime said it; "" when it did not

	// FunctionError is "Unhandled" when the function failed before it answered; Body then
	// has the document.
	FunctionError string

	// Body has the answer. Reading it ends in a *StreamError when the function failed
	// after it had begun to answer, for running out of time also. The caller closes it;
	// closing it early does not stop the function.
	Body io.ReadCloser
}

// A StreamError is the failure of a function that had begun to answer.
type StreamError struct {
	Payload []byte // document with errorType and errorMessage
}

func (e *StreamError) Error() string {
	kind, message := failure(e.Payload)
	return fmt.Sprintf("function failed while it streamed its answer: %s: %s", kind, message)
}

// A Kind is why a function was not called.
type Kind uint8

const (
	// Unavailable: the function could not be reached, or Gatehouse is shutting down.
	Unavailable Kind = iota
	// NotPermitted: neither the function's policy nor the credentials let the caller. It is
	// also the answer for a function that does not exist, where no role is used.
	NotPermitted
	// NotFound: there is no such function, version or alias.
	NotFound
	// Throttled: the function runs as often at a time as it may, or too many events wait.
	Throttled
	// TooLarge: the payload is larger than it may be.
	TooLarge
	// NotRunnable: this machine cannot run the function: its interpreter is missing, or
	// functions cannot be contained. Error.Message says what is missing.
	NotRunnable
	// BadRequest: the payload is not JSON, or the ARN is not one of a function.
	BadRequest
)

// An Error is why a function was not called, as Lambda would have said it.
type Error struct {
	Kind      Kind
	Status    int    // of Lambda's answer: 403, 404, 413, 429, 500, 502
	Type      string // of Lambda's answer: "AccessDeniedException"
	Message   string // for execution logs; it may name ARNs, and is not for clients
	RequestID string // Lambda's; "" when none was given
	Cause     error  // for the service log; may be nil
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Message + ": " + e.Cause.Error()
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Cause }

// answers are Lambda's status and type for each kind (Lambda API, Invoke, errors).
var answers = [...]struct {
	status int
	kind   string
}{
	Unavailable: {500, "ServiceException"}, NotPermitted: {403, "AccessDeniedException"}, NotFound: {404, "ResourceNotFoundException"},
	Throttled: {429, "TooManyRequestsException"}, TooLarge: {413, "RequestTooLargeException"},
	NotRunnable: {502, "InvalidRuntimeException"}, BadRequest: {400, "InvalidRequestContentException"},
}

// Errorf returns an Error of a kind with Lambda's status and type.
func Errorf(kind Kind, cause error, format string, args ...any) *Error {
	a := answers[kind]
	return &Error{Kind: kind, Status: a.status, Type: a.kind, Message: fmt.Sprintf(format, args...), Cause: cause}
}

// NotPermittedMessage is the execution log's text for a call without permission.
const NotPermittedMessage = "Invalid permissions on Lambda function"
