package jsonbody

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// listing writes elements as "k:text" and "v:text".
func listing(d *Document, keep func(*Element) bool) string {
	var parts []string
	for i := range d.Elements[:d.Valid] {
		if e := &d.Elements[i]; keep(e) {
			parts = append(parts, string("kv"[e.Kind])+":"+e.Text)
		}
	}
	return strings.Join(parts, " ")
}

func all(*Element) bool { return true }

func TestParse(t *testing.T) {
	cases := []struct {
		name, src string
		truncated bool
		want      string
		err       error
	}{
		{name: "object", src: `{"a":"b","c":[1,-2.5e3,true,null]}`, want: "k:a v:b k:c v:1 v:-2.5e3 v:true v:null"},
		{name: "array root", src: ` [ "x" , {"y" : "z"} ] `, want: "v:x k:y v:z"},
		{name: "escapes", src: `{"\u0061":"\"\\\/\b\n\u003cscript\ud83d\ude00"}`, want: "k:a v:\"\\/\b\n<script😀"},
		{name: "missing comma", src: `{"a":"b" "c":"d"}`, want: "k:a v:b k:c v:d"},
		{name: "missing colon", src: `{"a" "b"}`, want: "k:a v:b"},
		{name: "doubled colon", src: `{"a"::"b"}`, want: "k:a v:b"},
		{name: "scalar root", src: `"x"`, err: errRoot},
		{name: "number root", src: `12`, err: errRoot},
		{name: "invalid character", src: `{"a":"b",'c':1}`, want: "k:a v:b", err: errCharacter},
		{name: "duplicate key", src: `{"a":1,"a":2}`, want: "k:a v:1", err: errDuplicate},
		{name: "byte order mark", src: "\xef\xbb\xbf{\"a\":\"b\"}", want: "k:a v:b"},
		{name: "same key elsewhere", src: `{"a":{"a":1},"b":{"a":2}}`, want: "k:a k:a v:1 k:b k:a v:2"},
		{name: "cut in a value", src: `{"a":"b","c":"d`, want: "k:a v:b k:c v:d", err: errTruncated},
		{name: "cut in a key", src: `{"a":"b","c`, want: "k:a v:b", err: errTruncated},
		{name: "oversize", src: `{"a":"b"}`, truncated: true, want: "k:a v:b", err: errTruncated},
		{name: "trailing data", src: `{"a":"b"} x`, want: "k:a v:b", err: errCharacter},
		{name: "control character", src: "{\"a\":\"b\x01c\"}", want: "k:a v:b", err: errCharacter},
		{name: "bad escape", src: `{"a":"b\qc"}`, want: "k:a v:b", err: errCharacter},
		{name: "empty", src: ``, err: errTruncated},
		{name: "empty object", src: `{}`},
		{name: "deep", src: strings.Repeat("[", maxDepth+1), err: errDepth},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var d Document
			d.Parse(c.src, c.truncated)
			if got := listing(&d, all); got != c.want || d.Err != c.err {
				t.Errorf("%s:\n got %q, %v\nwant %q, %v", c.src, got, d.Err, c.want, c.err)
			}
		})
	}
}

// TestParseGoesOn holds that a duplicate key hides nothing from who wants all, and that the
// place of another error is known.
func TestParseGoesOn(t *testing.T) {
	for _, c := range []struct {
		src, all string
		valid    int
		rest     string
	}{
		{`{"a":1,"a":"\u0062","c":["d"]}`, "k:a v:1 k:a v:b k:c v:d", 2, ""},
		{`{"a":1,"a":2,'b':3}`, "k:a v:1 k:a v:2", 2, `'b':3}`},
		{`{"a":NaN,"b":"c"}`, "k:a", 1, `NaN,"b":"c"}`},
		{`{"a":1}`, "k:a v:1", 2, ""},
	} {
		var d Document
		d.Parse(c.src, false)
		valid, rest := d.Valid, c.src[d.Rest:]
		d.Valid = len(d.Elements)
		if got := listing(&d, all); got != c.all || valid != c.valid || rest != c.rest {
			t.Errorf("%s: %q, %d of them valid, rest %q; want %q, %d, %q", c.src, got, valid, rest, c.all, c.valid, c.rest)
		}
	}
}

