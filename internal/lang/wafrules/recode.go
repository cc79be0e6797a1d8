package wafrules

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"gatehouse/internal/lang/wafrules/transform"
)

const utf8Mark = "\xef\xbb\xbf"

// recode returns what a body says to applications that follow its character set or the
// mark before it: UTF-16 and UTF-32, which look like ASCII with zeros between, UTF-7, and the
// EBCDIC sets, which look like nothing. Other sets extend ASCII, where attacks are written.
func recode(text, kind string) []string {
	switch {
	case strings.HasPrefix(text, "\xff\xfe\x00\x00"), strings.HasPrefix(text, "\x00\x00\xfe\xff"):
		return []string{strings.ReplaceAll(text[4:], "\x00", "")}
	case strings.HasPrefix(text, "\xff\xfe"):
		return []string{fromUTF16(text[2:], 1)}
	case strings.HasPrefix(text, "\xfe\xff"):
		return []string{fromUTF16(text[2:], 0)}
	case len(text) >= 4 && strings.Count(text[:4], "\x00") == 3:
		return []string{strings.ReplaceAll(text, "\x00", "")} // UTF-32
	case len(text) >= 4 && text[0] == 0 && text[2] == 0:
		return []string{fromUTF16(text, 0)}
	case len(text) >= 4 && text[1] == 0 && text[3] == 0:
		return []string{fromUTF16(text, 1)}
	}
	if isUTF7(kind) {
		return []string{fromUTF7(text)}
	}
	if set := ebcdicSet(kind); set != nil {
		// Some servers decode a form's escapes first, some the text.
		unescaped := string(transform.URLDecode.Append(nil, text))
		return []string{fromEBCDIC(set, text), fromEBCDIC(set, unescaped), formFromEBCDIC(set, text)}
	}
	return nil
}

// fromUTF16 reads pairs of bytes; high is the place of the higher one.
func fromUTF16(text string, high int) string {
	b := make([]byte, 0, len(text))
	for i := 0; i+1 < len(text); i += 2 {
		r := rune(text[i+high])<<8 | rune(text[i+1-high])
		if utf16.IsSurrogate(r) && i+3 < len(text) {
			r = utf16.DecodeRune(r, rune(text[i+2+high])<<8|rune(text[i+3-high]))
			i += 2
		}
		b = utf8.AppendRune(b, r)
	}
	return string(b)
}

func isUTF7(kind string) bool {
	return containsFold(kind, "charset=utf-7") || containsFold(kind, `charset="utf-7`) || containsFold(kind, "charset='utf-7")
}

// fromUTF7 decodes what stands between "+" and the first character that is not base64 (RFC 2152).
func fromUTF7(text string) string {
	var b strings.Builder
	for text != "" {
		plain, rest, shifted := strings.Cut(text, "+")
		b.WriteString(plain)
		if !shifted {
			break
		}
		n := 0
		for n < len(rest) && isBase64(rest[n]) {
			n++
		}
		units, _ := base64.RawStdEncoding.DecodeString(rest[:n]) // what came before an error counts
		b.WriteString(fromUTF16(string(units), 0))
		if n == 0 {
			b.WriteByte('+')
		}
		text = strings.TrimPrefix(rest[n:], "-")
	}
	return b.String()
}

func isBase64(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '+' || c == '/'
}

// ebcdicSet returns the set that a content type names, nil when it extends ASCII. Most have
// letters, digits and the marks that attacks need where code page 037 has them.
func ebcdicSet(kind string) *charmap.Charmap {
	at := indexFold(kind, "charset=")
	if at < 0 {
		return nil
	}
	name, _, _ := strings.Cut(kind[at+len("charset="):], ";")
	name = strings.ToLower(strings.Trim(name, " \t\"'"))
	if strings.HasPrefix(name, "ebcdic-") {
		return charmap.CodePage037
	}
	for _, prefix := range []string{"x-", "cs", "ibm", "cp", "-", "0"} {
		name = strings.TrimPrefix(name, prefix)
	}
	switch name {
	case "1047":
		return charmap.CodePage1047
	case "37", "273", "277", "278", "280", "284", "285", "297", "500", "870", "871", "924", "1025", "1026",
		"1140", "1141", "1142", "1143", "1144", "1145", "1146", "1147", "1148", "1149":
		return charmap.CodePage037
	}
	return nil
}

func fromEBCDIC(set *charmap.Charmap, text string) string {
	b := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		b = utf8.AppendRune(b, set.DecodeByte(text[i]))
	}
	return string(b)
}

// formFromEBCDIC keeps the marks of a form as they are and decodes what is between them.
func formFromEBCDIC(set *charmap.Charmap, text string) string {
	var b strings.Builder
	for i, pair := range strings.Split(text, "&") {
		if i > 0 {
			b.WriteByte('&')
		}
		name, value, found := strings.Cut(pair, "=")
		b.WriteString(fromEBCDIC(set, string(transform.URLDecode.Append(nil, name))))
		if found {
			b.WriteByte('=')
			b.WriteString(fromEBCDIC(set, string(transform.URLDecode.Append(nil, value))))
		}
	}
	return b.String()
}
