package wire_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/http1/netio"
	"gatehouse/internal/http1/wire"
	"gatehouse/internal/message"
)

func TestIsHost(t *testing.T) {
	tests := map[string]bool{
		"a": true, "a.b-c.d_e~": true, "127.0.0.1": true, "a:80": true, "a:0": true, "[::1]": true, "[::ffff:1.2.3.4]:443": true,
		"a.": true, ".a": false, "a..b": false, "": false, ":80": false, "a:": false, "a:123456": false, "a:65535": true, "a:65536": false, "a:8x": false, "a b": false, "a/b": false, "u@a": false,
		"a,b": false, "a%2eb": false, "[]": false, "[:": false, "[::1": false, "[::1]x": false, "::1": false, "a:1:2": false,
		"[fe80::1%25lo]": false, "\xe9": false, strings.Repeat("a", 255): true, strings.Repeat("a", 256): false,
	}
	for s, want := range tests {
		if got := wire.IsHost(s); got != want {
			t.Errorf("IsHost(%q) = %v, want %v", s, got, want)
		}
	}
}

func TestParseLength(t *testing.T) {
	for s, want := range map[string]int64{"0": 0, "7": 7, "10485760": 10485760, "999999999999999999": 999999999999999999} {
		if n, ok := wire.ParseLength(s); !ok || n != want {
			t.Errorf("ParseLength(%q) = %d, %v; want %d", s, n, ok, want)
		}
	}
	for _, s := range []string{"", "+1", "-1", " 1", "1 ", "01", "1,1", "0x1", "1e3", "1000000000000000000", "½"} {
		if n, ok := wire.ParseLength(s); ok {
			t.Errorf("ParseLength(%q) = %d, want refusal", s, n)
		}
	}
}

// TestIsValue compares the word-wise check with the definition, for every byte at every
// offset of a word.
func TestIsValue(t *testing.T) {
	for c := range 256 {
		want := c == '\t' || c >= ' ' && c != 0x7f
		for at := range 20 {
			b := bytes.Repeat([]byte{'x'}, 20)
			b[at] = byte(c)
			for _, other := range []byte{'x', '\t', 0x80, 0xff} {
				b[(at+1)%20] = other
				if got := wire.IsValue(string(b)); got != want {
					t.Fatalf("IsValue(%q) = %v, want %v", b, got, want)
				}
			}
		}
	}
}

func TestTrailerAllowed(t *testing.T) {
	for _, name := range []string{"Content-Length", "transfer-encoding", "HOST", "Cookie", "Trailer", "Authorization"} {
		if wire.TrailerAllowed(name) {
			t.Errorf("%s is allowed in a trailer", name)
		}
	}
	if !wire.TrailerAllowed("X-Checksum") {
		t.Error("X-Checksum is not allowed in a trailer")
	}
}

// decode reads a chunked body from raw, in parts of one byte when slowly, and returns
// what is left behind it.
func decode(raw string, slowly bool) (body string, trailer message.Header, rest string, err error) {
	var src io.Reader = strings.NewReader(raw)
	if slowly {
		src = iotest.OneByteReader(src)
	}
	var in netio.Reader
	in.Reset(src)
	defer in.Drop()
	var c wire.ChunkedReader
	c.Reset(&in, 1024, 16)
	b, err := io.ReadAll(&c)
	left, _ := io.ReadAll(&in)
	return string(b), c.Trailer, string(left), err
}

