package iampolicy

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// A Value is what a request has for a condition key: nothing (the zero Value), one
// value, or a list. Values of other types than text are kept as they are, so that the
// usual operator for them needs no parsing; every other operator sees their text.
type Value struct {
	kind valueKind
	s    string
	list []string
	addr netip.Addr
	t    time.Time
	n    int64
}

type valueKind uint8

const (
	absent valueKind = iota
	textValue
	listValue
	addrValue
	timeValue
	numberValue
	boolValue
)

// Text is the value of a key that has one text.
func Text(s string) Value { return Value{kind: textValue, s: s} }

// Texts is the value of a key that may have several. The list is not kept beyond the
// evaluation; an empty one is no value.
func Texts(list []string) Value { return Value{kind: listValue, list: list} }

// Addr is the value of an address key (aws:SourceIp); an invalid address is no value.
func Addr(a netip.Addr) Value {
	if !a.IsValid() {
		return Value{}
	}
	return Value{kind: addrValue, addr: a.Unmap().WithZone("")}
}

// Time is the value of a date key (aws:CurrentTime); the zero time is no value.
func Time(t time.Time) Value {
	if t.IsZero() {
		return Value{}
	}
	return Value{kind: timeValue, t: t}
}

// Number is the value of a numeric key (aws:EpochTime).
func Number(n int64) Value { return Value{kind: numberValue, n: n} }

// Bool is the value of a boolean key (aws:SecureTransport).
func Bool(b bool) Value {
	v := Value{kind: boolValue}
	if b {
		v.n = 1
	}
	return v
}

// count returns how many values there are.
func (v *Value) count() int {
	switch v.kind {
	case absent:
		return 0
	case listValue:
		return len(v.list)
	}
	return 1
}

// text returns value i as text.
func (v *Value) text(i int) string {
	switch v.kind {
	case listValue:
		return v.list[i]
	case addrValue:
		return v.addr.String()
	case timeValue:
		return v.t.UTC().Format(time.RFC3339)
	case numberValue:
		return strconv.FormatInt(v.n, 10)
	case boolValue:
		return strconv.FormatBool(v.n != 0)
	}
	return v.s
}

func (v *Value) address(i int) (netip.Addr, bool) {
	if v.kind == addrValue {
		return v.addr, true
	}
	a, err := netip.ParseAddr(v.text(i))
	return a.Unmap().WithZone(""), err == nil
}

func (v *Value) time(i int) (time.Time, bool) {
	switch v.kind {
	case timeValue:
		return v.t, true
	case numberValue:
		return time.Unix(v.n, 0), true
	}
	return parseDate(v.text(i))
}

func (v *Value) number(i int) (number, bool) {
	switch v.kind {
	case numberValue:
		return number{whole: v.n, isWhole: true}, true
	case timeValue:
		return number{whole: v.t.Unix(), isWhole: true}, true
	}
	return parseNumber(v.text(i))
}

// parseDate reads the forms of ISO 8601 that IAM takes, or seconds since 1970.
func parseDate(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05-0700", "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return time.Unix(n, 0), err == nil && len(s) < 15
}

// A number is compared exactly when both sides are whole, otherwise as a double.
type number struct {
	whole   int64
	isWhole bool
	double  float64
}

func parseNumber(s string) (number, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return number{whole: n, isWhole: true}, true
	}
	if s == "" || strings.Trim(s, "0123456789.+-eE") != "" { // no Inf, NaN, hex
		return number{}, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return number{double: f}, err == nil
}

func (a number) compare(b number) int {
	if a.isWhole && b.isWhole {
		switch {
		case a.whole < b.whole:
			return -1
		case a.whole > b.whole:
			return 1
		}
		return 0
	}
	x, y := a.double, b.double
	if a.isWhole {
		x = float64(a.whole)
	}
	if b.isWhole {
		y = float64(b.whole)
	}
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}
