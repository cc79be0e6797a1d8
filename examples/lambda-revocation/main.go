// Command lambda-revocation runs AWS's published way to revoke client certificates against a
// running Gatehouse: a Lambda authorizer that looks for the certificate's serial number in
// a list in S3. It makes an authority and two certificates, a bucket with trust store and
// list, the function (built from ./authorizer), a domain name with mutual TLS and an API;
// it calls the API with both certificates, revokes one, and calls again.
//
// Gatehouse can do this by itself, before any function is asked: see docs/mutual-tls.md.
// This is for those who bring the function with them. It needs Go, to build it:
//
//	eval "$(gatehouse env)"
//	go run ./examples/lambda-revocation
package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func main() {
	https := flag.String("https", "127.0.0.1:8443", "address of Gatehouse's HTTPS port")
	bundle := flag.String("ca", os.Getenv("GATEHOUSE_CA_BUNDLE"), "file of Gatehouse's certificate authority")
	source := flag.String("authorizer", "./examples/lambda-revocation/authorizer", "package of the function")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *https, *bundle, *source); err != nil {
		fmt.Fprintln(os.Stderr, "lambda-revocation:", err)
		os.Exit(1)
	}
}

// A story is what the steps share.
type story struct {
	out    io.Writer
	https  string
	bundle string
	source string // package of the function
	name   string // of the domain
	bucket string
	suffix string // of names
	region string

	account  string
	function string // ARN

	gateway *apigateway.Client
	s3      *s3.Client
	acm     *acm.Client
	lambda  *lambda.Client
	iam     *iam.Client

	partners     *authority
	good, stolen *http.Client
	serial       string // of the stolen certificate
}

// listKey is the object with the revoked serial numbers.
const listKey = "revoked.txt"

// run tells the whole story.
func run(ctx context.Context, out io.Writer, https, bundle, source string) error {
	if os.Getenv("AWS_ENDPOINT_URL") == "" {
		return errors.New(`AWS_ENDPOINT_URL is not set: run eval "$(gatehouse env)" first`)
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	suffix := fmt.Sprintf("%x", time.Now().UnixNano()&0xffffff)
	s := &story{
		out: out, https: https, bundle: bundle, source: source, suffix: suffix, region: cfg.Region,
		name: "api-" + suffix + ".example.test", bucket: "certificates-" + suffix,
		gateway: apigateway.NewFromConfig(cfg), acm: acm.NewFromConfig(cfg), lambda: lambda.NewFromConfig(cfg), iam: iam.NewFromConfig(cfg),
		s3: s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }),
	}
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return err
	}
	s.account = aws.ToString(who.Account)
	for _, step := range []func(context.Context) error{s.makeClients, s.makeObjects, s.makeFunction, s.makeAPI, s.revoke, s.cleanUp} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// say prints what happened and why.
func (s *story) say(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

// makeClients issues two certificates, one of which will be stolen.
func (s *story) makeClients(context.Context) (err error) {
	if s.partners, err = newAuthority("Partner CA"); err != nil {
		return err
	}
	good, err := s.partners.issue("good")
	if err != nil {
		return err
	}
	stolen, err := s.partners.issue("stolen")
	if err != nil {
		return err
	}
	s.serial = serial(stolen)
	if s.good, err = s.client(good); err != nil {
		return err
	}
	s.stolen, err = s.client(stolen)
	return err
}

// makeObjects uploads the trust store and an empty list.
func (s *story) makeObjects(ctx context.Context) error {
	if _, err := s.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &s.bucket}); err != nil {
		return err
	}
	if err := s.put(ctx, "ca.pem", s.partners.pem()); err != nil {
		return err
	}
	s.say("1. trust store s3://%s/ca.pem, and an empty list s3://%[1]s/%s", s.bucket, listKey)
	return s.put(ctx, listKey, "")
}

func (s *story) put(ctx context.Context, key, text string) error {
	_, err := s.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: strings.NewReader(text)})
	return err
}

// makeFunction builds the authorizer and gives it a role that may read the list, and no more.
func (s *story) makeFunction(ctx context.Context) error {
	code, err := build(ctx, s.source)
	if err != nil {
		return err
	}
	name := "revocation-" + s.suffix
	role, err := s.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)})
	if err != nil {
		return err
	}
	if _, err := s.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &name, PolicyName: aws.String("list"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::` + s.bucket + "/" + listKey + `"}]}`)}); err != nil {
		return err
	}
	fn, err := s.lambda.CreateFunction(ctx, &lambda.CreateFunctionInput{
		FunctionName: &name, Runtime: lambdatypes.RuntimeProvidedal2023, Handler: aws.String("bootstrap"), Role: role.Role.Arn, MemorySize: aws.Int32(256), Timeout: aws.Int32(10),
		Code:        &lambdatypes.FunctionCode{ZipFile: code},
		Environment: &lambdatypes.Environment{Variables: map[string]string{"LIST_BUCKET": s.bucket, "LIST_KEY": listKey, "LIST_SECONDS": "0"}},
	})
	if err != nil {
		return err
	}
	s.function = aws.ToString(fn.FunctionArn)
	s.say("2. function %s, whose role may read the list", name)
	return nil
}

