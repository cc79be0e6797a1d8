package gateway

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gatehouse/internal/http1/upstream"
	"gatehouse/internal/message"
	"gatehouse/internal/model"
)

// The tables of the references, a row a case: what becomes of header fields, of bodies that no
// template is for, and of binary payloads.

// A backend answers as serve says and keeps what it was asked.
type backend struct {
	*httptest.Server
	client *upstream.Client
	asked  int
	header http.Header
	host   string
	uri    string
	body   string
}

func newBackend(t *testing.T, serve http.HandlerFunc) *backend {
	t.Helper()
	b := &backend{client: &upstream.Client{}}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.asked++
		b.header, b.host, b.uri, b.body = r.Header, r.Host, r.RequestURI, string(body)
		if serve != nil {
			serve(w, r)
		}
	}))
	t.Cleanup(func() {
		b.client.CloseIdle()
		b.Close()
	})
	return b
}

// to serves an integration of kind to the backend; set may change the method and the API.
func (b *backend) to(t *testing.T, kind string, set func(*model.Method, *model.RestAPI)) *bench {
	t.Helper()
	m := &model.Method{
		MethodResponses: map[string]*model.MethodResponse{"200": {StatusCode: "200", ResponseParameters: map[string]bool{}}},
		Integration: &model.Integration{Type: kind, HTTPMethod: "POST", URI: b.URL,
			IntegrationResponses: map[string]*model.IntegrationResponse{"200": {StatusCode: "200"}}},
	}
	g := newBench(t, m, func(_ *model.Stage, s *model.Snapshot) {
		if set != nil {
			set(m, &s.API)
		}
	})
	g.Upstream = b.client
	return g
}

// Mapping a header field onto a request (aws-behaviour-recorded, section 25; routing-and-integrations,
// section 6.3).
func TestMappedRequestHeaders(t *testing.T) {
	b := newBackend(t, nil)
	for outcome, list := range map[string]string{
		"500":     "Content-Length Transfer-Encoding X-Amzn-Trace-Id X-Amzn-Apigateway-Api-Id",
		"dropped": "Connection Proxy-Authenticate TE Via Expect",
		"sent": "Accept Accept-Charset Accept-Encoding Age Authorization Content-Encoding Content-MD5 Content-Type Date Host Max-Forwards Pragma Range Referer " +
			"Server Trailer Upgrade User-Agent Warn WWW-Authenticate X-Other",
	} {
		for _, name := range strings.Fields(list) {
			for _, kind := range []string{"HTTP", "HTTP_PROXY"} {
				b.asked, b.header = 0, nil
				a := b.to(t, kind, func(m *model.Method, _ *model.RestAPI) {
					m.Integration.RequestParameters = map[string]string{"integration.request.header." + name: "'mapped'"}
				}).do(t, "POST", "/prod/x", "{}")
				got := "dropped"
				switch {
				case a.status == 500 && b.asked == 0 && a.String() == internalError:
					got = "500"
				case a.status != 200:
					got = a.String()
				case b.header.Get(name) == "mapped" || name == "Host" && b.host == "mapped":
					got = "sent"
				}
				if got != outcome {
					t.Errorf("%s of %s: %s, want %s", name, kind, got, outcome)
				}
			}
		}
	}
	// A mapped field replaces the client's and the gateway's own.
	g := b.to(t, "HTTP_PROXY", func(m *model.Method, _ *model.RestAPI) {
		m.Integration.RequestParameters = map[string]string{"integration.request.header.user-agent": "'mapped'"}
	})
	g.do(t, "POST", "/prod/x", "{}", message.Field{Name: "User-Agent", Value: "client"})
	if got := b.header.Values("User-Agent"); len(got) != 1 || got[0] != "mapped" {
		t.Errorf("User-Agent mapped and sent: %q", got)
	}
}

