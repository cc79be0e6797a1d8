package server_test

import (
	"crypto/tls"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apigateway"

	"gatehouse/internal/server"
	"gatehouse/internal/server/servertest"
)

// TestRadar: one place tells of everything that ends, with the days left.
func TestRadar(t *testing.T) {
	g := servertest.Start(t, nil)
	root := newCA(t, "root")
	d := guard(t, g, "api.example.test", root.pem())
	d.allow()
	d.put("ca.crl", root.crl(t, 1))
	if err := d.tag(map[string]string{"gatehouse:revocation": "soft-fail", "gatehouse:crl": "s3://" + d.bucket + "/ca.crl"}); err != nil {
		t.Fatal(err)
	}
	d.put("next.pem", append(root.pem(), newCA(t, "next").pem()...))
	if err := d.tag(map[string]string{"gatehouse:truststore-candidate": "s3://" + d.bucket + "/next.pem"}); err != nil {
		t.Fatal(err)
	}
	unused := d.certificate("unused.example.test")
	made, err := d.c.GenerateClientCertificate(t.Context(), &apigateway.GenerateClientCertificateInput{})
	if err != nil {
		t.Fatal(err)
	}
	ann := root.client(t, "ann")
	d.eventually("ann", d.client(&ann, "h2", tls.VersionTLS13), 200)

	read := func(query string) []server.Expiring {
		t.Helper()
		status, body := operation(t, g, "/_gatehouse/certificates"+query)
		var out server.Radar
		if err := json.Unmarshal([]byte(body), &out); status != 200 || err != nil {
			t.Fatalf("%d %s, %v", status, body, err)
		}
		return out.Items
	}
	items := read("")
	find := func(use, holder, subject string) *server.Expiring {
		for i := range items {
			if items[i].Use == use && items[i].Holder == holder && (subject == "" || items[i].Subject == subject) {
				return &items[i]
			}
		}
		return &server.Expiring{Subject: "none"}
	}
	for _, c := range []struct {
		use, holder, subject string
		from, to             float64 // days left
		renewal              string
	}{
		{"server", d.name, "CN=api.example.test", 394, 395, "automatic"},
		{"trust-store", d.name, "CN=root,O=Test", 0.9, 1, ""},
		{"candidate", d.name, "CN=root,O=Test", 0.9, 1, ""},
		{"unused", unused, "CN=unused.example.test", 394, 395, ""},
		{"client", d.name, "CN=ann", 0.9, 1, ""},
		{"own", "names without a certificate", "", 89, 91, "automatic"},
		{"backend", *made.ClientCertificateId, "", 364, 367, ""},
		{"crl", d.name, "s3://" + d.bucket + "/ca.crl", 0, 1, "automatic"},
	} {
		e := find(c.use, c.holder, c.subject)
		if (c.subject != "" && e.Subject != c.subject) || e.DaysLeft < c.from || e.DaysLeft > c.to || e.Renewal != c.renewal || time.Until(e.NotAfter) < 0 {
			t.Errorf("%s of %s: %+v, want %s with %v to %v days left, renewal %q", c.use, c.holder, e, c.subject, c.from, c.to, c.renewal)
		}
	}
	for i := 1; i < len(items); i++ {
		if items[i].NotAfter.Before(items[i-1].NotAfter) {
			t.Errorf("item %d ends before item %d", i, i-1)
		}
	}
	for _, e := range read("?within=2") {
		if e.DaysLeft > 2 {
			t.Errorf("within two days: %+v", e)
		}
	}
	if p := d.problems(); !strings.Contains(p, "trust-store of api.example.test ends in ") {
		t.Errorf("ready says %s", p)
	}
	_, body, _ := get(t, once, "http://"+g.Control+"/_gatehouse/metrics")
	for _, want := range []string{
		`gatehouse_certificate_days_left{domain="api.example.test",sha256="`, `subject="CN=root,O=Test",use="trust-store"} `, `use="candidate"`, `use="crl"`,
		`gatehouse_client_certificates_ending{domain="api.example.test"} 1`, `gatehouse_revocation_verdicts_total{domain="api.example.test",verdict="good"} 1`, "gatehouse_trust_problems 0",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}
