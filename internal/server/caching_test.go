package server_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"gatehouse/internal/config"
	"gatehouse/internal/server/servertest"
)

// patchStage applies operations to a stage: "replace /path value" and so on.
func (a *api) patchStage(stage string, ops ...string) *apigateway.UpdateStageOutput {
	a.t.Helper()
	in := &apigateway.UpdateStageInput{RestApiId: a.id, StageName: &stage}
	for _, text := range ops {
		part := strings.SplitN(text, " ", 3)
		o := types.PatchOperation{Op: types.Op(part[0]), Path: &part[1]}
		switch {
		case part[0] == "copy":
			o.From = &part[2]
		case len(part) > 2:
			o.Value = &part[2]
		}
		in.PatchOperations = append(in.PatchOperations, o)
	}
	out, err := a.c.UpdateStage(a.t.Context(), in)
	if err != nil {
		a.t.Fatal(err)
	}
	return out
}

// counting is a backend that answers the number of requests it has had.
func counting(t *testing.T) (*httptest.Server, *atomic.Int64) {
	n := &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Backend", "counting")
		switch r.URL.Query().Get("as") {
		case "error":
			w.WriteHeader(503)
		case "part":
			w.Header().Set("Content-Range", "bytes 0-1/9")
			w.WriteHeader(206)
		case "coded":
			w.Header().Set("Content-Encoding", "br")
		case "large":
			n.Add(1)
			io.WriteString(w, strings.Repeat("x", 1<<20+1))
			return
		}
		fmt.Fprint(w, n.Add(1))
	}))
	t.Cleanup(s.Close)
	return s, n
}

