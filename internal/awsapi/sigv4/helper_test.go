package sigv4

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	signer "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"gatehouse/internal/message"
)

const (
	testID     = "AKIAIOSFODNN7EXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

var testTime = time.Date(2026, 11, 23, 5, 0, 0, 0, time.UTC)

// mapKeys are keys by "id" or "id token"; "" as secret is an expired token.
type mapKeys map[string]string

func (m mapKeys) Lookup(_ context.Context, id, token string) (Credential, error) {
	k := id
	if token != "" {
		k += " " + token
	}
	secret, ok := m[k]
	switch {
	case id == "BROKEN":
		return Credential{}, errors.New("store is away")
	case !ok:
		return Credential{}, ErrUnknownKey
	case secret == "":
		return Credential{}, ErrTokenExpired
	}
	return Credential{Secret: secret, Principal: Principal{Kind: User, ARN: "arn:aws:iam::000000000000:user/" + id}}, nil
}

func newVerifier(at time.Time) *Verifier {
	return &Verifier{
		Keys: mapKeys{testID: testSecret, "AKIDEXAMPLE": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
			"ASIATEMP token/+=": "temporary", "ASIATEMP old": ""},
		Now: func() time.Time { return at },
	}
}

// A call is a request to be signed by the SDK.
type call struct {
	method, url, body string
	header            map[string]string
	id, secret, token string
	service           string
	hash              string // payload hash given to the signer; "" is that of the body
	sendHash          bool   // as x-amz-content-sha256 header
	presign           bool
	at                time.Time
}

func hashHex(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// sign signs with the SDK and returns the request as net/http would receive it.
func (c call) sign(t testing.TB) *http.Request {
	t.Helper()
	if c.at.IsZero() {
		c.at = testTime
	}
	if c.id == "" {
		c.id, c.secret = testID, testSecret
	}
	if c.hash == "" {
		c.hash = hashHex(c.body)
	}
	out, err := http.NewRequest(c.method, c.url, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range c.header {
		out.Header.Set(k, v)
	}
	if c.sendHash {
		out.Header.Set("X-Amz-Content-Sha256", c.hash)
	}
	creds := aws.Credentials{AccessKeyID: c.id, SecretAccessKey: c.secret, SessionToken: c.token}
	opt := func(o *signer.SignerOptions) { o.DisableURIPathEscaping = c.service == "s3" }
	s := signer.NewSigner()
	target := out.URL.RequestURI()
	header := out.Header
	if c.presign {
		u, h, err := s.PresignHTTP(t.Context(), creds, out, c.hash, c.service, "us-east-1", c.at, opt)
		if err != nil {
			t.Fatal(err)
		}
		p, err := http.NewRequest(c.method, u, nil)
		if err != nil {
			t.Fatal(err)
		}
		target, header = p.URL.RequestURI(), h
	} else if err := s.SignHTTP(t.Context(), creds, out, c.hash, c.service, "us-east-1", c.at, opt); err != nil {
		t.Fatal(err)
	}
	in := httptest.NewRequest(c.method, "/", strings.NewReader(c.body))
	in.RequestURI, in.Host, in.Header = target, out.Host, header.Clone()
	in.Header.Del("Host")
	return in
}

// verifyAll verifies a request and reads its body.
func verifyAll(t testing.TB, v *Verifier, svc Service, r *Request) (string, *Result, error) {
	t.Helper()
	res, err := v.Verify(t.Context(), &svc, r)
	if err != nil {
		return "", nil, err
	}
	body, err := io.ReadAll(res.Body)
	return string(body), res, err
}

func wantRefusal(t testing.TB, err error, kind Kind, code string, status int) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v, want a refusal %s", err, code)
	}
	if e.Kind != kind || e.Code != code || e.Status != status {
		t.Fatalf("got kind %d %s %d %q (%v), want kind %d %s %d", e.Kind, e.Code, e.Status, e.Message, e.Cause, kind, code, status)
	}
	return e
}

// parts builds a Request from literal headers "Name: value".
func parts(method, host, target, body string, lines ...string) *Request {
	path, query, _ := strings.Cut(target, "?")
	r := &Request{Method: method, Host: host, Path: path, RawQuery: query}
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ":")
		r.Header.Add(name, strings.TrimSpace(value))
	}
	if body != "" {
		r.Body = strings.NewReader(body)
	}
	return r
}

// chunkSigner writes aws-chunked bodies as an SDK does.
type chunkSigner struct {
	key          *signingKey
	stamp, scope string
	prev         string
	out          bytes.Buffer
}

func (c *chunkSigner) sign(suffix, between string, data []byte) string {
	sum := sha256.Sum256(data)
	msg := algorithm + suffix + "\n" + c.stamp + "\n" + c.scope + "\n" + c.prev + "\n" + between + hex.EncodeToString(sum[:])
	mac, _ := c.key.sign([]byte(msg), nil)
	c.prev = hex.EncodeToString(mac[:])
	return c.prev
}

func (c *chunkSigner) chunk(data string) {
	sig := c.sign("-PAYLOAD", emptyHash+"\n", []byte(data))
	fmt.Fprintf(&c.out, "%x;chunk-signature=%s\r\n%s", len(data), sig, data)
	if data != "" {
		c.out.WriteString("\r\n")
	}
}

func (c *chunkSigner) trailer(name, value string) {
	fmt.Fprintf(&c.out, "%s:%s\r\nx-amz-trailer-signature:%s\r\n", name, value, c.sign("-TRAILER", "", []byte(name+":"+value+"\n")))
}

// signedStream is a signed S3 upload in chunks of the given sizes.
func signedStream(t testing.TB, data string, size int, trailer message.Header) *Request {
	t.Helper()
	form := streamSigned
	h := map[string]string{"X-Amz-Decoded-Content-Length": fmt.Sprint(len(data)), "Content-Encoding": "aws-chunked"}
	if trailer != nil {
		form = streamSignedTrailer
		h["X-Amz-Trailer"] = trailer[0].Name
	}
	r := FromHTTP(call{method: "PUT", url: "http://localhost:4566/bucket/key", service: "s3", hash: form, sendHash: true, header: h}.sign(t))
	var c Claim
	if refusal := c.parse(r, FamilyS3); refusal != nil {
		t.Fatal(refusal)
	}
	s := &chunkSigner{key: deriveKey(testSecret, c.Scope), stamp: c.stamp, scope: c.Scope.String(), prev: c.signature}
	for len(data) > 0 {
		n := min(size, len(data))
		s.chunk(data[:n])
		data = data[n:]
	}
	s.chunk("")
	if trailer != nil {
		s.trailer(trailer[0].Name, trailer[0].Value)
	}
	s.out.WriteString("\r\n")
	r.Body = &s.out
	return r
}
