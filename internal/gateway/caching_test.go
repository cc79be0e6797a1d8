package gateway

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"gatehouse/internal/compile"
	"gatehouse/internal/counter"
	"gatehouse/internal/gateway/cache"
	"gatehouse/internal/message"
	"gatehouse/internal/model"
	"gatehouse/internal/plan"
)

// standing is a clock that tests move.
type standing struct{ now counter.Instant }

func (c *standing) Now() counter.Instant { return c.now }

// caching makes b keep the answers of its method, varied by the named parameters.
func caching(t testing.TB, keys ...string) *bench {
	t.Helper()
	m := &model.Method{HTTPMethod: "GET", AuthorizationType: "NONE", Integration: &model.Integration{Type: "MOCK", TimeoutInMillis: 29000,
		CacheKeyParameters: keys, RequestTemplates: map[string]string{"application/json": `{"statusCode": 200}`},
		IntegrationResponses: map[string]*model.IntegrationResponse{"200": {ResponseTemplates: map[string]*string{"application/json": new(strings.Repeat("x", 1024))}}}},
		MethodResponses: map[string]*model.MethodResponse{"200": {}}}
	st := model.Stage{StageName: "prod", DeploymentID: "dep1", CacheClusterEnabled: true, CacheClusterSize: "0.5",
		MethodSettings: map[string]*model.MethodSetting{"*/*": {CachingEnabled: true, CacheTTLInSeconds: 300, RequireAuthorizationForCacheControl: true}}}
	snapshot := model.Snapshot{API: model.RestAPI{ID: "api1"}, Resources: []model.Resource{{ID: "res1", Path: "/{proxy+}", Methods: map[string]*model.Method{"GET": m}}}}
	s, err := compile.Stage("123456789012", "us-east-1", st, snapshot, compile.Limits{Caches: cache.New(1 << 30)}, compile.Backends{})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{Gateway: &Gateway{Clock: &standing{counter.Instant{Mono: 1}}}}
	builder := plan.NewBuilder(nil, "example.com")
	builder.SetStage(s)
	b.Publish(builder.Build(1))
	return b
}

