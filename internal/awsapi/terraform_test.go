package awsapi_test

import (
	_ "embed"
	"strings"
	"testing"

	"gatehouse/internal/awsapi/gen/acm"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/awsapi/gen/lambda"
	"gatehouse/internal/awsapi/gen/logs"
	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/awsapi/gen/wafv2"
)

//go:embed testdata/terraform-calls.txt
var terraformCalls string

var targets = map[string]string{"acm": "CertificateManager.", "logs": "Logs_20140328.", "wafv2": "AWSWAF_20190729."}

// Every call that Terraform was seen to make finds its operation, decodes, and satisfies
// the model: what refuses it here is that no operation is filled.
func TestTerraformCallsReachTheirOperations(t *testing.T) {
	f := serve(t, apigateway.Bind(apigateway.Unimplemented{}), acm.Bind(acm.Unimplemented{}), lambda.Bind(lambda.Unimplemented{}),
		logs.Bind(logs.Unimplemented{}), s3.Bind(s3.Unimplemented{}), wafv2.Bind(wafv2.Unimplemented{}))
	calls := 0
	for line := range strings.Lines(terraformCalls) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		calls++
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		service, call, body := fields[0], fields[1], ""
		if len(fields) > 2 {
			body = fields[2]
		}
		method, target, rest := strings.Cut(call, " ")
		headers := []string{"Authorization: " + signed(service)}
		if !rest {
			method, target = "POST", "/"
			headers = append(headers, "X-Amz-Target: "+targets[service]+call)
		}
		f.asked()
		res := f.raw(t, method, target, body, headers...)
		got := text(t, res.Body)
		if res.StatusCode != 501 || len(f.asked()) == 0 || method != "HEAD" && !strings.Contains(got, "Gatehouse does not implement the operation") {
			t.Errorf("%s %s %s: %d %s", service, call, body, res.StatusCode, got)
		}
	}
	if calls < 100 {
		t.Errorf("only %d calls", calls)
	}
}
