package pattern

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFind(t *testing.T) {
	cases := []struct {
		pattern, value string
		want           string // the matched part; "-" for none
	}{
		{`ab+c`, "xxabbbcx", "abbbc"},
		{`(?i)select`, "SeLeCt 1", "SeLeCt"},
		{`select`, "SELECT", "-"},
		{`^/admin$`, "/admin", "/admin"},
		{`^/admin$`, "/admin\n", "/admin\n"}, // PCRE: $ also before a final line feed
		{`^/admin$`, "/admin\n\n", "-"},
		{`^/admin\z`, "/admin\n", "-"},
		{`end\Z`, "end\n", "end\n"},
		{`\x80\xff`, "a\x80\xffb", "\x80\xff"}, // bytes, not code points
		{`é`, "caf\xc3\xa9", "\xc3\xa9"},
		{`caf.`, "caf\xc3\xa9", "caf\xc3"}, // . is one byte
		{`[^a]`, "a\xe9", "\xe9"},
		{`\h+x`, "a \tx", " \tx"},
		{`a(?#note)b`, "ab", "ab"},
		{`\Qa.b\E+`, "a.bb", "a.bb"},
		{`[]a]+`, "x]a]", "]a]"},
		{`[[:digit:]]+`, "ab12", "12"},
		{`\bor\b`, "this or that", "or"},
		{`\bor\b`, "word", "-"},
	}
	var buf []byte
	for _, c := range cases {
		re, err := Compile(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		got := "-"
		if start, end, ok := re.Find(c.value, &buf); ok {
			got = c.value[start:end]
		}
		if got != c.want {
			t.Errorf("%s in %q: got %q, want %q", c.pattern, c.value, got, c.want)
		}
		if re.Match(c.value, &buf) != (c.want != "-") {
			t.Errorf("%s in %q: Match disagrees with Find", c.pattern, c.value)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, p := range []string{
		`a(?=b)`, `a(?!b)`, `(?<=a)b`, `(?<!a)b`, `(a)\1`, `(?P<n>a)(?P=n)`, `\k<n>`, `(?>a)`,
		`a++`, `a*+`, `a?+`, `(?R)`, `(?1)`, `(?(1)a|b)`, `(*FAIL)`, `\C`, `\R`, `a\Kb`, `\X`,
		`(`, `[a`, `a{2,1}`, `\`, `*a`, `a{5000}`, `(a{30}){30}(b{30}){30}(c{30}){30}(d{30}){30}(e{30}){30}`,
	} {
		if _, err := Compile(p); err == nil {
			t.Errorf("%s: accepted, want an error", p)
		}
	}
}

func TestLiterals(t *testing.T) {
	cases := []struct {
		pattern string
		want    []string
	}{
		{`union\s+select`, []string{"union ", "union\t", "union\n", "union\f", "union\r"}},
		{`(?i)UNION.{0,9}SELECT`, []string{"union"}},
		{`foo|bar`, []string{"foo", "bar"}},
		{`ba[rz]`, []string{"bar", "baz"}},
		{`x(?:foo|bar)y`, []string{"xfooy", "xbary"}},
		{`[a-z]+`, nil},
		{`a?`, nil},
		{`(?:foo)?bar`, []string{"bar"}},
		{`(?:ab)+`, []string{"ab"}},
		{`(?:ab){2,}`, []string{"abab"}},
		{`\w+(?:foo|x)`, nil},
	}
	for _, c := range cases {
		got := MustCompile(c.pattern).Literals()
		slices.Sort(got)
		want := slices.Clone(c.want)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.pattern, diff)
		}
	}
}

func TestDemands(t *testing.T) {
	for _, c := range []struct {
		pattern string
		want    []string
	}{
		{`(?:;|\||&&) ?(?:id|cat)(?:$|[^\w=])`, []string{";|&"}},
		{`(?i)eval\s*\(\s*['"]`, []string{"(", "\"'"}},
		{`a(?:b|;)`, nil},
		{`(?:<x)*>`, []string{">"}},
		{`(?:<x)+`, []string{"<"}},
		{`[^a]`, nil},
		{`#{2,3}`, []string{"#"}},
		{`#{0,3}`, nil},
	} {
		var got []string
		for _, s := range MustCompile(c.pattern).demands {
			text := ""
			for b := range 256 {
				if s.has(byte(b)) {
					text += string(rune(b))
				}
			}
			got = append(got, text)
		}
		for i := range c.want {
			w := []byte(c.want[i])
			slices.Sort(w)
			c.want[i] = string(w)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.pattern, diff)
		}
	}
}

// FuzzCompile checks that what matches contains a required literal, and that bytes are
// matched as the standard library matches their runes.
func FuzzCompile(f *testing.F) {
	f.Add(`(?i)un(ion|til)\s*[xy]z?$`, "UNTIL  xz")
	f.Add(`[^\x80-\xff]+é`, "ab\xc3\xa9")
	f.Add(`(a|b|)(foo){0,2}`, "foofoo")
	f.Fuzz(func(t *testing.T, p, s string) {
		if len(p) > 60 || len(s) > 200 {
			return
		}
		re, err := Compile(p)
		if err != nil {
			return
		}
		var buf []byte
		start, end, ok := re.Find(s, &buf)
		if ok != re.Match(s, &buf) {
			t.Fatalf("%q in %q: found %t, matches %t: what it demands is not in each match", p, s, ok, !ok)
		}
		if !ok {
			return
		}
		if start < 0 || end < start || end > len(s) {
			t.Fatalf("%q in %q: match at [%d:%d]", p, s, start, end)
		}
		if need := re.Literals(); need != nil {
			matched := strings.ToLower(s[start:end])
			if !isASCII(s) || !slices.ContainsFunc(need, func(l string) bool { return strings.Contains(matched, l) }) {
				if isASCII(s) {
					t.Fatalf("%q matches %q of %q, without any of %q", p, s[start:end], s, need)
				}
			}
		}
		if isASCII(s) && isASCII(p) && !strings.ContainsAny(p, `$\(`) {
			if std, err := regexp.Compile(p); err == nil && !std.MatchString(s) {
				t.Fatalf("%q matches %q here but not in package regexp", p, s)
			}
		}
	})
}
