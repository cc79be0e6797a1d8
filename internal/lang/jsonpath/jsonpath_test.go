package jsonpath

import (
	"errors"
	"strings"
	"testing"

	"gatehouse/internal/lang/ojson"
)

// shop is the document of most cases.
const shop = `{
  "shop": {
    "books": [
      {"kind": "essay", "author": "Ann", "title": "North", "price": 8.95, "tags": ["a", "b"]},
      {"kind": "novel", "author": "Bob", "title": "South", "price": 12.99},
      {"kind": "novel", "author": "Cid", "title": "East", "isbn": "1-11", "price": 8.99, "tags": []},
      {"kind": "novel", "author": "Dee", "title": "West", "isbn": "2-22", "price": 22.99, "note": null}
    ],
    "bike": {"color": "red", "price": 19.95}
  },
  "limit": 10,
  "numbers": [3, 1, 2.5],
  "words": ["x", "y", "z"],
  "odd name": {"a.b": 1, "it's": 2},
  "matrix": [[1, 2], [3, 4]],
  "empty": [],
  "nothing": null
}`

func eval(t testing.TB, doc, path string) string {
	t.Helper()
	v, err := ojson.Parse(doc, ojson.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := Compile(path)
	if err != nil {
		return "error"
	}
	r, err := p.Eval(v, nil)
	if err != nil {
		return err.Error()
	}
	if r.List == nil && r.Value.Kind() == ojson.None {
		return "missing"
	}
	return string(r.Append(nil, ojson.Raw))
}

func TestPaths(t *testing.T) {
	for _, tc := range []struct{ path, want string }{
		// Definite paths give the value.
		{`$.limit`, `10`},
		{`limit`, `10`},
		{`$['limit']`, `10`},
		{`$["limit"]`, `10`},
		{`$.shop.bike.color`, `"red"`},
		{`$['shop']['bike']['color']`, `"red"`},
		{`$.shop.books[0].title`, `"North"`},
		{`$.shop.books[-1].title`, `"West"`},
		{`$.matrix[1][0]`, `3`},
		{`$['odd name']['a.b']`, `1`},
		{`$['odd name']['it\'s']`, `2`},
		{`$[ 'limit' ]`, `10`},
		// What is missing is null for them.
		{`$.absent`, `missing`},
		{`$.absent.deeper`, `missing`},
		{`$.limit.deeper`, `missing`},
		{`$.numbers[9]`, `missing`},
		{`$.numbers[-9]`, `missing`},
		{`$.numbers.name`, `missing`},
		{`$.nothing`, `null`},
		{`$.nothing.x`, `missing`},
		// Indefinite paths give a list, whatever they find.
		{`$.shop.books[*].author`, `["Ann","Bob","Cid","Dee"]`},
		{`$.shop.books[*].isbn`, `["1-11","2-22"]`},
		{`$.shop.books.*.isbn`, `["1-11","2-22"]`},
		{`$.shop.bike.*`, `["red",19.95]`},
		{`$.shop.bike[*]`, `["red",19.95]`},
		{`$.absent[*]`, `[]`},
		{`$.limit.*`, `[]`},
		{`$.numbers[0,2]`, `[3,2.5]`},
		{`$.numbers[2, -3]`, `[2.5,3]`},
		{`$.numbers[0,9]`, `[3]`},
		{`$..price`, `[8.95,12.99,8.99,22.99,19.95]`},
		{`$.shop..price`, `[8.95,12.99,8.99,22.99,19.95]`},
		{`$..books[0].title`, `["North"]`},
		{`$..[0]`, `[{"kind":"essay","author":"Ann","title":"North","price":8.95,"tags":["a","b"]},"a",3,"x",[1,2],1,3]`},
		{`$.matrix..[*]`, `[[1,2],[3,4],1,2,3,4]`},
		{`$.matrix..*`, `[[1,2],[3,4],1,2,3,4]`},
		{`$..absent`, `[]`},
		// Slices.
		{`$.words[0:2]`, `["x","y"]`},
		{`$.words[1:]`, `["y","z"]`},
		{`$.words[:1]`, `["x"]`},
		{`$.words[-2:]`, `["y","z"]`},
		{`$.words[:-1]`, `["x","y"]`},
		{`$.words[-3:-1]`, `["x","y"]`},
		{`$.words[0:99]`, `["x","y","z"]`},
		{`$.words[2:1]`, `[]`},
		{`$.words[-99:]`, `["x","y","z"]`},
		// Several names: one object at the end of a path, one value each elsewhere.
		{`$.shop.bike['color','price']`, `{"color":"red","price":19.95}`},
		{`$.shop.bike['price','absent']`, `{"price":19.95}`},
		{`$.shop.books[*]['author','isbn']`, `[{"author":"Ann"},{"author":"Bob"},{"author":"Cid","isbn":"1-11"},{"author":"Dee","isbn":"2-22"}]`},
		{`$.shop['bike','absent'].color`, `["red"]`},
		{`$..['isbn','title']`, `[{"isbn":"1-11","title":"East"},{"isbn":"2-22","title":"West"}]`},
	} {
		if got := eval(t, shop, tc.path); got != tc.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tc.path, got, tc.want)
		}
	}
}

