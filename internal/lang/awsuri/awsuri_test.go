package awsuri_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/lang/awsuri"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		text string
		want awsuri.URI
		host string
	}{
		{"arn:aws:apigateway:us-east-1:dynamodb:action/PutItem",
			awsuri.URI{Partition: "aws", Region: "us-east-1", Service: "dynamodb", Action: "PutItem"}, "dynamodb.us-east-1.amazonaws.com"},
		{"arn:aws:apigateway:us-west-2:s3:action/GetObject&Bucket={bucket}&Key={key}",
			awsuri.URI{Partition: "aws", Region: "us-west-2", Service: "s3", Action: "GetObject", Query: "Bucket={bucket}&Key={key}"}, "s3.us-west-2.amazonaws.com"},
		{"arn:aws:apigateway:us-west-2:sns:action/Publish?TopicArn=arn:aws:sns:us-west-2:1:t",
			awsuri.URI{Partition: "aws", Region: "us-west-2", Service: "sns", Action: "Publish", Query: "TopicArn=arn:aws:sns:us-west-2:1:t"}, "sns.us-west-2.amazonaws.com"},
		{"arn:aws:apigateway:us-west-2:s3:path/{bucket}/{key}",
			awsuri.URI{Partition: "aws", Region: "us-west-2", Service: "s3", Path: "/{bucket}/{key}"}, "s3.us-west-2.amazonaws.com"},
		{"arn:aws:apigateway:us-west-2:s3:path/",
			awsuri.URI{Partition: "aws", Region: "us-west-2", Service: "s3", Path: "/"}, "s3.us-west-2.amazonaws.com"},
		{"arn:aws:apigateway:us-west-2:sqs:path/000000000000/q?Action=SendMessage&MessageBody={b}",
			awsuri.URI{Partition: "aws", Region: "us-west-2", Service: "sqs", Path: "/000000000000/q", Query: "Action=SendMessage&MessageBody={b}"}, "sqs.us-west-2.amazonaws.com"},
		{"arn:aws:apigateway:eu-west-1:runtime.sagemaker:path//endpoints/e/invocations",
			awsuri.URI{Partition: "aws", Region: "eu-west-1", Subdomain: "runtime", Service: "sagemaker", Path: "//endpoints/e/invocations"}, "runtime.sagemaker.eu-west-1.amazonaws.com"},
		{"arn:aws-cn:apigateway:cn-north-1:my.bucket.s3:path/k",
			awsuri.URI{Partition: "aws-cn", Region: "cn-north-1", Subdomain: "my.bucket", Service: "s3", Path: "/k"}, "my.bucket.s3.cn-north-1.amazonaws.com.cn"},
		{"arn:aws:apigateway:us-east-1:abc123.execute-api:path/prod/pets",
			awsuri.URI{Partition: "aws", Region: "us-east-1", Subdomain: "abc123", Service: "execute-api", Path: "/prod/pets"}, "abc123.execute-api.us-east-1.amazonaws.com"},
	} {
		got, err := awsuri.Parse(c.text)
		if err != nil {
			t.Errorf("Parse(%q): %v", c.text, err)
			continue
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("Parse(%q) (-want +got):\n%s", c.text, diff)
		}
		if got.Host() != c.host {
			t.Errorf("host of %q is %q, want %q", c.text, got.Host(), c.host)
		}
		again, err := awsuri.Parse(got.String())
		if err != nil || again != got {
			t.Errorf("%q reads back as %+v, %v", got.String(), again, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, names := range map[string]string{
		"":                                      "want arn:aws:apigateway",
		"https://a.b/c":                         "want arn:aws:apigateway",
		"arn:aws:lambda:us-east-1:1:function:f": "want arn:aws:apigateway",
		"arn:aws:apigateway:us-east-1:lambda":   "want arn:aws:apigateway",
		"arn:aws:apigateway:us-east-1:lambda:test/x":                                    "want action/ or path/",
		"arn:aws:apigateway:us-east-1:lambda:":                                          "want action/ or path/",
		"arn:aws:apigateway:us-east-1:sqs:action/":                                      "want the name of an action",
		"arn:aws:apigateway:us-east-1:sqs:action/{a}":                                   `action "{a}"`,
		"arn:aws:apigateway:{region}:sqs:action/A":                                      `region "{region}"`,
		"arn:aws:apigateway::sqs:action/A":                                              `region ""`,
		"arn:aws:apigateway:us-east-1:{s}:action/A":                                     `service "{s}"`,
		"arn:aws:apigateway:us-east-1:{host}.s3:path/k":                                 `subdomain "{host}"`,
		"arn:aws:apigateway:us-east-1:evil.com/.s3:path/k":                              `subdomain "evil.com/"`,
		"arn:aws:apigateway:us-east-1:s3@evil:path/k":                                   `service "s3@evil"`,
		"arn:aws:apigateway:us-east-1:s3.:path/k":                                       `service ""`,
		"arn:aws:apigateway:us-east-1:.s3:path/k":                                       `subdomain ""`,
		"arn:a/b:apigateway:us-east-1:s3:path/k":                                        `partition "a/b"`,
		"arn:aws:apigateway:us-east-1:s3:path/" + strings.Repeat("a", awsuri.MaxLength): "want at most",
	} {
		_, err := awsuri.Parse(text)
		if err == nil || !strings.Contains(err.Error(), names) {
			t.Errorf("Parse(%.80q) = %v, want an error that says %q", text, err, names)
		}
	}
}

const lambda = "arn:aws:apigateway:us-east-1:lambda:path/"

func TestFunction(t *testing.T) {
	const arn = "arn:aws:lambda:eu-west-1:000000000000:function:orders"
	plain := awsuri.Function{ARN: arn, Region: "eu-west-1", Account: "000000000000", Name: "orders"}
	alias, latest, streaming := plain, plain, plain
	alias.ARN, alias.Qualifier = arn+":live", "live"
	latest.ARN, latest.Qualifier = arn+":$LATEST", "$LATEST"
	streaming.Streaming = true
	for path, want := range map[string]awsuri.Function{
		"2015-03-31/functions/" + arn + "/invocations":                                      plain,
		"2015-03-31/functions/" + arn + ":live/invocations":                                 alias,
		"2015-03-31/functions/" + arn + ":$LATEST/invocations":                              latest,
		"2015-03-31/functions/" + strings.ReplaceAll(arn, ":", "%3A") + "/invocations":      plain,
		"2021-11-15/functions/" + arn + "/response-streaming-invocations":                   streaming,
		"2015-03-31/functions/" + arn + "/invocations?Qualifier=not-how-it-is-done-in-URIs": plain,
	} {
		u, err := awsuri.Parse(lambda + path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := u.Function()
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func TestFunctionRefuses(t *testing.T) {
	for text, none := range map[string]bool{
		lambda + "2015-03-31/functions":                                                                                        true,
		lambda + "random/value/arn:aws:lambda:us-east-1:1:function:f/invocations":                                              true,
		lambda + "2021-11-15/functions/arn:aws:lambda:us-east-1:1:function:f/invocations":                                      true,
		"arn:aws:apigateway:us-east-1:lambda:action/Invoke":                                                                    true,
		"arn:aws:apigateway:us-east-1:sqs:path/2015-03-31/functions/arn:aws:lambda:us-east-1:1:function:f/invocations":         true,
		"arn:aws:apigateway:us-east-1:evil.lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:1:function:f/invocations": true,
		lambda + "2015-03-31/functions//invocations":                                                                           false,
		lambda + "2015-03-31/functions/orders/invocations":                                                                     false,
		lambda + "2015-03-31/functions/arn:aws:lambda:us-east-1:1:function:{f}/invocations":                                    false,
		lambda + "2015-03-31/functions/arn:aws:lambda:us-east-1:1:function:/invocations":                                       false,
		lambda + "2015-03-31/functions/arn:aws:lambda:us-east-1:1:function:f:/invocations":                                     false,
		lambda + "2015-03-31/functions/arn:aws:lambda:us-east-1:1:layer:f/invocations":                                         false,
		lambda + "2015-03-31/functions/arn:aws:lambda:us-east-1:1:function:f/../g/invocations":                                 false,
	} {
		u, err := awsuri.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		f, err := u.Function()
		if err == nil || errors.Is(err, awsuri.ErrNoFunction) != none {
			t.Errorf("%s: %+v, %v; want ErrNoFunction: %v", text, f, err, none)
		}
	}
}

// FuzzParse: what is read, is read again from what is written, and the host it leads to is a
// host of AWS.
func FuzzParse(f *testing.F) {
	f.Add("arn:aws:apigateway:us-east-1:runtime.sagemaker:path/endpoints/{e}/invocations?a=b")
	f.Add("arn:aws:apigateway:us-west-2:s3:action/GetObject&Bucket={bucket}")
	f.Add(lambda + "2015-03-31/functions/arn:aws:lambda:us-east-1:1:function:f:live/invocations")
	f.Fuzz(func(t *testing.T, s string) {
		u, err := awsuri.Parse(s)
		if err != nil {
			return
		}
		if again, err := awsuri.Parse(u.String()); err != nil || again != u {
			t.Fatalf("%q reads as %+v, which reads back as %+v, %v", s, u, again, err)
		}
		if host := u.Host(); strings.ContainsAny(host, "/@?#:{}[] \t\r\n%") || !strings.Contains(host, ".amazonaws.com") {
			t.Fatalf("%q leads to %q", s, host)
		}
		if fn, err := u.Function(); err == nil && (fn.Name == "" || !strings.HasPrefix(fn.ARN, "arn:")) {
			t.Fatalf("%q names %+v", s, fn)
		}
	})
}
