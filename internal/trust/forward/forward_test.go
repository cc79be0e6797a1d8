package forward

import (
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/trust/pkitest"
)

func fixture(t testing.TB) []*x509.Certificate {
	t.Helper()
	root := pkitest.Root(t, "Root CA", func(c *x509.Certificate) {
		c.Subject = pkix.Name{Country: []string{"US"}, Organization: []string{"Example, Inc."}, CommonName: "Root CA"}
	})
	mid := root.CA(t, "Mid")
	leaf := mid.Client(t, "x", func(c *x509.Certificate) {
		c.SerialNumber, _ = new(big.Int).SetString("a1b2c3d4e5f60718293a4b5c6d7e8f90", 16)
		c.Subject = pkix.Name{Country: []string{"US"}, Organization: []string{`The "Best"`}, CommonName: "www.example.com"}
		c.NotBefore = time.Date(2019, 5, 28, 12, 30, 2, 0, time.UTC)
		c.NotAfter = time.Date(2021, 8, 5, 9, 36, 4, 0, time.UTC)
		c.DNSNames = []string{"a.example.com", "b.example.com"}
		u, err := url.Parse("spiffe://example.com/x;y")
		if err != nil {
			t.Fatal(err)
		}
		c.URIs = []*url.URL{u}
	})
	return []*x509.Certificate{leaf.Cert, mid.Cert, root.Cert}
}

func TestFieldsToTheByte(t *testing.T) {
	chain := fixture(t)
	got, err := json.Marshal(Fields(chain[0]))
	if err != nil {
		t.Fatal(err)
	}
	pemText, err := json.Marshal(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: chain[0].Raw})))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"clientCertPem":` + string(pemText) +
		`,"subjectDN":"C=US,O=The \\\"Best\\\",CN=www.example.com","issuerDN":"CN=Mid"` +
		`,"serialNumber":"a1:b2:c3:d4:e5:f6:07:18:29:3a:4b:5c:6d:7e:8f:90"` +
		`,"validity":{"notBefore":"May 28 12:30:02 2019 GMT","notAfter":"Aug  5 09:36:04 2021 GMT"}}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSerialNumbers(t *testing.T) {
	big63 := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 63), big.NewInt(1))
	for _, c := range []struct {
		n    *big.Int
		want string
	}{
		{big.NewInt(1), "1"}, {big.NewInt(0), "0"}, {big63, "9223372036854775807"},
		{new(big.Int).Add(big63, big.NewInt(1)), "80:00:00:00:00:00:00:00"},
		{new(big.Int).Lsh(big.NewInt(1), 64), "01:00:00:00:00:00:00:00:00"},
	} {
		if got := serialText(c.n); got != c.want {
			t.Errorf("%v: got %q, want %q", c.n, got, c.want)
		}
	}
}

func TestHeaders(t *testing.T) {
	chain := fixture(t)
	b64 := func(i int) string { return ":" + base64.StdEncoding.EncodeToString(chain[i].Raw) + ":" }
	sum := sha256.Sum256(chain[0].Raw)
	const subject = `CN=www.example.com,O=The \"Best\",C=US`
	pemOf := func(cs ...*x509.Certificate) string {
		var out string
		for _, c := range cs {
			out += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
		}
		return strings.NewReplacer("\n", "%0A", " ", "%20").Replace(out)
	}
	for _, c := range []struct {
		format Format
		want   []Field
	}{
		{FormatXFCC, []Field{{"X-Forwarded-Client-Cert", fmt.Sprintf(`Hash=%x;Subject="%s";URI="spiffe://example.com/x;y";DNS=a.example.com;DNS=b.example.com`, sum, subject)}}},
		{FormatRFC9440, []Field{{"Client-Cert", b64(0)}, {"Client-Cert-Chain", b64(1)}}},
		{FormatALB, []Field{
			{"X-Amzn-Mtls-Clientcert-Serial-Number", "A1B2C3D4E5F60718293A4B5C6D7E8F90"},
			{"X-Amzn-Mtls-Clientcert-Issuer", "CN=Mid"},
			{"X-Amzn-Mtls-Clientcert-Subject", subject},
			{"X-Amzn-Mtls-Clientcert-Validity", "NotBefore=2019-05-28T12:30:02Z;NotAfter=2021-08-05T09:36:04Z"},
			{"X-Amzn-Mtls-Clientcert-Leaf", pemOf(chain[0])},
		}},
		{FormatALBPassthrough, []Field{{"X-Amzn-Mtls-Clientcert", pemOf(chain...)}}},
	} {
		if diff := cmp.Diff(c.want, Headers(c.format, chain)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.format, diff)
		}
		if got := Headers(c.format, nil); got != nil {
			t.Errorf("%s without a certificate: got %v", c.format, got)
		}
		if f, err := ParseFormat(string(c.format)); err != nil || f != c.format {
			t.Errorf("ParseFormat(%q): %v, %v", c.format, f, err)
		}
		for _, f := range c.want {
			if !IsReserved(f.Name) {
				t.Errorf("%s is sent, but not removed from requests", f.Name)
			}
		}
	}
	if _, err := ParseFormat("x"); err == nil {
		t.Error("unknown format: got no error")
	}
	if got := Headers(FormatRFC9440, chain[2:]); len(got) != 1 {
		t.Errorf("a self-signed certificate alone: got %v, want no chain", got)
	}
}