func TestFilters(t *testing.T) {
	for _, tc := range []struct{ filter, want string }{
		{`@.isbn`, `EW`},
		{`!@.isbn`, `NS`},
		{`@.note`, `W`},
		{`@.price < 10`, `NE`},
		{`@.price <= $.limit`, `NE`},
		{`@['price'] > 10`, `SW`},
		{`@.price >= 12.99`, `SW`},
		{`@.price == 8.950`, `N`},
		{`@.price != 8.95`, `SEW`},
		{`@.kind == 'novel' && @.price < 10`, `E`},
		{`@.kind=="essay"||@.price>20`, `NW`},
		{`@.kind == 'essay' || @.kind == 'novel' && @.isbn`, `NEW`},
		{`(@.kind == 'essay' || @.kind == 'novel') && @.isbn`, `EW`},
		{`!(@.kind == 'essay')`, `SEW`},
		{`@.author in ['Ann','Cid']`, `NE`},
		{`@.author nin ["Ann","Cid"]`, `SW`},
		{`@.author IN ['Ann']`, `N`},
		{`'a' in @.tags`, `N`},
		{`@.tags contains 'b'`, `N`},
		{`@.title contains 'st'`, `EW`},
		{`@.tags size 2`, `N`},
		{`@.title size 4`, `EW`},
		{`@.tags empty true`, `E`},
		{`@.tags empty false`, `N`},
		{`@.tags subsetof ['a','b','c']`, `NE`},
		{`@.tags anyof ['b','z']`, `N`},
		{`@.tags noneof ['z']`, `NE`},
		{`@.tags all ['a','b']`, `N`},
		{`@.title =~ /.*ST/i`, `EW`},
		{`@.title =~ /st/`, ``},
		{`@.title =~ /(N|S)o.*/`, `NS`},
		{`@.tags.length() > 0`, `N`},
		{`@.price == '8.95'`, `N`},
		{`@.price === '8.95'`, ``},
		{`@.note == null`, `W`},
		{`@.isbn == null`, ``}, // what is missing equals nothing
		{`@.isbn != null`, `NSEW`},
		{`@.tags == ['a','b']`, `N`},
		{`@.price < 'x'`, ``},
		{`@.title < 'North'`, `E`},
		{`@.price < $..price.avg()`, `NSE`},
		{`true`, `NSEW`},
		{`1 == 1`, `NSEW`},
	} {
		path := `$.shop.books[?(` + tc.filter + `)].title`
		got := strings.NewReplacer(`"North"`, "N", `"South"`, "S", `"East"`, "E", `"West"`, "W", "[", "", "]", "", ",", "").Replace(eval(t, shop, path))
		if got != tc.want {
			t.Errorf("%s: got %s, want %s", path, got, tc.want)
		}
	}
	for _, tc := range []struct{ path, want string }{
		{`$.numbers[?(@ > 2)]`, `[3,2.5]`},
		{`$.words[?(@ in ['y','q'])]`, `["y"]`},
		{`$..[?(@.color)].price`, `[19.95]`},
		{`$.shop.bike[?(@.price > 10)].color`, `["red"]`},
		{`$.shop.books[?(@.price > 10)]['author']`, `["Bob","Dee"]`},
		{`$.matrix[?(@[0] == 3)]`, `[[3,4]]`},
		{`$.words[?(@ == 'x')].length()`, `[]`},
	} {
		if got := eval(t, shop, tc.path); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.path, got, tc.want)
		}
	}
}

func TestFunctions(t *testing.T) {
	for _, tc := range []struct{ path, want string }{
		{`$.numbers.length()`, `3`},
		{`$.numbers.size()`, `3`},
		{`$.length()`, `8`},
		{`$.shop.bike.length()`, `2`},
		{`$.shop.bike.color.length()`, `missing`},
		{`$.numbers.min()`, `1.0`},
		{`$.numbers.max()`, `3.0`},
		{`$.numbers.sum()`, `6.5`},
		{`$.numbers.avg()`, `2.1666666666666665`},
		{`$.empty.sum()`, `missing`},
		{`$.words.min()`, `missing`},
		{`$..price.sum()`, `73.87`},
		{`$..books.length()`, `1`},
		{`$.sum($.numbers, 1, $.limit)`, `17.5`},
		{`$.shop.bike.keys()`, `["color","price"]`},
		{`$.words.keys()`, `missing`},
		{`$.words.concat()`, `"xyz"`},
		{`$.concat($.shop.bike.color, "-", 'x', $.limit)`, `"red-x10"`},
		{`$.words.append('w')`, `["x","y","z","w"]`},
		{`$.words.first()`, `"x"`},
		{`$.words.last()`, `"z"`},
		{`$.words.index(1)`, `"y"`},
		{`$.words.index(-1)`, `"z"`},
		{`$.words.index(7)`, `missing`},
		{`$.shop.books.first().title`, `"North"`},
		{`$.matrix[*].sum()`, `[3.0,7.0]`},
	} {
		if got := eval(t, shop, tc.path); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.path, got, tc.want)
		}
	}
}

