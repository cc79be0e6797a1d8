package awsapi_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/awstest"
	"gatehouse/internal/awsapi/schema"
)

// A fixture is a server with scripted identity and policy, and a record of what they saw.
type fixture struct {
	*httptest.Server
	mu       sync.Mutex
	accesses []awsapi.Access
	refuse   error                  // what Authorize answers
	expect   error                  // what Expect answers
	replace  func([]byte) io.Reader // the body that Authenticate puts in place of S3's
	length   int64                  // of that body
	log      bytes.Buffer
}

// serve starts a server of the given services.
func serve(t *testing.T, bounds ...schema.Bound) *fixture {
	t.Helper()
	f := &fixture{}
	f.Server = httptest.NewServer(awsapi.NewServer(awsapi.Config{
		Services:      bounds,
		Authenticator: f,
		Authorizer:    f,
		Log:           slog.New(slog.NewTextHandler(&f.log, nil)),
		Account:       "000000000000",
		Region:        "us-east-1",
		Now:           func() time.Time { return time.Unix(1700000000, 0) },
	}))
	t.Cleanup(f.Close)
	return f
}

// Authenticate believes every signature, and wants one everywhere but in S3.
func (f *fixture) Authenticate(r *http.Request, service string) (awsapi.Authentication, error) {
	scope := r.Header.Get("Authorization") + r.URL.Query().Get("X-Amz-Credential")
	if scope == "" && service == "s3" {
		return awsapi.Authentication{}, nil
	}
	if scope == "" {
		return awsapi.Authentication{}, awserr.New("MissingAuthenticationTokenException", 403, "Missing Authentication Token")
	}
	a := awsapi.Authentication{
		Identity: awsapi.Identity{Kind: awsapi.Root, Account: "123456789012", ARN: "arn:aws:iam::123456789012:root"},
		Region:   "eu-central-1",
	}
	if f.replace != nil && service == "s3" {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return a, err
		}
		a.Body, a.Length = io.NopCloser(f.replace(body)), f.length
	}
	return a, nil
}

func (f *fixture) Expect(*http.Request, string) error { return f.expect }

func (f *fixture) Authorize(_ context.Context, a awsapi.Access) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.accesses = append(f.accesses, a)
	return f.refuse
}

// asked returns "action resource" of each access since the last call.
func (f *fixture) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, a := range f.accesses {
		all = append(all, a.Action+" "+a.Resource)
	}
	f.accesses = nil
	return all
}

// config is an SDK configuration that calls the fixture and never tries twice.
func (f *fixture) config() aws.Config {
	return aws.Config{
		Region:       "eu-central-1",
		BaseEndpoint: aws.String(f.URL),
		Retryer:      awstest.Retryer,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret"}, nil
		}),
	}
}

// signed is an Authorization header for a service, as far as the fixture looks.
func signed(service string) string {
	return "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-central-1/" + service + "/aws4_request, SignedHeaders=host, Signature=00"
}

// raw sends a request line and headers as they are, and returns the answer.
func (f *fixture) raw(t *testing.T, method, target, body string, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequest(method, f.URL, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.URL.Opaque = target
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

func text(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
