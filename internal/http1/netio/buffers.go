package netio

import "sync"

// Sizes of pooled buffers, in bytes. Small holds the head and body of most messages;
// Medium holds the largest head that a server accepts by default and one TLS record;
// Large is for moving long bodies.
const (
	Small  = 4 << 10
	Medium = 32 << 10
	Large  = 128 << 10
)

// The pools hold pointers to arrays: putting a slice header into a sync.Pool would
// allocate.
var (
	smallPool  = sync.Pool{New: func() any { return new([Small]byte) }}
	mediumPool = sync.Pool{New: func() any { return new([Medium]byte) }}
	largePool  = sync.Pool{New: func() any { return new([Large]byte) }}
)

// GetBuffer returns a buffer of Small, Medium or Large bytes, the smallest that holds
// size, or a new one of exactly size when none does. Its content is arbitrary. It is
// given back with PutBuffer. Safe for concurrent use.
func GetBuffer(size int) []byte {
	switch {
	case size <= Small:
		return smallPool.Get().(*[Small]byte)[:]
	case size <= Medium:
		return mediumPool.Get().(*[Medium]byte)[:]
	case size <= Large:
		return largePool.Get().(*[Large]byte)[:]
	}
	return make([]byte, size)
}

// PutBuffer gives back what GetBuffer returned; the caller must not keep any part of
// it. Nil is ignored. Safe for concurrent use.
func PutBuffer(b []byte) {
	switch cap(b) {
	case Small:
		smallPool.Put((*[Small]byte)(b[:Small]))
	case Medium:
		mediumPool.Put((*[Medium]byte)(b[:Medium]))
	case Large:
		largePool.Put((*[Large]byte)(b[:Large]))
	}
}
