package server_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"

	"gatehouse/internal/server/servertest"
)

// HTTP integrations send what mappings and templates say and nothing of the client's, and
// answer by selection pattern (aws-behaviour-recorded, sections 21 and 25).
func TestHTTPIntegration(t *testing.T) {
	g := servertest.Start(t, nil)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Seen", r.Header.Get("X-Secret")+"|"+r.Header.Get("X-Mapped")+"|"+r.Header.Get("User-Agent")+"|"+r.Header.Get("Content-Type")+"|"+r.Header.Get("X-Over"))
		w.Header().Set("Content-Type", "application/json")
		if strings.Contains(r.URL.RawQuery, "fail") {
			w.WriteHeader(404)
		}
		io.WriteString(w, `{"asked":"`+r.Method+" "+r.RequestURI+`","body":`+strings.TrimSpace(string(body)+" ")+`}`)
	}))
	t.Cleanup(backend.Close)
	a := newAPI(t, g)
	r := a.resource("/orders/{id}")
	a.method(r, "POST", apigateway.PutIntegrationInput{
		Type: types.IntegrationTypeHttp, IntegrationHttpMethod: aws.String("PUT"), Uri: aws.String(backend.URL + "/o/{id}"),
		RequestParameters: map[string]string{
			"integration.request.path.id":           "method.request.path.id",
			"integration.request.header.X-Mapped":   "method.request.header.X-Client",
			"integration.request.querystring.mode":  "method.request.querystring.mode",
			"integration.request.header.X-FromBody": "method.request.body.name",
		},
		RequestTemplates: map[string]string{"application/json": `#set($context.requestOverride.header.X-Over = "over"){"n":$input.json('$.name')}`},
	})
	a.respond(r, "POST", "200", apigateway.PutIntegrationResponseInput{
		ResponseParameters: map[string]string{"method.response.header.X-Seen": "integration.response.header.X-Seen", "method.response.header.Server": "'mine'", "method.response.header.X-Asked": "integration.response.body.asked"},
		ResponseTemplates:  map[string]string{"application/json": `$input.path('$.body.n')`},
	})
	a.respond(r, "POST", "410", apigateway.PutIntegrationResponseInput{SelectionPattern: aws.String(`4\d{2}`),
		ResponseTemplates: map[string]string{"application/json": `gone#set($context.responseOverride.status = 418)`}})
	a.deploy("prod")
	c := g.Client(t, nil)
	post := func(query, body, contentType string) (int, string, http.Header) {
		t.Helper()
		req, _ := http.NewRequest("POST", "http://"+a.host()+"/prod/orders/7%2F8"+query, strings.NewReader(body))
		req.Header.Set("X-Client", "partner")
		req.Header.Set("X-Secret", "for the gateway only")
		if contentType != "" {
			req.Header.Set("Content-Type", contentType)
		}
		return do(t, c, req)
	}
	status, body, header := post("?mode=a%20b&other=1", `{"name":"Ada"}`, "application/json")
	if status != 200 || body != "Ada" || header.Get("X-Seen") != "|partner|AmazonAPIGateway_"+*a.id+"|application/json|over" {
		t.Errorf("mapped: %d %q %q", status, body, header.Get("X-Seen"))
	}
	if got := header.Get("X-Asked"); got != "PUT /o/7%2F8?mode=a+b" {
		t.Errorf("the backend was asked %q", got)
	}
	if header.Get("x-amzn-Remapped-Server") != "mine" || header.Get("X-Amzn-Trace-Id") == "" {
		t.Errorf("header: %v", header)
	}
	if status, body, _ := post("?mode=fail", `{"name":1}`, "application/json"); status != 418 || body != "gone" {
		t.Errorf("selected and overridden: %d %q", status, body)
	}
	if status, body, _ := post("", `{"name":`, "application/json"); status != 400 || body != `{"message": "Invalid JSON in request body"}` {
		t.Errorf("body that is no JSON: %d %s", status, body)
	}
}

