package server_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"gatehouse/internal/config"
	"gatehouse/internal/server"
	"gatehouse/internal/server/servertest"
)

// fail starts a server that must not start, and returns why.
func fail(t *testing.T, change func(*config.Config)) error {
	t.Helper()
	c := config.Defaults()
	c.Data = t.TempDir()
	c.Control, c.HTTP, c.HTTPS = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	change(c)
	s, err := server.New(t.Context(), c, slog.New(slog.DiscardHandler))
	if err == nil {
		ctx, stop := context.WithCancel(t.Context())
		stop()
		s.Run(ctx)
		t.Fatal("the server started")
	}
	return err
}

func TestControlPortKnowsItsNames(t *testing.T) {
	g := servertest.Start(t, func(c *config.Config) { c.ControlHosts = []string{"gateway.internal"} })
	for _, c := range []struct {
		host   string
		header map[string]string
		want   int
	}{
		{host: g.Control, want: 200},
		{host: "localhost:4566", want: 200},
		{host: "gateway.internal", want: 200},
		{host: "evil.example.com", want: 403},
		{host: "127.0.0.1.evil.example.com", want: 403},
		{host: "localhost.evil.example.com", want: 403},
		{host: g.Control, header: map[string]string{"Origin": "https://evil.example.com"}, want: 403},
		{host: g.Control, header: map[string]string{"Sec-Fetch-Site": "cross-site"}, want: 403},
		{host: g.Control, header: map[string]string{"Sec-Fetch-Site": "same-site"}, want: 403},
		{host: g.Control, header: map[string]string{"Sec-Fetch-Site": "none"}, want: 200},
		{host: g.Control, header: map[string]string{"Origin": "null"}, want: 403},
		{host: g.Control, header: map[string]string{"Origin": "http://" + g.Control}, want: 200},
	} {
		req, _ := http.NewRequest("GET", "http://"+g.Control+"/_gatehouse/health", nil)
		req.Host = c.host
		for k, v := range c.header {
			req.Header.Set(k, v)
		}
		status, body, header := do(t, http.DefaultClient, req)
		if status != c.want {
			t.Errorf("Host %s %v: %d %s, want %d", c.host, c.header, status, body, c.want)
		}
		if header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("Host %s: CORS is answered", c.host)
		}
	}
}

// On the data ports operations' paths belong to the API.
func TestOperationsAreOnTheControlPortAlone(t *testing.T) {
	g := servertest.Start(t, nil)
	for _, path := range []string{"health", "ready", "metrics", "backup"} {
		if status, body, _ := get(t, http.DefaultClient, "http://"+g.HTTP+"/_gatehouse/"+path); status != 403 || body != `{"message":"Forbidden"}` {
			t.Errorf("%s on the data port: %d %s", path, status, body)
		}
	}
	if status, _, _ := get(t, http.DefaultClient, "http://"+g.Control+"/_gatehouse/backup"); status != 403 {
		t.Errorf("a backup without a signature: %d", status)
	}
}

func TestDev(t *testing.T) {
	g := servertest.Start(t, func(c *config.Config) { c.Dev = true })
	ctx := t.Context()
	// Any well-formed credentials do, but the root key's secret is really verified.
	for _, c := range []struct {
		id, secret string
		ok         bool
	}{{"test", "test", true}, {"AKIAANYBODY", "whatever", true}, {"test", "wrong", false}} {
		_, err := sts.NewFromConfig(g.AWSWith(c.id, c.secret)).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if (err == nil) != c.ok {
			t.Errorf("%s/%s: %v", c.id, c.secret, err)
		}
	}
	cl := apigateway.NewFromConfig(g.AWSWith("AKIAANYBODY", "whatever"))
	if _, err := cl.CreateRestApi(ctx, &apigateway.CreateRestApiInput{Name: aws.String("x"), Tags: map[string]string{"_custom_id_": "myapi"}}); err != nil {
		t.Fatal(err)
	}
	if out, err := cl.GetRestApi(ctx, &apigateway.GetRestApiInput{RestApiId: aws.String("myapi")}); err != nil || *out.Name != "x" {
		t.Errorf("pinned id: %v, %v", out, err)
	}
	reset := func(header string) int {
		req, _ := http.NewRequest("POST", "http://"+g.Control+"/_gatehouse/reset", nil)
		req.Header.Set("X-Gatehouse-Dev", header)
		status, _, _ := do(t, http.DefaultClient, req)
		return status
	}
	if status := reset(""); status != 400 {
		t.Errorf("reset without the header: %d", status)
	}
	if status := reset("1"); status != 204 {
		t.Errorf("reset: %d", status)
	}
	if out, err := cl.GetRestApis(ctx, &apigateway.GetRestApisInput{}); err != nil || len(out.Items) != 0 {
		t.Errorf("after the reset: %v, %v", out, err)
	}

	g.Stop(t)
	for name, dev := range map[string]bool{"normal start over --dev's data": false} {
		err := fail(t, func(c *config.Config) { c.Data, c.Dev = g.Config.Data, dev })
		if !strings.Contains(err.Error(), "--dev") || !strings.Contains(err.Error(), g.Config.Data) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDevRefusesNormalData(t *testing.T) {
	g := servertest.Start(t, nil)
	g.Stop(t)
	if err := fail(t, func(c *config.Config) { c.Data, c.Dev = g.Config.Data, true }); !strings.Contains(err.Error(), "was not made by --dev") {
		t.Error(err)
	}
}

func TestStartSaysWhatIsWrong(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	corrupt := t.TempDir()
	if err := os.WriteFile(filepath.Join(corrupt, "gatehouse.db"), []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(*config.Config)
		want   []string
	}{
		{"port in use", func(c *config.Config) { c.HTTPS = l.Addr().String() }, []string{"port https", l.Addr().String(), "in use"}},
		{"data is a file", func(c *config.Config) { c.Data = file }, []string{file}},
		{"corrupt database", func(c *config.Config) { c.Data = corrupt }, []string{corrupt}},
	} {
		err := fail(t, c.change)
		for _, part := range c.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q lacks %q", c.name, err, part)
			}
		}
	}
}

