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
		if err == nil {
			err = s.spend(len(text) / 8)
		}
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
