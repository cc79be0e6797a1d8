package logstore

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A group is a folder of segments. The last segment is written to; the others are only
// read and removed. Everything in it is guarded by mu.
type group struct {
	store *Store
	name  Group
	dir   string

	mu       sync.Mutex
	read     bool // segments and streams are known
	gone     bool // the group was deleted; a new one may have its name
	segments []*segment
	streams  map[string]*Stream
	next     uint64 // number of the next record

	file    *os.File // of the last segment, when open
	pending []byte   // frames that were added but not committed
	lines   int      // events among them
	tail    segment  // what the last segment will be when they are committed
	tailed  bool
}

// A segment is a file of records. Its name is the number of its first record.
type segment struct {
	path     string
	first    uint64
	records  uint64
	size     int64 // that is written and sound
	from, to int64 // times of its events; from > to when it has none
	began    int64 // milliseconds since 1970
	last     int64 // ingestion time of the last record
}

const segmentSuffix = ".log"

func newGroup(s *Store, name Group) *group {
	return &group{store: s, name: name, dir: filepath.Join(s.opts.Dir, name.folder()), streams: map[string]*Stream{}, read: true}
}

// openGroup finds the segments of a folder and the group that they name; nil when there
// is none.
func openGroup(s *Store, dir string) (*group, error) {
	files, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return nil, err
	}
	g := &group{store: s, dir: dir, streams: map[string]*Stream{}}
	for _, f := range files {
		number, ok := strings.CutSuffix(f.Name(), segmentSuffix)
		first, err := strconv.ParseUint(number, 16, 64)
		info, infoErr := f.Info()
		if !ok || err != nil || infoErr != nil {
			continue
		}
		g.segments = append(g.segments, &segment{
			path: filepath.Join(dir, f.Name()), first: first, size: info.Size(), last: info.ModTime().UnixMilli(), began: info.ModTime().UnixMilli(),
		})
	}
	for _, seg := range g.segments {
		data, err := readPrefix(seg.path, headLimit)
		if err != nil {
			return nil, err
		}
		if name, sound := scan(data, func(record) bool { return false }); sound > 0 {
			g.name = name
			return g, nil
		}
	}
	return nil, nil
}

// headLimit is enough for the head of any segment: names of groups have 512 characters.
const headLimit = 4 << 10

func (g *group) size() (n int64) {
	for _, s := range g.segments {
		n += s.size
	}
	return n
}

func (g *group) summary() Summary {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := Summary{Group: g.name, Bytes: g.size(), Created: g.store.opts.Now().UnixMilli()}
	if len(g.segments) > 0 {
		out.Created = g.segments[0].began
	}
	return out
}

