package vtl

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"gatehouse/internal/lang/recording"
)

// recordVelocity is a class path with Apache Velocity itself, 1.7, and with Jayway JsonPath, which
// gives it the objects that the service's templates see (Debian's velocity and libjsonpath-java, and
// what they need):
//
//	go test ./internal/lang/vtl -run TestVelocity -args -record-velocity 'DIR/velocity.jar:DIR/json-path.jar:…'
var recordVelocity = flag.String("record-velocity", "", "rewrite testdata/velocity.json with what the Velocity of this class path renders")

const velocityFile = "testdata/velocity.json"

const velocityData = `{"s":"word","e":"","n":7,"d":2.5,"big":3000000000,"neg":-3,"m":{"k":"v","o":{"x":"deep","n":3},"l":[1,{"y":"z"}]},` +
	`"l":["a","b","c"],"r":[{"id":1,"w":"x"},{"id":2}],"t":true,"f":false,"none":[],"csv":"a,b,,c","q":"say \"hi\" it's $5"}`

// TestVelocity compares what generated templates render with what Velocity renders. It was
// recorded, so that the test needs neither Java nor a network.
func TestVelocity(t *testing.T) {
	if *recordVelocity != "" {
		recording.Make(t, velocityFile, generateWide(800), "java", "-cp", *recordVelocity, "testdata/Velocity.java", velocityData)
	}
	compared := 0
	for _, a := range recording.Read(t, velocityFile) {
		if a.Output == nil {
			continue // it failed
		}
		compared++
		if got := renderWide(t, a.Input); got != *a.Output {
			t.Errorf("%q:\n ours     %q\n velocity %q", a.Input, got, *a.Output)
		}
	}
	if compared < 700 {
		t.Errorf("%d templates compared, want 700 and more", compared)
	}
}

func renderWide(t *testing.T, template string) string {
	t.Helper()
	known := vars{}
	for name, v := range fromJSON(t, velocityData).(*Map).All {
		known[name] = v
	}
	tmpl, err := Compile(template)
	if err != nil {
		return "error: " + err.Error()
	}
	out, err := tmpl.Render(nil, known, Limits{})
	if err != nil {
		return "error: " + err.Error()
	}
	return string(out)
}

// generateWide makes n templates, the same ones each time.
func generateWide(n int) []string {
	out := make([]string, n)
	for i := range out {
		g := wide{rand.New(rand.NewPCG(uint64(i), 17)), new(int)}
		out[i] = g.block(3)
	}
	return out
}

// wide writes templates of everything that mapping templates use.
type wide struct {
	*rand.Rand
	fresh *int
}

func (g wide) pick(choices ...string) string { return choices[g.IntN(len(choices))] }

func (g wide) name() string {
	*g.fresh++
	return fmt.Sprintf("x%d", *g.fresh)
}

func (g wide) block(depth int) string {
	var b strings.Builder
	for range 1 + g.IntN(4) {
		b.WriteString(g.piece(depth))
		b.WriteString(g.gap())
	}
	return b.String()
}

// gap is what may stand between pieces: blanks and line ends, which directives take or leave.
func (g wide) gap() string {
	return g.pick("", "", "|", " ", "\n", "  \n", "\n\n", "\t", " | ", "\n  ")
}

func (g wide) piece(depth int) string {
	if depth == 0 {
		return g.pick(g.text(), g.reference())
	}
	switch g.IntN(15) {
	case 0, 1:
		return g.text()
	case 2, 3, 4:
		return g.reference()
	case 5, 6:
		name := g.pick("v", "w", "v2")
		return "#set(" + g.pick("$", "$", " $") + name + g.pick(" = ", "=", " =") + g.expression(2) + g.pick(")", " )") + g.gap() + "[$" + name + "]"
	case 7, 8:
		return "#if" + g.pick("(", " (", "( ") + g.condition(2) + ")" + g.gap() + g.block(depth-1) + g.elses(depth) + "#end"
	case 9, 10:
		return g.loop(depth)
	case 11:
		name := g.name()
		return "#macro(" + name + " $a $b)" + g.gap() + "<$a;$!b;" + g.text() + ">#end" + g.gap() + "#" + name + "(" + g.argument() + " " + g.argument() + ")"
	case 12:
		return g.pick("#* a block\ncomment *#", "#[[ $raw #if ]]#", "|## to the end\n", "#**doc*#", "\\$s", "\\\\$s", "\\#if", "\\$nothing", "\\${s}", "|##\n")
	case 13:
		name := g.name()
		return "#define($" + name + ")" + g.gap() + "d$s" + g.block(depth-1) + "#end" + g.gap() + "$" + name
	}
	return g.mutation()
}

