package ojson

// Style selects how values are printed.
type Style uint8

// The styles of printing. All are compact: the service writes no white space.
const (
	// Smart is what $input.json writes: JSON with numbers in Java notation.
	Smart Style = iota
	// Web is what an array prints in a template: as Smart, with "/" written "\/".
	Web
	// Raw keeps the source text of numbers and strings, white space alone is dropped.
	// A text read by ParsePermissive is not necessarily JSON and is printed as Smart.
	Raw
)

// Append appends v as JSON; no value is printed as null.
func (v Value) Append(dst []byte, st Style) []byte {
	if v.doc == nil {
		return append(dst, "null"...)
	}
	if st == Raw && v.doc.permissive {
		st = Smart
	}
	return v.doc.append(dst, v.i, st)
}

// JSON returns v as JSON in the Raw style.
func (v Value) JSON() string { return string(v.Append(nil, Raw)) }

func (d *document) append(dst []byte, i uint32, st Style) []byte {
	nd := &d.nodes[i]
	switch nd.kind {
	case Number:
		if st == Raw {
			return append(dst, d.text[nd.off:nd.end]...)
		}
		return AppendNumber(dst, d.text[nd.off:nd.end])
	case String:
		return d.appendString(dst, i, st)
	case Array:
		dst = append(dst, '[')
		for k := i + 1; k < nd.next; k = d.after(k) {
			if k > i+1 {
				dst = append(dst, ',')
			}
			dst = d.append(dst, k, st)
		}
		return append(dst, ']')
	case Object:
		return d.appendObject(dst, i, st)
	}
	return append(dst, d.text[nd.off:nd.end]...)
}

func (d *document) appendObject(dst []byte, i uint32, st Style) []byte {
	dst = append(dst, '{')
	first := true
	for k := i + 1; k < d.nodes[i].next; k = d.after(k + 1) {
		if d.nodes[k].flags&shadowed != 0 {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = d.appendString(dst, k, st)
		dst = append(dst, ':')
		dst = d.append(dst, d.nodes[k].next, st)
	}
	return append(dst, '}')
}

func (d *document) appendString(dst []byte, i uint32, st Style) []byte {
	if st == Raw {
		nd := &d.nodes[i]
		return append(dst, d.text[nd.off-1:nd.end+1]...)
	}
	return AppendQuoted(dst, d.string(i), st)
}

// AppendJava appends v as Java's toString of the type that the service gives it prints:
// strings bare, objects as {name=value, other=value}, arrays as JSON in the Web style.
func (v Value) AppendJava(dst []byte) []byte {
	if v.doc == nil {
		return append(dst, "null"...)
	}
	d := v.doc
	nd := &d.nodes[v.i]
	switch nd.kind {
	case String:
		return append(dst, d.string(v.i)...)
	case Number:
		return AppendNumber(dst, d.text[nd.off:nd.end])
	case Array:
		return d.append(dst, v.i, Web)
	case Object:
		dst = append(dst, '{')
		first := true
		for name, m := range v.Members() {
			if !first {
				dst = append(dst, ", "...)
			}
			first = false
			dst = append(append(dst, name...), '=')
			dst = m.AppendJava(dst)
		}
		return append(dst, '}')
	}
	return append(dst, d.text[nd.off:nd.end]...)
}

// Equal reports whether a and b are the same JSON: numbers by value, objects without
// regard to order.
func Equal(a, b Value) bool {
	if a == b {
		return true
	}
	k := a.Kind()
	if k != b.Kind() {
		return false
	}
	switch k {
	case Number:
		return CompareNumbers(a.Text(), b.Text()) == 0
	case String:
		return a.Text() == b.Text()
	case Array:
		return equalArrays(a, b)
	case Object:
		return equalObjects(a, b)
	}
	return true
}

func equalArrays(a, b Value) bool {
	if a.Len() != b.Len() {
		return false
	}
	j := b.i + 1
	for x := range a.Elements() {
		if !Equal(x, Value{b.doc, j}) {
			return false
		}
		j = b.doc.after(j)
	}
	return true
}

// equalObjects compares members. Objects of many members are looked up through a map, so
// that the cost stays near linear.
func equalObjects(a, b Value) bool {
	if a.Len() != b.Len() {
		return false
	}
	get := b.Get
	if b.Len() > fewNames {
		members := make(map[string]Value, b.Len())
		for name, m := range b.Members() {
			members[name] = m
		}
		get = func(name string) (Value, bool) { m, ok := members[name]; return m, ok }
	}
	for name, x := range a.Members() {
		y, ok := get(name)
		if !ok || !Equal(x, y) {
			return false
		}
	}
	return true
}
