package awsapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/smithy-go"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/acm"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/awsapi/gen/iam"
	"gatehouse/internal/awsapi/gen/lambda"
	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/awsapi/gen/s3control"
	"gatehouse/internal/awsapi/gen/sts"
)

func everything(t *testing.T) *fixture {
	return serve(t, apigateway.Bind(&gatewayBackend{}), lambda.Bind(&lambdaBackend{}), acm.Bind(&acmBackend{}), iam.Bind(&iamBackend{}),
		sts.Bind(stsBackend{}), s3.Bind(&storeBackend{}), s3control.Bind(&controlBackend{}))
}

// A request without credentials is still taken for the service that it means, so that
// it is refused in that service's protocol.
func TestUnsignedRequestsFindTheirService(t *testing.T) {
	f := everything(t)
	form := "Content-Type: application/x-www-form-urlencoded"
	for _, c := range []struct {
		name, method, target, body string
		headers                    []string
		mediaType, contains        string
	}{
		{"path of API Gateway", "GET", "/restapis", "", nil, "application/json", `{"message":"Missing Authentication Token"}`},
		{"path of Lambda", "GET", "/2015-03-31/functions/f", "", nil, "application/json", `{"message":"Missing Authentication Token"}`},
		{"target", "POST", "/", "{}", []string{"X-Amz-Target: CertificateManager.ListCertificates"}, "application/x-amz-json-1.1", `{"__type":"MissingAuthenticationTokenException"`},
		{"form of STS", "POST", "/", "Action=GetCallerIdentity&Version=2011-06-15", []string{form}, "text/xml", `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">`},
		{"form of IAM", "POST", "/", "Action=GetUser&Version=2010-05-08", []string{form + "; charset=utf-8"}, "text/xml", `<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">`},
		{"form in the URL", "GET", "/?Action=GetCallerIdentity&Version=2011-06-15", "", nil, "text/xml", `<ErrorResponse xmlns="https://sts`},
		{"host", "GET", "/nothing", "", []string{"Host: apigateway.eu-central-1.amazonaws.com"}, "application/json", `{"message":"Missing Authentication Token"}`},
		{"what remains is S3's", "GET", "/b?location", "", nil, "application/xml", `<LocationConstraint`},
	} {
		res := f.raw(t, c.method, c.target, c.body, c.headers...)
		if got := text(t, res.Body); res.Header.Get("Content-Type") != c.mediaType || !strings.Contains(got, c.contains) {
			t.Errorf("%s: %s %s, want %s %s", c.name, res.Header.Get("Content-Type"), got, c.mediaType, c.contains)
		}
	}
}

// A service that Gatehouse does not have is refused in the form that its clients read.
func TestUnknownServices(t *testing.T) {
	f := everything(t)
	form := "Content-Type: application/x-www-form-urlencoded"
	for _, c := range []struct {
		service, method, target, body string
		headers                       []string
		contains                      string
	}{
		{"cognito-idp", "POST", "/", "{}", []string{"X-Amz-Target: AWSCognitoIdentityProviderService.ListUserPools"}, `{"__type":"NotImplementedException","message":"Gatehouse does not implement the service cognito-idp."}`},
		{"ec2", "POST", "/", "Action=DescribeVpcs&Version=2016-11-15", []string{form}, `<Response><Errors><Error><Code>NotImplementedException</Code><Message>Gatehouse does not implement the service ec2.</Message></Error></Errors><RequestID>`},
		{"elasticloadbalancing", "POST", "/", "Action=DescribeLoadBalancers&Version=2015-12-01", []string{form}, `<ErrorResponse><Error><Type>Receiver</Type><Code>NotImplementedException</Code>`},
		{"route53", "GET", "/2013-04-01/hostedzone", "", nil, `<ErrorResponse><Error><Code>NotImplementedException</Code>`},
		{"execute-api", "GET", "/x", "", nil, `{"message":"Gatehouse does not implement the service execute-api."}`},
	} {
		res := f.raw(t, c.method, c.target, c.body, append(c.headers, "Authorization: "+signed(c.service))...)
		if got := text(t, res.Body); res.StatusCode != 501 || !strings.Contains(got, c.contains) {
			t.Errorf("%s: %d %s, want 501 %s", c.service, res.StatusCode, got, c.contains)
		}
	}
}

