package places

import (
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The tests write small databases in the format of MaxMind's specification 2.0: a binary
// search tree of 24-bit records, then data, then metadata.

func text(s string) []byte { return append([]byte{2<<5 | byte(len(s))}, s...) }

func number(kind byte, v uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{kind<<5 | 4}, v)
}

// object encodes a map of name, value, name, value.
func object(members ...[]byte) []byte {
	b := []byte{7<<5 | byte(len(members)/2)}
	for _, m := range members {
		b = append(b, m...)
	}
	return b
}

// list encodes an array, whose type needs a second byte.
func list(members ...[]byte) []byte {
	b := []byte{byte(len(members)), 11 - 7}
	for _, m := range members {
		b = append(b, m...)
	}
	return b
}

// write makes a database of IPv4 networks.
func write(t *testing.T, kind string, records map[string][]byte) string {
	t.Helper()
	type node [2]int // negative: -1-offset of data; 0: nothing; else a node
	nodes := []node{{}}
	var data []byte
	for network, record := range records {
		p := netip.MustParsePrefix(network)
		bits := binary.BigEndian.Uint32(p.Addr().AsSlice())
		at := 0
		for i := range p.Bits() {
			side := bits >> (31 - i) & 1
			if i == p.Bits()-1 {
				nodes[at][side] = -1 - len(data)
				break
			}
			if nodes[at][side] == 0 {
				nodes = append(nodes, node{})
				nodes[at][side] = len(nodes) - 1
			}
			at = nodes[at][side]
		}
		data = append(data, record...)
	}
	var file []byte
	for _, n := range nodes {
		for _, child := range n {
			v := child
			switch {
			case child == 0:
				v = len(nodes)
			case child < 0:
				v = len(nodes) + 16 - 1 - child
			}
			file = append(file, byte(v>>16), byte(v>>8), byte(v))
		}
	}
	file = append(append(file, make([]byte, 16)...), data...)
	file = append(file, "\xab\xcd\xefMaxMind.com"...)
	file = append(file, object(text("node_count"), number(6, uint32(len(nodes))), text("record_size"), number(6, 24), text("ip_version"), number(6, 4),
		text("database_type"), text(kind), text("binary_format_major_version"), number(6, 2), text("binary_format_minor_version"), number(6, 0),
		text("build_epoch"), number(6, 1_700_000_000))...)
	name := filepath.Join(t.TempDir(), kind+".mmdb")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func country(code string, more ...[]byte) []byte {
	return object(append([][]byte{text("country"), object(text("iso_code"), text(code))}, more...)...)
}

func databases(t *testing.T) (countries, systems string) {
	return write(t, "City", map[string][]byte{
			"192.0.2.0/24":    country("DE", text("subdivisions"), list(object(text("iso_code"), text("BY")))),
			"198.51.100.0/24": country("FR"),
		}), write(t, "ASN", map[string][]byte{
			"192.0.2.0/24": object(text("autonomous_system_number"), number(6, 64500)),
		})
}

func TestPlaces(t *testing.T) {
	p, err := Open(databases(t))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for range 2 { // read, then remembered
		for _, c := range []struct {
			address, country, region string
			asn                      uint32
		}{
			{"192.0.2.7", "DE", "BY", 64500}, {"::ffff:192.0.2.7", "DE", "BY", 64500}, {"198.51.100.1", "FR", "", 0}, {"203.0.113.1", "", "", 0}, {"2001:db8::1", "", "", 0},
		} {
			a := netip.MustParseAddr(c.address)
			gotCountry, gotRegion := p.Country(a)
			if got := p.ASN(a); gotCountry != c.country || gotRegion != c.region || got != c.asn {
				t.Errorf("%s: %q, %q, %d, want %q, %q, %d", c.address, gotCountry, gotRegion, got, c.country, c.region, c.asn)
			}
		}
	}
	known := netip.MustParseAddr("192.0.2.9")
	if n := testing.AllocsPerRun(100, func() { p.Country(known); p.ASN(known) }); n != 0 {
		t.Errorf("%v allocations for a known record, want none", n)
	}
}

func TestOpenRefusesTheWrongDatabase(t *testing.T) {
	countries, systems := databases(t)
	for _, files := range [][2]string{{systems, systems}, {countries, countries}, {countries, filepath.Join(t.TempDir(), "none")}} {
		p, err := Open(files[0], files[1])
		if err == nil {
			p.Close()
			t.Errorf("%v: opened", files)
		} else if !strings.Contains(err.Error(), filepath.Base(files[1])) {
			t.Errorf("the error does not name the file: %v", err)
		}
	}
}
