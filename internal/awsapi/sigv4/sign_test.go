package sigv4

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"gatehouse/internal/message"
)

type oneKey SigningKey

func (k oneKey) Lookup(_ context.Context, id, token string) (Credential, error) {
	if id != k.AccessKeyID || token != k.Token {
		return Credential{}, ErrUnknownKey
	}
	return Credential{Secret: k.Secret}, nil
}

// TestSign: what Sign writes is what the SDK writes, and what Verify takes.
func TestSign(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	key := SigningKey{AccessKeyID: "ASIAEXAMPLE", Secret: "secret", Token: "token=="}
	for _, c := range []struct{ service, method, host, target, body string }{
		{"dynamodb", "POST", "dynamodb.us-east-1.amazonaws.com", "/", `{"TableName":"t"}`},
		{"sqs", "GET", "localhost:5000", "/?Action=SendMessage&MessageBody=a%20b%2Bc&Version=2012-11-05&Empty=", ""},
		{"s3", "PUT", "s3.us-east-1.amazonaws.com", "/bucket/a%20b/c%2Fd~e", "data"},
		{"s3", "GET", "s3.us-east-1.amazonaws.com", "/bucket?list-type=2&prefix=a%2Fb&prefix=a", ""},
		{"states", "POST", "states.us-east-1.amazonaws.com", "/x/arn%3Aaws", "{}"},
	} {
		sum := sha256.Sum256([]byte(c.body))
		hash := hex.EncodeToString(sum[:])
		path, query, _ := strings.Cut(c.target, "?")
		r := &Request{Method: c.method, Path: path, RawQuery: query, Host: c.host, Header: message.Header{
			{Name: "Content-Type", Value: "application/json"}, {Name: "X-Amz-Target", Value: "T.A"}, {Name: "User-Agent", Value: "u"},
			{Name: "authorization", Value: "AWS4-HMAC-SHA256 forged"}, {Name: "x-amz-security-token", Value: "forged"}, {Name: "X-Amz-Date", Value: "19700101T000000Z"},
		}}
		svc := &Service{Name: c.service, EncodeOnce: c.service == "s3", HashRequired: c.service == "s3", Skew: time.Minute, MaxBody: 1 << 20}
		if err := Sign(r, key, svc, "us-east-1", now, hash); err != nil {
			t.Errorf("%s %s: %v", c.service, c.target, err)
			continue
		}
		for _, name := range []string{"Authorization", "X-Amz-Security-Token", "X-Amz-Date"} {
			if n := r.Header.Count(name); n != 1 {
				t.Errorf("%s: %d fields %s, want 1", c.service, n, name)
			}
		}
		want, err := http.NewRequest(c.method, "https://"+c.host+c.target, nil)
		if err != nil {
			t.Fatal(err)
		}
		want.Header.Set("Content-Type", "application/json")
		want.Header.Set("X-Amz-Target", "T.A")
		if svc.HashRequired {
			want.Header.Set("X-Amz-Content-Sha256", hash)
		}
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = svc.EncodeOnce })
		if err := signer.SignHTTP(t.Context(), aws.Credentials{AccessKeyID: key.AccessKeyID, SecretAccessKey: key.Secret, SessionToken: key.Token}, want, hash, c.service, "us-east-1", now); err != nil {
			t.Fatal(err)
		}
		if got, want := r.Header.Get("Authorization"), want.Header.Get("Authorization"); got != want {
			t.Errorf("%s %s:\n got %s\nwant %s", c.service, c.target, got, want)
		}
		r.Body = bytes.NewReader([]byte(c.body))
		v := &Verifier{Keys: oneKey(key), Now: func() time.Time { return now }}
		if _, err := v.Verify(t.Context(), svc, r); err != nil {
			t.Errorf("%s %s is not taken: %v", c.service, c.target, err)
		}
	}
	if err := Sign(&Request{Method: "GET", Path: "/%zz", Host: "h"}, key, &Service{Name: "s3", EncodeOnce: true}, "us-east-1", now, ""); err == nil {
		t.Error("a path with a broken escape was signed")
	}
}
