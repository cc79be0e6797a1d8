package server_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	waf "github.com/aws/aws-sdk-go-v2/service/wafv2/types"

	"gatehouse/internal/server"
	"gatehouse/internal/server/servertest"
)

func pack(t *testing.T, coding, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&out)
	if coding == "deflate" {
		w = zlib.NewWriter(&out)
	}
	io.WriteString(w, text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func unpack(t *testing.T, coding, packed string) string {
	t.Helper()
	var r io.Reader = strings.NewReader(packed)
	var err error
	switch coding {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "deflate":
		r, err = zlib.NewReader(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// compressing makes an API that compresses from size bytes on. Its resources answer with
// what the backend was asked.
func compressing(t *testing.T, g *servertest.Gatehouse, size string) *api {
	t.Helper()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		q := r.URL.Query()
		for _, name := range []string{"Content-Encoding", "Etag", "Cache-Control", "Vary", "Content-Range"} {
			if v := q.Get(name); v != "" {
				w.Header().Set(name, v)
			}
		}
		if q.Get("Content-Range") != "" {
			w.WriteHeader(206)
		}
		if q.Has("chunked") {
			w.(http.Flusher).Flush()
		}
		fmt.Fprintf(w, "%s|%s|%s", r.Header.Get("Content-Encoding"), body, strings.Repeat("x", len(q.Get("n"))))
	}))
	t.Cleanup(backend.Close)
	a := newAPI(t, g)
	for path, kind := range map[string]types.IntegrationType{"/proxy": types.IntegrationTypeHttpProxy, "/http": types.IntegrationTypeHttp} {
		r := a.resource(path)
		a.method(r, "POST", apigateway.PutIntegrationInput{Type: kind, IntegrationHttpMethod: aws.String("POST"), Uri: aws.String(backend.URL),
			RequestParameters: map[string]string{"integration.request.header.X-None": "method.request.header.X-None"}})
		if kind == types.IntegrationTypeHttp {
			a.respond(r, "POST", "200", apigateway.PutIntegrationResponseInput{})
		}
	}
	a.mock(a.resource("/mock"), "POST", `{"statusCode": 200}`, `mock $input.params('Content-Encoding')`)
	if size != "" {
		if _, err := a.c.UpdateRestApi(t.Context(), &apigateway.UpdateRestApiInput{RestApiId: a.id,
			PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: aws.String("/minimumCompressionSize"), Value: &size}}}); err != nil {
			t.Fatal(err)
		}
	}
	a.deploy("prod")
	return a
}

// Answers are compressed for clients that ask for it, from the API's size on
// (routing-and-integrations, section 11).
func TestCompressedAnswers(t *testing.T) {
	g := servertest.Start(t, nil)
	a := compressing(t, g, "20")
	long := strings.Repeat("long ", 100)
	for _, c := range []struct {
		name, path, body, accept string
		coding, vary, etag       string
	}{
		{"gzip", "/proxy", long, "gzip", "gzip", "Accept-Encoding", ""},
		{"deflate", "/proxy", long, "deflate", "deflate", "Accept-Encoding", ""},
		{"length not known", "/proxy?chunked", long, "gzip", "gzip", "Accept-Encoding", ""},
		{"length not known, too short", "/proxy?chunked", "", "gzip", "", "", ""},
		{"mapped", "/http", long, "gzip", "gzip", "Accept-Encoding", ""},
		{"too short", "/proxy", "", "gzip", "", "", ""},
		{"mapped, too short", "/http", "", "gzip", "", "", ""},
		{"just long enough", "/http", strings.Repeat("x", 18), "gzip", "gzip", "Accept-Encoding", ""},
		{"nothing asked for", "/proxy", long, "", "", "Accept-Encoding", ""},
		{"identity", "/http", long, "identity", "", "Accept-Encoding", ""},
		{"unknown alone", "/http", long, "br", "", "Accept-Encoding", ""},
		{"compressed by the backend", "/proxy?Content-Encoding=br", long, "gzip", "br", "", ""},
		{"may not be changed", "/proxy?Cache-Control=no-transform", long, "gzip", "", "", ""},
		{"a part", "/proxy?Content-Range=bytes", long, "gzip", "", "", ""},
		{"varies already", "/proxy?Vary=Origin,%20accept-encoding", long, "gzip", "gzip", "Origin, accept-encoding", ""},
		{"tagged", `/proxy?Etag="v1"`, long, "gzip", "gzip", "Accept-Encoding", `W/"v1"`},
		{"an error of the gateway", "/none/where", "", "gzip", "gzip", "Accept-Encoding", ""},
	} {
		for _, scheme := range []string{"http", "https"} {
			req, _ := http.NewRequest("POST", scheme+"://"+a.host()+"/prod"+strings.ReplaceAll(c.path, `"`, "%22"), strings.NewReader(c.body))
			req.Header["Accept-Encoding"] = nil
			if c.accept != "" {
				req.Header.Set("Accept-Encoding", c.accept)
			}
			status, body, header := do(t, g.Client(t, nil), req)
			if header.Get("Content-Encoding") != c.coding || header.Get("Vary") != c.vary || header.Get("ETag") != c.etag {
				t.Errorf("%s over %s: %d %v", c.name, scheme, status, header)
				continue
			}
			want := "|" + c.body + "|"
			if c.path == "/none/where" {
				want = `{"message":"Missing Authentication Token"}`
			}
			if got := unpack(t, c.coding, body); got != want {
				t.Errorf("%s over %s: %q, want %q", c.name, scheme, got, want)
			}
		}
	}
	// Without the setting nothing happens.
	off := compressing(t, g, "")
	req, _ := http.NewRequest("POST", "http://"+off.host()+"/prod/proxy", strings.NewReader(long))
	req.Header.Set("Accept-Encoding", "gzip")
	if _, body, header := do(t, g.Client(t, nil), req); header.Get("Content-Encoding") != "" || header.Get("Vary") != "" || body != "|"+long+"|" {
		t.Errorf("without the setting: %v", header)
	}
}

