package awsapi_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/apigateway"
	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/awsapi/gen/s3control"
)

// storeBackend keeps one object and the names of the operations it was called for.
type storeBackend struct {
	s3.Unimplemented
	called []string
	in     any
	object []byte
	span   string // Content-Range of what GetObject answers
	err    error
}

func (b *storeBackend) saw(name string, in any) {
	b.called = append(b.called, name)
	b.in = in
}

func (b *storeBackend) PutObject(_ context.Context, in *s3.PutObjectInput) (*s3.PutObjectOutput, error) {
	b.saw("PutObject", in)
	object, err := io.ReadAll(in.Body)
	if err != nil {
		return nil, err
	}
	b.object = object
	return &s3.PutObjectOutput{ETag: new(`"etag"`), VersionId: new("v1")}, b.err
}

func (b *storeBackend) GetObject(_ context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	b.saw("GetObject", in)
	if b.err != nil {
		return nil, b.err
	}
	at := time.Unix(1700000000, 0)
	var span *string
	if b.span != "" {
		span = &b.span
	}
	return &s3.GetObjectOutput{ContentRange: span, Body: io.NopCloser(bytes.NewReader(b.object)), ContentLength: new(int64(len(b.object))), ContentType: new("application/x-pem-file"),
		LastModified: &at, Metadata: map[string]string{"owner": "me"}, VersionId: new("v1"), ETag: new(`"etag"`)}, nil
}

func (b *storeBackend) HeadObject(_ context.Context, in *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	b.saw("HeadObject", in)
	return &s3.HeadObjectOutput{ContentLength: new(int64(7)), DeleteMarker: new(false), ETag: new(`"etag"`)}, b.err
}

func (b *storeBackend) CreateBucket(_ context.Context, in *s3.CreateBucketInput) (*s3.CreateBucketOutput, error) {
	b.saw("CreateBucket", in)
	return &s3.CreateBucketOutput{Location: new("/" + *in.Bucket)}, b.err
}

func (b *storeBackend) DeleteBucket(_ context.Context, in *s3.DeleteBucketInput) (*s3.DeleteBucketOutput, error) {
	b.saw("DeleteBucket", in)
	return nil, b.err
}

func (b *storeBackend) ListObjectsV2(_ context.Context, in *s3.ListObjectsV2Input) (*s3.ListObjectsV2Output, error) {
	b.saw("ListObjectsV2", in)
	at := time.Unix(1700000000, 0)
	return &s3.ListObjectsV2Output{Name: in.Bucket, KeyCount: new(int32(2)), IsTruncated: new(false), Contents: []s3.Object{
		{Key: new("a&b<\n"), Size: new(int64(1 << 40)), LastModified: &at, StorageClass: new(s3.ObjectStorageClassStandard)}, {Key: new("ü")}},
		CommonPrefixes: []s3.CommonPrefix{{Prefix: new("p/")}}}, b.err
}

func (b *storeBackend) GetBucketLocation(_ context.Context, in *s3.GetBucketLocationInput) (*s3.GetBucketLocationOutput, error) {
	b.saw("GetBucketLocation", in)
	return &s3.GetBucketLocationOutput{LocationConstraint: new(s3.BucketLocationConstraintEuCentral1)}, b.err
}

func (b *storeBackend) GetBucketVersioning(_ context.Context, in *s3.GetBucketVersioningInput) (*s3.GetBucketVersioningOutput, error) {
	b.saw("GetBucketVersioning", in)
	return nil, b.err
}

func (b *storeBackend) PutBucketVersioning(_ context.Context, in *s3.PutBucketVersioningInput) (*s3.PutBucketVersioningOutput, error) {
	b.saw("PutBucketVersioning", in)
	return nil, b.err
}

func (b *storeBackend) GetBucketPolicy(_ context.Context, in *s3.GetBucketPolicyInput) (*s3.GetBucketPolicyOutput, error) {
	b.saw("GetBucketPolicy", in)
	return &s3.GetBucketPolicyOutput{Policy: new(`{"Version":"2012-10-17"}`)}, b.err
}

