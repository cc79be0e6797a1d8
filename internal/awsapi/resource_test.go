package awsapi_test

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/awsapi/gen/lambda"
	"gatehouse/internal/awsapi/gen/logs"
	"gatehouse/internal/awsapi/gen/wafv2"
)

// A policy names a resource in one way, and calls may name it in several: all of them are
// judged as the one, so that no spelling leads around a Deny.
func TestEverySpellingOfAResourceIsJudgedAlike(t *testing.T) {
	f := serve(t, apigateway.Bind(apigateway.Unimplemented{}), lambda.Bind(lambda.Unimplemented{}), logs.Bind(logs.Unimplemented{}), wafv2.Bind(wafv2.Unimplemented{}))
	const (
		fn    = "arn:aws:lambda:eu-central-1:123456789012:function:fn"
		group = "arn:aws:logs:eu-central-1:123456789012:log-group:g"
		acl   = "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/w/" + uuid
		stage = "arn:aws:apigateway:eu-central-1::/restapis/a/stages/s"
	)
	for _, c := range []struct{ name, service, method, target, operation, body, want string }{
		{"a function's code", "lambda", "PUT", "/2015-03-31/functions/fn/code", "", "{}", "lambda:UpdateFunctionCode " + fn},
		{"a layer's version", "lambda", "GET", "/2018-10-31/layers/l/versions/3", "", "", "lambda:GetLayerVersion arn:aws:lambda:eu-central-1:123456789012:layer:l:3"},
		{"the same by its ARN", "lambda", "GET", "/2018-10-31/layers?find=LayerVersion&Arn=arn:aws:lambda:eu-central-1:123456789012:layer:l:3", "", "",
			"lambda:GetLayerVersion arn:aws:lambda:eu-central-1:123456789012:layer:l:3"},
		{"a layer", "lambda", "GET", "/2018-10-31/layers/l/versions", "", "", "lambda:ListLayerVersions arn:aws:lambda:eu-central-1:123456789012:layer:l"},
		{"with a qualifier that means nothing", "lambda", "PUT", "/2015-03-31/functions/fn:x/code", "", "{}", "lambda:UpdateFunctionCode " + fn},
		{"by an ARN with one", "lambda", "PUT", "/2015-03-31/functions/" + fn + ":x/code", "", "{}", "lambda:UpdateFunctionCode " + fn},
		{"by an ARN of another partition", "lambda", "PUT", "/2015-03-31/functions/arn:aws-x:lambda:eu-central-1:123456789012:function:fn/code", "", "{}", "lambda:UpdateFunctionCode " + fn},
		{"by account and name", "lambda", "PUT", "/2015-03-31/functions/123456789012:function:fn/code", "", "{}", "lambda:UpdateFunctionCode " + fn},
		{"a function that is called function", "lambda", "POST", "/2015-03-31/functions/function:fn/invocations", "", "{}",
			"lambda:InvokeFunction arn:aws:lambda:eu-central-1:123456789012:function:function:fn"},
		{"a version, by the name", "lambda", "POST", "/2015-03-31/functions/fn:1/invocations", "", "{}", "lambda:InvokeFunction " + fn + ":1"},
		{"a version, apart", "lambda", "POST", "/2015-03-31/functions/" + fn + "/invocations?Qualifier=1", "", "{}", "lambda:InvokeFunction " + fn + ":1"},
		{"an alias", "lambda", "DELETE", "/2015-03-31/functions/fn:x/aliases/live", "", "", "lambda:DeleteAlias " + fn},
		{"tags of a function", "lambda", "GET", "/2017-03-31/tags/" + url.PathEscape("arn:aws-x:lambda:eu-central-1:123456789012:function:fn"), "", "", "lambda:ListTags " + fn},

		{"events, by name", "logs", "POST", "/", "Logs_20140328.FilterLogEvents", `{"logGroupName":"g"}`, "logs:FilterLogEvents " + group + ":*"},
		{"events, by identifier", "logs", "POST", "/", "Logs_20140328.FilterLogEvents", `{"logGroupIdentifier":"g"}`, "logs:FilterLogEvents " + group + ":*"},
		{"events, by ARN", "logs", "POST", "/", "Logs_20140328.FilterLogEvents", `{"logGroupIdentifier":"` + group + `"}`, "logs:FilterLogEvents " + group + ":*"},
		{"events, by ARN with a star", "logs", "POST", "/", "Logs_20140328.FilterLogEvents", `{"logGroupIdentifier":"` + group + `:*"}`, "logs:FilterLogEvents " + group + ":*"},
		{"events of a stream, by ARN", "logs", "POST", "/", "Logs_20140328.GetLogEvents", `{"logGroupIdentifier":"` + group + `","logStreamName":"s"}`,
			"logs:GetLogEvents " + group + ":log-stream:s"},
		{"tags of a group", "logs", "POST", "/", "Logs_20140328.ListTagsForResource", `{"resourceArn":"` + group + `"}`, "logs:ListTagsForResource " + group},
		{"tags of a group, with a star", "logs", "POST", "/", "Logs_20140328.ListTagsForResource", `{"resourceArn":"` + group + `:*"}`, "logs:ListTagsForResource " + group},

		{"a web ACL by name", "wafv2", "POST", "/", "AWSWAF_20190729.GetWebACL", `{"Name":"w","Scope":"REGIONAL","Id":"` + uuid + `"}`, "wafv2:GetWebACL " + acl},
		{"by ARN", "wafv2", "POST", "/", "AWSWAF_20190729.GetWebACL", `{"ARN":"` + acl + `"}`, "wafv2:GetWebACL " + acl},
		{"by ARN, which counts, and another's name", "wafv2", "POST", "/", "AWSWAF_20190729.GetWebACL",
			`{"Name":"mine","Scope":"REGIONAL","Id":"11111111-2222-3333-4444-555555555555","ARN":"` + acl + `"}`, "wafv2:GetWebACL " + acl},
		{"its logging", "wafv2", "POST", "/", "AWSWAF_20190729.PutLoggingConfiguration",
			`{"LoggingConfiguration":{"ResourceArn":"` + acl + `","LogDestinationConfigs":["arn:aws:logs:eu-central-1:123456789012:log-group:aws-waf-logs-x"]}}`, "wafv2:PutLoggingConfiguration " + acl},
		{"its samples", "wafv2", "POST", "/", "AWSWAF_20190729.GetSampledRequests",
			`{"WebAclArn":"` + acl + `","RuleMetricName":"m","Scope":"REGIONAL","TimeWindow":{"StartTime":1,"EndTime":2},"MaxItems":1}`, "wafv2:GetSampledRequests " + acl},
		{"its counters", "wafv2", "POST", "/", "AWSWAF_20190729.GetRateBasedStatementManagedKeys",
			`{"WebACLName":"w","WebACLId":"` + uuid + `","RuleName":"r","Scope":"REGIONAL"}`, "wafv2:GetRateBasedStatementManagedKeys " + acl},

		{"tags of a stage", "apigateway", "GET", "/tags/" + url.PathEscape(stage), "", "", "apigateway:GET arn:aws:apigateway:eu-central-1::/tags/" + url.QueryEscape(stage)},
		{"tags of a stage of another partition", "apigateway", "GET", "/tags/" + url.PathEscape("arn:aws-x:apigateway:eu-central-1::/restapis/a/stages/s"), "", "",
			"apigateway:GET arn:aws:apigateway:eu-central-1::/tags/" + url.QueryEscape(stage)},
	} {
		t.Run(c.name, func(t *testing.T) {
			headers := []string{"Authorization: " + signed(c.service)}
			if c.operation != "" {
				headers = append(headers, "X-Amz-Target: "+c.operation, "Content-Type: application/x-amz-json-1.1")
			}
			res := f.raw(t, c.method, c.target, c.body, headers...)
			if d := cmp.Diff([]string{c.want}, f.asked()); d != "" {
				t.Errorf("accesses (-want +got), answer %d %s:\n%s", res.StatusCode, text(t, res.Body), d)
			}
		})
	}
}
