package trust

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"gatehouse/internal/trust/dn"
)

// maxComparisons bounds the work of name constraints in one verification: names
// times subtrees, over all certificates of a path.
const maxComparisons = 250_000

// constraints are the name constraints of one CA (RFC 5280 section 4.2.1.10).
// crypto/x509 reads no directory names, the form that private PKIs use most.
type constraints struct {
	permitted, excluded []dn.GeneralName
}

func parseConstraints(der []byte) (*constraints, error) {
	in := cryptobyte.String(der)
	var seq, permitted, excluded cryptobyte.String
	var hasPermitted, hasExcluded bool
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !in.Empty() ||
		!seq.ReadOptionalASN1(&permitted, &hasPermitted, asn1.Tag(0).ContextSpecific().Constructed()) ||
		!seq.ReadOptionalASN1(&excluded, &hasExcluded, asn1.Tag(1).ContextSpecific().Constructed()) ||
		!seq.Empty() {
		return nil, errors.New("want a SEQUENCE of permitted and excluded subtrees")
	}
	var c constraints
	var err error
	if c.permitted, err = parseSubtrees(permitted); err != nil {
		return nil, fmt.Errorf("permitted: %w", err)
	}
	if c.excluded, err = parseSubtrees(excluded); err != nil {
		return nil, fmt.Errorf("excluded: %w", err)
	}
	return &c, nil
}

func parseSubtrees(in cryptobyte.String) ([]dn.GeneralName, error) {
	var out []dn.GeneralName
	for !in.Empty() {
		var subtree cryptobyte.String
		if !in.ReadASN1(&subtree, asn1.SEQUENCE) {
			return nil, errors.New("want a SEQUENCE")
		}
		base, err := dn.ReadGeneralName(&subtree)
		if err != nil {
			return nil, err
		}
		// minimum is DEFAULT 0 and maximum absent in this profile: anything else is not
		// understood, and what is not understood must not be passed over.
		if !subtree.Empty() {
			return nil, errors.New("subtree sets minimum or maximum")
		}
		if base.Form == dn.IPAddress && len(base.IP) != 8 && len(base.IP) != 32 {
			return nil, fmt.Errorf("address and mask have %d octets, want 8 or 32", len(base.IP))
		}
		out = append(out, base)
	}
	return out, nil
}

func parseAlternativeNames(der []byte) ([]dn.GeneralName, error) {
	in := cryptobyte.String(der)
	var seq cryptobyte.String
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !in.Empty() {
		return nil, errors.New("want a SEQUENCE of names")
	}
	names, err := dn.ParseGeneralNames(seq, maxAlternativeNames)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		if strings.ContainsRune(n.Text, 0) || n.Directory.HasNUL() {
			return nil, errors.New("a name holds the character NUL")
		}
	}
	return names, nil
}

// allows checks every name of n against the constraints of an issuer above it.
// work counts comparisons down.
func (c *constraints) allows(n *node, work *int) error {
	for _, name := range n.constrainedNames() {
		if err := c.allowsName(name, work); err != nil {
			return err
		}
	}
	return nil
}

// constrainedNames are the names that RFC 5280 section 4.2.1.10 subjects to
// constraints: the subject unless it is empty, the alternative names, and the e-mail
// addresses of the subject when there is none among the alternative names.
func (n *node) constrainedNames() []dn.GeneralName {
	names := n.alt
	if len(n.name) > 0 {
		names = append(names[:len(names):len(names)], dn.GeneralName{Form: dn.DirectoryName, Directory: n.name})
	}
	for _, a := range n.alt {
		if a.Form == dn.RFC822Name {
			return names
		}
	}
	for _, rdn := range n.name {
		for _, a := range rdn {
			if a.OID == dn.EmailAddress && a.IsText {
				names = append(names, dn.GeneralName{Form: dn.RFC822Name, Text: a.Text})
			}
		}
	}
	return names
}

var errComparisons = errors.New("too many name constraints to compare")

func (c *constraints) allowsName(name dn.GeneralName, work *int) error {
	for _, sub := range c.excluded {
		if *work--; *work < 0 {
			return errComparisons
		}
		if sub.Form != name.Form {
			continue
		}
		match, err := inSubtree(name, sub, true)
		if err != nil {
			return err
		}
		if match {
			return fmt.Errorf("%s %s is excluded", name.Form, describe(name))
		}
	}
	constrained := false
	for _, sub := range c.permitted {
		if *work--; *work < 0 {
			return errComparisons
		}
		if sub.Form != name.Form {
			continue
		}
		constrained = true
		match, err := inSubtree(name, sub, false)
		if err != nil {
			return err
		}
		if match {
			return nil
		}
	}
	if constrained {
		return fmt.Errorf("%s %s is not permitted", name.Form, describe(name))
	}
	return nil
}