// A stage with a cache answers GET from it, varied by the cache key parameters, until the
// time is over (routing-and-integrations, section 14).
func TestResponseCache(t *testing.T) {
	g := servertest.Start(t, func(c *config.Config) { c.Dev = true })
	backend, _ := counting(t)
	a := newAPI(t, g)
	r := a.resource("/items/{id}")
	for _, verb := range []string{"GET", "POST", "HEAD"} {
		a.method(r, verb, apigateway.PutIntegrationInput{Type: types.IntegrationTypeHttpProxy, IntegrationHttpMethod: aws.String(verb), Uri: aws.String(backend.URL + "/{id}"),
			RequestParameters: map[string]string{"integration.request.path.id": "method.request.path.id", "integration.request.header.X-T": "method.request.header.X-Tenant"},
			CacheKeyParameters: []string{"method.request.path.id", "method.request.querystring.page", "method.request.header.Authorization",
				"integration.request.header.X-T", "method.request.querystring.as"}})
	}
	plain := a.resource("/plain")
	a.method(plain, "ANY", apigateway.PutIntegrationInput{Type: types.IntegrationTypeHttp, IntegrationHttpMethod: aws.String("GET"), Uri: aws.String(backend.URL)})
	a.respond(plain, "ANY", "200", apigateway.PutIntegrationResponseInput{ResponseParameters: map[string]string{"method.response.header.X-From": "integration.response.header.X-Backend"},
		ResponseTemplates: map[string]string{"text/plain": `#set($context.responseOverride.status = 203)n=$input.path('$')`}})
	a.deploy("prod")
	a.deploy("other")
	a.patchStage("prod", "replace /cacheClusterEnabled true", "replace /cacheClusterSize 0.5", "replace /*/*/caching/enabled true", "replace /*/*/caching/ttlInSeconds 60")
	a.patchStage("other", "replace /cacheClusterEnabled true", "replace /*/*/caching/enabled true")
	c := g.Client(t, nil)
	ask := func(verb, path string, header ...string) string {
		t.Helper()
		req, _ := http.NewRequest(verb, "http://"+a.host()+path, nil)
		for i := 0; i < len(header); i += 2 {
			req.Header[header[i]] = append(req.Header[header[i]], header[i+1])
		}
		status, body, _ := do(t, c, req)
		return fmt.Sprint(status, " ", body)
	}
	same := func(what, first, second string) {
		t.Helper()
		if first != second {
			t.Errorf("%s: %q and then %q, want one answer", what, first, second)
		}
	}
	other := func(what, first, second string) {
		t.Helper()
		if first == second {
			t.Errorf("%s: %q twice, want two answers", what, first)
		}
	}
	first := ask("GET", "/prod/items/1")
	same("again", first, ask("GET", "/prod/items/1"))
	same("a parameter that is no key", first, ask("GET", "/prod/items/1?unlisted=1"))
	other("another path", first, ask("GET", "/prod/items/2"))
	other("another page", first, ask("GET", "/prod/items/1?page=2"))
	other("another mapped header", first, ask("GET", "/prod/items/1", "X-Tenant", "b"))
	other("another stage", first, ask("GET", "/other/items/1"))
	other("POST", ask("POST", "/prod/items/1"), ask("POST", "/prod/items/1"))
	same("an error of the backend", ask("GET", "/prod/items/1?as=error"), ask("GET", "/prod/items/1?as=error"))
	other("a part", ask("GET", "/prod/items/1?as=part"), ask("GET", "/prod/items/1?as=part"))
	other("a coded body", ask("GET", "/prod/items/1?as=coded"), ask("GET", "/prod/items/1?as=coded"))

	// Callers that the key tells apart never get each other's answers, whatever the client does
	// to hide what it sends.
	ann := ask("GET", "/prod/items/1", "Authorization", "ann")
	other("another caller", ann, ask("GET", "/prod/items/1", "Authorization", "bob"))
	other("in other letters", ann, ask("GET", "/prod/items/1", "aUTHORIZATION", "bob2"))
	other("no caller, after one in other letters", ask("GET", "/prod/items/1", "AUTHORIZATION", "eve"), first)
	other("two values", ask("GET", "/prod/items/1?page=1&page=3"), ask("GET", "/prod/items/1?page=2&page=3"))
	other("a name in escapes", ask("GET", "/prod/items/1?p%61ge=7"), ask("GET", "/prod/items/1"))
	other("parts moved", ask("GET", "/prod/items/ab?page=c"), ask("GET", "/prod/items/a?page=bc"))

	// The kept answer is what the method answers: status, mapped header and body.
	status, body, header := get(t, c, "http://"+a.host()+"/prod/plain")
	status2, body2, header2 := get(t, c, "http://"+a.host()+"/prod/plain")
	if status != 203 || status2 != 203 || !strings.HasPrefix(body, "n=") || body != body2 || header.Get("X-From") != "counting" || header2.Get("X-From") != "counting" {
		t.Errorf("mapped: %d %q %v, then %d %q %v", status, body, header, status2, body2, header2)
	}
	if header2.Get("Content-Type") != "text/plain" || header2.Get("X-Amzn-Trace-Id") == header.Get("X-Amzn-Trace-Id") || header2.Get("x-amzn-RequestId") == header.Get("x-amzn-RequestId") {
		t.Errorf("the second answer's own fields: %v", header2)
	}
	other("ANY is cached for GET alone", ask("POST", "/prod/plain"), ask("POST", "/prod/plain"))
	large := func() string { s := ask("GET", "/prod/items/1?as=large"); return s }
	if len(large()) != len("200 ")+1<<20+1 {
		t.Error("a large answer is cut")
	}

	// The time is over.
	advance := func(by string) {
		t.Helper()
		req, _ := http.NewRequest("POST", "http://"+g.Control+"/_gatehouse/clock?advance="+by, nil)
		req.Header.Set("X-Gatehouse-Dev", "1")
		if status, body, _ := do(t, http.DefaultClient, req); status != 204 {
			t.Fatalf("clock: %d %s", status, body)
		}
	}
	advance("59s")
	same("before its end", first, ask("GET", "/prod/items/1"))
	advance("2s")
	second := ask("GET", "/prod/items/1")
	other("after its end", first, second)

	// Flushing acts at once, as do a deployment and switching it off.
	if _, err := a.c.FlushStageCache(t.Context(), &apigateway.FlushStageCacheInput{RestApiId: a.id, StageName: aws.String("prod")}); err != nil {
		t.Fatal(err)
	}
	third := ask("GET", "/prod/items/1")
	other("after a flush", second, third)
	same("kept again", third, ask("GET", "/prod/items/1"))
	a.deploy("prod")
	fourth := ask("GET", "/prod/items/1")
	other("after a deployment", third, fourth)
	out := a.patchStage("prod", "replace /cacheClusterEnabled false")
	if out.CacheClusterStatus != types.CacheClusterStatusNotAvailable {
		t.Errorf("status of a cluster that is off: %s", out.CacheClusterStatus)
	}
	other("switched off", ask("GET", "/prod/items/1"), ask("GET", "/prod/items/1"))

	// A setting that names the verb caches it, and one for all the rest does not.
	a.patchStage("prod", "replace /cacheClusterEnabled true", "replace /~1items~1{id}/POST/caching/enabled true")
	same("POST by its own setting", ask("POST", "/prod/items/1"), ask("POST", "/prod/items/1"))
	a.patchStage("prod", "replace /~1items~1{id}/GET/caching/ttlInSeconds 0")
	other("no time at all", ask("GET", "/prod/items/1"), ask("GET", "/prod/items/1"))
	a.patchStage("prod", "replace /~1items~1{id}/GET/caching/ttlInSeconds 60", "replace /~1items~1{id}/GET/caching/dataEncrypted true")
	same("encrypted", ask("GET", "/prod/items/1"), ask("GET", "/prod/items/1"))
	http.DefaultClient.CloseIdleConnections()
}

