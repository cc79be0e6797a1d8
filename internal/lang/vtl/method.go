package vtl

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// invoke calls a method. A method that does not exist, or not with such arguments, gives
// null, as in Velocity; one that throws in Java fails the rendering. getClass and what
// leads to reflection do not exist.
func (s *state) invoke(v Value, name string, args []Value) (Value, error) {
	if err := s.spend(1); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case Object:
		res, _, err := v.Call(&s.call, name, args)
		return res, err
	}
	if res, ok, err := s.common(v, name, args); ok || err != nil {
		return res, err
	}
	switch v := v.(type) {
	case string:
		return s.stringMethod(v, name, args)
	case *List:
		return s.listMethod(v, name, args)
	case *Map:
		return s.mapMethod(v, name, args)
	case *Entry:
		return s.entryMethod(v, name, args)
	case bool:
		if name == "booleanValue" && len(args) == 0 {
			return v, nil
		}
		if b, ok := one[bool](args); ok && name == "compareTo" {
			return int64(boolInt(v) - boolInt(b)), nil
		}
	case *iterator:
		return v.method(name, args)
	case *block:
		return nil, nil
	}
	if isNumber(v) {
		return numberMethod(v, name, args)
	}
	return nil, nil
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// common has the methods of every Java object.
func (s *state) common(v Value, name string, args []Value) (Value, bool, error) {
	switch {
	case name == "toString" && len(args) == 0:
		text, err := s.text(v)
		return text, true, err
	case name == "equals" && len(args) == 1:
		if args[0] == nil {
			return false, true, nil
		}
		if !sameClass(v, args[0]) {
			return false, true, nil
		}
		eq, err := s.equal(v, args[0], 0)
		return eq, true, err
	case name == "hashCode" && len(args) == 0:
		text, err := s.text(v)
		return int64(hash(text)), true, err
	}
	return nil, false, nil
}

// sameClass reports whether Java's equals could hold between the types.
func sameClass(a, b Value) bool {
	switch a.(type) {
	case string:
		return isString(b)
	case bool:
		_, ok := b.(bool)
		return ok
	case *List:
		_, ok := b.(*List)
		return ok
	case *Map:
		_, ok := b.(*Map)
		return ok
	case int64, *big.Int:
		return integer(b) != nil
	case float64, Decimal:
		return isNumber(b) && integer(b) == nil
	}
	return a == b
}

// hash is Java's String.hashCode.
func hash(text string) int32 {
	h := int32(0)
	for _, u := range utf16Of(text) {
		h = 31*h + int32(u)
	}
	return h
}

// one returns the only argument if it has type T.
func one[T any](args []Value) (T, bool) {
	var zero T
	if len(args) != 1 {
		return zero, false
	}
	v, ok := args[0].(T)
	return v, ok
}

// two returns the only two arguments if they have types T and U.
func two[T, U any](args []Value) (t T, u U, ok bool) {
	if len(args) != 2 {
		return t, u, false
	}
	t, ok = args[0].(T)
	if !ok {
		return t, u, false
	}
	u, ok = args[1].(U)
	return t, u, ok
}

func numberMethod(v Value, name string, args []Value) (Value, error) {
	if len(args) == 1 && name == "compareTo" && isNumber(args[0]) {
		return int64(compareNumbers(v, args[0])), nil
	}
	if text, ok := one[string](args); ok && (name == "parseInt" || name == "valueOf" || name == "parseLong") {
		// Static methods of Integer, called through any number.
		n, err := strconv.ParseInt(strings.TrimPrefix(text, "+"), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is not an integer", name, text)
		}
		return n, nil
	}
	if f, ok := one[string](args); ok && name == "parseDouble" {
		n, err := strconv.ParseFloat(strings.TrimSpace(f), 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is not a number", name, f)
		}
		return n, nil
	}
	if len(args) != 0 {
		return nil, nil
	}
	switch name {
	case "intValue", "longValue", "shortValue", "byteValue":
		return narrow(v, name), nil
	case "doubleValue", "floatValue":
		return float(v), nil
	case "isNaN":
		f, ok := v.(float64)
		return ok && f != f, nil
	case "isInfinite":
		return math.IsInf(float(v), 0), nil
	}
	return nil, nil
}

