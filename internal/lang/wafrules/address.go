package wafrules

import (
	"net/netip"
	"slices"
	"strings"
)

// maxForwarded is how many addresses of a header are considered with Position ANY: the
// last ones.
const maxForwarded = 10

// An origin is where a statement takes its address from: the connection, or a header.
type origin struct {
	header   string // lower case; "" is the connection
	fallback bool   // what an invalid address in the header decides
	position string
}

func newOrigin(c *ForwardedIPConfig) origin {
	if c == nil {
		return origin{}
	}
	return origin{strings.ToLower(c.HeaderName), c.FallbackBehavior == "MATCH", c.Position}
}

// addressState says what an origin yielded.
type addressState uint8

const (
	addressValid   addressState = iota
	addressMissing              // no such header: nothing matches, not even the fallback
	addressInvalid              // the fallback decides
)

// address returns the address that Geo, ASN and rate-based rules use, which is the first
// of a header, and that of IP sets with position FIRST or LAST.
func (o *origin) address(x *evaluation) (netip.Addr, addressState) {
	if o.header == "" {
		return x.req.ClientIP, addressValid
	}
	value, ok := o.value(x)
	if !ok {
		return netip.Addr{}, addressMissing
	}
	text := value
	if o.position == "LAST" {
		text = value[strings.LastIndexByte(value, ',')+1:]
	} else {
		text, _, _ = strings.Cut(value, ",")
	}
	return parseAddress(text)
}

// value returns the header's first line, or its last for position LAST.
func (o *origin) value(x *evaluation) (value string, ok bool) {
	for i := range x.req.Header {
		if h := &x.req.Header[i]; equalFold(o.header, h.Name) {
			value, ok = h.Value, true
			if o.position != "LAST" {
				return value, ok
			}
		}
	}
	return value, ok
}

func parseAddress(text string) (netip.Addr, addressState) {
	a, err := netip.ParseAddr(strings.Trim(text, " \t"))
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, addressInvalid
	}
	return a.Unmap(), addressValid
}

// inSet is IPSetReference.
type inSet struct {
	set    *IPSet
	origin origin
	info   *leafInfo
}

func (m *inSet) match(x *evaluation) bool {
	if m.origin.position == "ANY" {
		return m.matchAny(x)
	}
	a, state := m.origin.address(x)
	return x.byAddress(m.info, m.origin, state, state == addressValid && m.set.Contains(a))
}

// matchAny tries the last addresses of every line of the header. An invalid one lets
// the fallback decide only if no other matches.
func (m *inSet) matchAny(x *evaluation) bool {
	state := addressMissing
	for i := range x.req.Header {
		h := &x.req.Header[i]
		if !equalFold(m.origin.header, h.Name) {
			continue
		}
		if state == addressMissing {
			state = addressValid
		}
		rest := h.Value
		for range maxForwarded {
			cut := strings.LastIndexByte(rest, ',')
			a, s := parseAddress(rest[cut+1:])
			switch {
			case s != addressValid:
				state = addressInvalid
			case m.set.Contains(a):
				return x.byAddress(m.info, m.origin, addressValid, true)
			}
			if cut < 0 {
				break
			}
			rest = rest[:cut]
		}
	}
	return x.byAddress(m.info, m.origin, state, false)
}

// byAddress applies the rules for missing and invalid addresses.
func (x *evaluation) byAddress(info *leafInfo, o origin, state addressState, matched bool) bool {
	if state == addressMissing || state == addressInvalid && !o.fallback || state == addressValid && !matched {
		return false
	}
	x.trail = append(x.trail, trace{info: info, value: -1})
	return true
}

type geoMatch struct {
	countries []string // sorted
	origin    origin
	info      *leafInfo
}

// match also adds the labels of the address, which every geographic statement does
// whether it is true or not.
func (m *geoMatch) match(x *evaluation) bool {
	a, state := m.origin.address(x)
	if state != addressValid {
		return x.byAddress(m.info, m.origin, state, false)
	}
	country, region := x.acl.geography.Country(a)
	x.labelPlace(m.origin.header != "", country, region)
	_, found := slices.BinarySearch(m.countries, country)
	return x.byAddress(m.info, m.origin, state, found)
}

// labelPlace adds the two labels of a place, visible to later rules.
func (x *evaluation) labelPlace(forwarded bool, country, region string) {
	if country == "" {
		country = "XX"
	}
	if region == "" {
		region = "XX"
	}
	prefix := "awswaf:clientip:geo:"
	if forwarded {
		prefix = "awswaf:forwardedip:geo:"
	}
	x.pending = append(x.pending, x.join(prefix, "country:", country, ""), x.join(prefix, "region:", country, "-"+region))
}

// join concatenates in the arena.
func (x *evaluation) join(a, b, c, d string) string {
	buf := x.arena.reserve(len(a) + len(b) + len(c) + len(d))
	return x.arena.commit(append(append(append(append(buf, a...), b...), c...), d...))
}

type asnMatch struct {
	numbers []uint32 // sorted
	origin  origin
	info    *leafInfo
}

func (m *asnMatch) match(x *evaluation) bool {
	a, state := m.origin.address(x)
	if state != addressValid {
		return x.byAddress(m.info, m.origin, state, false)
	}
	_, found := slices.BinarySearch(m.numbers, x.acl.geography.ASN(a))
	return x.byAddress(m.info, m.origin, state, found)
}
