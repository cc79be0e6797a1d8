package route

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/awsapi/gen/lambda"
	"gatehouse/internal/awsapi/gen/s3"
)

var (
	gateway   = New(apigateway.Service())
	functions = New(lambda.Service())
	objects   = New(s3.Service())
)

func TestFind(t *testing.T) {
	for _, c := range []struct {
		table        *Table
		method, path string
		query        string
		want         string
		labels       map[string]string
	}{
		{gateway, "POST", "/restapis", "", "CreateRestApi", map[string]string{}},
		{gateway, "POST", "/restapis", "mode=import", "ImportRestApi", map[string]string{}},
		{gateway, "POST", "/restapis", "mode=other", "CreateRestApi", map[string]string{}},
		{gateway, "POST", "/apikeys", "mode=import&format=csv", "ImportApiKeys", map[string]string{}},
		{gateway, "POST", "/apikeys", "mode=import", "ImportApiKeys", map[string]string{}}, // format is missing; the validator says so
		{gateway, "GET", "/domainnames/a.b/basepathmappings/%28none%29", "", "GetBasePathMapping", map[string]string{"domain_name": "a.b", "base_path": "(none)"}},
		{gateway, "GET", "/domainnames/a.b/basepathmappings/v1%2Fx", "", "GetBasePathMapping", map[string]string{"domain_name": "a.b", "base_path": "v1/x"}},
		{gateway, "GET", "/domainnames/a.b/basepathmappings/v1/x", "", "", nil},
		{gateway, "GET", "/restapis/", "", "", nil},
		{gateway, "GET", "/restapis//stages", "", "", nil},
		{gateway, "GET", "restapis", "", "", nil},
		{gateway, "GET", "/restapis/%zz", "", "", nil},
		{gateway, "POST", "/restapis/a/resources/r/methods/GET", "", "TestInvokeMethod", map[string]string{"restapi_id": "a", "resource_id": "r", "http_method": "GET"}},
		{gateway, "GET", "/tags/arn%3Aaws%3Aapigateway%3A%3A%3A%2Fx", "", "GetTags", map[string]string{"resource_arn": "arn:aws:apigateway:::/x"}},
		{gateway, "GET", "/tags/arn:aws:apigateway:::/x//y+z", "", "GetTags", map[string]string{"resource_arn": "arn:aws:apigateway:::/x//y+z"}},
		{functions, "GET", "/2018-10-31/layers", "find=LayerVersion&Arn=x", "GetLayerVersionByArn", map[string]string{}},
		{functions, "GET", "/2018-10-31/layers", "", "ListLayers", map[string]string{}},
		{functions, "POST", "/2015-03-31/event-source-mappings", "", "CreateEventSourceMapping", map[string]string{}},
		{objects, "GET", "/", "", "ListBuckets", map[string]string{}},
		{objects, "GET", "/b/a//b", "", "GetObject", map[string]string{"Bucket": "b", "Key": "a//b"}},
		{objects, "GET", "/b//a", "", "GetObject", map[string]string{"Bucket": "b", "Key": "/a"}},
		{objects, "GET", "/b/a/", "", "GetObject", map[string]string{"Bucket": "b", "Key": "a/"}},
		{objects, "GET", "/b/k", "uploadId=u", "ListParts", map[string]string{"Bucket": "b", "Key": "k"}},
		{objects, "GET", "/b/k", "tagging&versionId=v", "GetObjectTagging", map[string]string{"Bucket": "b", "Key": "k"}},
		{objects, "DELETE", "/b/k", "uploadId=u", "AbortMultipartUpload", map[string]string{"Bucket": "b", "Key": "k"}},
		{objects, "DELETE", "/b", "lifecycle", "DeleteBucketLifecycle", map[string]string{"Bucket": "b"}},
		{objects, "PUT", "/b", "cors", "PutBucketCors", map[string]string{"Bucket": "b"}},
		{objects, "PUT", "/b/k", "legal-hold", "PutObjectLegalHold", map[string]string{"Bucket": "b", "Key": "k"}},
	} {
		query, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		m, ok := c.table.Find(c.method, c.path, query, http.Header{})
		if ok != (c.want != "") {
			t.Errorf("%s %s?%s: found %v (%s)", c.method, c.path, c.query, ok, m.Name)
			continue
		}
		if !ok {
			continue
		}
		if d := cmp.Diff(c.labels, m.Labels); m.Name != c.want || d != "" {
			t.Errorf("%s %s?%s is %s, want %s; labels (-want +got):\n%s", c.method, c.path, c.query, m.Name, c.want, d)
		}
	}
}

// A path of a bucket with a parameter that names any operation of the model is that
// operation, or at least none that deletes or replaces something else.
func TestNoSubresourceIsTakenForItsParent(t *testing.T) {
	for _, o := range s3.Service().Other {
		path, query, fixed := strings.Cut(o.URI, "?")
		if !fixed {
			continue
		}
		path = strings.NewReplacer("{Bucket}", "b", "{Key+}", "k").Replace(path)
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		m, ok := objects.Find(o.Method, path, values, http.Header{})
		if !ok || m.Operation != nil && m.Operation.URI != o.URI { // two are older names of served ones
			t.Errorf("%s %s is taken for %s", o.Method, o.URI, m.Name)
		}
	}
}

// Labels that are cut out of a path and escaped again lead to the same operation with
// the same labels: nothing is lost and nothing can be smuggled in.
func FuzzFind(f *testing.F) {
	for _, path := range []string{"/restapis/a%2Fb", "/tags/arn:aws::/x//y", "/domainnames/a/basepathmappings/%28none%29", "/b//k%25", "/2015-03-31/functions/f/policy"} {
		f.Add("GET", path)
	}
	f.Fuzz(func(t *testing.T, method, path string) {
		for _, table := range []*Table{gateway, functions, objects} {
			m, ok := table.Find(method, path, nil, nil)
			if !ok || m.Operation == nil {
				continue
			}
			parts := strings.Split(strings.TrimPrefix(m.Operation.URI, "/"), "/")
			for i, part := range parts {
				if name, ok := strings.CutPrefix(part, "{"); ok {
					parts[i] = url.PathEscape(m.Labels[strings.TrimRight(name, "+}")])
				}
			}
			again := "/" + strings.Join(parts, "/")
			n, ok := table.Find(method, again, nil, nil)
			if !ok || n.Name != m.Name {
				t.Fatalf("%q is %s, and %q is %s", path, m.Name, again, n.Name)
			}
			if d := cmp.Diff(m.Labels, n.Labels); d != "" {
				t.Fatalf("%q and %q (-first +second):\n%s", path, again, d)
			}
		}
	})
}

func BenchmarkFind(b *testing.B) {
	query := url.Values{"versionId": {"v"}}
	for _, c := range []struct {
		name, method, path string
		table              *Table
	}{
		{"apigateway", "PUT", "/restapis/a/resources/r/methods/GET/integration/responses/200", gateway},
		{"s3", "GET", "/bucket/some/key", objects},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := c.table.Find(c.method, c.path, query, nil); !ok {
					b.Fatal("not found")
				}
			}
		})
	}
}
