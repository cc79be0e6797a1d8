package validate

import (
	"strings"
	"testing"

	"gatehouse/internal/awsapi/gen/acm"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/awsapi/gen/iam"
	"gatehouse/internal/awsapi/gen/lambda"
	"gatehouse/internal/awsapi/gen/logs"
	"gatehouse/internal/awsapi/gen/resourcegroupstaggingapi"
	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/awsapi/gen/wafv2"
	"gatehouse/internal/awsapi/schema"
)

func TestInput(t *testing.T) {
	visible := &wafv2.VisibilityConfig{CloudWatchMetricsEnabled: new(true), MetricName: new("m"), SampledRequestsEnabled: new(true)}
	for _, c := range []struct {
		name    string
		op      *schema.Operation
		in      any
		code    string // "" when the input is good
		message string
	}{
		{"good", apigateway.Service().Operation("CreateRestApi"), &apigateway.CreateRestApiInput{Name: new("")}, "", ""},
		{"missing", apigateway.Service().Operation("CreateRestApi"), &apigateway.CreateRestApiInput{}, "ValidationException",
			"1 validation error detected: Value null at 'createRestApiInput.name' failed to satisfy constraint: Member must not be null"},
		{"missing in query", apigateway.Service().Operation("UntagResource"), &apigateway.UntagResourceInput{ResourceArn: new("a")}, "ValidationException",
			"1 validation error detected: Value null at 'tagKeys' failed to satisfy constraint: Member must not be null"},
		{"length and pattern", logs.Service().Operation("CreateLogGroup"), &logs.CreateLogGroupInput{LogGroupName: new("")}, "InvalidParameterException",
			`2 validation errors detected: Value '' at 'logGroupName' failed to satisfy constraint: Member must have length greater than or equal to 1; ` +
				`Value '' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+`},
		{"length in UTF-16", iam.Service().Operation("CreateUser"), &iam.CreateUserInput{UserName: new(strings.Repeat("a", 65))}, "ValidationError",
			"1 validation error detected: Value '" + strings.Repeat("a", 65) + "' at 'userName' failed to satisfy constraint: Member must have length less than or equal to 64"},
		{"value of a number", lambda.Service().Operation("CreateFunction"), &lambda.CreateFunctionInput{FunctionName: new("f"), Role: new("arn:aws:iam::123456789012:role/r"),
			Code: &lambda.FunctionCode{}, MemorySize: new(int32(1))}, "ValidationException",
			"1 validation error detected: Value '1' at 'memorySize' failed to satisfy constraint: Member must have value greater than or equal to 128"},
		{"keys of a map", lambda.Service().Operation("CreateFunction"), &lambda.CreateFunctionInput{FunctionName: new("f"), Role: new("arn:aws:iam::123456789012:role/r"),
			Code: &lambda.FunctionCode{}, Environment: &lambda.Environment{Variables: map[string]string{"1A": "secret", "OK": "x"}}}, "ValidationException",
			"1 validation error detected: Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]"},
		{"length of a list", acm.Service().Operation("AddTagsToCertificate"), &acm.AddTagsToCertificateInput{CertificateArn: new("arn:aws:acm:us-east-1:123456789012:certificate/x"), Tags: []acm.Tag{}}, "ValidationException",
			"1 validation error detected: Value '[]' at 'tags' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"member of an element", acm.Service().Operation("AddTagsToCertificate"), &acm.AddTagsToCertificateInput{CertificateArn: new("arn:aws:acm:us-east-1:123456789012:certificate/x"),
			Tags: []acm.Tag{{Key: new("ok")}, {}}}, "ValidationException",
			"1 validation error detected: Value null at 'tags.2.member.key' failed to satisfy constraint: Member must not be null"},
		{"deep inside", wafv2.Service().Operation("CreateWebACL"), &wafv2.CreateWebACLInput{Name: new("w"), Scope: new(wafv2.ScopeRegional), VisibilityConfig: visible,
			DefaultAction: &wafv2.DefaultAction{Allow: &wafv2.AllowAction{}}, Rules: []wafv2.Rule{{Name: new("r"), Priority: new(int32(0)), VisibilityConfig: visible,
				Statement: &wafv2.Statement{NotStatement: &wafv2.NotStatement{Statement: &wafv2.Statement{GeoMatchStatement: &wafv2.GeoMatchStatement{CountryCodes: []wafv2.CountryCode{"ZZ"}}}}}}}}, "ValidationException",
			"1 validation error detected: Value '[ZZ]' at 'rules.1.member.statement.notStatement.statement.geoMatchStatement.countryCodes' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: ["},
		{"values of a map", resourcegroupstaggingapi.Service().Operation("TagResources"), &resourcegroupstaggingapi.TagResourcesInput{ResourceARNList: []string{"arn:aws:s3:::b"}, Tags: map[string]string{"b": "x", "a": strings.Repeat("é", 257)}}, "InvalidParameterException",
			"1 validation error detected: Value '{a=" + strings.Repeat("é", 257) + ", b=x}' at 'tags' failed to satisfy constraint: Map value must satisfy constraint: ["},
		{"too many structures", acm.Service().Operation("AddTagsToCertificate"), &acm.AddTagsToCertificateInput{CertificateArn: new("arn:aws:acm:us-east-1:123456789012:certificate/x"), Tags: make([]acm.Tag, 51)}, "ValidationException",
			"52 validation errors detected: Value '[Tag(), Tag(), "},
		{"length of a blob", acm.Service().Operation("ImportCertificate"), &acm.ImportCertificateInput{Certificate: []byte{}, PrivateKey: []byte("k")}, "ValidationException",
			"1 validation error detected: Value 'java.nio.HeapByteBuffer[pos=0 lim=0 cap=0]' at 'certificate' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"one of a union", acm.Service().Operation("SearchCertificates"), &acm.SearchCertificatesInput{FilterStatement: &acm.CertificateFilterStatement{}}, "ValidationException",
			"1 validation error detected: Value at 'filterStatement' failed to satisfy constraint: exactly one member must be set, found 0"},
		{"S3's header", s3.Service().Operation("PutObject"), &s3.PutObjectInput{Bucket: new("b"), Key: new("k"), StorageClass: new(s3.StorageClass("COLD"))}, "InvalidArgument",
			"1 validation error detected: Value 'COLD' at 'storageClass'"},
		{"S3's body", s3.Service().Operation("PutBucketTagging"), &s3.PutBucketTaggingInput{Bucket: new("b"), Tagging: &s3.Tagging{}}, "MalformedXML",
			"The XML you provided was not well-formed or did not validate against our published schema"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Input(c.op, c.in)
			if c.code == "" {
				if err != nil {
					t.Errorf("error %v", err)
				}
				return
			}
			if err == nil || err.Code != c.code || err.Status != 400 || !strings.HasPrefix(err.Message, c.message) {
				t.Errorf("got  %v\nwant %s: %s", err, c.code, c.message)
			}
		})
	}
}

