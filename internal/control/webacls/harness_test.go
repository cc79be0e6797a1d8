package webacls_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/wafv2"
	"github.com/aws/aws-sdk-go-v2/service/wafv2/types"
	"github.com/aws/smithy-go"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awstest"
	"gatehouse/internal/awsapi/gen/wafv2"
	"gatehouse/internal/awsapi/schema"
	"gatehouse/internal/control/identities"
	"gatehouse/internal/control/webacls"
	"gatehouse/internal/firewall"
	"gatehouse/internal/lang/wafrules/managed"
	"gatehouse/internal/lang/wafrules/ratecount"
	"gatehouse/internal/lang/wafrules/record"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

const account = "000000000000"

// atlas places everything in Germany.
type atlas struct{}

func (atlas) Country(netip.Addr) (string, string) { return "DE", "BE" }
func (atlas) ASN(netip.Addr) uint32               { return 64500 }

// traffic is what a test says that the data plane saw.
type traffic struct {
	samples []record.Sample
	limits  *ratecount.Store
}

func (t *traffic) Sampled(string, string, time.Time, time.Time, int) ([]record.Sample, int64) {
	return t.samples, 10 * int64(len(t.samples))
}

func (t *traffic) Limited(rule string, now time.Time) []netip.Addr {
	return t.limits.Limited(rule, now)
}

// service is WAFv2 behind the real server, with real signatures.
type service struct {
	*sdk.Client
	store   *store.Store
	env     firewall.Environment
	traffic *traffic
}

func serve(t *testing.T) *service {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	s := &service{store: st, traffic: &traffic{limits: ratecount.NewStore()}}
	s.env = firewall.Environment{Catalog: managed.New(managed.Lists{}), Geography: atlas{}, Counters: s.traffic.limits}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	who, err := identities.New(t.Context(), identities.Config{Store: st, Account: account, HomeRegion: "us-east-1", Log: log,
		Root: identities.RootKey{AccessKeyID: "root", SecretAccessKey: "secret"}})
	if err != nil {
		t.Fatal(err)
	}
	backend := &webacls.WebACLs{Store: st, Environment: s.env, Traffic: s.traffic}
	server := httptest.NewServer(awsapi.NewServer(awsapi.Config{Services: []schema.Bound{wafv2.Bind(backend)}, Authenticator: who, Authorizer: who,
		Log: log, Account: account, Region: "us-east-1"}))
	t.Cleanup(server.Close)
	s.Client = sdk.NewFromConfig(aws.Config{Region: "us-east-1", BaseEndpoint: &server.URL, Retryer: awstest.Retryer,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "root", SecretAccessKey: "secret"}, nil
		})})
	return s
}

// must returns v and fails the test on an error.
func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// wantCode checks which exception an operation answered.
func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	e, ok := errors.AsType[smithy.APIError](err)
	if !ok || e.ErrorCode() != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

// newStage stores a stage of a REST API and returns its ARN.
func (s *service) newStage(t *testing.T, api, name string) string {
	t.Helper()
	if _, err := s.store.Update(t.Context(), func(tx *store.Tx) error {
		in := store.Scope{Account: account, Region: "us-east-1"}
		return store.Collection[model.Stage]{Kind: model.KindStage}.Put(tx, in.Of(api), name, model.Stage{StageName: name})
	}); err != nil {
		t.Fatal(err)
	}
	return "arn:aws:apigateway:us-east-1::/restapis/" + api + "/stages/" + name
}

func visibility(name string) *types.VisibilityConfig {
	return &types.VisibilityConfig{MetricName: &name, SampledRequestsEnabled: true, CloudWatchMetricsEnabled: true}
}

var (
	none    = []types.TextTransformation{{Priority: 0, Type: types.TextTransformationTypeNone}}
	blocked = &types.RuleAction{Block: &types.BlockAction{}}
	allow   = &types.DefaultAction{Allow: &types.AllowAction{}}
)

func rule(name string, priority int32, s *types.Statement) types.Rule {
	return types.Rule{Name: &name, Priority: priority, Statement: s, Action: blocked, VisibilityConfig: visibility(name)}
}

func pathContains(text string) *types.Statement {
	return &types.Statement{ByteMatchStatement: &types.ByteMatchStatement{SearchString: []byte(text), FieldToMatch: &types.FieldToMatch{UriPath: &types.UriPath{}},
		TextTransformations: none, PositionalConstraint: types.PositionalConstraintContains}}
}

// newACL makes a web ACL with the given rules.
func (s *service) newACL(t *testing.T, name string, rules ...types.Rule) *types.WebACLSummary {
	t.Helper()
	out := must[*sdk.CreateWebACLOutput](t)(s.CreateWebACL(t.Context(), &sdk.CreateWebACLInput{Name: &name, Scope: types.ScopeRegional, DefaultAction: allow, Rules: rules, VisibilityConfig: visibility(name)}))
	return out.Summary
}
