package vtl

import (
	"math"
	"math/big"
	"strconv"
)

// isNumber reports whether v is a number.
func isNumber(v Value) bool {
	switch v.(type) {
	case int64, float64, *big.Int, Decimal:
		return true
	}
	return false
}

// float returns a number as a double.
func float(v Value) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f
	case Decimal:
		f, _ := strconv.ParseFloat(string(v), 64)
		return f
	}
	return math.NaN()
}

// integer returns an integer as one of any size, nil for other numbers.
func integer(v Value) *big.Int {
	switch v := v.(type) {
	case int64:
		return big.NewInt(v)
	case *big.Int:
		return v
	}
	return nil
}

// maxBits bounds integers: a loop that squares a number doubles its length each time.
const maxBits = 1 << 16

// arithmetic computes as Velocity does: null when an operand is no number, but + joins texts
// when one is a string. Integers that overflow grow, their division cuts off; by zero
// there is null.
func (s *state) arithmetic(op operator, l, r Value) (Value, error) {
	if a, ok := l.(int64); ok {
		if b, ok := r.(int64); ok {
			if v, ok := small(op, a, b); ok {
				return v, nil
			}
		}
	}
	if op == opAdd && (isString(l) || isString(r)) {
		return s.join(l, r)
	}
	if !isNumber(l) || !isNumber(r) {
		return nil, nil
	}
	if a, b := integer(l), integer(r); a != nil && b != nil {
		if err := s.spend((a.BitLen() + b.BitLen()) / 64); err != nil {
			return nil, err
		}
		return large(op, a, b)
	}
	return double(op, float(l), float(r)), nil
}

func isString(v Value) bool { _, ok := v.(string); return ok }

// join is + of texts.
func (s *state) join(l, r Value) (Value, error) {
	a, err := s.text(l)
	if err != nil {
		return nil, err
	}
	b, err := s.text(r)
	if err != nil {
		return nil, err
	}
	if err := s.fits(len(a) + len(b)); err != nil {
		return nil, err
	}
	return a + b, nil
}

// small computes with integers of 64 bits; ok is false when they overflow.
func small(op operator, a, b int64) (v Value, ok bool) {
	switch op {
	case opAdd:
		c := a + b
		return c, (c^a) >= 0 || (c^b) >= 0
	case opSub:
		c := a - b
		return c, (a^b) >= 0 || (c^a) >= 0
	case opMul:
		if a == 0 || b == 0 {
			return int64(0), true
		}
		c := a * b
		return c, c/b == a && !(a == -1 && b == math.MinInt64) && !(b == -1 && a == math.MinInt64)
	case opDiv:
		if b == 0 {
			return nil, true
		}
		return a / b, !(a == math.MinInt64 && b == -1)
	}
	if b == 0 {
		return nil, true
	}
	if b == -1 {
		return int64(0), true
	}
	return a % b, true
}

// large computes with integers of any size.
func large(op operator, a, b *big.Int) (Value, error) {
	c := new(big.Int)
	switch op {
	case opAdd:
		c.Add(a, b)
	case opSub:
		c.Sub(a, b)
	case opMul:
		if a.BitLen()+b.BitLen() > maxBits {
			return nil, ErrOutput
		}
		c.Mul(a, b)
	default:
		if b.Sign() == 0 {
			return nil, nil
		}
		m := new(big.Int)
		c.QuoRem(a, b, m)
		if op == opMod {
			c = m
		}
	}
	if c.BitLen() > maxBits {
		return nil, ErrOutput
	}
	return c, nil
}

func double(op operator, a, b float64) Value {
	switch op {
	case opAdd:
		return a + b
	case opSub:
		return a - b
	case opMul:
		return a * b
	}
	if b == 0 {
		return nil
	}
	if op == opDiv {
		return a / b
	}
	return math.Mod(a, b)
}

// compareNumbers returns -1, 0 or +1; NaN is equal to nothing and gives +1.
func compareNumbers(l, r Value) int {
	if a, ok := l.(int64); ok {
		if b, ok := r.(int64); ok {
			switch {
			case a < b:
				return -1
			case a > b:
				return 1
			}
			return 0
		}
	}
	if a, b := integer(l), integer(r); a != nil && b != nil {
		return a.Cmp(b)
	}
	a, b := float(l), float(r)
	switch {
	case a < b:
		return -1
	case a == b:
		return 0
	}
	return 1
}

// ordered decides <, <=, > and >=, which are false unless both sides are numbers.
func (s *state) ordered(op operator, l, r Value) (Value, error) {
	if !isNumber(l) || !isNumber(r) {
		return false, nil
	}
	c := compareNumbers(l, r)
	switch op {
	case opLt:
		return c < 0, nil
	case opLe:
		return c <= 0, nil
	case opGt:
		return c > 0, nil
	}
	return c >= 0, nil
}

// equal decides ==. Null is equal to null and, in this service, to the empty string
// (aws-behaviour-recorded, section 19). Numbers compare by value, lists and maps by their
// content; values of different types compare by what they print.
func (s *state) equal(l, r Value, depth int) (bool, error) {
	if err := s.spend(1); err != nil {
		return false, err
	}
	if depth > maxPrintDepth {
		return false, ErrDepth
	}
	if l == nil {
		l, r = r, l
	}
	if r == nil {
		return l == nil || l == "", nil
	}
	if isNumber(l) && isNumber(r) {
		return compareNumbers(l, r) == 0, nil
	}
	switch a := l.(type) {
	case string:
		if b, ok := r.(string); ok {
			return a == b, s.spend(len(a) / 64)
		}
	case bool:
		if b, ok := r.(bool); ok {
			return a == b, nil
		}
	case *List:
		if b, ok := r.(*List); ok {
			return s.equalLists(a, b, depth)
		}
	case *Map:
		if b, ok := r.(*Map); ok {
			return s.equalMaps(a, b, depth)
		}
	}
	a, err := s.text(l)
	if err != nil {
		return false, err
	}
	b, err := s.text(r)
	return a == b, err
}

func (s *state) equalLists(a, b *List, depth int) (bool, error) {
	if a == b {
		return true, nil
	}
	if a.Len() != b.Len() {
		return false, nil
	}
	for i := range a.Len() {
		if eq, err := s.equal(a.At(i), b.At(i), depth+1); !eq || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (s *state) equalMaps(a, b *Map, depth int) (bool, error) {
	if a == b {
		return true, nil
	}
	if a.Len() != b.Len() {
		return false, nil
	}
	for key, x := range a.All {
		y, ok := b.Get(key)
		if !ok {
			return false, nil
		}
		if eq, err := s.equal(x, y, depth+1); !eq || err != nil {
			return false, err
		}
	}
	return true, nil
}
