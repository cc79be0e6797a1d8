package forward

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"

	"gatehouse/internal/trust/dn"
)

// The header names.
const (
	XFCC            = "X-Forwarded-Client-Cert"
	ClientCertName  = "Client-Cert"       // RFC 9440
	ClientCertChain = "Client-Cert-Chain" // RFC 9440
	albPassthrough  = "X-Amzn-Mtls-Clientcert"
	albSerial       = "X-Amzn-Mtls-Clientcert-Serial-Number"
	albIssuer       = "X-Amzn-Mtls-Clientcert-Issuer"
	albSubject      = "X-Amzn-Mtls-Clientcert-Subject"
	albValidity     = "X-Amzn-Mtls-Clientcert-Validity"
	albLeaf         = "X-Amzn-Mtls-Clientcert-Leaf"
)

var reserved = func() map[string]bool {
	m := map[string]bool{}
	for _, n := range []string{XFCC, ClientCertName, ClientCertChain, albPassthrough, albSerial, albIssuer, albSubject, albValidity, albLeaf} {
		m[strings.ToLower(n)] = true
	}
	return m
}()

// IsReserved reports whether an inbound header of this name must be removed, whether
// or not anything is forwarded. "_" counts as "-": many backends cannot tell them apart.
func IsReserved(name string) bool {
	if len(name) < len(ClientCertName) || len(name) > len(albSerial) {
		return false
	}
	switch name[0] | 0x20 {
	case 'x', 'c':
		return reserved[strings.ReplaceAll(strings.ToLower(name), "_", "-")]
	}
	return false
}

// A Field is a header to set on the request to the backend.
type Field struct{ Name, Value string }

// Headers writes a verified chain (leaf first, root last) in this form. Without a
// certificate, chain is empty, there is nothing to send.
func (f Form) Headers(chain []*x509.Certificate) []Field {
	if len(chain) == 0 {
		return nil
	}
	switch f.Format {
	case FormatXFCC:
		return []Field{{XFCC, f.Details.element(chain)}}
	case FormatRFC9440:
		return rfc9440(chain)
	case FormatALB:
		return alb(chain[0])
	case FormatALBPassthrough:
		return []Field{{albPassthrough, escapeALB(chainPEM(chain))}}
	}
	return nil
}

// rfc9440 writes byte sequences of RFC 8941. The chain header has what is between leaf
// and root; it is absent when that is nothing.
func rfc9440(chain []*x509.Certificate) []Field {
	bytes := func(c *x509.Certificate) string { return ":" + base64.StdEncoding.EncodeToString(c.Raw) + ":" }
	out := []Field{{ClientCertName, bytes(chain[0])}}
	if len(chain) > 2 {
		var parts []string
		for _, c := range chain[1 : len(chain)-1] {
			parts = append(parts, bytes(c))
		}
		out = append(out, Field{ClientCertChain, strings.Join(parts, ", ")})
	}
	return out
}

// alb writes the headers of the Application Load Balancer's verify mode.
func alb(leaf *x509.Certificate) []Field {
	return []Field{
		{albSerial, strings.ToUpper(hex.EncodeToString(leaf.SerialNumber.Bytes()))},
		{albIssuer, nameText(leaf.RawIssuer, dn.Name.RFC4514)},
		{albSubject, nameText(leaf.RawSubject, dn.Name.RFC4514)},
		{albValidity, "NotBefore=" + leaf.NotBefore.UTC().Format(time.RFC3339) + ";NotAfter=" + leaf.NotAfter.UTC().Format(time.RFC3339)},
		{albLeaf, escapeALB(encodePEM(leaf))},
	}
}

func chainPEM(chain []*x509.Certificate) string {
	var b strings.Builder
	for _, c := range chain {
		b.WriteString(encodePEM(c))
	}
	return b.String()
}

// escapeALB percent-encodes a PEM text as the load balancer does: "+", "=" and "/" stay.
var escapeALB = strings.NewReplacer("\n", "%0A", " ", "%20").Replace

// escapeEnvoy percent-encodes a PEM text as Envoy does.
var escapeEnvoy = strings.NewReplacer("\n", "%0A", " ", "%20", "+", "%2B", "/", "%2F", "=", "%3D").Replace

// element writes one element of X-Forwarded-Client-Cert for a chain, in Envoy's order. As
// in Envoy, Subject and URI are there even when the certificate has none.
func (d Details) element(chain []*x509.Certificate) string {
	leaf := chain[0]
	var kv []string
	for _, uri := range strings.Fields(d.By) {
		kv = append(kv, "By="+quoteXFCC(uri))
	}
	sum := sha256.Sum256(leaf.Raw)
	kv = append(kv, "Hash="+hex.EncodeToString(sum[:]))
	if d.Cert {
		kv = append(kv, `Cert="`+escapeEnvoy(encodePEM(leaf))+`"`)
	}
	if d.Chain {
		kv = append(kv, `Chain="`+escapeEnvoy(chainPEM(chain))+`"`)
	}
	if d.Subject { // RFC 4514 has escaped quotes, backslashes and controls
		kv = append(kv, `Subject="`+nameText(leaf.RawSubject, dn.Name.RFC4514)+`"`)
	}
	if d.URI {
		for _, u := range leaf.URIs {
			kv = append(kv, "URI="+quoteXFCC(u.String()))
		}
		if len(leaf.URIs) == 0 {
			kv = append(kv, "URI=")
		}
	}
	if d.DNS {
		for _, n := range leaf.DNSNames {
			kv = append(kv, "DNS="+quoteXFCC(n))
		}
	}
	return strings.Join(kv, ";")
}

// quoteXFCC quotes a value that holds one of the separators (",", ";", "=") or a quote,
// and drops line ends.
func quoteXFCC(s string) string {
	s = strings.NewReplacer("\r", "", "\n", "", "\x00", "").Replace(s)
	if strings.ContainsAny(s, `,;="`) {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
	}
	return s
}
