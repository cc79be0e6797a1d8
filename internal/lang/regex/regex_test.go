package regex

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustCompile(t testing.TB, pattern string, f Flavor) *Regexp {
	t.Helper()
	r, err := Compile(pattern, f, false)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestMatching runs each case on both engines where the pattern lies in the subset: they
// must agree with each other and with the flavor's definition.
func TestMatching(t *testing.T) {
	for _, tc := range []struct {
		f          Flavor
		pattern, s string
		all, find  bool
		fast       bool
	}{
		{Java, `.*Error.*`, "an Error here", true, true, true},
		{Java, `.*Error.*`, "two\nError", false, true, true},
		{Java, `.*`, "a\u2028b", false, true, true},
		{Java, `2\d{2}`, "200", true, true, true},
		{Java, `2\d{2}`, "2000", false, true, true},
		{Java, `a|ab`, "ab", true, true, true},
		{Java, `(?i)not found`, "Not Found", true, true, true},
		{Java, `\s`, "\v", true, true, true},
		{Java, `\s`, "\u00a0", false, false, true},
		{Java, `(?=.*a)b?a`, "ba", true, true, false},
		{Java, `(a)\1`, "aa", true, true, false},
		{Java, `a\Q.*\E?b\Q\`, `a.b\`, true, true, true},
		{Java, `[\w.+-]+@[\w-]+\.[\w.]+`, "jane+x@example.co.uk", true, true, true},
		{Java, `a{2,}`, "aaa", true, true, true},
		{ECMA, `^a`, "ab", false, true, true},
		{ECMA, `a$`, "a\n", false, false, true},
		{ECMA, `\s`, "\u00a0", true, true, true},
		{ECMA, `^[^\s]+$`, "a b", false, false, true},
		{ECMA, `^(?!x)y$`, "y", true, true, false},
		{ECMA, `a{b`, "a{b", true, true, true},
		{ECMA, `[[a]`, "[", true, true, true},
		{ECMA, `\u00e9`, "é", true, true, true},
		{ECMA, `^\/path$`, "/path", true, true, true},
		{ECMA, `\bword\b`, "a word.", false, true, true},
	} {
		r := mustCompile(t, tc.pattern, tc.f)
		if fast := r.full != nil; fast != tc.fast {
			t.Errorf("%s: on Go's engine is %v, want %v", tc.pattern, fast, tc.fast)
		}
		slow := &Regexp{text: tc.pattern}
		text := tc.pattern
		if tc.f == Java {
			text = unquote(text)
		}
		var err error
		if slow.slow, err = backtracking(text, tc.f, false); err != nil {
			t.Fatal(err)
		}
		if slow.all, err = backtracking(`\A(?:`+text+`)\z`, tc.f, false); err != nil {
			t.Fatal(err)
		}
		engines := []*Regexp{r, slow}
		if strings.Contains(tc.pattern, `\s`) || tc.s == "a\u2028b" {
			engines = engines[:1] // known differences of the backtracking engine
		}
		for i, re := range engines {
			all, err1 := re.MatchAll(tc.s)
			find, err2 := re.Match(tc.s)
			if err1 != nil || err2 != nil || all != tc.all || find != tc.find {
				t.Errorf("engine %d: %s on %q: all %v, find %v (%v, %v), want %v, %v", i, tc.pattern, tc.s, all, find, err1, err2, tc.all, tc.find)
			}
		}
	}
}

func TestReplaceAsJava(t *testing.T) {
	for _, tc := range []struct{ pattern, s, repl, all, first string }{
		{`\\'`, `it\'s \'`, `'`, `it's '`, `it's \'`},
		{`(\w+)@(\w+)`, "a@b c@d", "$2.$1", "b.a d.c", "b.a c@d"},
		{`x*`, "abc", "-", "-a-b-c-", "-abc"},
		{`a`, "a", `\$1`, "$1", "$1"},
		{`(a)(b)?`, "ac", "[$2$10]", "[a0]c", "[a0]c"},
		{`(?<n>a)`, "aé", "<${n}>", "<a>é", "<a>é"},
		{`(?=é)`, "aéb", "-", "a-éb", "a-éb"},
	} {
		r := mustCompile(t, tc.pattern, Java)
		if got, err := r.Replace(tc.s, tc.repl, false, 1000); err != nil || got != tc.all {
			t.Errorf("%s on %q: got %q, %v, want %q", tc.pattern, tc.s, got, err, tc.all)
		}
		if got, err := r.Replace(tc.s, tc.repl, true, 1000); err != nil || got != tc.first {
			t.Errorf("%s on %q, first: got %q, %v, want %q", tc.pattern, tc.s, got, err, tc.first)
		}
	}
	for _, repl := range []string{"$9", "$", `\`, "${x}", "${"} {
		if _, err := mustCompile(t, "a", Java).Replace("a", repl, false, 100); err == nil {
			t.Errorf("replacement %q is accepted", repl)
		}
	}
	if _, err := mustCompile(t, "a", Java).Replace(strings.Repeat("a", 100), "0123456789", false, 100); err == nil {
		t.Error("a replacement of 1000 bytes passed a limit of 100")
	}
}

func TestSplitAsJava(t *testing.T) {
	for _, tc := range []struct {
		pattern, s string
		limit      int
		want       []string
	}{
		{",", "a,b,,c,,", 0, []string{"a", "b", "", "c"}},
		{",", "a,b,,", -1, []string{"a", "b", "", ""}},
		{",", "a,b,c", 2, []string{"a", "b,c"}},
		{"", "abc", 0, []string{"a", "b", "c"}},
		{",", "", 0, []string{""}},
		{"x", "abc", 0, []string{"abc"}},
		{",", ",a", 0, []string{"", "a"}},
		{",", ",", 0, []string{}},
		{"(?<=a)", "xaya", 0, []string{"xa", "ya"}},
	} {
		got, err := mustCompile(t, tc.pattern, Java).Split(tc.s, tc.limit)
		if diff := cmp.Diff(tc.want, got); err != nil || diff != "" {
			t.Errorf("%q at %q: %v %s", tc.s, tc.pattern, err, diff)
		}
	}
}

func TestHostilePatternsEnd(t *testing.T) {
	s := strings.Repeat("a", 5000) + "!"
	if _, err := mustCompile(t, `^(a+)+$`, ECMA).Match(s); err != nil {
		t.Errorf("linear engine: %v", err)
	}
	if _, err := mustCompile(t, `^(?=a)((a+)+)+\1$`, Java).Match(s); !errors.Is(err, ErrTimeout) {
		t.Errorf("backtracking engine: got %v, want ErrTimeout", err)
	}
	for _, pattern := range []string{strings.Repeat("a", maxPattern+1), "(", "[", "a{1000000000}{1000000000}(", `\`, "(?<n", "*", "a++b", "[a-z&&[^b]]", "[a[b]]"} {
		if _, err := Compile(pattern, Java, false); err == nil {
			t.Errorf("%.20q is accepted", pattern)
		}
	}
}

// FuzzCompile requires that a pattern which both engines accept gives one verdict on
// plain ASCII text without white space, where the flavors differ in nothing.
func FuzzCompile(f *testing.F) {
	f.Add(`(a|b)*?c{2,3}[^d-f]\d`, "abcc1")
	f.Add(`^x?(?:y|z)+$`, "xyz")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if len(pattern) > 60 || len(s) > 60 {
			return
		}
		for _, fl := range []Flavor{Java, ECMA} {
			r, err := Compile(pattern, fl, false)
			if err != nil {
				continue
			}
			if _, err := r.Replace(s, "x", false, 1<<20); err != nil && !errors.Is(err, ErrTimeout) {
				t.Fatalf("%q: %v", pattern, err)
			}
			if _, err := r.Split(s, 0); err != nil && !errors.Is(err, ErrTimeout) {
				t.Fatalf("%q: %v", pattern, err)
			}
			whole, err := r.MatchAll(s)
			if err != nil {
				continue
			}
			if part, err := r.Match(s); whole && !part && err == nil {
				t.Fatalf("%q matches all of %q but no part of it", pattern, s)
			}
		}
	})
}