// TestUnder has the example of the reference, and its neighbours.
func TestUnder(t *testing.T) {
	cases := []struct{ src, pointer, want string }{
		{`{"a":{"c":"d","b":{"e":{"f":"g"}}}}`, "/a/b", "k:e k:f v:g"},
		{`{"a":{"c":"d","b":"x"}}`, "/a/b", "v:x"},
		{`{"a":{"c":"d"}}`, "/", "k:a k:c v:d"},
		{`{"a":["p","q"]}`, "/a/1", "v:q"},
		{`{"a":["p","q"]}`, "/a/01", ""},
		{`{"a":["p",{"x":"q"}]}`, "/a/1", "k:x v:q"},
		{`{"a/b":{"~":"q"}}`, "/a~1b/~0", "v:q"},
		{`{"a":1}`, "/a/b", ""},
	}
	for _, c := range cases {
		p, err := ParsePointer(c.pointer)
		if err != nil {
			t.Fatal(err)
		}
		var d Document
		d.Parse(c.src, false)
		if got := listing(&d, func(e *Element) bool { return d.Under(e, p) }); got != c.want {
			t.Errorf("%s under %s: got %q, want %q", c.src, c.pointer, got, c.want)
		}
	}
}

func TestPointerErrors(t *testing.T) {
	for _, s := range []string{"a", "/a~", "/a~2"} {
		if p, err := ParsePointer(s); err == nil {
			t.Errorf("%q: parsed as %q, want an error", s, p)
		}
	}
}

func TestAppendPath(t *testing.T) {
	var d Document
	d.Parse(`{"a":[1,{"b":"x"}]}`, false)
	e := &d.Elements[len(d.Elements)-1]
	if got := string(d.AppendPath(nil, e)); got != "/a/1/b" {
		t.Errorf("got %s, want /a/1/b", got)
	}
}

// reference lists the elements of valid JSON with the standard decoder.
func reference(src string) (string, bool) {
	if !json.Valid([]byte(src)) {
		return "", false
	}
	dec := json.NewDecoder(strings.NewReader(src))
	dec.UseNumber()
	var parts []string
	var walk func() bool
	walk = func() bool {
		tok, err := dec.Token()
		if err != nil {
			return false
		}
		switch v := tok.(type) {
		case json.Delim:
			seen := map[string]bool{}
			for dec.More() {
				if v == '{' {
					k, err := dec.Token()
					if err != nil || seen[k.(string)] {
						return false
					}
					seen[k.(string)] = true
					parts = append(parts, "k:"+k.(string))
				}
				if !walk() {
					return false
				}
			}
			_, err = dec.Token()
			return err == nil
		case string:
			parts = append(parts, "v:"+v)
		case nil:
			parts = append(parts, "v:null")
		default:
			parts = append(parts, fmt.Sprintf("v:%v", v))
		}
		return true
	}
	if !walk() {
		return "", false
	}
	return strings.Join(parts, " "), true
}

// FuzzParse checks that valid JSON yields what the standard decoder yields, and that
// every element of a cut text was an element of the whole one, but for the last.
func FuzzParse(f *testing.F) {
	f.Add(`{"a":[1,"x\u0041",{"b":null}],"c":""}`)
	f.Add(`[[],{},"\ud800",1e5]`)
	f.Fuzz(func(t *testing.T, src string) {
		var d Document
		d.Parse(src, false)
		got := listing(&d, all)
		trimmed := strings.TrimLeft(src, " \t\r\n")
		if trimmed != "" && (trimmed[0] == '{' || trimmed[0] == '[') && strings.ToValidUTF8(src, "") == src {
			if want, ok := reference(src); ok && d.Err == nil {
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("%q (-standard +ours):\n%s", src, diff)
				}
			} else if ok && d.Err != errDepth {
				t.Fatalf("%q: %v, but it is valid", src, d.Err)
			}
		}
		for i := range d.Elements {
			d.Under(&d.Elements[i], Pointer{"a", "0"})
			d.AppendPath(nil, &d.Elements[i])
		}
	})
}

func BenchmarkParse(b *testing.B) {
	var fields []string
	for i := range 44 {
		fields = append(fields, fmt.Sprintf(`"field_%02d":"a value of some length %d"`, i, i))
	}
	src := "{" + strings.Join(fields, ",") + "}"
	var d Document
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		d.Parse(src, false)
	}
}
