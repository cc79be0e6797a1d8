package openapi

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func nested(open, inner, end string, n int) string {
	return strings.Repeat(open, n) + inner + strings.Repeat(end, n)
}

// Documents made to harm are refused, in bounded time and memory, with a text that names the place.
func TestHostileDocuments(t *testing.T) {
	const head = `{"openapi":"3.0.1","info":{"title":"t"},`
	laughs := "openapi: 3.0.1\nx: &a [" + strings.Repeat("x,", 50) + "x]\n"
	for c := 'b'; c < 'k'; c++ {
		laughs += fmt.Sprintf("%c: &%c [%s*%c]\n", c, c, strings.Repeat(fmt.Sprintf("*%c,", c-1), 50), c-1)
	}
	var many strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&many, `"/%d":{"$ref":"#/x/y%d"},`, i, i)
	}
	var members strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&members, `"y%d":{},`, i)
	}
	for _, c := range []struct{ name, text, want string }{
		{"billion laughs", laughs, "aliases make the document longer than"},
		{"an alias within itself", "openapi: 3.0.1\npaths: &p {/a: *p}\n", "line 2, column 16: the alias *p stands within what it names"},
		{"a merge of itself", "openapi: 3.0.1\npaths: &p\n  <<: *p\n  /a: {}\n", "merges itself"},
		{"a name that is no text", "openapi: 3.0.1\n? [a]\n: b\n", "line 2, column 3: found a name that is no text"},
		{"deep JSON", head + `"paths":{},"x":` + nested("[", "1", "]", 5000) + "}", "nested deeper"},
		{"deep YAML", "openapi: 3.0.1\nx: " + nested("[", "1", "]", 5000), "nested deeper"},
		{"deep YAML blocks", "openapi: 3.0.1\nx:\n" + func() (s string) {
			for i := range 300 {
				s += strings.Repeat(" ", i+1) + "a:\n"
			}
			return s
		}(), "nested deeper"},
		{"the same name twice in JSON", head + "\n\"paths\":{\"/a\":{},\n\"/a\":{}}}", `line 3: the name "/a" stands twice`},
		{"the same name twice in YAML", "openapi: 3.0.1\npaths:\n  /a: {}\n  /a: {}\n", `line 4, column 3: the name "/a" stands twice`},
		{"the same name twice by escapes", head + `"paths":{"/a":{},"\u002fa":{}}}`, `the name "/a" stands twice`},
		{"a name of a megabyte", head + `"paths":{"/` + strings.Repeat("a", 1<<20) + `":{}}}`, "Unable to create resource at path '/aaaa"},
		{"a path of many parts", head + `"paths":{"` + strings.Repeat("/a", 5000) + `":{}}}`, "a path has at most 4096 bytes"},
		{"a reference to itself", head + `"paths":{"/a":{"$ref":"#/paths/~1a"}}}`, "is a reference to itself"},
		{"references in a ring", head + `"paths":{"/a":{"$ref":"#/x"}},"x":{"$ref":"#/y"},"y":{"$ref":"#/x"}}`, "is a reference to itself"},
		{"a reference to a file", head + `"paths":{"/a":{"$ref":"file:///etc/passwd"}}}`, "is not a reference within the document: file:///etc/passwd"},
		{"a reference to a host", head + `"paths":{"/a":{"get":{"parameters":[{"$ref":"http://169.254.169.254/"}]}}}}`, "paths.'/a'(get).parameters.$ref is not a reference within the document"},
		{"references to nothing, many", head + `"paths":{` + many.String() + `"/":{}},"x":{` + members.String() + `"z":1}}`, ""},
		{"too long", `{"a":"` + strings.Repeat("x", maxDocument) + `"}`, "expected at most 6291456"},
		{"not UTF-8", head + "\"paths\":{\"/\xff\":{}}}", "byte 0xff"},
		{"two documents", "openapi: 3.0.1\n---\nopenapi: 3.0.1\n", "more than one document"},
		{"a number as long as a book", "openapi: 3.0.1\nx: " + strings.Repeat("9", 1<<20), ""},
		{"not a number", "openapi: 3.0.1\nx: .nan\n", "expected a number that JSON can hold"},
		{"a list", "[1]", "found array, expected an object"},
		{"nothing", "", "found no document"},
		{"a version that is a list", `{"openapi":["3.0.1"]}`, "Invalid OpenAPI input. Found version"},
		{"paths that are a list", head + `"paths":[]}`, "Found array at paths, expected an object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			runtime.LockOSThread() // whose time is its own, however busy the machine
			defer runtime.UnlockOSThread()
			began := threadTime(t)
			doc, err := Read([]byte(c.text), Options{API: apiID})
			if spent := threadTime(t) - began; spent > 20*time.Second {
				t.Errorf("took %v of a processor", spent)
			}
			text := ""
			switch {
			case err != nil:
				text = err.Error()
			case c.want == "":
				return
			default:
				text = Refused(doc.Problems, nil)
			}
			if c.want != "" && !strings.Contains(text, c.want) || text == "" || len(text) > 100_000 {
				t.Errorf("got %.500q, want %q", text, c.want)
			}
		})
	}
}

