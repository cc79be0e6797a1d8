package jsonschema

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"unicode/utf8"

	"gatehouse/internal/lang/ojson"
	"gatehouse/internal/lang/regex"
)

// Bounds of one validation.
const (
	maxSteps  = 5_000_000 // about one per value and keyword, or per 16 bytes looked at
	maxNested = 10_000    // schemas within schemas and values within values together
)

// Valid reports whether v obeys the schema. The error is ErrBudget or ErrLoop, or
// regex.ErrTimeout; the body must then be refused.
func (s *Schema) Valid(v ojson.Value) (bool, error) {
	r := run{steps: maxSteps}
	ok := r.valid(s, v)
	return ok && r.err == nil, r.err
}

// run is one validation.
type run struct {
	steps int
	depth int
	err   error
}

// spend takes n steps; after the last, everything is false.
func (r *run) spend(n int) bool {
	r.steps -= n
	if r.steps < 0 && r.err == nil {
		r.err = ErrBudget
	}
	return r.err == nil
}

// deref follows references.
func (r *run) deref(s *Schema) *Schema {
	for hops := 0; s.ref != nil; hops++ {
		if hops > 1000 {
			r.err = ErrLoop
			return &Schema{}
		}
		s = s.ref
	}
	return s
}

func (r *run) valid(s *Schema, v ojson.Value) bool {
	s = r.deref(s)
	if r.depth++; r.depth > maxNested {
		r.err = ErrLoop
	}
	defer func() { r.depth-- }()
	if !r.spend(1) {
		return false
	}
	t := typeOf(v)
	if s.types != 0 && s.types&t == 0 {
		return false
	}
	if s.enum != nil && !r.inEnum(s.enum, v) {
		return false
	}
	switch {
	case t&(typeNumber|typeInteger) != 0:
		if s.number != nil && !s.number.valid(v.Text()) {
			return false
		}
	case t == typeString:
		if s.text != nil && !r.validText(s.text, v.Text()) {
			return false
		}
	case t == typeArray:
		if s.array != nil && !r.validArray(s.array, v) {
			return false
		}
	case t == typeObject:
		if s.object != nil && !r.validObject(s.object, v) {
			return false
		}
	}
	return r.combined(s, v)
}

// combined checks allOf, anyOf, oneOf and not.
func (r *run) combined(s *Schema, v ojson.Value) bool {
	for _, x := range s.allOf {
		if !r.valid(x, v) {
			return false
		}
	}
	if s.anyOf != nil && !slices.ContainsFunc(s.anyOf, func(x *Schema) bool { return r.valid(x, v) }) {
		return false
	}
	if s.oneOf != nil && r.matching(s.oneOf, v, 2) != 1 {
		return false
	}
	return s.not == nil || !r.valid(s.not, v) && r.err == nil
}

// matching counts the schemas that v obeys, up to enough.
func (r *run) matching(list []*Schema, v ojson.Value, enough int) int {
	n := 0
	for _, x := range list {
		if r.valid(x, v) {
			if n++; n == enough {
				break
			}
		}
	}
	return n
}

func (r *run) inEnum(enum []ojson.Value, v ojson.Value) bool {
	for _, x := range enum {
		if x.Kind() >= ojson.Array && !r.spend(len(x.Raw())/16+len(v.Raw())/16) {
			return false
		}
		if ojson.Equal(x, v) {
			return true
		}
	}
	return r.spend(len(enum)) && false
}

func (n *numberRules) valid(text string) bool {
	if n.minimum != "" {
		if c := ojson.CompareNumbers(text, n.minimum); c < 0 || c == 0 && n.exclusiveMin {
			return false
		}
	}
	if n.maximum != "" {
		if c := ojson.CompareNumbers(text, n.maximum); c > 0 || c == 0 && n.exclusiveMax {
			return false
		}
	}
	return n.multipleOf == "" || isMultiple(text, n.multipleOf)
}

// isMultiple reports whether a is a multiple of b, exactly unless exponents are
// extraordinary.
func isMultiple(a, b string) bool {
	if x, err := strconv.ParseInt(a, 10, 64); err == nil {
		if y, err := strconv.ParseInt(b, 10, 64); err == nil {
			return x%y == 0
		}
	}
	x, okX := rational(a)
	y, okY := rational(b)
	if okX && okY {
		return new(big.Rat).Quo(x, y).IsInt()
	}
	f, _ := strconv.ParseFloat(a, 64)
	g, _ := strconv.ParseFloat(b, 64)
	return math.Mod(f, g) == 0
}

// rational returns the number written as text, unless it would be unreasonably long.
func rational(text string) (*big.Rat, bool) {
	if len(text) > 1000 {
		return nil, false
	}
	for i := range len(text) {
		if c := text[i]; c == 'e' || c == 'E' {
			if n, err := strconv.Atoi(text[i+1:]); err != nil || n > 400 || n < -400 {
				return nil, false
			}
		}
	}
	return new(big.Rat).SetString(text)
}

