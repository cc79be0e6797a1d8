package ojson

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
)

func mustParse(t testing.TB, text string) Value {
	t.Helper()
	v, err := Parse(text, Limits{})
	if err != nil {
		t.Fatalf("Parse(%q): %v", text, err)
	}
	return v
}

func TestOrderNumbersAndDuplicatesAreKept(t *testing.T) {
	for _, tc := range []struct{ text, raw, smart string }{
		{`{"b":1,"a":2}`, `{"b":1,"a":2}`, `{"b":1,"a":2}`},
		{" [ 1 , 2.50 ,\t-0, 1e3 ]\n", `[1,2.50,-0,1e3]`, `[1,2.5,0,1000.0]`},
		{`{"a":1,"b":2,"a":{"c":3}}`, `{"a":{"c":3},"b":2}`, `{"a":{"c":3},"b":2}`},
		{`{"a":1,"\u0061":2,"a":3}`, `{"a":3}`, `{"a":3}`},
		{`12345678901234567890123`, `12345678901234567890123`, `12345678901234567890123`},
		{`0.1000000000000000055511151231257827`, `0.1000000000000000055511151231257827`, `0.1000000000000000055511151231257827`},
		{`"\u00e9\/\ud83d\ude00\u2028"`, `"\u00e9\/\ud83d\ude00\u2028"`, `"é/😀\u2028"`},
		{`"\ud800"`, `"\ud800"`, `"` + "\uFFFD" + `"`},
		{`[[],{},"",null,true,false]`, `[[],{},"",null,true,false]`, `[[],{},"",null,true,false]`},
	} {
		v := mustParse(t, tc.text)
		if got := v.JSON(); got != tc.raw {
			t.Errorf("%s: raw %s, want %s", tc.text, got, tc.raw)
		}
		if got := string(v.Append(nil, Smart)); got != tc.smart {
			t.Errorf("%s: smart %s, want %s", tc.text, got, tc.smart)
		}
	}
}

func TestManyDuplicateNamesKeepFirstPlaceAndLastValue(t *testing.T) {
	var b strings.Builder
	b.WriteString("{")
	for i := range 100 {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString(`"` + string(rune('a'+i%26)) + `":` + string(rune('0'+i/26)))
	}
	v := mustParse(t, b.String()+"}")
	if v.Len() != 26 {
		t.Fatalf("got %d names, want 26", v.Len())
	}
	if m, _ := v.Get("a"); m.Raw() != "3" {
		t.Errorf("a = %s, want the last value 3", m.Raw())
	}
	if m, _ := v.Get("z"); m.Raw() != "2" {
		t.Errorf("z = %s, want the last value 2", m.Raw())
	}
	if got := v.JSON(); !strings.HasPrefix(got, `{"a":3,"b":3,`) {
		t.Errorf("printed %s", got)
	}
}

func TestSyntaxErrorsNameTheirPlace(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"", "line 1, column 1: found the end, expected a value"},
		{"{\n  \"a\": 01\n}", `line 2, column 9: found '1', expected ',' or '}'`},
		{`{a:1}`, `line 1, column 2: found 'a', expected a name in double quotes`},
		{`[1,]`, `line 1, column 4: found ']', expected a value`},
		{`[1 2]`, `line 1, column 4: found '2', expected ',' or ']'`},
		{`{"a" 1}`, `line 1, column 6: found '1', expected ':'`},
		{`"a` + "\n" + `"`, `line 1, column 3: found byte 0x0a in a string, expected it escaped`},
		{`"\x"`, `line 1, column 2: found "\\x\"", expected an escape`},
		{`"abc`, `line 1, column 5: found the end, expected '"'`},
		{`nul`, `line 1, column 1: found "nul", expected null`},
		{`-`, `line 1, column 2: found the end, expected a digit`},
		{`1.`, `line 1, column 3: found the end, expected a digit`},
		{`1e+`, `line 1, column 4: found the end, expected a digit`},
		{`1 x`, `line 1, column 3: found 'x', expected the end`},
		{"\"\xff\"", `line 1, column 2: found byte 0xff, expected UTF-8`},
	} {
		_, err := Parse(tc.text, Limits{})
		if err == nil || err.Error() != tc.want {
			t.Errorf("Parse(%q):\ngot  %v\nwant %s", tc.text, err, tc.want)
		}
	}
}