func TestChunkedReader(t *testing.T) {
	tests := []struct {
		name, raw string
		body      string
		err       error
	}{
		{"empty", "0\r\n\r\n", "", nil},
		{"one", "3\r\nabc\r\n0\r\n\r\n", "abc", nil},
		{"two, hexadecimal in both cases", "0A\r\n0123456789\r\nb\r\nabcdefghijk\r\n000\r\n\r\n", "0123456789abcdefghijk", nil},
		{"followed by another message", "1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n", "a", nil},
		{"ends early in a size", "3", "", io.ErrUnexpectedEOF},
		{"ends early in data", "3\r\nab", "ab", io.ErrUnexpectedEOF},
		{"ends early behind data", "3\r\nabc", "abc", io.ErrUnexpectedEOF},
		{"ends early in the trailer", "0\r\nX: a\r\n", "", io.ErrUnexpectedEOF},
		{"too large", "4000000000001\r\n", "", wire.ErrChunkSizeLarge},
		{"too many digits", "00000000000000003\r\nabc\r\n0\r\n\r\n", "", wire.ErrChunkSize},
		{"trailer too large", "0\r\nX: " + strings.Repeat("a", 1100) + "\r\n\r\n", "", wire.ErrFieldsLarge},
		{"trailer of too many lines", "0\r\n" + strings.Repeat("X: a\r\n", 17) + "\r\n", "", wire.ErrTooManyLines},
		{"extensions without end", strings.Repeat("1;a="+strings.Repeat("b", 1000)+"\r\nx\r\n", 20), strings.Repeat("x", 16), wire.ErrChunkOverhead},
	}
	for _, tt := range tests {
		for _, slowly := range []bool{false, true} {
			body, _, rest, err := decode(tt.raw, slowly)
			if body != tt.body || !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
				t.Errorf("%s (slowly %v): got %q, %v; want %q, %v", tt.name, slowly, body, err, tt.body, tt.err)
			}
			if tt.name == "followed by another message" && rest != "GET / HTTP/1.1\r\n" {
				t.Errorf("%q is left behind the body", rest)
			}
		}
	}
}

// FuzzChunked checks three things of any chunked body: how it is cut into reads does
// not matter; what we accept, the standard library accepts and reads the same; and what
// is decoded, encoded and decoded again is the same.
func FuzzChunked(f *testing.F) {
	for _, s := range []string{
		"3\r\nabc\r\n0\r\n\r\n", "3;a=b;c=\"d\\\"\"\r\nabc\r\n0\r\nX: y\r\n\r\n", "3 \r\nabc\r\n0\r\n\r\n", "0\r\n\r\nrest", "ffffffffffffffff\r\n", "1\na\n0\n\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		body, trailer, rest, err := decode(raw, false)
		sbody, strailer, srest, serr := decode(raw, true)
		if body != sbody || rest != srest && err == nil || !errors.Is(serr, err) || !cmp.Equal(trailer, strailer) && err == nil {
			t.Fatalf("at once: %q, %v, %q, %v; byte by byte: %q, %v, %q, %v", body, trailer, rest, err, sbody, strailer, srest, serr)
		}
		if err != nil {
			return
		}
		std, serr := io.ReadAll(httputil.NewChunkedReader(strings.NewReader(raw)))
		if serr != nil || string(std) != body {
			t.Fatalf("we read %q, the standard library %q, %v", body, std, serr)
		}
		for _, fl := range trailer {
			if !wire.TrailerAllowed(fl.Name) {
				t.Fatalf("trailer %q was accepted", fl.Name)
			}
		}
		var enc bytes.Buffer
		w := httputil.NewChunkedWriter(&enc)
		io.WriteString(w, body)
		w.Close()
		enc.WriteString("\r\n")
		if again, _, _, err := decode(enc.String(), false); again != body || err != nil {
			t.Fatalf("encoded again, %q is read as %q, %v", body, again, err)
		}
	})
}

// parseHead parses a request head as the engine does, without its rules about fields.
func parseHead(raw string) (rl wire.RequestLine, h message.Header, end int, err error) {
	end, _, err = wire.HeadEnd([]byte(raw), 0)
	if err != nil || end == 0 {
		return rl, nil, 0, err
	}
	line, block, _ := strings.Cut(raw[:end-2], "\r\n")
	if rl, err = wire.ParseRequestLine(line, 1<<20); err != nil {
		return rl, nil, 0, err
	}
	h, err = wire.ParseFields(block, nil, 1<<20)
	return rl, h, end, err
}

