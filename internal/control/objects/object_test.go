package objects_test

//lint:file-ignore SA1019 the manager is what most programs still upload with

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
)

func setVersioning(t *testing.T, c *sdk.Client, status types.BucketVersioningStatus) {
	t.Helper()
	if _, err := c.PutBucketVersioning(t.Context(), &sdk.PutBucketVersioningInput{Bucket: new("bucket"),
		VersioningConfiguration: &types.VersioningConfiguration{Status: status}}); err != nil {
		t.Fatal(err)
	}
}

func quotedMD5(b []byte) string {
	sum := md5.Sum(b)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func TestPutGetHead(t *testing.T) {
	_, c := start(t, false)
	body := []byte("certificate")
	put, err := c.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: new("bucket"), Key: new("dir//ä b+c%.pem"), Body: bytes.NewReader(body),
		ContentType: new("application/x-pem-file"), CacheControl: new("no-cache"), ContentDisposition: new("attachment"), ContentEncoding: new("identity"),
		ContentLanguage: new("de"), Metadata: map[string]string{"Owner": "me", "empty": ""}, Tagging: new("a=b&c%20d=%2F"), StorageClass: types.StorageClassStandardIa})
	if err != nil {
		t.Fatal(err)
	}
	if *put.ETag != quotedMD5(body) || put.VersionId != nil || put.ServerSideEncryption != "AES256" {
		t.Errorf("put answers %+v", put)
	}
	head, err := c.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: new("bucket"), Key: new("dir//ä b+c%.pem"), ChecksumMode: types.ChecksumModeEnabled})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{"type": *head.ContentType, "cache": *head.CacheControl, "disposition": *head.ContentDisposition, "encoding": *head.ContentEncoding,
		"language": *head.ContentLanguage, "meta": head.Metadata, "length": *head.ContentLength, "etag": *head.ETag, "version": head.VersionId == nil,
		"class": string(head.StorageClass), "tags": *head.TagCount, "checksum": *head.ChecksumCRC32, "checksum type": string(head.ChecksumType)}
	want := map[string]any{"type": "application/x-pem-file", "cache": "no-cache", "disposition": "attachment", "encoding": "identity",
		"language": "de", "meta": map[string]string{"owner": "me", "empty": ""}, "length": int64(len(body)), "etag": quotedMD5(body), "version": true,
		"class": "STANDARD_IA", "tags": int32(2), "checksum": *put.ChecksumCRC32, "checksum type": "FULL_OBJECT"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("head (-want +got):\n%s", diff)
	}
	out, err := c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: new("bucket"), Key: new("dir//ä b+c%.pem"), ResponseContentType: new("text/plain")})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(out.Body); err != nil || !bytes.Equal(b, body) || *out.ContentType != "text/plain" {
		t.Errorf("get answers %q as %s, %v", b, *out.ContentType, err)
	}
	for what, err := range map[string]error{
		"head of nothing": second(c.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: new("bucket"), Key: new("nothing")})),
	} {
		fails(t, what, err, "", 404)
	}
	fails(t, "get of nothing", second(c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: new("bucket"), Key: new("nothing")})), "NoSuchKey", 404)
	fails(t, "get in no bucket", second(c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: new("nobucket"), Key: new("k")})), "NoSuchBucket", 404)
	fails(t, "another owner", second(c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: new("bucket"), Key: new("dir//ä b+c%.pem"), ExpectedBucketOwner: new("111111111111")})), "AccessDenied", 403)
}

// second drops the output of a call.
func second[T any](_ T, err error) error { return err }

