package awsapi

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/jsonrpc"
	"gatehouse/internal/awsapi/query"
	"gatehouse/internal/awsapi/restjson"
	"gatehouse/internal/awsapi/restxml"
	"gatehouse/internal/awsapi/route"
	"gatehouse/internal/awsapi/schema"
	"gatehouse/internal/awsapi/wire"
)

// Config is what a Server needs. All fields but S3Domains and Now are required.
type Config struct {
	Services      []schema.Bound // apigateway.Bind(...), s3.Bind(...), ...
	Authenticator Authenticator
	Authorizer    Authorizer
	Log           *slog.Logger
	Account       string // of calls that nobody signed
	Region        string // of calls that nobody signed
	// S3Domains are the host names below which "bucket.s3.DOMAIN" and
	// "bucket.DOMAIN" name a bucket; nil means localhost.
	S3Domains []string
	Now       func() time.Time // nil means time.Now
}

// A Server answers management calls. It implements http.Handler and is safe for
// concurrent use. It trusts that whoever calls it has checked the request's Host and
// Origin.
type Server struct {
	config   Config
	services []*service
	held     atomic.Int64 // bytes of large bodies in memory
}

// A codec is a protocol: it reads inputs and writes answers.
type codec interface {
	Decode(req *wire.Request, in any) error
	Answer(w http.ResponseWriter, op *schema.Operation, out any, ids wire.IDs) error
	Refuse(w http.ResponseWriter, svc *schema.Service, e *awserr.Error, ids wire.IDs)
}

// A service is a bound service with what is derived from it.
type service struct {
	schema.Bound
	codec  codec
	routes *route.Table // of the REST protocols
}

// NewServer makes a Server of the services in c.
func NewServer(c Config) *Server {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.S3Domains == nil {
		c.S3Domains = []string{"localhost"}
	}
	s := &Server{config: c}
	for _, b := range c.Services {
		svc := &service{Bound: b, codec: codecOf(b.Service.Protocol)}
		if isREST(b.Service) {
			svc.routes = route.New(b.Service)
		}
		s.services = append(s.services, svc)
	}
	return s
}

func codecOf(p schema.Protocol) codec {
	switch p {
	case schema.RESTJSON:
		return restjson.Codec{}
	case schema.JSON11:
		return jsonrpc.Codec{}
	case schema.Query:
		return query.Codec{}
	case schema.RESTXML:
		return restxml.Codec{}
	}
	panic("awsapi: a service without a protocol")
}

func isREST(s *schema.Service) bool {
	return s.Protocol == schema.RESTJSON || s.Protocol == schema.RESTXML
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := s.newExchange(w, r)
	defer x.release()
	defer x.catch()
	if err := x.run(r.Context()); err != nil {
		x.refuse(err)
	}
}

// run is a call from its first byte to its answer. An error is yet to be answered.
func (x *exchange) run(ctx context.Context) error {
	if err := x.parse(); err != nil {
		return err
	}
	unroutable := x.findOperation() // told only to callers who have signed
	if err := x.readBody(); err != nil {
		return err
	}
	if err := x.authenticate(); err != nil {
		return err
	}
	if unroutable != nil {
		return unroutable
	}
	op := x.request.Operation
	in := op.Handler.New()
	if err := x.service.codec.Decode(x.request, in); err != nil {
		return err
	}
	ctx = WithCall(ctx, x.call)
	if err := x.authorize(ctx, in); err != nil {
		return err
	}
	if err := x.validate(in); err != nil {
		return err
	}
	out, err := op.Handler.Call(ctx, x.service.Backend, in)
	if err != nil {
		return x.conceal(ctx, in, err)
	}
	return x.answer(out)
}

// named returns the services that are signed for as name.
func (s *Server) named(name string) []*service {
	var found []*service
	for _, svc := range s.services {
		if svc.Service.Name == name {
			found = append(found, svc)
		}
	}
	return found
}

// targeted returns the service of an X-Amz-Target, or nil.
func (s *Server) targeted(target string) *service {
	prefix, _, _ := strings.Cut(target, ".")
	for _, svc := range s.services {
		if svc.Service.Protocol == schema.JSON11 && svc.Service.TargetPrefix == prefix {
			return svc
		}
	}
	return nil
}
