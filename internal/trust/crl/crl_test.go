package crl

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/trust/dn"
	"gatehouse/internal/trust/pkitest"
)

func TestSerialKeys(t *testing.T) {
	for _, c := range []struct {
		n    int64
		want string
	}{
		{0, "00"}, {1, "01"}, {127, "7f"}, {128, "0080"}, {255, "00ff"}, {256, "0100"},
		{-1, "ff"}, {-128, "80"}, {-129, "ff7f"}, {-255, "ff01"}, {-256, "ff00"}, {-32768, "8000"},
	} {
		if got := fmt.Sprintf("%x", serialKey(big.NewInt(c.n))); got != c.want {
			t.Errorf("%d: got %s, want %s", c.n, got, c.want)
		}
	}
}

func TestFind(t *testing.T) {
	ca := pkitest.Root(t, "CA")
	long := new(big.Int).SetBytes(bytes.Repeat([]byte{0x7f}, 20))
	longer := new(big.Int).SetBytes(bytes.Repeat([]byte{0x7f}, 40))
	l, err := Parse(ca.CRL(t, 5, pkitest.Entries(1, big.NewInt(255), long), pkitest.Entries(6, longer, big.NewInt(7)), pkitest.Entries(0, big.NewInt(128))))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		serial *big.Int
		reason int
		ok     bool
	}{
		{big.NewInt(255), 1, true}, {long, 1, true}, {longer, 6, true}, {big.NewInt(7), 6, true}, {big.NewInt(128), 0, true},
		{big.NewInt(-1), 0, false}, {big.NewInt(-128), 0, false}, {big.NewInt(0), 0, false}, {big.NewInt(1 << 20), 0, false},
	} {
		if reason, ok := l.Find(c.serial); reason != c.reason || ok != c.ok {
			t.Errorf("%v: got %d, %v; want %d, %v", c.serial, reason, ok, c.reason, c.ok)
		}
	}
	if l.Len() != 5 || l.Number.Int64() != 5 || l.Base != nil || l.IssuerKey == "" || len(l.AuthorityKeyID) == 0 {
		t.Errorf("read as %+v", l)
	}
	if err := l.CheckSignature(ca.Cert); err != nil {
		t.Errorf("signature: %v", err)
	}
	if err := l.CheckSignature(pkitest.Root(t, "CA").Cert); err == nil {
		t.Error("signature by another key: got no error")
	}
}

func TestParseAll(t *testing.T) {
	ca := pkitest.Root(t, "CA")
	one, two := ca.CRL(t, 1), ca.CRL(t, 2)
	text := slicesConcat([]byte("# lists\n"), pkitest.CRLPEM(one), []byte("\n"), pkitest.CRLPEM(two))
	lists, err := ParseAll(text)
	if err != nil || len(lists) != 2 {
		t.Errorf("two PEM blocks: got %d lists, %v", len(lists), err)
	}
	if lists, err := ParseAll(one); err != nil || len(lists) != 1 {
		t.Errorf("DER: got %d lists, %v", len(lists), err)
	}
	for _, c := range []struct {
		name, want string
		data       []byte
	}{
		{"empty", "neither", nil},
		{"certificate", `"CERTIFICATE", want X509 CRL`, ca.PEM()},
		{"cut off", "damaged or cut off", text[:len(text)-40]},
		{"DER cut off", "want one SEQUENCE", one[:len(one)-1]},
		{"HTML", "neither", []byte("<html>")},
	} {
		if _, err := ParseAll(c.data); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
		}
	}
}

func slicesConcat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestScope(t *testing.T) {
	ca := pkitest.Root(t, "CA")
	for _, c := range []struct {
		name, idp string
		check     func(*List) bool
	}{
		{"users", "\x81\x01\xff", func(l *List) bool { return l.Scope.OnlyUser && l.Doubt == "" }},
		{"CAs", "\x82\x01\xff", func(l *List) bool { return l.Scope.OnlyCA }},
		{"attributes", "\x85\x01\xff", func(l *List) bool { return l.Scope.OnlyAttributes }},
		{"indirect", "\x84\x01\xff", func(l *List) bool { return l.Scope.Indirect && l.Doubt != "" }},
		{"some reasons", "\x83\x02\x05\x60", func(l *List) bool { return l.Scope.Reasons == 1<<1|1<<2 }},
		{"name", "\xa0\x0a\xa0\x08\x86\x06http:a", func(l *List) bool {
			return len(l.Scope.Names) == 1 && l.Scope.Names[0].Form == dn.URI && l.Scope.Names[0].Text == "http:a"
		}},
	} {
		l, err := Parse(ca.CRL(t, 1, pkitest.IDP(c.idp)))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if !c.check(l) {
			t.Errorf("%s: read as %+v, doubt %q", c.name, l.Scope, l.Doubt)
		}
	}
	for _, bad := range []string{"\x81\x02\xff\xff", "\x87\x01\xff", "\xa0\x02\xa0\x05", "\x83\x01\x09"} {
		if l, err := Parse(ca.CRL(t, 1, pkitest.IDP(bad))); err == nil {
			t.Errorf("issuing distribution point %x: read as %+v, want an error", bad, l.Scope)
		}
	}
}

