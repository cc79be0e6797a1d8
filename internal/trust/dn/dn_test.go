package dn

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"strings"
	"testing"
)

// encode builds a name of one attribute per RDN, each "type=value" with a tag in front.
func encode(t testing.TB, attrs ...asn1.RawValue) []byte {
	t.Helper()
	var rdns []asn1.RawValue
	for _, v := range attrs {
		pair, err := asn1.Marshal([]asn1.RawValue{{FullBytes: []byte{6, 3, 0x55, 4, 3}}, v})
		if err != nil {
			t.Fatal(err)
		}
		rdns = append(rdns, asn1.RawValue{Class: 0, Tag: 17, IsCompound: true, Bytes: pair})
	}
	der, err := asn1.Marshal(rdns)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func str(tag int, s string) asn1.RawValue { return asn1.RawValue{Tag: tag, Bytes: []byte(s)} }

func TestKeyFollowsRFC5280(t *testing.T) {
	base := encode(t, str(19, "Example CA"))
	for _, c := range []struct {
		name string
		der  []byte
		same bool
	}{
		{"identical", encode(t, str(19, "Example CA")), true},
		{"case", encode(t, str(19, "eXAMPLE ca")), true},
		{"white space", encode(t, str(19, "  Example    CA ")), true},
		{"UTF8String", encode(t, str(12, "Example CA")), true},
		{"BMPString", encode(t, str(30, "\x00E\x00x\x00a\x00m\x00p\x00l\x00e\x00 \x00C\x00A")), true},
		{"TeletexString", encode(t, str(20, "Example CA")), true},
		{"soft hyphen", encode(t, str(12, "Exam\u00adple CA")), true},
		{"space removed", encode(t, str(19, "ExampleCA")), false},
		{"NUL inside", encode(t, str(12, "Example CA\x00")), false},
		{"other octets of another type", encode(t, str(4, "Example CA")), false},
		{"another RDN", encode(t, str(19, "Example CA"), str(19, "x")), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := Parse(base)
			if err != nil {
				t.Fatal(err)
			}
			b, err := Parse(c.der)
			if err != nil {
				t.Fatal(err)
			}
			if got := a.Key() == b.Key(); got != c.same {
				t.Errorf("%v matches %v: got %v, want %v", a, b, got, c.same)
			}
		})
	}
}

func TestKeyIgnoresOrderInsideOneRDNOnly(t *testing.T) {
	parse := func(s string) Name {
		n, err := ParseText(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if parse("CN=a+OU=b").Key() != parse("OU=b+CN=a").Key() {
		t.Error("attributes of one RDN: want any order to match")
	}
	if parse("CN=a,OU=b").Key() == parse("OU=b,CN=a").Key() {
		t.Error("RDNs in another order: want no match")
	}
	if parse("CN=a+OU=b").Key() == parse("CN=a,OU=b").Key() {
		t.Error("one RDN of two against two RDNs of one: want no match")
	}
}

func TestStringKeepsEncodedOrder(t *testing.T) {
	der, err := asn1.Marshal(pkix.RDNSequence{
		{{Type: asn1.ObjectIdentifier{2, 5, 4, 6}, Value: "US"}},
		{{Type: asn1.ObjectIdentifier{2, 5, 4, 8}, Value: "Washington"}},
		{{Type: asn1.ObjectIdentifier{2, 5, 4, 10}, Value: "Amazon Web Services"}},
		{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "My Client"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	n, err := Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := n.String(), "C=US,ST=Washington,O=Amazon Web Services,CN=My Client"; got != want {
		t.Errorf("String: got %q, want %q", got, want)
	}
	if got, want := n.RFC4514(), "CN=My Client,O=Amazon Web Services,ST=Washington,C=US"; got != want {
		t.Errorf("RFC4514: got %q, want %q", got, want)
	}
}

func TestStringEscapes(t *testing.T) {
	for in, want := range map[string]string{
		"a,b":        `CN=a\,b`,
		" a ":        `CN=\ a\ `,
		"#a":         `CN=\#a`,
		"a\r\nb":     `CN=a\0D\0Ab`,
		"a\x00b":     `CN=a\00b`,
		`a"+;<>\b`:   `CN=a\"\+\;\<\>\\b`,
		"Grüße":      "CN=Grüße",
		"CN=x, O= y": `CN=CN=x\, O= y`,
	} {
		n, err := Parse(encode(t, str(12, in)))
		if err != nil {
			t.Fatal(err)
		}
		if got := n.String(); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestUnknownTypeIsWrittenAsDER(t *testing.T) {
	der, _ := hex.DecodeString("300f310d300b06042a030405" + "0c03" + "616263")
	n, err := Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := n.String(), "1.2.3.4.5=#0c03616263"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, der := range map[string][]byte{
		"empty input":     nil,
		"trailing":        {0x30, 0, 0},
		"empty SET":       {0x30, 2, 0x31, 0},
		"invalid UTF-8":   encode(t, str(12, "\xff")),
		"odd BMPString":   encode(t, str(30, "abc")),
		"non-ASCII IA5":   encode(t, str(22, "\xe4")),
		"over the limit":  encode(t, str(12, strings.Repeat("a", MaxSize))),
		"short Universal": encode(t, str(28, "abc")),
	} {
		if n, err := Parse(der); err == nil {
			t.Errorf("%s: got %v, want an error", name, n)
		}
	}
}

func TestParseTextRefuses(t *testing.T) {
	for _, s := range []string{"", " ", "CN", "CN=a,", "XX=a", "CN=a;b", `CN=a\`, `CN=a\zz`, "CN=#zz", "CN=#0c", "3.1=a", "CN=\xff", "CN=\\FF"} {
		if n, err := ParseText(s); err == nil {
			t.Errorf("%q: got %v, want an error", s, n)
		}
	}
}

// FuzzText: what is read from text, written and read again matches itself.
func FuzzText(f *testing.F) {
	for _, s := range []string{"CN=a,O=b", `CN=\2c\,x+OU= y `, "1.2.3=#0c0161", "cn=ü", "S=x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseText(s)
		if err != nil {
			return
		}
		again, err := ParseText(n.RFC4514())
		if err != nil {
			t.Fatalf("%q is written as %q, which does not parse: %v", s, n.RFC4514(), err)
		}
		if n.Key() != again.Key() {
			t.Fatalf("%q is written as %q, which is another name", s, n.RFC4514())
		}
	})
}

// FuzzParse: the text form of a parsed name names the same name.
func FuzzParse(f *testing.F) {
	f.Add(encode(f, str(19, "Example CA"), str(12, "#ä, ")))
	f.Add(encode(f, str(30, "\x00a\xd8\x00")))
	f.Fuzz(func(t *testing.T, der []byte) {
		n, err := Parse(der)
		if err != nil || len(n) == 0 {
			return
		}
		if text := n.String(); bytes.ContainsAny([]byte(text), "\r\n\x00") {
			t.Fatalf("text form %q holds control characters", text)
		}
		if len(n.RFC4514()) > MaxSize || strings.Contains(n.RFC4514(), "oid.") {
			return
		}
		again, err := ParseText(n.RFC4514())
		if err != nil {
			t.Fatalf("%q does not parse: %v", n.RFC4514(), err)
		}
		if n.Key() != again.Key() {
			t.Fatalf("%q names another name", n.RFC4514())
		}
	})
}
