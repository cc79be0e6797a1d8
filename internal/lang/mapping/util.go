package mapping

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"gatehouse/internal/lang/ojson"
	"gatehouse/internal/lang/vtl"
)

// util is $util (mapping-templates reference, section 3).
type util struct{}

// Property has nothing: $util has methods alone.
func (util) Property(string) vtl.Value { return nil }

// String is nothing.
func (util) String() string { return "" }

// Call has the six functions. An argument that is no string is taken as it prints, null as
// the empty string.
func (util) Call(c *vtl.Call, name string, args []vtl.Value) (vtl.Value, bool, error) {
	if len(args) != 1 {
		return nil, false, nil
	}
	if name == "parseJson" {
		v, err := parseJSON(c, args[0])
		return v, true, err
	}
	f, ok := functions[name]
	if !ok {
		return nil, false, nil
	}
	text, err := c.Text(args[0])
	if err != nil {
		return nil, true, err
	}
	if err := c.Spend(len(text) / 16); err != nil {
		return nil, true, err
	}
	out, err := f(text)
	if err != nil {
		return nil, true, err
	}
	return out, true, c.Fits(len(out))
}

var functions = map[string]func(string) (string, error){
	"escapeJavaScript": func(s string) (string, error) { return escapeJavaScript(s), nil },
	"urlEncode":        func(s string) (string, error) { return urlEncode(s), nil },
	"urlDecode":        urlDecode,
	"base64Encode":     func(s string) (string, error) { return base64.StdEncoding.EncodeToString([]byte(s)), nil },
	"base64Decode":     func(s string) (string, error) { return base64Decode(s), nil },
}

// parseJSON reads JSON text; text that is not JSON, and anything but text, gives null.
func parseJSON(c *vtl.Call, v vtl.Value) (vtl.Value, error) {
	text, ok := v.(string)
	if !ok {
		return nil, nil
	}
	if err := c.Spend(1 + len(text)/16); err != nil {
		return nil, err
	}
	doc, err := ojson.Parse(text, ojson.Limits{})
	if err != nil {
		return nil, nil
	}
	return vtl.FromJSON(doc), nil
}

const upperHex = "0123456789ABCDEF"

// escapeJavaScript escapes as Apache commons-lang 2: quotes of both kinds, backslash and
// slash, the short forms of controls, and everything else that is not printable ASCII as
// \uXXXX in UTF-16.
func escapeJavaScript(s string) string {
	b := make([]byte, 0, len(s)+len(s)/8+8)
	for _, r := range s {
		switch {
		case r == '"' || r == '\'' || r == '\\' || r == '/':
			b = append(b, '\\', byte(r))
		case r == '\b':
			b = append(b, '\\', 'b')
		case r == '\n':
			b = append(b, '\\', 'n')
		case r == '\t':
			b = append(b, '\\', 't')
		case r == '\f':
			b = append(b, '\\', 'f')
		case r == '\r':
			b = append(b, '\\', 'r')
		case r >= 0x20 && r < 0x7f:
			b = append(b, byte(r))
		case r == 0x7f: // commons-lang escapes what is above it
			b = append(b, byte(r))
		case r > 0xffff:
			r -= 0x10000
			b = appendUnit(b, 0xd800+r>>10)
			b = appendUnit(b, 0xdc00+r&0x3ff)
		default:
			b = appendUnit(b, r)
		}
	}
	return string(b)
}

func appendUnit(b []byte, u rune) []byte {
	return append(b, '\\', 'u', upperHex[u>>12&15], upperHex[u>>8&15], upperHex[u>>4&15], upperHex[u&15])
}

// urlEncode encodes as application/x-www-form-urlencoded, the way of java.net.URLEncoder.
func urlEncode(s string) string {
	s = strings.ToValidUTF8(s, "?")
	b := make([]byte, 0, len(s)+len(s)/4)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '-', c == '*', c == '_':
			b = append(b, c)
		case c == ' ':
			b = append(b, '+')
		default:
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return string(b)
}

// urlDecode is the inverse. An escape without two hexadecimal digits fails the rendering, as
// java.net.URLDecoder throws.
func urlDecode(s string) (string, error) {
	if !strings.ContainsAny(s, "+%") {
		return s, nil
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			b = append(b, ' ')
		case '%':
			if i+2 >= len(s) || hexDigit(s[i+1]) > 15 || hexDigit(s[i+2]) > 15 {
				return "", fmt.Errorf("urlDecode: %q at offset %d is no escape", s[i:min(i+3, len(s))], i)
			}
			b = append(b, hexDigit(s[i+1])<<4|hexDigit(s[i+2]))
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	return strings.ToValidUTF8(string(b), string(utf8.RuneError)), nil
}

func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

// base64Decode decodes leniently, as Apache commons-codec: characters outside of both
// alphabets are skipped, padding ends the text. The bytes are read as UTF-8.
func base64Decode(s string) string {
	clean := make([]byte, 0, len(s))
	for i := 0; i < len(s) && s[i] != '='; i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '+', c == '/':
			clean = append(clean, c)
		case c == '-':
			clean = append(clean, '+')
		case c == '_':
			clean = append(clean, '/')
		}
	}
	if len(clean)%4 == 1 {
		clean = clean[:len(clean)-1]
	}
	out, _ := base64.RawStdEncoding.AppendDecode(nil, clean) // nothing else is left in it
	return strings.ToValidUTF8(string(out), string(utf8.RuneError))
}
