package vtl

import (
	"math/big"
	"strconv"

	"gatehouse/internal/lang/ojson"
)

// A Value is what a reference holds, as Java has it:
//
//	nil       null
//	bool      Boolean
//	string    String
//	int64     Integer and Long
//	*big.Int  BigInteger
//	float64   Double
//	Decimal   BigDecimal
//	*List     List, array
//	*Map      Map; keys are strings
//	*Entry    an entry of a map
//	Object    something of the host's
//
// Other types do not occur.
type Value = any

// Decimal is a number with more digits than a double holds, as it prints. Arithmetic takes
// the nearest double.
type Decimal string

// An Object is a value that the host gives to templates, like $input.
type Object interface {
	// Property returns the value of .name, or of ["name"]; nil when there is none.
	Property(name string) Value
	// Call calls the method name. found is false when there is no such method with so many
	// arguments: the reference is then null. An error ends the rendering. args belong to the
	// caller and must not be kept.
	Call(c *Call, name string, args []Value) (v Value, found bool, err error)
	// String is what the object prints.
	String() string
}

// A Setter is an Object whose properties can be assigned.
type Setter interface {
	Object
	// SetProperty assigns .name. An error ends the rendering.
	SetProperty(name string, v Value) error
}

// FromJSON returns the value for JSON: objects become maps, arrays lists, both read as far as
// templates look into them. No value becomes nil.
func FromJSON(v ojson.Value) Value { return FromJSONTracked(v, nil) }

// FromJSONTracked is FromJSON for a caller that wants to know about changes: when a template
// changes the value or anything in it, changed becomes true.
func FromJSONTracked(v ojson.Value, changed *bool) Value {
	switch v.Kind() {
	case ojson.False:
		return false
	case ojson.True:
		return true
	case ojson.Number:
		return number(v.Text())
	case ojson.String:
		return v.Text()
	case ojson.Array:
		return &List{json: true, src: v, changed: changed}
	case ojson.Object:
		return &Map{src: v, changed: changed}
	}
	return nil
}

// FromJSONList returns the list of an indefinite JSONPath.
func FromJSONList(list []ojson.Value) *List {
	l := &List{json: true, items: make([]cell, len(list))}
	for i, v := range list {
		l.items[i] = cell{src: v}
	}
	return l
}

// number converts the text of a JSON number as the service's reader does.
func number(text string) Value {
	if ojson.IsInteger(text) {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
		n, ok := new(big.Int).SetString(text, 10)
		if !ok {
			return nil
		}
		return n
	}
	if len(text) > 18 {
		return Decimal(ojson.AppendNumber(nil, text))
	}
	f, _ := strconv.ParseFloat(text, 64)
	return f
}

// cell is an element of a list or the value of a map: a value, or JSON that nobody has
// looked at yet.
type cell struct {
	v   Value
	src ojson.Value
}

func (c *cell) get(changed *bool) Value {
	if c.src.Kind() != ojson.None {
		c.v, c.src = FromJSONTracked(c.src, changed), ojson.Value{}
	}
	return c.v
}

// A List is a list, or a Java array. The zero value is an empty list. A list belongs
// to one rendering.
type List struct {
	src   ojson.Value // an array that is not read yet; zero afterwards
	items []cell
	json  bool // prints as JSON; lists made by templates print as [a, b]

	changed *bool // see FromJSONTracked; may be nil
}

// NewList returns a list of the values.
func NewList(values ...Value) *List {
	l := &List{items: make([]cell, len(values))}
	for i, v := range values {
		l.items[i].v = v
	}
	return l
}

func (l *List) read() {
	if l.src.Kind() == ojson.None {
		return
	}
	l.items = make([]cell, 0, l.src.Len())
	for v := range l.src.Elements() {
		l.items = append(l.items, cell{src: v})
	}
	l.src = ojson.Value{}
}

// Len returns the number of elements.
func (l *List) Len() int {
	if l.src.Kind() != ojson.None {
		return l.src.Len()
	}
	return len(l.items)
}

// At returns element i, nil when there is none.
func (l *List) At(i int) Value {
	l.read()
	if i < 0 || i >= len(l.items) {
		return nil
	}
	return l.items[i].get(l.changed)
}

// change readies the list for a change.
func (l *List) change() {
	l.read()
	if l.changed != nil {
		*l.changed = true
	}
}

// Add appends a value.
func (l *List) Add(v Value) {
	l.change()
	l.items = append(l.items, cell{v: v})
}

