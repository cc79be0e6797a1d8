// Package keyhash turns API key values into what they are looked up by: a keyed hash,
// so that neither the database nor a node's memory dump lists the values, and the time
// of a look-up tells nothing about keys that exist. Control stores the hash with a key;
// the gateway's meter looks requests' values up by it. A Hasher is safe for concurrent
// use and does not allocate.
package keyhash

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// MaxValue is the length of the longest API key value, in bytes
// (throttling-and-usage-plans.md section 6).
const MaxValue = 128

// A Hash is what a value is known by.
type Hash [sha256.Size]byte

// String returns the hash in hexadecimal digits, as the store keeps it.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Parse is the inverse of String.
func Parse(s string) (h Hash, err error) {
	if len(s) != 2*len(h) {
		return h, fmt.Errorf("hash of an API key: %d characters, want %d", len(s), 2*len(h))
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return h, fmt.Errorf("hash of an API key: %w", err)
	}
	return h, nil
}

// A Hasher computes HMAC-SHA-256 (RFC 2104) under one key.
type Hasher struct {
	inner, outer [sha256.BlockSize]byte
}

// New returns a Hasher under key, which is secret and should have 32 random bytes.
func New(key []byte) *Hasher {
	if len(key) > sha256.BlockSize {
		sum := sha256.Sum256(key)
		key = sum[:]
	}
	h := new(Hasher)
	copy(h.inner[:], key)
	copy(h.outer[:], key)
	for i := range h.inner {
		h.inner[i] ^= 0x36
		h.outer[i] ^= 0x5c
	}
	return h
}

// Sum returns the hash of value. No key has a value longer than MaxValue: such a one
// gets the hash of its beginning and must be refused by its length.
func (h *Hasher) Sum(value string) Hash {
	var in [sha256.BlockSize + MaxValue]byte
	n := copy(in[:], h.inner[:])
	n += copy(in[n:], value)
	sum := sha256.Sum256(in[:n])
	var out [sha256.BlockSize + sha256.Size]byte
	copy(out[:], h.outer[:])
	copy(out[sha256.BlockSize:], sum[:])
	return sha256.Sum256(out[:])
}
