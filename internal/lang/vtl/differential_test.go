package vtl

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/lang/recording"
)

// recordFrom is the folder of an installed npm package velocityjs, an independent
// implementation in JavaScript:
//
//	npm install --prefix DIR velocityjs@2.1.7
//	go test ./internal/lang/vtl -run TestDifferential -args -record DIR/node_modules/velocityjs
var recordFrom = flag.String("record", "", "rewrite testdata/differential.json with what velocityjs in this folder answers")

const differentialFile = "testdata/differential.json"

// differentialData is what the generated templates read.
const differentialData = `{"s":"word","e":"","n":7,"m":{"k":"v","o":{"x":"deep","n":3}},"l":["a","b","c"],"r":[{"id":1},{"id":2}],"t":true,"f":false}`

// TestDifferential compares what generated templates print with what velocityjs prints: it
// was recorded, so that the test needs neither Node nor a network. The generator leaves out
// what the two are known to see differently: what is undefined (velocityjs prints the
// reference), division (JavaScript has no integers), how objects print, blanks before #set
// (see TestVelocity), and && before || without brackets.
func TestDifferential(t *testing.T) {
	if *recordFrom != "" {
		main, err := filepath.Abs(*recordFrom)
		if err != nil {
			t.Fatal(err)
		}
		recording.Make(t, differentialFile, generateTemplates(700), "node", "-e", velocityjs, main, differentialData)
	}
	data := fromJSON(t, differentialData).(*Map)
	known := vars{}
	for name, v := range data.All {
		known[name] = v
	}
	compared := 0
	for _, a := range recording.Read(t, differentialFile) {
		if a.Output == nil {
			continue // velocityjs cannot read it
		}
		compared++
		tmpl, err := Compile(a.Input)
		if err != nil {
			t.Errorf("%q: %v", a.Input, err)
			continue
		}
		out, err := tmpl.Render(nil, known, Limits{})
		if err != nil || string(out) != *a.Output {
			t.Errorf("%q:\n ours       %q, %v\n velocityjs %q", a.Input, out, err, *a.Output)
		}
	}
	if compared < 650 {
		t.Errorf("%d templates compared, want 650 and more", compared)
	}
}

// velocityjs renders a list of templates.
const velocityjs = `
	const { render } = require(process.argv[1]);
	const data = process.argv[2];
	const all = JSON.parse(require('fs').readFileSync(0, 'utf8'));
	process.stdout.write(JSON.stringify(all.map((t) => { try { return render(t, JSON.parse(data)); } catch { return null; } }), null, 0));`

// generateTemplates makes n templates, the same ones each time.
func generateTemplates(n int) []string {
	out := make([]string, n)
	for i := range out {
		g := generator{rand.New(rand.NewPCG(uint64(i), 9)), 0}
		out[i] = "#set($v0 = 0)#set($v1 = 1)#set($v2 = 2)" + g.block(3)
	}
	return out
}

// A generator writes one template.
type generator struct {
	*rand.Rand
	fresh int // names that it made up
}

func (g *generator) pick(choices ...string) string { return choices[g.IntN(len(choices))] }

func (g *generator) block(depth int) string {
	var b strings.Builder
	for range 1 + g.IntN(4) {
		b.WriteString(g.piece(depth))
	}
	return b.String()
}

func (g *generator) piece(depth int) string {
	if depth == 0 {
		return g.pick(g.text(), g.reference()+"|")
	}
	switch g.IntN(11) {
	case 0, 1:
		return g.text()
	case 2, 3, 4:
		return g.reference() + "|"
	case 5:
		return fmt.Sprintf("#set($v%d = %s)[$v%d]|", g.IntN(3), g.number(2), g.IntN(3))
	case 6:
		return "#if(" + g.condition(2) + ")" + g.block(depth-1) + g.pick("", "#{else}"+g.block(depth-1), "#elseif("+g.condition(1)+")"+g.block(depth-1)+"#{else}z") + "#end|"
	case 7:
		name := g.name()
		return "#foreach($" + name + " in " + g.pick("$l", "[1..3]", "[3..1]", `["p", "q"]`, "[2, 4, 8]") + ")" +
			g.pick("$"+name+"; |", "${"+name+"},", "$foreach.index:$"+name+";", "$foreach.count; |", "$"+name+"#if($foreach.hasNext), #end|") + g.block(depth-1) + "#end|"
	case 8:
		name := g.name()
		return "#macro(" + name + " $a)<$a;" + g.text() + ">#end|#" + name + "(" + g.pick("$s", "3", `"lit"`, "$m.k") + ")"
	case 9:
		return g.pick("|#* a block\ncomment *#|", "|#[[ $raw #if ]]#|", "|## to the end\n")
	}
	return "#set($w = " + g.stringLiteral() + ")$w|"
}

func (g *generator) name() string {
	g.fresh++
	return fmt.Sprintf("x%d", g.fresh)
}

func (g *generator) text() string {
	return "|" + g.pick("plain", "{\"a\": 1}", "50% (off)", "a, b; c.", " .", "é€", "$ 5", "# not", "!", "[x]", "a\nb") + "|"
}

func (g *generator) reference() string {
	return g.pick("$s", "${s}", "$!s", "$!{s}", "$m.k", "${m.k}x", "$m.o.x", "$m.get(\"k\")", "$l[0]", "$l.get(1)", "$l.size()", "$n", "${n}th", "$t", "$f", "$!nothing", "$!{nothing}",
		"$!m.nothing", "$r[1].id", "$m[\"k\"]", "$s.", "$s.substring(1)", "$s.substring(1, 3)", "$s.indexOf(\"r\")", "$s.toUpperCase()", "$e|", "$s$n", "${s}[0]|", "$m.keySet().size()|")
}

func (g *generator) number(depth int) string {
	if depth == 0 {
		return g.pick("$n", "2", "10", "0", "$m.o.n", "$l.size()")
	}
	switch g.IntN(5) {
	case 0:
		return g.number(0)
	case 1:
		return "(" + g.number(depth-1) + ")"
	}
	return g.number(depth-1) + " " + g.pick("+", "-", "*") + " " + g.number(depth-1)
}

func (g *generator) condition(depth int) string {
	if depth == 0 {
		return g.pick("$t", "$f", "true", "false", "$s", "$nothing", "$s == \"word\"", "$s != $m.k", "$n > 3")
	}
	switch g.IntN(6) {
	case 0:
		return g.condition(0)
	case 1:
		return "!" + g.pick("$t", "$f", "$nothing", "("+g.condition(depth-1)+")")
	case 2:
		return g.number(1) + " " + g.pick("==", "!=", "<", ">", "<=", ">=") + " " + g.number(1)
	case 3:
		return "(" + g.condition(depth-1) + ")"
	}
	return "(" + g.condition(depth-1) + ") " + g.pick("&&", "||") + " (" + g.condition(depth-1) + ")"
}

func (g *generator) stringLiteral() string {
	return g.pick(`"plain"`, `'single $s'`, `"with $s and ${m.k}"`, `"$l[1]"`, `"$n$n"`)
}
