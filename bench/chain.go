package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	lambdago "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/wafv2"
	waftypes "github.com/aws/aws-sdk-go-v2/service/wafv2/types"
)

// chainDomain has mutual TLS and leads to keyedStage, which has everything else.
const chainDomain = "chain.example.test"

// measureChain measures everything at once: a connection with a client certificate, ten WAF
// rules, a cached authorizer, an API key with plan throttle and quota, the stage's throttle,
// an access log; beside plain proxying on the same process.
func measureChain(sc scenario, bin, dir string, rounds int, d time.Duration) error {
	p, err := launch("gatehouse", proxyCPU, controlAddr, bin, "serve", "--dev", "--data", filepath.Join(dir, "chain"),
		"--control", controlAddr, "--http", frontHTTP, "--https", frontHTTPS)
	if err != nil {
		return err
	}
	defer p.stop()
	ctx := context.Background()
	id, err := createAPI(ctx)
	if err != nil {
		return err
	}
	if err := authorizeByFunction(ctx, id); err != nil {
		return err
	}
	key, err := requireKeys(ctx, client(), id, 1, 1)
	if err != nil {
		return err
	}
	if err := errors.Join(mapDomain(ctx, id, dir, chainDomain, keyedStage), limitAndLog(ctx, id), guard(ctx, id)); err != nil {
		return err
	}
	cert, err := tls.LoadX509KeyPair(filepath.Join(dir, "client.pem"), filepath.Join(dir, "client.key"))
	if err != nil {
		return err
	}
	plain := "GET /" + stage + "/1k HTTP/1.1\r\nHost: " + id + ".execute-api.us-east-1.localhost\r\nUser-Agent: bench\r\n\r\n"
	whole := "GET /1k HTTP/1.1\r\nHost: " + chainDomain + "\r\nUser-Agent: bench\r\nAuthorization: bench\r\nX-API-Key: " + key + "\r\n\r\n"
	sc.nginx, sc.front = "http://"+frontHTTP, "https://"+frontHTTPS
	k := newKeptAlive(64, map[string]string{"http": plain, "https": whole}, &tls.Config{
		InsecureSkipVerify: true, ServerName: chainDomain, Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}})
	defer k.close()
	sc.load = k.load
	for _, base := range []string{sc.nginx, sc.front} { // handshakes and the authorizer's start are not what is measured
		if _, err := k.load(base, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return measure(sc, p, p, rounds, d)
}

// options are what all clients of the gatehouse have in common.
func options() (region, endpoint string, c aws.CredentialsProvider) {
	return "us-east-1", "http://" + controlAddr, credentials.NewStaticCredentialsProvider(rootKeyID, rootSecret, "")
}

// authorizeByFunction makes a function that allows everybody and has all methods ask it.
func authorizeByFunction(ctx context.Context, id string) error {
	region, endpoint, cred := options()
	roles := iam.New(iam.Options{Region: region, BaseEndpoint: &endpoint, Credentials: cred})
	role, err := roles.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("bench"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)})
	if err != nil {
		return err
	}
	code, err := ownCode()
	if err != nil {
		return err
	}
	functions := lambda.New(lambda.Options{Region: region, BaseEndpoint: &endpoint, Credentials: cred})
	fn, err := functions.CreateFunction(ctx, &lambda.CreateFunctionInput{FunctionName: aws.String("allow"), Runtime: lambdatypes.RuntimeProvidedal2023, Role: role.Role.Arn,
		Handler: aws.String("bootstrap"), Timeout: aws.Int32(10), Code: &lambdatypes.FunctionCode{ZipFile: code}})
	if err != nil {
		return err
	}
	if _, err := functions.AddPermission(ctx, &lambda.AddPermissionInput{FunctionName: fn.FunctionName, StatementId: aws.String("bench"), Action: aws.String("lambda:InvokeFunction"),
		Principal: aws.String("apigateway.amazonaws.com")}); err != nil {
		return err
	}
	c := client()
	a, err := c.CreateAuthorizer(ctx, &apigateway.CreateAuthorizerInput{RestApiId: &id, Name: aws.String("allow"), Type: types.AuthorizerTypeToken,
		IdentitySource: aws.String("method.request.header.Authorization"), AuthorizerResultTtlInSeconds: aws.Int32(3600),
		AuthorizerUri: aws.String("arn:aws:apigateway:" + region + ":lambda:path/2015-03-31/functions/" + *fn.FunctionArn + "/invocations")})
	if err != nil {
		return err
	}
	return updateMethods(ctx, c, id, map[string]string{"/authorizationType": "CUSTOM", "/authorizerId": *a.Id})
}

// ownCode is this program as the code of a function: as "bootstrap" it is the authorizer.
func ownCode() ([]byte, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	program, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	h := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate}
	h.SetMode(0o755)
	w, err := z.CreateHeader(h)
	if err == nil {
		_, err = w.Write(program)
	}
	err = errors.Join(err, z.Close())
	return b.Bytes(), err
}

