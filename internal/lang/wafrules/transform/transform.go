// Package transform implements the text transformations of WAFv2: pure functions
// from bytes to bytes that undo what an attacker does to hide a pattern.
//
// The rule compiler and the evaluator of package wafrules call it. Every function is
// total (no input fails; what cannot be decoded stays as it is), linear in its input,
// bounded in its output by MaxLen, and safe for concurrent use.
//
// Behaviour: reference/wafv2.md section 7.7.
package transform

import "strconv"

// A Type is one text transformation. The zero value is NONE.
type Type uint8

// The transformations, in the order of the service model; those after UTF8ToUnicode
// are newer than the pinned model.
const (
	None Type = iota
	CompressWhiteSpace
	HTMLEntityDecode
	Lowercase
	CmdLine
	URLDecode
	Base64Decode
	HexDecode
	MD5
	ReplaceComments
	EscapeSeqDecode
	SQLHexDecode
	CSSDecode
	JSDecode
	NormalizePath
	NormalizePathWin
	RemoveNulls
	ReplaceNulls
	Base64DecodeExt
	URLDecodeUni
	UTF8ToUnicode
	CmdLineUnix
	CmdLineWin
	JSDecodeExt
	RemoveCommentsChar
	RemoveWhitespace
	SHA256
	Trim
	TrimLeft
	TrimRight
	Uppercase

	count
)

// A transformer appends the transformed form of src to dst. It is called only when
// the transformation's trigger says that src may change.
type transformer func(dst []byte, src string) []byte

// table has one row per Type. mayChange is a cheap scan that reports false only
// when the output equals the input, so that clean values are not copied.
var table = [count]struct {
	name      string
	mayChange func(string) bool
	apply     transformer
}{
	None:               {"NONE", never, nil},
	CompressWhiteSpace: {"COMPRESS_WHITE_SPACE", hasCompressible, compressWhiteSpace},
	HTMLEntityDecode:   {"HTML_ENTITY_DECODE", hasByte('&'), htmlEntityDecode},
	Lowercase:          {"LOWERCASE", hasUpper, lowercase},
	CmdLine:            {"CMD_LINE", inSet(cmdLineSet), cmdLine},
	URLDecode:          {"URL_DECODE", hasPercentOrPlus, urlDecode},
	Base64Decode:       {"BASE64_DECODE", notEmpty, base64Decode},
	HexDecode:          {"HEX_DECODE", notEmpty, hexDecode},
	MD5:                {"MD5", always, md5Sum},
	ReplaceComments:    {"REPLACE_COMMENTS", hasByte('/'), replaceComments},
	EscapeSeqDecode:    {"ESCAPE_SEQ_DECODE", hasByte('\\'), escapeSeqDecode},
	SQLHexDecode:       {"SQL_HEX_DECODE", hasByte('0'), sqlHexDecode},
	CSSDecode:          {"CSS_DECODE", hasByte('\\'), cssDecode},
	JSDecode:           {"JS_DECODE", hasByte('\\'), jsDecode},
	NormalizePath:      {"NORMALIZE_PATH", hasPathWork, normalizePath},
	NormalizePathWin:   {"NORMALIZE_PATH_WIN", hasPathWork, normalizePathWin},
	RemoveNulls:        {"REMOVE_NULLS", hasByte(0), removeNulls},
	ReplaceNulls:       {"REPLACE_NULLS", hasByte(0), replaceNulls},
	Base64DecodeExt:    {"BASE64_DECODE_EXT", notEmpty, base64DecodeExt},
	URLDecodeUni:       {"URL_DECODE_UNI", hasPercentOrPlus, urlDecodeUni},
	UTF8ToUnicode:      {"UTF8_TO_UNICODE", hasHigh, utf8ToUnicode},
	CmdLineUnix:        {"CMD_LINE_UNIX", always, cmdLineUnix},
	CmdLineWin:         {"CMD_LINE_WIN", always, cmdLineWin},
	JSDecodeExt:        {"JS_DECODE_EXT", hasByte('\\'), jsDecodeExt},
	RemoveCommentsChar: {"REMOVE_COMMENTS_CHAR", inSet("/*-#"), removeCommentsChar},
	RemoveWhitespace:   {"REMOVE_WHITESPACE", inSet(whiteSpace), removeWhitespace},
	SHA256:             {"SHA256", always, sha256Sum},
	Trim:               {"TRIM", inSet(whiteSpace), trim},
	TrimLeft:           {"TRIM_LEFT", inSet(whiteSpace), trimLeft},
	TrimRight:          {"TRIM_RIGHT", inSet(whiteSpace), trimRight},
	Uppercase:          {"UPPERCASE", hasLower, uppercase},
}

var byName = func() map[string]Type {
	m := make(map[string]Type, count)
	for t := range table {
		m[table[t].name] = Type(t)
	}
	return m
}()

// Parse finds a transformation by its API name, such as "URL_DECODE".
func Parse(name string) (Type, bool) {
	t, ok := byName[name]
	return t, ok
}

// All returns every transformation, in the order of the constants.
func All() []Type {
	all := make([]Type, count)
	for i := range all {
		all[i] = Type(i)
	}
	return all
}

// String returns the API name.
func (t Type) String() string {
	if t < count {
		return table[t].name
	}
	return "Type(" + strconv.Itoa(int(t)) + ")"
}

// MayChange reports false only if transforming s yields s itself. It reads s once
// at most and allocates nothing.
func (t Type) MayChange(s string) bool { return table[t].mayChange(s) }

// Append appends the transformed form of src to dst and returns the extended
// slice. dst must not overlap src.
func (t Type) Append(dst []byte, src string) []byte {
	if !table[t].mayChange(src) {
		return append(dst, src...)
	}
	return table[t].apply(dst, src)
}

// MaxLen bounds the output for an input of n bytes: a two-byte UTF-8 sequence becomes
// six bytes, and digests have a fixed size.
func MaxLen(n int) int { return max(3*n, 32) }
