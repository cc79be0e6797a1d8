package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// mutualDomain has mutual TLS, the server certificate that nginx presents, and leads to stage.
const mutualDomain = "mutual.example.test"

// mapDomain makes a domain name with the authority of dir as its trust store and the server
// certificate of dir, and maps it to a stage.
func mapDomain(ctx context.Context, id, dir, name, stage string) error {
	region, endpoint, cred := options()
	objects := s3.New(s3.Options{Region: region, BaseEndpoint: &endpoint, Credentials: cred, UsePathStyle: true})
	if _, err := objects.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("bench")}); err != nil {
		return err
	}
	var files [3][]byte
	for i, file := range []string{"ca.pem", "server.pem", "server.key"} {
		var err error
		if files[i], err = os.ReadFile(filepath.Join(dir, file)); err != nil {
			return err
		}
	}
	if _, err := objects.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("bench"), Key: aws.String("ca.pem"), Body: bytes.NewReader(files[0])}); err != nil {
		return err
	}
	certificates := acm.New(acm.Options{Region: region, BaseEndpoint: &endpoint, Credentials: cred})
	owner, err := certificates.RequestCertificate(ctx, &acm.RequestCertificateInput{DomainName: &name})
	if err != nil {
		return err
	}
	domain := &apigateway.CreateDomainNameInput{DomainName: &name, RegionalCertificateArn: owner.CertificateArn,
		SecurityPolicy: types.SecurityPolicyTls12, EndpointConfiguration: &types.EndpointConfiguration{Types: []types.EndpointType{types.EndpointTypeRegional}},
		MutualTlsAuthentication: &types.MutualTlsAuthenticationInput{TruststoreUri: aws.String("s3://bench/ca.pem")}}
	if name == mutualDomain {
		imported, err := certificates.ImportCertificate(ctx, &acm.ImportCertificateInput{Certificate: files[1], PrivateKey: files[2], CertificateChain: files[0]})
		if err != nil {
			return err
		}
		domain.RegionalCertificateArn, domain.OwnershipVerificationCertificateArn = imported.CertificateArn, owner.CertificateArn
	}
	c := client()
	if _, err := c.CreateDomainName(ctx, domain); err != nil {
		return err
	}
	_, err = c.CreateBasePathMapping(ctx, &apigateway.CreateBasePathMappingInput{DomainName: &name, RestApiId: &id, Stage: &stage})
	return err
}

// mutualClient is the configuration of a client of the mutual TLS ports; host is its SNI.
func mutualClient(dir, host string) (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(filepath.Join(dir, "client.pem"), filepath.Join(dir, "client.key"))
	if err != nil {
		return nil, err
	}
	return &tls.Config{InsecureSkipVerify: true, ServerName: host, Certificates: []tls.Certificate{cert},
		NextProtos: []string{"http/1.1"}, CurvePreferences: []tls.CurveID{tls.CurveP256}}, nil
}

// mutualScenarios are the loads with client certificates: nginx and the front present the same
// certificate and trust the same authority.
func mutualScenarios(dir, host, front string) []scenario {
	nginx := "https://" + nginxMTLS
	front = "https://" + front
	return []scenario{
		{"handshake-mtls", nginx, front, handshakes(dir, host, true), "CPU 0.50, then 0.43"},
		{"resumed-mtls", nginx, front, resumptions(dir, host), ""},
		{"keepalive-mtls", nginx, front, mutualKeepAlive(dir, host), ""},
	}
}

// mutualKeepAlive sends requests on 64 connections with client certificates that stay open.
func mutualKeepAlive(dir, host string) load {
	return func(base string, d time.Duration) (int, error) {
		cfg, err := mutualClient(dir, host)
		if err != nil {
			return 0, err
		}
		k := newKeptAlive(64, map[string]string{"https": "GET /1k HTTP/1.1\r\nHost: " + host + "\r\n\r\n"}, cfg)
		defer k.close()
		return k.load(base, d)
	}
}

// resumptions opens a connection for every request, each resuming the session before it.
func resumptions(dir, host string) load {
	return func(base string, d time.Duration) (int, error) {
		cfg, err := mutualClient(dir, host)
		if err != nil {
			return 0, err
		}
		addr := strings.TrimPrefix(base, "https://")
		request := "GET /1k HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n"
		end := time.Now().Add(d)
		var done atomic.Int64
		var wg sync.WaitGroup
		failures := make([]error, 8)
		for i := range failures {
			wg.Go(func() {
				own, first := cfg.Clone(), true
				own.ClientSessionCache = tls.NewLRUClientSessionCache(1) // tickets are used once
				own.VerifyConnection = func(s tls.ConnectionState) error {
					if !first && !s.DidResume {
						return errors.New("the session was not resumed")
					}
					first = false
					return nil
				}
				for time.Now().Before(end) && failures[i] == nil {
					failures[i] = oneRequest(addr, request, own)
					done.Add(1)
				}
			})
		}
		wg.Wait()
		return int(done.Load()), errors.Join(failures...)
	}
}

// An idler is where idle connections are held: a listener of a process.
type idler struct {
	*process
	addr string
	cfg  *tls.Config
	path string
	host string
}

// measureIdle prints the memory per idle connection that has carried a request, for each
// listener in turn.
func measureIdle(label string, n int, idlers []idler) error {
	for _, p := range idlers {
		before, err := p.memory()
		if err != nil {
			return err
		}
		closeAll, err := p.hold(n)
		if err != nil {
			return err
		}
		time.Sleep(15 * time.Second) // a gatehouse that is quiet gives memory back; the front is forced to below
		if p.name == "front" {
			collect()
		}
		after, err := p.memory()
		closeAll()
		if err != nil {
			return err
		}
		fmt.Printf("%-15s %s: %.1f KiB per connection (%d connections)\n", label, p.name, float64(after-before)/float64(n)/1024, n)
	}
	return nil
}

// hold opens n connections that have made one request each, and returns a function that
// closes them.
func (p idler) hold(n int) (func(), error) {
	var conns []net.Conn
	closeAll := func() {
		for _, c := range conns {
			c.Close()
		}
	}
	request, buf := "GET "+p.path+" HTTP/1.1\r\nHost: "+p.host+"\r\n\r\n", make([]byte, 4096)
	for range n {
		c, err := tls.Dial("tcp", p.addr, p.cfg)
		if err == nil {
			conns = append(conns, c)
			err = roundTrip(c, request, buf)
		}
		if err != nil {
			closeAll()
			return nil, err
		}
	}
	return closeAll, nil
}
