// Package securitypolicy knows what the security policies of API Gateway mean to crypto/tls:
// the edge shakes hands by a domain's, and the gateway holds connections against an API's. It
// is a leaf without state.
package securitypolicy

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
)

// A Policy is what a security policy means to crypto/tls. It must not be changed.
type Policy struct {
	Name   string
	Min    uint16   // version
	Suites []uint16 // of TLS 1.2 and below; those of TLS 1.3 cannot be chosen in Go
	Groups []tls.CurveID
}

// Allows reports whether a connection that negotiated this version and suite could have been
// made under the policy.
func (p *Policy) Allows(version, suite uint16) bool {
	switch {
	case version < p.Min:
		return false
	case version >= tls.VersionTLS13:
		return !p.fips() || slices.Contains(fips13, suite)
	}
	return slices.Contains(p.Suites, suite)
}

func (p *Policy) fips() bool { return strings.Contains(p.Name, "_FIPS_") }

// fips13 are the suites of TLS 1.3 that the FIPS policies offer. crypto/tls cannot be told so
// in a handshake, but what was negotiated can be held against it.
var fips13 = []uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_AES_256_GCM_SHA384}

// The suites of reference mutual-tls.md A5.2 that crypto/tls has. It lacks
// ECDHE-*-AES256-SHA384 and AES256-SHA256.
var (
	suitesGCM = []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	}
	suitesCBC = []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
	}
	suitesRSA = []uint16{
		tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_128_CBC_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
	}
	suitesSHA1 = []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
		tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA,
	}
	suitesChaCha = []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	}

	groupsClassic  = []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384}
	groupsPQ       = []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384}
	groupsFIPS     = []tls.CurveID{tls.CurveP256, tls.CurveP384}
	groupsFIPSPlus = []tls.CurveID{tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024, tls.CurveP256, tls.CurveP384}
)

var (
	suitesTLS12 = slices.Concat(suitesGCM, suitesCBC, suitesRSA)
	suitesTLS10 = slices.Concat(suitesTLS12, suitesSHA1)
)

// policies has every security policy of the service by name. TLS 1.0 and 1.1 are off:
// TLS_1_0 keeps its suites and begins at TLS 1.2 (DESIGN, "Mutual TLS answers"). The FIPS
// names cannot drop TLS_CHACHA20_POLY1305_SHA256 from TLS 1.3 (reference A5.2, Go gaps).
var policies = map[string]Policy{
	"TLS_1_0":                                      {Min: tls.VersionTLS12, Suites: suitesTLS10, Groups: groupsClassic},
	"TLS_1_2":                                      {Min: tls.VersionTLS12, Suites: suitesTLS12, Groups: groupsClassic},
	"SecurityPolicy_TLS13_1_3_2025_09":             {Min: tls.VersionTLS13, Groups: groupsClassic},
	"SecurityPolicy_TLS13_1_3_FIPS_2025_09":        {Min: tls.VersionTLS13, Groups: groupsFIPS},
	"SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09":      {Min: tls.VersionTLS12, Suites: suitesGCM, Groups: groupsPQ},
	"SecurityPolicy_TLS13_1_2_FIPS_PFS_PQ_2025_09": {Min: tls.VersionTLS12, Suites: suitesGCM, Groups: groupsFIPSPlus},
	"SecurityPolicy_TLS13_1_2_PQ_2025_09":          {Min: tls.VersionTLS12, Suites: suitesTLS12, Groups: groupsPQ},
	"SecurityPolicy_TLS13_1_2_FIPS_PQ_2025_09":     {Min: tls.VersionTLS12, Suites: suitesTLS12, Groups: groupsFIPSPlus},
	"SecurityPolicy_TLS13_1_2_2021_06":             {Min: tls.VersionTLS12, Suites: suitesTLS12, Groups: groupsClassic},
	"SecurityPolicy_TLS13_2025_EDGE":               {Min: tls.VersionTLS13, Groups: groupsClassic},
	"SecurityPolicy_TLS12_PFS_2025_EDGE":           {Min: tls.VersionTLS12, Suites: slices.Concat(suitesGCM, suitesChaCha), Groups: groupsClassic},
	"SecurityPolicy_TLS12_2018_EDGE":               {Min: tls.VersionTLS12, Suites: slices.Concat(suitesGCM, suitesChaCha, suitesCBC), Groups: groupsClassic},
}

// Default is the security policy of custom domain names that name none.
const Default = "TLS_1_2"

// Legacy is the one policy that names TLS 1.0 and 1.1.
const Legacy = "TLS_1_0"

// Lookup returns the policy called name; "" is Default.
func Lookup(name string) (*Policy, error) {
	if name == "" {
		name = Default
	}
	p, ok := policies[name]
	if !ok {
		return nil, fmt.Errorf("unknown security policy %q", name)
	}
	p.Name = name
	return &p, nil
}

// Names returns the names of all security policies, sorted.
func Names() []string {
	names := make([]string, 0, len(policies))
	for name := range policies {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// ForHTTP2 reports whether a client that offers these versions and suites can speak HTTP/2: with
// TLS 1.2, RFC 9113 section 9.2.2 forbids the suites without ephemeral keys and authenticated
// encryption, and older versions altogether.
func ForHTTP2(versions, suites []uint16) bool {
	if slices.Contains(versions, tls.VersionTLS13) {
		return true
	}
	if !slices.Contains(versions, tls.VersionTLS12) {
		return false
	}
	return slices.ContainsFunc(suites, func(s uint16) bool { return slices.Contains(suitesGCM, s) || slices.Contains(suitesChaCha, s) })
}