func describe(n dn.GeneralName) string {
	if n.Form == dn.DirectoryName {
		return n.Directory.String()
	}
	return fmt.Sprintf("%q", n.Text)
}

// inSubtree reports whether name, of the same form as sub, lies in it. With wide, a
// wildcard lies in it already when one of the names it stands for does.
func inSubtree(name, sub dn.GeneralName, wide bool) (bool, error) {
	switch name.Form {
	case dn.DirectoryName:
		return name.Directory.HasPrefix(sub.Directory), nil
	case dn.DNSName:
		return dnsInSubtree(name.Text, sub.Text, wide)
	case dn.RFC822Name:
		return mailInSubtree(name.Text, sub.Text)
	case dn.URI:
		return uriInSubtree(name.Text, sub.Text)
	case dn.IPAddress:
		return ipInSubtree(name.IP, sub.IP)
	}
	// "the application MUST either process the constraint or reject the certificate"
	return false, fmt.Errorf("constraint on the unsupported form %s", name.Form)
}

func dnsInSubtree(name, sub string, wide bool) (bool, error) {
	if !plausibleDNS(strings.TrimPrefix(name, "*.")) {
		return false, fmt.Errorf("malformed DNS name %q", name)
	}
	name, sub = strings.ToLower(name), strings.ToLower(sub)
	if sub == "" || hostUnder(name, sub) {
		return true, nil
	}
	if rest, ok := strings.CutPrefix(name, "*."); ok && wide {
		label, parent, _ := strings.Cut(strings.TrimPrefix(sub, "."), ".")
		return label != "" && parent == rest, nil
	}
	return false, nil
}

// hostUnder reports whether host is sub or below it. A leading dot in sub, which the
// RFC knows for URIs only but CAs write for DNS names too, wants at least one more label.
func hostUnder(host, sub string) bool {
	if strings.HasPrefix(sub, ".") {
		return strings.HasSuffix(host, sub) && len(host) > len(sub)
	}
	return host == sub || strings.HasSuffix(host, "."+sub)
}

// plausibleDNS is lenient about letters but not about structure: no empty label.
func plausibleDNS(s string) bool {
	if s == "" || len(s) > 255 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" {
			return false
		}
		for i := 0; i < len(label); i++ {
			if label[i] <= ' ' || label[i] >= 0x7f || label[i] == '*' {
				return false
			}
		}
	}
	return true
}

func mailInSubtree(name, sub string) (bool, error) {
	at := strings.LastIndexByte(name, '@')
	if at <= 0 || !plausibleDNS(name[at+1:]) {
		return false, fmt.Errorf("malformed e-mail address %q", name)
	}
	local, host := name[:at], name[at+1:]
	if i := strings.LastIndexByte(sub, '@'); i >= 0 {
		return local == sub[:i] && strings.EqualFold(host, sub[i+1:]), nil
	}
	return exactOrBelow(host, sub), nil
}

func uriInSubtree(name, sub string) (bool, error) {
	u, err := url.Parse(name)
	if err != nil || !plausibleDNS(u.Hostname()) || !strings.ContainsAny(u.Hostname(), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		// RFC 5280: a URI without an authority, or with an address for a host, is rejected.
		return false, fmt.Errorf("URI %q names no host", name)
	}
	return exactOrBelow(u.Hostname(), sub), nil
}

// exactOrBelow is the host rule of e-mail addresses and URIs: ".example.com" means
// hosts below it, "example.com" that host alone.
func exactOrBelow(host, sub string) bool {
	host, sub = strings.ToLower(host), strings.ToLower(sub)
	if sub == "" {
		return true
	}
	if strings.HasPrefix(sub, ".") {
		return strings.HasSuffix(host, sub) && len(host) > len(sub)
	}
	return host == sub
}

func ipInSubtree(ip, sub []byte) (bool, error) {
	if len(ip) != 4 && len(ip) != 16 {
		return false, fmt.Errorf("IP address of %d octets", len(ip))
	}
	if len(sub) != 2*len(ip) {
		return false, nil
	}
	masked, base := make([]byte, len(ip)), make([]byte, len(ip))
	for i := range ip {
		masked[i], base[i] = ip[i]&sub[len(ip)+i], sub[i]&sub[len(ip)+i]
	}
	return bytes.Equal(masked, base), nil
}
