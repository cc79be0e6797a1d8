package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/message"
)

// A SigningKey is what a request is signed with.
type SigningKey struct {
	AccessKeyID string
	Secret      string
	Token       string // of temporary credentials; "" for long-term keys
}

// Sign signs r, whose body has the hex SHA-256 payloadHash, for svc in region at now. It sets
// Authorization and the X-Amz- fields that signing needs in r.Header, replacing what was
// there, and changes nothing else. Signed are the host, the content type and all X-Amz-
// fields. The error says what has no canonical form: a broken escape in path or query.
func Sign(r *Request, key SigningKey, svc *Service, region string, now time.Time, payloadHash string) error {
	stamp := now.UTC().Format("20060102T150405Z")
	scope := Scope{Date: stamp[:8], Region: region, Service: svc.Name}
	for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256"} {
		r.Header.Del(name)
	}
	r.Header.Add("X-Amz-Date", stamp)
	if key.Token != "" {
		r.Header.Add("X-Amz-Security-Token", key.Token)
	}
	if svc.HashRequired {
		r.Header.Add("X-Amz-Content-Sha256", payloadHash)
	}
	names := signedNames(r.Header)

	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	if err := s.canonical(svc, r, &Claim{names: names}, payloadHash, r.Path); err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	sum := sha256.Sum256(s.canon)
	b := append(s.msg[:0], algorithm+"\n"+stamp+"\n"...)
	b = append(scope.appendTo(b), '\n')
	s.msg = hex.AppendEncode(b, sum[:])
	var sig [sha256.Size]byte
	sig, s.mac = deriveKey(key.Secret, scope).sign(s.msg, s.mac)
	r.Header.Add("Authorization", algorithm+" Credential="+key.AccessKeyID+"/"+scope.String()+", SignedHeaders="+names+", Signature="+hex.EncodeToString(sig[:]))
	return nil
}

// signedNames lists the names of the header fields to sign, in lower case and in order.
func signedNames(h message.Header) string {
	names := []string{"host"}
	for _, f := range h {
		name := strings.ToLower(f.Name)
		if (name == "content-type" || strings.HasPrefix(name, "x-amz-")) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ";")
}
