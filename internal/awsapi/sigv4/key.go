package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"strings"
	"sync"
)

// A signingKey is a derived key with the two padded blocks of HMAC-SHA-256 (RFC 2104)
// prepared, so that signing allocates nothing.
type signingKey struct {
	inner, outer [sha256.BlockSize]byte
}

// deriveKey makes the key of one day, region and service from a secret.
func deriveKey(secret string, s Scope) *signingKey {
	k := mac([]byte("AWS4"+secret), s.Date)
	k = mac(k, s.Region)
	k = mac(k, s.Service)
	k = mac(k, terminator)
	key := new(signingKey)
	copy(key.inner[:], k)
	copy(key.outer[:], k)
	for i := range key.inner {
		key.inner[i] ^= 0x36
		key.outer[i] ^= 0x5c
	}
	return key
}

func mac(key []byte, msg string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(msg))
	return h.Sum(nil)
}

// sign returns the HMAC of msg. buf is scratch space and returned for reuse.
func (k *signingKey) sign(msg, buf []byte) (sum [sha256.Size]byte, _ []byte) {
	buf = append(append(buf[:0], k.inner[:]...), msg...)
	sum = sha256.Sum256(buf)
	buf = append(append(buf[:0], k.outer[:]...), sum[:]...)
	return sha256.Sum256(buf), buf
}

// maxKeys bounds the cache of derived keys: one entry is 300 bytes and is used for a
// key, day, region and service.
const maxKeys = 4096

// A keyCache remembers derived keys. It is safe for concurrent use. Only keys that
// have verified a signature are put in, so a caller without a secret cannot fill it.
type keyCache struct {
	mu   sync.RWMutex
	keys map[cacheKey]cached
}

type cacheKey struct {
	id    string
	scope Scope
}

type cached struct {
	secret string // a rotated secret under the same id must not find the old key
	key    *signingKey
}

// get returns the derived key for secret, and whether it came from the cache.
func (c *keyCache) get(id, secret string, s Scope) (*signingKey, bool) {
	c.mu.RLock()
	e, ok := c.keys[cacheKey{id, s}]
	c.mu.RUnlock()
	if ok && subtle.ConstantTimeCompare([]byte(e.secret), []byte(secret)) == 1 {
		return e.key, true
	}
	return deriveKey(secret, s), false
}

// put remembers a derived key, in the place of an arbitrary other one when full.
func (c *keyCache) put(id, secret string, s Scope, k *signingKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys == nil {
		c.keys = make(map[cacheKey]cached)
	}
	if len(c.keys) >= maxKeys {
		for old := range c.keys {
			delete(c.keys, old)
			break
		}
	}
	// The parts are slices of a request's header: cloned, they do not keep it alive.
	s = Scope{strings.Clone(s.Date), strings.Clone(s.Region), strings.Clone(s.Service)}
	c.keys[cacheKey{strings.Clone(id), s}] = cached{secret, k}
}
