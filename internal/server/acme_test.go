package server_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	pebbleca "github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"

	"gatehouse/internal/acme"
	"gatehouse/internal/config"
	"gatehouse/internal/server/servertest"
)

// freePortNumber is the number of a port that was free a moment ago.
func freePortNumber(t *testing.T) int {
	t.Helper()
	_, port, err := net.SplitHostPort(freePort(t))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// startDNS answers every question for an address with loopback, and for a text with the lines of the
// file in records that is named like it.
func startDNS(t *testing.T, records string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &dns.Server{Listener: l, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if q.Question[0].Qtype == dns.TypeA {
			m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}, A: net.IPv4(127, 0, 0, 1)})
		}
		if q.Question[0].Qtype == dns.TypeTXT {
			lines, err := os.ReadFile(filepath.Join(records, strings.TrimSuffix(q.Question[0].Name, ".")))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
			for line := range strings.Lines(string(lines)) {
				m.Answer = append(m.Answer, &dns.TXT{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 1}, Txt: []string{strings.TrimSpace(line)}})
			}
		}
		if err := w.WriteMsg(m); err != nil {
			t.Log(err)
		}
	})}
	go srv.ActivateAndServe()
	t.Cleanup(func() { srv.Shutdown() })
	return l.Addr().String()
}

// startACME runs pebble, which validates names at the given ports of loopback, and returns the
// server's directory, the file of its own certificate, and the pool that its certificates chain to.
func startACME(t *testing.T, httpPort, tlsPort int, records string) (directory, caFile string, roots func() *x509.CertPool) {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "20")
	quiet := log.New(io.Discard, "", 0)
	store := db.NewMemoryStore()
	if err := store.AddBlockedDomain("blocked.example.test"); err != nil {
		t.Fatal(err)
	}
	authority := pebbleca.New(quiet, store, "", "ecdsa", 0, 1, map[string]pebbleca.Profile{"default": {Description: "default", ValidityPeriod: 6 * 24 * 3600}})
	front := wfe.New(quiet, store, va.New(quiet, httpPort, tlsPort, false, startDNS(t, records), store), authority, []string{"pebble.test"}, false, false, 1, 1)
	srv := httptest.NewTLSServer(front.Handler())
	t.Cleanup(srv.Close)
	caFile = filepath.Join(t.TempDir(), "acme.pem")
	if err := os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return srv.URL + wfe.DirectoryPath, caFile, func() *x509.CertPool {
		pool := x509.NewCertPool()
		pool.AddCert(authority.GetRootCert(0).Cert)
		return pool
	}
}

// describe waits for a certificate to have a status.
func describe(t *testing.T, c *acm.Client, arn *string, until func(*acmtypes.CertificateDetail) bool) *acmtypes.CertificateDetail {
	t.Helper()
	var d *acmtypes.CertificateDetail
	for end := time.Now().Add(3 * patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		out, err := c.DescribeCertificate(context.Background(), &acm.DescribeCertificateInput{CertificateArn: arn})
		if err != nil {
			t.Fatal(err)
		}
		if d = out.Certificate; until(d) {
			return d
		}
	}
	t.Fatalf("the certificate stays %s: %+v", d.Status, d)
	return nil
}