// What HTTP_PROXY passes of the client's header, and what templates see of it.
func TestClientHeaders(t *testing.T) {
	b := newBackend(t, nil)
	g := b.to(t, "HTTP_PROXY", nil)
	passed := "Accept Accept-Charset Accept-Encoding Age Authorization Content-Type Date Pragma Range Referer User-Agent Warn X-Other"
	kept := "Content-MD5 Expect Max-Forwards Proxy-Authenticate Server TE Trailer Upgrade Via WWW-Authenticate"
	for _, name := range strings.Fields(passed + " " + kept) {
		b.asked, b.header = 0, nil
		if a := g.do(t, "POST", "/prod/x", "{}", message.Field{Name: name, Value: "client"}); a.status != 200 || b.asked != 1 {
			t.Errorf("%s: %s", name, a)
			continue
		}
		if got, want := b.header.Get(name) == "client", strings.Contains(" "+passed+" ", " "+name+" "); got != want {
			t.Errorf("%s: passed on %v, want %v", name, got, want)
		}
	}
	// A proxy gets what the client says of the connection's next hop never.
	g.do(t, "POST", "/prod/x", "{}", message.Field{Name: "Connection", Value: "X-Hop, close"}, message.Field{Name: "X-Hop", Value: "1"})
	if b.header.Get("Connection") != "" || b.header.Get("X-Hop") != "" {
		t.Errorf("fields of the connection: %v", b.header)
	}
	hidden := "Connection Content-Length Content-MD5 Expect Max-Forwards Proxy-Authenticate Server TE Transfer-Encoding Trailer Upgrade WWW-Authenticate"
	for _, name := range strings.Fields(hidden + " " + passed + " Content-Encoding Via") {
		g := b.to(t, "MOCK", func(m *model.Method, _ *model.RestAPI) {
			m.Integration.RequestTemplates = map[string]string{"application/json": `{"statusCode": 200}`, "$default": `{"statusCode": 200}`}
			text := "[$input.params('" + name + "')][$input.params().header.get('" + name + "')]"
			m.Integration.IntegrationResponses["200"].ResponseTemplates = map[string]*string{"application/json": &text}
		})
		want := "200  [client][client]"
		if strings.Contains(" "+hidden+" ", " "+name+" ") {
			want = "200  [][]"
		}
		if a := g.do(t, "POST", "/prod/x", "", message.Field{Name: name, Value: "client"}); a.String() != want {
			t.Errorf("$input.params('%s'): %s, want %s", name, a, want)
		}
	}
}

// Mapping onto a response, and what a backend behind HTTP_PROXY answers.
func TestResponseHeaders(t *testing.T) {
	b := newBackend(t, nil)
	for outcome, list := range map[string]string{
		"remapped": "Authorization Connection Content-Length Content-MD5 Date Expect Host Max-Forwards Proxy-Authenticate Server Trailer Upgrade User-Agent WWW-Authenticate",
		"dropped":  "Transfer-Encoding",
		"passed":   "Accept Accept-Charset Accept-Encoding Age Content-Encoding Content-Type Pragma Range Referer TE Via Warn X-Other",
	} {
		for _, name := range strings.Fields(list) {
			a := b.to(t, "HTTP", func(m *model.Method, _ *model.RestAPI) {
				m.MethodResponses["200"].ResponseParameters["method.response.header."+name] = false
				m.Integration.IntegrationResponses["200"].ResponseParameters = map[string]string{"method.response.header." + name: "'mapped'"}
			}).do(t, "POST", "/prod/x", "{}")
			if got := fateIn(a.header, name, "mapped"); a.status != 200 || got != outcome {
				t.Errorf("mapped %s: %d, %s, want %s", name, a.status, got, outcome)
			}
		}
	}
	for outcome, list := range map[string]string{
		"remapped": "Date Server x-amzn-RequestId",
		"dropped":  "Via",
		"passed":   "Accept Accept-Charset Accept-Encoding Age Content-Type Pragma Range Referer Warn Location Set-Cookie X-Amzn-Trace-Id X-Other",
	} {
		for _, name := range strings.Fields(list) {
			b := newBackend(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set(name, "backend") })
			a := b.to(t, "HTTP_PROXY", nil).do(t, "POST", "/prod/x", "{}")
			if got := fateIn(a.header, name, "backend"); a.status != 200 || got != outcome {
				t.Errorf("proxied %s: %d, %s, want %s", name, a.status, got, outcome)
			}
		}
	}
}

