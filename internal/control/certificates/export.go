package certificates

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/pem"

	"gatehouse/internal/awsapi/gen/acm"
	"gatehouse/internal/control/operation"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// ExportCertificate returns an issued certificate with its key, encrypted under a passphrase:
// only where the request for the certificate said that it may be exported.
func (s *Certificates) ExportCertificate(ctx context.Context, in *acm.ExportCertificateInput) (*acm.ExportCertificateOutput, error) {
	if len(in.Passphrase) < 4 || len(in.Passphrase) > 128 || bytes.ContainsAny(in.Passphrase, "#$%") {
		return nil, invalid("The passphrase must have 4 to 128 octets, and none of the characters #, $ and %.")
	}
	var key store.Secret
	out, err := operation.Update(ctx, s.Store, func(tx *store.Tx) (*acm.ExportCertificateOutput, error) {
		it, err := get(ctx, tx, *in.CertificateArn)
		if err != nil {
			return nil, err
		}
		c := &it.Value
		switch {
		case c.Type == "IMPORTED" || exportOf(*c) != "ENABLED":
			return nil, invalid("Certificate ARN: " + c.ARN + " is not exportable. A certificate is when it is requested with the option Export ENABLED.")
		case c.Status == "PENDING_VALIDATION":
			return nil, notIssued(c.ARN)
		case c.Status != "ISSUED":
			return nil, invalid("The certificate " + c.ARN + " has the status " + c.Status + "; it must be ISSUED.")
		}
		if key, err = tx.Secret(it.Key, model.SecretPrivateKey); err != nil {
			return nil, err
		}
		out := &acm.ExportCertificateOutput{Certificate: &c.CertificatePEM, CertificateChain: opt.NonZero(c.ChainPEM)}
		if c.Exported {
			return out, nil
		}
		c.Exported = true // and so renewed, whether or not something here uses it
		return out, certs.Replace(tx, it)
	})
	if err != nil {
		return nil, err
	}
	encrypted, err := encryptKey(key, in.Passphrase) // slow on purpose, so outside of the transaction
	if err != nil {
		return nil, err
	}
	out.PrivateKey = opt.Of(string(encrypted))
	return out, nil
}

// The structures of PKCS #8 and PKCS #5 version 2 (RFC 5958 section 3, RFC 8018 appendix A).
type (
	algorithm struct {
		ID         asn1.ObjectIdentifier
		Parameters any
	}
	encryptedPrivateKeyInfo struct {
		Algorithm algorithm
		Data      []byte
	}
	pbes2Parameters struct{ Derivation, Encryption algorithm }
	pbkdf2Salt      struct {
		Salt       []byte
		Iterations int
		PRF        algorithm
	}
)

var (
	oidPBES2      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidHMACSHA256 = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
	oidAES256CBC  = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
)

// iterations of PBKDF2 with HMAC-SHA-256, as OWASP advises.
const iterations = 600_000

// encryptKey encrypts a PKCS #8 key as PEM: PBES2 with PBKDF2, HMAC-SHA-256 and AES-256-CBC,
// which OpenSSL reads.
func encryptKey(keyPEM, passphrase []byte) ([]byte, error) {
	block, _ := pem.Decode(keyPEM)
	if block == nil {
		return nil, errTrailing
	}
	salt, iv := make([]byte, 16), make([]byte, aes.BlockSize)
	rand.Read(salt)
	rand.Read(iv)
	key, err := pbkdf2.Key(sha256.New, string(passphrase), salt, iterations, 32)
	if err != nil {
		return nil, err
	}
	c, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	pad := aes.BlockSize - len(block.Bytes)%aes.BlockSize
	data := append(bytes.Clone(block.Bytes), bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(c, iv).CryptBlocks(data, data)
	der, err := asn1.Marshal(encryptedPrivateKeyInfo{
		Algorithm: algorithm{oidPBES2, pbes2Parameters{
			Derivation: algorithm{oidPBKDF2, pbkdf2Salt{salt, iterations, algorithm{oidHMACSHA256, asn1.NullRawValue}}},
			Encryption: algorithm{oidAES256CBC, iv},
		}},
		Data: data,
	})
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der}), nil
}
