package objects_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
)

// walkV2 lists a bucket page by page and returns keys and common prefixes as they come.
func walkV2(t *testing.T, c *sdk.Client, in sdk.ListObjectsV2Input) (entries []string) {
	t.Helper()
	in.Bucket = new("bucket")
	for pages := 0; ; pages++ {
		out, err := c.ListObjectsV2(t.Context(), &in)
		if err != nil {
			t.Fatal(err)
		}
		var page []string
		for _, o := range out.Contents {
			page = append(page, *o.Key)
		}
		for _, p := range out.CommonPrefixes {
			page = append(page, *p.Prefix+"…")
		}
		slices.Sort(page)
		entries = append(entries, page...)
		if int(*out.KeyCount) != len(page) || in.MaxKeys != nil && len(page) > int(*in.MaxKeys) {
			t.Fatalf("page of %d, KeyCount %d", len(page), *out.KeyCount)
		}
		if !*out.IsTruncated || pages > 100 {
			return entries
		}
		in.ContinuationToken = out.NextContinuationToken
	}
}

// walkV1 is walkV2 for the first version of the list, which continues from markers.
func walkV1(t *testing.T, c *sdk.Client, in sdk.ListObjectsInput) (entries []string) {
	t.Helper()
	in.Bucket = new("bucket")
	for pages := 0; ; pages++ {
		out, err := c.ListObjects(t.Context(), &in)
		if err != nil {
			t.Fatal(err)
		}
		var page []string
		for _, o := range out.Contents {
			page = append(page, *o.Key)
		}
		for _, p := range out.CommonPrefixes {
			page = append(page, *p.Prefix+"…")
		}
		slices.Sort(page)
		entries = append(entries, page...)
		if !*out.IsTruncated || pages > 100 {
			return entries
		}
		if in.Marker = out.NextMarker; in.Marker == nil { // without a delimiter: the last key
			in.Marker = out.Contents[len(out.Contents)-1].Key
		}
	}
}

// expected lists keys as S3 says it does, without knowing how.
func expected(keys []string, prefix, delimiter, after string) (entries []string) {
	for _, k := range slices.Sorted(slices.Values(keys)) {
		rest, ok := strings.CutPrefix(k, prefix)
		if !ok || k <= after {
			continue
		}
		if i := strings.Index(rest, delimiter); delimiter != "" && i >= 0 {
			k = prefix + rest[:i+len(delimiter)] + "…"
		}
		if !slices.Contains(entries, k) {
			entries = append(entries, k)
		}
	}
	return entries
}

func TestListsAgreeWithTheirDefinition(t *testing.T) {
	_, c := start(t, false)
	letters := []string{"a", "b", "/", "-", "ü", "\U0001F600"}
	r := rand.New(rand.NewPCG(1, 2))
	var keys []string
	for len(keys) < 60 {
		var b strings.Builder
		for range 1 + r.IntN(5) {
			b.WriteString(letters[r.IntN(len(letters))])
		}
		if k := b.String(); !slices.Contains(keys, k) {
			keys = append(keys, k)
			put(t, c, k, "")
		}
	}
	for range 60 {
		prefix, delimiter, after := "", "", ""
		if r.IntN(2) == 0 {
			prefix = letters[r.IntN(len(letters))]
		}
		if r.IntN(3) > 0 {
			delimiter = []string{"/", "-", "ü", "a/"}[r.IntN(4)]
		}
		want := expected(keys, prefix, delimiter, "")
		if r.IntN(2) == 0 && len(keys) > 0 {
			after = keys[r.IntN(len(keys))]
			// Behind a key that is a common prefix itself, S3 and we are past its group.
			if delimiter != "" && strings.HasSuffix(after, delimiter) {
				after = ""
			}
			want = expected(keys, prefix, delimiter, after)
		}
		limit := int32(1 + r.IntN(8))
		name := fmt.Sprintf("prefix %q, delimiter %q, after %q, limit %d", prefix, delimiter, after, limit)
		got := walkV2(t, c, sdk.ListObjectsV2Input{Prefix: &prefix, Delimiter: &delimiter, StartAfter: &after, MaxKeys: &limit})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		got = walkV1(t, c, sdk.ListObjectsInput{Prefix: &prefix, Delimiter: &delimiter, Marker: &after, MaxKeys: &limit})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("first version: %s (-want +got):\n%s", name, diff)
		}
	}
}

