package jsonschema

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/lang/ojson"
	"gatehouse/internal/lang/regex"
)

func parse(t testing.TB, text string) ojson.Value {
	t.Helper()
	v, err := ojson.Parse(text, ojson.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func mustCompile(t testing.TB, text string) *Schema {
	t.Helper()
	s, err := Compile(parse(t, text), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// remotes loads the documents that the suite expects at http://localhost:1234.
func remotes(t testing.TB) Loader {
	return func(uri string) (ojson.Value, bool) {
		path, ok := strings.CutPrefix(uri, "http://localhost:1234/")
		if !ok {
			return ojson.Value{}, false
		}
		text, err := os.ReadFile(filepath.Join("testdata/suite/remotes", path))
		if err != nil {
			return ojson.Value{}, false
		}
		return parse(t, string(text)), true
	}
}

// propertyEscapes is why a few optional groups do not count.
const propertyEscapes = `property escapes by long names (\p{Letter}) are newer than the ECMA 262 that draft 4 means`

// unlike are groups of the optional part that do not count, with the reason.
var unlike = map[string]string{
	"optional/ecmascript-regex.json: patterns always use unicode semantics with pattern":           propertyEscapes,
	"optional/ecmascript-regex.json: pattern with non-ASCII digits":                                propertyEscapes,
	"optional/ecmascript-regex.json: patterns always use unicode semantics with patternProperties": propertyEscapes,
	"optional/ecmascript-regex.json: patternProperties with non-ASCII digits":                      propertyEscapes,
}

// TestSuite runs the official suite of draft 4, the optional part included. What is wrong
// must also be explained, and what is right must not.
func TestSuite(t *testing.T) {
	files, err := filepath.Glob("testdata/suite/draft4/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"optional", "optional/format"} {
		more, err := filepath.Glob("testdata/suite/draft4/" + dir + "/*.json")
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, more...)
	}
	if len(files) < 40 {
		t.Fatalf("found %d files of the suite, want at least 40", len(files))
	}
	ran := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(file, "testdata/suite/draft4/")
		for group := range parse(t, string(text)).Elements() {
			ran += runGroup(t, name, group)
		}
	}
	t.Logf("%d cases", ran)
}

func runGroup(t *testing.T, file string, group ojson.Value) int {
	description, _ := group.Get("description")
	name := file + ": " + description.Text()
	if _, ok := unlike[name]; ok {
		return 0
	}
	schema, _ := group.Get("schema")
	s, err := Compile(schema, "", remotes(t))
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return 0
	}
	tests, _ := group.Get("tests")
	for c := range tests.Elements() {
		what, _ := c.Get("description")
		data, _ := c.Get("data")
		want, _ := c.Get("valid")
		got, err := s.Valid(data)
		if err != nil || got != (want.Kind() == ojson.True) {
			t.Errorf("%s: %s: got %v, %v, want %s\nschema %s\ndata %s", name, what.Text(), got, err, want.Raw(), schema.JSON(), data.JSON())
		}
		if text := s.Explain(data); (text == "") != got {
			t.Errorf("%s: %s: valid is %v, explained as %q", name, what.Text(), got, text)
		}
		if text := s.Explain(data); strings.Contains(text, "does not match the schema") {
			t.Errorf("%s: %s: not explained: %s", name, what.Text(), text)
		}
	}
	return tests.Len()
}

// TestExplanations: mapping-templates section 8.2.
func TestExplanations(t *testing.T) {
	for _, tc := range []struct{ schema, body, want string }{
		{`{"type":"object","required":["a","b"]}`, `{}`, `[object has missing required properties (["a","b"])]`},
		{`{"type":["number"]}`, `"x"`, `[instance type (string) does not match any allowed primitive type (allowed: ["integer","number"])]`},
		{`{"enum":["dog","cat","fish"]}`, `"bird"`, `[instance value ("bird") not found in enum (possible values: ["dog","cat","fish"])]`},
		{`{"properties":{"a":{}},"additionalProperties":false}`, `{"x":1}`, `[object instance has properties which are not allowed by the schema: ["x"]]`},
		{`{"maximum":500}`, `501`, `[numeric instance is greater than the required maximum (maximum: 500, found: 501)]`},
		{`{"minimum":25}`, `1`, `[numeric instance is lower than the required minimum (minimum: 25, found: 1)]`},
		{`{"minLength":3}`, `"a"`, `[string "a" is too short (length: 1, required minimum: 3)]`},
		{`{"maxLength":1}`, `"é€"`, `[string "é€" is too long (length: 2, maximum allowed: 1)]`},
		{`{"pattern":"^a"}`, `"b"`, `[ECMA 262 regex "^a" does not match input string "b"]`},
		{`{"minItems":1}`, `[]`, `[array is too short: must have at least 1 elements but instance has 0 elements]`},
		{`{"oneOf":[{"type":"null"},{"type":"string"}]}`, `1`, `[instance failed to match exactly one schema (matched 0 out of 2)]`},
		{`{"format":"email"}`, `"x"`, `[string "x" is not a valid email address]`},
		{`{"required":["a"],"properties":{"b":{"type":"string"}}}`, `{"b":1}`, `[object has missing required properties (["a"])]`},
		{`{"properties":{"b":{"type":"string"},"a":{"type":"string"}}}`, `{"b":1,"a":2}`,
			`[instance type (integer) does not match any allowed primitive type (allowed: ["string"]), instance type (integer) does not match any allowed primitive type (allowed: ["string"])]`},
		{`{"minLength":3,"pattern":"^b"}`, `"a"`, `[string "a" is too short (length: 1, required minimum: 3), ECMA 262 regex "^b" does not match input string "a"]`},
		{`{}`, `{}`, ``},
	} {
		if got := mustCompile(t, tc.schema).Explain(parse(t, tc.body)); got != tc.want {
			t.Errorf("%s on %s:\ngot  %s\nwant %s", tc.body, tc.schema, got, tc.want)
		}
	}
	long := mustCompile(t, `{"pattern":"^b"}`).Explain(parse(t, `"`+strings.Repeat("é", 100_000)+`"`))
	if len(long) > 2*maxShown {
		t.Errorf("a message has %d bytes", len(long))
	}
}

func TestModelsReferToEachOther(t *testing.T) {
	models := map[string]string{
		"Pet":   `{"type":"object","required":["name"],"properties":{"name":{"type":"string"},"owner":{"$ref":"https://apigateway.amazonaws.com/restapis/abc/models/Owner"}}}`,
		"Owner": `{"type":"object","properties":{"pets":{"type":"array","items":{"$ref":"https://apigateway.amazonaws.com/restapis/abc/models/Pet"}},"id":{"$ref":"#/definitions/id"}},"definitions":{"id":{"type":"integer"}}}`,
		"Wide":  `{"$ref":"https://apigateway.amazonaws.com/restapis/other/models/Pet"}`,
		"Far":   `{"$ref":"https://example.com/schema.json"}`,
		"Lost":  `{"$ref":"https://apigateway.amazonaws.com/restapis/abc/models/Nobody"}`,
		"Bad":   `{"$ref":"https://apigateway.amazonaws.com/restapis/abc/models/Text"}`,
		"Text":  `nonsense`,
		"Deep":  `{"$ref":"https://apigateway.amazonaws.com/restapis/abc/models/Owner#/definitions/id"}`,
	}
	load := func(name string) (string, bool) { text, ok := models[name]; return text, ok }
	s, err := CompileModel("abc", "Pet", load)
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]bool{
		`{"name":"a"}`: true, `{}`: false, `{"name":"a","owner":{"pets":[{"name":"b"}]}}`: true,
		`{"name":"a","owner":{"pets":[{}]}}`: false, `{"name":"a","owner":{"id":"x"}}`: false,
	} {
		if got, err := s.Valid(parse(t, body)); got != want || err != nil {
			t.Errorf("%s: got %v, %v, want %v", body, got, err, want)
		}
	}
	if s, err = CompileModel("abc", "Deep", load); err != nil {
		t.Error(err)
	} else if ok, _ := s.Valid(parse(t, `"x"`)); ok {
		t.Error("a reference into another model does not count")
	}
	for name, want := range map[string]error{"Wide": ErrForeign, "Far": ErrForeign, "Lost": ErrReference, "Nobody": ErrReference} {
		if _, err := CompileModel("abc", name, load); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
	}
	var syntax *ojson.SyntaxError
	if _, err := CompileModel("abc", "Bad", load); !errors.As(err, &syntax) {
		t.Errorf("Bad: got %v, want a SyntaxError", err)
	}
	if diff := cmp.Diff([]string{"Owner"}, References(parse(t, models["Pet"]), "abc")); diff != "" {
		t.Error(diff)
	}
}

