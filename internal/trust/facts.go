package trust

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"strings"

	"gatehouse/internal/trust/forward"
)

// conditionKeys are what resource policies may ask of a client certificate, by key in lower
// case. They are Gatehouse's own: in AWS they would have no value.
var conditionKeys = map[string]func(*x509.Certificate) []string{
	"gatehouse:clientcertsubject": func(c *x509.Certificate) []string { return text(forward.Fields(c).SubjectDN) },
	"gatehouse:clientcertissuer":  func(c *x509.Certificate) []string { return text(forward.Fields(c).IssuerDN) },
	"gatehouse:clientcertserial":  func(c *x509.Certificate) []string { return text(forward.Fields(c).SerialNumber) },
	"gatehouse:clientcertsan":     func(c *x509.Certificate) []string { return alternativeNames(c) },
	"gatehouse:clientcerteku":     func(c *x509.Certificate) []string { return extendedUsages(c) },
	"gatehouse:clientcertspki":    func(c *x509.Certificate) []string { return hexSum(c.RawSubjectPublicKeyInfo) },
	"gatehouse:clientcertsha256":  func(c *x509.Certificate) []string { return hexSum(c.Raw) },
}

// presentKey tells whether the client presented a certificate; it always has a value.
const presentKey = "gatehouse:clientcertpresent"

// IsConditionKey reports whether a policy may ask for the key, in any case.
func IsConditionKey(key string) bool {
	key = strings.ToLower(key)
	return key == presentKey || conditionKeys[key] != nil
}

// ConditionKeys is the list of IsConditionKey for people.
const ConditionKeys = "gatehouse:ClientCertPresent, gatehouse:ClientCertSubject, gatehouse:ClientCertIssuer, gatehouse:ClientCertSerial, " +
	"gatehouse:ClientCertSan, gatehouse:ClientCertEku, gatehouse:ClientCertSpki, gatehouse:ClientCertSha256"

// ConditionKey returns what a trusted verdict's certificate has for a key in lower case: none,
// one or several values. A nil verdict has no certificate. Values are computed once for each
// verdict, which a connection keeps; the caller must not change them.
func (v *Verdict) ConditionKey(key string) []string {
	trusted := v != nil && v.Leaf != nil && v.Trusted()
	values := conditionKeys[key]
	switch {
	case key == presentKey && trusted:
		return present
	case key == presentKey:
		return absent
	case values == nil || !trusted:
		return nil
	}
	return v.Memo(conditionMemo(key), func() any { return values(v.Leaf) }).([]string)
}

type conditionMemo string

var present, absent = []string{"true"}, []string{"false"}

func text(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func hexSum(data []byte) []string {
	sum := sha256.Sum256(data)
	return []string{hex.EncodeToString(sum[:])}
}

// alternativeNames writes the names as OpenSSL does: "DNS:a.example.com", "URI:spiffe://…",
// "email:…", "IP Address:…".
func alternativeNames(c *x509.Certificate) []string {
	var out []string
	for _, n := range c.DNSNames {
		out = append(out, "DNS:"+n)
	}
	for _, u := range c.URIs {
		out = append(out, "URI:"+u.String())
	}
	for _, e := range c.EmailAddresses {
		out = append(out, "email:"+e)
	}
	for _, ip := range c.IPAddresses {
		out = append(out, "IP Address:"+ip.String())
	}
	return out
}

var oidExtKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 37}

// extendedUsages lists the object identifiers of the extension, in its order.
func extendedUsages(c *x509.Certificate) []string {
	for _, e := range c.Extensions {
		if !e.Id.Equal(oidExtKeyUsage) {
			continue
		}
		var oids []asn1.ObjectIdentifier
		if _, err := asn1.Unmarshal(e.Value, &oids); err != nil {
			return nil
		}
		out := make([]string, len(oids))
		for i, o := range oids {
			out[i] = o.String()
		}
		return out
	}
	return nil
}
