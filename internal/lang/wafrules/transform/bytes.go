package transform

import (
	"crypto/md5"
	"crypto/sha256"
	"strings"
)

// whiteSpace is what C's isspace accepts in the POSIX locale.
const whiteSpace = "\t\n\v\f\r "

func never(string) bool      { return false }
func always(string) bool     { return true }
func notEmpty(s string) bool { return s != "" }

func hasByte(c byte) func(string) bool {
	return func(s string) bool { return strings.IndexByte(s, c) >= 0 }
}

// inSet returns a test for any byte of set.
func inSet(set string) func(string) bool {
	var member [256]bool
	for i := 0; i < len(set); i++ {
		member[set[i]] = true
	}
	return func(s string) bool {
		for i := 0; i < len(s); i++ {
			if member[s[i]] {
				return true
			}
		}
		return false
	}
}

func hasUpper(s string) bool {
	for i := 0; i < len(s); i++ {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return true
		}
	}
	return false
}

func hasLower(s string) bool {
	for i := 0; i < len(s); i++ {
		if 'a' <= s[i] && s[i] <= 'z' {
			return true
		}
	}
	return false
}

func hasHigh(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return true
		}
	}
	return false
}

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

// lower maps ASCII upper case to lower case.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func lowercase(dst []byte, src string) []byte {
	for i := 0; i < len(src); i++ {
		dst = append(dst, lower(src[i]))
	}
	return dst
}

func uppercase(dst []byte, src string) []byte {
	for i := 0; i < len(src); i++ {
		c := src[i]
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// compressible reports the bytes that COMPRESS_WHITE_SPACE turns into a space: the
// control spaces and 160, the no-break space of Latin-1.
func compressible(c byte) bool { return isSpace(c) || c == 160 }

func hasCompressible(s string) bool {
	for i := 0; i < len(s); i++ {
		if compressible(s[i]) && (s[i] != ' ' || i > 0 && s[i-1] == ' ') {
			return true
		}
	}
	return false
}

func compressWhiteSpace(dst []byte, src string) []byte {
	inRun := false
	for i := 0; i < len(src); i++ {
		if compressible(src[i]) {
			if !inRun {
				dst = append(dst, ' ')
			}
			inRun = true
			continue
		}
		inRun = false
		dst = append(dst, src[i])
	}
	return dst
}

func removeWhitespace(dst []byte, src string) []byte {
	for i := 0; i < len(src); i++ {
		if !isSpace(src[i]) {
			dst = append(dst, src[i])
		}
	}
	return dst
}

func trim(dst []byte, src string) []byte { return append(dst, strings.Trim(src, whiteSpace)...) }
func trimLeft(dst []byte, src string) []byte {
	return append(dst, strings.TrimLeft(src, whiteSpace)...)
}
func trimRight(dst []byte, src string) []byte {
	return append(dst, strings.TrimRight(src, whiteSpace)...)
}

func removeNulls(dst []byte, src string) []byte {
	for i := 0; i < len(src); i++ {
		if src[i] != 0 {
			dst = append(dst, src[i])
		}
	}
	return dst
}

func replaceNulls(dst []byte, src string) []byte {
	for i := 0; i < len(src); i++ {
		c := src[i]
		if c == 0 {
			c = ' '
		}
		dst = append(dst, c)
	}
	return dst
}

// replaceComments turns each C comment into one space; a comment that does not end
// reaches to the end of the input, and a lone "*/" stays.
func replaceComments(dst []byte, src string) []byte {
	for {
		open := strings.Index(src, "/*")
		if open < 0 {
			return append(dst, src...)
		}
		dst = append(append(dst, src[:open]...), ' ')
		end := strings.Index(src[open+2:], "*/")
		if end < 0 {
			return dst
		}
		src = src[open+2+end+2:]
	}
}

// removeCommentsChar deletes the marks that open or close comments: "/*", "*/", "--", "#".
func removeCommentsChar(dst []byte, src string) []byte {
	for i := 0; i < len(src); i++ {
		if i+1 < len(src) {
			switch src[i : i+2] {
			case "/*", "*/", "--":
				i++
				continue
			}
		}
		if src[i] != '#' {
			dst = append(dst, src[i])
		}
	}
	return dst
}

func md5Sum(dst []byte, src string) []byte {
	sum := md5.Sum([]byte(src)) // the API offers MD5; nothing here depends on its strength
	return append(dst, sum[:]...)
}

func sha256Sum(dst []byte, src string) []byte {
	sum := sha256.Sum256([]byte(src))
	return append(dst, sum[:]...)
}
