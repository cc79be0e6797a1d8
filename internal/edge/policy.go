package edge

import (
	"crypto/tls"
	"fmt"
	"slices"
)

// A policy is what a security policy means to crypto/tls.
type policy struct {
	name   string
	min    uint16
	suites []uint16 // TLS 1.2; those of TLS 1.3 cannot be chosen in Go
	groups []tls.CurveID
}

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
var policies = map[string]policy{
	"TLS_1_0":                                      {min: tls.VersionTLS12, suites: suitesTLS10, groups: groupsClassic},
	"TLS_1_2":                                      {min: tls.VersionTLS12, suites: suitesTLS12, groups: groupsClassic},
	"SecurityPolicy_TLS13_1_3_2025_09":             {min: tls.VersionTLS13, groups: groupsClassic},
	"SecurityPolicy_TLS13_1_3_FIPS_2025_09":        {min: tls.VersionTLS13, groups: groupsFIPS},
	"SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09":      {min: tls.VersionTLS12, suites: suitesGCM, groups: groupsPQ},
	"SecurityPolicy_TLS13_1_2_FIPS_PFS_PQ_2025_09": {min: tls.VersionTLS12, suites: suitesGCM, groups: groupsFIPSPlus},
	"SecurityPolicy_TLS13_1_2_PQ_2025_09":          {min: tls.VersionTLS12, suites: suitesTLS12, groups: groupsPQ},
	"SecurityPolicy_TLS13_1_2_FIPS_PQ_2025_09":     {min: tls.VersionTLS12, suites: suitesTLS12, groups: groupsFIPSPlus},
	"SecurityPolicy_TLS13_1_2_2021_06":             {min: tls.VersionTLS12, suites: suitesTLS12, groups: groupsClassic},
	"SecurityPolicy_TLS13_2025_EDGE":               {min: tls.VersionTLS13, groups: groupsClassic},
	"SecurityPolicy_TLS12_PFS_2025_EDGE":           {min: tls.VersionTLS12, suites: slices.Concat(suitesGCM, suitesChaCha), groups: groupsClassic},
	"SecurityPolicy_TLS12_2018_EDGE":               {min: tls.VersionTLS12, suites: slices.Concat(suitesGCM, suitesChaCha, suitesCBC), groups: groupsClassic},
}

// DefaultPolicy is the security policy of custom domain names that name none.
const DefaultPolicy = "TLS_1_2"

func lookupPolicy(name string) (policy, error) {
	if name == "" {
		name = DefaultPolicy
	}
	p, ok := policies[name]
	if !ok {
		return policy{}, fmt.Errorf("unknown security policy %q", name)
	}
	p.name = name
	return p, nil
}

// SecurityPolicies returns the names of all security policies, sorted.
func SecurityPolicies() []string {
	names := make([]string, 0, len(policies))
	for name := range policies {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
