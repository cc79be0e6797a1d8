package iampolicy

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/netip"
	"strings"
	"time"
)

// A condition is one operator applied to one key: all must hold for a statement to apply.
type condition struct {
	op       operator
	name     string // as written: "ForAnyValue:StringLikeIfExists"
	written  string // the key as written
	key      string // in lower case
	set      setOperator
	ifExists bool
	tests    []test // one of them must match
}

type setOperator uint8

const (
	noSet setOperator = iota
	forAllValues
	forAnyValue
)

// An operator compares one value of the request with one of the policy. negated
// operators hold when no comparison matches.
type operator struct {
	compare comparison
	negated bool
}

type comparison uint8

const (
	stringEquals comparison = iota + 1
	stringEqualsIgnoreCase
	stringLike
	numericEquals
	numericLess
	numericLessEquals
	numericGreater
	numericGreaterEquals
	dateEquals
	dateLess
	dateLessEquals
	dateGreater
	dateGreaterEquals
	boolean
	binaryEquals
	ipAddress
	arnLike
	null
)

// operators are all of the IAM User Guide's "Condition operators"; ArnEquals and
// ArnLike are the same there too.
var operators = map[string]operator{
	"StringEquals":              {stringEquals, false},
	"StringNotEquals":           {stringEquals, true},
	"StringEqualsIgnoreCase":    {stringEqualsIgnoreCase, false},
	"StringNotEqualsIgnoreCase": {stringEqualsIgnoreCase, true},
	"StringLike":                {stringLike, false},
	"StringNotLike":             {stringLike, true},
	"NumericEquals":             {numericEquals, false},
	"NumericNotEquals":          {numericEquals, true},
	"NumericLessThan":           {numericLess, false},
	"NumericLessThanEquals":     {numericLessEquals, false},
	"NumericGreaterThan":        {numericGreater, false},
	"NumericGreaterThanEquals":  {numericGreaterEquals, false},
	"DateEquals":                {dateEquals, false},
	"DateNotEquals":             {dateEquals, true},
	"DateLessThan":              {dateLess, false},
	"DateLessThanEquals":        {dateLessEquals, false},
	"DateGreaterThan":           {dateGreater, false},
	"DateGreaterThanEquals":     {dateGreaterEquals, false},
	"Bool":                      {boolean, false},
	"BinaryEquals":              {binaryEquals, false},
	"IpAddress":                 {ipAddress, false},
	"NotIpAddress":              {ipAddress, true},
	"ArnEquals":                 {arnLike, false},
	"ArnLike":                   {arnLike, false},
	"ArnNotEquals":              {arnLike, true},
	"ArnNotLike":                {arnLike, true},
	"Null":                      {null, false},
}

// parseOperator reads an operator's name with its set prefix and IfExists suffix.
func parseOperator(name string) (op operator, set setOperator, ifExists, ok bool) {
	base := name
	if rest, found := strings.CutPrefix(base, "ForAllValues:"); found {
		base, set = rest, forAllValues
	} else if rest, found := strings.CutPrefix(base, "ForAnyValue:"); found {
		base, set = rest, forAnyValue
	}
	if rest, found := strings.CutSuffix(base, "IfExists"); found {
		base, ifExists = rest, true
	}
	op, ok = operators[base]
	if op.compare == null && (ifExists || set != noSet) {
		return op, set, ifExists, false
	}
	return op, set, ifExists, ok
}

// A test is one value of a condition, compiled for its operator.
type test struct {
	pattern pattern
	arn     arnPattern
	number  number
	time    time.Time
	prefix  netip.Prefix
	bytes   []byte
	bool    bool
}

