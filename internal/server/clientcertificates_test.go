package server_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"

	"gatehouse/internal/config"
	"gatehouse/internal/server/servertest"
)

// published asks for what backends are to admit, without credentials.
func published(t *testing.T, addr, id, query, tag string) (status int, body string, header http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+addr+"/_gatehouse/client-certificates/"+id+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	if tag != "" {
		req.Header.Set("If-None-Match", tag)
	}
	return do(t, http.DefaultClient, req)
}

// jwks is the JSON form, as a backend reads it.
type jwks struct {
	SwitchDate *time.Time `json:"switchDate"`
	Keys       []struct {
		Status string   `json:"status"`
		Chain  []string `json:"x5c"`
	} `json:"keys"`
}

// prints are the fingerprints of the published certificates, by status.
func (j jwks) prints(t *testing.T) map[string]string {
	out := map[string]string{}
	for _, k := range j.Keys {
		der, err := base64.StdEncoding.DecodeString(k.Chain[0])
		if err != nil {
			t.Error(err)
		}
		out[k.Status] = fingerprint(der)
	}
	return out
}

func readKeys(t *testing.T, addr, id string) (out jwks) {
	_, body, _ := published(t, addr, id, "", "")
	if err := json.Unmarshal([]byte(body), &out); err != nil {
		t.Errorf("%q: %v", body, err)
	}
	return out
}

// rotate asks for a switch as a signed caller.
func rotate(t *testing.T, g *servertest.Gatehouse, id, at string) (int, string) {
	t.Helper()
	cfg := g.AWS(t)
	key, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	req := signedFor(t, "gatehouse", "POST", "http://"+g.Control+"/_gatehouse/client-certificates/"+id+"/rotate?switch="+at, key.AccessKeyID, key.SecretAccessKey)
	status, body, _ := do(t, http.DefaultClient, req)
	return status, body
}

// TestRotationUnderLoad: a backend that admits what is published, and nothing else, serves every
// request while the certificate is replaced.
func TestRotationUnderLoad(t *testing.T) {
	root := newCA(t, "backends")
	g := startTrusting(t, root)
	a := newAPI(t, g)
	id, first := a.generate()
	var refused atomic.Int32
	backend := asking(t, &tls.Config{
		Certificates: []tls.Certificate{root.issue(t, nil, "localhost")}, ClientAuth: tls.RequireAnyClientCert,
		VerifyConnection: func(cs tls.ConnectionState) error {
			for _, admitted := range readKeys(t, g.Control, id).prints(t) {
				if admitted == fingerprint(cs.PeerCertificates[0].Raw) {
					return nil
				}
			}
			refused.Add(1)
			return errors.New("not published")
		},
	})
	a.proxy("/who", local(backend), false)
	a.deploy("one")
	a.deploy("two")
	a.present("one", id)
	a.present("two", id)
	client := g.Client(t, nil)

	stop := make(chan struct{})
	var load sync.WaitGroup
	var counts sync.Map // fingerprint → *atomic.Int64
	for _, stage := range []string{"one", "two", "one", "two"} {
		load.Go(func() {
			for last := ""; ; {
				select {
				case <-stop:
					return
				default:
				}
				resp, err := client.Get("https://" + a.host() + "/" + stage + "/who")
				if err != nil {
					t.Errorf("a request was lost: %v", err)
					return
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != 200 {
					t.Errorf("a request was lost: %d %s %v", resp.StatusCode, body, err)
					return
				}
				if string(body) != last && last != "" && last != first {
					t.Errorf("the certificate changed back from %s to %s", last, body)
				}
				last = string(body)
				n, _ := counts.LoadOrStore(last, new(atomic.Int64))
				n.(*atomic.Int64).Add(1)
			}
		})
	}
	switchIn := func(d time.Duration) {
		if status, body := rotate(t, g, id, time.Now().Add(d).UTC().Format(time.RFC3339)); status != 200 {
			t.Errorf("rotate: %d %s", status, body)
		}
	}
	switchIn(time.Hour)
	keys := readKeys(t, g.Control, id)
	next := keys.prints(t)["next"]
	if next == "" || keys.SwitchDate == nil || keys.prints(t)["current"] != first {
		t.Fatalf("published during the overlap: %+v, want the current certificate and the next with the date", keys)
	}
	seen := func(print string) int64 {
		n, ok := counts.Load(print)
		if !ok {
			return 0
		}
		return n.(*atomic.Int64).Load()
	}
	await := func(print string) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); seen(print) < 100; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Errorf("%d requests with certificate %s within a minute", seen(print), print)
				return
			}
		}
	}
	await(first)
	switchIn(time.Second)
	await(next)
	close(stop)
	load.Wait()
	if seen(first) == 0 || refused.Load() > 0 {
		t.Errorf("%d requests with the first certificate, %d handshakes refused; want some and none", seen(first), refused.Load())
	}
	counts.Range(func(print, _ any) bool {
		if print != first && print != next {
			t.Errorf("a certificate was presented that was not published: %v", print)
		}
		return true
	})
	if got := readKeys(t, g.Control, id).prints(t); got["current"] != next || got["previous"] != first {
		t.Errorf("published after the switch: %v", got)
	}
	out, err := a.c.GetClientCertificate(t.Context(), &apigateway.GetClientCertificateInput{ClientCertificateId: &id})
	if err != nil {
		t.Fatal(err)
	}
	if block, _ := pem.Decode([]byte(*out.PemEncodedCertificate)); fingerprint(block.Bytes) != next {
		t.Error("GetClientCertificate does not show the successor")
	}
}