// narrow converts to an integer as Java's casts: a double is cut off and held to the range,
// an integer keeps its low bits.
func narrow(v Value, name string) int64 {
	var n int64
	switch v := v.(type) {
	case int64:
		n = v
	case *big.Int:
		n = int64(new(big.Int).And(v, new(big.Int).SetUint64(math.MaxUint64)).Uint64())
	default:
		low, high := float64(math.MinInt64), float64(math.MaxInt64)
		if name != "longValue" {
			low, high = math.MinInt32, math.MaxInt32
		}
		f := float(v)
		switch {
		case f != f:
			return 0
		case f <= low:
			n = int64(low)
		case f >= high:
			if name == "longValue" {
				return math.MaxInt64
			}
			n = int64(high)
		default:
			n = int64(f)
		}
	}
	switch name {
	case "intValue":
		return int64(int32(n))
	case "shortValue":
		return int64(int16(n))
	case "byteValue":
		return int64(int8(n))
	}
	return n
}

func (s *state) entryMethod(e *Entry, name string, args []Value) (Value, error) {
	switch {
	case name == "getKey" && len(args) == 0:
		return e.key, nil
	case name == "getValue" && len(args) == 0:
		return e.value(), nil
	case name == "setValue" && len(args) == 1:
		return e.m.Put(e.key, args[0]), nil
	}
	return nil, nil
}

func (it *iterator) method(name string, args []Value) (Value, error) {
	if len(args) != 0 {
		return nil, nil
	}
	switch name {
	case "hasNext":
		return it.next < it.list.Len(), nil
	case "next":
		if it.next >= it.list.Len() {
			return nil, fmt.Errorf("next: no element is left")
		}
		it.next++
		return it.list.At(it.next - 1), nil
	}
	return nil, nil
}

// mapMethod calls a method of a map. Keys are what they print.
func (s *state) mapMethod(m *Map, name string, args []Value) (Value, error) {
	switch len(args) {
	case 0:
		return s.mapView(m, name)
	case 1:
		if other, ok := args[0].(*Map); ok && name == "putAll" {
			if err := s.spend(other.Len() * 4); err != nil {
				return nil, err
			}
			for key, v := range other.All {
				m.Put(key, v)
			}
			return nil, nil
		}
		key, err := s.text(args[0])
		if err != nil {
			return nil, err
		}
		switch name {
		case "get":
			v, _ := m.Get(key)
			return v, s.spend(1 + m.Len()/16)
		case "containsKey":
			_, ok := m.Get(key)
			return ok, s.spend(1 + m.Len()/16)
		case "remove":
			return m.Remove(key), s.spend(1 + m.Len())
		case "containsValue":
			for _, v := range m.All {
				if eq, err := s.equal(v, args[0], 0); eq || err != nil {
					return eq, err
				}
			}
			return false, nil
		}
	case 2:
		key, err := s.text(args[0])
		if err != nil {
			return nil, err
		}
		switch name {
		case "put":
			old, _ := m.Get(key)
			return old, s.putMap(m, key, args[1])
		case "getOrDefault":
			if v, ok := m.Get(key); ok {
				return v, nil
			}
			return args[1], nil
		case "putIfAbsent":
			if v, _ := m.Get(key); v != nil {
				return v, nil
			}
			return nil, s.putMap(m, key, args[1])
		}
	}
	return nil, nil
}

// mapView has a map's methods without arguments.
func (s *state) mapView(m *Map, name string) (Value, error) {
	switch name {
	case "size":
		return int64(m.Len()), nil
	case "isEmpty":
		return m.Len() == 0, nil
	case "keySet", "values", "entrySet":
		if err := s.spend(m.Len()); err != nil {
			return nil, err
		}
		return m.view(name), nil
	case "clear":
		m.change()
		m.entries, m.index = nil, nil
	}
	return nil, nil
}

// view returns the keys, values or entries as they are now.
func (m *Map) view(name string) *List {
	m.read()
	l := &List{items: make([]cell, len(m.entries))}
	for i := range m.entries {
		switch name {
		case "keySet":
			l.items[i].v = m.entries[i].key
		case "values":
			l.items[i].v = m.entries[i].get(m.changed)
		default:
			l.items[i].v = &Entry{m, m.entries[i].key}
		}
	}
	return l
}

func (m *Map) values() *List { return m.view("values") }

