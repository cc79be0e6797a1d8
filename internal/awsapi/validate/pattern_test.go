package validate

import (
	"regexp/syntax"
	"testing"

	"gatehouse/internal/awsapi/gen/acm"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/awsapi/gen/iam"
	"gatehouse/internal/awsapi/gen/lambda"
	"gatehouse/internal/awsapi/gen/logs"
	"gatehouse/internal/awsapi/gen/resourcegroupstaggingapi"
	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/awsapi/gen/s3control"
	"gatehouse/internal/awsapi/gen/sts"
	"gatehouse/internal/awsapi/gen/wafv2"
	"gatehouse/internal/awsapi/schema"
)

func TestEveryPatternCompiles(t *testing.T) {
	n := 0
	for _, svc := range []*schema.Service{acm.Service(), apigateway.Service(), iam.Service(), lambda.Service(), logs.Service(),
		resourcegroupstaggingapi.Service(), s3.Service(), s3control.Service(), sts.Service(), wafv2.Service()} {
		for _, sh := range svc.Shapes {
			if sh.Pattern == "" {
				continue
			}
			n++
			if _, err := compile(sh.Pattern); err != nil {
				t.Errorf("%s %s: %v", svc.Name, sh.Name, err)
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d patterns found", n)
	}
}

// Patterns that Go cannot run as they are, against texts on both sides of their edges.
func TestRewrittenPatterns(t *testing.T) {
	domain := acm.Service().Shape("DomainNameString").Pattern
	alias := lambda.Service().Shape("Alias").Pattern
	accountAlias := iam.Service().Shape("accountAliasType").Pattern
	bucket := lambda.Service().Shape("S3Bucket").Pattern
	path := iam.Service().Shape("pathType").Pattern
	arn := sts.Service().Shape("arnType").Pattern
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{domain, "example.com", true}, {domain, "*.a-b.example.com", true}, {domain, "-a.example.com", false}, {domain, "a-.example.com", false},
		{domain, "a.-com", false}, {domain, "localhost", false}, {domain, "a.b", false}, {domain, "a.*.com", false},
		{alias, "live", true}, {alias, "1a", true}, {alias, "12", false}, {alias, "$LATEST", false}, {alias, "", false},
		{accountAlias, "a-b-c", true}, {accountAlias, "a--b", false}, {accountAlias, "ab", false}, {accountAlias, "-ab", false},
		{bucket, "a.b", true}, {bucket, "a.", false},
		{path, "/", true}, {path, "/a/", true}, {path, "/a", false}, {path, "a/", false},
		{arn, "arn:aws:iam::1:role/ü\U0001F600", true}, {arn, "a\x00", false},
	} {
		if got := Match(c.pattern, c.text); got != c.want {
			t.Errorf("%q matches %s: %v, want %v", c.text, c.pattern, got, c.want)
		}
	}
}

// Each rewritten pattern is one that Go refuses: a model that changed it is noticed.
func TestRewritingIsNeeded(t *testing.T) {
	for pattern := range rewritten {
		if _, err := syntax.Parse(pattern, syntax.Perl); err == nil {
			t.Errorf("%s needs no rewriting", pattern)
		}
	}
}
