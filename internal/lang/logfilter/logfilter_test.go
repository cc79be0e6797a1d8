package logfilter

import (
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	const doc = `{"status": 404, "ok": false, "gone": null, "user": {"name": "eve smith", "ids": [7, 8]}, "note": "a*b"}`
	for _, c := range []struct {
		pattern, message string
		want             bool
	}{
		{"", "anything", true},
		{"ERROR", "[ERROR 400] BAD REQUEST", true},
		{"ERROR", "error", false},
		{"ERROR BAD", "[ERROR 400] BAD REQUEST", true},
		{"ERROR MISSING", "[ERROR 400] BAD REQUEST", false},
		{`"BAD REQUEST"`, "[ERROR 400] BAD REQUEST", true},
		{`"REQUEST BAD"`, "[ERROR 400] BAD REQUEST", false},
		{`"say \"hi\""`, `they say "hi"`, true},
		{"?ERROR ?WARN", "WARN: low", true},
		{"?ERROR ?WARN", "INFO: low", false},
		{"?ERROR INFO", "INFO: low", true}, // ? beside other terms is ignored
		{"ERROR -400", "ERROR 401", true},
		{"ERROR -400", "ERROR 400", false},
		{`-"BAD REQUEST"`, "BAD REQUEST", false},
		{`%ERROR 4\d\d%`, "ERROR 404", true},
		{`%^4%`, "ERROR 404", false},
		{"100%", "at 100%", true},

		{`{ $.status = 404 }`, doc, true},
		{`{ $.status = 404.0 }`, doc, true},
		{`{ $.status = 4* }`, doc, true},
		{`{ $.status != 404 }`, doc, false},
		{`{ $.status > 403 && $.status <= 404 }`, doc, true},
		{`{ $.status < 404 || $.status >= 405 }`, doc, false},
		{`{$.user.name="eve smith"}`, doc, true},
		{`{ $.user.name = "eve*" }`, doc, true},
		{`{ $.user.name = "*sm*th" }`, doc, true},
		{`{ $.user.name = "eve" }`, doc, false},
		{`{ $["user"]["name"] = "eve smith" }`, doc, true},
		{`{ $.user.ids[1] = 8 }`, doc, true},
		{`{ $.user.ids[*] = 8 }`, doc, true},
		{`{ $.user.ids[2] = 8 }`, doc, false},
		{`{ $.ok IS FALSE }`, doc, true},
		{`{ $.ok IS TRUE }`, doc, false},
		{`{ $.gone IS NULL }`, doc, true},
		{`{ $.gone NOT EXISTS }`, doc, false},
		{`{ $.absent NOT EXISTS }`, doc, true},
		{`{ $.absent != 1 }`, doc, false},
		{`{ ($.a = 1 || $.status = 404) && $.ok IS FALSE }`, doc, true},
		{`{ $.a = 1 || $.status = 404 && $.ok IS TRUE }`, doc, false},
		{`{ $.status = 404 }`, `not json`, false},
		{`{ $.status = 404 }`, doc + "x", false},
	} {
		p, err := Compile(c.pattern)
		if err != nil {
			t.Errorf("%q: %v", c.pattern, err)
			continue
		}
		if got := p.Match([]byte(c.message)); got != c.want {
			t.Errorf("%q on %q: got %v", c.pattern, c.message, got)
		}
	}
}

func TestBadPatternsSayWhere(t *testing.T) {
	for pattern, want := range map[string]string{
		`"open`:                              "position 1: the quote is not closed",
		`a "open`:                            "position 3: the quote is not closed",
		`a"b`:                                "position 2: found a quote within a term",
		`?`:                                  "position 1: found no term",
		`%(%`:                                "position 1: error parsing regexp",
		`[ip, user]`:                         "not supported",
		`{ $.a }`:                            `position 7: found "}", want a comparison`,
		`{ a = 1 }`:                          `position 3: found "a", want a selector`,
		`{ $.a = }`:                          `position 9: found "}", want a value`,
		`{ $.a > x }`:                        `want a number after >`,
		`{ $.a = 1`:                          `position 10: found the end`,
		`{ $.a = 1 } x`:                      `position 13: found "x" behind the pattern's end`,
		`{ $.a[x] = 1 }`:                     `found index "x"`,
		`{ $. = 1 }`:                         "want the name of a member",
		`{ $.a IS 1 }`:                       "want TRUE, FALSE or NULL",
		strings.Repeat("a", MaxLength+1):     "want at most 1024",
		"{" + strings.Repeat("(", 100) + "}": "more than 32 parentheses",
	} {
		if _, err := Compile(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", pattern, err, want)
		}
	}
}

func FuzzCompile(f *testing.F) {
	f.Add(`ERROR -"a b" %x+%`, "ERROR x")
	f.Add(`?a ?b`, "b")
	f.Add(`{ ($.a.b[0] = "x*" || $["c"] >= 1.5) && $.d NOT EXISTS }`, `{"a":{"b":["xy"]}}`)
	f.Fuzz(func(t *testing.T, pattern, message string) {
		p, err := Compile(pattern)
		if err != nil {
			return
		}
		got := p.Match([]byte(message))
		// White space around a pattern says nothing.
		q, err := Compile(" " + pattern + " ")
		if len(pattern)+2 <= MaxLength && (err != nil || q.Match([]byte(message)) != got) {
			t.Errorf("%q means something else with spaces around it: %v", pattern, err)
		}
		// What was excluded from a match is in no message that still matches.
		if p.json == nil && got && message != "" && !strings.ContainsAny(message, "\"\\") {
			excluding, err := Compile(pattern + ` -"` + message + `"`)
			if err == nil && excluding.Match([]byte(message)) {
				t.Errorf("%q matches %q although that is excluded", pattern, message)
			}
		}
	})
}
