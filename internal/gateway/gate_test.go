package gateway_test

import (
	"bytes"
	"context"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/compile"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/authorizer"
	"gatehouse/internal/invoke"
	"gatehouse/internal/invoke/invoketest"
	"gatehouse/internal/message"
	"gatehouse/internal/model"
	"gatehouse/internal/plan"
)

const (
	account = "123456789012"
	region  = "us-east-1"
	apiID   = "abcdef1234"

	authorizerFunction = "arn:aws:lambda:us-east-1:123456789012:function:auth"
)

// A gate is a gateway whose plan is compiled from documents and whose functions are Go
// functions.
type gate struct {
	t         testing.TB
	gateway   *gateway.Gateway
	functions *invoketest.Functions
	snapshot  model.Snapshot
	stages    []model.Stage
	twins     []string                // ids of further APIs with the same resources and authorizers
	mappings  map[string]plan.Mapping // by domain
	private   map[string]*plan.PrivateDomain

	mu  sync.Mutex
	now time.Time
}

// newGate has one API with the stage prod, without resources.
func newGate(t testing.TB) *gate {
	g := &gate{
		t: t, functions: &invoketest.Functions{}, now: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
		snapshot: model.Snapshot{API: model.RestAPI{ID: apiID, Name: "api", EndpointConfiguration: model.EndpointConfiguration{Types: []string{"REGIONAL"}}}},
		stages:   []model.Stage{{StageName: "prod", DeploymentID: "dep1"}},
		mappings: map[string]plan.Mapping{},
	}
	g.gateway = &gateway.Gateway{Functions: g.functions, Answers: authorizer.NewCache(0), Now: g.clock, PlainDomains: true}
	return g
}

func (g *gate) clock() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.now
}

func (g *gate) advance(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now = g.now.Add(d)
}

// shown is the response template of mock methods: what the authorizer said.
const shown = `p=$context.authorizer.principalId|s=$context.authorizer.text|n=$context.authorizer.number|b=$context.authorizer.bool|l=$context.authorizer.integrationLatency|c=$context.authorizer.claims.sub`

// method adds a MOCK method that shows what the authorizer said.
func (g *gate) method(path, verb string, change func(*model.Method)) {
	m := &model.Method{
		HTTPMethod: verb, AuthorizationType: "NONE",
		MethodResponses: map[string]*model.MethodResponse{"200": {StatusCode: "200"}},
		Integration: &model.Integration{
			Type: "MOCK", PassthroughBehavior: "WHEN_NO_MATCH", RequestTemplates: map[string]string{"application/json": `{"statusCode":200}`},
			IntegrationResponses: map[string]*model.IntegrationResponse{"200": {StatusCode: "200", ResponseTemplates: map[string]*string{"application/json": new(shown)}}},
		},
	}
	if change != nil {
		change(m)
	}
	for i := range g.snapshot.Resources {
		if g.snapshot.Resources[i].Path == path {
			g.snapshot.Resources[i].Methods[verb] = m
			return
		}
	}
	g.snapshot.Resources = append(g.snapshot.Resources, model.Resource{ID: "res" + path, Path: path, Methods: map[string]*model.Method{verb: m}})
}

// custom makes a method ask the authorizer a1.
func custom(m *model.Method) { m.AuthorizationType, m.AuthorizerID = "CUSTOM", "a1" }

// authorizer adds the Lambda authorizer a1, a TOKEN one unless change says otherwise.
func (g *gate) authorizer(change func(*model.Authorizer)) {
	a := model.Authorizer{
		ID: "a1", Name: "auth", Type: "TOKEN", IdentitySource: "method.request.header.Authorization",
		AuthorizerURI: "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/" + authorizerFunction + "/invocations",
	}
	if change != nil {
		change(&a)
	}
	g.snapshot.Authorizers = append(g.snapshot.Authorizers, a)
}

// publish compiles the documents and serves them.
func (g *gate) publish() {
	g.t.Helper()
	b := plan.NewBuilder(nil, "localhost")
	for _, id := range append([]string{g.snapshot.API.ID}, g.twins...) {
		snapshot := g.snapshot
		snapshot.API.ID = id
		for _, st := range g.stages {
			s, err := compile.Stage(account, region, st, snapshot, compile.Limits{}, compile.Backends{})
			if err != nil {
				g.t.Fatal(err)
			}
			b.SetStage(s)
		}
	}
	for name, m := range g.mappings {
		b.SetDomain(&plan.Domain{Name: name, Region: region, Account: account, Private: g.private[name], Mappings: []plan.Mapping{m}})
	}
	g.gateway.Publish(b.Build(1))
}

// answered is the answer to a request.
type answered struct {
	status int
	header message.Header
	body   string
}

// String is the status and the body.
func (a answered) String() string { return strings.Join([]string{statusText(a.status), a.body}, " ") }

func statusText(n int) string {
	return string([]byte{byte('0' + n/100), byte('0' + n/10%10), byte('0' + n%10)})
}

// get requests target from the default endpoint; header is name, value, name, value.
func (g *gate) get(target string, header ...string) answered { return g.do("GET", target, header...) }

func (g *gate) do(verb, target string, header ...string) answered {
	return g.serve(g.request(verb, apiID+".execute-api.us-east-1.localhost", target, header...))
}

func (g *gate) request(verb, host, target string, header ...string) *message.Request {
	path, query, _ := strings.Cut(target, "?")
	req := &message.Request{
		Method: verb, Target: target, Path: path, RawQuery: query, Host: host, Body: &bytes.Reader{}, Received: g.clock(),
		Conn: &message.Conn{Remote: netip.MustParseAddrPort("203.0.113.7:4444")},
	}
	req.Header.Add("Host", host)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	return req
}

func (g *gate) serve(req *message.Request) answered {
	w := &recorder{}
	g.gateway.Serve(g.t.Context(), req, w)
	return answered{w.status, w.header, w.body.String()}
}

// recorder is a message.Writer that keeps the answer.
type recorder struct {
	status int
	header message.Header
	body   bytes.Buffer
}

func (w *recorder) WriteInformational(int, message.Header) error { return nil }
func (w *recorder) WriteHead(status int, h message.Header, _ int64) error {
	w.status, w.header = status, append(message.Header(nil), h...)
	return nil
}
func (w *recorder) Write(p []byte) (int, error)       { return w.body.Write(p) }
func (w *recorder) Flush() error                      { return nil }
func (w *recorder) WriteTrailer(message.Header) error { return nil }
func (w *recorder) Abort()                            {}

// policy is an authorizer's answer with one statement.
func policy(effect, resource, more string) string {
	return `{"principalId":"me","policyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"` + effect +
		`","Action":"execute-api:Invoke","Resource":"` + resource + `"}]}` + more + `}`
}

// allowThis allows the method that the event names, and nothing else.
func allowThis(_ context.Context, c *invoke.Call) ([]byte, error) {
	return []byte(policy("Allow", eventMember(c.Payload, "methodArn"), "")), nil
}

// eventMember returns a string member of an event.
func eventMember(event []byte, name string) string {
	_, rest, _ := strings.Cut(string(event), `"`+name+`":"`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}