// load reads every segment once, to know streams and times. A torn end is cut off.
func (g *group) load() error {
	if g.read {
		return nil
	}
	for i := 0; i < len(g.segments); i++ {
		seg := g.segments[i]
		data, err := os.ReadFile(seg.path)
		if err != nil {
			return fmt.Errorf("log group %s: %w", g.name.Name, err)
		}
		before := seg.size
		*seg = segment{path: seg.path, first: seg.first, from: math.MaxInt64, to: math.MinInt64, began: seg.began, last: seg.last}
		seg.records = 0
		_, sound := scan(data, func(r record) bool {
			if seg.records == 0 {
				seg.began = r.ingested
			}
			x := extent{}
			if r.kind == kindEvent {
				x = extent{1, r.time, r.time, len(r.message)}
			}
			g.note(seg, r.kind, x, r.ingested, string(r.stream))
			return true
		})
		seg.size = int64(sound)
		g.store.bytes.Add(seg.size - before)
		if sound < len(data) {
			g.store.log.Warn("a log segment has a damaged end, which is dropped", "group", g.name.Name, "file", seg.path, "bytes", len(data)-sound)
		}
		switch last := i == len(g.segments)-1; {
		case sound == 0:
			if err := os.Remove(seg.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			g.segments = slices.Delete(g.segments, i, i+1)
			i--
		case last && sound < len(data):
			if err := os.Truncate(seg.path, seg.size); err != nil {
				return err
			}
		}
	}
	if n := len(g.segments); n > 0 {
		g.next = g.segments[n-1].first + g.segments[n-1].records
	}
	g.read = true
	return nil
}

// note counts a record that is in seg.
func (g *group) note(seg *segment, k kind, x extent, ingested int64, stream string) {
	seq := seg.first + seg.records
	seg.records += uint64(max(x.events, 1))
	seg.last = ingested
	st := g.streams[stream]
	if st == nil {
		st = &Stream{Name: stream}
		g.streams[stream] = st
	}
	switch {
	case k == kindDeleted:
		*st = Stream{Name: stream, deleted: seq}
		return
	case !st.exists:
		*st = Stream{Name: stream, Created: ingested, exists: true, deleted: st.deleted}
	}
	if x.events == 0 {
		return
	}
	if st.First == 0 || x.from < st.First {
		st.First = x.from
	}
	st.Last = max(st.Last, x.to)
	st.Ingested = ingested
	st.Bytes += int64(x.bytes)
	seg.from, seg.to = min(seg.from, x.from), max(seg.to, x.to)
}

// add puts a record behind the last; commit writes it. Of x, records that are no events have
// none.
func (g *group) add(k kind, at int64, x extent, ingested int64, stream string, message []byte) {
	if !g.tailed {
		g.tailed = true
		g.tail = segment{from: math.MaxInt64, to: math.MinInt64}
		if n := len(g.segments); n > 0 && g.segments[n-1].size < g.store.opts.Segment && ingested-g.segments[n-1].began < maxSegmentAge {
			g.tail = *g.segments[n-1]
		}
		g.borrow()
		if g.tail.path == "" {
			g.closeFile()
			g.tail.first, g.tail.began = g.next, ingested
			g.tail.path = filepath.Join(g.dir, fmt.Sprintf("%016x%s", g.next, segmentSuffix))
			g.pending = appendHead(g.pending, g.name)
		}
	}
	g.pending = appendFrame(g.pending, k, at, ingested, stream, message)
	g.note(&g.tail, k, x, ingested, stream)
	g.next = g.tail.first + g.tail.records
	g.lines += x.events
}

// spare are buffers for the frames of a batch: groups that write little need not keep one, and
// busy ones need not grow a new one for each batch.
var spare = sync.Pool{New: func() any { return new([]byte) }}

// maxSpare is the largest buffer that is kept, in bytes.
const maxSpare = 8 << 20

// borrow readies pending for a batch.
func (g *group) borrow() {
	if g.pending == nil {
		g.pending = *spare.Get().(*[]byte)
	}
	g.pending = g.pending[:0]
}

// giveBack ends a batch.
func (g *group) giveBack() {
	if b := g.pending; cap(b) <= maxSpare {
		spare.Put(&b)
	}
	g.pending = nil
}

// maxSegmentAge bounds the span of a segment, in milliseconds, so that retention, which
// removes whole segments, is not far off.
const maxSegmentAge = int64(24 * time.Hour / time.Millisecond)

// commit writes what was added. After a failure the file is as it was before.
func (g *group) commit() error {
	if !g.tailed {
		return nil
	}
	g.tailed = false
	lines := g.lines
	g.lines = 0
	err := g.write()
	if err != nil {
		g.store.fail(lines, err)
		g.closeFile()
		g.reread()
		return err
	}
	g.store.failing.Store(false)
	g.store.bytes.Add(int64(len(g.pending)))
	g.tail.size += int64(len(g.pending))
	if n := len(g.segments); n > 0 && g.segments[n-1].path == g.tail.path {
		*g.segments[n-1] = g.tail
	} else {
		t := g.tail
		g.segments = append(g.segments, &t)
	}
	g.giveBack()
	return nil
}

func (g *group) write() error {
	if g.file == nil {
		if err := os.MkdirAll(g.dir, 0o700); err != nil {
			return err
		}
		flags := os.O_WRONLY | os.O_CREATE
		if g.tail.size == 0 {
			flags |= os.O_TRUNC // what an earlier failure left
		}
		f, err := os.OpenFile(g.tail.path, flags, 0o600)
		if err != nil {
			return err
		}
		g.file = f
	}
	if _, err := g.file.WriteAt(g.pending, g.tail.size); err != nil {
		return errors.Join(err, g.file.Truncate(g.tail.size))
	}
	return nil
}

// reread forgets what is known of the group after a failed write: the counts of streams
// include what was not written.
func (g *group) reread() {
	g.read = false
	g.streams = map[string]*Stream{}
	if err := g.load(); err != nil {
		g.store.log.Error("a log group cannot be read after a failed write", "group", g.name.Name, "error", err)
	}
}

func (g *group) closeFile() {
	if g.file != nil {
		g.file.Close()
		g.file = nil
	}
}

// remove deletes the group's files.
func (g *group) remove() error {
	g.closeFile()
	g.store.bytes.Add(-g.size())
	g.segments, g.streams, g.read = nil, map[string]*Stream{}, true
	return os.RemoveAll(g.dir)
}

// removeFirst deletes the oldest segment, and forgets streams that nothing is left of.
func (g *group) removeFirst() error {
	seg := g.segments[0]
	if len(g.segments) == 1 {
		g.closeFile()
	}
	if err := os.Remove(seg.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	g.store.bytes.Add(-seg.size)
	g.segments = slices.Delete(g.segments, 0, 1)
	for name, st := range g.streams {
		if !st.exists && st.deleted < seg.first+seg.records {
			delete(g.streams, name) // its tombstone has nothing left to hide
		}
	}
	return nil
}
