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
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// functions measures what a warm function adds to a request, beside a method that answers
// by itself (MOCK), and what a crowd of slow functions does to that method.
func functions(args []string) error {
	fs := flag.NewFlagSet("functions", flag.ExitOnError)
	gate := fs.String("gatehouse", "", "gatehouse binary")
	requests := fs.Int("requests", 3000, "requests of each kind")
	crowd := fs.Int("crowd", 200, "slow calls at a time")
	language := fs.String("runtime", "provided.al2023", "runtime of the function: provided.al2023 (Go) or a Python")
	fs.Parse(args)
	if *gate == "" {
		return errors.New("-gatehouse BINARY is needed")
	}
	dir, err := os.MkdirTemp("", "gatehouse-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	os.Setenv("GATEHOUSE_ROOT_ACCESS_KEY_ID", rootKeyID)
	os.Setenv("GATEHOUSE_ROOT_SECRET_ACCESS_KEY", rootSecret)
	p, err := launch("gatehouse", allCPUs(), controlAddr, *gate, "serve", "--data", filepath.Join(dir, "data"),
		"--control", controlAddr, "--http", frontHTTP, "--https", frontHTTPS)
	if err != nil {
		return err
	}
	defer p.stop()
	ctx := context.Background()
	api, err := createFunctionAPI(ctx, dir, *language)
	if err != nil {
		return err
	}
	c := &functionClient{base: "http://" + frontHTTP + "/" + stage, host: api + ".execute-api.us-east-1.localhost"}
	printMachine()
	return c.measure(ctx, *requests, *crowd)
}

// allCPUs are the cores of this machine: functions may use them all.
func allCPUs() string { return fmt.Sprintf("0-%d", runtime.NumCPU()-1) }

// functionClient calls the API over one connection for each kind of request.
type functionClient struct{ base, host string }

func (c *functionClient) measure(ctx context.Context, requests, crowd int) error {
	quick, mock := newConnection(), newConnection()
	for range 20 { // warm both
		if err := errors.Join(c.get(ctx, quick, "/function", nil), c.get(ctx, mock, "/mock", nil)); err != nil {
			return err
		}
	}
	var fn, plain []time.Duration
	for range requests { // in turns, so that the machine's other work reaches both
		if err := errors.Join(c.get(ctx, mock, "/mock", &plain), c.get(ctx, quick, "/function", &fn)); err != nil {
			return err
		}
	}
	show("MOCK", plain)
	show("function", fn)
	fmt.Printf("a warm call adds %v at p50 (target: under 300µs)\n", (quantile(fn, 0.5) - quantile(plain, 0.5)).Round(time.Microsecond))

	slow := newConnection()
	crowdContext, stop := context.WithCancel(ctx)
	defer stop()
	var calls sync.WaitGroup
	started := make(chan error, crowd)
	for range crowd {
		calls.Go(func() {
			const path = "/function?sleep=5s"
			started <- c.get(crowdContext, slow, path, nil)
			for crowdContext.Err() == nil {
				c.get(crowdContext, slow, path, nil) // that it is cut off in the end is meant
			}
		})
	}
	for range crowd { // each has had its first answer: all their processes run
		if err := <-started; err != nil {
			return err
		}
	}
	var beside []time.Duration
	for range requests {
		if err := c.get(ctx, mock, "/mock", &beside); err != nil {
			return err
		}
	}
	stop()
	calls.Wait()
	show(fmt.Sprintf("MOCK beside %d slow calls", crowd), beside)
	return nil
}

func newConnection() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000}}
}

// get asks for a path and notes how long that took.
func (c *functionClient) get(ctx context.Context, by *http.Client, path string, took *[]time.Duration) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return err
	}
	req.Host = c.host
	start := time.Now()
	res, err := by.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s %s", path, res.Status, body)
	}
	if took != nil {
		*took = append(*took, time.Since(start))
	}
	return nil
}

func quantile(took []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(took))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func show(name string, took []time.Duration) {
	fmt.Printf("%-28s p50 %v  p90 %v  p99 %v\n", name, quantile(took, 0.5), quantile(took, 0.9), quantile(took, 0.99))
}