func (g wide) elses(depth int) string {
	out := ""
	if g.IntN(3) == 0 {
		out += "#elseif(" + g.condition(1) + ")" + g.gap() + g.block(depth-1)
	}
	if g.IntN(2) == 0 {
		out += g.pick("#else", "#{else}") + g.pick(" ", "\n", "|") + g.block(depth-1)
	}
	return out
}

func (g wide) loop(depth int) string {
	name := g.name()
	in := g.pick("$l", "[1..3]", "[3..1]", `["p", "q"]`, "[2, 4, 8]", "$r", "$m.keySet()", "$m.o.values()", "$none", "$nothing", "$m.o", "[$neg..0]", "$csv.split(\",\")", "$m.o.entrySet()")
	body := g.pick("$"+name+";", "${"+name+"},", "$foreach.index:$"+name+";", "$foreach.count ", "$"+name+"#if($foreach.hasNext), #end", "$velocityCount", "#if($foreach.first)F#end#if($foreach.last)L#end",
		"#if($foreach.count == 2)#break#end$"+name, "$"+name+".id ", "$foreach.parent.index")
	return "#foreach(" + g.pick("$", " $") + name + " in " + in + ")" + g.gap() + body + g.gap() + g.block(depth-1) + "#end"
}

func (g wide) mutation() string {
	return g.pick(
		`#set($h = {"a": 1, "b": "x"})$h.a $h.b $h`,
		`#set($h = {})#set($h.k = $n)$h.k $h.size()`,
		`#set($h = {"a": $n})$h.put("c", 2)|$h.get("c") $h.containsKey("a") $h.keySet()`,
		`#set($h = [])$h.add("x")$h.add($n) $h $h.size() $h.isEmpty()`,
		`#set($h = ["a", $s, 3, 2.5, true])$h[1]$h.get(0) $h.contains("word") $h.indexOf(3)`,
		`#set($h = [1..4])$h $h.size() $h.get(2)`,
		`#set($o = $m.o)#set($o.x = "new")$m.o.x`,
		`#set($o = $l)#set($o[1] = "B")$l`,
		`#set($h = $csv.split(","))$h.size() $h[0] $h.get(2)|`,
		`$m.remove("k") $m.containsKey("k")`,
		`$m.put("k", "w")$m.k`,
		`$l.add("d")$l.size()$l`,
		`$l.remove(0)$l`,
		`#set($z = $nothing)[$z]#set($z = "set")[$z]#set($z = $nothing)[$z]`,
		`#set($i = 0)#foreach($q in [1..3])#set($i = $i + $q)#end$i`,
		`#set($a1 = "x${s}y$n")$a1 #set($a2 = 'x${s}')$a2`,
		`#set($a1 = "#if($t)yes#end")$a1`,
		`#set($q1 = "say ""hi"" ")$q1 #set($q2 = 'it''s')$q2`,
		"#set($ml = \"two\nlines\")$ml",
		`$q.replace('"', "'") $q.replaceAll("\$", "d")`,
	)
}

func (g wide) argument() string {
	return g.pick("$s", "3", `"lit"`, "$m.k", "$nothing", "'raw $s'", "$l", "true", "[1, 2]", `"$n."`)
}

func (g wide) text() string {
	return g.pick("plain", "{\"a\": 1}", "50% (off)", "a, b; c.", ".", "é€", "$ 5", "# not", "!", "[x]", "a\nb", "$5.00", "# 1", "a@b.c", "#a", "$-", "{", "}", "&lt;", "$(x)", "#(")
}

