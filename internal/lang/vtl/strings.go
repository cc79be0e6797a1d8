package vtl

import (
	"fmt"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

	"gatehouse/internal/lang/regex"
)

// stringMethod calls a method of java.lang.String. Indexes count UTF-16 units.
func (s *state) stringMethod(v, name string, args []Value) (Value, error) {
	if err := s.spend(len(v) / 64); err != nil {
		return nil, err
	}
	if name == "format" || name == "join" {
		return s.staticString(name, args)
	}
	switch len(args) {
	case 0:
		return s.string0(v, name)
	case 1:
		switch a := args[0].(type) {
		case string:
			return s.string1(v, name, a)
		case int64:
			return s.stringAt(v, name, a)
		}
		if name == "valueOf" {
			return s.text(args[0])
		}
		if l, ok := args[0].(*List); ok && name == "concat" && l.Len() == 0 {
			return v, nil
		}
	case 2:
		return s.string2(v, name, args)
	}
	return nil, nil
}

func (s *state) string0(v, name string) (Value, error) {
	switch name {
	case "length":
		return int64(units(v)), nil
	case "isEmpty":
		return v == "", nil
	case "isBlank":
		return strings.TrimSpace(v) == "", nil
	case "trim":
		return strings.TrimFunc(v, func(r rune) bool { return r <= ' ' }), nil
	case "strip":
		return strings.TrimSpace(v), nil
	case "toLowerCase":
		return strings.ToLower(v), s.fits(len(v))
	case "toUpperCase":
		return strings.ToUpper(v), s.fits(len(v))
	case "intern", "toString":
		return v, nil
	case "toCharArray":
		if err := s.spend(len(v)); err != nil {
			return nil, err
		}
		l := &List{}
		for _, r := range v {
			l.Add(string(r))
		}
		return l, nil
	}
	return nil, nil
}

func (s *state) string1(v, name, a string) (Value, error) {
	switch name {
	case "equalsIgnoreCase":
		return strings.EqualFold(v, a), nil
	case "contains":
		return strings.Contains(v, a), nil
	case "startsWith":
		return strings.HasPrefix(v, a), nil
	case "endsWith":
		return strings.HasSuffix(v, a), nil
	case "indexOf":
		return unitOffset(v, strings.Index(v, a)), nil
	case "lastIndexOf":
		return unitOffset(v, strings.LastIndex(v, a)), nil
	case "concat":
		return s.join(v, a)
	case "compareTo":
		return compareStrings(v, a), nil
	case "compareToIgnoreCase":
		return compareStrings(strings.ToLower(v), strings.ToLower(a)), nil
	case "contentEquals":
		return v == a, nil
	case "valueOf":
		return a, nil
	case "matches":
		re, err := s.pattern(a, len(v))
		if err != nil {
			return nil, err
		}
		watch := re.Watch()
		ok, err := re.MatchAll(v)
		if err != nil {
			return nil, err
		}
		return ok, s.spend(watch.Steps())
	case "split":
		return s.split(v, a, 0)
	}
	return nil, nil
}

// stringAt has the methods with one number.
func (s *state) stringAt(v, name string, n int64) (Value, error) {
	switch name {
	case "substring":
		return substring(v, n, int64(units(v)))
	case "charAt":
		c, err := substring(v, n, n+1)
		return c, err
	case "codePointAt":
		c, err := substring(v, n, int64(units(v)))
		if err != nil || c == "" {
			return nil, fmt.Errorf("codePointAt(%d): the string has %d characters", n, units(v))
		}
		r, _ := utf8.DecodeRuneInString(c.(string))
		return int64(r), nil
	case "indexOf":
		return unitOffset(v, strings.IndexRune(v, rune(n))), nil
	case "repeat":
		if n < 0 {
			return nil, fmt.Errorf("repeat(%d): the count is negative", n)
		}
		if len(v) == 0 || n == 0 {
			return "", nil
		}
		if n > int64(s.limits.Output) {
			return nil, ErrOutput
		}
		if err := s.fits(len(v) * int(n)); err != nil {
			return nil, err
		}
		return strings.Repeat(v, int(n)), nil
	case "valueOf":
		return s.text(n)
	}
	return nil, nil
}

func (s *state) string2(v, name string, args []Value) (Value, error) {
	if a, b, ok := two[string, string](args); ok {
		switch name {
		case "replace":
			return s.replace(v, a, b)
		case "replaceAll", "replaceFirst":
			re, err := s.pattern(a, len(v))
			if err != nil {
				return nil, err
			}
			watch := re.Watch()
			text, err := re.Replace(v, b, name == "replaceFirst", s.limits.Output)
			if err != nil {
				return nil, err
			}
			if err := s.spend(watch.Steps()); err != nil {
				return nil, err
			}
			return text, s.fits(len(text))
		}
		return nil, nil
	}
	if from, to, ok := two[int64, int64](args); ok {
		if name == "substring" || name == "subSequence" {
			return substring(v, from, to)
		}
		return nil, nil
	}
	a, n, ok := two[string, int64](args)
	if !ok {
		return nil, nil
	}
	switch name {
	case "split":
		return s.split(v, a, n)
	case "startsWith":
		rest, err := substring(v, n, int64(units(v)))
		return err == nil && strings.HasPrefix(rest.(string), a), nil
	case "indexOf":
		n = max(0, min(n, int64(units(v))))
		rest, _ := substring(v, n, int64(units(v)))
		i := strings.Index(rest.(string), a)
		if i < 0 {
			return int64(-1), nil
		}
		return n + unitOffset(rest.(string), i), nil
	case "lastIndexOf":
		if n < 0 {
			return int64(-1), nil
		}
		head, _ := substring(v, 0, min(n+int64(units(a)), int64(units(v))))
		return unitOffset(head.(string), strings.LastIndex(head.(string), a)), nil
	}
	return nil, nil
}