// FuzzRequestHead checks that a head that we accept is found to end at the same place
// however it is cut, that printing and parsing it again changes nothing, and that the
// standard library, where it accepts it too, reads the same.
func FuzzRequestHead(f *testing.F) {
	for _, s := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "POST /a?b=c#d HTTP/1.0\r\nX:\ta \r\nx: \r\n\r\nbody", "GET / HTTP/1.1\nHost: x\n\n",
		"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", "GET  / HTTP/1.1\r\n\r\n", "\r\nGET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nA\x00: \x80\r\n\r\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		rl, h, end, err := parseHead(raw)
		from := 0
		for i := range len(raw) + 1 {
			got, next, herr := wire.HeadEnd([]byte(raw[:i]), from)
			if from = next; herr != nil || got > 0 {
				if err == nil && (herr != nil || got != end) {
					t.Fatalf("in parts, the head of %q ends at %d, %v; at once at %d", raw, got, herr, end)
				}
				break
			}
		}
		if err != nil || end == 0 {
			return
		}
		printed := rl.Method + " " + rl.Target + " HTTP/1.1\r\n"
		if rl.HTTP10 {
			printed = rl.Method + " " + rl.Target + " HTTP/1.0\r\n"
		}
		for _, fl := range h {
			printed += fl.Name + ": " + fl.Value + "\r\n"
		}
		rl2, h2, _, err := parseHead(printed + "\r\n")
		if err != nil || rl2 != rl || !cmp.Equal(h, h2) {
			t.Fatalf("printed as %q it is read as %v %v, %v", printed, rl2, h2, err)
		}
		r := textproto.NewReader(bufio.NewReader(strings.NewReader(raw)))
		if _, err := r.ReadLine(); err != nil {
			t.Fatal(err)
		}
		std, err := r.ReadMIMEHeader()
		if err != nil {
			return // we let pass names like "a b:" nowhere, but the library has limits of its own
		}
		for _, fl := range h {
			if !containsValue(std[textproto.CanonicalMIMEHeaderKey(fl.Name)], fl.Value) {
				t.Fatalf("the standard library has no %q: %q in %v", fl.Name, fl.Value, std)
			}
		}
		if n := countValues(std); n != len(h) {
			t.Fatalf("%d fields, the standard library has %d", len(h), n)
		}
	})
}

func containsValue(vs []string, want string) bool {
	for _, v := range vs {
		if v == want {
			return true
		}
	}
	return false
}

func countValues(h map[string][]string) (n int) {
	for _, vs := range h {
		n += len(vs)
	}
	return n
}

// FuzzResponseHead checks that a status line and fields that we accept are read the
// same by the standard library's client.
func FuzzResponseHead(f *testing.F) {
	for _, s := range []string{"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", "HTTP/1.0 404\r\n\r\n", "HTTP/1.1 200  \r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 200 O\tK\r\nContent-Length: 3\r\n\r\nabc"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		end, _, err := wire.HeadEnd([]byte(raw), 0)
		if err != nil || end == 0 {
			return
		}
		line, block, _ := strings.Cut(raw[:end-2], "\r\n")
		sl, err := wire.ParseStatusLine(line)
		if err != nil {
			return
		}
		h, err := wire.ParseFields(block, nil, 1000)
		if err != nil {
			return
		}
		if h.Has("Content-Length") || h.Has("Transfer-Encoding") || h.Has("Trailer") {
			return // framing is upstream's, and tested there
		}
		std, err := http.ReadResponse(bufio.NewReader(strings.NewReader(raw)), nil)
		if err != nil {
			t.Fatalf("the standard library refuses %q: %v", raw[:end], err)
		}
		if std.StatusCode != sl.Status || std.ProtoAtLeast(1, 1) == sl.HTTP10 {
			t.Fatalf("status %d, HTTP/1.0 %v; the standard library reads %s %s", sl.Status, sl.HTTP10, std.Proto, std.Status)
		}
	})
}