func TestBadSchemasAreRefusedWithTheirPlace(t *testing.T) {
	for _, tc := range []struct{ schema, want string }{
		{`[]`, `schema at "": found array, expected an object`},
		{`{"type":"int"}`, `schema at "/type": found "int", expected a primitive type`},
		{`{"properties":{"a":{"minimum":"1"}}}`, `schema at "/properties/a/minimum": found string, expected a number`},
		{`{"properties":{"a":true}}`, `schema at "/properties/a": found boolean, expected an object`},
		{`{"required":true}`, `schema at "/required": found boolean, expected an array of strings`},
		{`{"allOf":[]}`, `schema at "/allOf": found array, expected an array of schemas`},
		{`{"pattern":"["}`, "schema at \"/pattern\": regular expression \"[\": error parsing regexp: unterminated [] set in `[`"},
		{`{"exclusiveMinimum":5}`, `schema at "/exclusiveMinimum": found number, expected a boolean`},
		{`{"minLength":-1}`, `schema at "/minLength": found -1, expected 0 or more`},
		{`{"multipleOf":0}`, `schema at "/multipleOf": found 0, expected a number above 0`},
		{`{"$ref":"#/definitions/x"}`, `schema at "": "#/definitions/x": reference leads nowhere`},
	} {
		_, err := Compile(parse(t, tc.schema), "", nil)
		if err == nil || err.Error() != tc.want {
			t.Errorf("%s:\ngot  %v\nwant %s", tc.schema, err, tc.want)
		}
	}
}

