package certificates

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"time"

	"gatehouse/internal/model"
)

// material is a certificate with key and chain that fit together.
type material struct {
	leaf         *x509.Certificate
	names        []string // the common name first when it is a name, then the others
	keyAlgorithm string   // as ACM names it: RSA_2048
	certPEM      []byte
	chainPEM     []byte
	keyPEM       []byte
}

// parseMaterial checks what is imported (acm-and-s3-subset, section 1.5).
func parseMaterial(cert, key, chain []byte, now time.Time) (*material, error) {
	certs, err := readCertificates(cert)
	if err != nil || len(certs) == 0 {
		return nil, invalid("The certificate is not PEM-encoded or is not valid.")
	}
	if len(certs) > 1 {
		return nil, invalid("The certificate field contains more than one certificate. You can specify only one certificate in this field.")
	}
	m := &material{leaf: certs[0], certPEM: encode(certs[0])}
	signer, keyPEM, err := readKey(key)
	if err != nil {
		return nil, err
	}
	m.keyPEM = keyPEM
	if !samePublicKey(signer.Public(), m.leaf.PublicKey) {
		return nil, invalid("The certificate does not match the private key.")
	}
	switch {
	case m.leaf.Version != 3:
		return nil, invalid("The certificate is not an X.509 version 3 certificate.")
	case now.After(m.leaf.NotAfter):
		return nil, invalid("The certificate has expired, is not valid.")
	case now.Before(m.leaf.NotBefore):
		return nil, invalid("The certificate is not in effect yet, is not valid.")
	}
	if m.keyAlgorithm, err = keyAlgorithm(m.leaf.PublicKey); err != nil {
		return nil, err
	}
	if m.names = namesOf(m.leaf); len(m.names) == 0 {
		return nil, invalid("The certificate names no domain name and no IP address.")
	}
	return m, m.readChain(chain)
}

// readChain checks that each certificate of the chain certifies the one before.
func (m *material) readChain(chain []byte) error {
	if len(bytes.TrimSpace(chain)) == 0 {
		return nil
	}
	certs, err := readCertificates(chain)
	if err != nil || len(certs) == 0 {
		return invalid("The certificate chain is not PEM-encoded or is not valid.")
	}
	before := m.leaf
	for _, c := range certs {
		if c.Equal(m.leaf) || before.CheckSignatureFrom(c) != nil {
			return invalid("Could not validate the certificate with the certificate chain.")
		}
		m.chainPEM = append(m.chainPEM, encode(c)...)
		before = c
	}
	return nil
}

// fill copies what a certificate says about itself.
func (m *material) fill(c *model.Certificate) {
	c.CertificatePEM, c.ChainPEM = string(m.certPEM), string(m.chainPEM)
	c.DomainName, c.SubjectAlternativeNames = m.names[0], m.names
	c.KeyAlgorithm = m.keyAlgorithm
	c.NotBefore, c.NotAfter = m.leaf.NotBefore, m.leaf.NotAfter
}

func encode(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

var errTrailing = errors.New("text that is not PEM")

// readCertificates reads a PEM text that holds certificates alone.
func readCertificates(text []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for len(bytes.TrimSpace(text)) > 0 {
		block, rest := pem.Decode(text)
		if block == nil {
			return nil, errTrailing
		}
		text = rest
		if block.Type != "CERTIFICATE" {
			return nil, errTrailing
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// readPEM reads the first certificate of a text.
func readPEM(text string) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errTrailing
	}
	return x509.ParseCertificate(block.Bytes)
}

// readKey reads an unencrypted private key and returns it in PKCS #8. Blocks with
// parameters of elliptic curves are dropped.
func readKey(text []byte) (crypto.Signer, []byte, error) {
	bad := invalid("The private key is not PEM-encoded or is not valid.")
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return nil, nil, bad
		}
		text = rest
		if block.Type == "EC PARAMETERS" {
			continue
		}
		if block.Headers["DEK-Info"] != "" || block.Type == "ENCRYPTED PRIVATE KEY" {
			return nil, nil, invalid("The private key is encrypted. Import it without a password.")
		}
		key, err := parseKey(block.Bytes)
		if err != nil {
			return nil, nil, bad
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, nil, bad
		}
		return key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
	}
}

func parseKey(der []byte) (crypto.Signer, error) {
	if k, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		if s, ok := k.(crypto.Signer); ok {
			return s, nil
		}
		return nil, errors.New("not a signing key")
	}
	if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return k, nil
	}
	return x509.ParseECPrivateKey(der)
}

func samePublicKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// keyAlgorithm names a key as ACM does, and refuses those that it does not take.
func keyAlgorithm(key crypto.PublicKey) (string, error) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		switch k.N.BitLen() {
		case 1024:
			return "RSA_1024", nil
		case 2048:
			return "RSA_2048", nil
		case 3072:
			return "RSA_3072", nil
		case 4096:
			return "RSA_4096", nil
		}
	case *ecdsa.PublicKey:
		switch k.Curve.Params().BitSize {
		case 256:
			return "EC_prime256v1", nil
		case 384:
			return "EC_secp384r1", nil
		case 521:
			return "EC_secp521r1", nil
		}
	case ed25519.PublicKey:
	}
	return "", invalid("The key of the certificate is not supported: want RSA with 1024, 2048, 3072 or 4096 bits, or ECDSA on P-256, P-384 or P-521.")
}

// namesOf lists the names of a certificate, the common name first.
func namesOf(c *x509.Certificate) []string {
	var names []string
	add := func(n string) {
		for _, have := range names {
			if have == n {
				return
			}
		}
		if n != "" {
			names = append(names, n)
		}
	}
	add(c.Subject.CommonName)
	for _, n := range c.DNSNames {
		add(n)
	}
	for _, ip := range c.IPAddresses {
		add(ip.String())
	}
	return names
}