// bootstrap runs the authorizer.
func bootstrap() {
	lambdago.Start(func(context.Context, map[string]any) (any, error) {
		return map[string]any{"principalId": "bench", "policyDocument": map[string]any{"Version": "2012-10-17",
			"Statement": []any{map[string]any{"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}}}}, nil
	})
}

// limitAndLog gives keyedStage a throttle that nothing exceeds, and an access log.
func limitAndLog(ctx context.Context, id string) error {
	region, endpoint, cred := options()
	logs := cloudwatchlogs.New(cloudwatchlogs.Options{Region: region, BaseEndpoint: &endpoint, Credentials: cred})
	if _, err := logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("bench")}); err != nil {
		return err
	}
	var patches []types.PatchOperation
	for path, value := range map[string]string{
		"/*/*/throttling/rateLimit":         "1000000",
		"/*/*/throttling/burstLimit":        "1000000",
		"/accessLogSettings/destinationArn": "arn:aws:logs:" + region + ":000000000000:log-group:bench",
		"/accessLogSettings/format":         `{"id":"$context.requestId","ip":"$context.identity.sourceIp","path":"$context.path","status":$context.status,"ms":$context.responseLatency}`,
	} {
		patches = append(patches, types.PatchOperation{Op: types.OpReplace, Path: &path, Value: &value})
	}
	_, err := client().UpdateStage(ctx, &apigateway.UpdateStageInput{RestApiId: &id, StageName: aws.String(keyedStage), PatchOperations: patches})
	return err
}

// guard puts a web ACL of ten rules before keyedStage, none of which matches.
func guard(ctx context.Context, id string) error {
	region, endpoint, cred := options()
	firewall := wafv2.New(wafv2.Options{Region: region, BaseEndpoint: &endpoint, Credentials: cred})
	var rules []waftypes.Rule
	for i := range 10 {
		field := &waftypes.FieldToMatch{UriPath: &waftypes.UriPath{}}
		if i%2 == 1 {
			field = &waftypes.FieldToMatch{SingleHeader: &waftypes.SingleHeader{Name: aws.String("user-agent")}}
		}
		name := fmt.Sprintf("rule-%d", i)
		rules = append(rules, waftypes.Rule{Name: &name, Priority: int32(i), Action: &waftypes.RuleAction{Block: &waftypes.BlockAction{}}, VisibilityConfig: seen(name),
			Statement: &waftypes.Statement{ByteMatchStatement: &waftypes.ByteMatchStatement{SearchString: fmt.Appendf(nil, "attack-%d", i), FieldToMatch: field,
				PositionalConstraint: waftypes.PositionalConstraintContains,
				TextTransformations:  []waftypes.TextTransformation{{Type: waftypes.TextTransformationTypeUrlDecode}, {Type: waftypes.TextTransformationTypeLowercase, Priority: 1}}}}})
	}
	acl, err := firewall.CreateWebACL(ctx, &wafv2.CreateWebACLInput{Name: aws.String("bench"), Scope: waftypes.ScopeRegional, Rules: rules, VisibilityConfig: seen("bench"),
		DefaultAction: &waftypes.DefaultAction{Allow: &waftypes.AllowAction{}}})
	if err != nil {
		return err
	}
	_, err = firewall.AssociateWebACL(ctx, &wafv2.AssociateWebACLInput{WebACLArn: acl.Summary.ARN,
		ResourceArn: aws.String("arn:aws:apigateway:" + region + "::/restapis/" + id + "/stages/" + keyedStage)})
	return err
}

func seen(name string) *waftypes.VisibilityConfig {
	return &waftypes.VisibilityConfig{MetricName: &name, CloudWatchMetricsEnabled: true}
}

// keptAlive sends the request for the base's scheme over and over on connections that stay
// open from one measurement to the next. Answers must be 200 and announce their length.
type keptAlive struct {
	requests map[string]string // by scheme
	secure   *tls.Config
	conns    map[string][]net.Conn
}

func newKeptAlive(conns int, requests map[string]string, secure *tls.Config) *keptAlive {
	k := &keptAlive{requests, secure, map[string][]net.Conn{}}
	for scheme := range requests {
		k.conns[scheme] = make([]net.Conn, conns)
	}
	return k
}

func (k *keptAlive) close() {
	for _, conns := range k.conns {
		for _, c := range conns {
			if c != nil {
				c.Close()
			}
		}
	}
}

func (k *keptAlive) load(base string, d time.Duration) (int, error) {
	scheme, addr, _ := strings.Cut(base, "://")
	conns := k.conns[scheme]
	end := time.Now().Add(d)
	var done atomic.Int64
	failures := make([]error, len(conns))
	var wg sync.WaitGroup
	for i := range conns {
		wg.Go(func() {
			if conns[i] == nil {
				if conns[i], failures[i] = k.dial(scheme, addr); failures[i] != nil {
					return
				}
			}
			for b := make([]byte, 4096); time.Now().Before(end); done.Add(1) {
				if failures[i] = roundTrip(conns[i], k.requests[scheme], b); failures[i] != nil {
					conns[i].Close()
					conns[i] = nil // so that another try begins anew
					return
				}
			}
		})
	}
	wg.Wait()
	return int(done.Load()), errors.Join(failures...)
}

// dial returns a nil net.Conn with its error.
func (k *keptAlive) dial(scheme, addr string) (net.Conn, error) {
	if scheme != "https" {
		return net.Dial("tcp", addr)
	}
	c, err := tls.Dial("tcp", addr, k.secure)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// roundTrip sends a request and reads an answer of at most len(b) bytes.
func roundTrip(c net.Conn, request string, b []byte) error {
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, request); err != nil {
		return err
	}
	for got, want := 0, -1; got != want; {
		n, err := c.Read(b[got:])
		if err != nil {
			return err
		}
		got += n
		head, _, ended := bytes.Cut(b[:got], []byte("\r\n\r\n"))
		if !ended || want >= 0 {
			continue
		}
		if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
			return fmt.Errorf("unexpected answer %.400q", b[:got])
		}
		length, err := number(head, `(?i)content-length: (\d+)`)
		if err != nil {
			return err
		}
		want = len(head) + 4 + length
	}
	return nil
}
