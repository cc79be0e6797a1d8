package trust

import "crypto/x509"

// anyPolicy is the content of OID 2.5.29.32.0 as x509.OID prints it.
const anyPolicy = "2.5.29.32.0"

// policyLevel is the deepest level of RFC 5280's valid_policy_tree: each valid policy
// with its expected policy set. Only the deepest level decides whether the tree is
// empty, so the levels above are not kept; equal policies are merged as in RFC 9618, which
// keeps the size below that of the certificates.
type policyLevel map[string]map[string]bool

func set(policies ...string) map[string]bool {
	s := make(map[string]bool, len(policies))
	for _, p := range policies {
		s[p] = true
	}
	return s
}

// checkPolicies does the certificate policy part of RFC 5280 section 6.1 over a path
// (leaf first, anchor last). The initial policy set is any-policy, and none is
// required unless a certificate of the path requires one.
func checkPolicies(path []*node) *Refusal {
	n := len(path) - 1 // certificates below the anchor
	level := policyLevel{anyPolicy: set(anyPolicy)}
	explicit, mapping, inhibitAny := n+1, n+1, n+1
	for i := n - 1; i >= 0; i-- {
		nd, final := path[i], i == 0
		c := nd.cert
		level = level.next(c, inhibitAny > 0 || !final && nd.selfIssued())
		if explicit == 0 && len(level) == 0 {
			return nd.refuse(Policy, "")
		}
		if final {
			if explicit > 0 {
				explicit--
			}
			if c.RequireExplicitPolicyZero {
				explicit = 0
			}
			if explicit == 0 && len(level) == 0 {
				return nd.refuse(Policy, "")
			}
			return nil
		}
		if !level.mapPolicies(c, mapping > 0) {
			return nd.refuse(Policy, "a policy mapping names anyPolicy")
		}
		if !nd.selfIssued() {
			explicit, mapping, inhibitAny = max(explicit-1, 0), max(mapping-1, 0), max(inhibitAny-1, 0)
		}
		explicit = lower(explicit, c.RequireExplicitPolicy, c.RequireExplicitPolicyZero)
		mapping = lower(mapping, c.InhibitPolicyMapping, c.InhibitPolicyMappingZero)
		inhibitAny = lower(inhibitAny, c.InhibitAnyPolicy, c.InhibitAnyPolicyZero)
	}
	return nil
}

// lower applies a skip count of a certificate: crypto/x509 writes absence as 0
// without the zero flag, or as -1.
func lower(counter, skip int, zero bool) int {
	if zero {
		return 0
	}
	if skip > 0 && skip < counter {
		return skip
	}
	return counter
}

// next is step (d) and (e) of section 6.1.3: the level below for certificate c.
func (l policyLevel) next(c *x509.Certificate, useAny bool) policyLevel {
	below := policyLevel{}
	hasAny := false
	for _, oid := range c.Policies {
		p := oid.String()
		if p == anyPolicy {
			hasAny = true
			continue
		}
		if l.expects(p) || l[anyPolicy] != nil {
			below[p] = set(p)
		}
	}
	if hasAny && useAny {
		for _, expected := range l {
			for p := range expected {
				if below[p] == nil {
					below[p] = set(p)
				}
			}
		}
	}
	return below
}

func (l policyLevel) expects(p string) bool {
	for _, expected := range l {
		if expected[p] {
			return true
		}
	}
	return false
}

// mapPolicies is steps (a) and (b) of section 6.1.4. It reports false for a
// mapping from or to anyPolicy.
func (l policyLevel) mapPolicies(c *x509.Certificate, allowed bool) bool {
	mapped := map[string]map[string]bool{}
	for _, m := range c.PolicyMappings {
		from, to := m.IssuerDomainPolicy.String(), m.SubjectDomainPolicy.String()
		if from == anyPolicy || to == anyPolicy {
			return false
		}
		if mapped[from] == nil {
			mapped[from] = set()
		}
		mapped[from][to] = true
	}
	for from, to := range mapped {
		switch {
		case !allowed:
			delete(l, from)
		case l[from] != nil || l[anyPolicy] != nil:
			l[from] = to
		}
	}
	return true
}
