package server

import (
	"context"
	"net/http"
	"slices"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/acm"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/awsapi/schema"
	"gatehouse/internal/awsapi/sigv4"
	"gatehouse/internal/control/certificates"
	"gatehouse/internal/control/domains"
	"gatehouse/internal/control/restapis"
)

// managementAPI puts the control plane together.
func (s *Server) managementAPI() *awsapi.Server {
	s.auth, s.authorizer = s.authenticator(), rootOnly{}
	return awsapi.NewServer(awsapi.Config{
		Services: []schema.Bound{
			apigateway.Bind(&apiGateway{
				RestAPIs:    &restapis.RestAPIs{Store: s.store, MaxTimeout: int(s.config.Limits.IntegrationTimeout.Milliseconds())},
				DomainNames: &domains.DomainNames{Store: s.store, Suffix: s.config.DomainSuffix},
			}),
			acm.Bind(&certificateManager{Certificates: &certificates.Certificates{Store: s.store, CA: s.ca}}),
		},
		Authenticator: s.auth,
		Authorizer:    s.authorizer,
		Log:           s.log,
		Account:       s.config.Account(),
		Region:        s.config.Region(),
		S3Domains:     []string{"localhost", s.config.DomainSuffix},
	})
}

// apiGateway is the backend of API Gateway, from the packages that fill its parts.
type apiGateway struct {
	*restapis.RestAPIs
	*domains.DomainNames
	apigateway.Unimplemented
}

// certificateManager is the backend of ACM.
type certificateManager struct {
	*certificates.Certificates
	acm.Unimplemented
}

// rootOnly allows the root key everything and others nothing.
type rootOnly struct{}

func (rootOnly) Authorize(_ context.Context, a awsapi.Access) error {
	if a.Call.Identity.Kind == awsapi.Root {
		return nil
	}
	return awserr.New("AccessDeniedException", http.StatusForbidden, "User: "+a.Call.Identity.ARN+" is not authorized to perform: "+a.Action+" on resource: "+a.Resource+" because no identity-based policy allows the "+a.Action+" action")
}

// authenticator verifies signatures of management calls.
func (s *Server) authenticator() *authenticator {
	a := &authenticator{services: map[string]*sigv4.Service{}, verifier: sigv4.Verifier{Keys: rootKeys{s}}}
	if s.config.Dev {
		a.verifier.AcceptUnknown = func(context.Context, string, string) (sigv4.Credential, bool) {
			return sigv4.Credential{Principal: s.rootPrincipal()}, true
		}
	}
	region := func(r string) bool { return s.config.Dev || slices.Contains(s.config.Regions, r) }
	add := func(v sigv4.Service) {
		v.Region, v.HomeRegion = region, s.config.Region()
		a.services[v.Name] = &v
	}
	add(sigv4.S3())
	for _, name := range []string{"apigateway", "lambda"} {
		add(sigv4.RestJSON(name))
	}
	own := sigv4.RestJSON("gatehouse")
	own.AllowUnsigned = true // of backups that are sent to be restored
	add(own)
	for _, name := range []string{"acm", "logs", "wafv2", "tagging"} {
		add(sigv4.JSON(name))
	}
	for _, name := range []string{"iam", "sts"} {
		add(sigv4.Query(name))
	}
	return a
}

type authenticator struct {
	verifier sigv4.Verifier
	services map[string]*sigv4.Service
}

// Authenticate implements awsapi.Authenticator.
func (a *authenticator) Authenticate(r *http.Request, service string) (awsapi.Authentication, error) {
	v := a.services[service]
	if v == nil {
		return awsapi.Authentication{}, awserr.UnknownService(service)
	}
	result, err := a.verifier.Verify(r.Context(), v, sigv4.FromHTTP(r))
	if err != nil {
		return a.unsigned(service, err)
	}
	p := result.Credential.Principal
	out := awsapi.Authentication{
		Region: result.Scope.Region,
		Identity: awsapi.Identity{
			Kind: identityKind(p.Kind), Account: p.Account, ARN: p.ARN, ID: p.ID, Name: p.Name, RoleARN: p.RoleARN,
			AccessKey: result.AccessKeyID, Session: p.Session,
		},
	}
	if service == "s3" {
		out.Body, out.Length = readCloser{result.Body, r.Body}, result.Body.Len()
	}
	return out, nil
}