// TestACME: what is requested is pending until an ACME server has issued it, by http-01 or by
// tls-alpn-01 where there is no plain port; domain names present it, and a renewal is served by the
// next handshake.
func TestACME(t *testing.T) {
	for _, way := range []string{"http-01", "tls-alpn-01"} {
		t.Run(way, func(t *testing.T) {
			httpPort, tlsPort := freePortNumber(t), freePortNumber(t)
			directory, caFile, roots := startACME(t, httpPort, tlsPort, "")
			g := servertest.Start(t, func(c *config.Config) {
				c.HTTPS = "127.0.0.1:" + strconv.Itoa(tlsPort)
				c.HTTP = config.Off
				if way == "http-01" {
					c.HTTP = "127.0.0.1:" + strconv.Itoa(httpPort)
				}
				c.ACME = config.ACME{Directory: directory, CAFile: caFile, Email: "ops@example.test"}
			})
			c := acm.NewFromConfig(g.AWS(t))
			ctx := t.Context()
			request := func(names ...string) *string {
				t.Helper()
				out, err := c.RequestCertificate(ctx, &acm.RequestCertificateInput{DomainName: &names[0], SubjectAlternativeNames: names, ValidationMethod: acmtypes.ValidationMethodDns, KeyAlgorithm: acmtypes.KeyAlgorithmEcPrime256v1})
				if err != nil {
					t.Fatal(err)
				}
				return out.CertificateArn
			}
			arn := request("api.example.test", "b.example.test")
			issued := describe(t, c, arn, func(d *acmtypes.CertificateDetail) bool { return d.Status == "ISSUED" })
			if issued.Type != "AMAZON_ISSUED" || !strings.HasPrefix(*issued.Issuer, "Pebble") || issued.DomainValidationOptions[1].ValidationStatus != "SUCCESS" ||
				issued.DomainValidationOptions[0].ResourceRecord == nil || len(issued.SubjectAlternativeNames) != 2 {
				t.Errorf("issued: %+v", issued)
			}
			gw := apigateway.NewFromConfig(g.AWS(t))
			if _, err := gw.CreateDomainName(ctx, &apigateway.CreateDomainNameInput{DomainName: aws.String("api.example.test"), RegionalCertificateArn: arn,
				EndpointConfiguration: &types.EndpointConfiguration{Types: []types.EndpointType{types.EndpointTypeRegional}}}); err != nil {
				t.Fatal(err)
			}
			presented := func() string {
				t.Helper()
				conn, err := tls.Dial("tcp", g.HTTPS, &tls.Config{ServerName: "api.example.test", RootCAs: roots()})
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
			}
			before := presented()
			if _, err := c.RenewCertificate(ctx, &acm.RenewCertificateInput{CertificateArn: arn}); err != nil {
				t.Fatal(err)
			}
			describe(t, c, arn, func(d *acmtypes.CertificateDetail) bool {
				return d.RenewalSummary != nil && d.RenewalSummary.RenewalStatus == "SUCCESS"
			})
			for end := time.Now().Add(patience); presented() == before && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			}
			if presented() == before {
				t.Error("the renewed certificate is not presented")
			}
			if way == "http-01" {
				acmeRefusals(t, g, c, request)
			}
		})
	}
}

