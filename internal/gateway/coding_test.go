package gateway

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"testing"

	"gatehouse/internal/message"
)

// Which coding an answer gets, by Accept-Encoding (routing-and-integrations, section 11).
func TestAcceptedCoding(t *testing.T) {
	for header, want := range map[string]coding{
		"":                            identity,
		"*":                           identity,
		"gzip":                        gzipped,
		"GZIP":                        gzipped,
		"deflate":                     deflated,
		"identity":                    identity,
		"br":                          identity,
		"gzip, deflate, br":           gzipped,
		"deflate, gzip":               deflated,
		"br, gzip":                    gzipped,
		"gzip;q=0.5, deflate;q=0.8":   deflated,
		"gzip;q=0":                    identity,
		"gzip;q=0, deflate":           deflated,
		"br;q=1.0, gzip;q=0.8":        identity,
		"identity;q=1, gzip;q=0.5":    identity,
		"*;q=1, gzip;q=0.5":           identity,
		"gzip;q=nan":                  identity,
		"gzip;q=2":                    identity,
		"gzip ; Q = 0.9 , identity":   identity,
		"gzip;level=9;q=1":            gzipped,
		"x-gzip":                      identity,
		" , ,gzip,":                   gzipped,
		strings.Repeat("x,", 10_000):  identity,
		"gzip;q=1.0,deflate;q=1.0000": gzipped,
	} {
		h := message.Header{}
		if header != "" {
			h.Add("accept-encoding", header)
		}
		if got := acceptedCoding(h); got != want {
			t.Errorf("%.60q: %v, want %v", header, got, want)
		}
	}
	split := message.Header{{Name: "Accept-Encoding", Value: "gzip;q=0.1"}, {Name: "Accept-Encoding", Value: "deflate"}}
	if got := acceptedCoding(split); got != deflated {
		t.Errorf("two lines: %v", got)
	}
}

func compressed(t testing.TB, c coding, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&out)
	if c == deflated {
		w = zlib.NewWriter(&out)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func inflate(c coding, raw []byte) ([]byte, *inflater, error) {
	f := &inflater{coding: c, raw: hashed{src: bytes.NewReader(raw), sum: sha256.New()}}
	b, err := io.ReadAll(f)
	return b, f, err
}

func TestInflate(t *testing.T) {
	text := []byte(strings.Repeat("body ", 1000))
	for _, c := range []coding{gzipped, deflated} {
		raw := compressed(t, c, text)
		got, f, err := inflate(c, raw)
		if err != nil || !bytes.Equal(got, text) {
			t.Errorf("%v: %d bytes, %v", c, len(got), err)
		}
		if sum := sha256.Sum256(raw); !bytes.Equal(f.raw.sum.Sum(nil), sum[:]) {
			t.Errorf("%v: the hash is not that of what was sent", c)
		}
		for name, bad := range map[string][]byte{
			"nothing": {}, "cut": raw[:len(raw)-1], "text": text, "followed": append(bytes.Clone(raw), "more"...), "checksum": flipped(raw, len(raw)-1),
		} {
			if _, _, err := inflate(c, bad); refusalIn(err) == nil || refusalIn(err).Type.Status() != 415 {
				t.Errorf("%v, %s: %v, want 415", c, name, err)
			}
		}
	}
}

func flipped(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1
	return b
}

// A few kilobytes cannot become more than a body may be.
func TestInflateBomb(t *testing.T) {
	for _, c := range []coding{gzipped, deflated} {
		fits := compressed(t, c, make([]byte, maxBody))
		if got, _, err := inflate(c, fits); err != nil || len(got) != maxBody {
			t.Errorf("%v: %d bytes, %v; the limit itself fits", c, len(got), err)
		}
		bomb := compressed(t, c, make([]byte, 100<<20))
		f := &inflater{coding: c, raw: hashed{src: bytes.NewReader(bomb), sum: sha256.New()}}
		n, err := io.Copy(io.Discard, f)
		if !errors.Is(err, errTooLong) || n > maxBody {
			t.Errorf("%v: %d bytes and %v of a bomb of %d", c, n, err, len(bomb))
		}
	}
}

// What the client's side fails with stays what it is.
func TestInflateKeepsTheErrorsOfTheConnection(t *testing.T) {
	raw := compressed(t, gzipped, []byte("body"))
	f := &inflater{coding: gzipped, raw: hashed{src: io.MultiReader(bytes.NewReader(raw[:10]), failing{message.ErrClientGone}), sum: sha256.New()}}
	if _, err := io.ReadAll(f); !errors.Is(err, message.ErrClientGone) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// Whatever is sent, the body is bounded and its end is told for good.
func FuzzInflate(f *testing.F) {
	f.Add(false, compressed(f, gzipped, []byte("seed")))
	f.Add(true, compressed(f, deflated, []byte("seed")))
	f.Fuzz(func(t *testing.T, zlib bool, raw []byte) {
		c := gzipped
		if zlib {
			c = deflated
		}
		r := &inflater{coding: c, raw: hashed{src: bytes.NewReader(raw), sum: sha256.New()}}
		n, err := io.Copy(io.Discard, r)
		if n > maxBody || err != nil && refusalIn(err) == nil {
			t.Errorf("%d bytes, %v", n, err)
		}
		if _, again := r.Read(make([]byte, 1)); again == nil {
			t.Error("something follows the end")
		}
		if sum := sha256.Sum256(raw); err == nil && !bytes.Equal(r.raw.sum.Sum(nil), sum[:]) {
			t.Error("the hash is not that of what was sent")
		}
	})
}
