package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/sigv4"
	"gatehouse/internal/awscall"
	"gatehouse/internal/compile"
	"gatehouse/internal/control/functions"
	"gatehouse/internal/lang/awsuri"
)

const (
	// ownSession is how long keys of our own last that integrations sign with, and ownKept how
	// long they are used: a role that trusts API Gateway no more is out of use soon.
	ownSession, ownKept = 15 * time.Minute, 30 * time.Second
	// awsAhead is how long before their end keys of AWS are renewed.
	awsAhead = 5 * time.Minute
	// keysKept bounds the roles whose keys are kept.
	keysKept = 4096
)

// awsServices gives AWS integrations keys to sign with and reaches our own services. It
// implements gateway.Services.
type awsServices struct {
	s *Server

	mu   sync.Mutex
	kept map[roleUse]keptKey

	once sync.Once // guards base
	base *sts.Client
	err  error
}

// A roleUse is a role in the name of a method; trust policies may tell methods apart.
type roleUse struct {
	role, source string
	atAWS        bool
}

type keptKey struct {
	key   sigv4.SigningKey
	until time.Time
}

// ServeHTTP has the control plane answer a call, which it verifies and authorizes as any.
func (a *awsServices) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.s.api.ServeHTTP(w, r) }

// Key implements gateway.Services.
func (a *awsServices) Key(ctx context.Context, role, source, account string, atAWS bool) (sigv4.SigningKey, error) {
	use := roleUse{role, source, atAWS}
	now := time.Now()
	a.mu.Lock()
	k, ok := a.kept[use]
	a.mu.Unlock()
	if ok && now.Before(k.until) {
		return k.key, nil
	}
	var err error
	if atAWS {
		k, err = a.assumeAtAWS(ctx, role, backplaneSession, now)
	} else {
		k, err = a.assume(role, source, account, now)
	}
	if err != nil {
		return sigv4.SigningKey{}, err
	}
	a.keep(use, k)
	return k.key, nil
}

func (a *awsServices) keep(use roleUse, k keptKey) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.kept == nil || len(a.kept) >= keysKept {
		a.kept = map[roleUse]keptKey{}
	}
	a.kept[use] = k
}

// functionKey is a key of a function's role, for what Lambda does in its name.
func (a *awsServices) functionKey(ctx context.Context, role string, atAWS bool) (sigv4.SigningKey, error) {
	if !atAWS {
		rs, err := a.s.identities.AssumeForService(role, asyncSession, lambdaService, nil, ownSession)
		return sigv4.SigningKey{AccessKeyID: rs.Key.ID, Secret: rs.Key.Secret, Token: rs.Token}, err
	}
	use, now := roleUse{role, lambdaService, true}, time.Now()
	a.mu.Lock()
	k, ok := a.kept[use]
	a.mu.Unlock()
	if ok && now.Before(k.until) {
		return k.key, nil
	}
	k, err := a.assumeAtAWS(ctx, role, asyncSession, now)
	if err == nil {
		a.keep(use, k)
	}
	return k.key, err
}

// assume takes on a role of our own.
func (a *awsServices) assume(role, source, account string, now time.Time) (keptKey, error) {
	keys := functions.Caller{Service: apiGatewayService, SourceARN: source, SourceAccount: account}
	rs, err := a.s.identities.AssumeForService(role, backplaneSession, apiGatewayService, keys, ownSession)
	return keptKey{sigv4.SigningKey{AccessKeyID: rs.Key.ID, Secret: rs.Key.Secret, Token: rs.Token}, now.Add(ownKept)}, err
}

// assumeAtAWS takes on a role of AWS with the keys that are configured.
func (a *awsServices) assumeAtAWS(ctx context.Context, role, session string, now time.Time) (keptKey, error) {
	a.once.Do(func() { a.base, a.err = a.stsClient(context.WithoutCancel(ctx)) })
	if a.err != nil {
		return keptKey{}, a.err
	}
	out, err := a.base.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: &session})
	if err != nil {
		return keptKey{}, err
	}
	c := out.Credentials
	if c == nil || c.AccessKeyId == nil || c.SecretAccessKey == nil || c.SessionToken == nil || c.Expiration == nil {
		return keptKey{}, errors.New("STS answered no credentials")
	}
	until := c.Expiration.Add(-awsAhead)
	if until.Before(now) {
		until = now
	}
	return keptKey{sigv4.SigningKey{AccessKeyID: *c.AccessKeyId, Secret: *c.SecretAccessKey, Token: *c.SessionToken}, until}, nil
}

// stsClient makes the client that roles of AWS are taken on with. It connects where backends
// may be.
func (a *awsServices) stsClient(ctx context.Context) (*sts.Client, error) {
	c := a.s.config.AWS
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = a.s.functionDialer().DialContext
	options := []func(*awsconfig.LoadOptions) error{
		awsconfig.WithRegion(a.s.config.Region()), awsconfig.WithHTTPClient(&http.Client{Transport: transport}),
	}
	if c.Profile != "" {
		options = append(options, awsconfig.WithSharedConfigProfile(c.Profile))
	}
	if c.AccessKeyID != "" {
		options = append(options, awsconfig.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey.Reveal(), c.SessionToken.Reveal())))
	}
	loaded, err := awsconfig.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("aws: %w", err)
	}
	e, err := awscall.Endpoints(c.Endpoints).Resolve(awsuri.URI{Partition: "aws", Region: loaded.Region, Service: "sts", Action: "AssumeRole"}, func(string) bool { return false })
	if err != nil {
		return nil, fmt.Errorf("aws.endpoints: %w", err)
	}
	return sts.NewFromConfig(loaded, func(o *sts.Options) {
		if !e.AWS && !e.Own {
			o.BaseEndpoint = aws.String(e.Scheme + "://" + e.Host + e.Prefix)
		}
	}), nil
}

// awsEndpoints tells the compiler where AWS integrations lead.
func (s *Server) awsEndpoints() compile.Services {
	var names []string
	for _, b := range s.Services() {
		names = append(names, b.Service.Name)
	}
	return compile.Services{Endpoints: s.config.AWS.Endpoints, Own: func(signing string) bool { return slices.Contains(names, signing) }}
}

// mayAlso reports whether the caller of ctx may do an action that a call needs beside its own.
func (s *Server) mayAlso(ctx context.Context, action, arn string) error {
	return s.identities.Authorize(ctx, awsapi.Access{Call: awsapi.CallFrom(ctx), Action: action, Resource: arn})
}

// mayPassToGateway reports whether the caller of ctx may hand a role to API Gateway.
func (s *Server) mayPassToGateway(ctx context.Context, role string) error {
	return s.identities.MayPass(ctx, awsapi.Access{Call: awsapi.CallFrom(ctx)}, role, apiGatewayService)
}