func TestLimits(t *testing.T) {
	deep := strings.Repeat("[", 1001) + strings.Repeat("]", 1001)
	for name, parse := range map[string]func(string, Limits) (Value, error){"strict": Parse, "permissive": ParsePermissive} {
		if _, err := parse(deep, Limits{}); !errors.Is(err, ErrTooDeep) {
			t.Errorf("%s: depth 1001 gives %v, want ErrTooDeep", name, err)
		}
		if _, err := parse(deep[1:2001], Limits{}); err != nil {
			t.Errorf("%s: depth 1000 gives %v, want none", name, err)
		}
		for _, text := range []string{`[1,2,3,4]`, `{"a":1,"b":2,"c":3}`} {
			if _, err := parse(text, Limits{Values: 4}); !errors.Is(err, ErrTooLarge) {
				t.Errorf("%s: %s with a limit of 4 values gives %v, want ErrTooLarge", name, text, err)
			}
		}
		if _, err := parse(`"abc"`, Limits{Bytes: 4}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: 5 bytes of 4 gives %v, want ErrTooLarge", name, err)
		}
	}
}

// TestPermissiveReader holds the texts that the service was seen to accept and refuse as
// the answer of a MOCK template (routing-and-integrations, section 4.1), and form posts.
func TestPermissiveReader(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{`{"statusCode": 200}`, `{"statusCode":200}`},
		{`{statusCode: 200}`, `{"statusCode":200}`},
		{`{'statusCode': 200, '': ''}`, `{"statusCode":200,"":""}`},
		{`{statusCode: 200, foo}: [ba r]}`, `{"statusCode":200,"foo}":["ba r"]}`},
		{`{"statusCode": 200 , }`, `{"statusCode":200}`},
		{`{"statusCode": 200 ,, }`, `{"statusCode":200}`},
		{`{"statusCode": 200 , null: null }`, `{"statusCode":200,"null":null}`},
		{`{"statusCode": "200"}`, `{"statusCode":"200"}`},
		{`statusCode: 200`, `"statusCode: 200"`},
		{`a=b&c=%7B`, `"a=b&c=%7B"`},
		{`  text  `, `"text"`},
		{``, `""`},
		{`007`, `7`},
		{`12 monkeys`, `"12 monkeys"`},
		{`{} trailing`, `{}`},
		{`{a: true, b: 1.0e2, c: [1,,2,], d:, e: 'it\'s'}`, `{"a":true,"b":100.0,"c":[1,2],"d":"","e":"it's"}`},
		{"{\"a\": \"\xff\"}", `{"a":"` + "\uFFFD" + `"}`},
	} {
		v, err := ParsePermissive(tc.text, Limits{})
		if err != nil {
			t.Errorf("%q: %v", tc.text, err)
		} else if got := string(v.Append(nil, Smart)); got != tc.want {
			t.Errorf("%q: got %s, want %s", tc.text, got, tc.want)
		}
	}
	for _, text := range []string{`{"statusCode": 200`, `{"statusCode': 200 }`, `{statusCode: 200, {foo: [ba r]}`, `[`, `{"a"}`, `"abc`, `:`, `}`, `{"a":}`, `{"a":"1" "b":2}`} {
		if v, err := ParsePermissive(text, Limits{}); err == nil {
			t.Errorf("%q: got %s, want an error", text, v.JSON())
		}
	}
}

