// Package address says what an IP address leads to, for the rules on where Gatehouse connects:
// the server's egress policy, and what fetches things that certificates and tokens name ask it.
// It holds no state.
package address

import (
	"net/netip"
	"slices"
)

// wrappers are the ranges of IPv6 whose addresses carry one of IPv4, and at which octet it
// begins: IPv4-compatible (RFC 4291, section 2.5.5.1), NAT64 (RFC 6052, section 2.1; RFC 8215
// leaves the last 32 bits to the operator), IPv4-translated (RFC 2765) and 6to4 (RFC 3056).
var wrappers = []struct {
	within netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("::/96"), 12},
	{netip.MustParsePrefix("64:ff9b::/96"), 12},
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12},
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12},
	{netip.MustParsePrefix("2002::/16"), 2},
}

// Target returns the address that a packet for ip is for in the end: ip itself without its
// zone, or the IPv4 address that it carries.
func Target(ip netip.Addr) netip.Addr {
	ip = ip.Unmap().WithZone("")
	if !ip.Is6() || ip.IsLoopback() || ip.IsUnspecified() {
		return ip
	}
	for _, w := range wrappers {
		if w.within.Contains(ip) {
			b := ip.As16()
			return netip.AddrFrom4([4]byte(b[w.at : w.at+4]))
		}
	}
	return ip
}

// metadata are the addresses at which clouds tell machines their credentials, where these are
// not link-local: Amazon EC2 (IPv6) with its pod identities, Google Compute Engine (IPv6),
// Alibaba Cloud, Oracle Cloud.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("fd00:ec2::23"), netip.MustParseAddr("fd20:ce::254"),
	netip.MustParseAddr("100.100.100.200"), netip.MustParseAddr("192.0.0.192"),
}

// IsNobodys reports whether nothing at the address may ever be connected to: link-local
// addresses and others of cloud metadata, multicast, broadcast, and no address at all.
func IsNobodys(ip netip.Addr) bool {
	ip = Target(ip)
	return !ip.IsValid() || ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() ||
		ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}) || slices.Contains(metadata, ip)
}

// shared is the space of carrier-grade NAT (RFC 6598), which is private in all but name.
var shared = netip.MustParsePrefix("100.64.0.0/10")

// IsPublic reports whether the address is one of the internet's: neither loopback nor private,
// nor what IsNobodys reports.
func IsPublic(ip netip.Addr) bool {
	ip = Target(ip)
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !shared.Contains(ip) && !IsNobodys(ip)
}
