package awsapi_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	sdkacm "github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	sdklogs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	sdkwaf "github.com/aws/aws-sdk-go-v2/service/wafv2"
	waftypes "github.com/aws/aws-sdk-go-v2/service/wafv2/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/awsapi/gen/acm"
	"gatehouse/internal/awsapi/gen/logs"
	"gatehouse/internal/awsapi/gen/wafv2"
)

// uuid is an id and lock token that the model accepts.
const uuid = "01234567-89ab-cdef-0123-456789abcdef"

type wafBackend struct {
	wafv2.Unimplemented
	in  any
	acl *wafv2.WebACL
	err error
}

func (b *wafBackend) CreateWebACL(_ context.Context, in *wafv2.CreateWebACLInput) (*wafv2.CreateWebACLOutput, error) {
	b.in = in
	return &wafv2.CreateWebACLOutput{Summary: &wafv2.WebACLSummary{Id: new("id"), LockToken: new("token")}}, b.err
}

func (b *wafBackend) GetWebACL(_ context.Context, in *wafv2.GetWebACLInput) (*wafv2.GetWebACLOutput, error) {
	return &wafv2.GetWebACLOutput{WebACL: b.acl}, b.err
}

func (b *wafBackend) DeleteIPSet(context.Context, *wafv2.DeleteIPSetInput) (*wafv2.DeleteIPSetOutput, error) {
	return nil, b.err
}

