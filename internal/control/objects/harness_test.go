package objects_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awstest"
	"gatehouse/internal/awsapi/gen/iam"
	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/awsapi/gen/s3control"
	"gatehouse/internal/awsapi/schema"
	"gatehouse/internal/control/identities"
	"gatehouse/internal/control/objects"
	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/store"
)

const account = "000000000000"

// A service is S3 behind the real server, with real signatures and permissions.
type service struct {
	url        string
	store      *store.Store
	objects    *objects.Service
	identities *identities.Service
}

func serve(t *testing.T) *service {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	s := &service{store: st, objects: objects.New(st)}
	s.identities, err = identities.New(t.Context(), identities.Config{
		Store: st, Account: account, Root: identities.RootKey{AccessKeyID: "root", SecretAccessKey: "secret"}, Log: slog.New(slog.DiscardHandler),
		HomeRegion: "us-east-1",
		ResourcePolicy: func(ctx context.Context, service, arn string) (*iampolicy.Policy, string, error) {
			return s.objects.ResourcePolicy(ctx, arn)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(awsapi.NewServer(awsapi.Config{
		Services:      []schema.Bound{s3.Bind(s.objects), s3control.Bind(s.objects), iam.Bind(s.identities.IAM())},
		Authenticator: s.identities, Authorizer: s.identities,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})), Account: account, Region: "us-east-1",
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// config is a configuration of the SDK for a key.
func (s *service) config(id, secret string) aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: &s.url,
		// As the SDK's default configuration has it.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported, ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
		Retryer: awstest.Retryer,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}, nil
		}),
	}
}

// client is the SDK's client of the root key.
func (s *service) client(options ...func(*sdk.Options)) *sdk.Client {
	return sdk.NewFromConfig(s.config("root", "secret"), append(options, func(o *sdk.Options) { o.UsePathStyle = true })...)
}

// start serves S3 with one bucket, versioned if wanted.
func start(t *testing.T, versioned bool) (*service, *sdk.Client) {
	t.Helper()
	s := serve(t)
	c := s.client()
	if _, err := c.CreateBucket(t.Context(), &sdk.CreateBucketInput{Bucket: new("bucket")}); err != nil {
		t.Fatal(err)
	}
	if versioned {
		setVersioning(t, c, "Enabled")
	}
	return s, c
}

// put stores a text and returns its version id, "" when the answer has none.
func put(t *testing.T, c *sdk.Client, key, body string) string {
	t.Helper()
	out, err := c.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: new("bucket"), Key: &key, Body: bytes.NewReader([]byte(body))})
	if err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
	return aws.ToString(out.VersionId)
}

// get reads a version of a key, "" for the latest.
func get(t *testing.T, c *sdk.Client, key, version string) string {
	t.Helper()
	in := &sdk.GetObjectInput{Bucket: new("bucket"), Key: &key}
	if version != "" {
		in.VersionId = &version
	}
	out, err := c.GetObject(t.Context(), in)
	if err != nil {
		t.Fatalf("get %q %s: %v", key, version, err)
	}
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatalf("get %q: %v", key, err)
	}
	return string(body)
}

// fails checks the code and status of an error; code "" stands for an answer without a body.
func fails(t *testing.T, what string, err error, code string, status int) {
	t.Helper()
	var api smithy.APIError
	var answer *smithyhttp.ResponseError
	if !errors.As(err, &answer) || answer.HTTPStatusCode() != status {
		t.Errorf("%s: %v, want status %d", what, err, status)
		return
	}
	if code != "" && (!errors.As(err, &api) || api.ErrorCode() != code) {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

// random returns n reproducible bytes.
func random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return b
}

// signed sends a request that the root key signed.
func (s *service) signed(t *testing.T, method, path, body string, header http.Header) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	sum := sha256.Sum256([]byte(body))
	hash := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", hash)
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	key := aws.Credentials{AccessKeyID: "root", SecretAccessKey: "secret"}
	if err := signer.SignHTTP(t.Context(), key, req, hash, "s3", "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

func text(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
