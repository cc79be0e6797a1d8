package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// arn names the domain.
func (s *story) arn() string {
	return "arn:aws:apigateway:" + s.config.Region + "::/domainnames/" + s.name
}

// put writes an object of the story's bucket.
func (s *story) put(ctx context.Context, key string, data []byte) error {
	_, err := s.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: bytes.NewReader(data)})
	return err
}

// tag sets tags of the domain.
func (s *story) tag(ctx context.Context, tags map[string]string) error {
	_, err := s.gateway.TagResource(ctx, &apigateway.TagResourceInput{ResourceArn: aws.String(s.arn()), Tags: tags})
	return err
}

// crl signs a revocation list.
func (a *authority) crl(number int64, revoked ...*big.Int) ([]byte, error) {
	list := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour)}
	for _, serial := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: serial, RevocationTime: time.Now()})
	}
	return x509.CreateRevocationList(rand.Reader, list, a.cert, a.key)
}

// revokeWhileOpen switches revocation on by tags, and revokes a certificate while its connection
// is open: the next request on that connection is refused.
func (s *story) revokeWhileOpen(ctx context.Context) error {
	policy := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"apigateway.amazonaws.com"},
		"Action":"s3:GetObject","Resource":"arn:aws:s3:::%s/*","Condition":{"ArnEquals":{"aws:SourceArn":"%s"}}}]}`, s.bucket, s.arn())
	if _, err := s.s3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &s.bucket, Policy: &policy}); err != nil {
		return err
	}
	// Lists of both authorities: in hard-fail mode a certificate that no list covers is refused.
	publish := func(number int64, revoked ...*big.Int) error {
		partners, err := s.partners.crl(number, revoked...)
		if err != nil {
			return err
		}
		retired, err := s.retired.crl(number)
		if err != nil {
			return err
		}
		return s.put(ctx, "partners.crl", append(pemOf("X509 CRL", partners), pemOf("X509 CRL", retired)...))
	}
	if err := publish(1); err != nil {
		return err
	}
	if err := s.tag(ctx, map[string]string{"gatehouse:revocation": "hard-fail", "gatehouse:crl": "s3://" + s.bucket + "/partners.crl"}); err != nil {
		return err
	}
	ann, serial, err := s.clientWithSerial("ann", s.partners)
	if err != nil {
		return err
	}
	if got := s.get(ctx, ann); !strings.HasPrefix(got, "200") {
		return fmt.Errorf("before the revocation: %s", got)
	}
	if err := publish(2, serial); err != nil {
		return err
	}
	began := time.Now()
	if err := s.until(ctx, ann, "403"); err != nil {
		return fmt.Errorf("after the revocation: %w", err)
	}
	s.say("5. revocation is on; ann's certificate was revoked while her connection was open: refused %d ms after the list was published", time.Since(began).Milliseconds())
	return nil
}

// until asks until the answer begins as wanted, for a few seconds.
func (s *story) until(ctx context.Context, c *http.Client, want string) error {
	got := ""
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if got = s.get(ctx, c); strings.HasPrefix(got, want) {
			return nil
		}
	}
	return fmt.Errorf("still %q, want %s", got, want)
}