func (r *run) validText(t *textRules, text string) bool {
	if t.minLength > 0 || t.maxLength >= 0 {
		n := utf8.RuneCountInString(text)
		if n < t.minLength || t.maxLength >= 0 && n > t.maxLength {
			return false
		}
	}
	if t.pattern != nil {
		if !r.spend(1 + len(text)/16) {
			return false
		}
		if !r.search(t.pattern, text) {
			return false
		}
	}
	return t.format == nil || t.format.valid(text)
}

func (r *run) validArray(a *arrayRules, v ojson.Value) bool {
	n := v.Len()
	if n < a.minItems || a.maxItems >= 0 && n > a.maxItems || a.tooLong(n) {
		return false
	}
	if a.unique && !r.distinct(v) {
		return false
	}
	if a.items == nil && a.tuple == nil {
		return true
	}
	i := 0
	for e := range v.Elements() {
		if x := a.element(i); x != nil && !r.valid(x, e) {
			return false
		}
		i++
	}
	return true
}

// tooLong tells whether n elements are more than the tuple allows.
func (a *arrayRules) tooLong(n int) bool {
	return a.noMore && a.tuple != nil && n > len(a.tuple)
}

// element returns the schema of element i, nil for any.
func (a *arrayRules) element(i int) *Schema {
	switch {
	case a.tuple == nil:
		return a.items
	case i < len(a.tuple):
		return a.tuple[i]
	}
	return a.additional
}

// fewElements is the number up to which elements are compared in pairs.
const fewElements = 12

// distinct reports whether no two elements are equal.
func (r *run) distinct(v ojson.Value) bool {
	n := v.Len()
	if n < 2 {
		return true
	}
	if n <= fewElements {
		if !r.spend(n * len(v.Raw()) / 16) {
			return false
		}
		elements := slices.Collect(v.Elements())
		for i, x := range elements {
			for _, y := range elements[:i] {
				if ojson.Equal(x, y) {
					return false
				}
			}
		}
		return true
	}
	if !r.spend(len(v.Raw()) / 4) {
		return false
	}
	seen := make(map[string]bool, n)
	for x := range v.Elements() {
		key := string(canonical(nil, x))
		if seen[key] {
			return false
		}
		seen[key] = true
	}
	return true
}

// canonical appends a text that is the same for equal values.
func canonical(dst []byte, v ojson.Value) []byte {
	switch v.Kind() {
	case ojson.Number:
		if x, ok := rational(v.Text()); ok {
			return append(dst, x.RatString()...)
		}
		f, _ := v.Float()
		return strconv.AppendFloat(append(dst, '~'), f, 'g', -1, 64)
	case ojson.Array:
		dst = append(dst, '[')
		for e := range v.Elements() {
			dst = append(canonical(dst, e), ',')
		}
		return append(dst, ']')
	case ojson.Object:
		members := make(map[string]ojson.Value, v.Len())
		names := make([]string, 0, v.Len())
		for name, m := range v.Members() {
			members[name] = m
			names = append(names, name)
		}
		slices.Sort(names)
		dst = append(dst, '{')
		for _, name := range names {
			dst = append(ojson.AppendQuoted(dst, name, ojson.Smart), ':')
			dst = append(canonical(dst, members[name]), ',')
		}
		return append(dst, '}')
	}
	return v.Append(dst, ojson.Smart)
}

func (r *run) validObject(o *objectRules, v ojson.Value) bool {
	n := v.Len()
	if n < o.minimum || o.maximum >= 0 && n > o.maximum || n < len(o.required) {
		return false
	}
	required := len(o.required)
	for name, m := range v.Members() {
		p := o.properties[name]
		if p.required {
			required--
		}
		if p.schema != nil && !r.valid(p.schema, m) {
			return false
		}
		matched := p.declared
		for i := range o.patterns {
			if !r.matches(&o.patterns[i], name) {
				continue
			}
			matched = true
			if !r.valid(o.patterns[i].schema, m) {
				return false
			}
		}
		if matched {
			continue
		}
		if o.noMore || o.additional != nil && !r.valid(o.additional, m) {
			return false
		}
	}
	if required > 0 || r.err != nil {
		return false
	}
	for i := range o.dependencies {
		if !r.obeys(&o.dependencies[i], v) {
			return false
		}
	}
	return true
}

func (r *run) matches(p *patternProperty, name string) bool {
	return r.spend(1+len(name)/16) && r.search(p.re, name)
}

// search charges what the search took.
func (r *run) search(re *regex.Regexp, text string) bool {
	watch := re.Watch()
	ok, err := re.Match(text)
	if err != nil && r.err == nil {
		r.err = err
	}
	return r.spend(watch.Steps()) && ok
}

func (r *run) obeys(d *dependency, v ojson.Value) bool {
	if _, ok := v.Get(d.name); !ok {
		return true
	}
	if d.schema != nil {
		return r.valid(d.schema, v)
	}
	for _, name := range d.needs {
		if _, ok := v.Get(name); !ok {
			return false
		}
	}
	return true
}