// The same document with one value of the wrong type is refused, and the text names the place.
func TestWrongTypes(t *testing.T) {
	tree, err := Export(generator{fixedRand(), true}.api(), ExportOptions{OpenAPI3: true, Gateway: true, Host: "h", Stage: "s"})
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	var mutate func(v any, set func(any), where string)
	mutate = func(v any, set func(any), where string) {
		if free(where) {
			return
		}
		var wrong any
		switch v := v.(type) {
		case object:
			wrong = "text"
			for i := range v {
				mutate(v[i].value, func(x any) { v[i].value = x }, where+"."+v[i].name)
			}
		case list:
			wrong = object{{"a", "b"}}
		default:
			wrong = object{{"a", list{}}}
		}
		set(wrong)
		tried++
		doc, err := Read(tree.JSON(), Options{API: apiID})
		if err == nil && len(doc.Problems) == 0 && len(doc.Warnings) == 0 {
			t.Errorf("%s: %T instead of %T was taken", where, wrong, v)
		}
		set(v)
	}
	for i := range tree.root {
		mutate(tree.root[i].value, func(x any) { tree.root[i].value = x }, tree.root[i].name)
	}
	if tried < 200 {
		t.Errorf("only %d values tried", tried)
	}
}

// free reports places where a document may have anything: what is not read, and data.
func free(where string) bool {
	for _, part := range []string{".description", ".schema.type", "servers", ".properties.", ".variables", "x-a", ".enum", ".responseTemplates.text/plain", "documentationParts", "x-amazon-apigateway-policy."} {
		if strings.Contains(where, part) {
			return true
		}
	}
	return strings.HasSuffix(where, ".headers.X-A.schema") || strings.HasSuffix(where, ".schema.$ref") && !strings.Contains(where, "requestBody")
}

// A document of the largest size is read with memory in proportion to it.
func TestMemoryIsBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("openapi: 3.0.1\ninfo: {title: t}\npaths:\n")
	for i := 0; b.Len() < maxDocument-1000; i++ {
		fmt.Fprintf(&b, "  /p%d/{id}:\n    get:\n      parameters:\n      - {name: q, in: query, schema: {type: string}}\n      responses: {200: {description: ok}}\n      x-amazon-apigateway-integration: {type: http_proxy, httpMethod: GET, uri: 'https://x.example.com/%d%s'}\n", i, i, strings.Repeat("x", 300))
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	doc, err := Read([]byte(b.String()), Options{API: apiID})
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if len(doc.Problems) > 0 || len(doc.Resources) < 10_000 {
		t.Fatalf("%d resources, %q", len(doc.Resources), doc.Problems)
	}
	if total := (after.TotalAlloc - before.TotalAlloc) >> 20; total > 600 {
		t.Errorf("allocated %d MB in all for a document of 6 MB", total)
	} else {
		t.Logf("%d MB allocated in all", total)
	}
}

// threadTime is the processor time that the calling thread has had.
func threadTime(t *testing.T) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