func TestHeaderValuesHoldNoLineEnds(t *testing.T) {
	self := pkitest.Self(t, "a\r\nX-Evil: 1", func(c *x509.Certificate) {
		c.DNSNames = []string{"b"}
	})
	for _, f := range []Format{FormatXFCC, FormatRFC9440, FormatALB, FormatALBPassthrough} {
		for _, h := range Headers(f, []*x509.Certificate{self.Cert}) {
			if strings.ContainsAny(h.Value, "\r\n\x00") {
				t.Errorf("%s: %q holds a line end", h.Name, h.Value)
			}
		}
	}
}

func TestModes(t *testing.T) {
	chain := fixture(t)
	own := Element(chain, Details{})
	for _, c := range []struct {
		name, inbound string
		with, without string // with and without a certificate of this connection
	}{
		{"SANITIZE", "By=x", "", ""},
		{"FORWARD_ONLY", "By=x", "By=x", "By=x"},
		{"APPEND_FORWARD", "By=x", "By=x," + own, "By=x"},
		{"APPEND_FORWARD", "", own, ""},
		{"sanitize_set", "By=x", own, ""},
	} {
		m, err := ParseMode(c.name)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Value(c.inbound, chain, Details{}); got != c.with {
			t.Errorf("%s: got %q, want %q", c.name, got, c.with)
		}
		if got := m.Value(c.inbound, nil, Details{}); got != c.without {
			t.Errorf("%s without a certificate: got %q, want %q", c.name, got, c.without)
		}
	}
	if _, err := ParseMode("x"); err == nil {
		t.Error("unknown mode: got no error")
	}
	full := Element(chain, Details{By: "spiffe://us", Cert: true, Chain: true})
	if !strings.HasPrefix(full, "By=spiffe://us;Hash=") || !strings.Contains(full, `;Cert="-----BEGIN%20CERTIFICATE-----%0A`) || strings.Count(full, "BEGIN") != 4 {
		t.Errorf("element with all details: %q", full)
	}
}

func TestIsReserved(t *testing.T) {
	for name, want := range map[string]bool{
		"x-forwarded-client-cert": true, "X-FORWARDED-CLIENT-CERT": true, "X_Forwarded_Client_Cert": true,
		"client-cert": true, "Client_Cert-Chain": true, "x-amzn-mtls-clientcert-leaf": true,
		"client-certificate": false, "cookie": false, "x-forwarded-for": false, "": false, "content-type": false,
	} {
		if got := IsReserved(name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}

// FuzzElement: an element never holds more than one element's worth of separators outside
// quotes, nor a line end.
func FuzzElement(f *testing.F) {
	f.Add("a", "b.example.com")
	f.Add(`a",Hash=00;Subject="b`, `x,"y`)
	f.Fuzz(func(t *testing.T, cn, name string) {
		der, err := pkixName(cn)
		if err != nil {
			return
		}
		leaf := &x509.Certificate{Raw: []byte("x"), RawSubject: der, DNSNames: []string{name}}
		out := Element([]*x509.Certificate{leaf}, Details{Subject: true, DNS: true})
		quoted, escaped, keys := false, false, 1
		for i := 0; i < len(out); i++ {
			switch c := out[i]; {
			case escaped:
				escaped = false
			case c == '\\' && quoted:
				escaped = true
			case c == '"':
				quoted = !quoted
			case c == ',' && !quoted, c == '\r', c == '\n':
				t.Fatalf("%q breaks out of its element", out)
			case c == ';' && !quoted:
				keys++
			}
		}
		if keys != 3 || quoted {
			t.Fatalf("%q has %d keys, want 3", out, keys)
		}
	})
}

func pkixName(cn string) ([]byte, error) {
	return asn1.Marshal(pkix.Name{CommonName: cn}.ToRDNSequence())
}
