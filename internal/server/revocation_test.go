package server_test

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"gatehouse/internal/server/servertest"
)

// crl makes a revocation list of c.
func (c *ca) crl(t *testing.T, number int64, revoked ...*big.Int) []byte {
	t.Helper()
	l := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour)}
	for _, s := range revoked {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: s, RevocationTime: time.Now()})
	}
	der, err := x509.CreateRevocationList(rand.Reader, l, c.cert, c.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func (d *guarded) put(key string, data []byte) {
	d.t.Helper()
	if _, err := d.s3.PutObject(d.t.Context(), &s3.PutObjectInput{Bucket: &d.bucket, Key: &key, Body: bytes.NewReader(data)}); err != nil {
		d.t.Fatal(err)
	}
}

func (d *guarded) arn() string {
	return "arn:aws:apigateway:" + d.g.Config.Region() + "::/domainnames/" + d.name
}

func (d *guarded) tag(tags map[string]string) error {
	_, err := d.c.TagResource(d.t.Context(), &apigateway.TagResourceInput{ResourceArn: aws.String(d.arn()), Tags: tags})
	return err
}

// allow lets the service read the bucket for the domain.
func (d *guarded) allow() {
	d.t.Helper()
	policy := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"apigateway.amazonaws.com"},
		"Action":"s3:GetObject","Resource":"arn:aws:s3:::%s/*","Condition":{"ArnEquals":{"aws:SourceArn":"%s"}}}]}`, d.bucket, d.arn())
	if _, err := d.s3.PutBucketPolicy(d.t.Context(), &s3.PutBucketPolicyInput{Bucket: &d.bucket, Policy: &policy}); err != nil {
		d.t.Fatal(err)
	}
}

// patience is how long a test waits for what takes a second at most on a quiet machine.
const patience = 20 * time.Second

// eventually waits for the next request of a client to be answered so.
func (d *guarded) eventually(what string, c *http.Client, want int) {
	d.t.Helper()
	status := 0
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if status, _, _ = get(d.t, c, d.url()); status == want {
			return
		}
	}
	d.t.Errorf("%s: still %d, want %d", what, status, want)
}

// waitProblem waits until the ready page tells of a problem.
func (d *guarded) waitProblem(text string) {
	d.t.Helper()
	said := ""
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if said = d.problems(); strings.Contains(said, text) {
			return
		}
	}
	d.t.Errorf("ready says %s; want it to tell of %q", said, text)
}

func (d *guarded) problems() string {
	d.t.Helper()
	resp, err := once.Get("http://" + d.g.Control + "/_gatehouse/ready")
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(body)
}

// TestRevocation is the story of a revoked client: switched on by tags, a certificate is
// revoked while its connection is open, and the next request on it is refused. A restart
// forgets nothing.
func TestRevocation(t *testing.T) {
	g := servertest.Start(t, nil)
	root := newCA(t, "root")
	d := guard(t, g, "api.example.test", root.pem())
	ann := root.client(t, "ann")
	serial := new(big.Int).SetBytes(bytes.Repeat([]byte{0xa1}, 16))
	d.put("ca.crl", root.crl(t, 1))
	clients := map[string]*http.Client{"HTTP/1.1": d.client(&ann, "http/1.1", tls.VersionTLS12), "HTTP/2": d.client(&ann, "h2", tls.VersionTLS13)}
	all := func(what string, want int) {
		t.Helper()
		for name, c := range clients {
			d.eventually(what+", "+name, c, want)
		}
	}
	all("without revocation", 200)

	switchOn := map[string]string{"gatehouse:revocation": "hard-fail", "gatehouse:crl": "s3://" + d.bucket + "/ca.crl"}
	if err := d.tag(switchOn); err == nil || !strings.Contains(err.Error(), "BadRequestException: Invalid tag gatehouse:crl: User: apigateway.amazonaws.com is not authorized to perform: s3:GetObject") {
		t.Errorf("a list that the service may not read: %v", err)
	}
	all("the tags were refused", 200)
	d.allow()
	if err := d.tag(map[string]string{"gatehouse:crl": "s3://" + d.bucket + "/missing.crl"}); err == nil || !strings.Contains(err.Error(), "gatehouse:crl") {
		t.Errorf("a list that is not there: %v", err)
	}
	if err := d.tag(switchOn); err != nil {
		t.Fatal(err)
	}
	all("the list may be read", 200)
	if p := d.problems(); strings.Contains(p, "problems") {
		t.Errorf("ready says %s", p)
	}

	d.put("ca.crl", root.crl(t, 2, serial))
	all("revoked", 403)
	d.put("ca.crl", root.crl(t, 1))
	d.waitProblem("older than the list in use")
	all("rolled back to an older list", 403)

	if status, body := operation(t, g, "/_gatehouse/revocation"); status != 200 || !strings.Contains(body, `"domain":"api.example.test"`) || !strings.Contains(body, `"number":"2"`) {
		t.Errorf("report: %d %s", status, body)
	}

	d.g = g.Restart(t)
	d.s3 = s3.NewFromConfig(d.g.AWS(t), func(o *s3.Options) { o.UsePathStyle = true })
	d.c = apigateway.NewFromConfig(d.g.AWS(t))
	clients = map[string]*http.Client{"HTTP/1.1": d.client(&ann, "http/1.1", tls.VersionTLS13)}
	for name, c := range clients {
		if status, _, _ := get(t, c, d.url()); status != 403 {
			t.Errorf("first request after a restart, %s: %d, want 403", name, status)
		}
	}

	d.put("ca.crl", root.crl(t, 3))
	all("a newer list without the client", 200)
	d.put("deny.txt", fmt.Appendf(nil, "serial %x issuer CN=root,O=Test\n", serial))
	if err := d.tag(map[string]string{"gatehouse:deny-list": "s3://" + d.bucket + "/deny.txt"}); err != nil {
		t.Fatal(err)
	}
	all("on the deny-list", 403)
	if _, err := d.c.UntagResource(t.Context(), &apigateway.UntagResourceInput{ResourceArn: aws.String(d.arn()), TagKeys: []string{"gatehouse:deny-list"}}); err != nil {
		t.Fatal(err)
	}
	all("off the deny-list", 200)

	d.put("settings.json", fmt.Appendf(nil, `{"denyList":"s3://%s/deny.txt"}`, d.bucket))
	if err := d.tag(map[string]string{"gatehouse:revocation-settings": "s3://" + d.bucket + "/settings.json"}); err != nil {
		t.Fatal(err)
	}
	all("on the deny-list by the document", 403)
	// The document was copied by the call: what becomes of the object acts with the next one.
	d.put("settings.json", []byte(`{"mistake":true}`))
	again := func() error {
		return d.tag(map[string]string{"gatehouse:revocation-settings": "s3://" + d.bucket + "/settings.json"})
	}
	if err := again(); err == nil || !strings.Contains(err.Error(), "gatehouse:revocation-settings") || !strings.Contains(err.Error(), "mistake") {
		t.Errorf("a document that cannot be used: %v", err)
	}
	all("a document that was not taken", 403)
	d.put("settings.json", []byte(`{}`))
	all("an object that was replaced", 403)
	if err := again(); err != nil {
		t.Fatal(err)
	}
	all("a document that asks for nothing", 200)
	if p := d.problems(); !strings.Contains(p, "was weakened") || !strings.Contains(p, "deny.txt is no longer used") {
		t.Errorf("ready does not tell of the deny-list that went: %s", p)
	}
}

func TestRevocationTagsAreChecked(t *testing.T) {
	g := servertest.Start(t, nil)
	d := guard(t, g, "api.example.test", newCA(t, "root").pem())
	for key, value := range map[string]string{
		"gatehouse:revocation": "on", "gatehouse:crl": "file:///etc/passwd", "gatehouse:deny-list": "s3://bucket",
		"gatehouse:allow-list": "", "gatehouse:revocation-settings": "https://example.com/x.json", "gatehouse:revocations": "off",
	} {
		if err := d.tag(map[string]string{key: value}); err == nil || !strings.Contains(err.Error(), "BadRequestException") || !strings.Contains(err.Error(), key) {
			t.Errorf("%s=%s: got %v, want a BadRequestException that names the tag", key, value, err)
		}
	}
}
