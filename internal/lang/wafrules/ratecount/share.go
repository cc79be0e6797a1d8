package ratecount

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// Nodes count together by showing each other, twice a second, what they counted: each pins
// a sheet for every rule to a Board, with its counts of the last window by key, and adds
// what it reads on the others' sheets to its own. No request waits for that, a lost
// exchange is made good by the next, and a Board that was emptied is full again at once.
//
// A sheet lists the most active keys, at most sheetKeys: spraying addresses costs bounded
// memory on the Board too. Keys of which a node saw less than a sixteenth of its part of
// the limit are left out; together they can hide a sixteenth of the limit.
//
// One more sheet says which rules a node counts for: who does not count for one of them reads
// it all the same, so that nobody begins anew at a node that was idle.
//
// What reaches several nodes between two exchanges is noticed half a second late. While the
// Board is away, what the others counted fades over a window, and each node's own counts are
// taken for its share of the cluster's: in the end it allows limit/nodes.

const (
	shareEvery  = 500 * time.Millisecond
	shareWithin = 400 * time.Millisecond // an exchange that takes longer is given up
	sheetKeys   = 4096
	fresh       = 3 * time.Second // a sheet that is older fades: its node is gone, or the Board is away
	maxNodes    = 256             // whose sheets are read
)

// A Board is where nodes show each other their sheets.
type Board interface {
	// Exchange pins up this node's sheets, each in place of its earlier one, and returns
	// for each what the other nodes show under the same name. An error means that any of
	// it may have happened. It honours the deadline of ctx.
	Exchange(ctx context.Context, node string, sheets []Sheet) ([][]Shown, error)
}

// A Sheet is what a node shows. The Board drops it when it was not replaced for Keep.
type Sheet struct {
	Name string
	Text []byte
	Keep time.Duration
}

// Shown is another node's sheet.
type Shown struct {
	Node string
	Text []byte
	Age  time.Duration // since it was pinned up, by the Board's clock
}

// sharing is what all counters need to know about it.
type sharing struct{ secret []byte }

// identify names a key on all nodes. Nobody without the secret can find a key that shares
// another's count.
func (s *sharing) identify(key string) uint64 {
	h := hmac.New(sha256.New, s.secret)
	h.Write([]byte(key))
	var sum [sha256.Size]byte
	return binary.LittleEndian.Uint64(h.Sum(sum[:0])) | 1
}

// Share makes the store ready to count together with other nodes, which have the same
// secret. It must be called before the first Counter; RunShared does the counting.
func (s *Store) Share(secret []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sharing = &sharing{secret}
}

// RunShared exchanges counts on the board until ctx ends. node is a name that was never used
// before.
func (s *Store) RunShared(ctx context.Context, board Board, node string, log *slog.Logger) error {
	x := exchanger{store: s, board: board, node: node, nodes: 1}
	tick := time.NewTicker(shareEvery)
	defer tick.Stop()
	healthy := true
	for {
		select {
		case now := <-tick.C:
			err := x.exchange(ctx, now)
			if err != nil && healthy && ctx.Err() == nil {
				log.Warn("rate-based rules count on this node alone: the shared server does not answer", "error", err)
			}
			healthy = err == nil
		case <-ctx.Done():
			return nil
		}
	}
}

// An exchanger shows and reads sheets. It belongs to one goroutine.
type exchanger struct {
	store *Store
	board Board
	node  string
	nodes int       // that were there when the board last answered, this one included
	heard time.Time // when that was
	// busy are the rules, by shared id, that other nodes counted for then.
	busy map[uint64]bool
}

// maxBusy bounds the rules that a node's first sheet names.
const maxBusy = 10_000

// exchange shows what this node counted and takes in what the others did.
func (x *exchanger) exchange(ctx context.Context, now time.Time) error {
	counters := x.store.active(now, x.busy)
	sheets := []Sheet{{Keep: 2 * fresh}} // the first says that the node is there, and what it counts for
	for _, c := range counters {
		text := c.sheet(now, x.nodes)
		if len(text) > 0 && len(sheets[0].Text) < 8*maxBusy {
			sheets[0].Text = binary.LittleEndian.AppendUint64(sheets[0].Text, c.shared)
		}
		sheets = append(sheets, Sheet{Name: c.id, Text: text, Keep: c.window})
	}
	ctx, cancel := context.WithTimeout(ctx, shareWithin)
	defer cancel()
	shown, err := x.board.Exchange(ctx, x.node, sheets)
	if err != nil {
		for _, c := range counters {
			c.apart(now.Sub(x.heard), x.nodes)
		}
		return err
	}
	x.heard, x.nodes, x.busy = now, 1, map[uint64]bool{}
	for _, other := range shown[0][:min(len(shown[0]), maxNodes)] {
		if other.Age < fresh {
			x.nodes++
		}
		for text := other.Text; len(text) >= 8 && len(x.busy) < maxBusy; text = text[8:] {
			x.busy[binary.LittleEndian.Uint64(text)] = true
		}
	}
	for i, c := range counters {
		c.together(shown[i+1])
	}
	return nil
}

