package forward

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Tag is the tag of a domain name that switches forwarding on. Its value is that of
// ParseForm.
const Tag = "gatehouse:forward-client-cert"

// A Format is a family of headers.
type Format string

// The formats, by the first word of the tag's value.
const (
	FormatXFCC    Format = "xfcc"
	FormatRFC9440 Format = "rfc9440"
	FormatALB     Format = "alb"
	// FormatALBPassthrough sends the chain and nothing else.
	FormatALBPassthrough Format = "alb-passthrough"
)

// A Form is how a certificate is handed on. The zero Form hands nothing on. Forms compare
// by ==: equal ones write equal headers.
type Form struct {
	Format  Format
	Details Details // of FormatXFCC
}

// Details choose what X-Forwarded-Client-Cert has beside the hash: Envoy's
// set_current_client_cert_details.
type Details struct {
	// By are the URIs of the certificate that we present, separated by spaces; "" leaves By out.
	By string

	Subject, Cert, Chain, URI, DNS bool
}

// Syntax is the tag's value in words, for messages.
const Syntax = "rfc9440, alb, alb-passthrough or xfcc, which Envoy's words may follow: SANITIZE_SET or SANITIZE, Hash, Cert, Chain, Subject, URI, DNS, By=uri"

// ParseForm reads the tag's value: a format, and behind xfcc Envoy's name of a mode and the
// details, in any order and case, separated by spaces:
//
//	xfcc
//	xfcc SANITIZE_SET Cert Subject By=spiffe://example.com/gateway
//
// Without a detail it has Subject, URI and DNS; the hash is always there. What a caller
// sends under the header's name is always removed, so the modes that hand it on
// (FORWARD_ONLY, APPEND_FORWARD, ALWAYS_FORWARD_ONLY) are refused.
func ParseForm(value string) (Form, error) {
	words := strings.Fields(value)
	if len(words) == 0 {
		return Form{}, errors.New("form of forwarding is empty")
	}
	switch f := Format(words[0]); f {
	case FormatRFC9440, FormatALB, FormatALBPassthrough:
		if len(words) > 1 {
			return Form{}, fmt.Errorf("%q behind %s, want nothing", words[1], f)
		}
		return Form{Format: f}, nil
	case FormatXFCC:
		return parseXFCC(words[1:])
	}
	return Form{}, fmt.Errorf("unknown form of forwarding %q", words[0])
}

func parseXFCC(words []string) (Form, error) {
	var d Details
	mode, chosen := "", false
	for _, word := range words {
		key, uri, _ := strings.Cut(word, "=")
		switch strings.ToUpper(key) {
		case "SANITIZE_SET", "SANITIZE":
			if mode != "" {
				return Form{}, fmt.Errorf("a second mode %q behind %s, want one", word, mode)
			}
			mode = strings.ToUpper(word)
		case "FORWARD_ONLY", "APPEND_FORWARD", "ALWAYS_FORWARD_ONLY":
			return Form{}, fmt.Errorf("mode %s hands on what the caller claims, which is always removed: want SANITIZE_SET or SANITIZE", word)
		case "BY":
			if u, err := url.Parse(uri); err != nil || u.Scheme == "" || strings.ContainsFunc(uri, func(r rune) bool { return r >= 0x7f }) {
				return Form{}, fmt.Errorf("%q: want By=uri, such as By=spiffe://example.com/gateway", word)
			}
			d.By = strings.TrimSpace(d.By + " " + uri)
			continue
		default:
			field := d.field(key)
			if field == nil || key != word {
				return Form{}, fmt.Errorf("unknown word %q behind xfcc", word)
			}
			*field, chosen = true, true
		}
	}
	if mode == "SANITIZE" {
		if chosen || d.By != "" {
			return Form{}, errors.New("details behind SANITIZE, which sends nothing: want SANITIZE_SET")
		}
		return Form{}, nil
	}
	if !chosen {
		d.Subject, d.URI, d.DNS = true, true, true
	}
	return Form{FormatXFCC, d}, nil
}

// field returns what a word switches on, nil for unknown ones.
func (d *Details) field(word string) *bool {
	switch strings.ToLower(word) {
	case "hash":
		return new(bool) // always there: chosen alone, it leaves out the rest
	case "cert":
		return &d.Cert
	case "chain":
		return &d.Chain
	case "subject":
		return &d.Subject
	case "uri":
		return &d.URI
	case "dns":
		return &d.DNS
	}
	return nil
}

// Presenting returns the form as the gateway sends it that presents leaf: unless the tag
// says By, the certificate's own URIs stand there, as in Envoy. leaf may be nil.
func (f Form) Presenting(leaf *x509.Certificate) Form {
	if f.Format != FormatXFCC || f.Details.By != "" || leaf == nil {
		return f
	}
	var uris []string
	for _, u := range leaf.URIs {
		uris = append(uris, u.String())
	}
	f.Details.By = strings.Join(uris, " ")
	return f
}

// String tells forms apart: different forms have different strings.
func (f Form) String() string { return fmt.Sprintf("%s %+v", f.Format, f.Details) }
