package sigv4

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"gatehouse/internal/message"
)

// The examples of "Transferring Payload in Multiple Chunks" and "... with trailing
// headers" in the S3 API Reference: 65 KiB of "a" in two chunks.
func TestPublishedChunkExamples(t *testing.T) {
	big, small := strings.Repeat("a", 65536), strings.Repeat("a", 1024)
	body := func(sig1, sig2, sig3, tail string) string {
		return "10000;chunk-signature=" + sig1 + "\r\n" + big + "\r\n400;chunk-signature=" + sig2 + "\r\n" + small +
			"\r\n0;chunk-signature=" + sig3 + "\r\n" + tail + "\r\n"
	}
	auth := func(names, sig string) string {
		return "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=" + names + ",Signature=" + sig
	}
	head := []string{"x-amz-date: 20130524T000000Z", "x-amz-storage-class: REDUCED_REDUNDANCY", "Content-Encoding: aws-chunked", "x-amz-decoded-content-length: 66560"}
	for name, r := range map[string]*Request{
		"signed chunks": parts("PUT", "s3.amazonaws.com", "/examplebucket/chunkObject.txt",
			body("ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648", "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
				"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9", ""),
			append(head, "Content-Length: 66824", "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
				auth("content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
					"4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"))...),
		"signed trailer": parts("PUT", "s3.amazonaws.com", "/examplebucket/chunkObject.txt",
			body("b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2", "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
				"2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
				"x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n"),
			append(head, "x-amz-trailer: x-amz-checksum-crc32c", "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
				auth("content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
					"106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"))...),
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := verifyAll(t, newVerifier(time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)), S3(), r)
			if err != nil || got != big+small {
				t.Errorf("%d bytes, %v; want %d", len(got), err, len(big+small))
			}
		})
	}
}

func TestSignedStream(t *testing.T) {
	data := strings.Repeat("0123456789", 2000)
	for _, size := range []int{1, 7, 4096, 65536} {
		r := signedStream(t, data, size, message.Header{{Name: "x-amz-checksum-crc64nvme", Value: checksum("x-amz-checksum-crc64nvme", data)}})
		r.Body = iotest.OneByteReader(r.Body)
		got, res, err := verifyAll(t, newVerifier(testTime), S3(), r)
		if err != nil || got != data {
			t.Fatalf("chunks of %d: %d bytes, %v", size, len(got), err)
		}
		if res.Body.Len() != int64(len(data)) || res.Body.Trailer().Get("x-amz-checksum-crc64nvme") == "" {
			t.Errorf("length %d, trailer %v", res.Body.Len(), res.Body.Trailer())
		}
	}
}

