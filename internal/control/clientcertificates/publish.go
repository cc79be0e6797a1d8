package clientcertificates

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"gatehouse/internal/model"
)

// Published is what anybody may know of a client certificate: backends read it to learn which
// certificates to admit. It holds no key. It is not modified.
type Published struct {
	ID         string         `json:"clientCertificateId"`
	SwitchDate *time.Time     `json:"switchDate,omitempty"` // when the next takes the current one's place
	Keys       []PublishedKey `json:"keys"`                 // current first; all of them are to be admitted
}

// PublishedKey is one certificate as a JSON Web Key (RFC 7517, RFC 7518 section 6.3.1).
type PublishedKey struct {
	Status    string    `json:"status"` // current, next, previous
	KeyType   string    `json:"kty"`
	Use       string    `json:"use"`
	KeyID     string    `json:"kid"` // SHA-256 of the SubjectPublicKeyInfo, base64url
	Modulus   string    `json:"n"`
	Exponent  string    `json:"e"`
	Chain     []string  `json:"x5c"`      // DER, base64
	Thumb     string    `json:"x5t#S256"` // SHA-256 of the certificate, base64url
	Pin       string    `json:"spki"`     // "sha256//…", base64, as curl and others pin keys
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`

	pem string
}

// Published returns what is published of the certificate called id.
func (k *Keeper) Published(id string) (Published, bool) {
	t := k.table.Load()
	if t == nil {
		return Published{}, false
	}
	p, ok := (*t)[id]
	return p, ok
}

// JSON, PEM and Pins write the certificates in the three forms that are served.

// JSON is a JWK set with the switch date beside.
func (p Published) JSON() ([]byte, error) {
	out, err := json.MarshalIndent(p, "", "  ")
	return append(out, '\n'), err
}

// PEM is all certificates, one after the other: a bundle of trust anchors.
func (p Published) PEM() []byte {
	var b strings.Builder
	for _, k := range p.Keys {
		b.WriteString(strings.TrimSpace(k.pem) + "\n")
	}
	return []byte(b.String())
}

// Pins is the pin of each key in a line.
func (p Published) Pins() []byte {
	var b strings.Builder
	for _, k := range p.Keys {
		b.WriteString(k.Pin + "\n")
	}
	return []byte(b.String())
}

func publish(c model.ClientCertificate) (Published, error) {
	p := Published{ID: c.ID}
	add := func(status, text string) error {
		k, err := publishedKey(text)
		k.Status = status
		p.Keys = append(p.Keys, k)
		return err
	}
	if err := add("current", c.PEM); err != nil {
		return p, err
	}
	if s := c.Successor; s != nil {
		p.SwitchDate = &s.SwitchDate
		if err := add("next", s.PEM); err != nil {
			return p, fmt.Errorf("successor: %w", err)
		}
	}
	if c.Predecessor != nil {
		if err := add("previous", c.Predecessor.PEM); err != nil {
			return p, fmt.Errorf("predecessor: %w", err)
		}
	}
	return p, nil
}

func publishedKey(text string) (PublishedKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return PublishedKey{}, errors.New("found no PEM block, want a certificate")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return PublishedKey{}, err
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return PublishedKey{}, fmt.Errorf("found a key of type %T, want RSA", cert.PublicKey)
	}
	spki, thumb := sha256.Sum256(cert.RawSubjectPublicKeyInfo), sha256.Sum256(cert.Raw)
	exponent := binary.BigEndian.AppendUint32(nil, uint32(key.E))
	for len(exponent) > 1 && exponent[0] == 0 {
		exponent = exponent[1:]
	}
	u := base64.RawURLEncoding
	return PublishedKey{
		KeyType: "RSA", Use: "sig", KeyID: u.EncodeToString(spki[:]),
		Modulus: u.EncodeToString(key.N.Bytes()), Exponent: u.EncodeToString(exponent),
		Chain: []string{base64.StdEncoding.EncodeToString(cert.Raw)}, Thumb: u.EncodeToString(thumb[:]),
		Pin: "sha256//" + base64.StdEncoding.EncodeToString(spki[:]), NotBefore: cert.NotBefore.UTC(), NotAfter: cert.NotAfter.UTC(),
		pem: text,
	}, nil
}