// build compiles the function for provided.al2023 and zips it.
func build(ctx context.Context, source string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "lambda-revocation-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "bootstrap")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, "-tags", "lambda.norpc", "-ldflags", "-s -w", source)
	cmd.Env = append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building %s: %w\n%s", source, err, text)
	}
	b, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	h := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate}
	h.SetMode(0o755)
	w, err := z.CreateHeader(h)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// makeAPI makes an API that asks the function about every request, behind a domain name with
// mutual TLS.
func (s *story) makeAPI(ctx context.Context) error {
	api, err := s.gateway.CreateRestApi(ctx, &apigateway.CreateRestApiInput{Name: aws.String("lambda-revocation example"), DisableExecuteApiEndpoint: true,
		EndpointConfiguration: &types.EndpointConfiguration{Types: []types.EndpointType{types.EndpointTypeRegional}}})
	if err != nil {
		return err
	}
	// Nothing is cached: what is revoked is out with the next request.
	auth, err := s.gateway.CreateAuthorizer(ctx, &apigateway.CreateAuthorizerInput{
		RestApiId: api.Id, Name: aws.String("revocation"), Type: types.AuthorizerTypeRequest, AuthorizerResultTtlInSeconds: aws.Int32(0),
		AuthorizerUri: aws.String("arn:aws:apigateway:" + s.region + ":lambda:path/2015-03-31/functions/" + s.function + "/invocations"),
	})
	if err != nil {
		return err
	}
	if _, err := s.lambda.AddPermission(ctx, &lambda.AddPermissionInput{
		FunctionName: &s.function, StatementId: aws.String("api"), Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("apigateway.amazonaws.com"),
		SourceArn: aws.String("arn:aws:execute-api:" + s.region + ":" + s.account + ":" + aws.ToString(api.Id) + "/authorizers/" + aws.ToString(auth.Id)),
	}); err != nil {
		return err
	}
	if err := s.makeMethod(ctx, api.Id, api.RootResourceId, auth.Id); err != nil {
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
	s.say("3. API %s behind https://%s with mutual TLS and the function as its authorizer", aws.ToString(api.Id), s.name)
	return nil
}

// makeMethod makes a method that says hello, and deploys.
func (s *story) makeMethod(ctx context.Context, api, resource, authorizer *string) error {
	get := aws.String("GET")
	if _, err := s.gateway.PutMethod(ctx, &apigateway.PutMethodInput{
		RestApiId: api, ResourceId: resource, HttpMethod: get, AuthorizationType: aws.String("CUSTOM"), AuthorizerId: authorizer,
	}); err != nil {
		return err
	}
	if _, err := s.gateway.PutMethodResponse(ctx, &apigateway.PutMethodResponseInput{RestApiId: api, ResourceId: resource, HttpMethod: get, StatusCode: aws.String("200")}); err != nil {
		return err
	}
	if _, err := s.gateway.PutIntegration(ctx, &apigateway.PutIntegrationInput{
		RestApiId: api, ResourceId: resource, HttpMethod: get, Type: types.IntegrationTypeMock,
		RequestTemplates: map[string]string{"application/json": `{"statusCode": 200}`},
	}); err != nil {
		return err
	}
	if _, err := s.gateway.PutIntegrationResponse(ctx, &apigateway.PutIntegrationResponseInput{
		RestApiId: api, ResourceId: resource, HttpMethod: get, StatusCode: aws.String("200"),
		ResponseTemplates: map[string]string{"application/json": "hello, $context.authorizer.principalId"},
	}); err != nil {
		return err
	}
	_, err := s.gateway.CreateDeployment(ctx, &apigateway.CreateDeploymentInput{RestApiId: api, StageName: aws.String("prod")})
	return err
}

// revoke puts a serial number into the list, takes it out again, and takes the list away:
// on connections that stay open.
func (s *story) revoke(ctx context.Context) error {
	for _, c := range []struct {
		what         string
		list         string // "-": none
		good, stolen string
	}{
		{"both certificates are in force", "", "200 hello, CN=good", "200 hello, CN=stolen"},
		{"the stolen one is in the list", s.serial + "\n", "200", "403"},
		{"it is out of the list again", "# nobody\n", "200", "200"},
		{"there is no list: nobody gets in", "-", "500", "500"},
		{"and in again", strings.ToUpper(s.serial), "200", "403"},
	} {
		var err error
		if c.list == "-" {
			_, err = s.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: aws.String(listKey)})
		} else {
			err = s.put(ctx, listKey, c.list)
		}
		if err != nil {
			return err
		}
		good, stolen := s.get(ctx, s.good), s.get(ctx, s.stolen)
		s.say("4. %s: good %.3s, stolen %.3s", c.what, good, stolen)
		if !strings.HasPrefix(good, c.good) || !strings.HasPrefix(stolen, c.stolen) {
			return fmt.Errorf("%s: got %s and %s, want %s and %s", c.what, good, stolen, c.good, c.stolen)
		}
	}
	return nil
}

// cleanUp deletes the domain name and the function; what remains is small and named after
// this run.
func (s *story) cleanUp(ctx context.Context) error {
	_, err := s.gateway.DeleteDomainName(ctx, &apigateway.DeleteDomainNameInput{DomainName: &s.name})
	_, err2 := s.lambda.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &s.function})
	s.say("5. domain name and function deleted")
	return errors.Join(err, err2)
}
