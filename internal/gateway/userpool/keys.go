package userpool

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Limits of key sets.
const (
	maxKeySet = 256 << 10 // bytes
	maxKeys   = 100
	minRSA    = 2048 // bits
)

// A keySet is what an issuer published at one time. It is not modified.
type keySet struct {
	keys    []jose.JSONWebKey
	fetched time.Time
	maxAge  time.Duration // how long it is fresh
}

func (k *keySet) fresh(now time.Time) bool { return k != nil && now.Before(k.fetched.Add(k.maxAge)) }

func (k *keySet) usable(now time.Time, keep time.Duration) bool {
	return k != nil && now.Before(k.fetched.Add(keep))
}

// parseKeys reads a JSON Web Key Set (RFC 7517, section 5). Keys that are not for verifying
// signatures, or that are too weak, are left out; so are those of kinds that are not known.
func parseKeys(data []byte) ([]jose.JSONWebKey, error) {
	if len(data) > maxKeySet {
		return nil, fmt.Errorf("key set of %d bytes: want at most %d", len(data), maxKeySet)
	}
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("key set of %d keys: want at most %d", len(set.Keys), maxKeys)
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(raw) == nil && k.Valid() && verifies(&k) {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("key set: found no key that verifies signatures")
	}
	return keys, nil
}

// verifies reports whether a key is public, strong enough and meant for signatures.
func verifies(k *jose.JSONWebKey) bool {
	if k.Use != "" && k.Use != "sig" {
		return false
	}
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= minRSA
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}

// find returns the keys that may have made a signature: those with the token's key id, or,
// when the token names none, the only key of the set. All must be of the algorithm's kind.
func (k *keySet) find(kid string, alg jose.SignatureAlgorithm) []jose.JSONWebKey {
	if k == nil || kid == "" && len(k.keys) != 1 {
		return nil
	}
	var found []jose.JSONWebKey
	for _, key := range k.keys {
		if (kid == "" || key.KeyID == kid) && fits(&key, alg) {
			found = append(found, key)
		}
	}
	return found
}

// fits reports whether a key is of the kind that an algorithm needs: a token must not have
// a key used in another way than it was made for (RFC 8725, section 3.1).
func fits(k *jose.JSONWebKey, alg jose.SignatureAlgorithm) bool {
	if k.Algorithm != "" && k.Algorithm != string(alg) {
		return false
	}
	name := string(alg)
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(name, "RS") || strings.HasPrefix(name, "PS")
	case *ecdsa.PublicKey:
		curves := map[int]jose.SignatureAlgorithm{256: jose.ES256, 384: jose.ES384, 521: jose.ES512}
		return curves[key.Curve.Params().BitSize] == alg
	case ed25519.PublicKey:
		return alg == jose.EdDSA
	}
	return false
}
