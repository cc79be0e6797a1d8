package proxyproto

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net/netip"
	"strings"
	"testing"
)

func v2(cmd, family byte, body string) string {
	return string(signatureV2) + string([]byte{cmd, family, byte(len(body) >> 8), byte(len(body))}) + body
}

const (
	v4body = "\xc0\x00\x02\x01\xcb\x00\x71\x05\x30\x39\x01\xbb" // 192.0.2.1:12345 to 203.0.113.5:443
	v6body = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x30\x39\x01\xbb"
)

func withChecksum(flip byte) string {
	s := []byte(v2(0x21, 0x11, v4body+"\x03\x00\x04\x00\x00\x00\x00"))
	sum := crc32.Checksum(s, crc32.MakeTable(crc32.Castagnoli))
	binary.BigEndian.PutUint32(s[len(s)-4:], sum)
	s[len(s)-1] ^= flip
	return string(s)
}

func TestRead(t *testing.T) {
	const rest = "GET / HTTP/1.1\r\n"
	for _, c := range []struct{ name, in, src, dst string }{
		{"v1 TCP4", "PROXY TCP4 192.0.2.1 203.0.113.5 12345 443\r\n", "192.0.2.1:12345", "203.0.113.5:443"},
		{"v1 TCP6", "PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n", "[2001:db8::1]:1", "[2001:db8::2]:65535"},
		{"v1 unknown", "PROXY UNKNOWN\r\n", "", ""},
		{"v1 unknown with a tail", "PROXY UNKNOWN ffff:f...f:ffff ffff 65535 65535\r\n", "", ""},
		{"v2 TCP4", v2(0x21, 0x11, v4body), "192.0.2.1:12345", "203.0.113.5:443"},
		{"v2 TCP6", v2(0x21, 0x21, v6body), "[2001:db8::1]:12345", "[2001:db8::2]:443"},
		{"v2 with extensions", v2(0x21, 0x11, v4body+"\xea\x00\x03abc\x04\x00\x00"), "192.0.2.1:12345", "203.0.113.5:443"},
		{"v2 with checksum", withChecksum(0), "192.0.2.1:12345", "203.0.113.5:443"},
		{"v2 local", v2(0x20, 0x00, ""), "", ""},
		{"v2 local with addresses", v2(0x20, 0x11, v4body), "", ""},
		{"v2 unspecified", v2(0x21, 0x00, ""), "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := strings.NewReader(c.in + rest)
			h, err := Read(r)
			if err != nil {
				t.Fatal(err)
			}
			text := func(a netip.AddrPort) string {
				if !a.IsValid() {
					return ""
				}
				return a.String()
			}
			if text(h.Source) != c.src || text(h.Destination) != c.dst {
				t.Errorf("got %v to %v, want %q to %q", h.Source, h.Destination, c.src, c.dst)
			}
			if left, _ := io.ReadAll(r); string(left) != rest {
				t.Errorf("left %q, want %q", left, rest)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	for _, in := range []string{
		"", "GET / HTTP/1.1\r\n\r\n", "PROXY TCP4", "proxy tcp4 192.0.2.1 203.0.113.5 1 2\r\n",
		"PROXY TCP4 192.0.2.1 203.0.113.5 1 2\n" + strings.Repeat("x", 100),
		"PROXY TCP4 192.0.2.1 203.0.113.5 1\r\n",
		"PROXY TCP4  192.0.2.1 203.0.113.5 1 2\r\n",
		"PROXY TCP4 192.0.2.1 203.0.113.5 1 2 3\r\n",
		"PROXY TCP4 192.0.2.1 203.0.113.5 01 2\r\n",
		"PROXY TCP4 192.0.2.1 203.0.113.5 1 65536\r\n",
		"PROXY TCP4 192.0.2.01 203.0.113.5 1 2\r\n",
		"PROXY TCP4 2001:db8::1 203.0.113.5 1 2\r\n",
		"PROXY TCP6 192.0.2.1 2001:db8::1 1 2\r\n",
		"PROXY TCP6 fe80::1%eth0 2001:db8::1 1 2\r\n",
		"PROXY UDP4 192.0.2.1 203.0.113.5 1 2\r\n",
		"PROXY TCP4 " + strings.Repeat("1", 200) + "\r\n",
		v2(0x11, 0x11, v4body), v2(0x22, 0x11, v4body), v2(0x21, 0x12, v4body), v2(0x21, 0x31, strings.Repeat("x", 216)),
		v2(0x21, 0x11, v4body[:11]), v2(0x21, 0x21, v4body),
		v2(0x21, 0x11, v4body+"\x01\x00"), v2(0x21, 0x11, v4body+"\x01\x00\x05abc"), v2(0x21, 0x11, v4body+"\x03\x00\x01a"),
		v2(0x21, 0x11, v4body)[:20], v2(0x21, 0x00, strings.Repeat("x", maxV2+1)),
		withChecksum(1),
	} {
		if h, err := Read(strings.NewReader(in)); err == nil {
			t.Errorf("%q: got %+v, want an error", in, h)
		}
	}
}

// FuzzRead: a header that is accepted and names addresses, written anew in version 2, is
// read as the same addresses; what follows a header is left alone.
func FuzzRead(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.1 203.0.113.5 12345 443\r\n"))
	f.Add([]byte("PROXY UNKNOWN\r\n"))
	f.Add([]byte(v2(0x21, 0x21, v6body+"\x04\x00\x00")))
	f.Add([]byte(withChecksum(0)))
	f.Fuzz(func(t *testing.T, in []byte) {
		const tail = "tail"
		r := bytes.NewReader(append(bytes.Clone(in), tail...))
		h, err := Read(r)
		if err != nil {
			return
		}
		left, _ := io.ReadAll(r)
		if !bytes.HasSuffix(left, []byte(tail)) && len(left) >= len(tail) {
			t.Fatalf("left %q", left)
		}
		if !h.Source.IsValid() {
			return
		}
		family, body := byte(0x11), append(h.Source.Addr().AsSlice(), h.Destination.Addr().AsSlice()...)
		if len(body) == 20 { // one of them was an IPv4-mapped IPv6 address
			return
		}
		if len(body) == 32 {
			family = 0x21
		}
		body = binary.BigEndian.AppendUint16(body, h.Source.Port())
		body = binary.BigEndian.AppendUint16(body, h.Destination.Port())
		again, err := Read(strings.NewReader(v2(0x21, family, string(body))))
		if err != nil || again.Source != h.Source || again.Destination != h.Destination {
			t.Fatal(fmt.Errorf("%+v written anew: %+v, %w", h, again, err))
		}
	})
}
