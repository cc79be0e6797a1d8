package jsonbody

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/acm"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/awsapi/gen/lambda"
	"gatehouse/internal/awsapi/gen/wafv2"
	"gatehouse/internal/awsapi/schema"
)

func TestDecodeRefuses(t *testing.T) {
	sh := apigateway.Service().Shape("CreateUsagePlanRequest")
	for _, c := range []struct{ body, message string }{
		{`{"name":true}`, "class java.lang.Boolean can not be converted to an String"},
		{`{"name":1}`, "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an String"},
		{`{"name":[]}`, "Start of list found where not expected"},
		{`{"name":{}}`, "Start of structure or map found where not expected."},
		{`{"apiStages":"x"}`, "Unrecognized collection type class java.lang.String"},
		{`{"tags":[]}`, "Start of list found where not expected"},
		{`{"apiStages":[null]}`, "null is not allowed as an element of a list"},
		{`{"quota":{"limit":"1"}}`, "class java.lang.String can not be converted to an Integer"},
		{`{"quota":{"limit":1.5}}`, "1.5 can not be converted to an Integer"},
		{`{"quota":{"limit":2147483648}}`, "2147483648 can not be converted to an Integer"},
		{`{"throttle":{"rateLimit":1e999}}`, "1e999 can not be converted to an Double"},
		{`{"throttle":{"rateLimit":"NaN"}}`, "class java.lang.String can not be converted to an Double"},
	} {
		err := Decode([]byte(c.body), sh, new(apigateway.CreateUsagePlanInput))
		if e := awserr.As(err); e == nil || e.Code != "SerializationException" || e.Status != 400 || e.Message != c.message {
			t.Errorf("%s: %v, want %s", c.body, err, c.message)
		}
	}
	for _, body := range []string{`{`, `{}x`, `[]`, `"x"`, `{"name":"` + "\x01" + `"}`, `nul`} {
		if err := Decode([]byte(body), sh, new(apigateway.CreateUsagePlanInput)); awserr.Code(err) != "SerializationException" {
			t.Errorf("%s: %v, want a SerializationException", body, err)
		}
	}
}

func TestDecodeAbsence(t *testing.T) {
	sh := apigateway.Service().Shape("CreateUsagePlanRequest")
	for body, want := range map[string]*apigateway.CreateUsagePlanInput{
		``:     {},
		` `:    {},
		`null`: {},
		`{}`:   {},
		`{"name":null,"tags":null,"apiStages":null,"quota":null,"unknown":[1]}`: {},
		`{"name":"","tags":{},"apiStages":[],"quota":{}}`:                       {Name: new(""), Tags: map[string]string{}, ApiStages: []apigateway.ApiStage{}, Quota: &apigateway.QuotaSettings{}},
		`{"tags":{"a":null,"b":"c"},"quota":{"limit":1e2}}`:                     {Tags: map[string]string{"b": "c"}, Quota: &apigateway.QuotaSettings{Limit: new(int32(100))}},
	} {
		got := new(apigateway.CreateUsagePlanInput)
		if err := Decode([]byte(body), sh, got); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", body, d)
		}
	}
}