// Compressed requests reach mappings and backends as what they say.
func TestCompressedRequests(t *testing.T) {
	g := servertest.Start(t, nil)
	a := compressing(t, g, "10485760")
	c := g.Client(t, nil)
	send := func(path, coding string, body []byte) (int, string) {
		t.Helper()
		req, _ := http.NewRequest("POST", "http://"+a.host()+"/prod"+path, bytes.NewReader(body))
		req.Header.Set("Content-Encoding", coding)
		status, text, _ := do(t, c, req)
		return status, text
	}
	for _, coding := range []string{"gzip", "deflate", "GZIP"} {
		packed := pack(t, strings.ToLower(coding), "hello")
		for path, want := range map[string]string{"/proxy": "|hello|", "/http": "|hello|", "/mock": "mock "} {
			if status, body := send(path, coding, packed); status != 200 || body != want {
				t.Errorf("%s %s: %d %q, want %q", coding, path, status, body, want)
			}
		}
	}
	if status, body := send("/http", "identity", []byte("hello")); status != 200 || body != "|hello|" {
		t.Errorf("identity: %d %q", status, body)
	}
	const unsupported = `{"message": "Unsupported Media Type"}`
	for _, bad := range []struct {
		coding string
		body   []byte
	}{{"br", []byte("x")}, {"gzip, gzip", pack(t, "gzip", "x")}, {"gzip", []byte("no gzip")}, {"deflate", pack(t, "gzip", "x")}, {"gzip", pack(t, "gzip", "x")[:9]}} {
		for _, path := range []string{"/proxy", "/http", "/mock"} {
			if status, body := send(path, bad.coding, bad.body); status != 415 || body != unsupported {
				t.Errorf("%s %q %s: %d %q", bad.coding, bad.body, path, status, body)
			}
		}
	}
	bomb := pack(t, "gzip", strings.Repeat("\x00", 11<<20))
	for _, path := range []string{"/http", "/proxy"} {
		if status, body := send(path, "gzip", bomb); status != 413 || body != `{"message":"Request Too Long"}` {
			t.Errorf("a bomb at %s: %d %q", path, status, body)
		}
	}
	req, _ := http.NewRequest("POST", "http://"+a.host()+"/prod/http", bytes.NewReader(pack(t, "gzip", "x")))
	req.Header["Content-Encoding"] = []string{"gzip", "identity"}
	if status, _, _ := do(t, c, req); status != 415 {
		t.Errorf("two lines: %d", status)
	}

	// Without the setting the body is not looked into.
	off := compressing(t, g, "")
	req, _ = http.NewRequest("POST", "http://"+off.host()+"/prod/proxy", strings.NewReader("no gzip"))
	req.Header.Set("Content-Encoding", "gzip")
	if status, body, _ := do(t, c, req); status != 200 || body != "|no gzip|" {
		t.Errorf("without the setting: %d %q", status, body)
	}
}

