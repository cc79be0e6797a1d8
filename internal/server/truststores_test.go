package server_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"gatehouse/internal/server"
	"gatehouse/internal/server/servertest"
)

// once is an HTTP client that leaves no connection behind.
var once = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// operation calls an operation of the control port, signed by the root key.
func operation(t *testing.T, g *servertest.Gatehouse, path string) (int, string) {
	t.Helper()
	return operationBy(t, g, http.MethodGet, path, g.AWS(t))
}

// operationBy calls an operation with other credentials.
func operationBy(t *testing.T, g *servertest.Gatehouse, method, path string, cfg aws.Config) (int, string) {
	t.Helper()
	creds, err := cfg.Credentials.Retrieve(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(method, "http://"+g.Control+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(nil)
	if err := v4.NewSigner().SignHTTP(t.Context(), creds, req, hex.EncodeToString(sum[:]), "gatehouse", cfg.Region, time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, err := once.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// TestTrustStorePlan: before a trust store is rolled, the operator learns who of those that
// really came would be locked out; a restart does not forget them.
func TestTrustStorePlan(t *testing.T) {
	g := servertest.Start(t, nil)
	stays, leaves, comes := newCA(t, "stays"), newCA(t, "leaves"), newCA(t, "comes")
	d := guard(t, g, "api.example.test", append(stays.pem(), leaves.pem()...))
	for _, c := range []struct {
		by   *ca
		name string
	}{{stays, "ann"}, {leaves, "bob"}, {leaves, "bob"}} {
		cert := c.by.client(t, c.name)
		if status, _, _ := get(t, d.client(&cert, "h2", tls.VersionTLS13), d.url()); status != 200 {
			t.Fatalf("%s: %d", c.name, status)
		}
	}
	d.put("next.pem", append(stays.pem(), comes.pem()...))
	d.put("none.pem", comes.pem())
	plan := func(key string) server.TrustStorePlan {
		t.Helper()
		status, body := operation(t, d.g, "/_gatehouse/truststore?"+url.Values{"domain": {d.name}, "uri": {"s3://" + d.bucket + "/" + key}}.Encode())
		var p server.TrustStorePlan
		if err := json.Unmarshal([]byte(body), &p); status != 200 || err != nil {
			t.Fatalf("%d %s, %v", status, body, err)
		}
		return p
	}
	check := func(p server.TrustStorePlan) {
		t.Helper()
		if len(p.Added) != 1 || p.Added[0].Subject != "CN=comes,O=Test" || len(p.Removed) != 1 || p.Removed[0].Subject != "CN=leaves,O=Test" {
			t.Errorf("added %v, removed %v", p.Added, p.Removed)
		}
		if p.Stay != 1 || len(p.LockedOut) != 2 || p.LockedOut[0].Subject != "CN=bob" || p.Everybody || p.Err() != nil {
			t.Errorf("plan %+v, want ann to stay and both certificates of bob locked out", p)
		}
	}
	check(plan("next.pem"))
	if p := plan("none.pem"); !p.Everybody || p.Err() == nil {
		t.Errorf("plan %+v, want everybody locked out", p)
	}
	d.g = g.Restart(t)
	check(plan("next.pem"))

	for query, want := range map[string]string{
		"domain=nobody.test&uri=s3://b/k":                             "no domain name",
		"domain=" + d.name + "&uri=x":                                 "is not s3://bucket/key",
		"domain=" + d.name + "&uri=s3://" + d.bucket + "/missing.pem": "NoSuchKey",
	} {
		if status, body := operation(t, d.g, "/_gatehouse/truststore?"+query); status < 400 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s, want an error with %q", query, status, body, want)
		}
	}
	resp, err := once.Get("http://" + d.g.Control + "/_gatehouse/truststore?domain=" + d.name)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode < 400 {
		t.Errorf("unsigned: %d, want it refused", resp.StatusCode)
	}
}