func TestCostIsBounded(t *testing.T) {
	deep := strings.Repeat("[", 900) + strings.Repeat("]", 900)
	for _, tc := range []struct {
		name, schema, body string
		want               error
	}{
		{"loop", `{"allOf":[{"$ref":"#"}]}`, `1`, ErrLoop},
		{"references in a circle", `{"$ref":"#/definitions/a","definitions":{"a":{"$ref":"#/definitions/b"},"b":{"$ref":"#/definitions/a"}}}`, `1`, ErrLoop},
		{"branches that double", `{"items":{"anyOf":[{"allOf":[{"$ref":"#"},{"not":{}}]},{"$ref":"#"}]}}`, deep, ErrBudget},
		{"slow patterns", `{"items":{"not":{"pattern":"^(?=a)(a+)+\\1$"}}}`, "[" + strings.Repeat(`"aaaaaaaaaaaaaaaa!",`, 100_000) + `""]`, ErrBudget},
		{"hostile pattern", `{"pattern":"^(?=a)(a+)+\\1$"}`, `"` + strings.Repeat("a", 10_000) + `!"`, nil},
	} {
		s := mustCompile(t, tc.schema)
		ok, err := s.Valid(parse(t, tc.body))
		// On a busy machine the clock that bounds one match may strike before the budget of all.
		struck := tc.want == ErrBudget && errors.Is(err, regex.ErrTimeout)
		if ok || err == nil || tc.want != nil && !errors.Is(err, tc.want) && !struck {
			t.Errorf("%s: got %v, %v, want %v", tc.name, ok, err, tc.want)
		}
		if s.Explain(parse(t, tc.body)) == "" {
			t.Errorf("%s: not explained", tc.name)
		}
	}
	var many strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&many, `{"a":[%d]},`, i)
	}
	for last, want := range map[string]bool{`{"a":[50000]}`: true, `{"a":[4.9999e4]}`: false} {
		body := parse(t, "["+many.String()+last+"]")
		if ok, err := mustCompile(t, `{"uniqueItems":true}`).Valid(body); ok != want || err != nil {
			t.Errorf("many elements and %s: got %v, %v, want %v", last, ok, err, want)
		}
	}
}

