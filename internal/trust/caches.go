package trust

import "sync"

// maxLinks and maxPaths bound what a bundle remembers, in entries. A path entry keeps one
// leaf certificate alive, about 5 KB.
const (
	maxLinks = 16_384
	maxPaths = 1024
)

// linkCache remembers which member of a bundle signed which: such a fact never
// changes. The zero value is ready; it is safe for concurrent use.
type linkCache struct {
	mu sync.RWMutex
	m  map[[2]int32]bool
}

func (c *linkCache) get(child, parent *node) (signed, known bool) {
	if child.index < 0 {
		return false, false
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	signed, known = c.m[[2]int32{int32(child.index), int32(parent.index)}]
	return signed, known
}

func (c *linkCache) put(child, parent *node, signed bool) {
	if child.index < 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil {
		c.m = map[[2]int32]bool{}
	}
	if len(c.m) < maxLinks {
		c.m[[2]int32{int32(child.index), int32(parent.index)}] = signed
	}
}

// pathCache remembers the good paths of recent leaves by the digest of the leaf, so
// that a client that connects again costs no signature check. Two generations make
// a cheap approximation of least recently used. The zero value is ready; it is safe for
// concurrent use.
type pathCache struct {
	mu       sync.Mutex
	new, old map[[32]byte]*Path
}

func (c *pathCache) get(sum [32]byte) *Path {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.new[sum]; p != nil {
		return p
	}
	p := c.old[sum]
	if p != nil {
		c.insert(sum, p)
	}
	return p
}

func (c *pathCache) put(sum [32]byte, p *Path) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.insert(sum, p)
}

func (c *pathCache) insert(sum [32]byte, p *Path) {
	if c.new == nil || len(c.new) >= maxPaths/2 {
		c.old, c.new = c.new, make(map[[32]byte]*Path)
	}
	c.new[sum] = p
}