// active lists the counters that were used within their window, here or elsewhere. The
// others forget what they know of other nodes.
func (s *Store) active(now time.Time, busy map[uint64]bool) (counters []*counter) {
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.counters))
	for _, c := range s.idle {
		if c := c.Value(); c != nil {
			all = append(all, c)
		}
	}
	s.mu.Unlock()
	for _, c := range all {
		if busy[c.shared] || !c.idle(now) {
			counters = append(counters, c)
		} else {
			c.adopt(elsewhere{})
		}
	}
	return counters
}

// elsewhere is what a counter knows of other nodes; its counter's lock guards it.
type elsewhere struct {
	counts map[uint64]foreign // by id, as last read; never modified
	left   int64              // how much of them is still in the window, in thousandths
	// alone is how much of this node's own count stands for the other nodes, in
	// thousandths: 0 while the board answers.
	alone int64
}

// of returns what other nodes count of a key.
func (o *elsewhere) of(id uint64) int64 { return o.counts[id].count * o.left / 1000 }

// foreign is what other nodes count of a key.
type foreign struct {
	count int64
	addr  netip.Addr
}

// everywhere estimates what all nodes count of a key.
func (c *counter) everywhere(e *entry) int64 {
	return e.total + e.others + e.total*c.alone/1000
}

// each visits the entries in stretches, so that requests do not wait for a long walk. When
// the counter grew meanwhile it reports false: then some entries were visited twice.
func (c *counter) each(visit func(*entry)) (once bool) {
	const stretch = 512
	size := 0
	for from := 0; ; from += stretch {
		c.mu.Lock()
		if from == 0 {
			size = len(c.sets)
		}
		if from >= len(c.sets) {
			once = size == len(c.sets)
			c.mu.Unlock()
			return once
		}
		for i := from; i < min(from+stretch, len(c.sets)); i++ {
			for j := range c.sets[i] {
				if e := &c.sets[i][j]; e.hash != 0 && e.id != 0 {
					visit(e)
				}
			}
		}
		c.mu.Unlock()
	}
}

// An item is one key of a sheet.
type item struct {
	id    uint64
	count uint32
	addr  [16]byte // zero for a key that is not an address
}

const itemSize = 8 + 4 + 16

// sheet lists what this node counted.
func (c *counter) sheet(now time.Time, nodes int) []byte {
	least := max(1, c.limit/int64(16*nodes))
	var items []item
	for whole := false; !whole; { // it grows a few times at most
		items = items[:0]
		whole = c.each(func(e *entry) {
			if e.advance(c.stepAt(now)); e.total < least {
				return
			}
			it := item{id: e.id, count: uint32(min(e.total, 1<<32-1))}
			if e.addr.IsValid() {
				it.addr = e.addr.As16()
			}
			items = append(items, it)
		})
	}
	if len(items) > sheetKeys {
		slices.SortFunc(items, func(a, b item) int { return cmp.Compare(b.count, a.count) })
		items = items[:sheetKeys]
	}
	text := make([]byte, 0, len(items)*itemSize)
	for _, it := range items {
		text = binary.LittleEndian.AppendUint64(text, it.id)
		text = binary.LittleEndian.AppendUint32(text, it.count)
		text = append(text, it.addr[:]...)
	}
	return text
}

// together takes in what the other nodes show.
func (c *counter) together(shown []Shown) {
	counts := map[uint64]foreign{}
	for _, s := range shown[:min(len(shown), maxNodes)] {
		addSheet(counts, s.Text, weight(s.Age, c.window))
	}
	c.adopt(elsewhere{counts: counts, left: 1000})
}

// weight is the part, in thousandths, of a sheet's counts that are still in the window.
func weight(age, window time.Duration) int64 {
	if age <= fresh {
		return 1000
	}
	return max(0, 1000-int64(1000*(age-fresh)/window))
}

// addSheet adds the counts of a sheet. What does not belong to a whole item is left out.
func addSheet(to map[uint64]foreign, text []byte, weight int64) {
	for n := 0; len(text) >= itemSize && n < sheetKeys; n++ {
		id := binary.LittleEndian.Uint64(text)
		f := to[id]
		f.count += int64(binary.LittleEndian.Uint32(text[8:])) * weight / 1000
		if a := [16]byte(text[12:itemSize]); a != [16]byte{} {
			f.addr = netip.AddrFrom16(a).Unmap()
		}
		to[id] = f
		text = text[itemSize:]
	}
}

// apart goes on without the board, silence after its last answer.
func (c *counter) apart(silence time.Duration, nodes int) {
	left := weight(silence, c.window)
	c.mu.Lock()
	counts := c.counts
	c.mu.Unlock()
	c.adopt(elsewhere{counts: counts, left: left, alone: (1000 - left) * int64(nodes-1)})
}

// adopt puts what other nodes count in force.
func (c *counter) adopt(o elsewhere) {
	c.mu.Lock()
	c.elsewhere = o
	c.mu.Unlock()
	c.each(func(e *entry) { e.others = o.of(e.id) })
}
