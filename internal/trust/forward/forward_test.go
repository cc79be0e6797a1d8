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
	"slices"
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
		f, err := ParseForm(string(c.format))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, f.Headers(chain)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.format, diff)
		}
		if got := f.Headers(nil); got != nil {
			t.Errorf("%s without a certificate: got %v", c.format, got)
		}
		for _, f := range c.want {
			if !IsReserved(f.Name) {
				t.Errorf("%s is sent, but not removed from requests", f.Name)
			}
		}
	}
	if got := (Form{Format: FormatRFC9440}).Headers(chain[2:]); len(got) != 1 {
		t.Errorf("a self-signed certificate alone: got %v, want no chain", got)
	}
}

func TestHeaderValuesHoldNoLineEnds(t *testing.T) {
	self := pkitest.Self(t, "a\r\nX-Evil: 1", func(c *x509.Certificate) {
		c.DNSNames = []string{"b"}
	})
	for _, f := range []Format{FormatXFCC, FormatRFC9440, FormatALB, FormatALBPassthrough} {
		for _, h := range (Form{f, Details{Subject: true, URI: true, DNS: true, Cert: true, Chain: true}}).Headers([]*x509.Certificate{self.Cert}) {
			if strings.ContainsAny(h.Value, "\r\n\x00") {
				t.Errorf("%s: %q holds a line end", h.Name, h.Value)
			}
		}
	}
}

// Envoy's modes and details, as the tag writes them.
func TestForms(t *testing.T) {
	chain := fixture(t)
	sum := sha256.Sum256(chain[0].Raw)
	hash := fmt.Sprintf("Hash=%x", sum)
	const subject, uri, dns = `;Subject="CN=www.example.com,O=The \"Best\",C=US"`, `;URI="spiffe://example.com/x;y"`, ";DNS=a.example.com;DNS=b.example.com"
	pemOf := func(cs ...*x509.Certificate) string {
		var out string
		for _, c := range cs {
			out += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
		}
		return `"` + strings.NewReplacer("\n", "%0A", " ", "%20", "+", "%2B", "/", "%2F", "=", "%3D").Replace(out) + `"`
	}
	for _, c := range []struct{ tag, want string }{
		{"xfcc", hash + subject + uri + dns},
		{"xfcc SANITIZE_SET", hash + subject + uri + dns},
		{"xfcc sanitize_set Subject", hash + subject},
		{"xfcc Hash", hash},
		{"xfcc URI", hash + uri},
		{"xfcc DNS  hash", hash + dns},
		{"xfcc dns cert", hash + ";Cert=" + pemOf(chain[0]) + dns},
		{"xfcc Chain", hash + ";Chain=" + pemOf(chain...)},
		{"xfcc By=spiffe://example.com/gw SANITIZE_SET", "By=spiffe://example.com/gw;" + hash + subject + uri + dns},
		{"xfcc By=urn:a By=https://b/?c=d Hash", `By=urn:a;By="https://b/?c=d";` + hash},
		{"xfcc SANITIZE", ""},
	} {
		f, err := ParseForm(c.tag)
		if err != nil {
			t.Errorf("%q: %v", c.tag, err)
			continue
		}
		var got string
		if h := f.Headers(chain); len(h) == 1 && h[0].Name == XFCC {
			got = h[0].Value
		}
		if got != c.want {
			t.Errorf("%q:\ngot  %s\nwant %s", c.tag, got, c.want)
		}
	}
	bare := pkitest.Self(t, "bare", func(*x509.Certificate) {})
	all, err := ParseForm("xfcc")
	if err != nil {
		t.Fatal(err)
	}
	if got := all.Headers([]*x509.Certificate{bare.Cert})[0].Value; !strings.HasSuffix(got, `;Subject="CN=bare";URI=`) {
		t.Errorf("a certificate without names: %q, want an empty URI, as Envoy writes it", got)
	}
}

// What a tag may not say. Modes that hand on what callers claim are refused by name.
func TestFormsRefused(t *testing.T) {
	for _, c := range []struct{ tag, want string }{
		{"", "empty"}, {"   ", "empty"}, {"xml", `unknown form of forwarding "xml"`}, {"XFCC", "unknown form"},
		{"alb Subject", `"Subject" behind alb`}, {"rfc9440 SANITIZE", "behind rfc9440"},
		{"xfcc APPEND_FORWARD", "APPEND_FORWARD hands on what the caller claims"},
		{"xfcc forward_only", "hands on what the caller claims"},
		{"xfcc ALWAYS_FORWARD_ONLY Subject", "hands on what the caller claims"},
		{"xfcc SANITIZE SANITIZE_SET", "second mode"}, {"xfcc SANITIZE Cert", "sends nothing"}, {"xfcc SANITIZE By=urn:a", "sends nothing"},
		{"xfcc Serial", `unknown word "Serial"`}, {"xfcc Cert=1", "unknown word"},
		{"xfcc By", "want By=uri"}, {"xfcc By=", "want By=uri"}, {"xfcc By=gateway", "want By=uri"}, {"xfcc By=urn:ä", "want By=uri"},
	} {
		if f, err := ParseForm(c.tag); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, %v, want an error with %q", c.tag, f, err, c.want)
		}
	}
}

// By names the certificate that the gateway presents, unless the tag says otherwise.
func TestBy(t *testing.T) {
	own := pkitest.Self(t, "gateway", func(c *x509.Certificate) {
		c.URIs = []*url.URL{{Scheme: "spiffe", Host: "example.com", Path: "/gw"}, {Scheme: "urn", Opaque: "gw"}}
	}).Cert
	for _, c := range []struct {
		tag  string
		leaf *x509.Certificate
		want string
	}{
		{"xfcc", own, "spiffe://example.com/gw urn:gw"},
		{"xfcc", nil, ""},
		{"xfcc By=urn:x", own, "urn:x"},
		{"alb", own, ""},
		{"xfcc SANITIZE", own, ""},
	} {
		f, err := ParseForm(c.tag)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Presenting(c.leaf); got.Details.By != c.want || got.Format != f.Format {
			t.Errorf("%q: got %+v, want By %q", c.tag, got, c.want)
		}
	}
	if a, b := (Form{Format: FormatXFCC}), (Form{Format: FormatXFCC, Details: Details{By: "urn:a"}}); a.String() == b.String() {
		t.Errorf("two forms are called %q", a)
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

// FuzzParseForm: what is accepted is accepted again when its words are put in any other order.
func FuzzParseForm(f *testing.F) {
	f.Add("xfcc SANITIZE_SET Cert By=urn:a")
	f.Add("alb-passthrough")
	f.Fuzz(func(t *testing.T, value string) {
		form, err := ParseForm(value)
		if err != nil {
			return
		}
		words := strings.Fields(value)
		if strings.Count(strings.ToLower(value), "by=") < 2 { // their order is kept
			slices.Reverse(words[1:])
		}
		if again, err := ParseForm(strings.Join(words, " ")); err != nil || again != form {
			t.Errorf("%q: %v, and in another order %v, %v", value, form, again, err)
		}
	})
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
		out := Details{Subject: true, DNS: true}.element([]*x509.Certificate{leaf})
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
