package server_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"gatehouse/internal/server/servertest"
)

// stage changes settings of the API's stage.
func (a *api) stage(stage string, settings map[string]string) {
	a.t.Helper()
	in := &apigateway.UpdateStageInput{RestApiId: a.id, StageName: &stage}
	for path, value := range settings {
		in.PatchOperations = append(in.PatchOperations, types.PatchOperation{Op: types.OpReplace, Path: aws.String(path), Value: aws.String(value)})
	}
	if _, err := a.c.UpdateStage(a.t.Context(), in); err != nil {
		a.t.Fatal(err)
	}
}

// signedGet asks the control port for an operation with the root key.
func signedGet(t *testing.T, g *servertest.Gatehouse, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+g.Control+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg := g.AWS(t)
	creds, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	empty := sha256.Sum256(nil)
	req.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(empty[:]))
	if err := v4.NewSigner().SignHTTP(t.Context(), creds, req, hex.EncodeToString(empty[:]), "gatehouse", cfg.Region, time.Now()); err != nil {
		t.Fatal(err)
	}
	status, body, _ := do(t, http.DefaultClient, req)
	return status, body
}

func TestAccessLog(t *testing.T) {
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	a.mock(a.resource("/hello"), "GET", `{"statusCode": 200}`, `{"hello":1}`)
	a.deploy("prod")
	a.stage("prod", map[string]string{
		"/accessLogSettings/destinationArn": "arn:aws:logs:us-east-1:000000000000:log-group:/gw/access",
		"/accessLogSettings/format":         "$context.requestId $context.httpMethod $context.resourcePath $context.status $context.responseLength $context.error.responseType",
	})
	_, _, served := get(t, g.Client(t, nil), "http://"+a.host()+"/prod/hello")
	_, _, refused := get(t, g.Client(t, nil), "http://"+a.host()+"/prod/nowhere")

	c := logClient(t, g)
	lines := eventually(t, c, cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("/gw/access")}, 2)
	got := *lines[0].Message + "\n" + *lines[1].Message
	want := served.Get("x-amzn-RequestId") + " GET /hello 200 11 -\n" + refused.Get("x-amzn-RequestId") + " GET - 403 42 MISSING_AUTHENTICATION_TOKEN"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if len(*lines[0].LogStreamName) != 32 || strings.Trim(*lines[0].LogStreamName, "0123456789abcdef") != "" {
		t.Errorf("stream %q, want 32 hexadecimal digits", *lines[0].LogStreamName)
	}

	g = g.Restart(t)
	if lines := eventually(t, logClient(t, g), cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("/gw/access"), FilterPattern: aws.String("MISSING_AUTHENTICATION_TOKEN")}, 1); len(lines) != 1 {
		t.Errorf("after a restart: %d lines", len(lines))
	}
}

// decisions asks why a request was answered as it was, until that is known.
func decisions(t *testing.T, g *servertest.Gatehouse, id string) (found []map[string]any) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		status, body := signedGet(t, g, "/_gatehouse/decisions/"+id)
		if status == http.StatusNotFound {
			continue // it is recorded after the answer
		}
		var out struct{ Decisions []map[string]any }
		if err := json.Unmarshal([]byte(body), &out); status != 200 || err != nil {
			t.Fatalf("%d %s: %v", status, body, err)
		}
		return out.Decisions
	}
	t.Fatalf("no decision about %s", id)
	return nil
}

func TestDecisionsTellWhy(t *testing.T) {
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	a.mock(a.resource("/hello"), "GET", `{"statusCode": 200}`, `{}`)
	a.deploy("prod")
	_, _, header := get(t, g.Client(t, nil), "http://"+a.host()+"/prod/nowhere")
	d := decisions(t, g, header.Get("x-amz-apigw-id"))[0]
	for name, want := range map[string]any{"reason": "no-route", "status": 403.0, "api": *a.id, "stage": "prod", "method": "GET", "path": "/prod/nowhere",
		"requestId": header.Get("x-amzn-RequestId"), "host": a.host()} {
		if d[name] != want {
			t.Errorf("%s: got %v, want %v", name, d[name], want)
		}
	}

	const chosen = "6b1c4a8e-0000-4000-8000-000000000001"
	for range 2 {
		req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+a.host()+"/prod/hello", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("x-amzn-RequestId", chosen)
		_, _, header = do(t, g.Client(t, nil), req)
		decisions(t, g, header.Get("x-amz-apigw-id"))
	}
	if got := decisions(t, g, chosen); len(got) != 2 || got[0]["status"] != 200.0 || got[0]["resource"] != "/hello" || got[0]["extendedRequestId"] == got[1]["extendedRequestId"] {
		t.Errorf("two requests of one id: %v", got)
	}

	status, body := signedGet(t, g, "/_gatehouse/decisions/unknown")
	if status != 404 || !strings.Contains(body, "newest 10000") {
		t.Errorf("an unknown id: %d %s", status, body)
	}
	if status, _, _ := get(t, http.DefaultClient, "http://"+g.Control+"/_gatehouse/decisions/"+chosen); status != 403 && status != 401 {
		t.Errorf("without a signature: %d", status)
	}
}

func TestRefusedCertificatesAreSeen(t *testing.T) {
	g := servertest.Start(t, nil)
	trusted, stranger := newCA(t, "trusted"), newCA(t, "stranger")
	d := guard(t, g, "guarded.example.com", trusted.pem())
	cert := stranger.client(t, "mallory")
	status, _, header := get(t, d.client(&cert, "", tls.VersionTLS13), d.url())
	if status != 403 {
		t.Fatalf("status %d, want 403", status)
	}
	found := decisions(t, g, header.Get("x-amz-apigw-id"))[0]
	sum := sha256.Sum256(cert.Certificate[0])
	if found["reason"] != "client-certificate" || found["clientCertificateRefusal"] != "ClientCertUntrusted" || found["clientCertificateSha256"] != hex.EncodeToString(sum[:]) || found["stage"] != "prod" {
		t.Errorf("decision %v", found)
	}
	_, metrics, _ := get(t, http.DefaultClient, "http://"+g.Control+"/_gatehouse/metrics")
	for _, want := range []string{
		`gatehouse_client_certificate_refusals_total{code="ClientCertUntrusted"} 1`,
		`gatehouse_certificate_days_left{domain="guarded.example.com",sha256="`,
		`use="server"`, `subject="CN=trusted,O=Test",use="trust-store"`,
		"gatehouse_log_lines_dropped_total 0", "gatehouse_plan_problems 0", `gatehouse_refusals_total{reason="client-certificate"} 1`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("metrics have no %s", want)
		}
	}
	if t.Failed() {
		for line := range strings.Lines(metrics) {
			if strings.Contains(line, "certificate") {
				t.Log(line)
			}
		}
	}
}