// replace is replace(CharSequence, CharSequence).
func (s *state) replace(v, old, with string) (Value, error) {
	n := strings.Count(v, old)
	if grow := len(with) - len(old); grow > 0 && n > s.limits.Output/grow {
		return nil, ErrOutput
	}
	if err := s.fits(len(v) + n*(len(with)-len(old))); err != nil {
		return nil, err
	}
	return strings.ReplaceAll(v, old, with), nil
}

func (s *state) split(v, pattern string, limit int64) (Value, error) {
	re, err := s.pattern(pattern, len(v))
	if err != nil {
		return nil, err
	}
	watch := re.Watch()
	parts, err := re.Split(v, int(max(-1, min(limit, 1<<30))))
	if err != nil {
		return nil, err
	}
	if err := s.spend(len(parts) + watch.Steps()); err != nil {
		return nil, err
	}
	l := &List{items: make([]cell, len(parts))}
	for i, part := range parts {
		l.items[i].v = part
	}
	return l, nil
}

// patterns keeps compiled regular expressions, which templates nearly always write as
// constants. It is emptied when it is full.
var patterns struct {
	sync.RWMutex
	m map[string]*regex.Regexp
}

const maxPatterns = 512

// pattern compiles a Java regular expression for a text of n bytes.
func (s *state) pattern(text string, n int) (*regex.Regexp, error) {
	if err := s.spend(n/2 + 10); err != nil {
		return nil, err
	}
	patterns.RLock()
	re := patterns.m[text]
	patterns.RUnlock()
	if re != nil {
		return re, nil
	}
	if err := s.spend(100 + 10*len(text)); err != nil {
		return nil, err
	}
	re, err := regex.Compile(text, regex.Java, false)
	if err != nil {
		return nil, err
	}
	if len(text) <= 1<<10 {
		patterns.Lock()
		if patterns.m == nil || len(patterns.m) >= maxPatterns {
			patterns.m = make(map[string]*regex.Regexp)
		}
		patterns.m[strings.Clone(text)] = re
		patterns.Unlock()
	}
	return re, nil
}

// staticString has String.format and String.join, which Velocity finds on any string.
func (s *state) staticString(name string, args []Value) (Value, error) {
	if len(args) == 0 || !isString(args[0]) {
		return nil, nil
	}
	rest := args[1:]
	if len(rest) == 1 {
		if l, ok := rest[0].(*List); ok {
			rest = make([]Value, l.Len())
			if err := s.spend(l.Len()); err != nil {
				return nil, err
			}
			for i := range rest {
				rest[i] = l.At(i)
			}
		}
	}
	if name == "format" {
		return s.format(args[0].(string), rest)
	}
	var b strings.Builder
	for i, v := range rest {
		if i > 0 {
			b.WriteString(args[0].(string))
		}
		text, err := s.text(v)
		if err != nil {
			return nil, err
		}
		if b.WriteString(text); b.Len() > s.limits.Output {
			return nil, ErrOutput
		}
	}
	return b.String(), s.fits(b.Len())
}

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func utf16Of(s string) []uint16 { return utf16.Encode([]rune(s)) }

// substring cuts by UTF-16 units; half a surrogate pair becomes U+FFFD.
func substring(v string, from, to int64) (Value, error) {
	if ascii(v) {
		if from < 0 || to > int64(len(v)) || from > to {
			return nil, fmt.Errorf("substring(%d, %d): the string has %d characters", from, to, len(v))
		}
		return v[from:to], nil
	}
	u := utf16Of(v)
	if from < 0 || to > int64(len(u)) || from > to {
		return nil, fmt.Errorf("substring(%d, %d): the string has %d characters", from, to, len(u))
	}
	return string(utf16.Decode(u[from:to])), nil
}

// unitOffset converts a byte offset into one of UTF-16 units; -1 stays.
func unitOffset(v string, i int) int64 {
	if i <= 0 {
		return int64(i)
	}
	return int64(units(v[:i]))
}

// compareStrings is Java's compareTo: the difference of the first units that differ, or of
// the lengths.
func compareStrings(a, b string) Value {
	x, y := utf16Of(a), utf16Of(b)
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return int64(x[i]) - int64(y[i])
		}
	}
	return int64(len(x) - len(y))
}
