package wafrules

import (
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"

	"gatehouse/internal/lang/wafrules/pattern"
)

// References finds what rules refer to. The objects it returns are shared by all
// ACLs that use them and never modified.
type References interface {
	// IPSet and RegexPatternSet return nil when there is no such set.
	IPSet(arn string) *IPSet
	RegexPatternSet(arn string) *RegexPatternSet
	// RuleGroup returns nil when there is no such group.
	RuleGroup(arn string) *Group
	// ManagedGroup returns an *Error when the group or version does not exist. An empty
	// version is the default one.
	ManagedGroup(vendor, name, version string) (*Group, error)
	// HasGeography reports whether countries and autonomous systems of addresses are known
	// when requests are evaluated. If not, rules that need them are refused.
	HasGeography() bool
}

// An IPSet is a set of address ranges. The zero value is empty.
type IPSet struct {
	table bart.Lite
	size  int
}

// NewIPSet makes a set of the given ranges.
func NewIPSet(ranges []netip.Prefix) *IPSet {
	s := &IPSet{size: len(ranges)}
	for _, p := range ranges {
		s.table.Insert(p.Masked())
	}
	return s
}

// ParseIPSet makes a set of addresses as the API takes them.
func ParseIPSet(addresses []string) (*IPSet, error) {
	ranges := make([]netip.Prefix, 0, len(addresses))
	for _, a := range addresses {
		p, err := netip.ParsePrefix(a)
		if err != nil {
			return nil, Invalid(reasonFormat, "IP_ADDRESS", a)
		}
		ranges = append(ranges, p)
	}
	return NewIPSet(ranges), nil
}

// Contains reports whether a is in the set. An IPv4-mapped IPv6 address counts as IPv4.
func (s *IPSet) Contains(a netip.Addr) bool { return s.table.Lookup(a.Unmap().WithZone("")) }

// Len returns how many ranges the set was made of.
func (s *IPSet) Len() int { return s.size }

// CheckAddresses checks the addresses of an IP set of the given version (IPV4 or
// IPV6) and returns an *Error for the first that is not valid: CIDR notation, no /0,
// host bits zero, of the version's family, none twice.
func CheckAddresses(version string, addresses []string) error {
	if len(addresses) > 10_000 {
		return limit("NUM_ADDRESSES_IN_IP_SET")
	}
	seen := make(map[netip.Prefix]bool, len(addresses))
	for _, a := range addresses {
		p, err := netip.ParsePrefix(a)
		if err != nil || p.Bits() == 0 || p.Masked() != p || p.Addr().Is4() != (version == "IPV4") {
			return Invalid(reasonFormat, "IP_ADDRESS", a)
		}
		if seen[p] {
			return Invalid(reasonDuplicate, "IP_ADDRESS", a)
		}
		seen[p] = true
	}
	return nil
}

// A RegexPatternSet is a list of compiled patterns.
type RegexPatternSet struct {
	patterns []*pattern.Regexp
}

// NewRegexPatternSet compiles the patterns of a set: at most ten, of at most 200
// characters. It returns an *Error for the first that is not accepted.
func NewRegexPatternSet(patterns []string) (*RegexPatternSet, error) {
	if len(patterns) > 10 {
		return nil, limit("NUM_PATTERNS_IN_REGEX_PATTERN_SET")
	}
	s := new(RegexPatternSet)
	for i, p := range patterns {
		if slices.Contains(patterns[:i], p) {
			return nil, Invalid(reasonDuplicate, "REGEX_PATTERN_SET", p)
		}
		re, err := compilePattern(p, "REGEX_PATTERN_SET")
		if err != nil {
			return nil, err
		}
		s.patterns = append(s.patterns, re)
	}
	return s, nil
}

// maxPattern is the quota of the service in characters; the model would allow 512.
const maxPattern = 200

func compilePattern(source, field string) (*pattern.Regexp, error) {
	if source == "" || len([]rune(source)) > maxPattern {
		return nil, Invalid(reasonOutOfBounds, field, source)
	}
	re, err := pattern.Compile(source)
	if err != nil {
		return nil, Invalid(reasonFormat, field, source)
	}
	return re, nil
}