// Every constraint that is broken is told, in the model's order, in one error.
func TestAllViolationsAreGathered(t *testing.T) {
	err := Input(apigateway.Service().Operation("CreateStage"), &apigateway.CreateStageInput{CacheClusterSize: new(apigateway.CacheClusterSize("3"))})
	want := "4 validation errors detected: Value null at 'createStageInput.stageName' failed to satisfy constraint: Member must not be null; " +
		"Value null at 'createStageInput.deploymentId' failed to satisfy constraint: Member must not be null; " +
		"Value '3' at 'createStageInput.cacheClusterSize' failed to satisfy constraint: Member must satisfy enum value set: [0.5, 1.6, 6.1, 13.5, 28.4, 58.2, 118, 237]; " +
		"Value null at 'restApiId' failed to satisfy constraint: Member must not be null"
	if err == nil || err.Message != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestLengthIsCountedAsTheServicesDo(t *testing.T) {
	for s, want := range map[string]int64{"": 0, "abc": 3, "ü": 1, "\U0001F600": 2, "\xff": 1} {
		if got := utf16Length(s); got != want {
			t.Errorf("%q has length %d, want %d", s, got, want)
		}
	}
}

func BenchmarkInput(b *testing.B) {
	op := apigateway.Service().Operation("UpdateStage")
	in := &apigateway.UpdateStageInput{RestApiId: new("a"), StageName: new("s")}
	for range 10 {
		in.PatchOperations = append(in.PatchOperations, apigateway.PatchOperation{Op: new(apigateway.OpReplace), Path: new("/x"), Value: new("y")})
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := Input(op, in); err != nil {
			b.Fatal(err)
		}
	}
}
