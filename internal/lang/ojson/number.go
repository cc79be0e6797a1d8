package ojson

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// IsInteger reports whether the text of a number has neither fraction nor exponent: the
// service keeps such a number as an integer of any size, others as a double.
func IsInteger(text string) bool {
	for i := 0; i < len(text); i++ {
		if c := text[i]; c == '.' || c == 'e' || c == 'E' {
			return false
		}
	}
	return true
}

// maxDoubleText is the longest text of a fraction that the service reads as a double.
// Longer ones keep all digits (java.math.BigDecimal).
const maxDoubleText = 18

// AppendNumber appends the number written as text the way the service's Java types
// print it: integers as they are (without leading zeros), doubles in the notation of
// Double.toString, longer fractions in that of BigDecimal.toString.
func AppendNumber(dst []byte, text string) []byte {
	if IsInteger(text) {
		return appendInteger(dst, text)
	}
	if len(text) > maxDoubleText {
		return appendDecimal(dst, text)
	}
	f, _ := strconv.ParseFloat(text, 64)
	return AppendDouble(dst, f)
}

func appendInteger(dst []byte, text string) []byte {
	digits := strings.TrimLeft(strings.TrimPrefix(text, "-"), "0")
	if digits == "" {
		return append(dst, '0')
	}
	if text[0] == '-' {
		dst = append(dst, '-')
	}
	return append(dst, digits...)
}

// AppendDouble appends f as Java's Double.toString: at least one digit on both sides of
// the point, and E notation below 10^-3 and from 10^7 on.
func AppendDouble(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	if a := math.Abs(f); f == 0 || a >= 1e-3 && a < 1e7 {
		start := len(dst)
		dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
		for _, c := range dst[start:] {
			if c == '.' {
				return dst
			}
		}
		return append(dst, ".0"...)
	}
	var buf [32]byte
	s := strconv.AppendFloat(buf[:0], f, 'e', -1, 64) // d.ddde±dd
	e := len(s) - 1
	for s[e] != 'e' {
		e--
	}
	exp, _ := strconv.Atoi(string(s[e+1:]))
	dst = append(dst, s[:e]...)
	if !strings.Contains(string(s[:e]), ".") {
		dst = append(dst, ".0"...)
	}
	return strconv.AppendInt(append(dst, 'E'), int64(exp), 10)
}

// appendDecimal appends text as BigDecimal.toString: all digits are kept; an exponent
// is written only when the scale is negative or the number is below 10^-6.
func appendDecimal(dst []byte, text string) []byte {
	mantissa, exponent := text, 0
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		mantissa = text[:i]
		n, err := strconv.Atoi(strings.TrimPrefix(text[i+1:], "+"))
		if err != nil || n > math.MaxInt32 || n < math.MinInt32 {
			return append(dst, text...)
		}
		exponent = n
	}
	if mantissa[0] == '-' {
		dst, mantissa = append(dst, '-'), mantissa[1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		digits = "0"
	}
	scale := len(fraction) - exponent
	adjusted := len(digits) - 1 - scale
	if scale >= 0 && adjusted >= -6 {
		if scale == 0 {
			return append(dst, digits...)
		}
		if pad := scale - len(digits) + 1; pad > 0 {
			digits = strings.Repeat("0", pad) + digits
		}
		dst = append(dst, digits[:len(digits)-scale]...)
		return append(append(dst, '.'), digits[len(digits)-scale:]...)
	}
	dst = append(dst, digits[0])
	if len(digits) > 1 {
		dst = append(append(dst, '.'), digits[1:]...)
	}
	dst = append(dst, 'E')
	if adjusted >= 0 {
		dst = append(dst, '+')
	}
	return strconv.AppendInt(dst, int64(adjusted), 10)
}

// Numbers beyond these are compared as doubles: 1e999999999 as a fraction would fill
// the memory, and a megabyte of digits would take seconds.
const (
	maxExponent = 400
	maxDigits   = 1000
)

// maxShort is the length up to which numbers without an exponent are different doubles when
// they differ: a double tells 15 digits apart.
const maxShort = 15

// CompareNumbers compares two numbers by value, exactly where exponents are ordinary.
// It returns -1, 0 or +1.
func CompareNumbers(a, b string) int {
	if a == b {
		return 0
	}
	if len(a) <= maxShort && len(b) <= maxShort && !strings.ContainsAny(a, "eE") && !strings.ContainsAny(b, "eE") {
		f, _ := strconv.ParseFloat(a, 64)
		g, _ := strconv.ParseFloat(b, 64)
		return compareFloats(f, g)
	}
	x, okX := exact(a)
	y, okY := exact(b)
	if okX && okY {
		return x.Cmp(y)
	}
	f, _ := strconv.ParseFloat(a, 64)
	g, _ := strconv.ParseFloat(b, 64)
	return compareFloats(f, g)
}

func compareFloats(f, g float64) int {
	switch {
	case f < g:
		return -1
	case f > g:
		return 1
	}
	return 0
}

// exact returns the number written as text, unless its exponent is extraordinary.
func exact(text string) (*big.Rat, bool) {
	if len(text) > maxDigits {
		return nil, false
	}
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		n, err := strconv.Atoi(strings.TrimPrefix(text[i+1:], "+"))
		if err != nil || n > maxExponent || n < -maxExponent {
			return nil, false
		}
	}
	return new(big.Rat).SetString(text)
}