// Requests with the same values of the key parameters, and no others, have the same key: its
// parts cannot be moved from one parameter into another.
func TestCacheKeys(t *testing.T) {
	b := caching(t, "method.request.path.proxy", "method.request.querystring.a", "method.request.querystring.b", "method.request.header.H")
	key := func(target string, header ...message.Field) string {
		t.Helper()
		x := &exchange{}
		x.begin(b.Gateway, b.Plan(), getRequest(target, header...), &answer{}, entry{})
		if err := x.arrive(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := x.route(t.Context()); err != nil {
			t.Fatal(err)
		}
		return string(x.appendCacheKey(nil, x.method.Caching))
	}
	h := func(name, value string) message.Field { return message.Field{Name: name, Value: value} }
	different := []string{
		key("/prod/p"), key("/prod/q"), key("/prod/p?a=1"), key("/prod/p?b=1"), key("/prod/p?a=1&b=1"), key("/prod/p?a=1&a=1"), key("/prod/p?a=1&a=2"), key("/prod/p?a=2&a=1"),
		key("/prod/p?a=1,1"), key("/prod/p?a=1%26b=1"), key("/prod/p", h("H", "1")), key("/prod/p", h("H", "1"), h("h", "2")), key("/prod/p", h("H", "1,2")),
		key("/prod/p%2Fq"), key("/prod/p/q"), key("/prod/p?a=\x00"), key("/prod/p?a=%00"),
	}
	for i, one := range different {
		for j, two := range different[:i] {
			if one == two {
				t.Errorf("%d and %d have the same key %q", i, j, one)
			}
		}
	}
	for name, same := range map[string][2]string{
		"another parameter": {key("/prod/p?c=1"), key("/prod/p")},
		"another header":    {key("/prod/p", h("X", "1")), key("/prod/p")},
		"order":             {key("/prod/p?a=1&b=2"), key("/prod/p?b=2&a=1")},
		"letters":           {key("/prod/p", h("h", "1")), key("/prod/p", h("H", "1"))},
		"escaped name":      {key("/prod/p?%61=1"), key("/prod/p?a=1")},
	} {
		if same[0] != same[1] {
			t.Errorf("%s: %q and %q", name, same[0], same[1])
		}
	}
}

// A key parameter may be what a mapping makes of the request: of its body, or of what an
// authorizer said.
func TestCacheKeysOfMappings(t *testing.T) {
	calls := 0
	b := proxyBench(t, func(w http.ResponseWriter, _ *http.Request) {
		calls++
		io.WriteString(w, fmt.Sprint(calls))
	}, func(m *model.Method, _ *model.Stage, _ *model.Snapshot) {
		m.Integration.RequestParameters = map[string]string{"integration.request.header.X-Name": "method.request.body.name", "integration.request.header.X-Who": "context.identity.sourceIp"}
	})
	b.Clock = &standing{}
	c := cache.New(1<<20).Stage(cache.Name{}, cache.Generation{Bytes: 1 << 20})
	for s := range b.Plan().Stages {
		for _, m := range s.Root.Greedy.Resource.Methods {
			m.Caching = &plan.Caching{Cache: c, Options: cache.Options{TTL: 1 << 40}}
			for i := range m.Integration.Parameters {
				m.Caching.Parameters = append(m.Caching.Parameters, plan.CacheParameter{Name: m.Integration.Parameters[i].Name, Mapped: &m.Integration.Parameters[i]})
			}
		}
	}
	for _, c := range []struct{ body, want string }{{`{"name":"a"}`, "1"}, {`{"name":"b"}`, "2"}, {`{"name":"a","x":1}`, "1"}, {`{}`, "3"}, {``, "3"}} {
		if a := b.do(t, "POST", "/prod/x", c.body); a.String() != "200  "+c.want {
			t.Errorf("%q: %s, want %s", c.body, a, c.want)
		}
	}
	if a := b.do(t, "POST", "/prod/x", `{"name":`); a.String() != `400 BadRequestException {"message": "Invalid JSON in request body"}` {
		t.Errorf("a body that is no JSON: %s", a)
	}
}

// A panic in the integration lets those who wait go on.
func TestFlightOfAPanic(t *testing.T) {
	calls := 0
	b := proxyBench(t, func(w http.ResponseWriter, _ *http.Request) {
		calls++
		io.WriteString(w, fmt.Sprint(calls))
	}, func(m *model.Method, _ *model.Stage, _ *model.Snapshot) {})
	c := cache.New(1<<20).Stage(cache.Name{}, cache.Generation{Bytes: 1 << 20})
	for s := range b.Plan().Stages {
		for _, m := range s.Root.Greedy.Resource.Methods {
			m.Caching = &plan.Caching{Cache: c, OnlyGET: true}
		}
	}
	b.Clock = &standing{}
	upstream := b.Upstream
	b.Upstream = nil
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic without an upstream client")
			}
		}()
		b.do(t, "GET", "/prod/x", "")
	}()
	b.Upstream = upstream
	if a := b.do(t, "GET", "/prod/x", ""); a.String() != "200  1" {
		t.Errorf("after the panic: %s", a)
	}
}

// discarded is a client that takes everything.
type discarded struct{ status, bytes int }

func (d *discarded) WriteInformational(int, message.Header) error { return nil }
func (d *discarded) WriteHead(status int, _ message.Header, _ int64) error {
	d.status = status
	return nil
}
func (d *discarded) Write(p []byte) (int, error) {
	d.bytes += len(p)
	return len(p), nil
}
func (d *discarded) Flush() error                      { return nil }
func (d *discarded) WriteTrailer(message.Header) error { return nil }
func (d *discarded) Abort()                            {}

// BenchmarkCacheHit is a whole exchange, from its request to the end of its answer, that is
// answered from the cache.
func BenchmarkCacheHit(b *testing.B) {
	gw := caching(b, "method.request.path.proxy", "method.request.querystring.page", "method.request.header.Authorization")
	req := getRequest("/prod/items/7?page=2&sort=name", message.Field{Name: "Host", Value: "x"}, message.Field{Name: "Accept", Value: "*/*"},
		message.Field{Name: "User-Agent", Value: "bench"}, message.Field{Name: "Authorization", Value: "Bearer abcdefghijklmnopqrstuvwxyz"})
	w := &discarded{}
	b.ReportAllocs()
	for b.Loop() {
		gw.Serve(b.Context(), req, w)
	}
	if w.status != 200 || w.bytes < b.N*1024 {
		b.Fatalf("status %d, %d bytes in %d answers", w.status, w.bytes, b.N)
	}
}
