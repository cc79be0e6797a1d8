package gateway

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"math/bits"
	"strconv"
	"sync"
	"time"

	"gatehouse/internal/message"
)

// entropy hands out random bytes from blocks, so that a request's ids cost one lock-free
// pool visit instead of a system call each.
type entropy struct {
	buf [512]byte
	pos int
}

var entropyPool = sync.Pool{New: func() any { return &entropy{pos: len(entropy{}.buf)} }}

// randomBytes fills p, at most 64 bytes, from the system's secure source.
func randomBytes(p []byte) {
	e := entropyPool.Get().(*entropy)
	if len(e.buf)-e.pos < len(p) {
		rand.Read(e.buf[:]) // never fails (crypto/rand)
		e.pos = 0
	}
	copy(p, e.buf[e.pos:])
	clear(e.buf[e.pos : e.pos+len(p)])
	e.pos += len(p)
	entropyPool.Put(e)
}

// newIDs returns a request id and an extended one, in one piece of memory.
func newIDs() (request, extended string) {
	var raw [16 + 12]byte
	randomBytes(raw[:])
	var b [36 + 16]byte
	writeRequestID((*[36]byte)(b[:]), [16]byte(raw[:]))
	writeExtendedID((*[16]byte)(b[36:]), [12]byte(raw[16:]))
	both := string(b[:])
	return both[:36], both[36:]
}

// newRequestID returns a random UUID (version 4) in lower case.
func newRequestID() string {
	var raw [16]byte
	randomBytes(raw[:])
	var b [36]byte
	writeRequestID(&b, raw)
	return string(b[:])
}

func writeRequestID(b *[36]byte, raw [16]byte) {
	raw[6] = raw[6]&0x0f | 0x40
	raw[8] = raw[8]&0x3f | 0x80
	hex.Encode(b[0:8], raw[0:4])
	b[8] = '-'
	hex.Encode(b[9:13], raw[4:6])
	b[13] = '-'
	hex.Encode(b[14:18], raw[6:8])
	b[18] = '-'
	hex.Encode(b[19:23], raw[8:10])
	b[23] = '-'
	hex.Encode(b[24:36], raw[10:16])
}

// isRequestID reports whether s has the form of a UUID, which is what a client may
// choose as request id (request-lifecycle, section 2.2).
func isRequestID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case '0' <= c && c <= '9', 'a' <= c && c <= 'f', 'A' <= c && c <= 'F':
		default:
			return false
		}
	}
	return true
}

// newExtendedID returns an extended request id: 15 characters of URL-safe base64 and
// "=" (request-lifecycle, section 2.1).
func newExtendedID() string {
	var raw [12]byte
	randomBytes(raw[:])
	var b [16]byte
	writeExtendedID(&b, raw)
	return string(b[:])
}

func writeExtendedID(b *[16]byte, raw [12]byte) {
	base64.URLEncoding.Encode(b[:], raw[:])
	b[15] = '='
}

// appendTraceRoot appends the Root part of a trace header: "1-" with the time in
// hexadecimal seconds and 96 random bits.
func appendTraceRoot(b []byte, now time.Time) []byte {
	b = append(b, "1-"...)
	seconds := uint64(now.Unix())
	for range 8 - (bits.Len64(seconds)+3)/4 {
		b = append(b, '0')
	}
	b = strconv.AppendUint(b, seconds, 16)
	b = append(b, '-')
	var raw [12]byte
	randomBytes(raw[:])
	return hex.AppendEncode(b, raw[:])
}

// appendTraceParent appends the Parent part of a trace header.
func appendTraceParent(b []byte) []byte {
	var raw [8]byte
	randomBytes(raw[:])
	return hex.AppendEncode(b, raw[:])
}

// EngineHeader gives the fields of answers that an HTTP engine gives itself, before the
// gateway sees the request.
func EngineHeader(*message.Conn, int) message.Header {
	return message.Header{{Name: "x-amzn-RequestId", Value: newRequestID()}, {Name: "x-amz-apigw-id", Value: newExtendedID()}}
}