// fateIn tells what became of a field in an answer.
func fateIn(h message.Header, name, value string) string {
	switch {
	case h.Get("x-amzn-Remapped-"+name) == value && h.Get(name) != value:
		return "remapped"
	case h.Get(name) == value:
		return "passed"
	}
	return "dropped"
}

// Bodies that no template is for (routing-and-integrations, section 4.6).
func TestPassthroughBehavior(t *testing.T) {
	const unsupported = `415 BadRequestException {"message": "Unsupported Media Type"}`
	b := newBackend(t, nil)
	for _, tt := range []struct{ templates, contentType, noMatch, noTemplates, never string }{
		{"application/json", "", "template", "template", "template"},
		{"application/json", "application/json", "template", "template", "template"},
		{"application/json", "application/json; charset=utf-8", "template", "template", "template"},
		{"application/json", "application/xml", "body", "415", "415"},
		{"application/xml", "", "body", "415", "415"},
		{"application/xml", "application/json", "body", "415", "415"},
		{"application/xml", "application/xml", "template", "template", "template"},
		{"$default", "text/plain", "template", "template", "template"},
		{"", "", "body", "body", "415"},
		{"", "application/json", "body", "body", "415"},
		{"", "application/xml", "body", "body", "415"},
	} {
		for behavior, want := range map[string]string{"WHEN_NO_MATCH": tt.noMatch, "": tt.noMatch, "WHEN_NO_TEMPLATES": tt.noTemplates, "NEVER": tt.never} {
			g := b.to(t, "HTTP", func(m *model.Method, _ *model.RestAPI) {
				m.Integration.PassthroughBehavior = behavior
				if tt.templates != "" {
					m.Integration.RequestTemplates = map[string]string{tt.templates: "template"}
				}
			})
			var header []message.Field
			if tt.contentType != "" {
				header = append(header, message.Field{Name: "Content-Type", Value: tt.contentType})
			}
			b.asked, b.body = 0, ""
			a := g.do(t, "POST", "/prod/x", "body", header...)
			got := a.String()
			switch {
			case got == unsupported && b.asked == 0:
				got = "415"
			case a.status == 200:
				got = b.body
			}
			if got != want {
				t.Errorf("template for %q, %q, %s: %s, want %s", tt.templates, tt.contentType, behavior, got, want)
			}
		}
	}
}

// Binary payloads on their way to a backend (aws-behaviour-recorded, section 26).
func TestBinaryRequests(t *testing.T) {
	b := newBackend(t, nil)
	raw := "\x00\xff\xfe bytes"
	coded := base64.StdEncoding.EncodeToString([]byte(raw))
	for _, tt := range []struct{ types, contentType, body, none, toText, toBinary string }{
		{"image/png", "text/plain", raw, "\x00\uFFFD bytes", "\x00\uFFFD bytes", "500"},
		{"image/png", "text/plain", coded, coded, coded, raw},
		{"image/png", "image/png", raw, raw, coded, raw},
		{"image/png", "image/png; q=1", raw, raw, coded, raw},
		{"image/*", "image/gif", raw, raw, coded, raw},
		{"*/*", "text/plain", raw, raw, coded, raw},
		{"*/png", "image/png", coded, coded, coded, raw},
		{"", "image/png", coded, coded, coded, raw},
	} {
		for handling, want := range map[string]string{"": tt.none, "CONVERT_TO_TEXT": tt.toText, "CONVERT_TO_BINARY": tt.toBinary} {
			g := b.to(t, "HTTP", func(m *model.Method, api *model.RestAPI) {
				m.Integration.ContentHandling = handling
				if tt.types != "" {
					api.BinaryMediaTypes = []string{tt.types}
				}
			})
			b.body = ""
			a := g.do(t, "POST", "/prod/x", tt.body, message.Field{Name: "Content-Type", Value: tt.contentType})
			got := b.body
			if a.status != 200 {
				got = fmt.Sprint(a.status)
			}
			// Bad bytes become one U+FFFD or one each; which, no reference says.
			if got = strings.ReplaceAll(got, "\uFFFD\uFFFD", "\uFFFD"); got != want {
				t.Errorf("%s with binary types %q, %q: %q, want %q", tt.contentType, tt.types, handling, got, want)
			}
		}
	}
}

