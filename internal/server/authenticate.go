package server

import (
	"context"
	"errors"
	"io"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/sigv4"
)

// unsigned turns a refused signature into the service's answer. For S3, a request without
// any signature is a caller without credentials, whom a bucket policy may let in.
func (a *authenticator) unsigned(service string, err error) (awsapi.Authentication, error) {
	var refused *sigv4.Error
	if !errors.As(err, &refused) {
		return awsapi.Authentication{}, err
	}
	if service == "s3" && refused.Kind == sigv4.Missing {
		return awsapi.Authentication{}, nil
	}
	return awsapi.Authentication{}, awserr.New(refused.Code, refused.Status, refused.Message).Because(refused.Cause)
}

var identityKinds = map[sigv4.PrincipalKind]awsapi.IdentityKind{
	sigv4.Root: awsapi.Root, sigv4.User: awsapi.User, sigv4.AssumedRole: awsapi.AssumedRole, sigv4.FederatedUser: awsapi.FederatedUser,
}

func identityKind(k sigv4.PrincipalKind) awsapi.IdentityKind { return identityKinds[k] }

// readCloser reads a verified body and closes what it was read from.
type readCloser struct {
	io.Reader
	io.Closer
}

// rootPrincipal is the root of the default account.
func (s *Server) rootPrincipal() sigv4.Principal {
	account := s.config.Account()
	return sigv4.Principal{Kind: sigv4.Root, Account: account, ARN: "arn:aws:iam::" + account + ":root", ID: account}
}

// rootKeys knows the root key alone.
type rootKeys struct{ s *Server }

// Lookup implements sigv4.Keys.
func (k rootKeys) Lookup(_ context.Context, accessKeyID, sessionToken string) (sigv4.Credential, error) {
	if accessKeyID != k.s.root.AccessKeyID || sessionToken != "" {
		return sigv4.Credential{}, sigv4.ErrUnknownKey
	}
	return sigv4.Credential{Secret: k.s.root.SecretAccessKey, Principal: k.s.rootPrincipal()}, nil
}