// listMethod calls a method of a list.
func (s *state) listMethod(l *List, name string, args []Value) (Value, error) {
	switch len(args) {
	case 0:
		return s.listView(l, name)
	case 1:
		return s.listMethod1(l, name, args[0])
	case 2:
		n, ok := args[0].(int64)
		if !ok {
			return nil, nil
		}
		switch name {
		case "set":
			return l.set(n, args[1])
		case "add":
			return nil, s.insert(l, n, args[1])
		case "subList":
			if to, ok := args[1].(int64); ok {
				return s.subList(l, n, to)
			}
		}
	}
	return nil, nil
}

func (s *state) listView(l *List, name string) (Value, error) {
	switch name {
	case "size", "count", "length":
		return int64(l.Len()), nil
	case "isEmpty":
		return l.Len() == 0, nil
	case "iterator", "listIterator":
		return &iterator{list: l}, nil
	case "clear":
		l.change()
		l.items = nil
	case "toArray":
		l.read()
		return &List{items: append([]cell(nil), l.items...), json: l.json}, s.spend(l.Len())
	case "toJSONString":
		b, err := AppendJSON(nil, l, s.limits.Output)
		if err != nil {
			return nil, err
		}
		return string(b), s.fits(len(b))
	}
	return nil, nil
}

func (s *state) listMethod1(l *List, name string, arg Value) (Value, error) {
	switch name {
	case "get":
		n, ok := arg.(int64)
		if !ok {
			return nil, nil
		}
		if n < 0 || n >= int64(l.Len()) {
			return nil, fmt.Errorf("get(%d): the list has %d elements", n, l.Len())
		}
		return l.At(int(n)), nil
	case "add":
		l.Add(arg)
		return true, s.spend(4)
	case "addAll":
		other, ok := arg.(*List)
		if !ok {
			return nil, nil
		}
		if err := s.spend(4 * other.Len()); err != nil {
			return nil, err
		}
		l.change()
		other.read()
		l.items = append(l.items, other.items...)
		return other.Len() > 0, nil
	case "contains", "indexOf", "lastIndexOf":
		at, err := s.indexOf(l, arg, name == "lastIndexOf")
		if name == "contains" {
			return at >= 0, err
		}
		return int64(at), err
	case "containsAll":
		other, ok := arg.(*List)
		if !ok {
			return nil, nil
		}
		for i := range other.Len() {
			if at, err := s.indexOf(l, other.At(i), false); at < 0 || err != nil {
				return false, err
			}
		}
		return true, nil
	case "remove":
		return s.removeFrom(l, arg)
	}
	return nil, nil
}

func (s *state) indexOf(l *List, v Value, last bool) (int, error) {
	for i := range l.Len() {
		if last {
			i = l.Len() - 1 - i
		}
		x := l.At(i)
		if x == nil || v == nil {
			if x == nil && v == nil {
				return i, nil
			}
			continue
		}
		if !sameClass(x, v) {
			continue
		}
		if eq, err := s.equal(x, v, 0); err != nil || eq {
			return i, err
		}
	}
	return -1, s.spend(l.Len() / 4)
}

// removeFrom is remove(int) and remove(Object).
func (s *state) removeFrom(l *List, arg Value) (Value, error) {
	if err := s.spend(1 + l.Len()/16); err != nil {
		return nil, err
	}
	n, byIndex := arg.(int64)
	if byIndex {
		if n < 0 || n >= int64(l.Len()) {
			return nil, fmt.Errorf("remove(%d): the list has %d elements", n, l.Len())
		}
	} else {
		at, err := s.indexOf(l, arg, false)
		if err != nil || at < 0 {
			return false, err
		}
		n = int64(at)
	}
	l.change()
	old := l.At(int(n))
	l.items = append(l.items[:n], l.items[n+1:]...)
	if byIndex {
		return old, nil
	}
	return true, nil
}

func (s *state) insert(l *List, n int64, v Value) error {
	l.change()
	if n < 0 || n > int64(len(l.items)) {
		return fmt.Errorf("add(%d): the list has %d elements", n, len(l.items))
	}
	l.items = append(l.items, cell{})
	copy(l.items[n+1:], l.items[n:])
	l.items[n] = cell{v: v}
	return s.spend(4 + len(l.items)/16)
}

// subList returns a copy; Java's is a view, which templates do not write to.
func (s *state) subList(l *List, from, to int64) (Value, error) {
	if from < 0 || to > int64(l.Len()) || from > to {
		return nil, fmt.Errorf("subList(%d, %d): the list has %d elements", from, to, l.Len())
	}
	l.read()
	return &List{items: append([]cell(nil), l.items[from:to]...), json: l.json}, s.spend(int(to - from))
}
