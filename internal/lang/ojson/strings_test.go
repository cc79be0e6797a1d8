package ojson_test

import (
	"encoding/json"
	"strings"
	"testing"

	"gatehouse/internal/lang/ojson"
)

// Every character is escaped, or not, wherever it stands: eight bytes are looked at at a time.
func TestAppendQuotedAnywhere(t *testing.T) {
	escapes := map[string]string{`"`: `\"`, `\`: `\\`, "\b": `\b`, "\f": `\f`, "\n": `\n`, "\r": `\r`, "\t": `\t`, "\x00": `\u0000`, "\x1f": `\u001F`, "\x7f": `\u007F`,
		"\u0080": `\u0080`, "\u009f": `\u009F`, "\u2000": `\u2000`, "\u20ff": `\u20FF`, "\xff": "\uFFFD", "/": "/", "é": "é", "\u00a0": "\u00a0", "\u2100": "\u2100", " ": " ", "~": "~", "!": "!", "#": "#", "[": "[", "]": "]"}
	for n := range 20 {
		for at := range n + 1 {
			before, after := strings.Repeat("a", at), strings.Repeat("b", n-at)
			for c, want := range escapes {
				if got := string(ojson.AppendQuoted(nil, before+c+after, ojson.Smart)); got != `"`+before+want+after+`"` {
					t.Fatalf("%q between %d and %d bytes: %s", c, at, n-at, got)
				}
			}
			if got := string(ojson.AppendQuoted(nil, before+"/"+after, ojson.Web)); got != `"`+before+`\/`+after+`"` {
				t.Fatalf("a slash between %d and %d bytes: %s", at, n-at, got)
			}
		}
	}
}

// FuzzAppendQuoted: what is written reads back as the text, its bytes that are no UTF-8
// replaced.
func FuzzAppendQuoted(f *testing.F) {
	f.Add("plain text\x00\x7f\xff\u2028/\"\\")
	f.Fuzz(func(t *testing.T, s string) {
		for _, st := range []ojson.Style{ojson.Smart, ojson.Web} {
			var got string
			b := ojson.AppendQuoted([]byte("x"), s, st)
			if err := json.Unmarshal(b[1:], &got); err != nil || got != strings.ToValidUTF8(s, "\uFFFD") && got != string([]rune(s)) {
				t.Fatalf("%q: %s reads as %q, %v", s, b, got, err)
			}
		}
	})
}
