package vtl

import "fmt"

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

// subList returns a copy; Java's is a view, which templates do not write to. It prints as Java's own
// lists do, whatever it was taken from.
func (s *state) subList(l *List, from, to int64) (Value, error) {
	if from < 0 || to > int64(l.Len()) || from > to {
		return nil, fmt.Errorf("subList(%d, %d): the list has %d elements", from, to, l.Len())
	}
	l.read()
	return &List{items: append([]cell(nil), l.items[from:to]...)}, s.spend(int(to - from))
}
