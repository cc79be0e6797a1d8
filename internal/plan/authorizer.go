package plan

import (
	"time"

	"gatehouse/internal/lang/expression"
)

// An Authorizer is the compiled form of a Lambda or user pool authorizer, as one stage uses
// it: stage variables are already filled in.
type Authorizer struct {
	ID   string
	Kind AuthorizerKind

	// ARN is the source in whose name the function is called:
	// "arn:aws:execute-api:us-east-1:000000000000:abc123/authorizers/def456".
	ARN string

	// Broken says why the authorizer can never be asked, in the words of the execution log;
	// "" when it can.
	Broken string

	// Sources are the identity sources, in order: one header for TokenAuthorizer and
	// UserPoolAuthorizer, any number for RequestAuthorizer.
	Sources []IdentitySource

	// Validation must match the token; nil accepts all.
	Validation Pattern

	// TTL is how long answers are kept; 0 keeps none.
	TTL time.Duration

	// Memory names what answers are kept under, apart from the identity: API, stage, how
	// often its authorizers' answers were flushed, and everything that decides what is asked.
	Memory string

	// URI is the authorizer's as it was configured, Function the ARN in it.
	URI      string
	Function string

	// Credentials is the role that the function is called with; "" calls it as the service,
	// which the function's own policy must allow.
	Credentials string

	// Pools are the user pools whose tokens are accepted, as ARNs.
	Pools []string
}

// An IdentitySource is one value that tells callers apart.
type IdentitySource struct {
	expression.Expression
	Text string // as it was configured
}

// AuthorizerKind says what an authorizer is asked and by whom it is answered.
type AuthorizerKind uint8

// The kinds of authorizers.
const (
	TokenAuthorizer AuthorizerKind = iota
	RequestAuthorizer
	UserPoolAuthorizer
)