// A Map keeps its entries in the order of insertion. The zero value is an empty map. A map
// belongs to one rendering.
type Map struct {
	src     ojson.Value // an object that is not read yet; zero afterwards
	seen    []cell      // of an unread object: the lists and maps that were looked at
	entries []mapEntry
	index   map[string]int // when there are many entries
	changed *bool          // see FromJSONTracked; may be nil
}

type mapEntry struct {
	key string
	cell
}

// manyEntries is the size from which a map has an index.
const manyEntries = 12

// NewMap returns an empty map.
func NewMap() *Map { return &Map{} }

func (m *Map) read() {
	if m.src.Kind() == ojson.None {
		return
	}
	m.entries = make([]mapEntry, 0, m.src.Len())
	for name, v := range m.src.Members() {
		c := cell{src: v}
		for i := range m.seen {
			if m.seen[i].src == v {
				c = cell{v: m.seen[i].v}
			}
		}
		m.entries = append(m.entries, mapEntry{name, c})
	}
	m.src, m.seen = ojson.Value{}, nil
	m.reindex()
}

func (m *Map) reindex() {
	m.index = nil
	if len(m.entries) < manyEntries {
		return
	}
	m.index = make(map[string]int, len(m.entries))
	for i := range m.entries {
		m.index[m.entries[i].key] = i
	}
}

func (m *Map) find(key string) int {
	if m.index != nil {
		if i, ok := m.index[key]; ok {
			return i
		}
		return -1
	}
	for i := range m.entries {
		if m.entries[i].key == key {
			return i
		}
	}
	return -1
}

// Len returns the number of entries.
func (m *Map) Len() int {
	if m.src.Kind() != ojson.None {
		return m.src.Len()
	}
	return len(m.entries)
}

// An object is read as a whole, with an index, when more than maxSeen lists and maps in it
// were looked at, or when it has more than maxUnread members.
const (
	maxSeen   = 4
	maxUnread = 64
)

// Get returns the value of key, and whether there is one. In an object that nobody changed,
// the value is read in place.
func (m *Map) Get(key string) (Value, bool) {
	if m.src.Kind() != ojson.None && m.src.Len() > maxUnread {
		m.read()
	}
	if m.src.Kind() != ojson.None {
		v, ok := m.src.Get(key)
		if !ok || v.Kind() < ojson.Array {
			return FromJSONTracked(v, m.changed), ok
		}
		for i := range m.seen {
			if m.seen[i].src == v {
				return m.seen[i].v, true
			}
		}
		if len(m.seen) < maxSeen {
			x := FromJSONTracked(v, m.changed)
			m.seen = append(m.seen, cell{x, v})
			return x, true
		}
		m.read()
	}
	if i := m.find(key); i >= 0 {
		return m.entries[i].get(m.changed), true
	}
	return nil, false
}

// appendScalar appends what the member key prints if it is a scalar of an unread object, or
// missing there. It reports false when the member must be read.
func (m *Map) appendScalar(dst *[]byte, key string) bool {
	if m.src.Kind() == ojson.None || m.src.Len() > maxUnread {
		return false
	}
	v, _ := m.src.Get(key)
	switch k := v.Kind(); {
	case k >= ojson.Array:
		return false
	case k > ojson.Null:
		*dst = v.AppendJava(*dst)
	}
	return true
}

// change readies the map for a change.
func (m *Map) change() {
	m.read()
	if m.changed != nil {
		*m.changed = true
	}
}

// Put sets the value of key and returns the one it had.
func (m *Map) Put(key string, v Value) Value {
	m.change()
	if i := m.find(key); i >= 0 {
		old := m.entries[i].get(m.changed)
		m.entries[i].v = v
		return old
	}
	m.entries = append(m.entries, mapEntry{key, cell{v: v}})
	if m.index != nil {
		m.index[key] = len(m.entries) - 1
	} else if len(m.entries) >= manyEntries {
		m.reindex()
	}
	return nil
}

// Remove removes key and returns the value it had.
func (m *Map) Remove(key string) Value {
	m.change()
	i := m.find(key)
	if i < 0 {
		return nil
	}
	old := m.entries[i].get(m.changed)
	m.entries = append(m.entries[:i], m.entries[i+1:]...)
	m.reindex()
	return old
}

// All visits the entries in order. The map must not change meanwhile.
func (m *Map) All(yield func(string, Value) bool) {
	m.read()
	for i := range m.entries {
		if !yield(m.entries[i].key, m.entries[i].get(m.changed)) {
			return
		}
	}
}

// Entry is an entry of a map, with .key and .value.
type Entry struct {
	m   *Map
	key string
}

func (e *Entry) value() Value {
	v, _ := e.m.Get(e.key)
	return v
}

// iterator is what .iterator() returns.
type iterator struct {
	list *List
	next int
}