// FuzzSchema requires that a verdict and its explanation agree, and that the verdict does
// not depend on how the body is written.
func FuzzSchema(f *testing.F) {
	f.Add(`{"type":"object","required":["a"],"properties":{"a":{"enum":[1,"x"]}},"additionalProperties":false}`, `{"a":1.0}`)
	f.Add(`{"items":[{"type":"integer"}],"additionalItems":{"$ref":"#"},"uniqueItems":true}`, `[1,[2,[]]]`)
	f.Add(`{"oneOf":[{"minimum":3},{"multipleOf":0.5,"maximum":9,"exclusiveMaximum":true}],"not":{"type":"null"}}`, `2.5`)
	f.Add(`{"patternProperties":{"^a":{"maxLength":2}},"dependencies":{"b":["c"],"d":{"minProperties":3}}}`, `{"ab":"xyz","b":1}`)
	f.Fuzz(func(t *testing.T, schema, body string) {
		sv, err := ojson.Parse(schema, ojson.Limits{Depth: 50})
		if err != nil {
			return
		}
		s, err := Compile(sv, "", nil)
		if err != nil {
			return
		}
		v, err := ojson.Parse(body, ojson.Limits{Depth: 50})
		if err != nil {
			return
		}
		ok, err := s.Valid(v)
		if err != nil {
			return
		}
		if text := s.Explain(v); (text == "") != ok {
			t.Fatalf("%s on %s: valid is %v, explained as %q", schema, body, ok, text)
		}
		again, err := ojson.Parse(v.JSON(), ojson.Limits{Depth: 50})
		if err != nil {
			t.Fatal(err)
		}
		if ok2, _ := s.Valid(again); ok2 != ok {
			t.Fatalf("%s on %s: %v, reprinted %v", schema, body, ok, ok2)
		}
	})
}

const orderSchema = `{
  "$schema": "http://json-schema.org/draft-04/schema#", "type": "object", "required": ["order"],
  "properties": {"order": {"type": "object", "required": ["id", "customer", "items"], "properties": {
    "id": {"type": "string", "pattern": "^[A-Z]-[0-9]+$"},
    "customer": {"type": "object", "required": ["name", "email"], "properties": {"name": {"type": "string", "minLength": 1}, "email": {"type": "string"}}},
    "items": {"type": "array", "minItems": 1, "items": {"type": "object", "required": ["id", "name", "price"], "additionalProperties": false, "properties": {
      "id": {"type": "integer", "minimum": 1}, "name": {"type": "string", "maxLength": 200}, "price": {"type": "number", "minimum": 0},
      "tags": {"type": "array", "items": {"type": "string"}}, "stock": {"type": "object", "additionalProperties": {"type": "integer"}},
      "active": {"type": "boolean"}, "note": {"type": ["string", "null"]}, "description": {"type": "string"}
    }}}
  }}}}`