func TestDoubt(t *testing.T) {
	ca := pkitest.Root(t, "CA")
	unknown := asn1.ObjectIdentifier{1, 2, 3}
	if l, err := Parse(ca.CRL(t, 1, pkitest.Extension(unknown, true, "\x05\x00"))); err != nil || l.Doubt == "" {
		t.Errorf("unknown critical extension: %v, doubt %q", err, l.Doubt)
	}
	if l, err := Parse(ca.CRL(t, 1, pkitest.Extension(unknown, false, "\x05\x00"))); err != nil || l.Doubt != "" {
		t.Errorf("unknown extension: %v, doubt %q", err, l.Doubt)
	}
	if l, err := Parse(ca.CRL(t, 3, pkitest.Delta(2))); err != nil || l.Base.Int64() != 2 || l.Doubt != "" {
		t.Errorf("delta: %v, %+v", err, l)
	}
}

func TestSupersedes(t *testing.T) {
	day := pkitest.Now
	list := func(number int64, at time.Time) *List { return &List{Number: big.NewInt(number), ThisUpdate: at} }
	bare := func(at time.Time) *List { return &List{ThisUpdate: at} }
	for _, c := range []struct {
		name     string
		new, old *List
		want     bool
	}{
		{"higher number", list(2, day), list(1, day), true},
		{"the same again", list(2, day), list(2, day), true},
		{"lower number, older", list(1, day.Add(-time.Hour)), list(2, day), false},
		{"lower number, same date", list(1, day), list(2, day), false},
		{"lower number, newer date", list(1, day.Add(time.Hour)), list(2, day), true},
		{"no number, newer", bare(day.Add(time.Hour)), list(2, day), true},
		{"no number, older", bare(day.Add(-time.Hour)), list(2, day), false},
	} {
		if got := c.new.Supersedes(c.old); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// TestManyEntries holds the size in memory and finds each of them.
func TestManyEntries(t *testing.T) {
	const n = 50_000
	r := rand.New(rand.NewPCG(1, 2))
	serials := make([]*big.Int, n)
	var b serialsBuilder
	for i := range serials {
		buf := make([]byte, 16)
		for j := range buf {
			buf[j] = byte(r.Uint32())
		}
		serials[i] = new(big.Int).SetBytes(buf)
		b.add(serialKey(serials[i]), uint8(i%11))
	}
	set := b.build()
	size := 0
	for _, g := range set.groups {
		size += cap(g.keys) + cap(g.reasons)
	}
	if size > n*20 {
		t.Errorf("%d octets for %d entries", size, n)
	}
	for i, s := range serials {
		if reason, ok := set.find(serialKey(s)); !ok || reason != uint8(i%11) {
			t.Fatalf("entry %d: got %d, %v", i, reason, ok)
		}
		if _, ok := set.find(serialKey(new(big.Int).Neg(s))); ok {
			t.Fatalf("entry %d: its negative was found", i)
		}
	}
}

func BenchmarkFind500k(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	var builder serialsBuilder
	var probe []*big.Int
	for i := range 500_000 {
		s := new(big.Int).SetUint64(r.Uint64())
		s.Lsh(s, 64).Add(s, new(big.Int).SetUint64(r.Uint64()))
		builder.add(serialKey(s), 0)
		if i%1000 == 0 {
			probe = append(probe, s)
		}
	}
	l := &List{serials: builder.build()}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, ok := l.Find(probe[i%len(probe)]); !ok {
			b.Fatal("not found")
		}
		i++
	}
}

// FuzzParse compares with crypto/x509: what both accept, both read alike.
func FuzzParse(f *testing.F) {
	ca := pkitest.Root(f, "CA")
	f.Add(ca.CRL(f, 1))
	f.Add(ca.CRL(f, 300, pkitest.Entries(1, big.NewInt(255), big.NewInt(1<<40)), pkitest.IDP("\x81\x01\xff")))
	f.Add(ca.CRL(f, 3, pkitest.Delta(2), pkitest.Entries(8, big.NewInt(9))))
	f.Fuzz(func(t *testing.T, der []byte) {
		l, err := Parse(der)
		if err != nil {
			return
		}
		if l.Len() > len(der)/8 {
			t.Fatalf("%d entries in %d octets", l.Len(), len(der))
		}
		std, err := x509.ParseRevocationList(der)
		if err != nil {
			return
		}
		if l.Len() != len(std.RevokedCertificateEntries) {
			t.Fatalf("%d entries, crypto/x509 reads %d", l.Len(), len(std.RevokedCertificateEntries))
		}
		for _, e := range std.RevokedCertificateEntries {
			if _, ok := l.Find(e.SerialNumber); !ok {
				t.Fatalf("serial %v is not found", e.SerialNumber)
			}
		}
		if !l.ThisUpdate.Equal(std.ThisUpdate) || !l.NextUpdate.Equal(std.NextUpdate) {
			t.Fatalf("times %v, %v; crypto/x509 reads %v, %v", l.ThisUpdate, l.NextUpdate, std.ThisUpdate, std.NextUpdate)
		}
		if (l.CheckSignature(ca.Cert) == nil) != (std.CheckSignatureFrom(ca.Cert) == nil) {
			t.Fatalf("signature: %v; crypto/x509: %v", l.CheckSignature(ca.Cert), std.CheckSignatureFrom(ca.Cert))
		}
	})
}
