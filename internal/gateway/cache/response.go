package cache

import (
	"crypto/rand"
	"encoding/binary"

	"gatehouse/internal/message"
)

// A Response is an answer as the method gives it: mapped, and not yet compressed. It is
// immutable once it was given to a Flight.
type Response struct {
	Status int
	Header message.Header
	Body   []byte
	Traced bool // X-Amzn-Trace-Id is answered with it
}

// size is what r takes in memory, about.
func (r *Response) size() int64 {
	n := int64(cap(r.Body))
	for _, f := range r.Header {
		n += int64(len(f.Name)+len(f.Value)) + 32
	}
	return n
}

// seal encrypts r; the key that it is kept under is bound to it.
func (s *Store) seal(r *Response, key string) []byte {
	nonce := make([]byte, s.aead.NonceSize())
	rand.Read(nonce) // never fails (crypto/rand)
	return s.aead.Seal(nonce, nonce, r.append(nil), []byte(key))
}

// open decrypts what seal made.
func (s *Store) open(sealed, key []byte) (*Response, bool) {
	n := s.aead.NonceSize()
	text, err := s.aead.Open(make([]byte, 0, len(sealed)), sealed[:n], sealed[n:], key)
	if err != nil {
		return nil, false
	}
	return parse(text)
}

// append writes r in the form that parse reads: numbers as uvarints, texts with their length
// before them, the body last.
func (r *Response) append(b []byte) []byte {
	traced := uint64(0)
	if r.Traced {
		traced = 1
	}
	b = binary.AppendUvarint(b, uint64(r.Status))
	b = binary.AppendUvarint(b, traced)
	b = binary.AppendUvarint(b, uint64(len(r.Header)))
	for _, f := range r.Header {
		b = appendText(appendText(b, f.Name), f.Value)
	}
	return append(b, r.Body...)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// parse reads what append wrote. The body is a part of b.
func parse(b []byte) (*Response, bool) {
	ok := true
	number := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			ok, b = false, nil
			return 0
		}
		b = b[n:]
		return v
	}
	text := func() string {
		n := number()
		if n > uint64(len(b)) {
			ok, b = false, nil
			return ""
		}
		s := string(b[:n])
		b = b[n:]
		return s
	}
	r := &Response{Status: int(number()), Traced: number() == 1}
	for n := number(); n > 0 && ok; n-- {
		r.Header = append(r.Header, message.Field{Name: text(), Value: text()})
	}
	r.Body = b
	return r, ok
}