// Statements nest; empty structures, blobs and enums come through.
func TestJSON11RecursiveBody(t *testing.T) {
	b := &wafBackend{}
	f := serve(t, wafv2.Bind(b))
	client := sdkwaf.NewFromConfig(f.config())
	visible := &waftypes.VisibilityConfig{CloudWatchMetricsEnabled: true, MetricName: new("m"), SampledRequestsEnabled: false}
	match := waftypes.Statement{ByteMatchStatement: &waftypes.ByteMatchStatement{
		SearchString: []byte{0xff, 0, 'a'}, FieldToMatch: &waftypes.FieldToMatch{Method: &waftypes.Method{}},
		PositionalConstraint: waftypes.PositionalConstraintExactly,
		TextTransformations:  []waftypes.TextTransformation{{Priority: 0, Type: waftypes.TextTransformationTypeNone}}}}
	_, err := client.CreateWebACL(t.Context(), &sdkwaf.CreateWebACLInput{
		Name: new("w"), Scope: waftypes.ScopeRegional, VisibilityConfig: visible,
		DefaultAction: &waftypes.DefaultAction{Allow: &waftypes.AllowAction{}},
		Rules: []waftypes.Rule{{Name: new("r"), Priority: 1, Action: &waftypes.RuleAction{Block: &waftypes.BlockAction{}}, VisibilityConfig: visible,
			Statement: &waftypes.Statement{NotStatement: &waftypes.NotStatement{Statement: &waftypes.Statement{
				OrStatement: &waftypes.OrStatement{Statements: []waftypes.Statement{match, {GeoMatchStatement: &waftypes.GeoMatchStatement{CountryCodes: []waftypes.CountryCode{waftypes.CountryCodeAt}}}}}}}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	visibility := &wafv2.VisibilityConfig{CloudWatchMetricsEnabled: new(true), MetricName: new("m"), SampledRequestsEnabled: new(false)}
	want := &wafv2.CreateWebACLInput{
		Name: new("w"), Scope: new(wafv2.ScopeRegional), VisibilityConfig: visibility,
		DefaultAction: &wafv2.DefaultAction{Allow: &wafv2.AllowAction{}},
		Rules: []wafv2.Rule{{Name: new("r"), Priority: new(int32(1)), Action: &wafv2.RuleAction{Block: &wafv2.BlockAction{}}, VisibilityConfig: visibility,
			Statement: &wafv2.Statement{NotStatement: &wafv2.NotStatement{Statement: &wafv2.Statement{
				OrStatement: &wafv2.OrStatement{Statements: []wafv2.Statement{
					{ByteMatchStatement: &wafv2.ByteMatchStatement{
						SearchString: []byte{0xff, 0, 'a'}, FieldToMatch: &wafv2.FieldToMatch{Method: &wafv2.Method{}},
						PositionalConstraint: new(wafv2.PositionalConstraintExactly),
						TextTransformations:  []wafv2.TextTransformation{{Priority: new(int32(0)), Type: new(wafv2.TextTransformationTypeNone)}}}},
					{GeoMatchStatement: &wafv2.GeoMatchStatement{CountryCodes: []wafv2.CountryCode{"AT"}}},
				}}}}}}},
	}
	if d := cmp.Diff(want, b.in); d != "" {
		t.Errorf("input (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"wafv2:CreateWebACL arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/w/*"}, f.asked()); d != "" {
		t.Errorf("accesses (-want +got):\n%s", d)
	}

	b.acl = &wafv2.WebACL{Name: new("w"), Id: new("id"), ARN: new("arn"), Capacity: new(int64(5)), Rules: want.Rules,
		DefaultAction: want.DefaultAction, VisibilityConfig: visibility}
	out, err := client.GetWebACL(t.Context(), &sdkwaf.GetWebACLInput{Name: new("w"), Id: new(uuid), Scope: waftypes.ScopeRegional})
	if err != nil {
		t.Fatal(err)
	}
	inner := out.WebACL.Rules[0].Statement.NotStatement.Statement.OrStatement.Statements
	if len(inner) != 2 || string(inner[0].ByteMatchStatement.SearchString) != "\xff\x00a" || inner[0].ByteMatchStatement.FieldToMatch.Method == nil || out.WebACL.Capacity != 5 {
		t.Errorf("output: %+v", out.WebACL)
	}
}

func TestJSON11Errors(t *testing.T) {
	b := &wafBackend{}
	f := serve(t, wafv2.Bind(b))
	client := sdkwaf.NewFromConfig(f.config())
	b.err = wafv2.WAFInvalidParameterException("Error reason: X, field: RULE, parameter: y").With("Field", wafv2.ParameterExceptionFieldRule).With("Parameter", "y").With("Reason", "X")
	_, err := client.DeleteIPSet(t.Context(), &sdkwaf.DeleteIPSetInput{Id: new(uuid), LockToken: new(uuid), Name: new("n"), Scope: waftypes.ScopeRegional})
	e, ok := errors.AsType[*waftypes.WAFInvalidParameterException](err)
	if !ok || e.ErrorMessage() != "Error reason: X, field: RULE, parameter: y" || e.Field != waftypes.ParameterExceptionFieldRule || *e.Parameter != "y" || *e.Reason != "X" {
		t.Errorf("error %v (%+v)", err, e)
	}
	b.err = wafv2.WAFNonexistentItemException("gone")
	_, err = client.DeleteIPSet(t.Context(), &sdkwaf.DeleteIPSetInput{Id: new(uuid), LockToken: new(uuid), Name: new("n"), Scope: waftypes.ScopeRegional})
	if e, ok := errors.AsType[*waftypes.WAFNonexistentItemException](err); !ok || e.ErrorMessage() != "gone" {
		t.Errorf("error %v", err)
	}
	res := f.raw(t, "POST", "/", `{"Id":"`+uuid+`","LockToken":"`+uuid+`","Name":"n","Scope":"NOWHERE"}`, "Authorization: "+signed("wafv2"), "X-Amz-Target: AWSWAF_20190729.DeleteIPSet")
	if got, want := text(t, res.Body), `{"__type":"ValidationException","message":"1 validation error detected: Value 'NOWHERE' at 'scope' failed to satisfy constraint: Member must satisfy enum value set: [CLOUDFRONT, REGIONAL]"}`; got != want || res.StatusCode != 400 {
		t.Errorf("%d %s\nwant 400 %s", res.StatusCode, got, want)
	}
	// An operation of the model that nobody fills, and one that the model lacks.
	for target, code := range map[string]string{"AWSWAF_20190729.CheckCapacity": "NotImplementedException", "AWSWAF_20190729.Nothing": "UnknownOperationException", "Other.DeleteIPSet": "UnknownOperationException"} {
		res := f.raw(t, "POST", "/", `{"Rules":[],"Scope":"REGIONAL"}`, "Authorization: "+signed("wafv2"), "X-Amz-Target: "+target)
		if got := text(t, res.Body); !strings.HasPrefix(got, `{"__type":"`+code+`"`) {
			t.Errorf("%s: %s, want %s", target, got, code)
		}
	}
}

type acmBackend struct {
	acm.Unimplemented
	in any
}

func (b *acmBackend) ImportCertificate(_ context.Context, in *acm.ImportCertificateInput) (*acm.ImportCertificateOutput, error) {
	b.in = in
	return &acm.ImportCertificateOutput{CertificateArn: new("arn:aws:acm:eu-central-1:123456789012:certificate/x")}, nil
}

func (b *acmBackend) DescribeCertificate(_ context.Context, in *acm.DescribeCertificateInput) (*acm.DescribeCertificateOutput, error) {
	at := time.Unix(1700000000, 123e6).UTC()
	return &acm.DescribeCertificateOutput{Certificate: &acm.CertificateDetail{CertificateArn: in.CertificateArn, InUseBy: []string{}, NotAfter: &at,
		KeyUsages: []acm.KeyUsage{{Name: new(acm.KeyUsageNameDigitalSignature)}}}}, nil
}

func TestJSON11BlobsAndTimes(t *testing.T) {
	b := &acmBackend{}
	f := serve(t, acm.Bind(b))
	client := sdkacm.NewFromConfig(f.config())
	if _, err := client.ImportCertificate(t.Context(), &sdkacm.ImportCertificateInput{Certificate: []byte("PEM"), PrivateKey: []byte("KEY"), Tags: []acmtypes.Tag{{Key: new("a"), Value: new("")}}}); err != nil {
		t.Fatal(err)
	}
	want := &acm.ImportCertificateInput{Certificate: []byte("PEM"), PrivateKey: []byte("KEY"), Tags: []acm.Tag{{Key: new("a"), Value: new("")}}}
	if d := cmp.Diff(want, b.in); d != "" {
		t.Errorf("input (-want +got):\n%s", d)
	}
	arn := "arn:aws:acm:eu-central-1:123456789012:certificate/x"
	out, err := client.DescribeCertificate(t.Context(), &sdkacm.DescribeCertificateInput{CertificateArn: &arn})
	if err != nil {
		t.Fatal(err)
	}
	if c := out.Certificate; c.NotAfter.UnixMilli() != 1700000000123 || c.InUseBy == nil || len(c.InUseBy) != 0 || c.KeyUsages[0].Name != acmtypes.KeyUsageNameDigitalSignature {
		t.Errorf("output: %+v", c)
	}
	if d := cmp.Diff([]string{"acm:ImportCertificate *", "acm:DescribeCertificate " + arn}, f.asked()); d != "" {
		t.Errorf("accesses (-want +got):\n%s", d)
	}
}

type logsBackend struct {
	logs.Unimplemented
	in any
}

func (b *logsBackend) GetLogEvents(_ context.Context, in *logs.GetLogEventsInput) (*logs.GetLogEventsOutput, error) {
	b.in = in
	return &logs.GetLogEventsOutput{Events: []logs.OutputLogEvent{{Timestamp: new(int64(1700000000123)), Message: new("a\tb\x01\u2028")}}, NextForwardToken: new("f/1")}, nil
}

func TestJSON11Logs(t *testing.T) {
	b := &logsBackend{}
	f := serve(t, logs.Bind(b))
	client := sdklogs.NewFromConfig(f.config())
	out, err := client.GetLogEvents(t.Context(), &sdklogs.GetLogEventsInput{LogGroupName: new("/gw/access"), LogStreamName: new("s"), Limit: new(int32(10)), StartTime: new(int64(1)), StartFromHead: new(true)})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]logtypes.OutputLogEvent{{Timestamp: new(int64(1700000000123)), Message: new("a\tb\x01\u2028")}}, out.Events, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".noSmithyDocumentSerde" }, cmp.Ignore())); d != "" {
		t.Errorf("output (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"logs:GetLogEvents arn:aws:logs:eu-central-1:123456789012:log-group:/gw/access:log-stream:s"}, f.asked()); d != "" {
		t.Errorf("accesses (-want +got):\n%s", d)
	}
	_, err = client.GetLogEvents(t.Context(), &sdklogs.GetLogEventsInput{LogGroupName: new("a b"), LogStreamName: new("s")})
	var api smithy.APIError
	if want := `1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+`; !errors.As(err, &api) || api.ErrorCode() != "InvalidParameterException" || api.ErrorMessage() != want {
		t.Errorf("error %v\nwant %s", err, want)
	}
}
