// Command mutual-tls tells the story of a guarded API against a running Gatehouse: it makes
// a certificate authority, client certificates, a bucket with a trust store, a domain name
// with mutual TLS and an API, starts a small backend, and calls the API with and without
// a certificate. Then it rolls the trust store while a connection stays open, revokes a
// certificate while its connection is open, and takes an authority out with a plan, a staged
// roll-out and a rollback.
//
// It configures Gatehouse with the AWS SDK, and asks it about trust stores as `gatehouse truststore` does. Run it with the environment of
// `gatehouse env`:
//
//	eval "$(gatehouse env)"
//	go run ./examples/mutual-tls
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func main() {
	https := flag.String("https", "127.0.0.1:8443", "address of Gatehouse's HTTPS port")
	bundle := flag.String("ca", os.Getenv("GATEHOUSE_CA_BUNDLE"), "file of Gatehouse's certificate authority")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *https, *bundle); err != nil {
		fmt.Fprintln(os.Stderr, "mutual-tls:", err)
		os.Exit(1)
	}
}

// A story is what the steps share.
type story struct {
	out    io.Writer
	https  string
	bundle string
	name   string // of the domain
	bucket string
	config aws.Config

	gateway *apigateway.Client
	s3      *s3.Client
	acm     *acm.Client

	partners, retired *authority
}

// run tells the whole story.
func run(ctx context.Context, out io.Writer, https, bundle string) error {
	if os.Getenv("AWS_ENDPOINT_URL") == "" {
		return errors.New(`AWS_ENDPOINT_URL is not set: run eval "$(gatehouse env)" first`)
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	suffix := fmt.Sprintf("%x", time.Now().UnixNano()&0xffffff)
	s := &story{
		out: out, https: https, bundle: bundle, name: "api-" + suffix + ".example.test", bucket: "truststore-" + suffix, config: cfg,
		gateway: apigateway.NewFromConfig(cfg), acm: acm.NewFromConfig(cfg),
		s3: s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }),
	}
	backend, stop, err := startBackend()
	if err != nil {
		return err
	}
	defer stop()
	if s.partners, err = newAuthority("Partner CA"); err != nil {
		return err
	}
	if s.retired, err = newAuthority("Retired CA"); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		s.makeTrustStore,
		func(ctx context.Context) error { return s.makeAPI(ctx, backend) },
		s.callIt,
		s.rollTrustStore,
		s.revokeWhileOpen,
		s.rollOut,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return s.cleanUp(ctx)
}

// say prints what happened and why.
func (s *story) say(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

// startBackend serves what it is told about the caller.
func startBackend() (url string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	srv := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello, %s", r.Header.Get("X-Client-Subject"))
	})}
	go srv.Serve(l)
	return "http://" + l.Addr().String(), func() { srv.Close() }, nil
}

// makeTrustStore uploads both authorities to a bucket that keeps versions.
func (s *story) makeTrustStore(ctx context.Context) error {
	if _, err := s.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &s.bucket}); err != nil {
		return err
	}
	if _, err := s.s3.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: &s.bucket,
		VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusEnabled}}); err != nil {
		return err
	}
	version, err := s.upload(ctx, s.partners.pem()+s.retired.pem())
	if err != nil {
		return err
	}
	s.say("1. trust store s3://%s/ca.pem, version %s: Partner CA and Retired CA", s.bucket, version)
	return nil
}

// upload puts a trust store and returns its version.
func (s *story) upload(ctx context.Context, pem string) (string, error) {
	out, err := s.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: &s.bucket, Key: aws.String("ca.pem"), Body: bytes.NewReader([]byte(pem))})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.VersionId), nil
}

