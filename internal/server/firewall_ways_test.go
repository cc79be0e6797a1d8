package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	apitypes "github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/wafv2/types"

	"gatehouse/internal/server/servertest"
)

// inBody is a rule's view of the body's beginning.
var inBody = &types.FieldToMatch{Body: &types.Body{OversizeHandling: types.OversizeHandlingContinue}}

// connect opens a connection to the plain data port.
func connect(t *testing.T, g *servertest.Gatehouse) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", g.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn
}

// statusOf reads one response.
func statusOf(t *testing.T, conn net.Conn) int {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// Framing hides nothing from rules: chunks of one byte, folded header lines, several requests on
// a connection, HTTP/2.
func TestFramingHidesNothingFromTheWebACL(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	a := filter(t, g, blockOn("body", 1, "evil", inBody), blockOn("header", 2, "evil", &types.FieldToMatch{SingleHeader: &types.SingleHeader{Name: aws.String("x-a")}}), blockOn("query", 3, "evil", inQuery),
		blockOn("cookie", 4, "a=1; b=evil", &types.FieldToMatch{SingleHeader: &types.SingleHeader{Name: aws.String("cookie")}}))
	head := func(more string) string { return "POST /prod/hello HTTP/1.1\r\nHost: " + a.host() + "\r\n" + more }
	chunked := func(text string) string {
		var b strings.Builder
		for _, c := range text {
			fmt.Fprintf(&b, "1\r\n%c\r\n", c)
		}
		return head("Transfer-Encoding: chunked\r\n\r\n") + b.String() + "0\r\n\r\n"
	}
	for name, c := range map[string]struct {
		text string
		want int
	}{
		"chunks of one byte":      {chunked("this is evil"), 403},
		"harmless chunks":         {chunked("this is good"), 200},
		"a folded header":         {head("X-A: ev\r\n il\r\nContent-Length: 0\r\n\r\n"), 400},
		"a header in two lines":   {head("X-A: good\r\nX-A: evil\r\nContent-Length: 0\r\n\r\n"), 403},
		"a header in other case":  {head("x-A: evil\r\nContent-Length: 0\r\n\r\n"), 403},
		"two lengths":             {head("Content-Length: 0\r\nContent-Length: 4\r\n\r\nevil"), 400},
		"length and chunks":       {head("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n"), 400},
		"an absolute target":      {"GET http://" + a.host() + "/prod/hello?evil HTTP/1.1\r\nHost: " + a.host() + "\r\n\r\n", 403},
		"a body that says nobody": {"GET /prod/hello HTTP/1.1\r\nHost: " + a.host() + "\r\nContent-Length: 4\r\n\r\nevil", 403},
	} {
		conn := connect(t, g)
		io.WriteString(conn, c.text)
		if got := statusOf(t, conn); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	// The second request of a connection, after a harmless one with a body.
	conn := connect(t, g)
	io.WriteString(conn, head("Content-Length: 4\r\n\r\ngood"))
	src := bufio.NewReader(conn)
	for i, want := range []int{200, 403} {
		resp, err := http.ReadResponse(src, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		if resp.StatusCode != want {
			t.Errorf("request %d of a connection: %d, want %d", i+1, resp.StatusCode, want)
		}
		if i == 0 {
			io.WriteString(conn, head("Content-Length: 4\r\n\r\nevil"))
		}
	}
	h2 := g.Client(t, nil)
	req, _ := http.NewRequest("POST", "https://"+a.host()+"/prod/hello", strings.NewReader("this is evil"))
	resp, err := h2.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.ProtoMajor != 2 || resp.StatusCode != 403 {
		t.Errorf("HTTP/%d: %d, want 403 by HTTP/2", resp.ProtoMajor, resp.StatusCode)
	}
	// Cookies come one by one there; rules see one line (RFC 9113 section 8.2.3).
	req, _ = http.NewRequest("GET", "https://"+a.host()+"/prod/hello", nil)
	req.Header.Set("Cookie", "a=1; b=evil")
	if resp, err = h2.Do(req); err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.ProtoMajor != 2 || resp.StatusCode != 403 {
		t.Errorf("cookies by HTTP/%d: %d, want 403 by HTTP/2", resp.ProtoMajor, resp.StatusCode)
	}
}

// A domain name, its base paths and its second mapping are guarded as the stage is.
func TestDomainsDoNotLeadAroundTheWebACL(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	a := filter(t, g, blockOn("query", 1, "evil", inQuery))
	const name = "api.example.com"
	cert, err := acm.NewFromConfig(g.AWS(t)).RequestCertificate(t.Context(), &acm.RequestCertificateInput{DomainName: aws.String(name)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.c.CreateDomainName(t.Context(), &apigateway.CreateDomainNameInput{DomainName: aws.String(name), RegionalCertificateArn: cert.CertificateArn,
		EndpointConfiguration: &apitypes.EndpointConfiguration{Types: []apitypes.EndpointType{apitypes.EndpointTypeRegional}}}); err != nil {
		t.Fatal(err)
	}
	for base, path := range map[string]string{"one": "/one/hello", "two": "/two/prod/hello"} {
		in := &apigateway.CreateBasePathMappingInput{DomainName: aws.String(name), RestApiId: a.id, BasePath: aws.String(base)}
		if base == "one" {
			in.Stage = aws.String("prod")
		}
		if _, err := a.c.CreateBasePathMapping(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		for query, want := range map[string]int{"good": 200, "%65vil": 403} {
			if status, body, _ := get(t, g.Client(t, nil), "https://"+name+path+"?"+query); status != want {
				t.Errorf("%s?%s: %d %s, want %d", path, query, status, body, want)
			}
		}
	}
}

// A body streams to the backend while the client still sends it, once the inspected part
// was allowed; and one that is not allowed never reaches the backend.
func TestInspectedBodiesStream(t *testing.T) {
	t.Parallel()
	arrived := make(chan string, 10)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first := make([]byte, 17<<10)
		io.ReadFull(r.Body, first)
		arrived <- string(first[:5])
		rest, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%d", len(first)+len(rest))
	}))
	defer backend.Close()
	g := servertest.Start(t, nil)
	a := filter(t, g, blockOn("body", 1, "evil", inBody))
	a.method(a.resource("/up"), "POST", apigateway.PutIntegrationInput{Type: apitypes.IntegrationTypeHttpProxy, IntegrationHttpMethod: aws.String("POST"), Uri: aws.String(backend.URL)})
	a.deploy("prod")
	conn := connect(t, g)
	const size = 2 << 20
	fmt.Fprintf(conn, "POST /prod/up HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n", a.host(), size)
	io.WriteString(conn, "first"+strings.Repeat("x", size/2-5))
	select {
	case got := <-arrived:
		if got != "first" {
			t.Errorf("the backend got %q", got)
		}
	case <-time.After(10 * time.Second):
		conn.SetReadDeadline(time.Now())
		answer, _ := io.ReadAll(conn)
		t.Fatalf("nothing reaches the backend before the client has sent all; the client got %q", answer)
	}
	io.WriteString(conn, strings.Repeat("evil", size/8)) // past the limit: CONTINUE
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 200 || string(body) != fmt.Sprint(size) {
		t.Errorf("%d %s, want 200 and all %d bytes", resp.StatusCode, body, size)
	}
	conn = connect(t, g)
	fmt.Fprintf(conn, "POST /prod/up HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", a.host(), size, "evil"+strings.Repeat("x", 20<<10))
	if got := statusOf(t, conn); got != 403 {
		t.Errorf("a blocked body that is not complete: %d, want 403 at once", got)
	}
	if len(arrived) > 0 {
		t.Error("a blocked request reached the backend")
	}
}

// WAF_FILTERED shapes the answer of a block, DEFAULT_4XX when it is not customised; a custom
// response of the rule goes before both. Access logs tell of the web ACL.
func TestFilteredResponses(t *testing.T) {
	t.Parallel()
	g := servertest.Start(t, nil)
	custom := blockOn("custom", 2, "special", inQuery)
	custom.Action.Block.CustomResponse = &types.CustomResponse{ResponseCode: aws.Int32(404)}
	a := filter(t, g, blockOn("query", 1, "evil", inQuery), custom)
	c := g.Client(t, nil)
	put := func(kind apitypes.GatewayResponseType, status string) {
		t.Helper()
		if _, err := a.c.PutGatewayResponse(t.Context(), &apigateway.PutGatewayResponseInput{RestApiId: a.id, ResponseType: kind, StatusCode: aws.String(status),
			ResponseTemplates:  map[string]string{"application/json": `{"by":"$context.error.responseType","waf":"$context.wafResponseCode","message":$context.error.messageString}`},
			ResponseParameters: map[string]string{"gatewayresponse.header.X-By": "'" + status + "'"}}); err != nil {
			t.Fatal(err)
		}
		a.deploy("prod")
	}
	check := func(query, wantBody string, wantStatus int, wantHeader string) {
		t.Helper()
		status, body, header := a.send(c, query, "")
		if status != wantStatus || body != wantBody || header.Get("X-By") != wantHeader {
			t.Errorf("%s: %d %s %q, want %d %s %q", query, status, body, header.Get("X-By"), wantStatus, wantBody, wantHeader)
		}
	}
	check("evil", `{"message":"Forbidden"}`, 403, "")
	put(apitypes.GatewayResponseTypeDefault4xx, "418")
	check("evil", `{"by":"WAF_FILTERED","waf":"WAF_BLOCK","message":"Forbidden"}`, 418, "418")
	put(apitypes.GatewayResponseTypeWafFiltered, "451")
	check("evil", `{"by":"WAF_FILTERED","waf":"WAF_BLOCK","message":"Forbidden"}`, 451, "451")
	check("special", "", 404, "")

	a.stage("prod", map[string]string{"/accessLogSettings/destinationArn": "arn:aws:logs:us-east-1:000000000000:log-group:/gw/access",
		"/accessLogSettings/format": "$context.wafResponseCode $context.waf.status $context.webaclArn $context.waf.error $context.requestId"})
	for _, query := range []string{"good", "evil"} {
		a.send(c, query, "")
	}
	lines := eventually(t, logClient(t, g), cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("/gw/access")}, 2)
	for i, want := range []string{"WAF_ALLOW 200 " + *a.acl.ARN + " - ", "WAF_BLOCK 403 " + *a.acl.ARN + " - "} {
		if got := *lines[i].Message; !strings.HasPrefix(got, want) {
			t.Errorf("access log %q, want %q", got, want)
		}
	}
}