func (g wide) reference() string {
	return g.pick("$s", "${s}", "$!s", "$!{s}", "$m.k", "${m.k}x", "$m.o.x", "$m.get(\"k\")", "$l[0]", "$l.get(1)", "$l.size()", "$n", "${n}th", "$t", "$f", "$nothing", "$!nothing", "${nothing}", "$nothing.a.b",
		"$m.nothing", "$r[1].id", "$m[\"k\"]", "$s.", "$s.substring(1)", "$s.substring(1, 3)", "$s.indexOf(\"r\")", "$s.toUpperCase()", "[$e]", "$s$n", "${s}[0]", "$m", "$l", "$r", "$r[0]", "$m.o", "$m.l", "$m.l[1].y",
		"$s.length()", "$s.equals(\"word\")", "$s.equalsIgnoreCase(\"WORD\")", "$s.contains(\"or\")", "$s.startsWith(\"w\")", "$s.endsWith(\"x\")", "$s.charAt(1)", "$s.replace(\"o\", \"0\")", "$s.replaceAll(\"[aeiou]\", \"*\")",
		"$s.replaceFirst(\"w\", \"W\")", "$s.matches(\"w.*\")", "$s.concat(\"y\")", "$s.trim()", "$s.isEmpty()", "$e.isEmpty()", "$s.lastIndexOf(\"d\")", "$s.compareTo(\"x\")", "$s.hashCode()", "$n.toString()", "$d", "$d.intValue()", "$big", "$neg",
		"$m.size()", "$m.isEmpty()", "$m.containsKey(\"k\")", "$m.keySet()", "$m.values()", "$m.o.entrySet()", "$none", "$none.size()", "$none.isEmpty()", "$l.contains(\"a\")", "$l.indexOf(\"c\")", "$l.subList(0, 2)", "$l.toString()",
		"$m.toString()", "$r.get(0).get(\"id\")", "$csv.split(\",\").size()", "$csv.split(\",\")[1]", "$q", "$s.nothing()", "$nothing.x()", "$s.length", "$m.o.n", "$l.isEmpty()", "$r.size()", "$n.intValue()", "$t.toString()",
		"$s.format(\"%s-%d\", $s, $n)", "$m.get(\"nothing\")", "$l[$m.o.n]", "$l[7]", "$r[0][\"w\"]", "$m['k']", "${m['k']}", "${l[1]}", "${m.o.x}", "$!{m.o.nothing}", "$m.o.equals($m.o)")
}

func (g wide) expression(depth int) string {
	switch g.IntN(6) {
	case 0:
		return g.pick("$s", `"lit"`, "'raw'", "true", "$nothing", "$l", "$e", `"$n$s"`, "$m.k", "$t", "$none")
	case 1:
		return g.condition(depth - 1)
	case 2:
		return g.pick("$s", `"lit"`, "'raw'", "$e") + g.pick(" + ", "+") + g.pick("$s", `"lit"`, "$n", "$d", "$t", "$l", "$m.o", "1.5", "(1 + $n)") + g.pick("", " + $n", ` + "."`)
	}
	return g.number(depth)
}

// number is a sum that may have no value; texts are no part of it, as what Velocity makes of a text
// and of what has no value is the source of the latter.
func (g wide) number(depth int) string {
	if depth == 0 || g.IntN(4) == 0 {
		return g.pick("$n", "$d", "$neg", "$big", "2", "10", "0", "-4", "1.5", "$m.o.n", "$l.size()", "3.0", "1000000", "2147483647", "$nothing")
	}
	if g.IntN(5) == 0 {
		return "(" + g.number(depth-1) + ")"
	}
	return g.number(depth-1) + g.pick(" + ", " - ", " * ", " / ", " % ", "+", "*") + g.number(depth-1)
}

func (g wide) condition(depth int) string {
	if depth <= 0 {
		return g.pick("$t", "$f", "true", "false", "$s", "$nothing", "$s == \"word\"", "$s != $m.k", "$n > 3", "$e", "$none", "$m.o.n == 3", "$d >= 2.5", "$n eq 7", "$n lt 3", "not $t", "$l.size() == 3", "$s == 'word'", "$n == 7.0", "$d == 2.5", "$n == \"7\"",
			"$t == true", "$nothing == $nothing", "$s.length() != 0", "$m.containsKey(\"k\")", "$r[0].id != $r[1].id")
	}
	switch g.IntN(7) {
	case 0:
		return g.condition(0)
	case 1:
		return "!" + g.pick("$t", "$f", "$nothing", "("+g.condition(depth-1)+")")
	case 2:
		return g.pick("$n", "$d", "2", "$m.o.n", "10", "$big") + g.pick(" == ", " != ", " < ", " > ", " <= ", " >= ", "<", " lt ", " ge ") + g.pick("$n", "$d", "2", "3", "$neg", "2.5")
	case 3:
		return "(" + g.condition(depth-1) + ")"
	}
	return g.condition(depth-1) + g.pick(" && ", " || ", " and ", " or ", "&&") + g.condition(depth-1)
}