// createFunctionAPI makes an API with /mock and /function and returns its id.
func createFunctionAPI(ctx context.Context, dir, language string) (string, error) {
	function, err := createFunction(ctx, dir, language)
	if err != nil {
		return "", err
	}
	c := client()
	api, err := c.CreateRestApi(ctx, &apigateway.CreateRestApiInput{Name: aws.String("bench")})
	if err != nil {
		return "", err
	}
	for part, in := range map[string]*apigateway.PutIntegrationInput{
		"mock": {Type: types.IntegrationTypeMock, RequestTemplates: map[string]string{"application/json": `{"statusCode": 200}`}},
		"function": {Type: types.IntegrationTypeAwsProxy, IntegrationHttpMethod: aws.String("POST"),
			Uri: aws.String("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/" + function + "/invocations")},
	} {
		r, err := c.CreateResource(ctx, &apigateway.CreateResourceInput{RestApiId: api.Id, ParentId: api.RootResourceId, PathPart: aws.String(part)})
		if err != nil {
			return "", err
		}
		get := aws.String("GET")
		if _, err := c.PutMethod(ctx, &apigateway.PutMethodInput{RestApiId: api.Id, ResourceId: r.Id, HttpMethod: get, AuthorizationType: aws.String("NONE")}); err != nil {
			return "", err
		}
		if _, err := c.PutMethodResponse(ctx, &apigateway.PutMethodResponseInput{RestApiId: api.Id, ResourceId: r.Id, HttpMethod: get, StatusCode: aws.String("200")}); err != nil {
			return "", err
		}
		in.RestApiId, in.ResourceId, in.HttpMethod = api.Id, r.Id, get
		if _, err := c.PutIntegration(ctx, in); err != nil {
			return "", err
		}
		if in.Type != types.IntegrationTypeMock {
			continue
		}
		if _, err := c.PutIntegrationResponse(ctx, &apigateway.PutIntegrationResponseInput{RestApiId: api.Id, ResourceId: r.Id, HttpMethod: get, StatusCode: aws.String("200")}); err != nil {
			return "", err
		}
	}
	if _, err := c.CreateDeployment(ctx, &apigateway.CreateDeploymentInput{RestApiId: api.Id, StageName: aws.String(stage)}); err != nil {
		return "", fmt.Errorf("deploying: %w", err)
	}
	return *api.Id, nil
}

// pythonFunction does what ./bench/function does.
const pythonFunction = `import time
def handler(event, context):
    sleep = (event["queryStringParameters"] or {}).get("sleep")
    if sleep:
        time.sleep(float(sleep.rstrip("s")))
    return {"statusCode": 200, "body": "hello"}
`

// createFunction makes ./bench/function, or the same in Python, a function that APIs may call.
func createFunction(ctx context.Context, dir, language string) (arn string, err error) {
	code := []byte(pythonFunction)
	name := "m.py"
	if language == "provided.al2023" {
		name = "bootstrap"
		program := filepath.Join(dir, name)
		cmd := exec.CommandContext(ctx, "go", "build", "-o", program, "./bench/function")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("building the function: %w\n%s", err, text)
		}
		if code, err = os.ReadFile(program); err != nil {
			return "", err
		}
	}
	if code, err = zipped(name, code); err != nil {
		return "", err
	}
	cfg := aws.Config{Region: "us-east-1", BaseEndpoint: aws.String("http://" + controlAddr), Credentials: credentials.NewStaticCredentialsProvider(rootKeyID, rootSecret, "")}
	role, err := iam.NewFromConfig(cfg).CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("bench"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)})
	if err != nil {
		return "", err
	}
	c := lambda.NewFromConfig(cfg)
	fn, err := c.CreateFunction(ctx, &lambda.CreateFunctionInput{
		FunctionName: aws.String("bench"), Runtime: lambdatypes.Runtime(language), Handler: aws.String("m.handler"), Role: role.Role.Arn,
		Timeout: aws.Int32(30), Code: &lambdatypes.FunctionCode{ZipFile: code},
	})
	if err != nil {
		return "", err
	}
	_, err = c.AddPermission(ctx, &lambda.AddPermissionInput{
		FunctionName: fn.FunctionName, StatementId: aws.String("api"), Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("apigateway.amazonaws.com"),
	})
	return aws.ToString(fn.FunctionArn), err
}

// zipped is a package with one file.
func zipped(name string, content []byte) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	h := &zip.FileHeader{Name: name, Method: zip.Deflate}
	h.SetMode(0o755)
	w, err := z.CreateHeader(h)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
