// Package functionurl serves Lambda function URLs on the data ports: it finds the function
// by host name, judges who calls, makes the event (payload format 2.0), and turns the
// function's answer into the response. The server puts a Handler in front of the gateway,
// and fills its interfaces.
//
// A Handler is safe for concurrent use.
package functionurl

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"gatehouse/internal/awsapi/sigv4"
	"gatehouse/internal/hold"
	"gatehouse/internal/invoke"
	"gatehouse/internal/message"
)

// A URL is what requests need to know of a function URL. It is not modified.
type URL struct {
	ID       string
	Region   string
	Account  string
	Function string // ARN, with the alias that the URL belongs to
	IAM      bool   // AuthType is AWS_IAM, else NONE
	Stream   bool   // InvokeMode is RESPONSE_STREAM
	CORS     *CORS  // nil without
}

// Functions knows function URLs and calls their functions. It works without the store.
type Functions interface {
	// URL returns the URL with an id, nil when there is none.
	URL(region, id string) *URL

	// MayInvoke reports whether a caller may use a URL: lambda:InvokeFunctionUrl by the
	// function's policy and the caller's. A nil caller is anonymous.
	MayInvoke(ctx context.Context, u *URL, caller *sigv4.Principal, req *message.Request) bool

	// Call calls the function. Errors are *invoke.Error, or ctx's.
	Call(ctx context.Context, u *URL, id string, event []byte) (*invoke.Result, error)

	// Stream is Call for an answer that is read as it comes.
	Stream(ctx context.Context, u *URL, id string, event []byte) (*invoke.Stream, error)
}

// A Handler serves function URLs. Its fields are set before use.
type Handler struct {
	Functions Functions
	Verifier  *sigv4.Verifier
	Suffix    string       // of host names, in lower case: ID.lambda-url.REGION.SUFFIX
	Memory    *hold.Memory // bounds what bodies hold in memory together; nil means no bound
	Log       *slog.Logger
}

// maxBody is the largest body of a request, in bytes: what fits into an event (Lambda quotas).
const maxBody = 6 << 20

// label is the part of a host name after the id.
const label = "lambda-url."

// Split reads the id and Region out of a host name, which may have a port. It is called for
// every request of the data ports.
func (h *Handler) Split(host string) (id, region string, ok bool) {
	dot := strings.IndexByte(host, '.')
	if dot < 0 || len(host) <= dot+len(label) || !strings.EqualFold(host[dot+1:dot+1+len(label)], label) {
		return "", "", false
	}
	id, rest := strings.ToLower(host[:dot]), strings.ToLower(host[dot+1+len(label):])
	if port := strings.IndexByte(rest, ':'); port >= 0 {
		rest = rest[:port]
	}
	region, ok = strings.CutSuffix(strings.TrimSuffix(rest, "."), "."+h.Suffix)
	return id, region, ok && id != "" && region != "" && !strings.Contains(region, ".")
}

// Serve answers a request to the function URL with an id.
func (h *Handler) Serve(ctx context.Context, id, region string, req *message.Request, w message.Writer) {
	x := &exchange{h: h, req: req, w: w, start: time.Now(), id: newID()}
	defer func() { h.Memory.Give(x.held) }()
	if err := x.run(ctx, id, region); err != nil {
		x.refuse(err)
	}
}

// An exchange is one request.
type exchange struct {
	h      *Handler
	req    *message.Request
	w      message.Writer
	url    *URL
	caller *sigv4.Principal
	key    string // the caller's access key id
	body   []byte
	held   int64 // of Handler.Memory
	start  time.Time
	id     string // of the request
}

// newID returns a random UUID, version 4.
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// run is a request in order. An error is yet to be answered.
func (x *exchange) run(ctx context.Context, id, region string) error {
	if x.misdirected() {
		return errMisdirected
	}
	if x.url = x.h.Functions.URL(region, id); x.url == nil {
		return errForbidden
	}
	if x.isPreflight() {
		return x.preflight()
	}
	if err := x.expect(ctx); err != nil {
		return err
	}
	if err := x.readBody(); err != nil {
		return err
	}
	if err := x.authorize(ctx); err != nil {
		return err
	}
	if x.url.Stream {
		return x.stream(ctx)
	}
	res, err := x.h.Functions.Call(ctx, x.url, x.id, x.event())
	if err != nil {
		return err
	}
	if res.FunctionError != "" {
		return errFunction
	}
	return x.answer(res.Payload)
}

// misdirected reports whether the connection was made for another name: what its
// handshake promised would not hold here (RFC 9110, section 15.5.20).
func (x *exchange) misdirected() bool {
	name := x.req.Conn.ServerName
	if name == "" {
		return false
	}
	host := x.req.Host
	if port := strings.LastIndexByte(host, ':'); port >= 0 {
		host = host[:port]
	}
	return !strings.EqualFold(name, strings.TrimSuffix(host, "."))
}

// expect refuses a request that will be refused whatever its body is, before that takes memory.
func (x *exchange) expect(ctx context.Context) error {
	if !x.url.IAM || x.req.ContentLength >= 0 && x.req.ContentLength <= hold.Free {
		return nil
	}
	service := x.signing()
	if err := x.h.Verifier.Expect(ctx, &service, sigv4.FromMessage(x.req)); err != nil {
		return unverified(err)
	}
	return nil
}

// readBody reads the body, which is part of what is signed and of the event.
func (x *exchange) readBody() error {
	body, held, err := x.h.Memory.Read(x.req.Body, maxBody)
	x.held = held
	switch {
	case errors.Is(err, hold.ErrFull):
		return errNoMemory
	case errors.Is(err, message.ErrBodyTooLarge), len(body) > maxBody:
		return errTooLarge
	case err != nil:
		return errBadRequest
	}
	x.body = body
	return nil
}

// signing is how requests are signed for.
func (x *exchange) signing() sigv4.Service {
	service := sigv4.RestJSON("lambda")
	service.AllowUnsigned, service.MaxBody = true, maxBody
	service.Region = func(region string) bool { return region == x.url.Region }
	return service
}

// authorize judges who calls. A signature is looked at where the URL wants one; to others
// it is a header like any.
func (x *exchange) authorize(ctx context.Context) error {
	if x.url.IAM {
		sum := sha256.Sum256(x.body)
		req := sigv4.FromMessage(x.req)
		req.Body, req.PayloadHash = nil, hex.EncodeToString(sum[:])
		service := x.signing()
		res, err := x.h.Verifier.Verify(ctx, &service, req)
		if err != nil {
			return unverified(err)
		}
		x.caller, x.key = &res.Credential.Principal, res.AccessKeyID
	}
	if !x.h.Functions.MayInvoke(ctx, x.url, x.caller, x.req) {
		return errForbidden
	}
	return nil
}
