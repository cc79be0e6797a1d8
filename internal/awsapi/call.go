// Package awsapi is the management side of Gatehouse on the wire: it finds out which
// service and operation an HTTP request means, asks who sent it and whether they may,
// decodes and validates it by the service's model, calls the Backend that control
// packages fill, and writes the answer in the service's protocol.
//
// The protocols are one package each (restjson, jsonrpc, query, restxml) over the
// tables that internal/awsapi/generate makes (gen/...); errors are awserr's. A Server
// is safe for concurrent use.
package awsapi

import (
	"context"
	"net/netip"
	"time"

	"gatehouse/internal/awsapi/schema"
)

// A Call is what an operation may want to know about the request that it serves.
type Call struct {
	Account   string // 12 digits, of the caller
	Region    string // of the credential scope, or the default region of unsigned calls
	Service   string // as signed: "apigateway"
	Operation *schema.Operation
	RequestID string // a UUID; S3: 16 hexadecimal digits
	HostID    string // S3's extended request id; "" elsewhere
	Identity  Identity
	Received  time.Time  // by the server's clock
	Source    netip.Addr // of the client
	UserAgent string
	Host      string // as sent, with port
	TLS       bool
}

// An Identity is who sent a request. The zero Identity is a caller without credentials.
type Identity struct {
	Kind      IdentityKind
	Account   string // 12 digits
	ARN       string // "arn:aws:iam::ACCOUNT:root", "…:user/path/name", "arn:aws:sts::ACCOUNT:assumed-role/role/session"
	ID        string // aws:userid: the account for root, "AIDA…" for users, "AROA…:session" for roles
	Name      string // the user's name, or the role's for sessions
	RoleARN   string // of a session: "arn:aws:iam::ACCOUNT:role/path/name"
	AccessKey string // the access key id that signed
	Session   any    // what the issuer of a session wants to find again; nil for long-term keys
}

// IdentityKind tells the sorts of identities apart.
type IdentityKind uint8

// The kinds of identities.
const (
	Anonymous IdentityKind = iota
	Root
	User
	AssumedRole
	FederatedUser
)

type callKey struct{}

// WithCall returns a context that carries c. The server does so; tests of control
// packages may.
func WithCall(ctx context.Context, c *Call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

// CallFrom returns the Call that ctx carries. It must not be modified. It panics when
// there is none: every context that a Backend is called with has one.
func CallFrom(ctx context.Context) *Call {
	c, ok := ctx.Value(callKey{}).(*Call)
	if !ok {
		panic("awsapi: the context carries no Call")
	}
	return c
}
