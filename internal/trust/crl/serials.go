package crl

import (
	"bytes"
	"math/big"
	"sort"
)

// serials is a compact, immutable set of serial numbers with a reason each: sorted
// arrays of equal-sized keys, one per length. Half a million serials of 16 octets take
// 8.5 MB, and a look-up is a binary search without allocation.
type serials struct {
	groups []group // by ascending size
	count  int
}

type group struct {
	size    int    // octets per key
	keys    []byte // sorted
	reasons []uint8
}

// serialKey returns the content octets of a DER INTEGER: minimal two's complement, so that
// -1 ("ff") and 255 ("00ff") differ.
func serialKey(n *big.Int) []byte {
	if n.Sign() >= 0 {
		b := n.Bytes()
		if len(b) == 0 || b[0]&0x80 != 0 {
			b = append([]byte{0}, b...)
		}
		return b
	}
	// -n-1 has the inverted octets.
	b := new(big.Int).Not(n).Bytes()
	if len(b) == 0 || b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	for i := range b {
		b[i] = ^b[i]
	}
	return b
}

// find returns the reason of a serial key.
func (s *serials) find(key []byte) (reason uint8, ok bool) {
	for i := range s.groups {
		if g := &s.groups[i]; g.size == len(key) {
			j := sort.Search(len(g.reasons), func(j int) bool { return bytes.Compare(g.key(j), key) >= 0 })
			if j < len(g.reasons) && bytes.Equal(g.key(j), key) {
				return g.reasons[j], true
			}
			return 0, false
		}
	}
	return 0, false
}

func (g *group) key(i int) []byte { return g.keys[i*g.size : (i+1)*g.size] }

// group implements sort.Interface.

func (g *group) Len() int           { return len(g.reasons) }
func (g *group) Less(i, j int) bool { return bytes.Compare(g.key(i), g.key(j)) < 0 }
func (g *group) Swap(i, j int) {
	var tmp [maxSerial]byte
	a, b := g.key(i), g.key(j)
	copy(tmp[:], a)
	copy(a, b)
	copy(b, tmp[:g.size])
	g.reasons[i], g.reasons[j] = g.reasons[j], g.reasons[i]
}

// maxSerial bounds the octets of a serial number. RFC 5280 allows 20; longer ones
// must not break us.
const maxSerial = 64

// serialsBuilder collects entries in any order.
type serialsBuilder struct {
	bySize [maxSerial + 1]*group
	count  int
}

func (b *serialsBuilder) add(key []byte, reason uint8) {
	g := b.bySize[len(key)]
	if g == nil {
		g = &group{size: len(key)}
		b.bySize[len(key)] = g
	}
	g.keys = append(g.keys, key...)
	g.reasons = append(g.reasons, reason)
	b.count++
}

func (b *serialsBuilder) build() serials {
	s := serials{count: b.count}
	for _, g := range b.bySize {
		if g == nil {
			continue
		}
		if !sort.IsSorted(g) {
			sort.Stable(g)
		}
		g.keys, g.reasons = bytes.Clone(g.keys), bytes.Clone(g.reasons) // without room to grow
		s.groups = append(s.groups, *g)
	}
	return s
}