// Binary payloads on their way to the client (aws-behaviour-recorded, section 26).
func TestBinaryResponses(t *testing.T) {
	raw := "\x01binary"
	coded := base64.StdEncoding.EncodeToString([]byte(raw))
	for _, tt := range []struct{ types, payload, accept, body, none, toText, toBinary string }{
		{"image/png", "text/plain", "text/plain", coded, coded, coded, raw},
		{"image/png", "text/plain", "text/plain", "no base64!", "no base64!", "no base64!", "500"},
		{"image/png", "text/plain", "image/png", coded, raw, coded, raw},
		{"image/png", "text/plain", "image/png", "no base64!", "500", "no base64!", "500"},
		{"image/png", "image/png", "text/plain", raw, coded, coded, raw},
		{"image/png", "image/png", "image/png", raw, raw, coded, raw},
		{"image/png", "image/png", "image/png, text/plain", raw, raw, coded, raw},
		{"image/png", "image/png", "text/plain, image/png", raw, coded, coded, raw}, // the first counts
		{"image/png", "image/png", "image/*", raw, coded, coded, raw},
		{"image/*", "image/png", "image/*", raw, raw, coded, raw},
		{"image/png", "image/png", "", raw, coded, coded, raw}, // no Accept is text
		{"image/png", "image/png", "*/*", raw, coded, coded, raw},
		{"*/*", "text/plain", "*/*", raw, raw, coded, raw},
		{"", "image/png", "image/png", coded, coded, coded, raw},
	} {
		for handling, want := range map[string]string{"": tt.none, "CONVERT_TO_TEXT": tt.toText, "CONVERT_TO_BINARY": tt.toBinary} {
			b := newBackend(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.payload)
				io.WriteString(w, tt.body)
			})
			g := b.to(t, "HTTP", func(m *model.Method, api *model.RestAPI) {
				m.Integration.IntegrationResponses["200"].ContentHandling = handling
				if tt.types != "" {
					api.BinaryMediaTypes = []string{tt.types}
				}
			})
			var header []message.Field
			if tt.accept != "" {
				header = append(header, message.Field{Name: "Accept", Value: tt.accept})
			}
			a := g.do(t, "POST", "/prod/x", "{}", header...)
			got := a.body.String()
			if a.status != 200 {
				got = fmt.Sprint(a.status)
			}
			if got != want {
				t.Errorf("%s accepted as %q with binary types %q, %q: %q, want %q", tt.payload, tt.accept, tt.types, handling, got, want)
			}
		}
	}
}

// The parameters of a backend's URI and query (aws-behaviour-recorded, section 21).
func TestProxiedQuery(t *testing.T) {
	b := newBackend(t, nil)
	for _, tt := range []struct {
		kind, uri string
		mapped    map[string]string
		query     string
		want      string
	}{
		{"HTTP_PROXY", "/?testVar={pathVar}", map[string]string{"path.pathVar": "method.request.path.proxy"}, "?testVar=bar", "/?testVar=foobar&testVar=bar"},
		{"HTTP_PROXY", "/{proxy}", map[string]string{"path.proxy": "method.request.path.proxy"}, "?a=1&a=2&b", "/foobar?a=1&a=2&b"},
		{"HTTP_PROXY", "/p", map[string]string{"querystring.x": "'mapped'"}, "?x=client", "/p?x=client&x=mapped"},
		{"HTTP_PROXY", "/p", map[string]string{"querystring.x": "method.request.querystring.absent"}, "", "/p"},
		{"HTTP_PROXY", "/{unknown}", nil, "", "/%7Bunknown%7D"},
		{"HTTP", "/p", map[string]string{"querystring.x": "method.request.querystring.a"}, "?a=1&a=2", "/p?x=2"},
		{"HTTP", "/p", map[string]string{"querystring.x": "method.request.multivaluequerystring.a"}, "?a=1&a=2", "/p?x=1&x=2"},
		{"HTTP", "/p", map[string]string{"querystring.x": "method.request.querystring.a"}, "?a=", "/p"},
		{"HTTP", "/p", map[string]string{"querystring.x": "method.request.querystring.a"}, "?a=1%2B2+3", "/p?x=1%2B2+3"},
		{"HTTP", "/p", nil, "?a=1", "/p"},
	} {
		g := b.to(t, tt.kind, func(m *model.Method, _ *model.RestAPI) {
			m.Integration.URI = b.URL + tt.uri
			m.Integration.RequestParameters = map[string]string{}
			for to, from := range tt.mapped {
				m.Integration.RequestParameters["integration.request."+to] = from
			}
		})
		b.uri = ""
		if a := g.do(t, "POST", "/prod/foobar"+tt.query, "{}"); a.status != 200 || b.uri != tt.want {
			t.Errorf("%s %s %v%s: %d, the backend was asked %q, want %q", tt.kind, tt.uri, tt.mapped, tt.query, a.status, b.uri, tt.want)
		}
	}
}

