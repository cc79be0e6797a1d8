// Package servertest starts the whole of Gatehouse inside a test, on ports of its own, and
// hands out clients that reach it: AWS SDK configurations, and HTTP clients that resolve
// every name to it.
package servertest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"gatehouse/internal/config"
	"gatehouse/internal/server"
)

// A Gatehouse is a running server.
type Gatehouse struct {
	Config  *config.Config
	Server  *server.Server
	Control string // host:port
	HTTP    string
	HTTPS   string

	stop   context.CancelFunc
	ended  chan error
	closed bool
}

// Start runs a server until the test ends. change, which may be nil, alters the
// configuration: ports are free ones on loopback, data is a folder of the test.
func Start(t testing.TB, change func(*config.Config)) *Gatehouse {
	t.Helper()
	c := config.Defaults()
	c.Data = t.TempDir()
	c.Control, c.HTTP, c.HTTPS = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	if change != nil {
		change(c)
	}
	return run(t, c)
}

func run(t testing.TB, c *config.Config) *Gatehouse {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	s, err := server.New(ctx, c, slog.New(slog.NewTextHandler(logWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		stop()
		t.Fatalf("server: %v", err)
	}
	g := &Gatehouse{Config: c, Server: s, stop: stop, ended: make(chan error, 1)}
	go func() { g.ended <- s.Run(ctx) }()
	select {
	case <-s.Ready():
	case err := <-g.ended:
		t.Fatalf("server ended while it started: %v", err)
	case <-time.After(30 * time.Second):
		t.Fatal("server is not ready after 30 s")
	}
	g.Control, g.HTTP, g.HTTPS = s.Addresses()
	t.Cleanup(func() { g.Stop(t) })
	return g
}

// Stop ends the server in order. Calling it again does nothing.
func (g *Gatehouse) Stop(t testing.TB) {
	t.Helper()
	if g.closed {
		return
	}
	g.closed = true
	g.stop()
	select {
	case err := <-g.ended:
		if err != nil {
			t.Errorf("server: %v", err)
		}
	case <-time.After(40 * time.Second):
		t.Error("server did not stop within 40 s")
	}
}

// Restart stops the server and runs another over the same data.
func (g *Gatehouse) Restart(t testing.TB) *Gatehouse {
	t.Helper()
	g.Stop(t)
	return run(t, g.Config)
}

// AWS is a configuration for SDK clients with the root key.
func (g *Gatehouse) AWS(t testing.TB) aws.Config {
	t.Helper()
	key, err := server.RootKey(g.Config)
	if err != nil {
		t.Fatal(err)
	}
	return g.AWSWith(key.AccessKeyID, key.SecretAccessKey)
}

// AWSWith is a configuration for SDK clients with other credentials. Calls are not retried.
func (g *Gatehouse) AWSWith(id, secret string) aws.Config {
	return aws.Config{
		Region:           g.Config.Region(),
		BaseEndpoint:     aws.String("http://" + g.Control),
		Credentials:      credentials.NewStaticCredentialsProvider(id, secret, ""),
		RetryMaxAttempts: 1,
	}
}

// CAPool holds the local CA.
func (g *Gatehouse) CAPool(t testing.TB) *x509.CertPool {
	t.Helper()
	pem, err := os.ReadFile(server.CABundle(g.Config))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return pool
}

// Client is an HTTP client for which every host is this server: port 443 is its HTTPS port,
// and so is that port's own number; all others are its HTTP port. tlsConfig may be nil; the local CA is trusted unless it says
// otherwise.
func (g *Gatehouse) Client(t testing.TB, tlsConfig *tls.Config) *http.Client {
	t.Helper()
	if tlsConfig == nil {
		tlsConfig = &tls.Config{}
	}
	tlsConfig = tlsConfig.Clone()
	if tlsConfig.RootCAs == nil {
		tlsConfig.RootCAs = g.CAPool(t)
	}
	tr := &http.Transport{
		TLSClientConfig:   tlsConfig,
		ForceAttemptHTTP2: len(tlsConfig.NextProtos) == 0,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			to := g.HTTP
			_, own, _ := net.SplitHostPort(g.HTTPS)
			if _, port, _ := net.SplitHostPort(addr); port == "443" || port == own {
				to = g.HTTPS
			}
			var d net.Dialer
			return d.DialContext(ctx, network, to)
		},
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{
		Transport:     tr,
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// logWriter sends the service log to the test's.
type logWriter struct{ t testing.TB }

func (w logWriter) Write(p []byte) (int, error) {
	w.t.Logf("%s", p)
	return len(p), nil
}