func TestListDetails(t *testing.T) {
	_, c := start(t, false)
	put(t, c, "a b/ü+&<", "body")
	out, err := c.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: new("bucket"), FetchOwner: new(true)})
	if err != nil {
		t.Fatal(err)
	}
	o := out.Contents[0]
	if *o.Key != "a b/ü+&<" || *o.ETag != quotedMD5([]byte("body")) || *o.Size != 4 || o.StorageClass != "STANDARD" || o.Owner == nil || len(o.ChecksumAlgorithm) != 1 {
		t.Errorf("entry %+v", o)
	}
	if out, err = c.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: new("bucket"), EncodingType: "url", Delimiter: new("/")}); err != nil || *out.CommonPrefixes[0].Prefix != "a%20b/" {
		t.Errorf("escaped %+v, %v", out, err)
	}
	if out, err = c.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: new("bucket"), MaxKeys: new(int32(0))}); err != nil || *out.IsTruncated || *out.KeyCount != 0 {
		t.Errorf("no keys wanted: %+v, %v", out, err)
	}
	fails(t, "bad token", second(c.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: new("bucket"), ContinuationToken: new("xx")})), "InvalidArgument", 400)
	fails(t, "negative limit", second(c.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: new("bucket"), MaxKeys: new(int32(-1))})), "InvalidArgument", 400)
	fails(t, "bad encoding", second(c.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: new("bucket"), EncodingType: "x"})), "InvalidArgument", 400)
}

func TestListVersionsByPage(t *testing.T) {
	_, c := start(t, true)
	var want []string // newest first within a key
	for _, k := range []string{"a", "d/1", "d/2", "z"} {
		var versions []string
		for i := range 3 {
			versions = append(versions, k+"@"+put(t, c, k, fmt.Sprint(i)))
		}
		slices.Reverse(versions)
		want = append(want, versions...)
	}
	marker, err := c.DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: new("bucket"), Key: new("z")})
	if err != nil {
		t.Fatal(err)
	}
	want = slices.Insert(want, 9, "z@"+*marker.VersionId)
	for limit := int32(1); limit <= 14; limit++ {
		var got []string
		in := &sdk.ListObjectVersionsInput{Bucket: new("bucket"), MaxKeys: &limit}
		for {
			out, err := c.ListObjectVersions(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			// A page lists delete markers apart; here the only one is the newest of its key.
			for _, m := range out.DeleteMarkers {
				got = append(got, *m.Key+"@"+*m.VersionId)
			}
			page := []string{}
			for _, v := range out.Versions {
				page = append(page, *v.Key+"@"+*v.VersionId)
			}
			if n := len(out.DeleteMarkers); n > 0 { // it stands before the z versions of its page
				at := slices.IndexFunc(page, func(e string) bool { return e[0] == 'z' })
				if at < 0 {
					at = len(page)
				}
				m := got[len(got)-1]
				got = append(got[:len(got)-1], slices.Insert(page, at, m)...)
			} else {
				got = append(got, page...)
			}
			if !*out.IsTruncated {
				break
			}
			in.KeyMarker, in.VersionIdMarker = out.NextKeyMarker, out.NextVersionIdMarker
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("limit %d (-want +got):\n%s", limit, diff)
		}
	}
	out, err := c.ListObjectVersions(t.Context(), &sdk.ListObjectVersionsInput{Bucket: new("bucket"), Delimiter: new("/")})
	if err != nil || len(out.CommonPrefixes) != 1 || *out.CommonPrefixes[0].Prefix != "d/" || len(out.Versions) != 6 {
		t.Errorf("with a delimiter: %+v, %v", out, err)
	}
	fails(t, "marker without key", second(c.ListObjectVersions(t.Context(), &sdk.ListObjectVersionsInput{Bucket: new("bucket"), VersionIdMarker: marker.VersionId})), "InvalidArgument", 400)
}

// Terraform's force_destroy deletes each page before it asks for the next.
func TestDeletingPageByPage(t *testing.T) {
	_, c := start(t, true)
	for range 5 {
		put(t, c, "a", "x")
		put(t, c, "b", "x")
	}
	in := &sdk.ListObjectVersionsInput{Bucket: new("bucket"), MaxKeys: new(int32(3))}
	for pages := 0; ; pages++ {
		out, err := c.ListObjectVersions(t.Context(), in)
		if err != nil || pages > 10 {
			t.Fatal(pages, err)
		}
		var ids []types.ObjectIdentifier
		for _, v := range out.Versions {
			ids = append(ids, types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
		}
		if _, err := c.DeleteObjects(t.Context(), &sdk.DeleteObjectsInput{Bucket: new("bucket"), Delete: &types.Delete{Objects: ids, Quiet: new(true)}}); err != nil {
			t.Fatal(err)
		}
		if !aws.ToBool(out.IsTruncated) {
			break
		}
		in.KeyMarker, in.VersionIdMarker = out.NextKeyMarker, out.NextVersionIdMarker
	}
	if _, err := c.DeleteBucket(t.Context(), &sdk.DeleteBucketInput{Bucket: new("bucket")}); err != nil {
		t.Error(err)
	}
}
