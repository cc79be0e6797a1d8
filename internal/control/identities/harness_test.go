package identities

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awstest"
	"gatehouse/internal/awsapi/gen/acm"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/awsapi/gen/iam"
	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/awsapi/gen/sts"
	"gatehouse/internal/awsapi/schema"
	"gatehouse/internal/store"
)

const account = "000000000000"

var testRoot = Key{"AKIAROOTROOTROOTROOT", "root-secret"}

// A clock that tests move.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// A fixture is a Service behind the real management server.
type fixture struct {
	*Service
	t     testing.TB
	url   string
	store *store.Store
	clock *clock
	log   *bytes.Buffer
}

func openStore(t testing.TB, folder string) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{Dir: folder})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

// start serves iam and sts, and the first layers of others, which implement nothing:
// a call that is allowed ends in NotImplementedException.
func start(t testing.TB, change ...func(*Config)) *fixture {
	t.Helper()
	return startOn(t, openStore(t, t.TempDir()), change...)
}

func startOn(t testing.TB, st *store.Store, change ...func(*Config)) *fixture {
	t.Helper()
	f := &fixture{t: t, store: st, clock: new(clock), log: new(bytes.Buffer)}
	c := Config{Store: st, Account: account, Log: slog.New(slog.NewTextHandler(f.log, nil)), Root: RootKey{testRoot.ID, testRoot.Secret}, HomeRegion: "us-east-1", Now: f.clock.now}
	for _, fn := range change {
		fn(&c)
	}
	var err error
	if f.Service, err = New(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(awsapi.NewServer(awsapi.Config{
		Services: bounds(f.Service), Authenticator: f.Service, Authorizer: f.Service, Log: c.Log, Account: account, Region: "us-east-1",
	}))
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

// config is an SDK configuration with the given keys, which never tries twice.
func (f *fixture) config(k Key, token string) aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(f.url),
		Retryer: awstest.Retryer,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: k.ID, SecretAccessKey: k.Secret, SessionToken: token}, nil
		}),
	}
}

func (f *fixture) iam(k Key) *awsiam.Client { return awsiam.NewFromConfig(f.config(k, "")) }
func (f *fixture) sts(k Key) *awssts.Client { return awssts.NewFromConfig(f.config(k, "")) }

// root is a client with the root key.
func (f *fixture) root() *awsiam.Client { return f.iam(testRoot) }

// user makes a user with an access key and, if it is not "", an inline policy.
func (f *fixture) user(name, policy string) Key {
	f.t.Helper()
	ok(f.t)(f.root().CreateUser(f.t.Context(), &awsiam.CreateUserInput{UserName: &name}))
	if policy != "" {
		ok(f.t)(f.root().PutUserPolicy(f.t.Context(), &awsiam.PutUserPolicyInput{UserName: &name, PolicyName: aws.String("inline"), PolicyDocument: &policy}))
	}
	out := get(f.root().CreateAccessKey(f.t.Context(), &awsiam.CreateAccessKeyInput{UserName: &name}))(f.t)
	return Key{*out.AccessKey.AccessKeyId, *out.AccessKey.SecretAccessKey}
}

// allow is a policy that allows actions on everything.
func allow(actions ...string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["` + strings.Join(actions, `","`) + `"],"Resource":"*"}]}`
}

// get fails the test on an error and returns the value.
func get[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t testing.TB) func(any, error) {
	return func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}

// wantError requires an error of the service with a code and, contained, a text.
func wantError(t testing.TB, err error, code, text string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) {
		t.Errorf("got %v, want %s", err, code)
	} else if e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), text) {
		t.Errorf("got %s: %s\nwant %s: %s", e.ErrorCode(), e.ErrorMessage(), code, text)
	}
}

func bounds(s *Service) []schema.Bound {
	return []schema.Bound{iam.Bind(s.IAM()), sts.Bind(s.STS()), apigateway.Bind(apigateway.Unimplemented{}),
		acm.Bind(acm.Unimplemented{}), s3.Bind(s3.Unimplemented{})}
}