func TestAppend(t *testing.T) {
	at := time.Unix(1700000000, 0)
	for want, v := range map[string]*apigateway.UsagePlan{
		`{}`: {},
		`{"id":"","throttle":{"burstLimit":1,"rateLimit":2.0},"tags":{}}`: {Id: new(""), Throttle: &apigateway.ThrottleSettings{BurstLimit: new(int32(1)), RateLimit: new(2.0)}, Tags: map[string]string{}},
		`{"apiStages":[{"throttle":{"/a/GET":{},"/b/GET":{}}}]}`:          {ApiStages: []apigateway.ApiStage{{Throttle: map[string]apigateway.ThrottleSettings{"/b/GET": {}, "/a/GET": {}}}}},
		`{"name":"\"\\\n\r\t\u0001\u007fü` + "\u2028\ufffd" + `"}`:        {Name: new("\"\\\n\r\t\x01\x7fü\u2028\xff")},
	} {
		if got := string(Append(nil, apigateway.Service().Shape("UsagePlan"), v)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if got, want := string(Append(nil, apigateway.Service().Shape("Deployment"), &apigateway.Deployment{CreatedDate: &at})), `{"createdDate":1700000000}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := string(Append(nil, apigateway.Service().Shape("Deployment"), (*apigateway.Deployment)(nil))); got != `{}` {
		t.Errorf("nil is %s", got)
	}
}

func TestAppendError(t *testing.T) {
	for _, c := range []struct {
		svc   *schema.Service
		err   *awserr.Error
		typed bool
		want  string
	}{
		{apigateway.Service(), apigateway.NotFoundException("x"), false, `{"message":"x"}`},
		{apigateway.Service(), apigateway.TooManyRequestsException("x").With("retryAfterSeconds", "1"), false, `{"message":"x"}`},
		{wafv2.Service(), wafv2.WAFNonexistentItemException("x"), true, `{"__type":"WAFNonexistentItemException","Message":"x"}`},
		{wafv2.Service(), wafv2.WAFInvalidParameterException("x").With("Reason", "r"), true, `{"__type":"WAFInvalidParameterException","message":"x","Reason":"r"}`},
		{lambda.Service(), lambda.ResourceNotFoundException("x"), false, `{"Message":"x","Type":"User"}`},
		{lambda.Service(), lambda.ServiceException("x"), false, `{"Message":"x","Type":"Service"}`},
		{lambda.Service(), lambda.ResourceNotFoundException("x").With("Type", "Else"), false, `{"Message":"x","Type":"Else"}`},
		{lambda.Service(), awserr.Validation("x").With("fieldList", []string{"a", "b"}), false, `{"message":"x","fieldList":["a","b"]}`},
	} {
		if got := string(AppendError(nil, c.svc, c.err, c.typed)); got != c.want {
			t.Errorf("%v: got %s, want %s", c.err, got, c.want)
		}
	}
}

// samples are the inputs and outputs that the fuzz target and the benchmarks use.
var samples = []struct {
	svc   *schema.Service
	shape string
	typ   reflect.Type
	seed  string
}{
	{wafv2.Service(), "CreateWebACLRequest", reflect.TypeFor[wafv2.CreateWebACLInput](), `{"Name":"w","Scope":"REGIONAL","DefaultAction":{"Allow":{}},"Rules":[{"Name":"r","Priority":1,"Statement":{"NotStatement":{"Statement":{"ByteMatchStatement":{"SearchString":"/wA="}}}}}]}`},
	{apigateway.Service(), "Stage", reflect.TypeFor[apigateway.Stage](), `{"stageName":"prod","methodSettings":{"*/*":{"throttlingRateLimit":1e4,"metricsEnabled":true}},"createdDate":1700000000.5,"variables":{}}`},
	{acm.Service(), "CertificateDetail", reflect.TypeFor[acm.CertificateDetail](), `{"NotAfter":"2026-01-01T00:00:00Z","InUseBy":[],"KeyUsages":[{"Name":"x"}]}`},
	{lambda.Service(), "CreateFunctionRequest", reflect.TypeFor[lambda.CreateFunctionInput](), `{"Code":{"ZipFile":""},"Layers":["a"],"Timeout":3.0}`},
	{apigateway.Service(), "Usage", reflect.TypeFor[apigateway.Usage](), `{"values":{"k":[[1,-2],[]]}}`},
}

// What is decoded is written so that it decodes to the same; what is not is a
// SerializationException.
func FuzzDecode(f *testing.F) {
	for i, s := range samples {
		f.Add(i, []byte(s.seed))
	}
	f.Fuzz(func(t *testing.T, i int, body []byte) {
		s := samples[uint(i)%uint(len(samples))]
		sh := s.svc.Shape(s.shape)
		first, second := reflect.New(s.typ).Interface(), reflect.New(s.typ).Interface()
		if err := Decode(body, sh, first); err != nil {
			if awserr.Code(err) != "SerializationException" {
				t.Fatalf("error %v", err)
			}
			return
		}
		text := Append(nil, sh, first)
		if !json.Valid(text) {
			t.Fatalf("not JSON: %s", text)
		}
		if err := Decode(text, sh, second); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if d := cmp.Diff(first, second); d != "" {
			t.Fatalf("%s (-first +second):\n%s", text, d)
		}
		if again := Append(nil, sh, second); !bytes.Equal(text, again) {
			t.Fatalf("%s is written again as %s", text, again)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	s := samples[0]
	sh := s.svc.Shape(s.shape)
	b.ReportAllocs()
	for b.Loop() {
		if err := Decode([]byte(s.seed), sh, new(wafv2.CreateWebACLInput)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	s := samples[0]
	sh := s.svc.Shape(s.shape)
	in := new(wafv2.CreateWebACLInput)
	if err := Decode([]byte(s.seed), sh, in); err != nil {
		b.Fatal(err)
	}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = Append(buf[:0], sh, in)
	}
}

// Templates of null are kept: the service answers them.
func TestNullValuesOfSparseMaps(t *testing.T) {
	in, sh := &apigateway.PutIntegrationResponseInput{}, apigateway.Service().Shape("PutIntegrationResponseRequest")
	if err := Decode([]byte(`{"responseTemplates":{"a/b":null,"c/d":"x"},"responseParameters":{"p":null}}`), sh, in); err != nil {
		t.Fatal(err)
	}
	if v, ok := in.ResponseTemplates["a/b"]; !ok || v != nil || *in.ResponseTemplates["c/d"] != "x" || len(in.ResponseParameters) != 0 {
		t.Errorf("decoded %v, %v", in.ResponseTemplates, in.ResponseParameters)
	}
	out := &apigateway.IntegrationResponse{ResponseTemplates: in.ResponseTemplates}
	if got := string(Append(nil, apigateway.Service().Shape("IntegrationResponse"), out)); got != `{"responseTemplates":{"a/b":null,"c/d":"x"}}` {
		t.Errorf("encoded %s", got)
	}
}