func TestBadPathsAreRefusedWithTheirPlace(t *testing.T) {
	for _, tc := range []struct{ path, want string }{
		{``, `JSONPath "" at offset 0: found no path`},
		{`$.`, `JSONPath "$." at offset 2: found the end, expected a name`},
		{`$..`, `JSONPath "$.." at offset 3: found the end, expected a name`},
		{`$x`, `JSONPath "$x" at offset 1: found 'x', expected '.' or '['`},
		{`$.a b`, `JSONPath "$.a b" at offset 3: use ['a ...'] for names with blanks`},
		{`$[`, `JSONPath "$[" at offset 2: found the end, expected a name in quotes, an index, '*' or '?'`},
		{`$[0`, `JSONPath "$[0" at offset 2: found no ']'`},
		{`$['a`, `JSONPath "$['a" at offset 4: found the end, expected '\''`},
		{`$['a' 'b']`, `JSONPath "$['a' 'b']" at offset 6: found '\'', expected ']'`},
		{`$[1:2:3]`, `JSONPath "$[1:2:3]" at offset 2: found "1:2:3", expected a slice of two bounds`},
		{`$[:]`, `JSONPath "$[:]" at offset 2: found a slice without bounds`},
		{`$[99999999999]`, `JSONPath "$[99999999999]" at offset 2: found "99999999999", expected an index`},
		{`$.a.nope()`, `JSONPath "$.a.nope()" at offset 8: no function is called "nope"`},
		{`$[?(@.a == )]`, `JSONPath "$[?(@.a == )]" at offset 11: found ')', expected a path or a literal`},
		{`$[?(@.a`, `JSONPath "$[?(@.a" at offset 7: found the end, expected ')'`},
		{`$[?(@.a =~ /[/)]`, `JSONPath "$[?(@.a =~ /[/)]" at offset 14: regular expression "[": error parsing regexp: unterminated [] set in ` + "`[`"},
		{`$[(@.length-1)]`, `JSONPath "$[(@.length-1)]" at offset 2: found '(', expected a name in quotes, an index, '*' or '?'`},
	} {
		_, err := Compile(tc.path)
		if err == nil || err.Error() != tc.want {
			t.Errorf("%s:\ngot  %v\nwant %s", tc.path, err, tc.want)
		}
	}
	for _, path := range []string{
		strings.Repeat("$.a", maxText),
		"$[?(" + strings.Repeat("(", 1000) + "@" + strings.Repeat(")", 1000) + ")]",
		"$" + strings.Repeat(".sum($", 1000) + strings.Repeat(")", 1000),
		strings.Repeat("$[?(@", 1000) + strings.Repeat(")]", 1000),
	} {
		if _, err := Compile(path); err == nil {
			t.Errorf("%.20s... is accepted", path)
		}
	}
}

func TestCostIsBounded(t *testing.T) {
	big := "[" + strings.TrimSuffix(strings.Repeat(`{"a":[1,2,3]},`, 20000), ",") + "]"
	v, err := ojson.Parse(big, ojson.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{`$[?(@.a in $..a)]`, `$[?($..[?($..a)])]`, `$..[?(@.a == $..a)]`} {
		p, err := Compile(path)
		if err != nil {
			t.Fatal(err)
		}
		budget := 1_000_000
		if _, err := p.Eval(v, &budget); !errors.Is(err, ErrBudget) {
			t.Errorf("%s: got %v, want ErrBudget", path, err)
		}
	}
}

// FuzzCompile requires that evaluation ends within its budget, that a definite path gives
// no list, and that whatever is found prints as JSON.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{
		`$.shop.books[?(@.price < 10 && @.kind == 'essay')].title`, `$..['a','b']`, `$.words[-1:].concat('x', $.limit)`,
		`$[?(!@.a || @.b =~ /x.*/i)]`, `$..*`, `$..books[*].first()`, `a[0,1]`, `$[?(@ in ['x',{"a":1}])]`,
	} {
		f.Add(s)
	}
	doc, err := ojson.Parse(shop, ojson.Limits{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		p, err := Compile(path)
		if err != nil {
			return
		}
		budget := 100_000
		r, err := p.Eval(doc, &budget)
		if err != nil {
			return
		}
		if p.Definite() != (r.List == nil) {
			t.Fatalf("%q: definite is %v, list is %v", path, p.Definite(), r.List)
		}
		out := string(r.Append(nil, ojson.Raw))
		if _, err := ojson.Parse(out, ojson.Limits{}); err != nil {
			t.Fatalf("%q gives %q: %v", path, out, err)
		}
	})
}

func BenchmarkDefinite(b *testing.B) {
	v, _ := ojson.Parse(shop, ojson.Limits{})
	p, _ := Compile(`$.shop.books[2].title`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Eval(v, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFilter(b *testing.B) {
	v, _ := ojson.Parse(shop, ojson.Limits{})
	p, _ := Compile(`$.shop.books[?(@.price < 10)].title`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Eval(v, nil); err != nil {
			b.Fatal(err)
		}
	}
}
