package address

import (
	"net/netip"
	"testing"
)

// Whatever way an address is written in, it is judged by what it leads to.
func TestAddresses(t *testing.T) {
	for _, tt := range []struct {
		ip, target        string
		nobodys, isPublic bool
	}{
		{"203.0.113.9", "203.0.113.9", false, true},
		{"2001:db8::1", "2001:db8::1", false, true},
		{"127.0.0.1", "127.0.0.1", false, false},
		{"::1", "::1", false, false},
		{"10.1.2.3", "10.1.2.3", false, false},
		{"100.64.0.1", "100.64.0.1", false, false},
		{"fd12::1", "fd12::1", false, false},
		{"169.254.169.254", "169.254.169.254", true, false},
		{"::ffff:169.254.169.254", "169.254.169.254", true, false},
		{"::169.254.169.254", "169.254.169.254", true, false},
		{"64:ff9b::169.254.169.254", "169.254.169.254", true, false},
		{"64:ff9b:1::a9fe:a9fe", "169.254.169.254", true, false},
		{"2002:a9fe:a9fe::1", "169.254.169.254", true, false},
		{"64:ff9b::10.0.0.1", "10.0.0.1", false, false},
		{"64:ff9b::203.0.113.9", "203.0.113.9", false, true},
		{"2002:7f00:1::", "127.0.0.1", false, false},
		{"fe80::1%eth0", "fe80::1", true, false},
		{"fd00:ec2::254", "fd00:ec2::254", true, false},
		{"100.100.100.200", "100.100.100.200", true, false},
		{"0.0.0.0", "0.0.0.0", true, false},
		{"::", "::", true, false},
		{"::ffff:0.0.0.0", "0.0.0.0", true, false},
		{"255.255.255.255", "255.255.255.255", true, false},
		{"224.0.0.1", "224.0.0.1", true, false},
		{"ff02::1", "ff02::1", true, false},
	} {
		ip := netip.MustParseAddr(tt.ip)
		if got := Target(ip).String(); got != tt.target {
			t.Errorf("Target(%s) = %s, want %s", tt.ip, got, tt.target)
		}
		if got := IsNobodys(ip); got != tt.nobodys {
			t.Errorf("IsNobodys(%s) = %v, want %v", tt.ip, got, tt.nobodys)
		}
		if got := IsPublic(ip); got != tt.isPublic {
			t.Errorf("IsPublic(%s) = %v, want %v", tt.ip, got, tt.isPublic)
		}
	}
	if !IsNobodys(netip.Addr{}) || IsPublic(netip.Addr{}) {
		t.Error("the absent address leads somewhere")
	}
}