func TestNumbersPrintAsJavaPrintsThem(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"0", "0"}, {"-0", "0"}, {"-0.0", "-0.0"}, {"1.10", "1.1"}, {"1e0", "1.0"},
		{"0.001", "0.001"}, {"0.0009", "9.0E-4"}, {"9999999.0", "9999999.0"}, {"1e7", "1.0E7"},
		{"12345678.9", "1.23456789E7"}, {"1e400", "Infinity"}, {"123.456e-10", "1.23456E-8"},
		{"1234567890123456.123", "1234567890123456.123"}, {"0.00000000000000000001", "1E-20"},
		{"1.50000000000000000E10", "15000000000.0000000"}, {"1.50000000000000000E20", "1.50000000000000000E+20"}, {"-0.12345678901234567890", "-0.12345678901234567890"},
		{"123456789.123456789e2", "12345678912.3456789"},
	} {
		if got := string(AppendNumber(nil, tc.text)); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.text, got, tc.want)
		}
	}
}

func TestJavaPrinting(t *testing.T) {
	// aws-behaviour-recorded section 19.
	for _, tc := range []struct{ text, want string }{
		{`{"foo":"bar"}`, `{foo=bar}`},
		{`[{"foo":"bar"}]`, `[{"foo":"bar"}]`},
		{`{"foo":[{"nested":"bar"}]}`, `{foo=[{"nested":"bar"}]}`},
		{`{"bigger":"dict","to":"test","with":"separators"}`, `{bigger=dict, to=test, with=separators}`},
		{`{"a":null,"b":{"c":1.50}}`, `{a=null, b={c=1.5}}`},
		{`["a/b"]`, `["a\/b"]`},
		{`[]`, `[]`}, {`"a/b"`, `a/b`},
	} {
		if got := string(mustParse(t, tc.text).AppendJava(nil)); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.text, got, tc.want)
		}
	}
}

func TestCompareNumbers(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{
		{"1", "1.0", 0}, {"1e2", "100", 0}, {"0.1", "0.10000000000000001", -1},
		{"9007199254740993", "9007199254740992.0", 1}, {"1e99999", "1e999999", 0},
		{"-1", "1", -1}, {"123456789012345678901", "123456789012345678900", 1},
	} {
		if got := CompareNumbers(tc.a, tc.b); got != tc.want {
			t.Errorf("CompareNumbers(%s, %s) = %d, want %d", tc.a, tc.b, got, tc.want)
		}
	}
}

func TestAccess(t *testing.T) {
	v := mustParse(t, `{"s":"a\tb","n":-7,"f":1.5,"arr":[10,[20],30],"o":{"k":null}}`)
	arr, _ := v.Get("arr")
	if got := arr.At(2).Raw(); got != "30" {
		t.Errorf("arr[2] = %q", got)
	}
	if got := arr.At(3).Kind(); got != None {
		t.Errorf("arr[3] has kind %v", got)
	}
	s, _ := v.Get("s")
	if s.Text() != "a\tb" || s.Raw() != `"a\tb"` {
		t.Errorf("s: text %q raw %q", s.Text(), s.Raw())
	}
	n, _ := v.Get("n")
	if i, ok := n.Int(); i != -7 || !ok {
		t.Errorf("n = %d, %v", i, ok)
	}
	f, _ := v.Get("f")
	if _, ok := f.Int(); ok {
		t.Error("1.5 is an integer")
	}
	if x, ok := f.Float(); x != 1.5 || !ok {
		t.Errorf("f = %v, %v", x, ok)
	}
	if _, ok := v.Get("absent"); ok {
		t.Error("found an absent member")
	}
	if q := Of(`say "hi"`); string(q.Append(nil, Raw)) != `"say \"hi\""` {
		t.Errorf("Of printed %s", q.Append(nil, Raw))
	}
}

