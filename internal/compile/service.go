package compile

import (
	"gatehouse/internal/awscall"
	"gatehouse/internal/http1/upstream"
	"gatehouse/internal/lang/awsuri"
	"gatehouse/internal/lang/expression"
	"gatehouse/internal/model"
	"gatehouse/internal/plan"
	"gatehouse/internal/trust/backendtls"
)

// Services says where AWS services are called that no function is. The zero value calls all of
// them at AWS.
type Services struct {
	Endpoints awscall.Endpoints

	// Own reports whether Gatehouse serves a service itself, by the name in its signatures.
	Own func(signing string) bool
}

// What makes every call of an AWS integration fail, in the words of its execution log.
const (
	brokenService = "Invalid endpoint address"
	brokenProxy   = "AWS ARN for integration of type AWS_PROXY must name a Lambda function"
)

// compileAWSCall compiles an AWS integration with another service than Lambda.
func compileAWSCall(s *plan.Stage, r *model.Resource, verb string, i *model.Integration, u awsuri.URI, out *plan.Integration, with Backends) {
	if out.Type == plan.AWSProxy {
		out.Broken = brokenProxy
		return
	}
	own := with.Services.Own
	if own == nil {
		own = func(string) bool { return false }
	}
	e, err := with.Services.Endpoints.Resolve(u, own)
	if err != nil {
		out.Broken = brokenService
		return
	}
	call := awscall.Describe(u)
	if u.Service == "s3" && u.Subdomain != "" && !e.AWS {
		call.Path = "/" + u.Subdomain + call.Path // the bucket of a virtual host
	}
	out.Service = &plan.Service{
		Call: call, Own: e.Own, AWS: e.AWS, Source: sourceARN(s, r, verb),
		Credentials: expression.ResolveStageVariables(i.Credentials, variablesOf(s)),
	}
	if out.Target, err = with.endpoint(e); err != nil {
		out.Broken = brokenService
		return
	}
	path := e.Prefix + call.Path
	if call.Query != "" {
		path += "?" + call.Query
	}
	out.URI = expression.CompileURI(path)
	if len(out.URI.Placeholders()) == 0 {
		out.FixedURI = string(out.URI.Append(nil, func(dst []byte, _ string, _ bool) ([]byte, bool) { return dst, false }))
	}
}

// endpoint returns where a service is called. AWS itself is held to the system's authorities;
// a stage's client certificate is for HTTP backends alone (backend-client-certificates,
// section 3).
func (with Backends) endpoint(e awscall.Endpoint) (*upstream.Target, error) {
	if e.Scheme != "https" {
		return upstream.NewTarget(e.Scheme, e.Host, nil)
	}
	o := backendtls.Options{Roots: with.Roots}
	if e.AWS {
		o.Roots = nil
	}
	t := &upstream.TLS{}
	t.Config, t.Identity = o.Config()
	return upstream.NewTarget(e.Scheme, e.Host, t)
}
