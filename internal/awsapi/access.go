package awsapi

import (
	"context"
	"io"
	"net/http"
)

// An Authenticator finds out who sent a request.
type Authenticator interface {
	// Authenticate verifies r, which is taken to be for service (as signed:
	// "apigateway"). For services whose bodies are held in memory, r.Body can be
	// read: the server gives the body back afterwards. For S3 it must not be read
	// to its end; Authentication.Body replaces it.
	//
	// A request that is not signed at all is the zero Authentication for S3, whose
	// bucket policies may allow it, and an error for the others. Errors are
	// *awserr.Error in the service's words; any other is an internal failure.
	Authenticate(r *http.Request, service string) (Authentication, error)

	// Expect judges r before its body is read, by all but the signature: the key that it
	// claims is known, its time is now. It is asked before a large body is taken into memory.
	// The error is that of Authenticate.
	Expect(r *http.Request, service string) error
}

// An Authentication is the outcome of a verified request.
type Authentication struct {
	Identity Identity
	Region   string // of the credential scope; "" for an unsigned request
	// Body, when not nil, takes the place of the request's: the decoded content of
	// an aws-chunked body, or one whose Read fails at its end when the content is
	// not what was signed.
	Body io.ReadCloser
	// Length of Body in bytes, -1 when it is not known. Of no meaning without Body.
	Length int64
}

// An Authorizer decides whether an authenticated caller may do what a call does.
type Authorizer interface {
	// Authorize returns nil when the call is allowed, otherwise an *awserr.Error in
	// the service's words (AccessDenied has them).
	Authorize(ctx context.Context, a Access) error
}

// An Access is what an Authorizer judges.
type Access struct {
	Call     *Call
	Action   string // "apigateway:GET", "s3:PutObject", "lambda:InvokeFunction"
	Resource string // ARN, or "*" for actions without one
	Input    any    // the decoded input, not yet validated; must not be modified
	Request  *http.Request
}