func TestRanges(t *testing.T) {
	_, c := start(t, false)
	body := string(random(2<<20 + 17)) // three chunks of the store
	put(t, c, "k", body)
	put(t, c, "empty", "")
	size := len(body)
	for _, r := range []struct {
		header   string
		from, to int // to is exclusive
		whole    bool
	}{
		{"bytes=0-0", 0, 1, false},
		{"bytes=0-", 0, size, false},
		{"bytes=1048575-1048576", 1048575, 1048577, false},
		{"bytes=-5", size - 5, size, false},
		{"bytes=-99999999", 0, size, false},
		{"bytes=2097160-99999999", 2097160, size, false},
		{"bytes=5-4", 0, size, true},
		{"bytes=0-1,3-4", 0, size, true},
		{"lines=1-2", 0, size, true},
		{"bytes=", 0, size, true},
	} {
		out, err := c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: new("bucket"), Key: new("k"), Range: &r.header})
		if err != nil {
			t.Errorf("%s: %v", r.header, err)
			continue
		}
		got, err := io.ReadAll(out.Body)
		if err != nil || string(got) != body[r.from:r.to] {
			t.Errorf("%s: %d bytes, %v; want %d", r.header, len(got), err, r.to-r.from)
		}
		if (out.ContentRange == nil) != r.whole {
			t.Errorf("%s: Content-Range %v", r.header, aws.ToString(out.ContentRange))
		}
	}
	for _, bad := range []string{"bytes=99999999-", "bytes=-0"} {
		fails(t, bad, second(c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: new("bucket"), Key: new("k"), Range: &bad})), "InvalidRange", 416)
	}
	fails(t, "range of nothing", second(c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: new("bucket"), Key: new("empty"), Range: new("bytes=0-")})), "InvalidRange", 416)
	head, err := c.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: new("bucket"), Key: new("k"), Range: new("bytes=0-9")})
	if err != nil || *head.ContentLength != 10 {
		t.Errorf("head of a range: %+v, %v", head, err)
	}
}

func TestConditions(t *testing.T) {
	_, c := start(t, false)
	put(t, c, "k", "body")
	etag, other := quotedMD5([]byte("body")), `"0123456789abcdef0123456789abcdef"`
	head, err := c.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: new("bucket"), Key: new("k")})
	if err != nil {
		t.Fatal(err)
	}
	now, before, after := *head.LastModified, head.LastModified.Add(-time.Hour), head.LastModified.Add(time.Hour)
	for _, r := range []struct {
		name   string
		in     sdk.GetObjectInput
		status int // 0 is success
	}{
		{"match", sdk.GetObjectInput{IfMatch: &etag}, 0},
		{"match any", sdk.GetObjectInput{IfMatch: new("*")}, 0},
		{"match other", sdk.GetObjectInput{IfMatch: &other}, 412},
		{"none match other", sdk.GetObjectInput{IfNoneMatch: &other}, 0},
		{"none match", sdk.GetObjectInput{IfNoneMatch: &etag}, 304},
		{"modified since before", sdk.GetObjectInput{IfModifiedSince: &before}, 0},
		{"modified since then", sdk.GetObjectInput{IfModifiedSince: &now}, 304},
		{"unmodified since then", sdk.GetObjectInput{IfUnmodifiedSince: &now}, 0},
		{"unmodified since before", sdk.GetObjectInput{IfUnmodifiedSince: &before}, 412},
		{"a match outweighs a time", sdk.GetObjectInput{IfMatch: &etag, IfUnmodifiedSince: &before}, 0},
		{"no match outweighs a time", sdk.GetObjectInput{IfNoneMatch: &other, IfModifiedSince: &after}, 0},
	} {
		r.in.Bucket, r.in.Key = new("bucket"), new("k")
		_, err := c.GetObject(t.Context(), &r.in)
		if r.status == 0 && err != nil {
			t.Errorf("%s: %v", r.name, err)
		} else if r.status != 0 {
			fails(t, r.name, err, "", r.status)
		}
	}
	write := func(key string, match, noneMatch *string) error {
		return second(c.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: new("bucket"), Key: &key, Body: strings.NewReader("body"), IfMatch: match, IfNoneMatch: noneMatch}))
	}
	fails(t, "write unless there", write("k", nil, new("*")), "PreconditionFailed", 412)
	fails(t, "write over another", write("k", &other, nil), "PreconditionFailed", 412)
	fails(t, "write over nothing", write("nothing", &etag, nil), "NoSuchKey", 404)
	if err := errors.Join(write("new", nil, new("*")), write("k", &etag, nil)); err != nil {
		t.Error(err)
	}
}