func (b *storeBackend) GetBucketAcl(_ context.Context, in *s3.GetBucketAclInput) (*s3.GetBucketAclOutput, error) {
	b.saw("GetBucketAcl", in)
	return &s3.GetBucketAclOutput{Owner: &s3.Owner{ID: new("o")}, Grants: []s3.Grant{{Permission: new(s3.PermissionFullControl),
		Grantee: &s3.Grantee{Type: new(s3.TypeCanonicalUser), ID: new("o")}}}}, b.err
}

func (b *storeBackend) DeleteObjects(_ context.Context, in *s3.DeleteObjectsInput) (*s3.DeleteObjectsOutput, error) {
	b.saw("DeleteObjects", in)
	return &s3.DeleteObjectsOutput{Deleted: []s3.DeletedObject{{Key: new("a")}}, Errors: []s3.Error{{Key: new("b"), Code: new("AccessDenied")}}}, b.err
}

func (b *storeBackend) CopyObject(_ context.Context, in *s3.CopyObjectInput) (*s3.CopyObjectOutput, error) {
	b.saw("CopyObject", in)
	return &s3.CopyObjectOutput{CopyObjectResult: &s3.CopyObjectResult{ETag: new(`"copy"`)}}, b.err
}

func (b *storeBackend) UploadPart(_ context.Context, in *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	b.saw("UploadPart", in)
	io.Copy(io.Discard, in.Body)
	return &s3.UploadPartOutput{ETag: new(`"part"`)}, b.err
}

func (b *storeBackend) CreateMultipartUpload(_ context.Context, in *s3.CreateMultipartUploadInput) (*s3.CreateMultipartUploadOutput, error) {
	b.saw("CreateMultipartUpload", in)
	return &s3.CreateMultipartUploadOutput{UploadId: new("u")}, b.err
}

func (b *storeBackend) CompleteMultipartUpload(_ context.Context, in *s3.CompleteMultipartUploadInput) (*s3.CompleteMultipartUploadOutput, error) {
	b.saw("CompleteMultipartUpload", in)
	return &s3.CompleteMultipartUploadOutput{ETag: new(`"x-2"`)}, b.err
}

func store(t *testing.T) (*fixture, *storeBackend, *sdk.Client) {
	b := &storeBackend{}
	f := serve(t, apigateway.Bind(&gatewayBackend{}), s3.Bind(b), s3control.Bind(&controlBackend{}))
	return f, b, sdk.NewFromConfig(f.config(), func(o *sdk.Options) { o.UsePathStyle = true })
}

func TestS3StreamsBothWays(t *testing.T) {
	f, b, client := store(t)
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<19) // 8 MiB: more than what is held in memory
	put, err := client.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: new("b"), Key: new("/dir//ä b+c%.pem"), Body: bytes.NewReader(content), Metadata: map[string]string{"Owner": "me"}, Tagging: new("a=b")})
	if err != nil || *put.VersionId != "v1" || *put.ETag != `"etag"` {
		t.Fatalf("error %v, output %+v", err, put)
	}
	in := b.in.(*s3.PutObjectInput)
	if *in.Key != "/dir//ä b+c%.pem" || in.Metadata["owner"] != "me" || *in.ContentLength != int64(len(content)) || !bytes.Equal(b.object, content) {
		t.Errorf("input: key %q, metadata %v, %d bytes", *in.Key, in.Metadata, len(b.object))
	}
	if d := cmp.Diff([]string{"s3:PutObject arn:aws:s3:::b//dir//ä b+c%.pem", "s3:PutObjectTagging arn:aws:s3:::b//dir//ä b+c%.pem"}, f.asked()); d != "" {
		t.Errorf("accesses (-want +got):\n%s", d)
	}
	get, err := client.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: new("b"), Key: new("k"), VersionId: new("v1"), Range: new("bytes=0-")})
	if err != nil {
		t.Fatal(err)
	}
	defer get.Body.Close()
	if body, err := io.ReadAll(get.Body); err != nil || !bytes.Equal(body, content) {
		t.Errorf("error %v, %d bytes", err, len(body))
	}
	if *get.ContentType != "application/x-pem-file" || get.LastModified.Unix() != 1700000000 || get.Metadata["owner"] != "me" {
		t.Errorf("output: %+v", get)
	}
	if d := cmp.Diff([]string{"s3:GetObjectVersion arn:aws:s3:::b/k"}, f.asked()); d != "" {
		t.Errorf("accesses (-want +got):\n%s", d)
	}
}