// BenchmarkValidate is what a request costs: 2 KB of JSON read and validated.
func BenchmarkValidate(b *testing.B) {
	item := `{"id":12345,"name":"Blue Widget","price":19.99,"tags":["a","bb","ccc"],"description":"` + strings.Repeat("lorem ipsum ", 12) + `","stock":{"berlin":4,"paris":0},"active":true,"note":null},`
	body := `{"order":{"id":"A-1001","customer":{"name":"Jane Doe","email":"Jane@Example.com"},"items":[` + strings.TrimSuffix(strings.Repeat(item, 7), ",") + `]}}`
	s := mustCompile(b, orderSchema)
	b.Logf("%d bytes", len(body))
	b.ReportAllocs()
	for b.Loop() {
		v, err := ojson.Parse(body, ojson.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		if ok, err := s.Valid(v); !ok || err != nil {
			b.Fatal(ok, err, s.Explain(v))
		}
	}
}

func TestTypeNamesAreSorted(t *testing.T) {
	if !slices.IsSorted(namesOf(0xff)) {
		t.Error("messages list types in alphabetical order")
	}
}

func TestSampleTemplates(t *testing.T) {
	for _, tc := range []struct{ schema, want string }{
		{`{"$schema":"http://json-schema.org/draft-04/schema#","title":"Empty Schema","type":"object"}`, "#set($inputRoot = $input.path('$'))\n{ }"},
		{`{"type":"object","properties":{"message":{"type":"string"},"n":{"type":"integer"},"a b":{"$ref":"#/definitions/x"}},"definitions":{"x":{"type":"boolean"}}}`,
			"#set($inputRoot = $input.path('$'))\n{\n  \"message\" : \"$inputRoot.message\",\n  \"n\" : $inputRoot.n,\n  \"a b\" : $inputRoot['a b']\n}"},
		{`{"type":"array","items":{"properties":{"id":{"type":"string"}}}}`,
			"#set($inputRoot = $input.path('$'))\n[\n#foreach($elem in $inputRoot)\n  {\n    \"id\" : \"$elem.id\"\n  }#if($foreach.hasNext),#end\n\n#end\n]"},
	} {
		if got := Template(parse(t, tc.schema)); got != tc.want {
			t.Errorf("%s:\ngot  %q\nwant %q", tc.schema, got, tc.want)
		}
	}
	endless := Template(parse(t, `{"properties":{"a":{"$ref":"#"},"b":{"type":"array","items":{"$ref":"#"}}}}`))
	if len(endless) > 2*maxSample {
		t.Errorf("a model that contains itself gives %d bytes", len(endless))
	}
}

// Models may refer to each other in chains that are longer than a schema may be deep, and in rings.
func TestLongChainOfModels(t *testing.T) {
	const n = 2000
	load := func(name string) (string, bool) {
		i, err := strconv.Atoi(name[1:])
		return fmt.Sprintf(`{"type":"object","properties":{"next":{"$ref":"%s"},"n":{"enum":[%d]}}}`, ModelURI("a", "M"+strconv.Itoa((i+1)%n)), i), err == nil && i < n
	}
	loads := 0
	models := NewModels("a", func(name string) (string, bool) { loads++; return load(name) })
	s, err := models.Model("M0")
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		other, err := models.Model("M" + strconv.Itoa(i))
		if err != nil || i == 0 && other != s {
			t.Fatalf("M%d: %v", i, err)
		}
	}
	if loads != n {
		t.Errorf("%d models were loaded %d times", n, loads)
	}
	for body, want := range map[string]bool{`{"next":{"next":{"n":2}}}`: true, `{"next":{"next":{"n":3}}}`: false, `{"n":0}`: true} {
		v, err := ojson.Parse(body, ojson.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := s.Valid(v); ok != want || err != nil {
			t.Errorf("%s: %v, %v; want %v", body, ok, err, want)
		}
	}
}

// After a model that does not compile, others do.
func TestModelsAfterAnError(t *testing.T) {
	texts := map[string]string{"Good": `{"type":"object"}`, "Bad": `{"properties":{"a":{"$ref":"` + ModelURI("a", "Good") + `"},"b":{"type":"wrong"}}}`, "Text": `{`, "Foreign": `{"$ref":"https://example.com/x"}`}
	models := NewModels("a", func(name string) (string, bool) { s, ok := texts[name]; return s, ok })
	for range 2 {
		for _, name := range []string{"Bad", "Text", "Foreign", "None"} {
			if _, err := models.Model(name); err == nil || errors.Is(err, ErrForeign) != (name == "Foreign") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := models.Model("Good"); err != nil {
			t.Error(err)
		}
	}
}
