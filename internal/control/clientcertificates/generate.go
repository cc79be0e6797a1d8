package clientcertificates

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"time"
)

// validity is how long a certificate is good for.
const validity = 365 * 24 * time.Hour

// keyBits is the length of the keys.
const keyBits = 2048

func newKey() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, keyBits) }

// subject is the name by which backends look for these certificates; it is the issuer, too.
var subject = pkix.Name{Country: []string{"US"}, Locality: []string{"Seattle"}, CommonName: "ApiGateway"}

// selfSign returns the certificate of a key as PEM, with the properties of the service's own:
// version 3 without extensions, a random 64-bit serial number, one year from start.
func selfSign(key crypto.Signer, start time.Time) (string, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 63))
	if err != nil {
		return "", err
	}
	template := &x509.Certificate{
		// The highest bit but the sign's is set: eight octets, never zero.
		SerialNumber:       serial.SetBit(serial, 62, 1),
		Subject:            subject,
		NotBefore:          start,
		NotAfter:           start.Add(validity),
		SignatureAlgorithm: x509.SHA256WithRSA,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), "\n"), nil
}

func keyPEM(key crypto.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
