// Package awserr holds the errors that operations answer. Generated constructors
// (apigateway.NotFoundException("...")) make the modelled ones; New makes any other.
// The codecs of internal/awsapi turn them into the form of each protocol; any error
// that is not an *Error becomes an internal failure without its text.
package awserr

import (
	"errors"
	"fmt"
	"net/http"
)

// An Error is an AWS exception: what the caller may read.
type Error struct {
	Code    string   // as sent, e.g. "NotFoundException"
	Status  int      // HTTP status
	Message string   // safe for the caller
	Details []Detail // further modelled members
	Header  []Detail // headers of the answer that the model does not know; values are strings
	Cause   error    // for the log only; may be nil
}

// A Detail is a further member of an exception, or a header of its answer.
type Detail struct {
	Name  string // the model's name, or the header's
	Value any    // string, bool, int32, int64, float64, time.Time or []string
}

// New returns an error that no model declares.
func New(code string, status int, message string) *Error {
	return &Error{Code: code, Status: status, Message: message}
}

// Newf is New with a format.
func Newf(code string, status int, format string, args ...any) *Error {
	return New(code, status, fmt.Sprintf(format, args...))
}

// With adds a member called name, as the model spells it, and returns e.
func (e *Error) With(name string, value any) *Error {
	e.Details = append(e.Details, Detail{name, value})
	return e
}

// WithHeader adds a header to the answer and returns e.
func (e *Error) WithHeader(name, value string) *Error {
	e.Header = append(e.Header, Detail{name, value})
	return e
}

// Because keeps the cause for the log and returns e.
func (e *Error) Because(cause error) *Error {
	e.Cause = cause
	return e
}

// Error gives code and message; the cause is not part of it.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Sender reports whether the caller is at fault, not the service.
func (e *Error) Sender() bool { return e.Status < 500 }

// As returns the *Error in err's chain, or nil.
func As(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return nil
}

// Code returns the code of the *Error in err's chain, or "".
func Code(err error) string {
	if e := As(err); e != nil {
		return e.Code
	}
	return ""
}

// CodeNotImplemented is the code of a call that Gatehouse knows and does not serve.
const CodeNotImplemented = "NotImplementedException"

// NotImplemented is the answer to an operation that Gatehouse does not serve. It says
// who does not, because the real service would.
func NotImplemented(service, operation string) *Error {
	return Newf(CodeNotImplemented, http.StatusNotImplemented,
		"Gatehouse does not implement the operation %s of %s.", operation, service)
}

// UnknownService is the answer to a call signed for a service that Gatehouse does not have.
func UnknownService(service string) *Error {
	return Newf(CodeNotImplemented, http.StatusNotImplemented,
		"Gatehouse does not implement the service %s.", service)
}

// Internal is the answer when the server itself failed. The cause goes to the log only.
func Internal(cause error) *Error {
	return New("InternalFailure", http.StatusInternalServerError,
		"The request processing has failed because of an unknown error, exception or failure.").Because(cause)
}

// Validation is a request that breaks the service's model; the text carries all violations.
func Validation(message string) *Error {
	return New("ValidationException", http.StatusBadRequest, message)
}

// Serialization is a body that cannot be read as the operation's input.
func Serialization(message string) *Error {
	return New("SerializationException", http.StatusBadRequest, message)
}

// Serializationf is Serialization with a format.
func Serializationf(format string, args ...any) *Error {
	return Serialization(fmt.Sprintf(format, args...))
}
