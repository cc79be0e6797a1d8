package awscall

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/lang/awsuri"
)

func parse(t testing.TB, s string) awsuri.URI {
	t.Helper()
	u, err := awsuri.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestDescribe(t *testing.T) {
	for _, c := range []struct {
		uri  string
		want Call
	}{
		{"arn:aws:apigateway:us-east-1:dynamodb:action/PutItem", Call{Service: "dynamodb", Signing: "dynamodb", Region: "us-east-1", Path: "/", Target: "DynamoDB_20120810.PutItem", ContentType: "application/x-amz-json-1.0", Action: "PutItem"}},
		{"arn:aws:apigateway:us-east-1:events:action/PutEvents", Call{Service: "events", Signing: "events", Region: "us-east-1", Path: "/", ContentType: "application/x-amz-json-1.1", Action: "PutEvents"}},
		{"arn:aws:apigateway:us-east-1:sqs:action/SendMessage&QueueUrl={q}", Call{Service: "sqs", Signing: "sqs", Region: "us-east-1", Path: "/", Query: "Action=SendMessage&Version=2012-11-05&QueueUrl={q}", Action: "SendMessage"}},
		{"arn:aws:apigateway:eu-west-1:iam:action/ListUsers", Call{Service: "iam", Signing: "iam", Region: "us-east-1", Path: "/", Query: "Action=ListUsers&Version=2010-05-08", Action: "ListUsers"}},
		{"arn:aws:apigateway:eu-west-1:email:action/SendEmail", Call{Service: "email", Signing: "ses", Region: "eu-west-1", Path: "/", Query: "Action=SendEmail&Version=2010-12-01", Action: "SendEmail"}},
		{"arn:aws:apigateway:us-east-1:s3:path/b/{k}?acl", Call{Service: "s3", Signing: "s3", Region: "us-east-1", EncodeOnce: true, Path: "/b/{k}", Query: "acl"}},
		{"arn:aws:apigateway:us-east-1:data.iot:path/topics/t", Call{Service: "iot", Signing: "iotdata", Region: "us-east-1", Path: "/topics/t"}},
		{"arn:aws:apigateway:us-east-1:unheard:action/Do", Call{Service: "unheard", Signing: "unheard", Region: "us-east-1", Path: "/", Query: "Action=Do", Action: "Do"}},
	} {
		if diff := cmp.Diff(c.want, Describe(parse(t, c.uri))); diff != "" {
			t.Errorf("%s: %s", c.uri, diff)
		}
	}
}

func TestResolve(t *testing.T) {
	own := func(name string) bool { return name == "s3" || name == "sts" }
	endpoints := Endpoints{"*": "http://127.0.0.1:5000", "kinesis": "https://{service}.{region}.example.test/x/", "runtime.sagemaker": "http://models:8080", "sts": "http://sts.test", "logs": Own}
	for _, c := range []struct {
		uri       string
		endpoints Endpoints
		want      Endpoint
	}{
		{"arn:aws:apigateway:us-east-1:sqs:path/q", nil, Endpoint{AWS: true, Scheme: "https", Host: "sqs.us-east-1.amazonaws.com"}},
		{"arn:aws:apigateway:eu-west-1:iam:action/A", nil, Endpoint{AWS: true, Scheme: "https", Host: "iam.amazonaws.com"}},
		{"arn:aws:apigateway:us-east-1:s3:path/b", nil, Endpoint{Own: true, Scheme: "https", Host: "s3.us-east-1.amazonaws.com"}},
		{"arn:aws:apigateway:us-east-1:s3:path/b", endpoints, Endpoint{Own: true, Scheme: "https", Host: "s3.us-east-1.amazonaws.com"}},
		{"arn:aws:apigateway:us-east-1:sts:action/A", endpoints, Endpoint{Scheme: "http", Host: "sts.test"}},
		{"arn:aws:apigateway:us-east-1:logs:action/A", endpoints, Endpoint{Own: true, Scheme: "https", Host: "logs.us-east-1.amazonaws.com"}},
		{"arn:aws:apigateway:us-east-1:sqs:path/q", endpoints, Endpoint{Scheme: "http", Host: "127.0.0.1:5000"}},
		{"arn:aws:apigateway:us-west-2:kinesis:action/A", endpoints, Endpoint{Scheme: "https", Host: "kinesis.us-west-2.example.test", Prefix: "/x"}},
		{"arn:aws:apigateway:us-west-2:runtime.sagemaker:path/e", endpoints, Endpoint{Scheme: "http", Host: "models:8080"}},
	} {
		got, err := c.endpoints.Resolve(parse(t, c.uri), own)
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", c.uri, err, diff)
		}
	}
	for text, ok := range map[string]bool{"http://h": true, "https://{service}.{region}.h:1/p": true, Own: true, "": false, "h:1": false, "http://": false, "ftp://h": false, "http://h?x": false, "http://u@h": false, "http://{other}": false} {
		if want := Check(text); (want == "") != ok {
			t.Errorf("endpoint %q: wants %q", text, want)
		}
	}
}
