package objects_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/control/objects"
)

// user makes an IAM user with a policy ("" is none) and returns its S3 client.
func (s *service) user(t *testing.T, name, policy string) *sdk.Client {
	t.Helper()
	c := iam.NewFromConfig(s.config("root", "secret"))
	if _, err := c.CreateUser(t.Context(), &iam.CreateUserInput{UserName: &name}); err != nil {
		t.Fatal(err)
	}
	if policy != "" {
		if _, err := c.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: &name, PolicyName: new("p"), PolicyDocument: &policy}); err != nil {
			t.Fatal(err)
		}
	}
	key, err := c.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return sdk.NewFromConfig(s.config(*key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey), func(o *sdk.Options) { o.UsePathStyle = true })
}

func setPolicy(t *testing.T, c *sdk.Client, statements string) error {
	t.Helper()
	return second(c.PutBucketPolicy(t.Context(), &sdk.PutBucketPolicyInput{Bucket: new("bucket"), Policy: new(`{"Version":"2012-10-17","Statement":[` + statements + `]}`)}))
}

func TestBucketPolicy(t *testing.T) {
	s, c := start(t, false)
	put(t, c, "public/a", "body")
	put(t, c, "secret", "body")
	reader := s.user(t, "reader", "")
	everything := s.user(t, "everything", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`)
	read := func(c *sdk.Client, key string) error {
		return second(c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: new("bucket"), Key: &key}))
	}
	fails(t, "without any policy", read(reader, "public/a"), "AccessDenied", 403)
	if err := read(everything, "secret"); err != nil {
		t.Error(err)
	}
	err := setPolicy(t, c, `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/reader"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/public/*"},
		{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/secret","Condition":{"StringNotEquals":{"aws:PrincipalType":"Account"}}}`)
	if err != nil {
		t.Fatal(err)
	}
	if err := read(reader, "public/a"); err != nil {
		t.Error(err)
	}
	fails(t, "outside the policy", read(reader, "other"), "AccessDenied", 403)
	fails(t, "denied by the policy", read(everything, "secret"), "AccessDenied", 403)
	got, err := c.GetBucketPolicy(t.Context(), &sdk.GetBucketPolicyInput{Bucket: new("bucket")})
	if err != nil || !strings.Contains(*got.Policy, "user/reader") {
		t.Errorf("policy %+v, %v", got, err)
	}
	status, err := c.GetBucketPolicyStatus(t.Context(), &sdk.GetBucketPolicyStatusInput{Bucket: new("bucket")})
	if err != nil || *status.PolicyStatus.IsPublic {
		t.Errorf("status %+v, %v", status, err)
	}
	if _, err := c.DeleteBucketPolicy(t.Context(), &sdk.DeleteBucketPolicyInput{Bucket: new("bucket")}); err != nil {
		t.Fatal(err)
	}
	fails(t, "after its deletion", read(reader, "public/a"), "AccessDenied", 403)
}

func TestPublicPolicies(t *testing.T) {
	s, c := start(t, false)
	put(t, c, "k", "body")
	anonymous := func() int {
		res, err := http.Get(s.url + "/bucket/k")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if body, err := io.ReadAll(res.Body); err != nil || res.StatusCode == 200 && string(body) != "body" {
			t.Errorf("anonymous read: %q, %v", body, err)
		}
		return res.StatusCode
	}
	const open = `{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*"}`
	fails(t, "blocked by default", setPolicy(t, c, open), "AccessDenied", 403)
	if _, err := c.DeletePublicAccessBlock(t.Context(), &sdk.DeletePublicAccessBlockInput{Bucket: new("bucket")}); err != nil {
		t.Fatal(err)
	}
	if status := anonymous(); status != 403 {
		t.Errorf("anonymous read without a policy: status %d", status)
	}
	if err := setPolicy(t, c, open); err != nil {
		t.Fatal(err)
	}
	if status := anonymous(); status != 200 {
		t.Errorf("anonymous read of a public object: status %d", status)
	}
	status, err := c.GetBucketPolicyStatus(t.Context(), &sdk.GetBucketPolicyStatusInput{Bucket: new("bucket")})
	if err != nil || !*status.PolicyStatus.IsPublic {
		t.Errorf("status %+v, %v", status, err)
	}
	// Restricting closes at once what is open.
	if _, err := c.PutPublicAccessBlock(t.Context(), &sdk.PutPublicAccessBlockInput{Bucket: new("bucket"), PublicAccessBlockConfiguration: restrict}); err != nil {
		t.Fatal(err)
	}
	if status := anonymous(); status != 403 {
		t.Errorf("anonymous read of a restricted bucket: status %d", status)
	}
}

var restrict = &types.PublicAccessBlockConfiguration{RestrictPublicBuckets: new(true)}

// Whoever signs by a mechanism that is not served is told so, and is not taken for nobody.
func TestSignatureVersion2(t *testing.T) {
	s, _ := start(t, false)
	res, err := http.Get(s.url + "/bucket/k?AWSAccessKeyId=root&Expires=4000000000&Signature=AAAAAAAAAAAAAAAAAAAAAAAAAAA%3D")
	if err != nil {
		t.Fatal(err)
	}
	if body := text(t, res); res.StatusCode != 400 || !strings.Contains(body, "Please use AWS4-HMAC-SHA256") {
		t.Errorf("status %d: %s", res.StatusCode, body)
	}
}

func TestPoliciesAreChecked(t *testing.T) {
	_, c := start(t, false)
	for name, statements := range map[string]string{
		"not JSON":       `{`,
		"no principal":   `{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*"}`,
		"other bucket":   `{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::other/*"}`,
		"similar bucket": `{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket2/*"}`,
		"other service":  `{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sqs:SendMessage","Resource":"arn:aws:s3:::bucket/*"}`,
	} {
		fails(t, name, setPolicy(t, c, statements), "MalformedPolicy", 400)
	}
	fails(t, "too long", second(c.PutBucketPolicy(t.Context(), &sdk.PutBucketPolicyInput{Bucket: new("bucket"), Policy: new(strings.Repeat(" ", 21<<10))})), "PolicyTooLarge", 400)
	fails(t, "none of them stayed", second(c.GetBucketPolicy(t.Context(), &sdk.GetBucketPolicyInput{Bucket: new("bucket")})), "NoSuchBucketPolicy", 404)
}

func TestRead(t *testing.T) {
	s, c := start(t, true)
	one := put(t, c, "dir/ca.pem", "one")
	put(t, c, "dir/ca.pem", "two")
	at, ok := objects.ParseURI("s3://bucket/dir/ca.pem")
	if !ok {
		t.Fatal("URI was not read")
	}
	for _, bad := range []string{"", "s3://", "s3://bucket", "s3://bucket/", "s3:///key", "http://bucket/key", "bucket/key"} {
		if l, ok := objects.ParseURI(bad); ok {
			t.Errorf("%q was read as %+v", bad, l)
		}
	}
	if f, err := s.objects.Read(t.Context(), at, 3, nil); err != nil || string(f.Body) != "two" || !f.Versioned || f.Region != "us-east-1" {
		t.Errorf("latest is %+v, %v", f, err)
	}
	at.Version = one
	if f, err := s.objects.Read(t.Context(), at, 3, nil); err != nil || string(f.Body) != "one" || f.Version != one {
		t.Errorf("version is %+v, %v", f, err)
	}
	for want, try := range map[string]func() error{
		"EntityTooLarge": func() error { return second(s.objects.Read(t.Context(), at, 2, nil)) },
		"NoSuchBucket": func() error {
			return second(s.objects.Read(t.Context(), objects.Location{Bucket: "x", Key: "y"}, 9, nil))
		},
		"NoSuchKey": func() error {
			return second(s.objects.Read(t.Context(), objects.Location{Bucket: "bucket", Key: "y"}, 9, nil))
		},
		"NoSuchVersion": func() error {
			return second(s.objects.Read(t.Context(), objects.Location{Bucket: "bucket", Key: "dir/ca.pem", Version: strings.Repeat("x", 32)}, 9, nil))
		},
	} {
		if got := awserr.Code(try()); got != want {
			t.Errorf("error %q, want %q", got, want)
		}
	}

	// A service principal reads what the bucket's policy gives it, for the resource named.
	at.Version = ""
	arn := "arn:aws:apigateway:us-east-1::/domainnames/x.test"
	asService := s.objects.AsService("apigateway.amazonaws.com", arn)
	if err := second(s.objects.Read(t.Context(), at, 9, asService)); awserr.Code(err) != "AccessDenied" {
		t.Errorf("service without a policy: %v", err)
	}
	if err := setPolicy(t, c, `{"Effect":"Allow","Principal":{"Service":"apigateway.amazonaws.com"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/dir/*",
		"Condition":{"StringEquals":{"aws:SourceArn":"`+arn+`"}}}`); err != nil {
		t.Fatal(err)
	}
	if f, err := s.objects.Read(t.Context(), at, 9, asService); err != nil || string(f.Body) != "two" {
		t.Errorf("service: %+v, %v", f, err)
	}
	if err := second(s.objects.Read(t.Context(), at, 9, s.objects.AsService("apigateway.amazonaws.com", arn+"2"))); awserr.Code(err) != "AccessDenied" {
		t.Errorf("service for another resource: %v", err)
	}
	if err := second(s.objects.Read(t.Context(), at, 9, s.objects.AsService("lambda.amazonaws.com", arn))); awserr.Code(err) != "AccessDenied" {
		t.Errorf("another service: %v", err)
	}

	// A caller reads in its own name.
	var asked []string
	asCaller := objects.AsCaller(authorizer(func(a awsapi.Access) error {
		asked = append(asked, a.Call.Service+" "+a.Action+" "+a.Resource)
		return nil
	}))
	ctx := awsapi.WithCall(t.Context(), &awsapi.Call{Account: account, Service: "apigateway"})
	at.Version = one
	if err := second(s.objects.Read(ctx, at, 9, asCaller)); err != nil || len(asked) != 1 || asked[0] != "s3 s3:GetObjectVersion arn:aws:s3:::bucket/dir/ca.pem" {
		t.Errorf("asked %q, %v", asked, err)
	}
}

type authorizer func(awsapi.Access) error

func (f authorizer) Authorize(_ context.Context, a awsapi.Access) error { return f(a) }