// makeAPI makes an API in front of the backend and a domain name with mutual TLS.
func (s *story) makeAPI(ctx context.Context, backend string) error {
	api, err := s.gateway.CreateRestApi(ctx, &apigateway.CreateRestApiInput{Name: aws.String("mutual-tls example"), DisableExecuteApiEndpoint: true,
		EndpointConfiguration: &types.EndpointConfiguration{Types: []types.EndpointType{types.EndpointTypeRegional}}})
	if err != nil {
		return err
	}
	if _, err := s.gateway.PutMethod(ctx, &apigateway.PutMethodInput{RestApiId: api.Id, ResourceId: api.RootResourceId, HttpMethod: aws.String("GET"), AuthorizationType: aws.String("NONE")}); err != nil {
		return err
	}
	if _, err := s.gateway.PutIntegration(ctx, &apigateway.PutIntegrationInput{
		RestApiId: api.Id, ResourceId: api.RootResourceId, HttpMethod: aws.String("GET"), Type: types.IntegrationTypeHttpProxy,
		IntegrationHttpMethod: aws.String("GET"), Uri: &backend,
		RequestParameters: map[string]string{"integration.request.header.X-Client-Subject": "context.identity.clientCert.subjectDN"},
	}); err != nil {
		return err
	}
	if _, err := s.gateway.CreateDeployment(ctx, &apigateway.CreateDeploymentInput{RestApiId: api.Id, StageName: aws.String("prod")}); err != nil {
		return err
	}
	cert, err := s.acm.RequestCertificate(ctx, &acm.RequestCertificateInput{DomainName: &s.name})
	if err != nil {
		return err
	}
	if _, err := s.gateway.CreateDomainName(ctx, &apigateway.CreateDomainNameInput{
		DomainName: &s.name, RegionalCertificateArn: cert.CertificateArn, SecurityPolicy: types.SecurityPolicyTls12,
		EndpointConfiguration:   &types.EndpointConfiguration{Types: []types.EndpointType{types.EndpointTypeRegional}},
		MutualTlsAuthentication: &types.MutualTlsAuthenticationInput{TruststoreUri: aws.String("s3://" + s.bucket + "/ca.pem")},
	}); err != nil {
		return err
	}
	if _, err := s.gateway.CreateBasePathMapping(ctx, &apigateway.CreateBasePathMappingInput{DomainName: &s.name, RestApiId: api.Id, Stage: aws.String("prod")}); err != nil {
		return err
	}
	s.say("2. API %s behind https://%s with mutual TLS; its default endpoint is disabled", aws.ToString(api.Id), s.name)
	return nil
}

// callIt calls the API as four clients would.
func (s *story) callIt(ctx context.Context) error {
	stranger, err := newAuthority("Stranger CA")
	if err != nil {
		return err
	}
	for _, c := range []struct {
		who    string
		issuer *authority
		want   string
	}{
		{"a partner's certificate", s.partners, "200 hello, CN=a partner's certificate"},
		{"a certificate of a CA that is not in the trust store", stranger, `403 {"message":"Forbidden"}`},
		{"no certificate", nil, "no answer"},
	} {
		client, err := s.client(c.who, c.issuer)
		if err != nil {
			return err
		}
		got := s.get(ctx, client)
		s.say("3. with %s: %s", c.who, got)
		if !strings.HasPrefix(got, c.want) {
			return fmt.Errorf("with %s: got %q, want %q", c.who, got, c.want)
		}
	}
	return nil
}

// rollTrustStore takes an authority out while its client keeps a connection open, and puts
// it back.
func (s *story) rollTrustStore(ctx context.Context) error {
	stays, err := s.client("stays", s.partners)
	if err != nil {
		return err
	}
	leaves, err := s.client("leaves", s.retired)
	if err != nil {
		return err
	}
	versions, err := s.s3.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &s.bucket})
	if err != nil {
		return err
	}
	before := aws.ToString(versions.Versions[0].VersionId)
	after, err := s.upload(ctx, s.partners.pem())
	if err != nil {
		return err
	}
	for _, c := range []struct{ what, version, stays, leaves string }{
		{"before: both are trusted", before, "200", "200"},
		{"Retired CA taken out, on the connections that are open", after, "200", "403"},
		{"rolled back", before, "200", "200"},
	} {
		if _, err := s.gateway.UpdateDomainName(ctx, &apigateway.UpdateDomainNameInput{DomainName: &s.name, PatchOperations: []types.PatchOperation{
			{Op: types.OpReplace, Path: aws.String("/mutualTlsAuthentication/truststoreVersion"), Value: aws.String(c.version)}}}); err != nil {
			return err
		}
		a, b := s.get(ctx, stays), s.get(ctx, leaves)
		s.say("4. %s: partner %s, retired %s", c.what, a[:3], b[:3])
		if a[:3] != c.stays || b[:3] != c.leaves {
			return fmt.Errorf("%s: got %s and %s, want %s and %s", c.what, a, b, c.stays, c.leaves)
		}
	}
	return nil
}

// cleanUp deletes the domain name; what remains is small and named after this run.
func (s *story) cleanUp(ctx context.Context) error {
	_, err := s.gateway.DeleteDomainName(ctx, &apigateway.DeleteDomainNameInput{DomainName: &s.name})
	s.say("7. domain name deleted")
	return err
}
