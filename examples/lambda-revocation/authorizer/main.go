// Command authorizer is a Lambda function that lets nobody in whose client certificate is
// revoked: a REQUEST authorizer that looks for the certificate's serial number in a list
// in S3. It runs on AWS as it does on Gatehouse; nothing in it knows where it is.
//
// Its environment has LIST_BUCKET and LIST_KEY, the object with one serial number in a line
// in the form of clientCert.serialNumber ("0a:1b:2c"), and LIST_SECONDS, for how long the
// list is not asked for again (default 0: always).
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func main() {
	cfg, err := awsconfig.LoadDefaultConfig(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, "authorizer:", err)
		os.Exit(1)
	}
	seconds, err := strconv.Atoi(os.Getenv("LIST_SECONDS"))
	if err != nil {
		seconds = 0
	}
	l := &list{s3: s3.NewFromConfig(cfg), bucket: os.Getenv("LIST_BUCKET"), key: os.Getenv("LIST_KEY"), fresh: time.Duration(seconds) * time.Second}
	lambda.Start(l.authorize)
}

// A list is the revoked serial numbers, as last read.
type list struct {
	s3          *s3.Client
	bucket, key string
	fresh       time.Duration

	mu      sync.Mutex
	read    time.Time
	etag    *string
	revoked map[string]bool
}

// authorize answers with a policy for the whole stage: it says something about the caller,
// not about one method. That the list cannot be read is an error, and nobody gets in.
func (l *list) authorize(ctx context.Context, ev events.APIGatewayCustomAuthorizerRequestTypeRequest) (events.APIGatewayCustomAuthorizerResponse, error) {
	cert := ev.RequestContext.Identity.ClientCert
	if cert.SerialNumber == "" {
		return events.APIGatewayCustomAuthorizerResponse{}, errors.New("Unauthorized") // API Gateway answers 401 to exactly this word
	}
	revoked, err := l.has(ctx, cert.SerialNumber)
	if err != nil {
		return events.APIGatewayCustomAuthorizerResponse{}, err
	}
	effect := "Allow"
	if revoked {
		effect = "Deny"
	}
	parts := strings.SplitN(ev.MethodArn, "/", 3)
	fmt.Printf("%s for %s, serial number %s\n", effect, cert.SubjectDN, cert.SerialNumber)
	return events.APIGatewayCustomAuthorizerResponse{
		PrincipalID: cert.SubjectDN,
		PolicyDocument: events.APIGatewayCustomAuthorizerPolicy{Version: "2012-10-17", Statement: []events.IAMPolicyStatement{
			{Action: []string{"execute-api:Invoke"}, Effect: effect, Resource: []string{strings.Join(parts[:min(2, len(parts))], "/") + "/*"}},
		}},
	}, nil
}

// has reports whether a serial number is in the list, which is read again when it is not
// fresh and has changed.
func (l *list) has(ctx context.Context, serial string) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.revoked == nil || time.Since(l.read) >= l.fresh {
		if err := l.refresh(ctx); err != nil {
			return false, err
		}
	}
	return l.revoked[normal(serial)], nil
}

func (l *list) refresh(ctx context.Context) error {
	out, err := l.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &l.bucket, Key: &l.key, IfNoneMatch: l.etag})
	if same, ok := errors.AsType[*awshttp.ResponseError](err); ok && same.HTTPStatusCode() == http.StatusNotModified {
		l.read = time.Now()
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading s3://%s/%s: %w", l.bucket, l.key, err)
	}
	defer out.Body.Close()
	revoked := make(map[string]bool)
	lines := bufio.NewScanner(out.Body)
	for lines.Scan() {
		if serial := normal(lines.Text()); serial != "" {
			revoked[serial] = true
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading s3://%s/%s: %w", l.bucket, l.key, err)
	}
	l.revoked, l.etag, l.read = revoked, aws.String(aws.ToString(out.ETag)), time.Now()
	return nil
}

// normal is a serial number without what people write differently.
func normal(serial string) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimSpace(serial), ":", ""))
}