// What is stored is described as it was before it was framed for the signature.
func TestS3ChunkedBodyIsDescribedDecoded(t *testing.T) {
	f, b, _ := store(t)
	f.replace = func([]byte) io.Reader { return strings.NewReader("decoded") }
	for _, c := range []struct {
		encoding string
		length   int64
		want     *s3.PutObjectInput
	}{
		{"aws-chunked", 7, &s3.PutObjectInput{ContentLength: new(int64(7))}},
		{"gzip,aws-chunked", -1, &s3.PutObjectInput{ContentEncoding: new("gzip")}},
		{"gzip", 7, &s3.PutObjectInput{ContentEncoding: new("gzip"), ContentLength: new(int64(6))}},
	} {
		f.length = c.length
		f.raw(t, "PUT", "/b/k", "framed", "Authorization: "+signed("s3"), "Content-Encoding: "+c.encoding)
		in := b.in.(*s3.PutObjectInput)
		got := &s3.PutObjectInput{ContentEncoding: in.ContentEncoding, ContentLength: in.ContentLength}
		if d := cmp.Diff(c.want, got); d != "" || string(b.object) != "decoded" {
			t.Errorf("%s (-want +got):\n%s", c.encoding, d)
		}
	}
}

// A part of an object is a 206, which no member of the model says.
func TestS3Range(t *testing.T) {
	f, b, _ := store(t)
	b.object, b.span = []byte("0123"), "bytes 0-3/10"
	res := f.raw(t, "GET", "/b/k", "", "Authorization: "+signed("s3"), "Range: bytes=0-3")
	if got := text(t, res.Body); res.StatusCode != 206 || got != "0123" || res.Header.Get("Content-Range") != "bytes 0-3/10" {
		t.Errorf("%d %s", res.StatusCode, got)
	}
}

