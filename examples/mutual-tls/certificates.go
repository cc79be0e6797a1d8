package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"time"
)

// An authority signs client certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	tmpl := template(name)
	tmpl.IsCA, tmpl.BasicConstraintsValid, tmpl.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &authority{cert, key}, err
}

func template(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
}

func (a *authority) pem() string { return string(pemOf("CERTIFICATE", a.cert.Raw)) }

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// issue signs a certificate for a client.
func (a *authority) issue(name string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	tmpl := template(name)
	tmpl.KeyUsage, tmpl.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, key.Public(), a.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// client is an HTTP client with a certificate of issuer (nil: none) that finds every host
// at Gatehouse's HTTPS port and trusts Gatehouse's own authority.
func (s *story) client(name string, issuer *authority) (*http.Client, error) {
	c, _, err := s.clientWithSerial(name, issuer)
	return c, err
}

// clientWithSerial is client, and tells the certificate's serial number.
func (s *story) clientWithSerial(name string, issuer *authority) (_ *http.Client, serial *big.Int, err error) {
	c := &tls.Config{RootCAs: x509.NewCertPool()}
	bundle, err := os.ReadFile(s.bundle)
	if err != nil {
		return nil, nil, fmt.Errorf("Gatehouse's certificate authority (--ca): %w", err)
	}
	if !c.RootCAs.AppendCertsFromPEM(bundle) {
		return nil, nil, fmt.Errorf("no certificate in %s", s.bundle)
	}
	if issuer != nil {
		cert, err := issuer.issue(name)
		if err != nil {
			return nil, nil, err
		}
		leaf, err := x509.ParseCertificate(cert.Certificate[0])
		if err != nil {
			return nil, nil, err
		}
		c.Certificates, serial = []tls.Certificate{cert}, leaf.SerialNumber
	}
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig: c, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, s.https)
		},
	}}, serial, nil
}

// get calls the API and tells what came of it.
func (s *story) get(ctx context.Context, c *http.Client) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+s.name+"/", nil)
	if err != nil {
		return err.Error()
	}
	resp, err := c.Do(req)
	if err != nil {
		// With TLS 1.3 the alert comes after the client believes the handshake done: the error
		// names the alert or only the connection that broke.
		return "no answer: " + err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, body)
}