// FuzzParse holds the strict reader against encoding/json, and printing against
// reading: what is printed reads back as an equal value.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e-3,"x\n\u00e9"],"a":null}`, `[[[[]]]]`, `"\ud83d\ude00"`, `-0.0`, `{"":{"":[]}}`, ` true `, `{"a":1,"A":2,"a":3}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Parse(text, Limits{Depth: 100})
		if err != nil {
			if !errors.Is(err, ErrTooDeep) && json.Valid([]byte(text)) && json.Valid([]byte(strings.ToValidUTF8(text, ""))) && strings.ToValidUTF8(text, "") == text {
				t.Fatalf("refused JSON %q: %v", text, err)
			}
			return
		}
		if !json.Valid([]byte(text)) {
			t.Fatalf("accepted %q", text)
		}
		for _, st := range []Style{Raw, Smart, Web} {
			out := string(v.Append(nil, st))
			back, err := Parse(out, Limits{Depth: 100})
			if err != nil {
				if st != Raw && strings.Contains(out, "Infinity") {
					continue // Java prints doubles out of range so
				}
				t.Fatalf("style %d of %q does not read back: %q: %v", st, text, out, err)
			}
			if !alike(v, back) {
				t.Fatalf("style %d of %q reads back as something else: %q", st, text, out)
			}
			if st == Raw && !Equal(v, back) {
				t.Fatalf("%q reads back unequal: %q", text, out)
			}
		}
	})
}

// alike reports whether a and b are equal when numbers are read as doubles.
func alike(a, b Value) bool {
	if a.Kind() != b.Kind() || a.Len() != b.Len() {
		return false
	}
	switch a.Kind() {
	case Number:
		x, _ := a.Float()
		y, _ := b.Float()
		return x == y
	case String:
		return a.Text() == b.Text()
	case Array:
		for i := range a.Len() {
			if !alike(a.At(i), b.At(i)) {
				return false
			}
		}
	case Object:
		for name, x := range a.Members() {
			if y, ok := b.Get(name); !ok || !alike(x, y) {
				return false
			}
		}
	}
	return true
}

// FuzzParsePermissive requires that whatever the lenient reader accepts prints as JSON.
func FuzzParsePermissive(f *testing.F) {
	for _, s := range []string{`{a:1,'b':[x y,,],}`, `a=b`, `{statusCode: 200, foo}: [ba r]}`, `{"a":007}`, `'\u00`, "{\xff:\xfe}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := ParsePermissive(text, Limits{Depth: 100})
		if err != nil {
			return
		}
		out := string(v.Append(nil, Smart))
		back, err := Parse(out, Limits{Depth: 100})
		if err != nil && !strings.Contains(out, "Infinity") {
			t.Fatalf("%q prints as %q: %v", text, out, err)
		}
		if err == nil && back.Kind() != v.Kind() {
			t.Fatalf("%q is a %v, printed a %v", text, v.Kind(), back.Kind())
		}
		v.AppendJava(nil)
	})
}

var body2K = func() string {
	item := `{"id":12345,"name":"Blue \"Widget\"","price":19.99,"tags":["a","bb","ccc"],"stock":{"berlin":4,"paris":0},"active":true,"note":null},`
	return `{"order":{"id":"A-1001","customer":{"name":"Jane Doe","email":"jane@example.com"},"items":[` +
		strings.TrimSuffix(strings.Repeat(item, 14), ",") + `]}}`
}()

func BenchmarkParse2K(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(int64(len(body2K)))
	for b.Loop() {
		if _, err := Parse(body2K, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPrint2K(b *testing.B) {
	v := mustParse(b, body2K)
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	b.SetBytes(int64(len(body2K)))
	for b.Loop() {
		buf = v.Append(buf[:0], Smart)
	}
}

func TestRepeated(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":1,"b":{"a":2}}`:                     "",
		`[{"a":1},{"a":1}]`:                       "",
		"{\"a\":1,\n\"b\":[{\"c\":1,\n\"c\":2}]}": "c 3",
		"{\"a\":1,\n\"\\u0061\":{\"c\":1}}":       "a 2",
		`"a"`:                                     "",
	} {
		v, err := Parse(text, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if name, line, ok := v.Repeated(); ok {
			got = name + " " + strconv.Itoa(line)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