// TestPublishedCertificates: the three forms, conditional requests, both ports, and what is
// refused there.
func TestPublishedCertificates(t *testing.T) {
	ops := freePort(t)
	g := servertest.Start(t, func(c *config.Config) { c.Ops = ops })
	a := newAPI(t, g)
	id, print := a.generate()
	arn := "arn:aws:apigateway:us-east-1::/clientcertificates/" + id
	for _, addr := range []string{g.Control, ops} {
		status, body, header := published(t, addr, id, "", "")
		if status != 200 || header.Get("Content-Type") != "application/json" || header.Get("ETag") == "" || strings.Contains(body, "PRIVATE") {
			t.Errorf("JSON: %d %v %s", status, header, body)
		}
		if status, body, _ := published(t, addr, id, "", header.Get("ETag")); status != 304 || body != "" {
			t.Errorf("with its own tag: %d %q, want 304", status, body)
		}
		if status, _, _ := published(t, addr, id, "", `W/"other", `+header.Get("ETag")); status != 304 {
			t.Errorf("with a list of tags: %d, want 304", status)
		}
		_, text, _ := published(t, addr, id, "?format=pem", "")
		block, rest := pem.Decode([]byte(text))
		if block == nil || fingerprint(block.Bytes) != print || len(rest) > 0 {
			t.Errorf("PEM: %q", text)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil || cert.Subject.CommonName != "ApiGateway" {
			t.Errorf("PEM: %v, %v", cert.Subject, err)
		}
		if _, pins, _ := published(t, addr, id, "?format=spki", ""); !strings.HasPrefix(pins, "sha256//") || strings.Count(pins, "\n") != 1 {
			t.Errorf("pins: %q", pins)
		}
		for path, want := range map[string]int{"nobody": 404, id + "/rotate": 404, id + "?format=der": 400, "": 404} {
			if status, body, _ := published(t, addr, path, "", ""); status != want {
				t.Errorf("%s: %d %s, want %d", path, status, body, want)
			}
		}
		resp, err := http.Post("http://"+addr+"/_gatehouse/client-certificates/"+id+"/rotate?switch=2030-01-01T00:00:00Z", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode < 400 {
			t.Errorf("rotating without a signature: %d", resp.StatusCode)
		}
	}
	if status, _ := rotate(t, g, id, "tomorrow"); status != 400 {
		t.Errorf("a bad date: %d, want 400", status)
	}
	if status, _ := rotate(t, g, "nobody", "2030-01-01T00:00:00Z"); status != 404 {
		t.Errorf("an unknown id: %d, want 404", status)
	}
	// The tag does what the command does, and takes it back.
	_, _, before := published(t, ops, id, "", "")
	tag := func(value string) error {
		_, err := a.c.TagResource(t.Context(), &apigateway.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{"gatehouse:rotate": value}})
		return err
	}
	if err := tag("soon"); err == nil || !strings.Contains(err.Error(), "gatehouse:rotate") {
		t.Errorf("a bad tag: %v", err)
	}
	if err := tag(time.Now().Add(time.Hour).UTC().Format(time.RFC3339)); err != nil {
		t.Fatal(err)
	}
	now := func(what string, n int) http.Header {
		t.Helper()
		_, body, _ := published(t, ops, id, "?format=pem", "")
		if strings.Count(body, "BEGIN CERTIFICATE") != n {
			t.Errorf("%s: published is\n%s", what, body)
		}
		_, _, header := published(t, ops, id, "", "")
		return header
	}
	during := now("with the tag", 2)
	if _, err := a.c.UntagResource(t.Context(), &apigateway.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"gatehouse:rotate"}}); err != nil {
		t.Fatal(err)
	}
	after := now("without the tag", 1)
	if before.Get("ETag") != after.Get("ETag") || before.Get("ETag") == during.Get("ETag") {
		t.Errorf("tags of what is published: %s, %s, %s", before.Get("ETag"), during.Get("ETag"), after.Get("ETag"))
	}
	if _, err := a.c.DeleteClientCertificate(t.Context(), &apigateway.DeleteClientCertificateInput{ClientCertificateId: aws.String(id)}); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := published(t, ops, id, "", ""); status != 404 {
		t.Errorf("a deleted certificate: %d, want 404", status)
	}
}

// signedFor makes a request without a body that is signed for a service.
func signedFor(t *testing.T, service, method, url, id, secret string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Amz-Content-Sha256", emptySHA256)
	if err := v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}, req, emptySHA256, service, "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	return req
}

// freePort is an address on loopback that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