// Clients choose the request id as a UUID and nothing else, and the extended one never
// (request-lifecycle, section 2.2).
func TestRequestIDOfTheClient(t *testing.T) {
	g := newBackend(t, nil).to(t, "MOCK", func(m *model.Method, _ *model.RestAPI) {
		m.Integration.RequestTemplates = map[string]string{"application/json": `{"statusCode": 200}`}
		text := "$context.requestId $context.extendedRequestId"
		m.Integration.IntegrationResponses["200"].ResponseTemplates = map[string]*string{"application/json": &text}
	})
	const chosen = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
	ask := func(id string) (requestID, extended string) {
		a := g.do(t, "GET", "/prod/x", "", message.Field{Name: "X-Amzn-RequestId", Value: id}, message.Field{Name: "x-amz-apigw-id", Value: "mine"})
		requestID, extended, _ = strings.Cut(a.body.String(), " ")
		if a.header.Get("x-amzn-RequestId") != requestID || a.header.Get("x-amz-apigw-id") != extended || len(extended) != 16 || !strings.HasSuffix(extended, "=") {
			t.Errorf("%q: header %v, body %s", id, a.header, a.body.String())
		}
		return requestID, extended
	}
	if got, _ := ask(chosen); got != chosen {
		t.Errorf("a UUID: %s", got)
	}
	for _, bad := range []string{"not-a-uuid", chosen + "0", strings.ReplaceAll(chosen, "-", ""), "'; drop", strings.Repeat("a", 5000)} {
		got, _ := ask(bad)
		if id, ok := strings.CutSuffix(got, "_REPLACED_INVALID_REQUEST_ID"); !ok || !isRequestID(id) || strings.Contains(got, bad) {
			t.Errorf("%.40q: %s", bad, got)
		}
	}
}

// Templates override header fields as mappings set them; what frames the request is never theirs.
func TestOverriddenRequestHeaders(t *testing.T) {
	b := newBackend(t, nil)
	for outcome, list := range map[string]string{
		"dropped": "Content-Length Transfer-Encoding transfer-encoding Connection Proxy-Authenticate TE Via Expect",
		"sent":    "Accept Authorization Content-Type Host Referer User-Agent X-Other",
	} {
		for _, name := range strings.Fields(list) {
			b.asked, b.header = 0, nil
			a := b.to(t, "HTTP", func(m *model.Method, _ *model.RestAPI) {
				m.Integration.RequestTemplates = map[string]string{"application/json": `#set($context.requestOverride.header["` + name + `"] = "chunked"){}`}
			}).do(t, "POST", "/prod/x", "{}")
			got := "dropped"
			switch {
			case a.status != 200 || b.body != "{}":
				got = a.String() + " " + b.body
			case b.header.Get(name) == "chunked" || name == "Host" && b.host == "chunked":
				got = "sent"
			}
			if got != outcome {
				t.Errorf("%s: %s, want %s", name, got, outcome)
			}
		}
	}
}