// The order is: signature, then what the operation is, then the right to it, then the
// model's constraints. None of them lets a call through to the backend.
func TestOrderOfRefusals(t *testing.T) {
	f, b, _ := gateway(t)
	auth := "Authorization: " + signed("apigateway")
	refused := awserr.New("AccessDeniedException", 403, "no")
	for _, c := range []struct {
		name, target, body string
		headers            []string
		refuse             error
		status             int
		code               string
	}{
		{"not signed, not a route", "/nothing", "", []string{"Host: apigateway.x"}, refused, 403, "MissingAuthenticationTokenException"},
		{"signed, not a route", "/nothing", "", []string{auth}, refused, 404, "UnknownOperationException"},
		{"not allowed, not valid", "/restapis", "{}", []string{auth}, refused, 403, "AccessDeniedException"},
		{"allowed, not valid", "/restapis", "{}", []string{auth}, nil, 400, "ValidationException"},
		{"bad query", "/restapis?a=%zz", "{}", []string{auth}, nil, 400, "SerializationException"},
		{"no JSON", "/restapis", "{", []string{auth}, nil, 400, "SerializationException"},
		{"two JSON values", "/restapis", "{}{}", []string{auth}, nil, 400, "SerializationException"},
		{"a list", "/restapis", "[]", []string{auth}, nil, 400, "SerializationException"},
		{"large and not signed", "/restapis", strings.Repeat(" ", 1<<20+1), nil, nil, 413, "RequestEntityTooLargeException"},
		{"too large", "/restapis", strings.Repeat(" ", 10<<20+1), []string{auth}, nil, 413, "RequestEntityTooLargeException"},
	} {
		f.refuse, b.in = c.refuse, nil
		res := f.raw(t, "POST", c.target, c.body, c.headers...)
		if got := res.Header.Get("X-Amzn-Errortype"); res.StatusCode != c.status || got != c.code || b.in != nil {
			t.Errorf("%s: %d %s, want %d %s: %s", c.name, res.StatusCode, got, c.status, c.code, text(t, res.Body))
		}
	}
}

type panickingBackend struct{ apigateway.Unimplemented }

func (panickingBackend) GetAccount(context.Context, *apigateway.GetAccountInput) (*apigateway.Account, error) {
	panic("the floor is lava")
}

func TestPanicIsAnInternalFailure(t *testing.T) {
	f := serve(t, apigateway.Bind(panickingBackend{}))
	_, err := sdk.NewFromConfig(f.config()).GetAccount(t.Context(), &sdk.GetAccountInput{})
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != "InternalFailure" || strings.Contains(err.Error(), "lava") {
		t.Errorf("error %v", err)
	}
	if log := f.log.String(); strings.Count(log, "lava") != 1 || !strings.Contains(log, "operation=GetAccount") || !strings.Contains(log, "request_id=") {
		t.Errorf("log: %s", log)
	}
}

func TestUnimplementedSaysWho(t *testing.T) {
	f, _, _ := gateway(t)
	for path, name := range map[string]string{"/vpclinks": "GetVpcLinks", "/v2/apis/a/routes": "GetRoutes"} { // the latter of another API under the same name
		res := f.raw(t, "GET", path, "", "Authorization: "+signed("apigateway"))
		var got struct{ Message string }
		if err := json.Unmarshal([]byte(text(t, res.Body)), &got); err != nil {
			t.Fatal(err)
		}
		if want := "Gatehouse does not implement the operation " + name + " of apigateway."; res.StatusCode != 501 || got.Message != want {
			t.Errorf("%d %q, want 501 %q", res.StatusCode, got.Message, want)
		}
	}
}