// A signature covers the compressed body and the header that says so.
func TestSignedCompressedRequest(t *testing.T) {
	g := servertest.Start(t, nil)
	a := compressing(t, g, "0")
	resources, err := a.c.GetResources(t.Context(), &apigateway.GetResourcesInput{RestApiId: a.id})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range resources.Items {
		if *r.Path == "/http" {
			if _, err := a.c.UpdateMethod(t.Context(), &apigateway.UpdateMethodInput{RestApiId: a.id, ResourceId: r.Id, HttpMethod: aws.String("POST"),
				PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: aws.String("/authorizationType"), Value: aws.String("AWS_IAM")}}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	a.deploy("prod")
	root, err := server.RootKey(g.Config)
	if err != nil {
		t.Fatal(err)
	}
	packed := pack(t, "gzip", "signed")
	sum := sha256.Sum256(packed)
	for name, c := range map[string]struct {
		body   []byte
		status int
	}{"as signed": {packed, 200}, "another body": {pack(t, "gzip", "forged"), 403}} {
		req, _ := http.NewRequest("POST", "https://"+a.host()+"/prod/http", bytes.NewReader(c.body))
		req.Header.Set("Content-Encoding", "gzip")
		req.Header["Accept-Encoding"] = []string{"identity"}
		if err := v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: root.AccessKeyID, SecretAccessKey: root.SecretAccessKey}, req, hex.EncodeToString(sum[:]), "execute-api", "us-east-1", time.Now()); err != nil {
			t.Fatal(err)
		}
		status, body, _ := do(t, g.Client(t, nil), req)
		if status != c.status || status == 200 && body != "|signed|" {
			t.Errorf("%s: %d %q", name, status, body)
		}
	}
}

// A web ACL sees what a compressed body says.
func TestWebACLSeesCompressedBodies(t *testing.T) {
	g := servertest.Start(t, nil)
	a := filter(t, g, blockOn("body", 1, "evil", &waf.FieldToMatch{Body: &waf.Body{OversizeHandling: waf.OversizeHandlingMatch}}))
	if _, err := a.c.UpdateRestApi(t.Context(), &apigateway.UpdateRestApiInput{RestApiId: a.id,
		PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: aws.String("/minimumCompressionSize"), Value: aws.String("0")}}}); err != nil {
		t.Fatal(err)
	}
	a.deploy("prod")
	for _, c := range []struct {
		coding, text string
		want         int
	}{{"gzip", `{"a":"evil"}`, 403}, {"deflate", `{"a":"evil"}`, 403}, {"GZip", `{"a":"evil"}`, 403}, {"gzip", `{"a":"good"}`, 200}, {"br", `{"a":"good"}`, 415}} {
		req, _ := http.NewRequest("POST", "https://"+a.host()+"/prod/hello", bytes.NewReader(pack(t, strings.ToLower(c.coding), c.text)))
		req.Header.Set("Content-Encoding", c.coding)
		req.Header.Set("Content-Type", "application/json")
		if status, body, _ := do(t, g.Client(t, nil), req); status != c.want {
			t.Errorf("%s of %s: %d %s, want %d", c.coding, c.text, status, body, c.want)
		}
	}
	req, _ := http.NewRequest("POST", "https://"+a.host()+"/prod/hello", strings.NewReader("no gzip"))
	req.Header.Set("Content-Encoding", "gzip")
	if status, body, _ := do(t, g.Client(t, nil), req); status != 415 {
		t.Errorf("no gzip: %d %s, want 415", status, body)
	}
}

// What a template or a mapping puts into a header cannot begin another line.
func TestHeaderInjection(t *testing.T) {
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	r := a.resource("/x")
	a.mock(r, "POST", `{"statusCode": 200}`, `#set($context.responseOverride.header.X-A = $input.path('$.v'))#set($context.responseOverride.header[$input.path('$.n')] = "b")ok`)
	a.deploy("prod")
	c := g.Client(t, nil)
	for _, scheme := range []string{"http", "https"} {
		for _, body := range []string{`{"v":"a\r\nSet-Cookie: evil=1","n":"X-B"}`, `{"v":"a\nSet-Cookie: evil=1","n":"X-B"}`, `{"v":"a","n":"X\r\nSet-Cookie: evil=1\r\nY"}`, `{"v":"a","n":"Set-Cookie: evil=1\nY"}`, `{"v":"a","n":""}`, `{"v":"\u0000","n":"X-B"}`} {
			req, _ := http.NewRequest("POST", scheme+"://"+a.host()+"/prod/x", strings.NewReader(body))
			resp, err := c.Do(req)
			if err != nil {
				t.Errorf("%s %s: %v", scheme, body, err)
				continue
			}
			text, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.Header.Get("Set-Cookie") != "" || resp.StatusCode != 200 && resp.StatusCode != 500 {
				t.Errorf("%s %s: %d %v %s", scheme, body, resp.StatusCode, resp.Header, text)
			}
		}
	}
}
