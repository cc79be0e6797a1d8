package pkitest

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// A CRLMod changes the template of a revocation list before it is signed.
type CRLMod func(*x509.RevocationList)

// Entries adds serial numbers with reason codes.
func Entries(reason int, serials ...*big.Int) CRLMod {
	return func(l *x509.RevocationList) {
		for _, s := range serials {
			l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{
				SerialNumber: s, RevocationTime: Now, ReasonCode: reason,
			})
		}
	}
}

// Between sets the times of the list.
func Between(this, next time.Time) CRLMod {
	return func(l *x509.RevocationList) { l.ThisUpdate, l.NextUpdate = this, next }
}

// RealList makes the list valid now, by the clock of the machine.
func RealList(l *x509.RevocationList) {
	l.ThisUpdate, l.NextUpdate = time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
}

// Extension adds an extension to the list.
func Extension(id asn1.ObjectIdentifier, critical bool, value string) CRLMod {
	return func(l *x509.RevocationList) {
		l.ExtraExtensions = append(l.ExtraExtensions, pkix.Extension{Id: id, Critical: critical, Value: []byte(value)})
	}
}

// IDP adds an issuing distribution point of the given content.
func IDP(content string) CRLMod {
	return Extension(asn1.ObjectIdentifier{2, 5, 29, 28}, true, "\x30"+string(rune(len(content)))+content)
}

// Delta makes the list a delta to list number base, below 128.
func Delta(base int) CRLMod {
	return Extension(asn1.ObjectIdentifier{2, 5, 29, 27}, true, "\x02\x01"+string(rune(base)))
}

// CRL makes a revocation list in DER. e need not have the right to sign it.
func (e *Entity) CRL(t testing.TB, number int64, mods ...CRLMod) []byte {
	t.Helper()
	l := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: Now.Add(-time.Hour), NextUpdate: Now.Add(time.Hour)}
	for _, m := range mods {
		m(l)
	}
	issuer := *e.Cert
	issuer.KeyUsage |= x509.KeyUsageCRLSign
	if issuer.SubjectKeyId == nil {
		issuer.SubjectKeyId = []byte{1}
	}
	der, err := x509.CreateRevocationList(rand.Reader, l, &issuer, e.Key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// CRLPEM encodes a list as PEM.
func CRLPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}
