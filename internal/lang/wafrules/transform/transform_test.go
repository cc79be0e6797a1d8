package transform

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"testing"
)

// TestVectors has the behaviour of reference/wafv2.md section 7.7, case by case.
func TestVectors(t *testing.T) {
	cases := []struct {
		t        Type
		in, want string
	}{
		{None, "A%20\x00", "A%20\x00"},
		{CompressWhiteSpace, "a\t\n\v\f\r\xa0  b c", "a b c"},
		{CompressWhiteSpace, "a\tb", "a b"},
		{Lowercase, "AbZ\xc0[", "abz\xc0["},
		{Uppercase, "aBz\xe0{", "ABZ\xe0{"},
		{URLDecode, "%41+b%2", "A b%2"},
		{URLDecode, "%zz%u0041", "%zz%u0041"},
		{URLDecodeUni, "%u0041%U0042%43+", "ABC "},
		{URLDecodeUni, "%uff1cscript%uFF1E", "<script>"},
		{URLDecodeUni, "%u1234", "\x34"},
		{URLDecodeUni, "%u12g4", "%u12g4"},
		{HTMLEntityDecode, "&lt;&#60;&#x3C;&LT", "<<<<"},
		{HTMLEntityDecode, "&quot;&amp;&nbsp;&NonBreakingSpace;", "\"&\xa0\xa0"},
		{HTMLEntityDecode, "&NewLine;&Tab;&lcub;&lbrace;&verbar;&vert;&VerticalLine;&rcub;&rbrace;", "\n\t{{|||}}"},
		{HTMLEntityDecode, "&excl;&num;&dollar;&percent;&percnt;&apos;&lpar;&rpar;&ast;&midast;&plus;&comma;", "!#$%%'()**+,"},
		{HTMLEntityDecode, "&period;&sol;&colon;&semi;&equals;&quest;&tilde;&DiacriticalTilde;&minus;", "./:;=?~~-"},
		{HTMLEntityDecode, "&lsqb;&lbrack;&bsol;&rsqb;&rbrack;&hat;&lowbar;&underbar;&grave;&DiacriticalGrave;", "[[\\]]^__``"},
		{HTMLEntityDecode, "&unknown;&;&#;&#x;&", "&unknown;&;&#;&#x;&"},
		{HTMLEntityDecode, "&#0000000060;", "<"},
		{CmdLine, `C^md.e"x'e /c  "dir",;x (a`, "cmd.exe/c dir x(a"},
		{CmdLine, "a\t\nb", "a b"},
		{Base64Decode, "QUJD", "ABC"},
		{Base64Decode, "QU JD", "A"},
		{Base64Decode, "QUI=", "AB"},
		{Base64DecodeExt, "Q*U-J\nD=", "ABC"},
		{HexDecode, "414243", "ABC"},
		{HexDecode, "41424", "41424"},
		{HexDecode, "41zz", "41zz"},
		{SQLHexDecode, "select 0x414243;0X44", "select ABC;D"},
		{SQLHexDecode, "0xg 10x4", "0xg 10x4"},
		{SQLHexDecode, "0x414", "A4"},
		{MD5, "abc", "\x90\x01\x50\x98\x3c\xd2\x4f\xb0\xd6\x96\x3f\x7d\x28\xe1\x7f\x72"},
		{ReplaceComments, "a/* x */b/**/c", "a b c"},
		{ReplaceComments, "a/*/b*/c*/", "a c*/"},
		{ReplaceComments, "a/* open", "a "},
		{ReplaceComments, "/**//**/", "  "},
		{RemoveCommentsChar, "a/*b*/c--d#e-f", "abcde-f"},
		{EscapeSeqDecode, `\a\b\f\n\r\t\v\\\?\'\"`, "\a\b\f\n\r\t\v\\?'\""},
		{EscapeSeqDecode, `\x41\X42\103\0\8\z\x4\`, "ABC\x00\\8\\z\\x4\\"},
		{EscapeSeqDecode, `\0101\400`, "\b1 0"},
		{CSSDecode, `ja\vascript`, "javascript"},
		{CSSDecode, `\6a\00061 vas\ff43ript`, "javascript"},
		{CSSDecode, "a\\\nb\\", "ab"},
		{CSSDecode, `\00003Cx`, "<x"},
		{JSDecode, `\u003c\x3e\uff1c\74\q\n\`, "<><<q\n\\"},
		{JSDecode, `\u00z1`, "u00z1"},
		{JSDecodeExt, `\u003c\x3e\74\n\q\\\/\'\"`, `<><\n\q\/'"`},
		{NormalizePath, "/a//b/./c/../d/", "/a/b/d/"},
		{NormalizePath, "a/../../b", "../b"},
		{NormalizePath, "../../a/..", "../../"},
		{NormalizePath, "/../../etc/passwd", "/etc/passwd"},
		{NormalizePath, "/a/b/..", "/a/"},
		{NormalizePath, "./a/.", "a/"},
		{NormalizePath, `/a\..\b`, `/a\..\b`},
		{NormalizePathWin, `\a\..\b\.\c`, "/b/c"},
		{NormalizePath, "/.../x..y", "/.../x..y"},
		{RemoveNulls, "a\x00b\x00", "ab"},
		{ReplaceNulls, "a\x00b\x00", "a b "},
		{UTF8ToUnicode, "a\xc3\xa9\xe2\x82\xac", "a%u00e9%u20ac"},
		{UTF8ToUnicode, "\xf0\x9f\x98\x80", "%u1f600"},
		{UTF8ToUnicode, "\xc0\xaf\xff", "\xc0\xaf\xff"}, // over-long and invalid stay
		{CmdLineUnix, " C'a\"t\\  /etc/p,x;y\t", "cat /etc/p,x;y"},
		{CmdLineWin, "c^\nm`d\"  \\\\\\srv ^x ", `cmd \srv x`},
		{RemoveWhitespace, " a\tb\n", "ab"},
		{Trim, " \ta b\n", "a b"},
		{TrimLeft, " a ", "a "},
		{TrimRight, " a ", " a"},
	}
	seen := map[Type]bool{SHA256: true}
	for _, c := range cases {
		seen[c.t] = true
		if got := string(c.t.Append([]byte("kept "), c.in)); got != "kept "+c.want {
			t.Errorf("%v %q:\n got %q\nwant %q", c.t, c.in, got, "kept "+c.want)
		}
	}
	sum := sha256.Sum256([]byte("abc"))
	if got := SHA256.Append(nil, "abc"); !bytes.Equal(got, sum[:]) {
		t.Errorf("SHA256: got %x", got)
	}
	for _, typ := range All() {
		if !seen[typ] {
			t.Errorf("%v has no vector", typ)
		}
	}
}

func TestNamesRoundTrip(t *testing.T) {
	for _, typ := range All() {
		if got, ok := Parse(typ.String()); !ok || got != typ {
			t.Errorf("Parse(%q) = %v, %v", typ, got, ok)
		}
	}
	if _, ok := Parse("ROT13"); ok {
		t.Error("an unknown name parses")
	}
}

// idempotent lists the transformations that change nothing the second time.
var idempotent = []Type{None, CompressWhiteSpace, Lowercase, Uppercase, ReplaceComments, NormalizePath, NormalizePathWin,
	RemoveNulls, ReplaceNulls, UTF8ToUnicode, CmdLineUnix, RemoveWhitespace, Trim, TrimLeft, TrimRight}

// FuzzTransformations holds for every transformation: the output is bounded, what is
// before it in dst is left alone, "may not change" is true, equal inputs give equal
// outputs, and the idempotent ones are.
func FuzzTransformations(f *testing.F) {
	f.Add("%u00e9 &lt;\\x41/../a/* b */0x41\x00 QUJD")
	f.Add("a//b/../../c/./")
	f.Add("\\ff1c \\u003c &#x3c; %3c")
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 1<<12 {
			return
		}
		for _, typ := range All() {
			prefix := []byte("prefix")
			out := typ.Append(prefix, s)
			if !bytes.HasPrefix(out, []byte("prefix")) {
				t.Fatalf("%v %q overwrote what stood before: %q", typ, s, out)
			}
			once := string(out[len("prefix"):])
			if len(once) > MaxLen(len(s)) {
				t.Fatalf("%v %q: %d bytes, bound is %d", typ, s, len(once), MaxLen(len(s)))
			}
			if !typ.MayChange(s) && once != s {
				t.Fatalf("%v %q was said not to change, became %q", typ, s, once)
			}
			if table[typ].apply != nil && typ.MayChange(s) != (once != s) && !typ.MayChange(s) {
				t.Fatalf("%v %q: trigger and outcome disagree", typ, s)
			}
			if again := string(typ.Append(nil, s)); again != once {
				t.Fatalf("%v %q: %q, then %q", typ, s, once, again)
			}
		}
		for _, typ := range idempotent {
			once := string(typ.Append(nil, s))
			if twice := string(typ.Append(nil, once)); twice != once {
				t.Fatalf("%v %q: %q, then %q", typ, s, once, twice)
			}
		}
	})
}

// TestTriggersAgreeWithTransformations applies each function also where its trigger says
// that nothing would change.
func TestTriggersAgreeWithTransformations(t *testing.T) {
	inputs := []string{"", "a", "abc def", "path/to/x", "0", "10x", "a.b.c", "..", "x/..", strings.Repeat("z", 300), "\xa0", "é"}
	for _, typ := range All() {
		for _, in := range inputs {
			if apply := table[typ].apply; apply != nil && !typ.MayChange(in) {
				if got := string(apply(nil, in)); got != in {
					t.Errorf("%v %q: trigger says unchanged, becomes %q", typ, in, got)
				}
			}
		}
	}
}

func BenchmarkCleanValue(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		for _, typ := range []Type{URLDecodeUni, HTMLEntityDecode, JSDecode, CSSDecode, RemoveNulls} {
			if typ.MayChange("a value of moderate length, clean") {
				b.Fatal(typ)
			}
		}
	}
}