// What the authenticator puts in the body's place is what the operation reads, and its
// refusal at the end of the body is what the client sees.
func TestS3BodyOfTheAuthenticator(t *testing.T) {
	f, b, client := store(t)
	f.replace = func([]byte) io.Reader { return strings.NewReader("decoded") }
	if _, err := client.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: new("b"), Key: new("k"), Body: strings.NewReader("chunks")}); err != nil || string(b.object) != "decoded" {
		t.Errorf("error %v, object %q", err, b.object)
	}
	f.replace = func(body []byte) io.Reader {
		return io.MultiReader(bytes.NewReader(body), failing{awserr.New("BadDigest", 400, "The checksum you specified did not match the calculated checksum.")})
	}
	for name, call := range map[string]func() error{
		"streamed": func() error {
			_, err := client.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: new("b"), Key: new("k"), Body: strings.NewReader("x")})
			return err
		},
		"held in memory": func() error {
			_, err := client.PutBucketVersioning(t.Context(), &sdk.PutBucketVersioningInput{Bucket: new("b"), VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
			return err
		},
	} {
		var api smithy.APIError
		if err := call(); !errors.As(err, &api) || api.ErrorCode() != "BadDigest" {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestS3Documents(t *testing.T) {
	f, b, client := store(t)
	ctx := t.Context()
	if out, err := client.CreateBucket(ctx, &sdk.CreateBucketInput{Bucket: new("b"), CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraintUsWest2}}); err != nil || *out.Location != "/b" {
		t.Errorf("CreateBucket: %v %+v", err, out)
	} else if in := b.in.(*s3.CreateBucketInput); *in.CreateBucketConfiguration.LocationConstraint != s3.BucketLocationConstraintUsWest2 {
		t.Errorf("CreateBucket: %+v", in.CreateBucketConfiguration)
	}
	list, err := client.ListObjectsV2(ctx, &sdk.ListObjectsV2Input{Bucket: new("b"), Prefix: new("a/"), MaxKeys: new(int32(2))})
	if err != nil || len(list.Contents) != 2 || *list.Contents[0].Key != "a&b<\n" || *list.Contents[0].Size != 1<<40 || *list.CommonPrefixes[0].Prefix != "p/" || *list.KeyCount != 2 {
		t.Errorf("ListObjectsV2: %v %+v", err, list)
	}
	res := f.raw(t, "GET", "/b?list-type=2", "", "Authorization: "+signed("s3"))
	if got := text(t, res.Body); !strings.Contains(got, "<LastModified>2023-11-14T22:13:20.000Z</LastModified>") || !strings.HasPrefix(got, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"+`<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`) {
		t.Errorf("ListObjectsV2: %s", got)
	}
	if out, err := client.GetBucketLocation(ctx, &sdk.GetBucketLocationInput{Bucket: new("b")}); err != nil || out.LocationConstraint != types.BucketLocationConstraintEuCentral1 {
		t.Errorf("GetBucketLocation: %v %+v", err, out)
	}
	if out, err := client.GetBucketVersioning(ctx, &sdk.GetBucketVersioningInput{Bucket: new("b")}); err != nil || out.Status != "" {
		t.Errorf("GetBucketVersioning: %v %+v", err, out)
	}
	if out, err := client.GetBucketPolicy(ctx, &sdk.GetBucketPolicyInput{Bucket: new("b")}); err != nil || *out.Policy != `{"Version":"2012-10-17"}` {
		t.Errorf("GetBucketPolicy: %v %+v", err, out)
	}
	if out, err := client.GetBucketAcl(ctx, &sdk.GetBucketAclInput{Bucket: new("b")}); err != nil || out.Grants[0].Grantee.Type != types.TypeCanonicalUser || *out.Grants[0].Grantee.ID != "o" {
		t.Errorf("GetBucketAcl: %v %+v", err, out)
	}
	f.asked()
	if out, err := client.DeleteObjects(ctx, &sdk.DeleteObjectsInput{Bucket: new("b"), Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: new("a")}, {Key: new("b"), VersionId: new("v")}}}}); err != nil || *out.Deleted[0].Key != "a" || *out.Errors[0].Code != "AccessDenied" {
		t.Errorf("DeleteObjects: %v %+v", err, out)
	}
	if d := cmp.Diff([]string{"s3:DeleteObject arn:aws:s3:::b/a", "s3:DeleteObjectVersion arn:aws:s3:::b/b"}, f.asked()); d != "" {
		t.Errorf("accesses (-want +got):\n%s", d)
	}
	if out, err := client.CopyObject(ctx, &sdk.CopyObjectInput{Bucket: new("b"), Key: new("k"), CopySource: new("src/a%20b?versionId=v")}); err != nil || *out.CopyObjectResult.ETag != `"copy"` {
		t.Errorf("CopyObject: %v %+v", err, out)
	}
	if d := cmp.Diff([]string{"s3:PutObject arn:aws:s3:::b/k", "s3:GetObjectVersion arn:aws:s3:::src/a b"}, f.asked()); d != "" {
		t.Errorf("accesses (-want +got):\n%s", d)
	}
	if out, err := client.CompleteMultipartUpload(ctx, &sdk.CompleteMultipartUploadInput{Bucket: new("b"), Key: new("k"), UploadId: new("u"), MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: new("e"), PartNumber: new(int32(1))}}}}); err != nil || *out.ETag != `"x-2"` {
		t.Errorf("CompleteMultipartUpload: %v %+v", err, out)
	} else if in := b.in.(*s3.CompleteMultipartUploadInput); *in.MultipartUpload.Parts[0].PartNumber != 1 || *in.UploadId != "u" {
		t.Errorf("CompleteMultipartUpload: %+v", in)
	}
}

// One path means many operations; the query string and headers tell them apart, and an
// operation that is not served is never taken for one that is.
func TestS3Routes(t *testing.T) {
	f, b, _ := store(t)
	for _, c := range []struct{ method, target, header, want string }{
		{"PUT", "/b", "", "CreateBucket"},
		{"PUT", "/b/", "", "CreateBucket"},
		{"DELETE", "/b", "", "DeleteBucket"},
		{"DELETE", "/b?cors", "", "NotImplemented"},
		{"DELETE", "/b?policy", "", "NotImplemented"},
		{"GET", "/b?list-type=2", "", "ListObjectsV2"},
		{"GET", "/b?location=", "", "GetBucketLocation"},
		{"GET", "/b?versioning", "", "GetBucketVersioning"},
		{"GET", "/b?acl&x-id=GetBucketAcl", "", "GetBucketAcl"},
		{"GET", "/b?metrics&id=1", "", "NotImplemented"},
		{"GET", "/b/k?x-id=GetObject", "", "GetObject"},
		{"GET", "/b/k?torrent", "", "NotImplemented"},
		{"HEAD", "/b/k", "", "HeadObject"},
		{"PUT", "/b/k", "", "PutObject"},
		{"PUT", "/b/k", "X-Amz-Copy-Source: a/b", "CopyObject"},
		{"PUT", "/b/k?partNumber=1&uploadId=u", "", "UploadPart"},
		{"POST", "/b/k?uploads", "", "CreateMultipartUpload"},
		{"POST", "/b/k?restore", "", "NotImplemented"},
		{"POST", "/b", "", "MethodNotAllowed"},
		{"PATCH", "/b/k", "", "MethodNotAllowed"},
	} {
		b.called = nil
		headers := []string{"Authorization: " + signed("s3")}
		if c.header != "" {
			headers = append(headers, c.header)
		}
		res := f.raw(t, c.method, c.target, "", headers...)
		got := strings.Join(b.called, ",")
		if got == "" {
			body := text(t, res.Body)
			_, after, _ := strings.Cut(body, "<Code>")
			got, _, _ = strings.Cut(after, "</Code>")
		}
		if got != c.want {
			t.Errorf("%s %s: %s, want %s", c.method, c.target, got, c.want)
		}
	}
}

