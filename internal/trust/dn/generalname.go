package dn

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// A Form is the kind of a GeneralName: its context-specific tag (RFC 5280 section 4.2.1.6).
type Form uint8

// The forms of a GeneralName. Those without a use here are only told apart.
const (
	OtherName Form = iota
	RFC822Name
	DNSName
	X400Address
	DirectoryName
	EDIPartyName
	URI
	IPAddress
	RegisteredID
)

var formNames = [...]string{"other name", "e-mail address", "DNS name", "X.400 address", "directory name", "EDI party name", "URI", "IP address", "registered id"}

// String names the form in words.
func (f Form) String() string {
	if int(f) < len(formNames) {
		return formNames[f]
	}
	return fmt.Sprintf("form %d", f)
}

// A GeneralName is one name of any form.
type GeneralName struct {
	Form Form
	// Text is the value of e-mail addresses, DNS names and URIs: ASCII, not checked further.
	Text string
	// IP is the address, or in a name constraint the address and the mask.
	IP []byte
	// Directory is set for DirectoryName.
	Directory Name
}

// ParseGeneralNames reads the elements of a GeneralNames sequence: its content,
// without the outer tag. It gives up after limit names.
func ParseGeneralNames(content []byte, limit int) ([]GeneralName, error) {
	in := cryptobyte.String(content)
	var names []GeneralName
	for !in.Empty() {
		if len(names) == limit {
			return nil, fmt.Errorf("more than %d general names", limit)
		}
		n, err := ReadGeneralName(&in)
		if err != nil {
			return nil, fmt.Errorf("general name %d: %w", len(names)+1, err)
		}
		names = append(names, n)
	}
	return names, nil
}

// ReadGeneralName takes one name off in.
func ReadGeneralName(in *cryptobyte.String) (GeneralName, error) {
	var content cryptobyte.String
	var tag asn1.Tag
	if !in.ReadAnyASN1(&content, &tag) || tag&0x80 == 0 {
		return GeneralName{}, errors.New("want a context-specific element")
	}
	n := GeneralName{Form: Form(tag & 0x1f)}
	switch n.Form {
	case RFC822Name, DNSName, URI:
		for _, c := range content {
			if c >= 0x80 {
				return n, fmt.Errorf("%s holds octet %#x, want ASCII", n.Form, c)
			}
		}
		n.Text = string(content)
	case IPAddress:
		n.IP = bytes.Clone(content)
	case DirectoryName:
		var err error
		if n.Directory, err = Parse(content); err != nil {
			return n, err
		}
	case OtherName, X400Address, EDIPartyName, RegisteredID:
	default:
		return n, fmt.Errorf("unknown tag %d", tag&0x1f)
	}
	return n, nil
}

// Equal reports whether two names that may name a distribution point are the
// same: directory names by RFC 5280 section 7.1, URIs octet by octet. Other forms never are.
func (n GeneralName) Equal(m GeneralName) bool {
	if n.Form != m.Form {
		return false
	}
	switch n.Form {
	case DirectoryName:
		return n.Directory.Key() == m.Directory.Key()
	case URI, DNSName, RFC822Name:
		return n.Text == m.Text
	}
	return false
}
