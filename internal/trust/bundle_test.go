package trust

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/trust/pkitest"
)

func mustBundle(t testing.TB, pemText []byte) *Bundle {
	t.Helper()
	b, err := ParseBundle(pemText, pkitest.Now, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBundleRefusesWhatIsNoTrustStore(t *testing.T) {
	root := pkitest.Root(t, "Root")
	key, err := x509.MarshalPKCS8PrivateKey(root.Key)
	if err != nil {
		t.Fatal(err)
	}
	good := string(root.PEM())
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "no PEM block in 0 lines"},
		{"prose", "hello\nworld\n", "no PEM block in 2 lines"},
		{"DER", string(root.Cert.Raw), "no PEM block"},
		{"cut off", good[:len(good)-40], "block 1, line 1: has no END line: the text is cut off"},
		{"second cut off", good + good[:100], fmt.Sprintf("block 2, line %d", strings.Count(good, "\n")+1)},
		{"bad base64", "x\n-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n", "block 1, line 2: base64"},
		{"other END", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END FOO-----\n", `ends in "-----END FOO-----"`},
		{"END alone", "-----END CERTIFICATE-----\n", "line 1: "},
		{"nested", "-----BEGIN CERTIFICATE-----\n" + good, "before its END line"},
		{"private key", good + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})), "private key found"},
		{"headers", "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END CERTIFICATE-----\n", "has a header"},
		{"no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds no certificate that can be read"},
		{"too large", strings.Repeat("\n", MaxBundleSize+1), "want at most 1048576"},
		{"too many", strings.Repeat("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", MaxBundleCertificates+1), "more than 1000 blocks"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseBundle([]byte(c.text), pkitest.Now, Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %q", err, c.want)
			}
		})
	}
	if _, err := ParseBundle([]byte("-----BEGIN EC PRIVATE KEY-----\n"), pkitest.Now, Options{}); !errors.Is(err, ErrPrivateKey) {
		t.Errorf("got error %v, want ErrPrivateKey", err)
	}
}

func TestBundleWarnsAndServes(t *testing.T) {
	root := pkitest.Root(t, "Root")
	expired := pkitest.Root(t, "Expired", pkitest.Valid(pkitest.Now.AddDate(-2, 0, 0), pkitest.Now.AddDate(-1, 0, 0)))
	early := pkitest.Root(t, "Early", pkitest.Valid(pkitest.Now.AddDate(1, 0, 0), pkitest.Now.AddDate(2, 0, 0)))
	elsewhere := pkitest.Root(t, "Elsewhere")
	orphan := elsewhere.CA(t, "Orphan")
	plain := root.Client(t, "Plain")
	self := pkitest.Self(t, "Listed client")
	_, edKey, _ := ed25519.GenerateKey(rand.Reader)
	ed := root.WithKey(t, "Ed", edKey, func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true })
	smallKey, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	small := root.WithKey(t, "Small", smallKey, func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true })

	text := pkitest.Bundle(root, expired, early, orphan, plain, self, ed, small, root)
	text = append(text, "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"...)
	text = append(text, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"...)
	b := mustBundle(t, text)
	var got []string
	for _, w := range b.Warnings {
		got = append(got, w.String())
	}
	lines := bytes.Count(pkitest.Bundle(root, expired, early, orphan, plain, self, ed, small, root), []byte("\n"))
	want := []string{
		"Certificate with subject CN=Root is listed twice.",
		fmt.Sprintf(`Certificate in block 10, line %d is ignored: it is a "X509 CRL", not a CERTIFICATE.`, lines+1),
		fmt.Sprintf("Certificate in block 11, line %d is ignored: x509: malformed certificate.", lines+4),
		"Certificate with subject CN=Expired has expired on 2025-06-01.",
		"Certificate with subject CN=Early is not yet valid before 2027-06-01.",
		"Certificate with subject CN=Orphan has no issuer in the truststore.",
		"Certificate with subject CN=Plain is not a CA.",
		"Certificate with subject CN=Ed has an unsupported key (Ed25519).",
		"Certificate with subject CN=Small has an unsupported key (RSA 1024 bits).",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if _, err := b.Verify(root.Client(t, "client").Cert, pkitest.Now); err != nil {
		t.Errorf("a client of the good root beside bad ones: %v", err)
	}
}

func TestBundleAcceptsWindowsText(t *testing.T) {
	root := pkitest.Root(t, "Root")
	text := "\xef\xbb\xbfsubject=/CN=Root\r\n" + strings.ReplaceAll(string(root.PEM()), "\n", "\r\n")
	if b := mustBundle(t, []byte(text)); len(b.Certificates()) != 1 {
		t.Errorf("got %d certificates, want 1", len(b.Certificates()))
	}
}

// FuzzBundle: an accepted bundle, written anew from its certificates, is the same bundle;
// work and size stay bounded.
func FuzzBundle(f *testing.F) {
	root := pkitest.Root(f, "Root")
	f.Add(root.PEM())
	f.Add(append(root.PEM(), root.CA(f, "Sub").PEM()...))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\r\n\r\n-----END CERTIFICATE-----"))
	f.Add([]byte("-----BEGIN RSA PRIVATE KEY-----"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := ParseBundle(data, pkitest.Now, Options{})
		if err != nil {
			return
		}
		if bytes.Contains(data, []byte("\n-----BEGIN RSA PRIVATE KEY-----\n")) {
			t.Fatal("a bundle with a private key was accepted")
		}
		var out bytes.Buffer
		for _, c := range b.Certificates() {
			if err := pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}); err != nil {
				t.Fatal(err)
			}
		}
		again, err := ParseBundle(out.Bytes(), pkitest.Now, Options{})
		if err != nil {
			t.Fatalf("written anew: %v", err)
		}
		if len(again.nodes) != len(b.nodes) {
			t.Fatalf("written anew: %d certificates, want %d", len(again.nodes), len(b.nodes))
		}
		for i := range b.nodes {
			if b.nodes[i].sum != again.nodes[i].sum || b.nodes[i].anchor != again.nodes[i].anchor {
				t.Fatalf("certificate %d changed", i)
			}
		}
	})
}
