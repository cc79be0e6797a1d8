package keyhash_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"testing"

	"gatehouse/internal/keyhash"
)

func FuzzSum(f *testing.F) {
	f.Add([]byte("secret"), "a1b2c3d4e5f6a1b2c3d4e5f6")
	f.Add(bytes.Repeat([]byte("k"), 65), "")
	f.Add([]byte{}, string(bytes.Repeat([]byte("v"), keyhash.MaxValue)))
	f.Fuzz(func(t *testing.T, key []byte, value string) {
		if len(value) > keyhash.MaxValue {
			value = value[:keyhash.MaxValue]
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(value))
		got := keyhash.New(key).Sum(value)
		if !bytes.Equal(got[:], mac.Sum(nil)) {
			t.Errorf("Sum(%q) under %x is not HMAC-SHA-256", value, key)
		}
		if back, err := keyhash.Parse(got.String()); err != nil || back != got {
			t.Errorf("Parse(%s) = %v, %v", got, back, err)
		}
	})
}

func TestParseRefuses(t *testing.T) {
	for _, s := range []string{"", "00", string(bytes.Repeat([]byte("g"), 64)), string(bytes.Repeat([]byte("0"), 66))} {
		if _, err := keyhash.Parse(s); err == nil {
			t.Errorf("Parse(%q) succeeded", s)
		}
	}
}

func BenchmarkSum(b *testing.B) {
	h := keyhash.New([]byte("secret"))
	b.ReportAllocs()
	for b.Loop() {
		h.Sum("0123456789012345678901234567890123456789")
	}
}
