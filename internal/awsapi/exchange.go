package awsapi

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/schema"
	"gatehouse/internal/awsapi/validate"
	"gatehouse/internal/awsapi/wire"
)

// An exchange is one call on its way through the server.
type exchange struct {
	server *Server
	w      *statusWriter
	r      *http.Request
	path   string // escaped, as sent; S3: with the bucket of the host in front

	scoped  bool     // the request names a service in credentials, true or not
	scope   string   // the service's name as signed, or as guessed; "" when unknown
	service *service // nil when Gatehouse does not have it
	request *wire.Request
	call    *Call
	ids     wire.IDs
	held    int64 // of Server.held
}

func (s *Server) newExchange(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{server: s, w: &statusWriter{ResponseWriter: w}, r: r, request: &wire.Request{Header: r.Header}}
	x.ids.Request = newRequestID()
	x.call = &Call{
		RequestID: x.ids.Request,
		Account:   s.config.Account,
		Region:    s.config.Region,
		Received:  s.config.Now(),
		UserAgent: r.UserAgent(),
		Host:      r.Host,
		TLS:       r.TLS != nil,
	}
	if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		x.call.Source = a.Addr().Unmap()
	}
	return x
}

// parse reads the request's target and finds the service.
func (x *exchange) parse() error {
	target := x.r.RequestURI
	if target == "" || target[0] != '/' { // made in process, or in absolute form
		target = x.r.URL.RequestURI()
	}
	var rawQuery string
	x.path, rawQuery, _ = strings.Cut(target, "?")
	values, err := url.ParseQuery(rawQuery)
	x.request.Query = values
	x.pickService()
	x.call.Service = x.scope
	if x.scope == "s3" {
		x.ids = wire.IDs{Request: strings.ToUpper(hex.EncodeToString(random(8))), Host: base64.StdEncoding.EncodeToString(random(48))}
		x.call.RequestID, x.call.HostID = x.ids.Request, x.ids.Host
		x.path = x.server.bucketPath(x.r.Host, x.path)
		x.pickByRoute()
	}
	if err != nil {
		return awserr.Serializationf("The query string can not be read: %v", err)
	}
	return nil
}

// authenticate finds out who calls and takes over the verified body.
func (x *exchange) authenticate() error {
	auth, err := x.server.config.Authenticator.Authenticate(x.r, x.scope)
	if err != nil {
		return err
	}
	x.call.Identity = auth.Identity
	if auth.Identity.Account != "" {
		x.call.Account = auth.Identity.Account
	}
	if auth.Region != "" {
		x.call.Region = auth.Region
	}
	return x.takeBody(auth)
}

// authorize asks about each access that the call needs.
func (x *exchange) authorize(ctx context.Context, in any) error {
	for _, a := range x.accesses(in) {
		a.Call, a.Input, a.Request = x.call, in, x.r
		if err := x.server.config.Authorizer.Authorize(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

func (x *exchange) validate(in any) error {
	if err := validate.Input(x.request.Operation, in); err != nil {
		return err
	}
	return nil
}

// answer writes the output. When a streamed body breaks off, the connection is cut, so
// that the client does not take what it got for the whole.
func (x *exchange) answer(out any) error {
	if err := x.service.codec.Answer(x.w, x.request.Operation, out, x.ids); err != nil {
		if x.r.Context().Err() == nil {
			x.log(slog.LevelWarn, "answer broke off", "error", err)
		}
		panic(http.ErrAbortHandler)
	}
	return nil
}

// refuse answers an error. What is not an *awserr.Error is logged and hidden.
func (x *exchange) refuse(err error) {
	e := awserr.As(err)
	if e == nil {
		e = awserr.Internal(err)
	}
	if e.Status >= http.StatusInternalServerError && e.Code != awserr.CodeNotImplemented {
		cause := e.Cause
		if cause == nil {
			cause = errors.New(e.Message)
		}
		x.log(slog.LevelError, "management call failed", "code", e.Code, "error", cause)
	}
	x.writeError(e)
}

func (x *exchange) writeError(e *awserr.Error) {
	if x.w.wrote {
		panic(http.ErrAbortHandler)
	}
	if x.service == nil {
		refuseUnknown(x.w, x.r, x.scope, e, x.ids)
		return
	}
	if x.service.Service.Protocol == schema.RESTXML {
		copied := *e
		copied.Details = append(slices.Clone(e.Details), awserr.Detail{Name: "Resource", Value: x.path})
		e = inS3Words(&copied)
	}
	x.service.codec.Refuse(x.w, x.service.Service, e, x.ids)
}

// inS3Words gives the errors of this package the codes that S3 has for them.
func inS3Words(e *awserr.Error) *awserr.Error {
	switch e.Code {
	case "InternalFailure":
		e.Code, e.Message = "InternalError", "We encountered an internal error. Please try again."
	case awserr.CodeNotImplemented:
		e.Code = "NotImplemented"
	case "SerializationException":
		e.Code = "InvalidArgument"
	}
	return e
}

// catch turns a panic of a backend into an internal failure.
func (x *exchange) catch() {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler {
		panic(v)
	}
	x.log(slog.LevelError, "management call panicked", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	x.writeError(awserr.Internal(nil))
}

func (x *exchange) log(level slog.Level, text string, args ...any) {
	operation := ""
	if x.call.Operation != nil {
		operation = x.call.Operation.Name
	}
	args = append(args, "request_id", x.ids.Request, "service", x.scope, "operation", operation)
	x.server.config.Log.Log(x.r.Context(), level, text, args...)
}

// statusWriter remembers whether the answer has begun.
type statusWriter struct {
	http.ResponseWriter
	wrote bool
}

func (w *statusWriter) WriteHeader(status int) {
	w.wrote = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	w.wrote = true
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// newRequestID returns a random UUID (RFC 9562 section 5.4).
func newRequestID() string {
	b := random(16)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails (crypto/rand)
	return b
}
