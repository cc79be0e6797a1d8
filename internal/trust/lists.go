package trust

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"

	"gatehouse/internal/trust/dn"
)

// Bounds of a deny-list or allow-list.
const (
	MaxListSize    = 64 << 20
	MaxListEntries = 1_000_000
)

// Lists name certificates one by one: a deny-list or an allow-list. Immutable.
type Lists struct {
	certs map[[32]byte]struct{} // SHA-256 of the DER
	keys  map[[32]byte]struct{} // SHA-256 of the SubjectPublicKeyInfo
	named map[[32]byte]struct{} // digest of issuer and serial number
	count int
}

// ParseLists reads a list: one entry per line, "#" starts a comment.
//
//	sha256 HEX                the SHA-256 of the certificate; colons are allowed
//	spki BASE64-OR-HEX        the SHA-256 of its public key info, as RFC 7469 pins it
//	serial HEX issuer DN      serial number and issuer, most specific RDN first (RFC 4514)
//
// An error names the line. A list without entries is valid.
func ParseLists(data []byte) (*Lists, error) {
	if len(data) > MaxListSize {
		return nil, fmt.Errorf("list has %d octets, want at most %d", len(data), MaxListSize)
	}
	l := &Lists{certs: map[[32]byte]struct{}{}, keys: map[[32]byte]struct{}{}, named: map[[32]byte]struct{}{}}
	issuers := map[string]string{} // text to key: lists repeat few issuers
	lines := bufio.NewScanner(bytes.NewReader(data))
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if l.count == MaxListEntries {
			return nil, fmt.Errorf("line %d: more than %d entries", number, MaxListEntries)
		}
		if err := l.add(line, issuers); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		l.count++
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	return l, nil
}

func (l *Lists) add(line string, issuers map[string]string) error {
	kind, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	switch strings.ToLower(kind) {
	case "sha256":
		sum, err := digest(strings.ReplaceAll(rest, ":", ""))
		l.certs[sum] = struct{}{}
		return err
	case "spki":
		sum, err := digest(rest)
		l.keys[sum] = struct{}{}
		return err
	case "serial":
		return l.addSerial(rest, issuers)
	}
	return fmt.Errorf("found %q, want sha256, spki or serial", kind)
}

func (l *Lists) addSerial(rest string, issuers map[string]string) error {
	number, issuer, ok := strings.Cut(rest, " issuer ")
	if !ok {
		return fmt.Errorf(`found %q, want "HEX issuer NAME"`, rest)
	}
	serial, ok := new(big.Int).SetString(strings.ReplaceAll(strings.TrimSpace(number), ":", ""), 16)
	if !ok {
		return fmt.Errorf("serial number %q is not hexadecimal", number)
	}
	key, known := issuers[issuer]
	if !known {
		name, err := dn.ParseText(issuer)
		if err != nil {
			return fmt.Errorf("issuer: %w", err)
		}
		key = name.Key()
		issuers[issuer] = key
	}
	l.named[namedDigest(key, serial)] = struct{}{}
	return nil
}

// digest reads 32 octets in hexadecimal or base64.
func digest(s string) (sum [32]byte, err error) {
	var b []byte
	if len(s) == 64 {
		b, err = hex.DecodeString(s)
	} else {
		b, err = base64.StdEncoding.DecodeString(s)
	}
	if err != nil || len(b) != 32 {
		return sum, fmt.Errorf("%q is not a SHA-256 in hexadecimal or base64", s)
	}
	copy(sum[:], b)
	return sum, nil
}

func namedDigest(issuerKey string, serial *big.Int) [32]byte {
	return sha256.Sum256([]byte(serial.Text(16) + " " + issuerKey))
}

// Len returns the number of entries.
func (l *Lists) Len() int {
	if l == nil {
		return 0
	}
	return l.count
}

// match reports whether a certificate is listed, and by what.
func (l *Lists) match(n *node) (by string, ok bool) {
	if _, ok = l.certs[n.sum]; ok {
		return "by its SHA-256", true
	}
	if len(l.keys) > 0 {
		if _, ok = l.keys[sha256.Sum256(n.cert.RawSubjectPublicKeyInfo)]; ok {
			return "by its key", true
		}
	}
	if len(l.named) > 0 {
		if _, ok = l.named[namedDigest(n.issuer, n.cert.SerialNumber)]; ok {
			return "by issuer and serial number", true
		}
	}
	return "", false
}
