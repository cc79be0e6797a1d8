package identities

import (
	"context"
	"errors"
	"io"
	"net/http"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/sigv4"
)

// prepareVerifier sets up the verification of management calls.
func (s *Service) prepareVerifier() {
	s.verifier.Keys, s.verifier.Now = s, s.now
	if s.config.Dev {
		s.verifier.AcceptUnknown = func(context.Context, string, string) (sigv4.Credential, bool) {
			return sigv4.Credential{Principal: rootPrincipal(s.config.Account)}, true
		}
	}
	own := sigv4.RestJSON("gatehouse")
	own.AllowUnsigned = true // of backups, which are too large to be hashed first
	s.services = map[string]*sigv4.Service{}
	for _, svc := range []sigv4.Service{
		own,
		sigv4.RestJSON("apigateway"), sigv4.RestJSON("lambda"), sigv4.JSON("acm"), sigv4.JSON("wafv2"), sigv4.JSON("logs"),
		sigv4.JSON("tagging"), sigv4.Query("iam"), sigv4.Query("sts"), sigv4.S3(),
	} {
		svc.Region, svc.HomeRegion = s.region(svc.Name), s.config.HomeRegion
		s.services[svc.Name] = &svc
	}
}

// region accepts the regions that are served; the global services are signed for
// us-east-1 wherever they are called from.
func (s *Service) region(service string) func(string) bool {
	if s.config.Region == nil || service != "iam" && service != "sts" {
		return s.config.Region
	}
	return func(r string) bool { return r == "us-east-1" || s.config.Region(r) }
}

// signing returns how a service is signed for. A service that Gatehouse does not have
// is verified in the words of REST-JSON: its caller must have signed to be told so.
func (s *Service) signing(service string) *sigv4.Service {
	if svc := s.services[service]; svc != nil {
		return svc
	}
	svc := sigv4.RestJSON(service)
	svc.Region = s.config.Region
	return &svc
}

// Authenticate implements awsapi.Authenticator.
func (s *Service) Authenticate(r *http.Request, service string) (awsapi.Authentication, error) {
	svc := s.signing(service)
	res, err := s.verifier.Verify(r.Context(), svc, sigv4.FromHTTP(r))
	if err != nil {
		if e, ok := errors.AsType[*sigv4.Error](err); ok && e.Kind == sigv4.Missing && service == "s3" {
			if r.URL.Query().Has("AWSAccessKeyId") { // pre-signed by version 2, as boto3 does unless told otherwise
				return awsapi.Authentication{}, awserr.New("InvalidRequest", http.StatusBadRequest,
					"The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.").Because(err)
			}
			return awsapi.Authentication{}, nil
		}
		return awsapi.Authentication{}, translate(err)
	}
	s.used.note(res.AccessKeyID, usage{s.now(), service, res.Scope.Region})
	id := IdentityOf(&res.Credential.Principal)
	id.AccessKey = res.AccessKeyID
	return awsapi.Authentication{
		Identity: id,
		Region:   res.Scope.Region,
		Body:     body{res.Body, r.Body},
		Length:   res.Body.Len(),
	}, nil
}

// Expect implements awsapi.Authenticator.
func (s *Service) Expect(r *http.Request, service string) error {
	if err := s.verifier.Expect(r.Context(), s.signing(service), sigv4.FromHTTP(r)); err != nil {
		return translate(err)
	}
	return nil
}

// IdentityOf is a principal as management calls know it, without the access key.
func IdentityOf(p *sigv4.Principal) awsapi.Identity {
	return awsapi.Identity{
		Kind: kindOf(p.Kind), Account: p.Account, ARN: p.ARN, ID: p.ID, Name: p.Name, RoleARN: p.RoleARN, Session: p.Session,
	}
}

func kindOf(k sigv4.PrincipalKind) awsapi.IdentityKind {
	switch k {
	case sigv4.Root:
		return awsapi.Root
	case sigv4.User:
		return awsapi.User
	case sigv4.AssumedRole:
		return awsapi.AssumedRole
	case sigv4.FederatedUser:
		return awsapi.FederatedUser
	}
	return awsapi.Anonymous
}

// translate gives a refused signature to the caller in the protocol's form.
func translate(err error) error {
	if e, ok := errors.AsType[*sigv4.Error](err); ok {
		return awserr.New(e.Code, e.Status, e.Message).Because(e.Cause)
	}
	return err
}

// body is a verified body whose refusals are those of operations.
type body struct {
	*sigv4.Body
	closer io.Closer
}

// Read implements io.Reader.
func (b body) Read(p []byte) (int, error) {
	n, err := b.Body.Read(p)
	if err != nil && err != io.EOF {
		err = translate(err)
	}
	return n, err
}

// Close closes the request's own body.
func (b body) Close() error {
	if b.closer == nil {
		return nil
	}
	return b.closer.Close()
}
