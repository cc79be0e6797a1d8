package binding

import (
	"net/http"
	"net/url"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/awsapi/gen/lambda"
	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/awsapi/scalar"
	"gatehouse/internal/awsapi/schema"
	"gatehouse/internal/awsapi/wire"
)

func TestDecode(t *testing.T) {
	at := time.Unix(1700000000, 0).UTC()
	for _, c := range []struct {
		op     *schema.Operation
		labels map[string]string
		query  string
		header http.Header
		want   any
	}{
		{apigateway.Service().Operation("GetApiKeys"), nil, "limit=25&includeValues=true&position=", nil,
			&apigateway.GetApiKeysInput{Limit: new(int32(25)), IncludeValues: new(true), Position: new("")}},
		{apigateway.Service().Operation("GetApiKeys"), nil, "limit=1&limit=2", nil, &apigateway.GetApiKeysInput{Limit: new(int32(2))}},
		{apigateway.Service().Operation("ImportRestApi"), nil, "mode=import&failonwarnings=true&basepath=split&X-Amz-Date=x", nil,
			&apigateway.ImportRestApiInput{FailOnWarnings: new(true), Parameters: map[string]string{"basepath": "split"}}},
		{apigateway.Service().Operation("ImportRestApi"), nil, "mode=import", nil, &apigateway.ImportRestApiInput{}},
		{s3.Service().Operation("GetObject"), map[string]string{"Bucket": "b", "Key": "/k"}, "versionId=null&response-expires=Tue%2C+14+Nov+2023+22%3A13%3A20+GMT",
			http.Header{"Range": {"bytes=0-1"}, "If-Modified-Since": {"Tue, 14 Nov 2023 22:13:20 GMT"}},
			&s3.GetObjectInput{Bucket: new("b"), Key: new("/k"), VersionId: new("null"), ResponseExpires: &at, Range: new("bytes=0-1"), IfModifiedSince: &at}},
		{s3.Service().Operation("CreateMultipartUpload"), nil, "", http.Header{"X-Amz-Meta-A": {"1", "2"}, "X-Amz-Meta-": {"x"}, "X-Amz-Metal": {"x"}},
			&s3.CreateMultipartUploadInput{Metadata: map[string]string{"a": "1,2"}}},
		{s3.Service().Operation("GetObjectAttributes"), nil, "", http.Header{"X-Amz-Object-Attributes": {"ETag, Checksum", "ObjectSize"}},
			&s3.GetObjectAttributesInput{ObjectAttributes: []s3.ObjectAttributes{s3.ObjectAttributesETag, s3.ObjectAttributesChecksum, s3.ObjectAttributesObjectSize}}},
	} {
		query, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		got := c.op.Handler.New()
		err = Decode(&wire.Request{Operation: c.op, Labels: c.labels, Query: query, Header: c.header}, got)
		if d := cmp.Diff(c.want, got); err != nil || d != "" {
			t.Errorf("%s: %v (-want +got):\n%s", c.op.Name, err, d)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	op := apigateway.Service().Operation("GetApiKeys")
	for _, query := range []string{"limit=x", "limit=", "includeValues=yes", "limit=99999999999"} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if err := Decode(&wire.Request{Operation: op, Query: values}, op.Handler.New()); awserr.Code(err) != "SerializationException" {
			t.Errorf("%s: %v", query, err)
		}
	}
}

func TestEncode(t *testing.T) {
	at := time.Unix(1700000000, 0)
	h := http.Header{}
	status := Encode(h, s3.Service().Operation("GetObject"), &s3.GetObjectOutput{
		ContentLength: new(int64(3)), LastModified: &at, DeleteMarker: new(false), VersionId: new("v\r\nX: y"), Metadata: map[string]string{"a": "b"}})
	want := http.Header{"Content-Length": {"3"}, "Last-Modified": {"Tue, 14 Nov 2023 22:13:20 GMT"}, "x-amz-delete-marker": {"false"},
		"x-amz-version-id": {"v  X: y"}, "x-amz-meta-a": {"b"}}
	if d := cmp.Diff(want, h); d != "" || status != 200 {
		t.Errorf("%d (-want +got):\n%s", status, d)
	}
	if status := Encode(http.Header{}, lambda.Service().Operation("Invoke"), &lambda.InvokeOutput{StatusCode: new(int32(202))}); status != 202 {
		t.Errorf("status %d, want 202", status)
	}
	if status := Encode(http.Header{}, apigateway.Service().Operation("DeleteRestApi"), (*apigateway.DeleteRestApiOutput)(nil)); status != 202 {
		t.Errorf("status %d, want 202", status)
	}
}

// A query string that is decoded and sent again decodes to the same.
func FuzzDecodeQuery(f *testing.F) {
	ops := []*schema.Operation{apigateway.Service().Operation("GetApiKeys"), apigateway.Service().Operation("ImportRestApi"), apigateway.Service().Operation("GetResources"),
		s3.Service().Operation("ListObjectsV2"), s3.Service().Operation("GetObject"), lambda.Service().Operation("ListFunctions")}
	f.Add(0, "limit=25&includeValues=true")
	f.Add(1, "mode=import&basepath=a")
	f.Add(2, "embed=a&embed=b")
	f.Add(4, "response-expires=1700000000.5")
	f.Fuzz(func(t *testing.T, i int, text string) {
		query, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		op := ops[uint(i)%uint(len(ops))]
		first, second := op.Handler.New(), op.Handler.New()
		if err := Decode(&wire.Request{Operation: op, Query: query}, first); err != nil {
			return
		}
		again := encode(op.In, first)
		if err := Decode(&wire.Request{Operation: op, Query: again}, second); err != nil {
			t.Fatalf("%v: %v", err, again)
		}
		if d := cmp.Diff(first, second); d != "" {
			t.Fatalf("%v (-first +second):\n%s", again, d)
		}
	})
}

// encode writes a query string as clients do.
func encode(sh *schema.Shape, in any) url.Values {
	query := url.Values{}
	v := reflect.ValueOf(in).Elem()
	for i := range sh.Members {
		m := &sh.Members[i]
		value, ok := scalar.Present(v.Field(i))
		switch {
		case !ok:
		case m.Loc == schema.QueryRest:
			for _, k := range value.MapKeys() {
				query.Set(k.String(), value.MapIndex(k).String())
			}
		case m.Loc != schema.QueryParam:
		case m.Shape.Kind == schema.List:
			for i := range value.Len() {
				query.Add(m.Wire, scalar.Text(value.Index(i), m.Shape.Elem.Shape, schema.DefaultTime))
			}
		default:
			query.Set(m.Wire, scalar.Text(value, m.Shape, schema.DefaultTime))
		}
	}
	return query
}