func TestDigests(t *testing.T) {
	s, c := start(t, false)
	sum := md5.Sum([]byte("body"))
	good := base64.StdEncoding.EncodeToString(sum[:])
	send := func(change func(*sdk.PutObjectInput)) error {
		in := &sdk.PutObjectInput{Bucket: new("bucket"), Key: new("k"), Body: strings.NewReader("body")}
		change(in)
		return second(c.PutObject(t.Context(), in))
	}
	if err := send(func(in *sdk.PutObjectInput) { in.ContentMD5 = &good }); err != nil {
		t.Error(err)
	}
	fails(t, "wrong MD5", send(func(in *sdk.PutObjectInput) { in.ContentMD5 = new("1B2M2Y8AsgTpgAmY7PhCfg==") }), "BadDigest", 400)
	fails(t, "no MD5", send(func(in *sdk.PutObjectInput) { in.ContentMD5 = new("xx") }), "InvalidDigest", 400)
	fails(t, "wrong CRC32", send(func(in *sdk.PutObjectInput) { in.ChecksumCRC32 = new("AAAAAA==") }), "BadDigest", 400)
	for _, algorithm := range []types.ChecksumAlgorithm{"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"} {
		if err := send(func(in *sdk.PutObjectInput) { in.ChecksumAlgorithm = algorithm }); err != nil {
			t.Errorf("%s: %v", algorithm, err)
			continue
		}
		attributes, err := c.GetObjectAttributes(t.Context(), &sdk.GetObjectAttributesInput{Bucket: new("bucket"), Key: new("k"),
			ObjectAttributes: []types.ObjectAttributes{"Checksum", "ETag", "ObjectSize", "StorageClass"}})
		if err != nil || attributes.Checksum.ChecksumType != "FULL_OBJECT" || *attributes.ObjectSize != 4 || *attributes.ETag != strings.Trim(quotedMD5([]byte("body")), `"`) {
			t.Errorf("%s: %+v, %v", algorithm, attributes, err)
		}
		// The SDK compares the content with the checksum while it reads.
		out, err := c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: new("bucket"), Key: new("k"), ChecksumMode: "ENABLED"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(out.Body); err != nil {
			t.Errorf("%s: %v", algorithm, err)
		}
	}
	// A client that computes no checksum: S3 does, CRC64NVME.
	plain := s.client(func(o *sdk.Options) { o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired })
	put(t, plain, "plain", "123456789")
	head, err := c.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: new("bucket"), Key: new("plain"), ChecksumMode: "ENABLED"})
	// The check value of CRC-64/NVME for "123456789" is ae8b14860a799888.
	if err != nil || aws.ToString(head.ChecksumCRC64NVME) != base64.StdEncoding.EncodeToString([]byte{0xae, 0x8b, 0x14, 0x86, 0x0a, 0x79, 0x98, 0x88}) {
		t.Errorf("CRC64NVME is %s, %v", aws.ToString(head.ChecksumCRC64NVME), err)
	}
}

func TestVersions(t *testing.T) {
	_, c := start(t, false)
	if v := put(t, c, "k", "before"); v != "" {
		t.Errorf("version id %q in a bucket without versioning", v)
	}
	setVersioning(t, c, "Enabled")
	one, two := put(t, c, "k", "one"), put(t, c, "k", "two")
	if one == "" || one == two {
		t.Errorf("versions %q, %q", one, two)
	}
	for version, want := range map[string]string{"": "two", one: "one", two: "two", "null": "before"} {
		if got := get(t, c, "k", version); got != want {
			t.Errorf("version %q holds %q, want %q", version, got, want)
		}
	}
	deleted, err := c.DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: new("bucket"), Key: new("k")})
	if err != nil || !aws.ToBool(deleted.DeleteMarker) || aws.ToString(deleted.VersionId) == "" {
		t.Fatalf("delete answers %+v, %v", deleted, err)
	}
	read := func(version *string) error {
		return second(c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: new("bucket"), Key: new("k"), VersionId: version}))
	}
	fails(t, "deleted", read(nil), "NoSuchKey", 404)
	fails(t, "delete marker", read(deleted.VersionId), "MethodNotAllowed", 405)
	fails(t, "no such version", read(new(strings.Repeat("x", 32))), "NoSuchVersion", 404)
	fails(t, "no version id", read(new("what?")), "InvalidArgument", 400)
	if get(t, c, "k", one) != "one" {
		t.Error("an older version went with the delete marker")
	}
	// Removing the marker brings the object back; removing a version is for good.
	if _, err := c.DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: new("bucket"), Key: new("k"), VersionId: deleted.VersionId}); err != nil {
		t.Fatal(err)
	}
	if got := get(t, c, "k", ""); got != "two" {
		t.Errorf("without the marker the object is %q, want two", got)
	}
	if _, err := c.DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: new("bucket"), Key: new("k"), VersionId: &two}); err != nil {
		t.Fatal(err)
	}
	fails(t, "removed", read(&two), "NoSuchVersion", 404)

	setVersioning(t, c, "Suspended")
	if v := put(t, c, "k", "suspended"); v != "null" {
		t.Errorf("version id %q while suspended, want null", v)
	}
	if got := get(t, c, "k", "null"); got != "suspended" {
		t.Errorf("null version is %q", got)
	}
	list, err := c.ListObjectVersions(t.Context(), &sdk.ListObjectVersionsInput{Bucket: new("bucket")})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range list.Versions {
		got = append(got, *v.VersionId)
	}
	if diff := cmp.Diff([]string{"null", one}, got); diff != "" || !*list.Versions[0].IsLatest || *list.Versions[1].IsLatest {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
}