// What goes wrong at a backend has the service's words (request-lifecycle, section 5).
func TestBackendFailures(t *testing.T) {
	g := servertest.Start(t, nil)
	hang := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(slow.Close)
	t.Cleanup(func() { close(hang) })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(untrusted.Close)
	lying := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := http.NewResponseController(w).Hijack()
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!")
		conn.Close()
	}))
	t.Cleanup(lying.Close)

	a := newAPI(t, g)
	for path, uri := range map[string]string{
		"/slow": slow.URL, "/closed": "http://" + closed.Addr().String(), "/unresolved": "http://nobody.invalid/", "/untrusted": untrusted.URL, "/lying": lying.URL,
	} {
		in := apigateway.PutIntegrationInput{Type: types.IntegrationTypeHttpProxy, IntegrationHttpMethod: aws.String("GET"), Uri: &uri}
		if path == "/slow" {
			in.TimeoutInMillis = aws.Int32(300)
		}
		a.method(a.resource(path), "GET", in)
	}
	a.mock(a.resource("/mock"), "GET", `{"statusCode": "200"}`, ``)
	a.deploy("prod")
	c := g.Client(t, nil)
	for path, want := range map[string]string{
		"/slow":       `504 {"message": "Endpoint request timed out"}`,
		"/closed":     `504 {"message": "Network error communicating with endpoint"}`,
		"/unresolved": `500 {"message": "Internal server error"}`,
		"/untrusted":  `500 {"message": "Internal server error"}`,
		"/lying":      `504 {"message": "Network error communicating with endpoint"}`,
		"/mock":       `500 {"message": "Internal server error"}`,
	} {
		status, body, header := get(t, c, "http://"+a.host()+"/prod"+path)
		if got := strconv.Itoa(status) + " " + body; got != want || header.Get("x-amzn-ErrorType") != "InternalServerErrorException" {
			t.Errorf("%s: %d %s %s, want %s", path, status, body, header.Get("x-amzn-ErrorType"), want)
		}
	}
	// A customised gateway response words them anew, and a header goes with it.
	if _, err := a.c.PutGatewayResponse(t.Context(), &apigateway.PutGatewayResponseInput{RestApiId: a.id, ResponseType: types.GatewayResponseTypeDefault5xx,
		ResponseParameters: map[string]string{"gatewayresponse.header.X-Why": "context.error.responseType"},
		ResponseTemplates:  map[string]string{"application/json": `{"oops":$context.error.messageString}`}}); err != nil {
		t.Fatal(err)
	}
	a.deploy("prod")
	status, body, header := get(t, c, "http://"+a.host()+"/prod/closed")
	if status != 504 || body != `{"oops":"Network error communicating with endpoint"}` || header.Get("X-Why") != "INTEGRATION_FAILURE" {
		t.Errorf("customised: %d %s %v", status, body, header)
	}
}

// Bodies up to 10 MB pass, one byte more is refused in plain text, whatever the framing.
func TestBodyLimit(t *testing.T) {
	g := servertest.Start(t, nil)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		w.Header().Set("X-Length", http.StatusText(200))
		io.WriteString(w, strings.Repeat("x", int(n%7)))
	}))
	t.Cleanup(backend.Close)
	a := newAPI(t, g)
	a.method(a.resource("/in"), "POST", apigateway.PutIntegrationInput{Type: types.IntegrationTypeHttpProxy, IntegrationHttpMethod: aws.String("POST"), Uri: &backend.URL})
	a.deploy("prod")
	const limit = 10 << 20
	for _, scheme := range []string{"http", "https"} {
		for _, c := range []struct {
			size    int
			chunked bool
			want    int
		}{{limit, false, 200}, {limit, true, 200}, {limit + 1, false, 413}, {limit + 1, true, 413}} {
			var body io.Reader = strings.NewReader(strings.Repeat("a", c.size))
			if c.chunked {
				body = struct{ io.Reader }{body}
			}
			req, _ := http.NewRequest("POST", scheme+"://"+a.host()+"/prod/in", body)
			resp, err := g.Client(t, nil).Do(req)
			if err != nil {
				if c.want == 413 {
					continue // the connection was closed before the whole body was taken
				}
				t.Errorf("%s %+v: %v", scheme, c, err)
				continue
			}
			text, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != c.want || c.want == 413 && string(text) != "HTTP content length exceeded 10485760 bytes." {
				t.Errorf("%s %+v: %d %.100s", scheme, c, resp.StatusCode, text)
			}
		}
	}
}

