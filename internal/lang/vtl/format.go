package vtl

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// maxWidth bounds width and precision in a format.
const maxWidth = 10_000

// directiveSpec is one "%[index$][flags][width][.precision]conversion" of Java's Formatter.
type directiveSpec struct {
	index, width, precision int // -1 when absent
	flags                   string
	conversion              byte
}

// format is String.format with the conversions s, d, x, X, o, c, b, f, e, n and %.
func (s *state) format(f string, args []Value) (Value, error) {
	var b strings.Builder
	next := 0
	for {
		i := strings.IndexByte(f, '%')
		if i < 0 {
			break
		}
		b.WriteString(f[:i])
		d, n, err := parseDirective(f[i:])
		if err != nil {
			return nil, err
		}
		f = f[i+n:]
		switch d.conversion {
		case 'n':
			b.WriteByte('\n')
			continue
		case '%':
			b.WriteString(d.pad("%"))
			continue
		}
		at := next
		if d.index > 0 {
			at = d.index - 1
		} else {
			next++
		}
		if at >= len(args) {
			return nil, fmt.Errorf("format: argument %d is missing", at+1)
		}
		text, err := s.formatted(d, args[at])
		if err != nil {
			return nil, err
		}
		if b.WriteString(d.pad(text)); b.Len() > s.limits.Output {
			return nil, ErrOutput
		}
	}
	b.WriteString(f)
	return b.String(), s.fits(b.Len())
}

func parseDirective(f string) (directiveSpec, int, error) {
	d := directiveSpec{index: -1, width: -1, precision: -1}
	i := 1
	number := func() int {
		start := i
		for i < len(f) && digit(f[i]) && i-start < 6 {
			i++
		}
		n, err := strconv.Atoi(f[start:i])
		if err != nil {
			return -1
		}
		return n
	}
	if n := number(); n >= 0 && i < len(f) && f[i] == '$' {
		d.index = n
		i++
	} else {
		i = 1
	}
	start := i
	for i < len(f) && strings.IndexByte("-#+ 0,(", f[i]) >= 0 {
		i++
	}
	d.flags = f[start:i]
	d.width = number()
	if i < len(f) && f[i] == '.' {
		i++
		d.precision = number()
	}
	if d.width > maxWidth || d.precision > maxWidth {
		return d, 0, fmt.Errorf("format: width or precision above %d", maxWidth)
	}
	if i >= len(f) || strings.IndexByte("sSdxXocCbBfeEn%", f[i]) < 0 {
		return d, 0, fmt.Errorf("format: %q is not a conversion", f[:min(i+1, len(f))])
	}
	d.conversion = f[i]
	return d, i + 1, nil
}

func (d *directiveSpec) has(flag string) bool { return strings.Contains(d.flags, flag) }

func (d *directiveSpec) pad(text string) string {
	n := d.width - units(text)
	if n <= 0 {
		return text
	}
	switch {
	case d.has("-"):
		return text + strings.Repeat(" ", n)
	case d.has("0") && strings.IndexByte("dxXofe", d.conversion) >= 0:
		sign := ""
		if strings.HasPrefix(text, "-") || strings.HasPrefix(text, "+") {
			sign, text = text[:1], text[1:]
		}
		return sign + strings.Repeat("0", n) + text
	}
	return strings.Repeat(" ", n) + text
}

func (s *state) formatted(d directiveSpec, v Value) (string, error) {
	wrong := func() (string, error) {
		return "", fmt.Errorf("format: %%%c does not fit a %T", d.conversion, v)
	}
	if v == nil && d.conversion != 'b' && d.conversion != 'B' {
		return "null", nil
	}
	switch d.conversion {
	case 's', 'S':
		text, err := s.text(v)
		if d.precision >= 0 && d.precision < units(text) {
			cut, _ := substring(text, 0, int64(d.precision))
			text = cut.(string)
		}
		if d.conversion == 'S' {
			text = strings.ToUpper(text)
		}
		return text, err
	case 'b', 'B':
		return strconv.FormatBool(truth(v)), nil
	case 'c', 'C':
		if n, ok := v.(int64); ok {
			return string(rune(n)), nil
		}
		if text, ok := v.(string); ok && units(text) == 1 {
			return text, nil
		}
		return wrong()
	case 'd', 'x', 'X', 'o':
		n := integer(v)
		if n == nil {
			return wrong()
		}
		return d.integer(n), nil
	}
	if !isNumber(v) || integer(v) != nil {
		return wrong()
	}
	return d.double(float(v)), nil
}

func (d *directiveSpec) integer(n *big.Int) string {
	base := map[byte]int{'d': 10, 'x': 16, 'X': 16, 'o': 8}[d.conversion]
	if base != 10 && n.Sign() < 0 { // two's complement of an int, or of a long
		bits := uint(32)
		if n.BitLen() >= 32 {
			bits = 64
		}
		n = new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), bits))
	}
	text := n.Text(base)
	if d.conversion == 'X' {
		text = strings.ToUpper(text)
	}
	return d.sign(d.group(text))
}

func (d *directiveSpec) double(f float64) string {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		text, _ := (&state{}).text(f)
		return text
	}
	p := d.precision
	if p < 0 {
		p = 6
	}
	if d.conversion == 'f' {
		return d.sign(d.group(strconv.FormatFloat(f, 'f', p, 64)))
	}
	return d.sign(strconv.FormatFloat(f, d.conversion, p, 64))
}

// group puts commas between thousands when the flag asks for it.
func (d *directiveSpec) group(text string) string {
	if !d.has(",") {
		return text
	}
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	whole, fraction, _ := strings.Cut(text, ".")
	if fraction != "" {
		fraction = "." + fraction
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return sign + whole + fraction
}

// sign applies the flags for positive and negative numbers.
func (d *directiveSpec) sign(text string) string {
	if strings.HasPrefix(text, "-") {
		if d.has("(") {
			return "(" + text[1:] + ")"
		}
		return text
	}
	switch {
	case d.has("+"):
		return "+" + text
	case d.has(" "):
		return " " + text
	}
	return text
}
