// Package sig checks signatures of revocation data by digest. A CRL of 50 MB is hashed once,
// when it is read, and can then be checked against any key without being kept.
//
// It knows the algorithms of reference mutual-tls.md A3.1 only: RSA (PKCS #1 v1.5 and PSS)
// and ECDSA with SHA-256, SHA-384 or SHA-512. Packages crl and ocsp call it; it keeps no state.
package sig

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	_ "crypto/sha256" // linked for crypto.Hash.New
	_ "crypto/sha512"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

type scheme uint8

const (
	pkcs1 scheme = iota + 1
	pss
	ecdsaASN1
)

// A Signature is a signature over a digest.
type Signature struct {
	scheme scheme
	hash   crypto.Hash
	digest []byte
	value  []byte
}

// ErrAlgorithm is matched by the error for an algorithm that is not accepted.
var ErrAlgorithm = errors.New("signature algorithm is not accepted")

var algorithms = []struct {
	oid    string
	scheme scheme
	hash   crypto.Hash
}{
	{"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", pkcs1, crypto.SHA256},
	{"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c", pkcs1, crypto.SHA384},
	{"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d", pkcs1, crypto.SHA512},
	{"\x2a\x86\x48\xce\x3d\x04\x03\x02", ecdsaASN1, crypto.SHA256},
	{"\x2a\x86\x48\xce\x3d\x04\x03\x03", ecdsaASN1, crypto.SHA384},
	{"\x2a\x86\x48\xce\x3d\x04\x03\x04", ecdsaASN1, crypto.SHA512},
}

const oidPSS = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"

// hashes has the AlgorithmIdentifier content of each hash function, with NULL parameters.
var hashes = []struct {
	hash crypto.Hash
	oid  string
}{
	{crypto.SHA256, "\x60\x86\x48\x01\x65\x03\x04\x02\x01"},
	{crypto.SHA384, "\x60\x86\x48\x01\x65\x03\x04\x02\x02"},
	{crypto.SHA512, "\x60\x86\x48\x01\x65\x03\x04\x02\x03"},
}

// New reads an AlgorithmIdentifier (its content) and the bits of a signature, and
// digests what they sign. Nothing of its arguments is kept but a copy of value.
func New(algorithm, signed, value []byte) (*Signature, error) {
	in := cryptobyte.String(algorithm)
	var oid cryptobyte.String
	if !in.ReadASN1(&oid, asn1.OBJECT_IDENTIFIER) {
		return nil, errors.New("malformed signature algorithm")
	}
	s := &Signature{value: bytes.Clone(value)}
	for _, a := range algorithms {
		if a.oid == string(oid) {
			s.scheme, s.hash = a.scheme, a.hash
		}
	}
	if string(oid) == oidPSS {
		s.scheme, s.hash = pss, pssHash(in)
	}
	if s.scheme == 0 || s.hash == 0 {
		return nil, fmt.Errorf("%w: OID %x", ErrAlgorithm, []byte(oid))
	}
	h := s.hash.New()
	h.Write(signed)
	s.digest = h.Sum(nil)
	return s, nil
}

// pssHash returns the hash of RSASSA-PSS parameters (RFC 4055 section 3.1) in the one
// form that is used for each hash: the same hash for MGF1, a salt of its length. 0 for others.
func pssHash(params cryptobyte.String) crypto.Hash {
	var seq, hashAlg, mgf, salt cryptobyte.String
	if !params.ReadASN1(&seq, asn1.SEQUENCE) ||
		!seq.ReadASN1(&hashAlg, asn1.Tag(0).ContextSpecific().Constructed()) ||
		!seq.ReadASN1(&mgf, asn1.Tag(1).ContextSpecific().Constructed()) ||
		!seq.ReadASN1(&salt, asn1.Tag(2).ContextSpecific().Constructed()) {
		return 0
	}
	var n int
	if !salt.ReadASN1Integer(&n) {
		return 0
	}
	h := hashOf(hashAlg)
	var mgfSeq, mgfOID cryptobyte.String
	if h == 0 || h.Size() != n || !mgf.ReadASN1(&mgfSeq, asn1.SEQUENCE) || !mgfSeq.ReadASN1(&mgfOID, asn1.OBJECT_IDENTIFIER) ||
		string(mgfOID) != "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08" || hashOf(mgfSeq) != h {
		return 0
	}
	return h
}

// hashOf reads an AlgorithmIdentifier element of a hash function.
func hashOf(in cryptobyte.String) crypto.Hash {
	var seq, oid cryptobyte.String
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !seq.ReadASN1(&oid, asn1.OBJECT_IDENTIFIER) {
		return 0
	}
	for _, h := range hashes {
		if h.oid == string(oid) {
			return h.hash
		}
	}
	return 0
}

// Check verifies the signature with a public key.
func (s *Signature) Check(key crypto.PublicKey) error {
	switch k := key.(type) {
	case *rsa.PublicKey:
		switch s.scheme {
		case pkcs1:
			return rsa.VerifyPKCS1v15(k, s.hash, s.digest, s.value)
		case pss:
			return rsa.VerifyPSS(k, s.hash, s.digest, s.value, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		}
	case *ecdsa.PublicKey:
		if s.scheme == ecdsaASN1 {
			if !ecdsa.VerifyASN1(k, s.digest, s.value) {
				return errors.New("ECDSA verification failed")
			}
			return nil
		}
	}
	return fmt.Errorf("a key of type %T cannot have made the signature", key)
}