func TestS3VirtualHosts(t *testing.T) {
	f, b, _ := store(t)
	for _, c := range []struct{ host, target, bucket, key string }{
		{"my.bucket.s3.localhost:4566", "/a/b", "my.bucket", "a/b"},
		{"bkt.s3.eu-central-1.localhost", "/%2Fa", "bkt", "/a"},
		{"bkt.localhost", "/k", "bkt", "k"},
		{"s3.localhost", "/bkt/k", "bkt", "k"},
		{"s3.eu-central-1.localhost", "/bkt/k", "bkt", "k"},
		{"localhost:4566", "/bkt/k", "bkt", "k"},
		{"127.0.0.1", "/bkt/k", "bkt", "k"},
	} {
		// Without credentials: reading may be open to anyone.
		f.raw(t, "GET", c.target, "", "Host: "+c.host)
		in, ok := b.in.(*s3.GetObjectInput)
		if !ok || *in.Bucket != c.bucket || *in.Key != c.key {
			t.Errorf("%s %s: input %+v", c.host, c.target, b.in)
		}
		b.in = nil
	}
	f.raw(t, "PUT", "/", "", "Host: bkt.s3.localhost", "Authorization: "+signed("s3"))
	if in, ok := b.in.(*s3.CreateBucketInput); !ok || *in.Bucket != "bkt" {
		t.Errorf("input %+v", b.in)
	}
}

func TestS3Errors(t *testing.T) {
	f, b, client := store(t)
	b.err = s3.NoSuchKey("The specified key does not exist.").With("Key", "k")
	_, err := client.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: new("b"), Key: new("k")})
	if _, ok := errors.AsType[*types.NoSuchKey](err); !ok {
		t.Errorf("error %v", err)
	}
	res := f.raw(t, "GET", "/b/k%20x", "", "Authorization: "+signed("s3"))
	want := `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Key>k</Key><Resource>/b/k%20x</Resource><RequestId>` +
		res.Header.Get("x-amz-request-id") + `</RequestId><HostId>` + res.Header.Get("x-amz-id-2") + `</HostId></Error>`
	if got := text(t, res.Body); got != want || res.StatusCode != 404 || len(res.Header.Get("x-amz-request-id")) != 16 {
		t.Errorf("%d %s\nwant %s", res.StatusCode, got, want)
	}
	b.err = s3.MethodNotAllowed("no").WithHeader("x-amz-delete-marker", "true")
	_, err = client.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: new("b"), Key: new("k")})
	if r, ok := errors.AsType[*smithyhttp.ResponseError](err); !ok || r.HTTPStatusCode() != 405 || r.HTTPResponse().Header.Get("x-amz-delete-marker") != "true" {
		t.Errorf("error %v", err)
	}
	for body, code := range map[string]string{
		"<VersioningConfiguration><Status>Maybe</Status></VersioningConfiguration>": "MalformedXML",
		"<VersioningConfiguration><Status>Enabled</Status>":                         "MalformedXML",
		"<Other/>": "MalformedXML",
		"<!DOCTYPE x [<!ENTITY e \"x\">]><VersioningConfiguration><Status>&e;</Status></VersioningConfiguration>": "MalformedXML",
		"": "MissingRequestBodyError",
	} {
		res := f.raw(t, "PUT", "/b?versioning", body, "Authorization: "+signed("s3"))
		if got := text(t, res.Body); res.StatusCode != 400 || !strings.Contains(got, "<Code>"+code+"</Code>") {
			t.Errorf("%q: %d %s, want %s", body, res.StatusCode, got, code)
		}
	}
}