// Data without its sealing key is never served with a new one.
func TestMissingSealingKey(t *testing.T) {
	g := servertest.Start(t, nil)
	newAPI(t, g)
	g.Stop(t)
	key := filepath.Join(g.Config.Data, "sealing.key")
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("sealing key: %v, %v", info, err)
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if err := fail(t, func(c *config.Config) { c.Data = g.Config.Data }); !strings.Contains(err.Error(), "sealing key") {
		t.Error(err)
	}
	if _, err := os.Stat(key); err == nil {
		t.Error("a new key was made")
	}
}

func TestUnknownSteeringTags(t *testing.T) {
	g := servertest.Start(t, nil)
	c := apigateway.NewFromConfig(g.AWS(t))
	_, err := c.CreateRestApi(t.Context(), &apigateway.CreateRestApiInput{Name: aws.String("x"), Tags: map[string]string{"gatehouse:nonsense": "1"}})
	if err == nil || !strings.Contains(err.Error(), "BadRequestException") || !strings.Contains(err.Error(), "gatehouse:nonsense") {
		t.Errorf("unknown tag: %v", err)
	}
	if _, err := c.CreateRestApi(t.Context(), &apigateway.CreateRestApiInput{Name: aws.String("x"), Tags: map[string]string{"team": "a"}}); err != nil {
		t.Errorf("a tag of the user's own: %v", err)
	}
}

// Backends may be on this machine, but never our own control port or link-local addresses.
func TestEgress(t *testing.T) {
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	for path, uri := range map[string]string{
		"/control": "http://" + g.Control + "/_gatehouse/health", "/meta": "http://169.254.169.254/latest/meta-data/",
		"/named": strings.Replace("http://"+g.Control+"/", "127.0.0.1", "localhost", 1),
	} {
		a.method(a.resource(path), "GET", apigateway.PutIntegrationInput{Type: types.IntegrationTypeHttpProxy, IntegrationHttpMethod: aws.String("GET"), Uri: &uri})
	}
	a.deploy("prod")
	for _, path := range []string{"/control", "/meta", "/named"} {
		if status, body, _ := get(t, g.Client(t, nil), "http://"+a.host()+"/prod"+path); status != 500 || body != `{"message": "Internal server error"}` {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

// A request's path never climbs out of the place that an integration gives it.
func TestPathsDoNotClimb(t *testing.T) {
	g := servertest.Start(t, nil)
	backend := echo(t)
	a := newAPI(t, g)
	a.method(a.resource("/{proxy+}"), "GET", apigateway.PutIntegrationInput{Type: types.IntegrationTypeHttpProxy, IntegrationHttpMethod: aws.String("GET"),
		Uri: aws.String(backend.URL + "/public/{proxy}"), RequestParameters: map[string]string{"integration.request.path.proxy": "method.request.path.proxy"}})
	a.deploy("prod")
	for _, path := range []string{"/../secret", "/a/../../secret", "/%2e%2e/secret", "/a/%2E%2E/%2e%2e/secret", "/..%2fsecret", "/%2e%2e%2fsecret", "/a%2f..%2f..%2fsecret", "/..%5csecret"} {
		conn, err := net.Dial("tcp", g.HTTP)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, "GET /prod"+path+" HTTP/1.1\r\nHost: "+a.host()+"\r\nConnection: close\r\n\r\n")
		answer, _ := io.ReadAll(conn)
		conn.Close()
		if strings.Contains(string(answer), "secret") || !strings.HasPrefix(string(answer), "HTTP/1.1 4") {
			t.Errorf("%s: %s", path, answer)
		}
	}
}
