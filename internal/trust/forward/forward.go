// Package forward writes what is known about a client certificate for those behind the
// gateway: the fields of $context.identity.clientCert, and the request headers by which
// proxies hand a certificate on.
//
// The gateway calls it after a trust.Verdict. Functions are pure and may be called
// concurrently. All headers named here are removed from every inbound request first
// (IsReserved): who could send them would be whoever it likes.
package forward

import (
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"strings"
	"time"

	"gatehouse/internal/trust/dn"
)

// A ClientCert holds the fields of $context.identity.clientCert. Its JSON form is that of
// Lambda events, requestContext.identity.clientCert (reference mutual-tls.md A6.3, A6.4).
type ClientCert struct {
	PEM          string   `json:"clientCertPem"`
	SubjectDN    string   `json:"subjectDN"`
	IssuerDN     string   `json:"issuerDN"`
	SerialNumber string   `json:"serialNumber"`
	Validity     Validity `json:"validity"`
}

// Validity is in OpenSSL's text form: "May 28 12:30:02 2019 GMT".
type Validity struct {
	NotBefore string `json:"notBefore"`
	NotAfter  string `json:"notAfter"`
}

// Fields returns the context fields of a certificate.
func Fields(leaf *x509.Certificate) ClientCert {
	return ClientCert{
		PEM:          encodePEM(leaf),
		SubjectDN:    nameText(leaf.RawSubject, dn.Name.String),
		IssuerDN:     nameText(leaf.RawIssuer, dn.Name.String),
		SerialNumber: serialText(leaf.SerialNumber),
		Validity:     Validity{NotBefore: timeText(leaf.NotBefore), NotAfter: timeText(leaf.NotAfter)},
	}
}

// nameText writes an encoded name. Verified certificates have names that parse; of
// others, in logs only, nothing is shown.
func nameText(der []byte, form func(dn.Name) string) string {
	n, err := dn.Parse(der)
	if err != nil {
		return ""
	}
	return form(n)
}

// serialText writes numbers of up to 63 bits in decimal and longer ones as octets, as
// OpenSSL prints them and the samples show ("1", "a1:a1:...").
func serialText(n *big.Int) string {
	if n.IsInt64() {
		return n.String()
	}
	b := n.Bytes()
	var out strings.Builder
	if n.Sign() < 0 {
		out.WriteString("(Negative)")
	}
	for i, c := range b {
		if i > 0 {
			out.WriteByte(':')
		}
		out.WriteString(hex.EncodeToString([]byte{c}))
	}
	return out.String()
}

func timeText(t time.Time) string { return t.UTC().Format("Jan _2 15:04:05 2006") + " GMT" }

func encodePEM(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}
