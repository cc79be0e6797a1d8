package server

import (
	"context"
	"net"
	"net/http"
	"strings"
	"time"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/gen/lambda"
	"gatehouse/internal/awsapi/sigv4"
	"gatehouse/internal/control/functions"
	"gatehouse/internal/control/identities"
	"gatehouse/internal/functionurl"
	"gatehouse/internal/gateway"
	"gatehouse/internal/invoke"
	"gatehouse/internal/message"
	"gatehouse/internal/runtime"
)

// frontDoor is what the data ports lead to: function URLs by their host names, APIs by
// everything else.
type frontDoor struct {
	urls    *functionurl.Handler
	gateway *gateway.Gateway
}

func (s *Server) front() message.Handler { return &frontDoor{s.functionURLs, s.gateway} }

// Serve implements message.Handler.
func (f *frontDoor) Serve(ctx context.Context, req *message.Request, w message.Writer) {
	// A VPC endpoint leads to private APIs alone: nobody would ask its policy about a function.
	if id, region, ok := f.urls.Split(req.Host); ok && req.Conn.Endpoint == "" {
		f.urls.Serve(ctx, id, region, req, w)
		return
	}
	f.gateway.Serve(ctx, req, w)
}

func (s *Server) functionURLHandler() *functionurl.Handler {
	return &functionurl.Handler{
		Functions: &urlFunctions{s.functions, s.identities, invoker{functions: s.functions, identities: s.identities}},
		Memory:    s.gateway.Memory,
		Verifier:  s.gateway.Verifier, Suffix: strings.ToLower(s.config.DomainSuffix), Log: s.log,
	}
}

// functionURL is how a function URL is called: on the https port where there is one.
func (s *Server) functionURL(region, id string) string {
	scheme, socket, usual := "https", s.sockets.https, "443"
	if socket == nil {
		scheme, socket, usual = "http", s.sockets.http, "80"
	}
	host := id + ".lambda-url." + region + "." + s.config.DomainSuffix
	if socket != nil {
		if _, port, err := net.SplitHostPort(socket.Addr().String()); err == nil && port != usual {
			host += ":" + port
		}
	}
	return scheme + "://" + host + "/"
}

// invokeURL answers a request to a function URL that came by the control port.
func (s *Server) invokeURL(w http.ResponseWriter, r *http.Request, id, region string) {
	if !s.controlInvoke {
		http.Error(w, "invoking functions through the control port is off (control-invoke)", http.StatusForbidden)
		return
	}
	req, err := messageOf(r)
	if err != nil {
		http.Error(w, "Bad Request", http.StatusBadRequest)
		return
	}
	mw := &messageWriter{w: w, isHead: r.Method == http.MethodHead}
	defer mw.finish()
	s.functionURLs.Serve(r.Context(), id, region, req, mw)
}

// urlFunctions implements functionurl.Functions.
type urlFunctions struct {
	functions  *functions.Functions
	identities *identities.Service
	invoker    invoker
}

// URL implements functionurl.Functions.
func (f *urlFunctions) URL(region, id string) *functionurl.URL {
	u := f.functions.FindURL(region, id)
	if u == nil {
		return nil
	}
	out := &functionurl.URL{
		ID: u.ID, Region: u.Region, Account: u.Account, Function: u.Function,
		IAM: u.AuthType != string(lambda.FunctionUrlAuthTypeNone), Stream: u.Mode == string(lambda.InvokeModeResponseStream),
	}
	if c := u.CORS; c != nil {
		out.CORS = &functionurl.CORS{
			Origins: c.AllowOrigins, Methods: c.AllowMethods, Headers: c.AllowHeaders, Expose: c.ExposeHeaders,
			MaxAge: c.MaxAge, Credentials: c.AllowCredentials,
		}
	}
	return out
}

// MayInvoke implements functionurl.Functions. It asks for lambda:InvokeFunctionUrl; the
// function's policy alone decides about anonymous callers.
func (f *urlFunctions) MayInvoke(ctx context.Context, u *functionurl.URL, caller *sigv4.Principal, req *message.Request) bool {
	id, auth := awsapi.Identity{}, lambda.FunctionUrlAuthTypeNone
	if u.IAM {
		if caller == nil {
			return false
		}
		id, auth = identities.IdentityOf(caller), lambda.FunctionUrlAuthTypeAwsIam
	}
	call := &awsapi.Call{
		Account: id.Account, Region: u.Region, Service: "lambda", Identity: id, Received: time.Now(),
		Source: req.Conn.Remote.Addr(), UserAgent: req.Header.Get("User-Agent"), TLS: req.Conn.TLS != nil,
	}
	keys := map[string]string{"lambda:functionurlauthtype": string(auth), "lambda:invokedviafunctionurl": "true"}
	return f.identities.AuthorizeWith(ctx, awsapi.Access{Call: call, Action: "lambda:InvokeFunctionUrl", Resource: u.Function}, keys) == nil
}

// Call implements functionurl.Functions.
func (f *urlFunctions) Call(ctx context.Context, u *functionurl.URL, id string, event []byte) (*invoke.Result, error) {
	c := &invoke.Call{Function: u.Function, Payload: event}
	return f.invoker.call(ctx, c, runtime.Request{ID: id, Payload: event, InvokedARN: u.Function})
}

// Stream implements functionurl.Functions.
func (f *urlFunctions) Stream(ctx context.Context, u *functionurl.URL, id string, event []byte) (*invoke.Stream, error) {
	c := &invoke.Call{Function: u.Function, Payload: event}
	return f.invoker.stream(ctx, c, runtime.Request{ID: id, Payload: event, InvokedARN: u.Function})
}