func TestValidation(t *testing.T) {
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	ctx := t.Context()
	if _, err := a.c.CreateModel(ctx, &apigateway.CreateModelInput{RestApiId: a.id, Name: aws.String("Pet"), ContentType: aws.String("application/json"),
		Schema: aws.String(`{"type":"object","required":["name"],"properties":{"name":{"type":"string"}}}`)}); err != nil {
		t.Fatal(err)
	}
	v, err := a.c.CreateRequestValidator(ctx, &apigateway.CreateRequestValidatorInput{RestApiId: a.id, Name: aws.String("all"), ValidateRequestBody: true, ValidateRequestParameters: true})
	if err != nil {
		t.Fatal(err)
	}
	r := a.resource("/pets")
	a.mock(r, "POST", `{"statusCode": 200}`, `ok`)
	if _, err := a.c.UpdateMethod(ctx, &apigateway.UpdateMethodInput{RestApiId: a.id, ResourceId: r, HttpMethod: aws.String("POST"), PatchOperations: []types.PatchOperation{
		{Op: types.OpReplace, Path: aws.String("/requestValidatorId"), Value: v.Id},
		{Op: types.OpAdd, Path: aws.String("/requestModels/application~1json"), Value: aws.String("Pet")},
		{Op: types.OpAdd, Path: aws.String("/requestParameters/method.request.querystring.q1"), Value: aws.String("true")},
		{Op: types.OpAdd, Path: aws.String("/requestParameters/method.request.header.x-h"), Value: aws.String("true")},
	}}); err != nil {
		t.Fatal(err)
	}
	a.deploy("prod")
	c := g.Client(t, nil)
	for _, tc := range []struct{ query, header, contentType, body, want string }{
		{"?q1=1", "v", "application/json", `{"name":"Rex"}`, "200 ok"},
		{"", "", "application/json", `{"name":"Rex"}`, `400 {"message": "Missing required request parameters: [x-h, q1]"}`},
		{"?q1=", "v", "application/json", `nonsense`, `400 {"message": "Missing required request parameters: [q1]"}`},
		{"?q1=1", "v", "application/json", `{"name":7}`, `400 {"message": "Invalid request body"}`},
		{"?q1=1", "v", "application/json", `{`, `400 {"message": "Invalid request body"}`},
		{"?q1=1", "v", "", ``, `400 {"message": "Invalid request body"}`},
		{"?q1=1", "v", "Application/JSON; charset=utf-8", `{}`, `400 {"message": "Invalid request body"}`},
	} {
		req, _ := http.NewRequest("POST", "http://"+a.host()+"/prod/pets"+tc.query, strings.NewReader(tc.body))
		if tc.header != "" {
			req.Header["x-h"] = []string{tc.header}
		}
		if tc.contentType != "" {
			req.Header.Set("Content-Type", tc.contentType)
		}
		status, body, _ := do(t, c, req)
		if got := strconv.Itoa(status) + " " + body; got != tc.want {
			t.Errorf("%+v: got %s", tc, got)
		}
	}
}

// A backend that is asked with HEAD sends no body: a client that asked with GET gets a whole
// answer without one, and not the promise of a length that never comes.
func TestBackendAskedWithHead(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Method", r.Method)
		w.Header().Set("Content-Length", "1000")
		if r.Method != "HEAD" {
			io.WriteString(w, strings.Repeat("x", 1000))
		}
	}))
	t.Cleanup(backend.Close)
	a := newAPI(t, g)
	a.method(a.resource("/head"), "GET", apigateway.PutIntegrationInput{Type: types.IntegrationTypeHttpProxy, IntegrationHttpMethod: aws.String("HEAD"), Uri: &backend.URL})
	a.method(a.resource("/any"), "ANY", apigateway.PutIntegrationInput{Type: types.IntegrationTypeHttpProxy, IntegrationHttpMethod: aws.String("ANY"), Uri: &backend.URL})
	a.deploy("prod")
	c := g.Client(t, nil)
	for _, tt := range []struct {
		method, path, override string
		length                 int
		asked                  string
	}{
		{"GET", "/head", "", 0, "HEAD"}, {"GET", "/any", "HEAD", 0, "HEAD"}, {"GET", "/any", "", 1000, "GET"}, {"HEAD", "/any", "", 0, "HEAD"}, {"HEAD", "/any", "GET", 0, "GET"},
	} {
		req, err := http.NewRequest(tt.method, "http://"+a.host()+"/prod"+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tt.override != "" {
			req.Header.Set("X-HTTP-Method-Override", tt.override)
		}
		if status, body, h := do(t, c, req); status != 200 || len(body) != tt.length || h.Get("X-Method") != tt.asked {
			t.Errorf("%s %s as %q: %d, %d bytes, asked %s", tt.method, tt.path, tt.override, status, len(body), h.Get("X-Method"))
		}
	}
}
