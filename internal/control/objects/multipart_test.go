package objects_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
)

// begin starts an upload of the key "k".
func begin(t *testing.T, c *sdk.Client, change func(*sdk.CreateMultipartUploadInput)) *string {
	t.Helper()
	in := &sdk.CreateMultipartUploadInput{Bucket: new("bucket"), Key: new("k"), Metadata: map[string]string{"m": "1"}}
	if change != nil {
		change(in)
	}
	out, err := c.CreateMultipartUpload(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out.UploadId
}

// part uploads one part and returns what completing needs of it.
func part(t *testing.T, c *sdk.Client, id *string, n int32, body []byte) types.CompletedPart {
	t.Helper()
	out, err := c.UploadPart(t.Context(), &sdk.UploadPartInput{Bucket: new("bucket"), Key: new("k"), UploadId: id, PartNumber: &n, Body: bytes.NewReader(body)})
	if err != nil {
		t.Fatalf("part %d: %v", n, err)
	}
	return types.CompletedPart{PartNumber: &n, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32}
}

func complete(t *testing.T, c *sdk.Client, id *string, parts ...types.CompletedPart) (*sdk.CompleteMultipartUploadOutput, error) {
	return c.CompleteMultipartUpload(t.Context(), &sdk.CompleteMultipartUploadInput{Bucket: new("bucket"), Key: new("k"), UploadId: id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
}

func TestMultipart(t *testing.T) {
	_, c := start(t, true)
	one, two := random(5<<20), random(7)
	for _, kind := range []types.ChecksumType{"COMPOSITE", "FULL_OBJECT"} {
		id := begin(t, c, func(in *sdk.CreateMultipartUploadInput) { in.ChecksumAlgorithm, in.ChecksumType = "CRC32", kind })
		part(t, c, id, 2, []byte("replaced"))
		done, err := complete(t, c, id, part(t, c, id, 2, one), part(t, c, id, 9, two))
		if err != nil {
			t.Fatal(err)
		}
		whole := append(bytes.Clone(one), two...)
		if got := get(t, c, "k", *done.VersionId); got != string(whole) {
			t.Errorf("%s: object of %d bytes, want %d", kind, len(got), len(whole))
		}
		sum := crc32.NewIEEE()
		want := ""
		if kind == "FULL_OBJECT" {
			sum.Write(whole)
			want = base64.StdEncoding.EncodeToString(sum.Sum(nil))
		} else {
			for _, p := range [][]byte{one, two} {
				h := crc32.NewIEEE()
				h.Write(p)
				sum.Write(h.Sum(nil))
			}
			want = base64.StdEncoding.EncodeToString(sum.Sum(nil)) + "-2"
		}
		if aws.ToString(done.ChecksumCRC32) != want || done.ChecksumType != kind {
			t.Errorf("%s: checksum %s of type %s, want %s", kind, aws.ToString(done.ChecksumCRC32), done.ChecksumType, want)
		}
		attributes, err := c.GetObjectAttributes(t.Context(), &sdk.GetObjectAttributesInput{Bucket: new("bucket"), Key: new("k"), ObjectAttributes: []types.ObjectAttributes{"ObjectParts"}})
		if err != nil || *attributes.ObjectParts.TotalPartsCount != 2 || *attributes.ObjectParts.Parts[1].Size != 7 {
			t.Errorf("%s: parts %+v, %v", kind, attributes, err)
		}
		fails(t, "completed upload", second(complete(t, c, id, part0())), "NoSuchUpload", 404)
	}
	// A copy is of one piece again.
	out, err := c.CopyObject(t.Context(), &sdk.CopyObjectInput{Bucket: new("bucket"), Key: new("copy"), CopySource: new("bucket/k")})
	if err != nil || *out.CopyObjectResult.ETag != quotedMD5(append(bytes.Clone(one), two...)) {
		t.Errorf("copy %+v, %v", out, err)
	}
}

func part0() types.CompletedPart {
	return types.CompletedPart{PartNumber: new(int32(1)), ETag: new("x")}
}

func TestMultipartRefusals(t *testing.T) {
	_, c := start(t, false)
	id := begin(t, c, nil)
	small, last := part(t, c, id, 1, []byte("small")), part(t, c, id, 2, []byte("last"))
	fails(t, "too small", second(complete(t, c, id, small, last)), "EntityTooSmall", 400)
	fails(t, "order", second(complete(t, c, id, last, small)), "InvalidPartOrder", 400)
	fails(t, "twice", second(complete(t, c, id, last, last)), "InvalidPartOrder", 400)
	fails(t, "missing", second(complete(t, c, id, types.CompletedPart{PartNumber: new(int32(3)), ETag: last.ETag})), "InvalidPart", 400)
	fails(t, "other ETag", second(complete(t, c, id, types.CompletedPart{PartNumber: new(int32(1)), ETag: last.ETag})), "InvalidPart", 400)
	fails(t, "none", second(complete(t, c, id)), "MalformedXML", 400)
	upload := func(id *string, key string, n int32) error {
		return second(c.UploadPart(t.Context(), &sdk.UploadPartInput{Bucket: new("bucket"), Key: &key, UploadId: id, PartNumber: &n, Body: bytes.NewReader([]byte("x"))}))
	}
	fails(t, "part 0", upload(id, "k", 0), "InvalidArgument", 400)
	fails(t, "part 10001", upload(id, "k", 10_001), "InvalidArgument", 400)
	fails(t, "other key", upload(id, "other", 1), "NoSuchUpload", 404)
	fails(t, "no upload", upload(new("nothing"), "k", 1), "NoSuchUpload", 404)
	begun := func(algorithm types.ChecksumAlgorithm, kind types.ChecksumType) error {
		return second(c.CreateMultipartUpload(t.Context(), &sdk.CreateMultipartUploadInput{Bucket: new("bucket"), Key: new("k"), ChecksumAlgorithm: algorithm, ChecksumType: kind}))
	}
	fails(t, "SHA256 of the whole", begun("SHA256", "FULL_OBJECT"), "InvalidRequest", 400)
	fails(t, "CRC64NVME of parts", begun("CRC64NVME", "COMPOSITE"), "InvalidRequest", 400)
	if _, err := complete(t, c, id, small); err != nil { // a single part may be small
		t.Error(err)
	}
	aborted := begin(t, c, nil)
	abort := func() error {
		return second(c.AbortMultipartUpload(t.Context(), &sdk.AbortMultipartUploadInput{Bucket: new("bucket"), Key: new("k"), UploadId: aborted}))
	}
	if err := abort(); err != nil {
		t.Error(err)
	}
	fails(t, "aborted", abort(), "NoSuchUpload", 404)
}

func TestUploadPartCopy(t *testing.T) {
	_, c := start(t, false)
	body := random(6 << 20)
	put(t, c, "source", string(body))
	id := begin(t, c, nil)
	copyPart := func(n int32, bytesRange *string) (types.CompletedPart, error) {
		out, err := c.UploadPartCopy(t.Context(), &sdk.UploadPartCopyInput{Bucket: new("bucket"), Key: new("k"), UploadId: id, PartNumber: &n, CopySource: new("bucket/source"), CopySourceRange: bytesRange})
		if err != nil {
			return types.CompletedPart{}, err
		}
		return types.CompletedPart{PartNumber: &n, ETag: out.CopyPartResult.ETag}, nil
	}
	one, err1 := copyPart(1, nil)
	two, err2 := copyPart(2, new("bytes=10-19"))
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	fails(t, "bad range", second(copyPart(3, new("bytes=10-"+"x"))), "InvalidArgument", 400)
	if _, err := complete(t, c, id, one, two); err != nil {
		t.Fatal(err)
	}
	if got := get(t, c, "k", ""); got != string(body)+string(body[10:20]) {
		t.Errorf("object of %d bytes", len(got))
	}
}

func TestListUploadsAndParts(t *testing.T) {
	_, c := start(t, false)
	id := begin(t, c, nil)
	for n := int32(1); n <= 5; n++ {
		part(t, c, id, n*3, fmt.Appendf(nil, "part %d", n))
	}
	var numbers []int32
	for pages := sdk.NewListPartsPaginator(c, &sdk.ListPartsInput{Bucket: new("bucket"), Key: new("k"), UploadId: id, MaxParts: new(int32(2))}); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page.Parts {
			numbers = append(numbers, *p.PartNumber)
		}
	}
	if diff := cmp.Diff([]int32{3, 6, 9, 12, 15}, numbers); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
	want := []string{"k@" + *id}
	for _, key := range []string{"k", "d/1", "d/2", "a"} {
		out, err := c.CreateMultipartUpload(t.Context(), &sdk.CreateMultipartUploadInput{Bucket: new("bucket"), Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, key+"@"+*out.UploadId)
	}
	want = []string{want[4], want[2], want[3], want[0], want[1]} // by key, then by age
	for limit := int32(1); limit <= 6; limit++ {
		var got []string
		in := &sdk.ListMultipartUploadsInput{Bucket: new("bucket"), MaxUploads: &limit}
		for {
			out, err := c.ListMultipartUploads(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range out.Uploads {
				got = append(got, *u.Key+"@"+*u.UploadId)
			}
			if !*out.IsTruncated || len(got) > 20 {
				break
			}
			in.KeyMarker, in.UploadIdMarker = out.NextKeyMarker, out.NextUploadIdMarker
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("limit %d (-want +got):\n%s", limit, diff)
		}
	}
	out, err := c.ListMultipartUploads(t.Context(), &sdk.ListMultipartUploadsInput{Bucket: new("bucket"), Delimiter: new("/"), Prefix: new("d")})
	if err != nil || len(out.Uploads) != 0 || len(out.CommonPrefixes) != 1 || *out.CommonPrefixes[0].Prefix != "d/" {
		t.Errorf("with a delimiter: %+v, %v", out, err)
	}
}
