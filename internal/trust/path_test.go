package trust

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/trust/pkitest"
)

// reasonOf verifies and returns OK or the reason of the refusal.
func reasonOf(t testing.TB, b *Bundle, leaf *x509.Certificate) Reason {
	t.Helper()
	path, err := b.Verify(leaf, pkitest.Now)
	if err == nil {
		if len(path.Chain) == 0 || !path.Chain[0].Equal(leaf) || !b.IsAnchor(path.Chain[len(path.Chain)-1]) {
			t.Errorf("path %v does not lead from the leaf to an anchor", path.Chain)
		}
		return OK
	}
	var r *Refusal
	if !errors.As(err, &r) {
		t.Fatalf("got error %T, want *Refusal", err)
	}
	return r.Reason
}

func TestTrustStoreMustHoldTheWholeChain(t *testing.T) {
	root := pkitest.Root(t, "Root")
	mid := root.CA(t, "Mid")
	leaf := mid.Client(t, "client").Cert
	for _, c := range []struct {
		name   string
		bundle []*pkitest.Entity
		want   Reason
	}{
		{"complete", []*pkitest.Entity{root, mid}, OK},
		{"complete, other order", []*pkitest.Entity{mid, root}, OK},
		{"root alone", []*pkitest.Entity{root}, UnknownIssuer},
		{"intermediate alone is no anchor", []*pkitest.Entity{mid}, UnknownIssuer},
		{"another PKI", []*pkitest.Entity{pkitest.Root(t, "Other")}, UnknownIssuer},
		{"same names, other keys", []*pkitest.Entity{pkitest.Root(t, "Root"), pkitest.Root(t, "Mid")}, BadSignature},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := reasonOf(t, mustBundle(t, pkitest.Bundle(c.bundle...)), leaf); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestAtMostFourCAs(t *testing.T) {
	chain := []*pkitest.Entity{pkitest.Root(t, "CA 1")}
	for i := 2; i <= 5; i++ {
		chain = append(chain, chain[len(chain)-1].CA(t, fmt.Sprintf("CA %d", i)))
	}
	b := mustBundle(t, pkitest.Bundle(chain...))
	if got := reasonOf(t, b, chain[3].Client(t, "four").Cert); got != OK {
		t.Errorf("four CAs: got %v, want OK", got)
	}
	if got := reasonOf(t, b, chain[4].Client(t, "five").Cert); got != ChainTooLong {
		t.Errorf("five CAs: got %v, want ChainTooLong", got)
	}
	free, err := ParseBundle(pkitest.Bundle(chain...), pkitest.Now, Options{MaxCAs: -1})
	if err != nil {
		t.Fatal(err)
	}
	if got := reasonOf(t, free, chain[4].Client(t, "five").Cert); got != OK {
		t.Errorf("five CAs without a limit: got %v, want OK", got)
	}
}

func TestListedSelfSignedCertificate(t *testing.T) {
	self := pkitest.Self(t, "Device")
	if got := reasonOf(t, mustBundle(t, self.PEM()), self.Cert); got != OK {
		t.Errorf("listed: got %v, want OK", got)
	}
	other := pkitest.Self(t, "Device")
	if got := reasonOf(t, mustBundle(t, other.PEM()), self.Cert); got != NotCA {
		t.Errorf("another of the same name listed: got %v, want NotCA", got)
	}
	if got := reasonOf(t, mustBundle(t, pkitest.Root(t, "Root").PEM()), self.Cert); got != SelfSigned {
		t.Errorf("not listed: got %v, want SelfSigned", got)
	}
	root := pkitest.Root(t, "Issuer")
	leaf := root.Client(t, "Listed leaf")
	if got := reasonOf(t, mustBundle(t, leaf.PEM()), leaf.Cert); got != UnknownIssuer {
		t.Errorf("listed, but not self-signed: got %v, want UnknownIssuer", got)
	}
}

func TestLeafAndCARules(t *testing.T) {
	root := pkitest.Root(t, "Root")
	old, gone := pkitest.Now.AddDate(-2, 0, 0), pkitest.Now.AddDate(-1, 0, 0)
	soon, later := pkitest.Now.AddDate(1, 0, 0), pkitest.Now.AddDate(2, 0, 0)
	usage := func(k x509.KeyUsage, e ...x509.ExtKeyUsage) pkitest.Mod {
		return func(c *x509.Certificate) { c.KeyUsage, c.ExtKeyUsage = k, e }
	}
	critical := func(value ...byte) pkitest.Mod {
		return func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: value})
		}
	}
	alg := func(a x509.SignatureAlgorithm) pkitest.Mod {
		return func(c *x509.Certificate) { c.SignatureAlgorithm = a }
	}
	for _, c := range []struct {
		name string
		leaf []pkitest.Mod
		ca   []pkitest.Mod
		want Reason
	}{
		{"plain", nil, nil, OK},
		{"leaf expired", []pkitest.Mod{pkitest.Valid(old, gone)}, nil, Expired},
		{"leaf not yet valid", []pkitest.Mod{pkitest.Valid(soon, later)}, nil, NotYetValid},
		{"CA expired", nil, []pkitest.Mod{pkitest.Valid(old, gone)}, IssuerExpired},
		{"CA not yet valid", nil, []pkitest.Mod{pkitest.Valid(soon, later)}, IssuerNotYetValid},
		{"leaf for servers only", []pkitest.Mod{usage(x509.KeyUsageDigitalSignature, x509.ExtKeyUsageServerAuth)}, nil, Purpose},
		{"leaf for any use", []pkitest.Mod{usage(x509.KeyUsageDigitalSignature, x509.ExtKeyUsageAny)}, nil, OK},
		{"leaf without usages", []pkitest.Mod{usage(0)}, nil, OK},
		{"leaf for encipherment only", []pkitest.Mod{usage(x509.KeyUsageKeyEncipherment)}, nil, Purpose},
		{"CA for servers only", nil, []pkitest.Mod{usage(x509.KeyUsageCertSign, x509.ExtKeyUsageServerAuth)}, Purpose},
		{"CA without keyCertSign", nil, []pkitest.Mod{usage(x509.KeyUsageCRLSign)}, NotCA},
		{"CA without basic constraints", nil, []pkitest.Mod{func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = false, false }}, NotCA},
		{"CA with CA:FALSE", nil, []pkitest.Mod{func(c *x509.Certificate) { c.IsCA = false }}, NotCA},
		{"leaf with unknown critical extension", []pkitest.Mod{critical(5, 0)}, nil, CriticalExtension},
		{"CA with unknown critical extension", nil, []pkitest.Mod{critical(5, 0)}, CriticalExtension},
		{"20-octet serial", []pkitest.Mod{pkitest.Serial(new(big.Int).Lsh(big.NewInt(0x7f), 152))}, nil, OK},
		{"NUL in the subject", []pkitest.Mod{func(c *x509.Certificate) { c.Subject.CommonName = "good\x00.evil" }}, nil, Malformed},
		{"huge subject", []pkitest.Mod{func(c *x509.Certificate) { c.Subject.CommonName = strings.Repeat("x", 20_000) }}, nil, Malformed},
		{"SHA-512", []pkitest.Mod{alg(x509.ECDSAWithSHA512)}, nil, OK},
	} {
		t.Run(c.name, func(t *testing.T) {
			mid := root.CA(t, "Mid", c.ca...)
			leaf := mid.Client(t, "client", c.leaf...)
			if got := reasonOf(t, mustBundle(t, pkitest.Bundle(root, mid)), leaf.Cert); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestAcceptedKeys(t *testing.T) {
	root := pkitest.Root(t, "Root")
	b := mustBundle(t, root.PEM())
	rsaKey := func(bits int) crypto.Signer {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	ecKey := func(c elliptic.Curve) crypto.Signer {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		key  crypto.Signer
		want Reason
	}{
		{"RSA 2048", rsaKey(2048), OK},
		{"RSA 1024", rsaKey(1024), UnsupportedKey},
		{"P-256", ecKey(elliptic.P256()), OK},
		{"P-384", ecKey(elliptic.P384()), OK},
		{"P-521", ecKey(elliptic.P521()), UnsupportedKey},
		{"P-224", ecKey(elliptic.P224()), UnsupportedKey},
		{"Ed25519", ed, UnsupportedKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := reasonOf(t, b, root.WithKey(t, "client", c.key).Cert); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// TestSHA1SignatureIsRefused: crypto/x509 will not sign with SHA-1, so the algorithm
// of a good certificate is rewritten. Its signature is then wrong as well, which is
// not what is noticed first.
func TestSHA1SignatureIsRefused(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	root := pkitest.Root(t, "Root")
	mid := root.WithKey(t, "Mid", key, func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true })
	leaf := mid.Client(t, "client").Cert
	const oid = "\x2a\x86\x48\x86\xf7\x0d\x01\x01" // RSA signatures; the last arc names the hash
	forged, err := x509.ParseCertificate([]byte(strings.ReplaceAll(string(leaf.Raw), oid+"\x0b", oid+"\x05")))
	if err != nil {
		t.Fatal(err)
	}
	if forged.SignatureAlgorithm != x509.SHA1WithRSA {
		t.Fatalf("made a certificate with %v, want SHA1-RSA", forged.SignatureAlgorithm)
	}
	if got := reasonOf(t, mustBundle(t, pkitest.Bundle(root, mid)), forged); got != InsecureSignature {
		t.Errorf("got %v, want InsecureSignature", got)
	}
}

func TestPathLength(t *testing.T) {
	root := pkitest.Root(t, "Root", func(c *x509.Certificate) { c.MaxPathLen = 1 })
	one := root.CA(t, "One", func(c *x509.Certificate) { c.MaxPathLenZero = true })
	two := one.CA(t, "Two")
	b := mustBundle(t, pkitest.Bundle(root, one, two))
	if got := reasonOf(t, b, one.Client(t, "client").Cert); got != OK {
		t.Errorf("within: got %v, want OK", got)
	}
	if got := reasonOf(t, b, two.Client(t, "client").Cert); got != PathLength {
		t.Errorf("beyond: got %v, want PathLength", got)
	}
}

func TestNamesChainByRFC5280(t *testing.T) {
	root := pkitest.Root(t, "Example  Root CA")
	// The same key under a name that differs in case, white space and string type: the
	// issuer of the leaf is not octet for octet the subject of the root.
	as := func(tag int, text string) *x509.Certificate {
		value, err := asn1.Marshal(asn1.RawValue{Tag: tag, Bytes: []byte(text)})
		if err != nil {
			t.Fatal(err)
		}
		name, err := asn1.Marshal(pkix.RDNSequence{{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: asn1.RawValue{FullBytes: value}}}})
		if err != nil {
			t.Fatal(err)
		}
		twin := *root.Cert
		twin.RawSubject = name
		return pkitest.Sign(t, pkitest.Self(t, "x").Cert, &twin, pkitest.Key(t).Public(), root.Key)
	}
	b := mustBundle(t, root.PEM())
	for _, c := range []struct {
		name string
		leaf *x509.Certificate
		want Reason
	}{
		{"case", as(12, "EXAMPLE root ca"), OK},
		{"white space", as(19, " Example Root  CA"), OK},
		{"UTF8String", as(12, "Example  Root CA"), OK},
		{"TeletexString", as(20, "Example Root CA"), OK},
		{"IA5String", as(22, "example root ca"), OK},
		{"BMPString", as(30, wide("Example Root CA")), OK},
		{"another name", as(12, "Example Root CB"), UnknownIssuer},
		{"white space within a word", as(12, "Exam ple Root CA"), UnknownIssuer},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := reasonOf(t, b, c.leaf); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// wide writes ASCII with two octets for each character.
func wide(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		b.Write([]byte{0, c})
	}
	return b.String()
}

// An extension that is there twice could be read in two ways: such a certificate is no member of a
// trust store, whichever of the two would let it be one.
func TestDuplicateExtensionIsNotRead(t *testing.T) {
	root := pkitest.Root(t, "Root")
	key := pkitest.Key(t)
	ca := func(is byte) pkix.Extension {
		value := []byte{0x30, 0x03, 0x01, 0x01, 0xff}
		if is == 0 {
			value = []byte{0x30, 0x00}
		}
		return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Critical: true, Value: value}
	}
	for _, order := range [][]pkix.Extension{{ca(1), ca(0)}, {ca(0), ca(1)}} {
		der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
			SerialNumber: big.NewInt(5), Subject: pkix.Name{CommonName: "Twice"}, NotBefore: root.Cert.NotBefore, NotAfter: root.Cert.NotAfter, ExtraExtensions: order,
		}, root.Cert, key.Public(), root.Key)
		if err != nil {
			t.Fatal(err)
		}
		b := mustBundle(t, append(root.PEM(), (&pkitest.Entity{Cert: &x509.Certificate{Raw: der}}).PEM()...))
		if len(b.Certificates()) != 1 || len(b.Warnings) != 1 || !strings.Contains(b.Warnings[0].Problem, "duplicate extension") {
			t.Errorf("%d certificates, warnings %v; want the certificate left out with a warning", len(b.Certificates()), b.Warnings)
		}
	}
}

func TestNegativeSerialNumberIsNotRead(t *testing.T) {
	root := pkitest.Root(t, "Root", pkitest.Serial(big.NewInt(0x7766554433221100)))
	der := []byte(strings.Replace(string(root.Cert.Raw), "\x77\x66\x55\x44\x33\x22\x11\x00", "\x87\x66\x55\x44\x33\x22\x11\x00", 1))
	text := append(pkitest.Root(t, "Other").PEM(), (&pkitest.Entity{Cert: &x509.Certificate{Raw: der}}).PEM()...)
	b := mustBundle(t, text)
	if len(b.Certificates()) != 1 || len(b.Warnings) != 1 || !strings.Contains(b.Warnings[0].Problem, "negative serial number") {
		t.Errorf("got %d certificates, warnings %v; want the certificate left out with a warning", len(b.Certificates()), b.Warnings)
	}
}

func TestNameConstraints(t *testing.T) {
	mods := func(m ...pkitest.Mod) []pkitest.Mod { return m }
	dns := func(n ...string) pkitest.Mod { return func(c *x509.Certificate) { c.DNSNames = n } }
	mail := func(n ...string) pkitest.Mod { return func(c *x509.Certificate) { c.EmailAddresses = n } }
	ip := func(s string) pkitest.Mod {
		return func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.ParseIP(s)} }
	}
	uri := func(s string) pkitest.Mod {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return func(c *x509.Certificate) { c.URIs = []*url.URL{u} }
	}
	_, ten, _ := net.ParseCIDR("10.0.0.0/8")
	for _, c := range []struct {
		name string
		ca   pkitest.Mod
		leaf []pkitest.Mod
		want Reason
	}{
		{"permitted DNS", func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.com"} }, mods(dns("a.example.com")), OK},
		{"permitted DNS, case", func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"EXAMPLE.com"} }, mods(dns("A.example.COM")), OK},
		{"other DNS", func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.com"} }, mods(dns("badexample.com")), NameConstraint},
		{"one of two other", func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.com"} }, mods(dns("example.com", "example.org")), NameConstraint},
		{"no DNS at all", func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.com"} }, nil, OK},
		{"excluded DNS", func(c *x509.Certificate) { c.ExcludedDNSDomains = []string{"a.example.com"} }, mods(dns("b.a.example.com")), NameConstraint},
		{"wildcard over an excluded name", func(c *x509.Certificate) { c.ExcludedDNSDomains = []string{"a.example.com"} }, mods(dns("*.example.com")), NameConstraint},
		{"malformed DNS", func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.com"} }, mods(dns("a..example.com")), NameConstraint},
		{"permitted mail", func(c *x509.Certificate) { c.PermittedEmailAddresses = []string{"example.com"} }, mods(mail("x@Example.com")), OK},
		{"mail below a host", func(c *x509.Certificate) { c.PermittedEmailAddresses = []string{"example.com"} }, mods(mail("x@a.example.com")), NameConstraint},
		{"one mailbox", func(c *x509.Certificate) { c.PermittedEmailAddresses = []string{"x@example.com"} }, mods(mail("y@example.com")), NameConstraint},
		{"permitted address", func(c *x509.Certificate) { c.PermittedIPRanges = []*net.IPNet{ten} }, mods(ip("10.1.2.3")), OK},
		{"other address", func(c *x509.Certificate) { c.PermittedIPRanges = []*net.IPNet{ten} }, mods(ip("11.1.2.3")), NameConstraint},
		{"address of another family", func(c *x509.Certificate) { c.PermittedIPRanges = []*net.IPNet{ten} }, mods(ip("2001:db8::1")), NameConstraint},
		{"excluded URI", func(c *x509.Certificate) { c.ExcludedURIDomains = []string{".example.com"} }, mods(uri("spiffe://a.example.com/x")), NameConstraint},
		{"permitted URI", func(c *x509.Certificate) { c.PermittedURIDomains = []string{"example.com"} }, mods(uri("spiffe://example.com/x")), OK},
		{"URI of an address", func(c *x509.Certificate) { c.ExcludedURIDomains = []string{"example.com"} }, mods(uri("https://10.0.0.1/")), NameConstraint},
		{"permitted directory", directory(t, 0, "Example"), mods(organization("Example")), OK},
		{"other directory", directory(t, 0, "Example"), mods(organization("Else")), NameConstraint},
		{"excluded directory", directory(t, 1, "example"), mods(organization("Example")), NameConstraint},
		{"subtree with a minimum", rawConstraints("\x30\x0c\xa0\x0a\x30\x08\x82\x03abc\x80\x01\x01"), nil, Malformed},
		{"form that is not supported, absent", rawConstraints("\x30\x09\xa1\x07\x30\x05\x88\x03\x2a\x03\x04"), nil, OK},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := pkitest.Root(t, "Root")
			mid := root.CA(t, "Mid", c.ca, func(c *x509.Certificate) { c.PermittedDNSDomainsCritical = true })
			leaf := mid.Client(t, "client", c.leaf...)
			if got := reasonOf(t, mustBundle(t, pkitest.Bundle(root, mid)), leaf.Cert); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func organization(o string) pkitest.Mod {
	return func(c *x509.Certificate) { c.Subject = pkix.Name{Organization: []string{o}, CommonName: "client"} }
}

// directory makes name constraints that permit (0) or exclude (1) the directory O=o.
func directory(t testing.TB, which int, o string) pkitest.Mod {
	t.Helper()
	name, err := asn1.Marshal(pkix.Name{Organization: []string{o}}.ToRDNSequence())
	if err != nil {
		t.Fatal(err)
	}
	wrap := func(class, tag int, b []byte) []byte {
		out, err := asn1.Marshal(asn1.RawValue{Class: class, Tag: tag, IsCompound: true, Bytes: b})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	return rawConstraints(string(wrap(0, 16, wrap(2, which, wrap(0, 16, wrap(2, 4, name))))))
}

func rawConstraints(der string) pkitest.Mod {
	return func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: oidNameConstraints, Critical: true, Value: []byte(der)})
	}
}

func TestCrossSigningLoopEnds(t *testing.T) {
	a, b := pkitest.Root(t, "A"), pkitest.Root(t, "B")
	aByB, bByA := b.Recertify(t, a), a.Recertify(t, b)
	leaf := a.Client(t, "client").Cert
	if got := reasonOf(t, mustBundle(t, pkitest.Bundle(aByB, bByA)), leaf); got == OK {
		t.Error("a loop without a root: got OK, want a refusal")
	}
	if got := reasonOf(t, mustBundle(t, pkitest.Bundle(aByB, bByA, b)), leaf); got != OK {
		t.Errorf("a loop with a root: got %v, want OK", got)
	}
}

func TestWorkIsBounded(t *testing.T) {
	t.Run("many CAs of one name", func(t *testing.T) {
		key := pkitest.Key(t)
		signer := pkitest.Root(t, "Signer")
		var members []*pkitest.Entity
		for range 600 {
			members = append(members, signer.WithKey(t, "Same", key, func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }))
		}
		b := mustBundle(t, pkitest.Bundle(members...))
		leaf := pkitest.Root(t, "Same").Client(t, "client").Cert
		if got := reasonOf(t, b, leaf); got != BadSignature && got != TooMuchWork {
			t.Errorf("got %v, want BadSignature or TooMuchWork", got)
		}
	})
	t.Run("every CA signed by every other", func(t *testing.T) {
		const n = 12
		var cas, members []*pkitest.Entity
		for i := range n {
			cas = append(cas, pkitest.Root(t, fmt.Sprint("CA ", i)))
		}
		for i := range cas {
			for j := range cas {
				if i != j {
					members = append(members, cas[i].Recertify(t, cas[j]))
				}
			}
		}
		b, err := ParseBundle(pkitest.Bundle(members...), pkitest.Now, Options{MaxCAs: -1})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if got := reasonOf(t, b, cas[0].Client(t, "client").Cert); got == OK {
			t.Error("got OK, want a refusal: there is no root")
		}
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("took %v", d)
		}
	})
	t.Run("a clue leads to the right one of many", func(t *testing.T) {
		var members []*pkitest.Entity
		for range 300 {
			members = append(members, pkitest.Root(t, "Same"))
		}
		b := mustBundle(t, pkitest.Bundle(members...))
		if got := reasonOf(t, b, members[299].Client(t, "client").Cert); got != OK {
			t.Errorf("got %v, want OK: the key identifier names the issuer", got)
		}
	})
}

func TestRememberedPathStillExpires(t *testing.T) {
	root := pkitest.Root(t, "Root")
	b := mustBundle(t, root.PEM())
	leaf := root.Client(t, "client").Cert
	if _, err := b.Verify(leaf, pkitest.Now); err != nil {
		t.Fatal(err)
	}
	_, err := b.Verify(leaf, leaf.NotAfter.Add(time.Second))
	var r *Refusal
	if !errors.As(err, &r) || r.Reason != Expired {
		t.Errorf("got %v, want Expired", err)
	}
}
