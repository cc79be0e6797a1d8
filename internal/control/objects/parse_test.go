package objects

import (
	"encoding/base64"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"math/rand/v2"
	"strings"
	"testing"
)

// The CRC of a whole is that of its parts, combined.
func TestCombine(t *testing.T) {
	for name, table := range map[string]func() hash.Hash{
		"CRC32":     func() hash.Hash { return crc32.NewIEEE() },
		"CRC32C":    func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
		"CRC64NVME": func() hash.Hash { return crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5)) },
	} {
		r := rand.New(rand.NewPCG(1, 2))
		for range 50 {
			var values []string
			var sizes []int64
			whole := table()
			for range 1 + r.IntN(5) {
				part := make([]byte, r.IntN(5000))
				for i := range part {
					part[i] = byte(r.Uint32())
				}
				h := table()
				h.Write(part)
				whole.Write(part)
				values = append(values, base64.StdEncoding.EncodeToString(h.Sum(nil)))
				sizes = append(sizes, int64(len(part)))
			}
			got, err := compose(name, fullObject, values, sizes)
			if want := base64.StdEncoding.EncodeToString(whole.Sum(nil)); err != nil || got.Value != want {
				t.Fatalf("%s of parts of %v: %s, %v; want %s", name, sizes, got.Value, err, want)
			}
		}
	}
}

// FuzzRange: a range lies within the object, and one that is printed as it was chosen
// chooses the same again.
func FuzzRange(f *testing.F) {
	for _, seed := range []string{"bytes=0-1", "bytes=-5", "bytes=3-", "bytes=5-4", "bytes=0-0,1-1", "bytes=99999999999999999999-", "bytes=--1"} {
		f.Add(seed, int64(10))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			return
		}
		from, length, partial, err := chooseRange(header, size)
		if err != nil {
			return
		}
		if from < 0 || length < 0 || from+length > size || !partial && (from != 0 || length != size) || partial && length == 0 {
			t.Fatalf("%q of %d bytes: from %d, %d bytes, partial %v", header, size, from, length, partial)
		}
	})
}

// FuzzCopySource: what is read names a bucket and a key, and printed again reads the same.
func FuzzCopySource(f *testing.F) {
	for _, seed := range []string{"bucket/key", "/bucket/a%20b/c", "bucket/key?versionId=null", "bucket", "b/%zz", "b/k?x=y"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		bucket, key, version, err := copySource(header)
		if err != nil {
			return
		}
		if bucket == "" || key == "" || strings.Contains(bucket, "/") {
			t.Fatalf("%q: bucket %q, key %q", header, bucket, key)
		}
		again := escape(bucket) + "/" + escape(key)
		if version != "" {
			again += "?versionId=" + version
		}
		b, k, v, err := copySource(again)
		if b != bucket || k != key || v != version || err != nil {
			t.Errorf("%q, then %q: %q %q %q, %v", header, again, b, k, v, err)
		}
	})
}

func escape(s string) string { return *shower{escaped: true}.show(s) }

// FuzzTokens: a token reads as what it was made of, and nothing else reads.
func FuzzTokens(f *testing.F) {
	f.Add("key", "")
	f.Add("", makeToken("a"))
	f.Fuzz(func(t *testing.T, last, token string) {
		if got, err := readToken(makeToken(last)); got != last || err != nil {
			t.Errorf("token of %q reads as %q, %v", last, got, err)
		}
		if got, err := readToken(token); err == nil && len(makeToken(got)) > len(token) {
			t.Errorf("token %q reads as %q", token, got)
		}
	})
}

// FuzzTags: tags of a header keep S3's limits.
func FuzzTags(f *testing.F) {
	f.Add("a=b&c=%20d")
	f.Add("a&a")
	f.Add("=")
	f.Fuzz(func(t *testing.T, header string) {
		tags, err := headerTags(&header)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, tag := range tags {
			if tag.Key == "" || seen[tag.Key] {
				t.Errorf("%q: tags %q", header, tags)
			}
			seen[tag.Key] = true
		}
		if len(tags) > maxObjectTags {
			t.Errorf("%q: %d tags", header, len(tags))
		}
	})
}