func checksum(name, data string) string {
	h := ChecksumHash(name)
	io.WriteString(h, data)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// The check values of the CRC catalogue ("123456789") and of FIPS 180.
func TestChecksums(t *testing.T) {
	for name, want := range map[string]string{
		"x-amz-checksum-crc32":     "cbf43926",
		"x-amz-checksum-crc32c":    "e3069283",
		"x-amz-checksum-crc64nvme": "ae8b14860a799888",
		"x-amz-checksum-sha1":      "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
		"x-amz-checksum-sha256":    "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
	} {
		h := ChecksumHash(name)
		io.WriteString(h, "123456789")
		if got := fmt.Sprintf("%x", h.Sum(nil)); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if ChecksumHash("x-amz-checksum-md5") != nil {
		t.Error("md5 is no checksum of S3")
	}
}

// unsignedStream is an upload whose trailer alone protects the body, as the SDKs send
// over TLS.
func unsignedStream(t testing.TB, length int, trailer, body string) *Request {
	t.Helper()
	r := FromHTTP(call{method: "PUT", url: "https://localhost/bucket/key", service: "s3", hash: streamTrailer, sendHash: true,
		header: map[string]string{"X-Amz-Decoded-Content-Length": fmt.Sprint(length), "X-Amz-Trailer": trailer, "Content-Encoding": "aws-chunked"}}.sign(t))
	r.Body = strings.NewReader(body)
	return r
}

func TestUnsignedStreamFraming(t *testing.T) {
	crc := "x-amz-checksum-crc32:" + checksum("x-amz-checksum-crc32", "hello") + "\r\n"
	for _, tc := range []struct {
		name, trailer, body string
		kind                Kind // 0: accepted
		code                string
	}{
		{"good", "x-amz-checksum-crc32", "3\r\nhel\r\n2\r\nlo\r\n0\r\n" + crc + "\r\n", 0, ""},
		{"two trailers", "x-amz-checksum-crc32,x-amz-meta-x", "5\r\nhello\r\n0\r\n" + crc + "X-Amz-Meta-X: y\r\n\r\n", 0, ""},
		{"other checksum", "x-amz-checksum-crc32", "5\r\nhellO\r\n0\r\n" + crc + "\r\n", ChecksumMismatch, "BadDigest"},
		{"no trailer", "x-amz-checksum-crc32", "5\r\nhello\r\n0\r\n\r\n", BadTrailer, "MalformedTrailerError"},
		{"another trailer", "x-amz-checksum-crc32", "5\r\nhello\r\n0\r\nx-amz-checksum-sha1:x\r\n\r\n", BadTrailer, "MalformedTrailerError"},
		{"trailer twice", "x-amz-checksum-crc32", "5\r\nhello\r\n0\r\n" + crc + crc + "\r\n", BadTrailer, "MalformedTrailerError"},
		{"trailer without colon", "x-amz-checksum-crc32", "5\r\nhello\r\n0\r\nxx\r\n\r\n", BadTrailer, "MalformedTrailerError"},
		{"unknown checksum", "x-amz-checksum-md5", "5\r\nhello\r\n0\r\n\r\n", BadTrailer, "MalformedTrailerError"},
		{"cut in a chunk", "x-amz-checksum-crc32", "5\r\nhel", BadFraming, "IncompleteBody"},
		{"cut after a chunk", "x-amz-checksum-crc32", "5\r\nhello", BadFraming, "IncompleteBody"},
		{"cut before the trailer", "x-amz-checksum-crc32", "5\r\nhello\r\n0\r\n", BadFraming, "IncompleteBody"},
		{"cut before the end", "x-amz-checksum-crc32", "5\r\nhello\r\n0\r\n" + crc, BadFraming, "IncompleteBody"},
		{"empty", "x-amz-checksum-crc32", "", BadFraming, "IncompleteBody"},
		{"bytes after the end", "x-amz-checksum-crc32", "5\r\nhello\r\n0\r\n" + crc + "\r\nx", BadFraming, "IncompleteBody"},
		{"short", "x-amz-checksum-crc32", "4\r\nhell\r\n0\r\n" + crc + "\r\n", BadFraming, "IncompleteBody"},
		{"long", "x-amz-checksum-crc32", "6\r\nhelloo\r\n0\r\n" + crc + "\r\n", BadFraming, "IncompleteBody"},
		{"huge size", "x-amz-checksum-crc32", "7fffffffffffffff\r\nhello\r\n", BadFraming, "IncompleteBody"},
		{"size not hex", "x-amz-checksum-crc32", "+5\r\nhello\r\n", BadFraming, "IncompleteBody"},
		{"line feed alone", "x-amz-checksum-crc32", "5\nhello\n0\n\n", BadFraming, "IncompleteBody"},
		{"extension", "x-amz-checksum-crc32", "5;chunk-signature=00\r\nhello\r\n0\r\n" + crc + "\r\n", BadFraming, "IncompleteBody"},
		{"long line", "x-amz-checksum-crc32", strings.Repeat("0", 9000) + "5\r\nhello\r\n", BadFraming, "IncompleteBody"},
		{"not chunked", "x-amz-checksum-crc32", "hello", BadFraming, "IncompleteBody"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, _, err := verifyAll(t, newVerifier(testTime), S3(), unsignedStream(t, 5, tc.trailer, tc.body))
			if tc.kind != 0 {
				wantRefusal(t, err, tc.kind, tc.code, 400)
			} else if err != nil || got != "hello" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// Every byte of a signed stream is covered: no flipped, dropped or added byte, and no
// two chunks exchanged, goes unnoticed.
func TestSignedStreamTampering(t *testing.T) {
	data := "0123456789abcdef"
	sum := message.Header{{Name: "x-amz-checksum-sha256", Value: checksum("x-amz-checksum-sha256", data)}}
	encoded, err := io.ReadAll(signedStream(t, data, 8, sum).Body)
	if err != nil {
		t.Fatal(err)
	}
	reads := func(body []byte) (string, error) {
		r := signedStream(t, data, 8, sum)
		r.Body = bytes.NewReader(body)
		got, _, err := verifyAll(t, newVerifier(testTime), S3(), r)
		return got, err
	}
	if got, err := reads(encoded); err != nil || got != data {
		t.Fatal(got, err)
	}
	for i := range encoded {
		flipped := bytes.Clone(encoded)
		flipped[i] ^= 1
		cut := append(bytes.Clone(encoded[:i]), encoded[i+1:]...)
		twice := append(bytes.Clone(encoded[:i+1]), encoded[i:]...)
		for name, body := range map[string][]byte{"flipped": flipped, "dropped": cut, "doubled": twice, "cut": encoded[:i]} {
			if got, err := reads(body); err == nil && !sameMeaning(body, encoded) {
				t.Errorf("byte %d of %q %s: accepted %q", i, encoded, name, got)
			}
		}
	}
	swapped := bytes.Replace(bytes.Replace(encoded, []byte("01234567"), []byte("********"), 1), []byte("89abcdef"), []byte("01234567"), 1)
	swapped = bytes.Replace(swapped, []byte("********"), []byte("89abcdef"), 1)
	if _, err := reads(swapped); err == nil {
		t.Error("accepted with chunks exchanged")
	}
}

// sameMeaning allows what carries none: the case of a trailer's name and a zero before
// a size.
func sameMeaning(a, b []byte) bool {
	zero := func(s []byte) []byte { return bytes.ReplaceAll(s, []byte("\r\n00;"), []byte("\r\n0;")) }
	return bytes.EqualFold(zero(a), zero(b))
}

func TestReaderFailureIsPassedOn(t *testing.T) {
	gone := errors.New("client is gone")
	r := unsignedStream(t, 5, "x-amz-checksum-crc32", "")
	r.Body = io.MultiReader(strings.NewReader("5\r\nhel"), iotest.ErrReader(gone))
	if _, _, err := verifyAll(t, newVerifier(testTime), S3(), r); !errors.Is(err, gone) {
		t.Errorf("got %v, want %v", err, gone)
	}
}

func TestStripChunked(t *testing.T) {
	for in, want := range map[string]string{"aws-chunked": "", "gzip, aws-chunked": "gzip", "AWS-Chunked,br": "br", "": ""} {
		if got := StripChunked(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