// A body that breaks off is not mistaken for a whole one.
func TestBrokenStreamCutsConnection(t *testing.T) {
	b := &breakingBackend{}
	f := serve(t, s3.Bind(b))
	res := f.raw(t, "GET", "/b/k", "", "Authorization: "+signed("s3"))
	if _, err := io.ReadAll(res.Body); err == nil {
		t.Error("the client saw no error")
	}
	if !strings.Contains(f.log.String(), "answer broke off") {
		t.Errorf("log: %s", f.log.String())
	}
}

type breakingBackend struct{ s3.Unimplemented }

func (breakingBackend) GetObject(context.Context, *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	return &s3.GetObjectOutput{Body: io.NopCloser(io.MultiReader(strings.NewReader(strings.Repeat("half", 1<<18)), failing{errors.New("disk")}))}, nil
}

type controlBackend struct {
	s3control.Unimplemented
}

func (controlBackend) ListTagsForResource(_ context.Context, in *s3control.ListTagsForResourceInput) (*s3control.ListTagsForResourceOutput, error) {
	return &s3control.ListTagsForResourceOutput{Tags: []s3control.Tag{{Key: in.ResourceArn, Value: in.AccountId}}}, nil
}

func (controlBackend) TagResource(_ context.Context, in *s3control.TagResourceInput) (*s3control.TagResourceOutput, error) {
	if len(in.Tags) != 1 || *in.Tags[0].Key != "k" {
		return nil, errors.New("tags did not arrive")
	}
	return nil, nil
}

// The calls by which Terraform reads and writes the tags of buckets.
func TestS3ControlTags(t *testing.T) {
	f, b, _ := store(t)
	auth := "Authorization: " + signed("s3")
	res := f.raw(t, "GET", "/v20180820/tags/arn%3Aaws%3As3%3A%3A%3Abucket", "", auth, "Host: 000000000000.localhost:4566", "X-Amz-Account-Id: 000000000000")
	if got, want := text(t, res.Body), `<ListTagsForResourceResult xmlns="http://awss3control.amazonaws.com/doc/2018-08-20/"><Tags><Tag><Key>arn:aws:s3:::bucket</Key><Value>000000000000</Value></Tag></Tags></ListTagsForResourceResult>`; !strings.HasSuffix(got, want) || res.StatusCode != 200 {
		t.Errorf("%d %s", res.StatusCode, got)
	}
	res = f.raw(t, "POST", "/v20180820/tags/arn%3Aaws%3As3%3A%3A%3Abucket", `<TagResourceRequest xmlns="http://awss3control.amazonaws.com/doc/2018-08-20/"><Tags><Tag><Key>k</Key><Value>v</Value></Tag></Tags></TagResourceRequest>`, auth)
	if res.StatusCode != 204 {
		t.Errorf("%d %s", res.StatusCode, text(t, res.Body))
	}
	res = f.raw(t, "DELETE", "/v20180820/tags/arn%3Aaws%3As3%3A%3A%3Abucket?tagKeys=a", "", auth)
	if got := text(t, res.Body); res.StatusCode != 501 || !strings.Contains(got, "<ErrorResponse><Error><Code>NotImplemented</Code>") {
		t.Errorf("%d %s", res.StatusCode, got)
	}
	if len(b.called) != 0 {
		t.Errorf("the bucket's backend was called: %v", b.called)
	}
}

// Presigned requests carry their scope in the query string.
func TestS3Presigned(t *testing.T) {
	_, b, client := store(t)
	url, err := sdk.NewPresignClient(client, func(o *sdk.PresignOptions) { o.Presigner = v4.NewSigner() }).
		PresignGetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String("b"), Key: aws.String("k")})
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Get(url.URL)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if in, ok := b.in.(*s3.GetObjectInput); !ok || *in.Key != "k" || res.StatusCode != 200 {
		t.Errorf("%d, input %+v", res.StatusCode, b.in)
	}
}
