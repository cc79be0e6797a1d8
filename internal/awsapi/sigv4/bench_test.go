package sigv4

import (
	"io"
	"strings"
	"testing"
)

// A GET of an AWS_IAM method with a cached derived key: what each signed request costs.
func BenchmarkVerifyCached(b *testing.B) {
	svc := ExecuteAPI(1 << 20)
	v := newVerifier(testTime)
	r := FromHTTP(call{method: "GET", url: "http://a.execute-api.localhost:8080/prod/pets/12?limit=10", service: svc.Name}.sign(b))
	r.Body = nil
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(b.Context(), &svc, r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyUncached(b *testing.B) {
	svc := ExecuteAPI(1 << 20)
	r := FromHTTP(call{method: "GET", url: "http://a.execute-api.localhost:8080/prod/pets/12?limit=10", service: svc.Name}.sign(b))
	r.Body = nil
	b.ReportAllocs()
	for b.Loop() {
		v := newVerifier(testTime)
		if _, err := v.Verify(b.Context(), &svc, r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSignedStream(b *testing.B) {
	data := strings.Repeat("x", 1<<20)
	r := signedStream(b, data, 64<<10, nil)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		b.Fatal(err)
	}
	v, svc := newVerifier(testTime), S3()
	b.SetBytes(1 << 20)
	for b.Loop() {
		r.Body = strings.NewReader(string(body))
		res, err := v.Verify(b.Context(), &svc, r)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			b.Fatal(err)
		}
	}
}