// compileTest compiles a value for an operator.
func compileTest(c comparison, s string, variables bool) (t test, err error) {
	ok := true
	switch {
	case c <= stringLike:
		t.pattern, err = compilePattern(s, variables, c == stringLike)
		return t, err
	case c <= numericGreaterEquals:
		if t.number, ok = parseNumber(s); !ok {
			return t, errors.New("want a number")
		}
	case c <= dateGreaterEquals:
		if t.time, ok = parseDate(s); !ok {
			return t, errors.New("want a date as 2006-01-02T15:04:05Z, or seconds since 1970")
		}
	case c == boolean || c == null:
		t.bool = strings.EqualFold(s, "true")
		if !t.bool && !strings.EqualFold(s, "false") {
			return t, errors.New("want true or false")
		}
	case c == binaryEquals:
		if t.bytes, err = base64.StdEncoding.DecodeString(s); err != nil {
			return t, errors.New("want base64")
		}
	case c == ipAddress:
		if t.prefix, ok = parsePrefix(s); !ok {
			return t, errors.New("want an address or a block such as 203.0.113.0/24")
		}
	case c == arnLike:
		t.arn, err = compileARN(s, variables)
	}
	return t, err
}

func parsePrefix(s string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(s); err == nil {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), a.Zone() == ""
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, false
	}
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked(), true
}

// holds reports whether the condition is met (IAM User Guide, "Condition operators"
// and "Set operators for multivalued context keys"). A key that is absent fails
// operators, satisfies negated ones and every one with IfExists or ForAllValues, and
// fails ForAnyValue.
func (c *condition) holds(keys Keys) bool {
	var v Value
	if keys != nil {
		v = keys.Value(c.key)
	}
	n := v.count()
	if c.op.compare == null {
		for i := range c.tests {
			if c.tests[i].bool == (n == 0) {
				return true
			}
		}
		return false
	}
	if n == 0 {
		return c.ifExists || c.set == forAllValues || c.set == noSet && c.op.negated
	}
	switch c.set {
	case forAllValues:
		for i := range n {
			if c.matches(&v, i, keys) == c.op.negated {
				return false
			}
		}
		return true
	case forAnyValue:
		for i := range n {
			if c.matches(&v, i, keys) != c.op.negated {
				return true
			}
		}
		return false
	}
	for i := range n {
		if c.matches(&v, i, keys) {
			return !c.op.negated
		}
	}
	return c.op.negated
}

// matches reports whether value i of the request matches one of the policy's.
func (c *condition) matches(v *Value, i int, keys Keys) bool {
	switch op := c.op.compare; {
	case op <= stringLike:
		return c.matchesText(v.text(i), keys)
	case op <= numericGreaterEquals:
		n, ok := v.number(i)
		return ok && c.any(func(t *test) bool { return ordered(op-numericEquals, n.compare(t.number)) })
	case op <= dateGreaterEquals:
		d, ok := v.time(i)
		return ok && c.any(func(t *test) bool { return ordered(op-dateEquals, d.Compare(t.time)) })
	case op == boolean:
		s := v.text(i)
		b := strings.EqualFold(s, "true")
		return (b || strings.EqualFold(s, "false")) && c.any(func(t *test) bool { return t.bool == b })
	case op == binaryEquals:
		b, err := base64.StdEncoding.DecodeString(v.text(i))
		return err == nil && c.any(func(t *test) bool { return bytes.Equal(t.bytes, b) })
	case op == ipAddress:
		a, ok := v.address(i)
		return ok && c.any(func(t *test) bool { return t.prefix.Contains(a) })
	default:
		s := v.text(i)
		return c.any(func(t *test) bool { return t.arn.match(s, keys) })
	}
}

func (c *condition) any(match func(*test) bool) bool {
	for i := range c.tests {
		if match(&c.tests[i]) {
			return true
		}
	}
	return false
}

func (c *condition) matchesText(s string, keys Keys) bool {
	for i := range c.tests {
		p := &c.tests[i].pattern
		if c.op.compare == stringEqualsIgnoreCase {
			if want, ok := p.literalText(keys); ok && strings.EqualFold(s, want) {
				return true
			}
		} else if p.match(s, keys, false) {
			return true
		}
	}
	return false
}

// ordered applies the relation: 0 equals, 1 less, 2 less or equal, 3 greater, 4
// greater or equal.
func ordered(relation comparison, cmp int) bool {
	switch relation {
	case 0:
		return cmp == 0
	case 1:
		return cmp < 0
	case 2:
		return cmp <= 0
	case 3:
		return cmp > 0
	}
	return cmp >= 0
}