func TestDeleteObjects(t *testing.T) {
	_, c := start(t, true)
	a := put(t, c, "a", "1")
	put(t, c, "b", "1")
	out, err := c.DeleteObjects(t.Context(), &sdk.DeleteObjectsInput{Bucket: new("bucket"), Delete: &types.Delete{Objects: []types.ObjectIdentifier{
		{Key: new("a"), VersionId: &a}, {Key: new("b")}, {Key: new("never")}, {Key: new("b"), VersionId: new("bad!")},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Deleted) != 3 || !aws.ToBool(out.Deleted[1].DeleteMarker) || len(out.Errors) != 1 || *out.Errors[0].Code != "InvalidArgument" {
		t.Errorf("answer %+v, errors %+v", out.Deleted, out.Errors)
	}
	fails(t, "nothing to delete", second(c.DeleteObjects(t.Context(), &sdk.DeleteObjectsInput{Bucket: new("bucket"), Delete: &types.Delete{Objects: []types.ObjectIdentifier{}}})), "MalformedXML", 400)
}

func TestCopy(t *testing.T) {
	_, c := start(t, true)
	if _, err := c.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: new("bucket"), Key: new("a b/ü"), Body: strings.NewReader("body"),
		Metadata: map[string]string{"k": "v"}, ContentType: new("text/x"), Tagging: new("t=1")}); err != nil {
		t.Fatal(err)
	}
	out, err := c.CopyObject(t.Context(), &sdk.CopyObjectInput{Bucket: new("bucket"), Key: new("copy"), CopySource: new("bucket/a%20b/%C3%BC")})
	if err != nil || *out.CopyObjectResult.ETag != quotedMD5([]byte("body")) || aws.ToString(out.CopySourceVersionId) == "" {
		t.Fatalf("copy answers %+v, %v", out, err)
	}
	head, err := c.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: new("bucket"), Key: new("copy")})
	if err != nil || head.Metadata["k"] != "v" || *head.ContentType != "text/x" || aws.ToInt32(head.TagCount) != 1 {
		t.Errorf("copy is %+v, %v", head, err)
	}
	// The original may go; the copy keeps the content.
	if _, err := c.DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: new("bucket"), Key: new("a b/ü"), VersionId: out.CopySourceVersionId}); err != nil {
		t.Fatal(err)
	}
	if got := get(t, c, "copy", ""); got != "body" {
		t.Errorf("copy holds %q", got)
	}
	again := func(in *sdk.CopyObjectInput) error {
		in.Bucket, in.Key = new("bucket"), new("copy")
		return second(c.CopyObject(t.Context(), in))
	}
	fails(t, "onto itself", again(&sdk.CopyObjectInput{CopySource: new("bucket/copy")}), "InvalidRequest", 400)
	fails(t, "of nothing", again(&sdk.CopyObjectInput{CopySource: new("bucket/nothing")}), "NoSuchKey", 404)
	fails(t, "no source", again(&sdk.CopyObjectInput{CopySource: new("bucket/")}), "InvalidArgument", 400)
	fails(t, "unless matching", again(&sdk.CopyObjectInput{CopySource: new("bucket/copy"), CopySourceIfNoneMatch: out.CopyObjectResult.ETag}), "PreconditionFailed", 412)
	if err := again(&sdk.CopyObjectInput{CopySource: new("bucket/copy"), MetadataDirective: "REPLACE", Metadata: map[string]string{"new": "1"}, ChecksumAlgorithm: "SHA256"}); err != nil {
		t.Fatal(err)
	}
	head, err = c.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: new("bucket"), Key: new("copy"), ChecksumMode: "ENABLED"})
	if err != nil || head.Metadata["new"] != "1" || head.Metadata["k"] != "" || head.ChecksumSHA256 == nil {
		t.Errorf("replaced is %+v, %v", head, err)
	}
}