// TestACMEByDNS: with a program that writes DNS records, wildcards are issued and no port need be
// reachable; the program learns no secret, and takes down what it put up.
func TestACMEByDNS(t *testing.T) {
	records := t.TempDir()
	directory, caFile, roots := startACME(t, 1, 1, records)
	hook := filepath.Join(t.TempDir(), "hook")
	if err := os.WriteFile(hook, []byte(`#!/bin/sh
set -eu
env >"$1.env"
case $2 in *broken*) echo "no such zone" >&2; exit 3;; esac
cd `+records+`
case $1 in
present) printf '%s\n' "$3" >>"$2" ;;
cleanup) grep -v -x -e "$3" "$2" >"$2.new" || true; mv "$2.new" "$2" ;;
esac
`), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GATEHOUSE_HIDDEN", "secret")
	t.Chdir(t.TempDir()) // for what the hook says of its environment
	g := servertest.Start(t, func(c *config.Config) {
		c.HTTP = config.Off
		c.ACME = config.ACME{Directory: directory, CAFile: caFile, DNSHook: hook}
	})
	c := acm.NewFromConfig(g.AWS(t))
	request := func(names ...string) *string {
		t.Helper()
		out, err := c.RequestCertificate(t.Context(), &acm.RequestCertificateInput{DomainName: &names[0], SubjectAlternativeNames: names})
		if err != nil {
			t.Fatal(err)
		}
		return out.CertificateArn
	}
	arn := request("*.apis.example.test", "apis.example.test") // both are proved by one name
	describe(t, c, arn, func(d *acmtypes.CertificateDetail) bool { return d.Status == "ISSUED" })
	out, err := c.GetCertificate(t.Context(), &acm.GetCertificateInput{CertificateArn: arn})
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(*out.Certificate))
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	chain := x509.NewCertPool()
	chain.AppendCertsFromPEM([]byte(*out.CertificateChain))
	if _, err := leaf.Verify(x509.VerifyOptions{DNSName: "any.apis.example.test", Roots: roots(), Intermediates: chain}); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadFile(filepath.Join(records, "_acme-challenge.apis.example.test")); err != nil || len(left) != 0 {
		t.Errorf("records left behind: %q, %v", left, err)
	}
	for _, what := range []string{"present.env", "cleanup.env"} {
		env, err := os.ReadFile(what)
		if err != nil || strings.Contains(string(env), "GATEHOUSE_") || !strings.Contains(string(env), "PATH=") {
			t.Errorf("environment of the hook: %v\n%s", err, env)
		}
	}
	if d := describe(t, c, request("broken.example.test"), func(*acmtypes.CertificateDetail) bool { return true }); d.Status != "PENDING_VALIDATION" {
		t.Errorf("the hook failed: %s, want another attempt later", d.Status)
	}

	// The server says when it wants the certificate renewed.
	web := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	t.Cleanup(web.CloseIdleConnections)
	issuer := acme.New(acme.Config{Directory: directory}, nil, nil, web, slog.New(slog.DiscardHandler))
	now := time.Now()
	at, again, err := issuer.RenewAt(t.Context(), leaf, now)
	if err != nil || !at.After(leaf.NotBefore) || !at.Before(leaf.NotAfter) || again.Before(now.Add(10*time.Minute)) || again.After(now.Add(24*time.Hour)) {
		t.Errorf("renewal suggested at %v, to be asked again at %v, %v", at, again, err)
	}
}

// acmeRefusals is what an ACME server does not issue, and what is nobody's business.
func acmeRefusals(t *testing.T, g *servertest.Gatehouse, c *acm.Client, request func(...string) *string) {
	if d := describe(t, c, request("blocked.example.test"), func(d *acmtypes.CertificateDetail) bool { return d.Status != "PENDING_VALIDATION" }); d.Status != "FAILED" || d.FailureReason != "DOMAIN_NOT_ALLOWED" {
		t.Errorf("a name that the server does not allow: %s %s", d.Status, d.FailureReason)
	}
	if _, err := c.RequestCertificate(t.Context(), &acm.RequestCertificateInput{DomainName: aws.String("*.example.test")}); err == nil || !strings.Contains(err.Error(), "InvalidDomainValidationOptionsException") {
		t.Errorf("a wildcard: %v", err)
	}
	unused := request("unused.example.test")
	if _, err := c.GetCertificate(t.Context(), &acm.GetCertificateInput{CertificateArn: unused}); err != nil && !strings.Contains(err.Error(), "RequestInProgressException") {
		t.Errorf("a certificate that is pending: %v", err)
	}
	describe(t, c, unused, func(d *acmtypes.CertificateDetail) bool { return d.Status == "ISSUED" })
	if _, err := c.RevokeCertificate(t.Context(), &acm.RevokeCertificateInput{CertificateArn: unused, RevocationReason: acmtypes.RevocationReasonKeyCompromise}); err != nil {
		t.Errorf("revoking: %v", err)
	}
	if d := describe(t, c, unused, func(*acmtypes.CertificateDetail) bool { return true }); d.Status != "REVOKED" || d.RevocationReason != "KEY_COMPROMISE" {
		t.Errorf("revoked: %+v", d)
	}
	// Paths of challenges that are not outstanding belong to the APIs.
	resp, err := http.Get("http://" + g.HTTP + "/.well-known/acme-challenge/unknown")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 403 {
		t.Errorf("an unknown challenge: %d, want the gateway's 403", resp.StatusCode)
	}
	if _, err := tls.Dial("tcp", g.HTTPS, &tls.Config{ServerName: "api.example.test", NextProtos: []string{"acme-tls/1"}, InsecureSkipVerify: true}); err == nil {
		t.Error("a tls-alpn-01 handshake without a challenge succeeded")
	}
}
