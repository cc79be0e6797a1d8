package jsonpath

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"testing"

	"gatehouse/internal/lang/ojson"
	"gatehouse/internal/lang/recording"
)

// recordFrom is a class path with Jayway JsonPath, json-smart and slf4j (Debian's libjsonpath-java
// 2.0.0 and what it needs):
//
//	go test ./internal/lang/jsonpath -run TestDifferential -args -record 'DIR/json-path.jar:DIR/json-smart.jar:…'
var recordFrom = flag.String("record", "", "rewrite testdata/differential.json with what the Jayway JsonPath of this class path answers")

const differentialFile = "testdata/differential.json"

// differentialDocument has every kind of value, members of one name at several depths, and lists in
// lists.
const differentialDocument = `{"s":"word","e":"","n":7,"d":2.5,"neg":-3,"t":true,"f":false,"z":null,` +
	`"l":[1,2,3,4,5],"w":["x","y","z"],"m":[[1,2],[3,[4,5]]],"none":[],"empty":{},` +
	`"o":{"a":1,"b":{"a":2,"c":[{"a":3},{"a":4,"b":null}]},"s":"in"},` +
	`"r":[{"id":1,"k":"p","n":1.5,"tags":["a","b"]},{"id":2,"k":"q","n":2.5,"tags":[]},{"id":3,"k":"p","x":null},{"id":"4","k":"","n":10}],` +
	`"odd name":{"a.b":1,"it's":2,"":3,"é":4}}`

// TestDifferential compares what generated paths find with what Jayway's own library finds: it was
// recorded, so that the test needs neither Java nor a network.
func TestDifferential(t *testing.T) {
	if *recordFrom != "" {
		recording.Make(t, differentialFile, generatePaths(2500), "java", "-cp", *recordFrom, "testdata/Jayway.java", differentialDocument)
	}
	doc, err := ojson.Parse(differentialDocument, ojson.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, a := range recording.Read(t, differentialFile) {
		if known(a) {
			continue
		}
		compared++
		if got := found(doc, a.Input); got != *a.Output {
			t.Errorf("%s\n ours   %s\n jayway %s", a.Input, got, *a.Output)
		}
	}
	if compared < 1000 {
		t.Errorf("%d paths compared, want a thousand", compared)
	}
}

// laterVersions marks paths that versions of the library after the recorded one answer differently,
// as ours does: negative indexes; several indexes or names of which some are not there; functions;
// an index or filter behind a wildcard or a scan that also meets what is no list; != and nin of what
// is missing.
var laterVersions = regexp.MustCompile(`-\d|\[\d,\d\]|','|\(\)|\.\.\[\d|\.\.\*|\.\.\[\*|\[\*\]\[\d|\.\*\[\d|!=|nin`)

// known reports whether the recorded version is not the measure for a path, or cannot read it.
func known(a recording.Answer) bool { return a.Output == nil || laterVersions.MatchString(a.Input) }

// found is what ours finds, as JSON, where what is missing is null, as Jayway.java tells it.
func found(doc ojson.Value, path string) string {
	p, err := Compile(path)
	if err != nil {
		return "error"
	}
	r, err := p.Eval(doc, nil)
	switch {
	case err != nil:
		return err.Error()
	case r.List == nil && r.Value.Kind() == ojson.None:
		return "null"
	}
	return string(r.Append(nil, ojson.Raw))
}

// generatePaths makes n different paths, the same ones each time.
func generatePaths(n int) []string {
	g := pathGenerator{rand.New(rand.NewPCG(7, 11))}
	seen := map[string]bool{}
	var out []string
	for len(out) < n {
		if p := g.path(); !seen[p] {
			seen[p] = true
			out = append(out, p)
		}
	}
	return out
}

type pathGenerator struct{ *rand.Rand }

func (g pathGenerator) pick(choices ...string) string { return choices[g.IntN(len(choices))] }

func (g pathGenerator) path() string {
	b := "$" + g.pick(".", ".", ".", "..") + g.pick("l", "w", "m", "o", "r", "r", "o")
	for range 1 + g.IntN(3) {
		b += g.step()
	}
	if g.IntN(12) == 0 {
		b += g.pick(".length()", ".min()", ".max()", ".avg()")
	}
	return b
}

func (g pathGenerator) name() string {
	return g.pick("s", "e", "n", "d", "z", "l", "w", "m", "o", "r", "a", "b", "c", "id", "k", "tags", "x", "none", "empty", "absent")
}

func (g pathGenerator) step() string {
	switch g.IntN(14) {
	case 0, 1, 2, 3, 4:
		return "." + g.name()
	case 5:
		return "['" + g.pick(g.name(), "odd name", "a.b", "é") + "']"
	case 6:
		return g.pick(".*", "[*]")
	case 7, 8:
		return fmt.Sprintf("[%d]", g.IntN(7)-2)
	case 9:
		return g.pick("[0,1]", "[1,2]", "[0,2]", "[1]")
	case 10:
		return g.pick("[0:2]", "[1:]", "[:1]", "[-2:]", "[:-1]", "[-3:-1]", "[0:9]", "[2:1]", "[9:]")
	case 11:
		return ".." + g.pick(g.name(), "*", "[0]", "[*]", "['"+g.name()+"']")
	case 12:
		return "['" + g.name() + "','" + g.name() + "']"
	}
	return "[?(" + g.condition() + ")]"
}

func (g pathGenerator) condition() string {
	left := g.pick("@."+g.name(), "@."+g.name(), "@['"+g.name()+"']", "@", "@.tags[0]", "@.b.a", "$.n")
	one := g.pick(
		"@."+g.name(),
		left+g.pick(" == ", " != ")+g.pick("1", "2.5", "'p'", "'4'", "true", "null", "''", "@.id"),
		left+g.pick(" < ", " <= ", " > ", " >= ")+g.pick("1", "2.5", "2", "$.n", "$.d"),
		left+" in ['p','x',1,3]",
		left+" nin ['p',2]",
		"@.tags contains 'a'",
		"@.tags size 2",
		"@.k =~ /[a-p]/",
		"@.k =~ /P/i",
	)
	switch g.IntN(8) {
	case 0:
		return one + g.pick(" && ", " || ") + "@." + g.name()
	case 1:
		return "@.id" + g.pick(" > 1 && ", " < 3 || ") + one
	}
	return one
}