func TestTagging(t *testing.T) {
	_, c := start(t, true)
	v := put(t, c, "k", "body")
	tags := []types.Tag{{Key: new("b"), Value: new("2")}, {Key: new("a"), Value: new("")}}
	if _, err := c.PutObjectTagging(t.Context(), &sdk.PutObjectTaggingInput{Bucket: new("bucket"), Key: new("k"), Tagging: &types.Tagging{TagSet: tags}}); err != nil {
		t.Fatal(err)
	}
	got, err := c.GetObjectTagging(t.Context(), &sdk.GetObjectTaggingInput{Bucket: new("bucket"), Key: new("k")})
	if err != nil || len(got.TagSet) != 2 || *got.TagSet[0].Key != "b" || *got.VersionId != v {
		t.Errorf("tags %+v, %v", got, err)
	}
	tooMany := make([]types.Tag, 11)
	for i := range tooMany {
		tooMany[i] = types.Tag{Key: new(string(rune('a' + i))), Value: new("")}
	}
	for name, bad := range map[string][]types.Tag{"twice": {tags[0], tags[0]}, "aws:": {{Key: new("aws:x"), Value: new("")}}, "long": {{Key: new(strings.Repeat("k", 129)), Value: new("")}}} {
		fails(t, name, second(c.PutObjectTagging(t.Context(), &sdk.PutObjectTaggingInput{Bucket: new("bucket"), Key: new("k"), Tagging: &types.Tagging{TagSet: bad}})), "InvalidTag", 400)
	}
	fails(t, "too many", second(c.PutObjectTagging(t.Context(), &sdk.PutObjectTaggingInput{Bucket: new("bucket"), Key: new("k"), Tagging: &types.Tagging{TagSet: tooMany}})), "BadRequest", 400)
	if _, err := c.DeleteObjectTagging(t.Context(), &sdk.DeleteObjectTaggingInput{Bucket: new("bucket"), Key: new("k")}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.GetObjectTagging(t.Context(), &sdk.GetObjectTaggingInput{Bucket: new("bucket"), Key: new("k")}); err != nil || len(got.TagSet) != 0 {
		t.Errorf("tags after deletion %+v, %v", got, err)
	}
}

func TestManager(t *testing.T) {
	_, c := start(t, false)
	body := random(17<<20 + 5)
	up := manager.NewUploader(c, func(u *manager.Uploader) { u.PartSize = 5 << 20; u.Concurrency = 3 })
	// A plain reader, so that the manager must cut it as it comes.
	out, err := up.Upload(t.Context(), &sdk.PutObjectInput{Bucket: new("bucket"), Key: new("large"), Body: struct{ io.Reader }{bytes.NewReader(body)}, Metadata: map[string]string{"k": "v"}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(*out.ETag, `-4"`) || !strings.HasSuffix(out.Location, "/bucket/large") {
		t.Errorf("upload answers ETag %s, location %s", *out.ETag, out.Location)
	}
	buf := manager.NewWriteAtBuffer(nil)
	if _, err := manager.NewDownloader(c, func(d *manager.Downloader) { d.PartSize = 5 << 20 }).Download(t.Context(), buf,
		&sdk.GetObjectInput{Bucket: new("bucket"), Key: new("large")}); err != nil || !bytes.Equal(buf.Bytes(), body) {
		t.Errorf("download: %d bytes, %v", len(buf.Bytes()), err)
	}
	part, err := c.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: new("bucket"), Key: new("large"), PartNumber: new(int32(4))})
	if err != nil || *part.ContentLength != 2<<20+5 || *part.PartsCount != 4 || part.Metadata["k"] != "v" {
		t.Errorf("part 4 is %+v, %v", part, err)
	}
}

// A body that ends early, or is not what was announced, leaves nothing behind.
func TestBrokenUpload(t *testing.T) {
	s, c := start(t, false)
	ctx, cancel := context.WithCancel(t.Context())
	broken := io.MultiReader(bytes.NewReader(random(3<<20)), readerFunc(func([]byte) (int, error) { cancel(); return 0, io.ErrUnexpectedEOF }))
	if _, err := c.PutObject(ctx, &sdk.PutObjectInput{Bucket: new("bucket"), Key: new("k"), Body: broken, ContentLength: new(int64(6 << 20))},
		sdk.WithAPIOptions(v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)); err == nil {
		t.Error("a broken upload succeeded")
	}
	fails(t, "after a broken upload", second(c.GetObject(t.Context(), &sdk.GetObjectInput{Bucket: new("bucket"), Key: new("k")})), "NoSuchKey", 404)
	res, err := http.Get(s.url + "/bucket/k")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 403 {
		t.Errorf("anonymous read: status %d, want 403", res.StatusCode)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