// Many requests for one answer call the backend once, and a client that reads slowly keeps
// no other waiting.
func TestCacheCallsTheBackendOnce(t *testing.T) {
	g := servertest.Start(t, nil)
	var calls atomic.Int64
	arrived, answer := make(chan struct{}, 100), make(chan struct{})
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		arrived <- struct{}{}
		<-answer
		io.WriteString(w, "once")
	}))
	t.Cleanup(backend.Close)
	a := newAPI(t, g)
	a.method(a.resource("/one"), "GET", apigateway.PutIntegrationInput{Type: types.IntegrationTypeHttpProxy, IntegrationHttpMethod: aws.String("GET"), Uri: &backend.URL})
	a.deploy("prod")
	a.patchStage("prod", "replace /cacheClusterEnabled true", "replace /*/*/caching/enabled true")
	c := g.Client(t, nil)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if status, body, _ := get(t, c, "http://"+a.host()+"/prod/one"); status != 200 || body != "once" {
				t.Errorf("%d %q", status, body)
			}
		})
	}
	<-arrived
	close(answer)
	all.Wait()
	if n := calls.Load(); n != 1 {
		t.Errorf("the backend was called %d times", n)
	}
}

// Cache-Control: max-age=0 has the answer made anew for those who may; what others get is the
// method's setting.
func TestCacheInvalidation(t *testing.T) {
	g := servertest.Start(t, nil)
	backend, _ := counting(t)
	a := newAPI(t, g)
	open, guarded := a.resource("/open"), a.resource("/guarded")
	for _, r := range []*string{open, guarded} {
		a.method(r, "GET", apigateway.PutIntegrationInput{Type: types.IntegrationTypeHttpProxy, IntegrationHttpMethod: aws.String("GET"), Uri: &backend.URL})
	}
	if _, err := a.c.UpdateMethod(t.Context(), &apigateway.UpdateMethodInput{RestApiId: a.id, ResourceId: guarded, HttpMethod: aws.String("GET"),
		PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: aws.String("/authorizationType"), Value: aws.String("AWS_IAM")}}}); err != nil {
		t.Fatal(err)
	}
	a.deploy("prod")
	a.patchStage("prod", "replace /cacheClusterEnabled true", "replace /*/*/caching/enabled true")
	c := g.Client(t, nil)
	const warning = "199 Cache-control headers were ignored because the caller was unauthorized."
	anew := func(req *http.Request) (string, string) {
		t.Helper()
		req.Header.Set("Cache-Control", "no-transform, Max-Age=0")
		status, body, header := do(t, c, req)
		return fmt.Sprint(status, " ", body), header.Get("Warning")
	}
	plain := func() *http.Request {
		req, _ := http.NewRequest("GET", "http://"+a.host()+"/prod/open", nil)
		return req
	}
	if body, w := anew(plain()); body != "200 1" || w != warning {
		t.Errorf("the first request: %q %q", body, w)
	}
	if body, w := anew(plain()); body != "200 1" || w != warning {
		t.Errorf("by default: %q %q", body, w)
	}
	if _, _, header := get(t, c, "http://"+a.host()+"/prod/open"); header.Get("Warning") != "" {
		t.Error("the warning of one client is kept for another")
	}
	a.patchStage("prod", "replace /*/*/caching/unauthorizedCacheControlHeaderStrategy SUCCEED_WITHOUT_RESPONSE_HEADER")
	if body, w := anew(plain()); body != "200 1" || w != "" {
		t.Errorf("without a header: %q %q", body, w)
	}
	a.patchStage("prod", "replace /*/*/caching/unauthorizedCacheControlHeaderStrategy FAIL_WITH_403")
	if body, _ := anew(plain()); !strings.HasPrefix(body, "403 ") || !strings.Contains(body, "execute-api:InvalidateCache") {
		t.Errorf("refused: %q", body)
	}
	a.patchStage("prod", "replace /*/*/caching/requireAuthorizationForCacheControl false")
	if body, w := anew(plain()); body != "200 2" || w != "" {
		t.Errorf("anyone may: %q %q", body, w)
	}
	if status, body, _ := get(t, c, "http://"+a.host()+"/prod/open"); status != 200 || body != "2" {
		t.Errorf("the new answer is kept: %d %s", status, body)
	}

	// Where callers sign, the permission decides.
	a.patchStage("prod", "replace /*/*/caching/requireAuthorizationForCacheControl true", "replace /*/*/caching/unauthorizedCacheControlHeaderStrategy SUCCEED_WITH_RESPONSE_HEADER")
	users := iam.NewFromConfig(g.AWS(t))
	if _, err := users.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("ann")}); err != nil {
		t.Fatal(err)
	}
	may := func(actions string) {
		t.Helper()
		if _, err := users.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: aws.String("ann"), PolicyName: aws.String("p"),
			PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[` + actions + `],"Resource":"*"}]}`)}); err != nil {
			t.Fatal(err)
		}
	}
	may(`"execute-api:Invoke"`)
	key, err := users.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: aws.String("ann")})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(id, secret string) *http.Request {
		return signed(t, "GET", "http://"+a.host()+"/prod/guarded", id, secret, "us-east-1", time.Now())
	}
	first, w := anew(ask(*key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey))
	if again, w2 := anew(ask(*key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey)); again != first || w != warning || w2 != warning {
		t.Errorf("without the permission: %q, %q and %q, %q", first, w, again, w2)
	}
	may(`"execute-api:Invoke","execute-api:InvalidateCache"`)
	if status, body, _ := get(t, c, "http://"+a.host()+"/prod/guarded"); status != 403 {
		t.Errorf("a kept answer for somebody who may not call the method: %d %s", status, body)
	}
	if again, w := anew(ask(*key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey)); again == first || w != "" {
		t.Errorf("with the permission: %q, %q", again, w)
	}
	status, metrics, _ := get(t, http.DefaultClient, "http://"+g.Control+"/_gatehouse/metrics")
	if want := `gatehouse_cache_requests_total{api="` + *a.id + `",outcome="miss",stage="prod"} 4`; status != 200 || !strings.Contains(metrics, want) {
		t.Errorf("metrics: %d, no %s", status, want)
	}
	http.DefaultClient.CloseIdleConnections()
}
