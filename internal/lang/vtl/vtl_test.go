package vtl

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/lang/ojson"
)

// vars are the variables of tests.
type vars map[string]Value

func (v vars) Variable(name string) (Value, bool) {
	x, ok := v[name]
	return x, ok
}

func fromJSON(t testing.TB, text string) Value {
	t.Helper()
	v, err := ojson.Parse(text, ojson.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return FromJSON(v)
}

const document = `{
  "name": "Ann", "empty": "", "n": 7, "d": 1.50, "big": 12345678901234567890, "t": true, "f": false, "nil": null,
  "list": [1, "two", {"three": 3}], "none": [], "obj": {"a": "x", "b": {"c": "deep"}, "a b": 1},
  "csv": "a,b,,c", "path": "/x/y", "uni": "é€😀", "long": 0.12345678901234567890
}`

func render(t testing.TB, text string) (string, error) {
	t.Helper()
	tmpl, err := Compile(text)
	if err != nil {
		return "", err
	}
	out, err := tmpl.Render(nil, vars{"j": fromJSON(t, document)}, Limits{})
	return string(out), err
}

type golden struct{ name, template, want string }

func check(t *testing.T, cases []golden) {
	t.Helper()
	for _, tc := range cases {
		got, err := render(t, tc.template)
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != tc.want {
			t.Errorf("%s:\n%s\ngot  %q\nwant %q", tc.name, tc.template, got, tc.want)
		}
	}
}

func TestReferences(t *testing.T) {
	check(t, []golden{
		{"plain", `a $j.name b`, `a Ann b`},
		{"formal", `${j.name}son`, `Annson`},
		{"quiet", `$!j.name $!{j.name}`, `Ann Ann`},
		{"undefined prints nothing", `[$foo][$!foo][${foo}][$j.foo.bar.baz][$j.nil]`, `[][][][][]`},
		{"nested", `$j.obj.b.c`, `deep`},
		{"index by name", `$j["obj"]["a"] $j.obj['a b']`, `x 1`},
		{"index by number", `$j.list[0] $j.list[1] $j.list[2].three`, `1 two 3`},
		{"negative index", `$j.list[-1].three`, `3`},
		{"index by reference", `#set($i = 1)$j.list[$i]`, `two`},
		{"index outside", `[$j.list[9]]`, `[]`},
		{"get", `$j.get("name") $j.list.get(1)`, `Ann two`},
		{"trailing dot", `$j.name. $j.name.`, `Ann. Ann.`},
		{"dollars that begin no reference", `$ $5 $. $$ "$.a" $-x $!`, `$ $5 $. $$ "$.a" $-x $!`},
		{"text in brackets", `$j.name[x] $j.name[`, `Ann[x] Ann[`},
		{"parenthesis behind a variable", `$j.name (a) $foo(b)`, `Ann (a) (b)`},
		{"hyphen", `$j.n-1 ${j.n}-x $j.n- y`, ` 7-x 7- y`},
		{"dollar amount", `#set($d = "$")cost: ${d}5`, `cost: $5`},
		{"property of a string", `[$j.name.foo]`, `[]`},
		{"property of a list", `[$j.list.nested][$j.none.nested]`, `[][]`},
		{"no reflection", `[$j.name.class][$j.name.getClass()][$j.class.forName("x")]`, `[][][]`},
	})
}

// TestPrinting: aws-behaviour-recorded section 19.
func TestPrinting(t *testing.T) {
	check(t, []golden{
		{"map", `$j.obj.b`, `{c=deep}`},
		{"list", `$j.list`, `[1,"two",{"three":3}]`},
		{"object in a list", `$j.list[2]`, `{three=3}`},
		{"map with list", `#set($m = {"l": $j.list})$m`, `{l=[1,"two",{"three":3}]}`},
		{"map with null", `#set($m = {"l": $j.nil, "k": "v"})$m`, `{l=null, k=v}`},
		{"own list", `#set($l = ["a", 1, true, $j.nil])$l`, `[a, 1, true, null]`},
		{"empty", `#set($l = [])#set($m = {})$j.none $l $m`, `[] [] {}`},
		{"numbers", `$j.n $j.d $j.big`, `7 1.5 12345678901234567890`},
		{"booleans", `$j.t $j.f`, `true false`},
		{"changed list stays JSON", `#set($x = $j.list.add("a/b"))$j.list`, `[1,"two",{"three":3},"a\/b"]`},
		{"toString", `$j.obj.b.toString() $j.list.toString()`, `{c=deep} [1,"two",{"three":3}]`},
		{"unread list in a read one", `#set($x = $j.list[0])$j.list`, `[1,"two",{"three":3}]`},
	})
}

func TestNull(t *testing.T) {
	check(t, []golden{
		{"null is null and empty", `#if($j.nil == $null)1#end#if($j.nil == "")2#end#if("" == $j.missing)3#end#if($j.missing == $j.nil)4#end`, `1234`},
		{"a value is neither", `#if($j.name == $null)1#end#if($j.name == "")2#end#if($j.none == "")3#end#if($j.none == $null)4#end`, ``},
		{"set to null", `#set($x = 1)#set($x = $j.nil)[$x]`, `[]`},
		{"truth", `#if($j.nil)1#end#if($j.f)2#end#if($j.empty)3#end#if($j.none)4#end#if(0)5#end#if($foo)6#end`, `345`},
		{"method of null", `[$j.nil.foo()][$j.nil.length()]`, `[][]`},
		{"null with text", `#set($x = "a" + $j.nil)$x`, `a`},
		{"null arithmetic", `#set($x = 1 + $j.nil)[$x]`, `[]`},
		{"null comparison", `#if($j.nil < 1)1#end#if($j.nil >= 0)2#end`, ``},
	})
}

func TestDirectives(t *testing.T) {
	check(t, []golden{
		{"if", `#if(true)a#{else}b#end #if(false)a#elseif(true)c#{else}b#end #if(false)a#{else}b#end`, `a c b`},
		{"nested if", `#if(true)#if(false)a#{else}b#end#end`, `b`},
		{"foreach", `#foreach($x in $j.list)<$x>#end`, `<1><two><{three=3}>`},
		{"foreach over a map goes through its values", `#foreach($x in $j.obj)<$x>#end`, `<x><{c=deep}><1>`},
		{"foreach over keys", `#foreach($k in $j.obj.keySet())$k=$j.obj[$k];#end`, `a=x;b={c=deep};a b=1;`},
		{"foreach over entries", `#foreach($e in $j.obj.b.entrySet())$e.key:$e.value $e#end`, `c:deep c=deep`},
		{"foreach over nothing", `#foreach($x in $j.none)a#end#foreach($x in $j.nil)b#end#foreach($x in $j.name)c#end`, ``},
		{"foreach over a range", `#foreach($i in [1..3])$i#end #foreach($i in [2..-1])$i,#end`, `123 2,1,0,-1,`},
		{"loop variables", `#foreach($x in ["a","b","c"])$foreach.index$foreach.count$velocityCount#if($foreach.first)F#end#if($foreach.last)L#end#if($foreach.hasNext),#end#end`, `011F,122,233L`},
		{"velocityHasNext", `#foreach($x in [1,2])$x#if($velocityHasNext),#end#end`, `1,2`},
		{"parent loop", `#foreach($x in [1,2])#foreach($y in [1,2])$foreach.parent.index$foreach.topmost.count #end#end`, `01 01 12 12 `},
		{"loop variable is restored", `#set($x = "out")#foreach($x in [1])$x#end$x/$foreach/`, `1out//`},
		{"set in a loop stays", `#set($s = 0)#foreach($x in [1,2,3])#set($s = $s + $x)#end$s`, `6`},
		{"break", `#foreach($x in [1..9])#if($x == 3)#break#end$x#end.`, `12.`},
		{"break leaves one loop", `#foreach($y in [1,2])#foreach($x in [1..9])#if($x == 2)#break($foreach)#end$x#end;#end`, `1;1;`},
		{"stop", `a#stop b`, `a`},
		{"stop in a loop", `#foreach($x in [1..9])$x#if($x == 2)#stop#end#end`, `12`},
		{"define", `#define($d)<$x>#end#set($x = 1)$d#set($x = 2)$d`, `<1><2>`},
		{"define in a string", `#define($d)x#end#set($s = "a${d}b")$s`, `axb`},
		{"macro", `#macro(hi $name $greeting)$greeting, $name!#end#hi("Ann" "Hello")#hi($j.name, "Bye")`, `Hello, Ann!Bye, Ann!`},
		{"macro before its definition", `#hi("x")#macro(hi $n)<$n>#end`, `<x>`},
		{"macro with too few arguments", `#macro(hi $n $m)<$n$m>#end#hi("x")`, `<x>`},
		{"macro takes references by name", `#macro(twice $x)#set($y = 1)$x#set($y = 2)$x#end#twice($y)`, `12`},
		{"macro calls a macro", `#macro(a $x)[#b($x)]#end#macro(b $x)<$x>#end#a("1")`, `[<1>]`},
		{"macro with a body", `#macro(box)<$bodyContent>#end#@box()in $j.name#end`, `<in Ann>`},
		{"return from a macro", `#macro(m)a#if(true)#return#end b#end#m()c`, `ac`},
		{"macro argument assigned", `#macro(m $x)#set($x = "new")$x#end#set($y = "old")#m($y)$y`, `newold`},
		{"evaluate", `#set($x = 5)#evaluate('$x#set($z = 1)')$z`, `51`},
		{"evaluate with a macro", `#evaluate("#macro(q $a)<$a>#end#q('x')")`, `<x>`},
		{"unknown directives are text", `#foo #fff #foo(1) # #{ #{a}`, `#foo #fff #foo(1) # #{ #{a}`},
		{"literal block", `#literal()$j.name #if(x)a#end b#end$j.n`, `$j.name #if(x)a#end b7`},
	})
}

func TestSet(t *testing.T) {
	check(t, []golden{
		{"property", `#set($j.new = "v")$j.new`, `v`},
		{"index", `#set($j["k"] = "v")$j.k#set($j.list[0] = "z")$j.list`, `v["z","two",{"three":3}]`},
		{"deep", `#set($j.obj.b.c = "changed")$j.obj.b`, `{c=changed}`},
		{"of nothing", `#set($foo.bar = 1)[$foo.bar]`, `[]`},
		{"method with effect", `$j.obj.b.put("k", "v")$j.obj.b $j.obj.b.put("k", "w")`, `{c=deep, k=v} v`},
		{"literals", `#set($x = {"a": 1, "b": ["x", {"y": 'z'}]})$x.a $x.b[1].y`, `1 z`},
		{"raw and interpolated strings", `#set($a = "v: $j.name")#set($b = 'v: $j.name')$a|$b`, `v: Ann|v: $j.name`},
		{"doubled quotes", `#set($a = "say ""hi"" $j.n")#set($b = 'it''s')$a $b`, `say "hi" 7 it's`},
		{"backslashes stay", `#set($a = "a\nb")$a`, `a\nb`},
		{"directives in strings", `#set($a = "#if($j.t)yes#{else}no#end")$a`, `yes`},
		{"dollar alone in a string", `#set($a = "$.x $")$a`, `$.x $`},
	})
}

func TestArithmetic(t *testing.T) {
	cases := []golden{}
	for expr, want := range map[string]string{
		`1 + 2 * 3`: "7", `(1 + 2) * 3`: "9", `7 / 2`: "3", `-7 / 2`: "-3", `7 % 3`: "1", `-7 % 3`: "-1",
		`7 / 0`: "", `7 % 0`: "", `1.5 + 1`: "2.5", `3 / 2.0`: "1.5", `1.0 * 3`: "3.0", `1.0 / 0.0`: "",
		`9223372036854775807 + 1`: "9223372036854775808", `9223372036854775807 * 2`: "18446744073709551614",
		`-9223372036854775807 - 2`: "-9223372036854775809", `12345678901234567890 - 12345678901234567889`: "1",
		`10000000.0 * 1`: "1.0E7", `"a" + 1`: "a1", `1 + "a"`: "1a", `"5" * 2`: "", `2 - 3`: "-1", `5-3`: "2",
		`-$j.n`: "-7", `- 3`: "-3", `1e3`: "1000.0", `true`: "true", `!true`: "false", `1 - -1`: "2",
		`$j.d + 1`: "2.5", `2147483647 + 1`: "2147483648", `10 - 2 - 3`: "5", `100 / 10 / 5`: "2",
	} {
		cases = append(cases, golden{expr, `#set($x = ` + expr + `)$x`, want})
	}
	check(t, cases)
}

func TestComparison(t *testing.T) {
	cases := []golden{}
	for expr, want := range map[string]bool{
		`1 == 1.0`: true, `1 == "1"`: true, `"a" == "a"`: true, `"a" != "b"`: true, `1 < 2`: true, `2 <= 2`: true,
		`3 > 2.5`: true, `2 >= 3`: false, `"a" < "b"`: false, `true == true`: true, `true == "true"`: true,
		`1 eq 1`: true, `1 ne 1`: false, `1 lt 2`: true, `1 gt 2`: false, `1 le 1`: true, `1 ge 2`: false,
		`true && false`: false, `true || false`: true, `true and false`: false, `true or false`: true, `not true`: false,
		`!false && true`: true, `false && true || true`: true, `false && (true || true)`: false,
		`[1,2] == [1,2]`: true, `{"a":1} == {"a":1}`: true, `[1] == [2]`: false, `$j.list == $j.list`: true,
		`12345678901234567890 > 1`: true, `$j.name == "Ann" && $j.n == 7`: true, `$j.name.length() == 3`: true,
		`$j.none == "[]"`: true, `1 == null`: false, `$foo == null`: true,
	} {
		text := "no"
		if want {
			text = "yes"
		}
		cases = append(cases, golden{expr, `#if(` + expr + `)yes#{else}no#end`, text})
	}
	check(t, cases)
}

func TestStringMethods(t *testing.T) {
	cases := []golden{}
	for expr, want := range map[string]string{
		`$j.name.length()`: "3", `$j.uni.length()`: "4", `$j.name.toUpperCase()`: "ANN", `$j.name.substring(1)`: "nn",
		`$j.name.substring(1, 2)`: "n", `$j.uni.substring(1, 2)`: "€", `$j.csv.split(",").size()`: "4", `$j.csv.split(",")[3]`: "c",
		`$j.csv.split(",", 2)[1]`: "b,,c", `$j.csv.replace(",", ";")`: "a;b;;c", `$j.csv.replaceAll("[,]+", "-")`: "a-b-c",
		`$j.csv.replaceFirst(",", "-")`: "a-b,,c", `$j.path.indexOf("/", 1)`: "2", `$j.path.lastIndexOf("/")`: "2", `$j.path.indexOf("q")`: "-1",
		`$j.name.contains("nn")`: "true", `$j.name.startsWith("A")`: "true", `$j.name.endsWith("A")`: "false",
		`$j.name.equals("Ann")`: "true", `$j.name.equals($j.n)`: "false", `$j.name.equalsIgnoreCase("ANN")`: "true",
		`$j.name.matches("A.*")`: "true", `$j.name.matches("n+")`: "false", `$j.name.isEmpty()`: "false", `$j.empty.isEmpty()`: "true",
		`$j.name.concat("e")`: "Anne", `" a ".trim()`: "error", `$j.name.charAt(0)`: "A", `$j.name.compareTo("Anm")`: "1",
		`$j.name.hashCode()`: "65985", `$j.name.format("%s-%05d|%-4s|%.2f", "x", 42, "y", 1.5)`: "x-00042|y   |1.50",
		`$j.name.format('%,d %x %b %% %2$s', 1234567, 255, 'z')`: "1,234,567 ff true % 255", `$j.name.join("-", ["a", "b"])`: "a-b",
		`$j.name.foo()`: "", `$j.name.substring("x")`: "", `$j.name.toLowerCase().toUpperCase()`: "ANN", `$j.path.split("/").size()`: "3",
		`$j.name.lastIndexOf("n", 1)`: "1", `$j.name.codePointAt(0)`: "65", `$j.name.repeat(2)`: "AnnAnn",
	} {
		if want == "error" {
			continue
		}
		cases = append(cases, golden{expr, expr, want})
	}
	check(t, cases)
	// The guide's idiom: quotes escaped for JavaScript are repaired for JSON.
	check(t, []golden{{"repair of quotes", `#set($s = "it\'s")$s.replaceAll("\\'","'")`, `it's`}})
}

func TestCollectionMethods(t *testing.T) {
	check(t, []golden{
		{"list", `$j.list.size() $j.list.isEmpty() $j.none.isEmpty() $j.list.contains("two") $j.list.indexOf("two") $j.list.contains(9)`, `3 false true true 1 false`},
		{"add", `#set($l = [])$l.add("a")$l.add(0, "b")$l`, `true[b, a]`},
		{"addAll", `#set($l = [1])$l.addAll([2,3])$l`, `true[1, 2, 3]`},
		{"remove", `#set($l = ["a","b","c"])$l.remove(0)$l.remove("c")$l`, `atrue[b]`},
		{"set", `#set($l = ["a"])$l.set(0, "z")$l`, `a[z]`},
		{"subList is a list of Java's", `$j.list.subList(0, 2)`, `[1, two]`},
		{"iterator", `#set($it = $j.list.iterator())#foreach($x in $it)$x,#end`, `1,two,{three=3},`},
		{"map", `$j.obj.size() $j.obj.containsKey("a") $j.obj.containsKey("z") $j.obj.keySet() $j.obj.b.values()`, `3 true false [a, b, a b] [deep]`},
		{"map changes", `#set($m = {})$m.put("a", 1)$m.put("b", 2)$m.putAll({"c": 3})$m.remove("a")$m $m.getOrDefault("q", "d")`, `1{b=2, c=3} d`},
		{"many entries", `#set($m = {})#foreach($i in [1..20])$m.put("k$i", $i)#end$m.k20 $m.remove("k3")$m.size()`, `20 319`},
		{"numbers", `$j.d.intValue() $j.n.doubleValue() $j.n.toString().length() $j.n.compareTo(8) $j.n.equals(7) $j.n.parseInt("12")`, `1 7.0 1 -1 true 12`},
		{"statement prints the previous value", `[$j.obj.put("new", "v")]`, `[]`},
	})
}

func TestCommentsEscapesAndLiterals(t *testing.T) {
	check(t, []golden{
		{"line comment takes the line end", "a## comment $x\nb", `ab`},
		{"block comment", `a#* $x #if *#b`, `ab`},
		{"unparsed", `#[[$j.name #if ]]#$j.name`, `$j.name #if Ann`},
		{"escaped reference", `\$j.name \\$j.name \\\$j.name`, `$j.name \Ann \$j.name`},
		{"escaped method", `\$j.get("name")`, `$j.get("name")`},
		{"escaped directive", `\#if(true) \\#if(true)x#end \#set($x = 1)`, `#if(true) \x #set( = 1)`},
		{"backslash elsewhere", `\ \\ \n \"$5 \#foo`, `\ \\ \n \"$5 \#foo`},
	})
}

// TestWhiteSpace: Velocity 1.7 takes the rest of a directive's line, and the blanks
// before #set where no text precedes them.
func TestWhiteSpace(t *testing.T) {
	check(t, []golden{
		{"set at the beginning of a line", "a\n  #set($x = 1)  \nb", "a\n  b"},
		{"set behind text", "a #set($x = 1) b", "a  b"},
		{"set behind a reference", "$j.n #set($x = 1) b", "7 b"},
		{"set behind another", " #set($x = 1)\n  #set($y = 2)\nb", "b"},
		{"set behind a comment", "## c\n\t#set($x = 1)b", "b"},
		{"if", "a\n #if(true)  \n b\n #end \nc", "a\n  b\n c"},
		{"else", "#if(false)\na\n#else\nb\n#end\nc", "b\nc"},
		{"foreach", "#foreach($x in [1,2])\n$x\n#end\n", "1\n2\n"},
		{"windows", "#set($x = 1)\r\n#if(true)\r\na\r\n#end\r\n", "a\r\n"},
		{"macro", "#macro(m)\nx\n#end\n#m()\ny", "x\ny"},
		{"expression over lines", "#set($x = {\n \"a\" : 1,\n \"b\" : 2\n})\n$x.b", "2"},
		{"if over lines", "#if( $j.t &&\n   $j.n == 7 )x#end", "x"},
	})
}

func TestParseErrorsNameTheirPlace(t *testing.T) {
	for _, tc := range []struct{ template, want string }{
		{"a\n#if(true) b", "line 2, column 1: found the end of the template, expected #end of this #if"},
		{"#end", "line 1, column 5: #end without a directive that it belongs to"},
		{"x\n\n  #include('a')", "line 3, column 3: #include is not available: a template has no files to read"},
		{"#parse('a')", "line 1, column 1: #parse is not available: a template has no files to read"},
		{"#set($x 1)", `line 1, column 9: found "1", expected '=' in #set`},
		{"#set(x = 1)", `line 1, column 6: found "x", expected a reference in #set`},
		{"#set($x.y() = 1)", "line 1, column 1: #set cannot assign to the result of a method"},
		{"#set($x = )", `line 1, column 11: found ")", expected a value`},
		{"#set($x = 'a)", `line 1, column 11: string without its closing '\''`},
		{"#foreach($x of $y)a#end", `line 1, column 13: found "o", expected 'in'`},
		{"${a.b c}", `line 1, column 6: found " ", expected '}' of ${a.b`},
		{"$a.b(1", `line 1, column 7: found the end, expected ',' or ')'`},
		{"#* a", "line 1, column 1: comment #* without *#"},
		{"#[[ a", "line 1, column 1: #[[ without ]]#"},
		{"#set($x = [1 2])", `line 1, column 14: found "2", expected ',' or ']'`},
		{`#set($x = "ab $y.z(")`, `line 1, column 20: found the end, expected a value`},
		{"#if true", `line 1, column 5: found "t", expected '(' after #if`},
		{"#break($macro)", "line 1, column 1: #break($macro): only the innermost loop can be left"},
		{strings.Repeat("#if(true)", 200) + strings.Repeat("#end", 200), "line 1, column 896: nested deeper than 100"},
	} {
		_, err := Compile(tc.template)
		var perr *ParseError
		if !errors.As(err, &perr) || err.Error() != tc.want {
			t.Errorf("%.40q:\ngot  %v\nwant %s", tc.template, err, tc.want)
		}
	}
}

func TestRenderErrors(t *testing.T) {
	for _, tc := range []struct{ template, want string }{
		{"a\n $j.name.substring(9)", "line 2, column 2: substring(9, 3): the string has 3 characters"},
		{"$j.list.get(9)", "line 1, column 1: get(9): the list has 3 elements"},
		{`$j.name.matches("[")`, "line 1, column 1: regular expression \"\\\\A(?:[)\\\\z\": error parsing regexp: unterminated [] set in `[)\\z`"},
		{`#set($l = [])#set($l[0] = 1)`, "line 1, column 14: index is outside of the list"},
		{`$j.name.format("%d", "x")`, "line 1, column 1: format: %d does not fit a string"},
	} {
		_, err := render(t, tc.template)
		var rerr *RenderError
		if !errors.As(err, &rerr) || err.Error() != tc.want && !strings.Contains(tc.want, "regular") {
			t.Errorf("%s:\ngot  %v\nwant %s", tc.template, err, tc.want)
		}
	}
}

// TestBombs: templates that would use up memory or time end with the limit they pass.
func TestBombs(t *testing.T) {
	loops := func(n int, body string) string {
		return strings.Repeat("#foreach($i in [1..1000])", n) + body + strings.Repeat("#end", n)
	}
	for _, tc := range []struct {
		name, template string
		want           error
	}{
		{"loops", loops(4, "#set($x = 1)"), ErrWork},
		{"output", loops(3, strings.Repeat("x", 1000)), ErrOutput},
		{"doubled string", `#set($s = "xxxxxxxxxx")` + loops(1, `#set($s = "$s$s")`), ErrOutput},
		{"added string", `#set($s = "xxxxxxxxxx")` + loops(1, `#set($s = $s + $s)`), ErrOutput},
		{"replaced string", `#set($s = "xxxxxxxxxx")` + loops(1, `#set($s = $s.replace("x", "xxxx"))`), ErrOutput},
		{"replaced string by pattern", `#set($s = "xxxxxxxxxx")` + loops(1, `#set($s = $s.replaceAll("x", "xxxx"))`), nil},
		{"replaced string by groups", `#set($s = "xxxxxxxxxx")` + loops(1, `#set($s = $s.replaceAll("(x)", "$1$1$1$1"))`), nil},
		{"split string", `#set($s = "xxxxxxxxxx")` + loops(1, `#set($s = $s + $s)#set($l = $s.split(""))`), nil},
		{"repeated string", `#set($s = "x".concat("y"))`, nil},
		{"list in itself", `#set($l = [1])$l.add($l)$l`, ErrDepth},
		{"list of lists", `#set($l = ["xxxxxxxxxx"])` + loops(1, `#set($l = [$l, $l])`) + `$l`, nil},
		{"doubled list", `#set($l = [1])` + loops(1, `$l.addAll($l)`), nil},
		{"macro that calls itself", `#macro(m)#m()#end#m()`, ErrDepth},
		{"macros that double", `#macro(a $x)#b($x)#b($x)#end#macro(b $x)#a($x)#a($x)#end#a(1)`, nil},
		{"define of itself", `#define($d)$d#end$d`, ErrDepth},
		{"evaluate of itself", `#set($e = '#evaluate($e)')#evaluate($e)`, ErrDepth},
		{"evaluations", loops(3, `#evaluate("#if(true)a#end")`), ErrWork},
		{"squared numbers", `#set($n = 9)` + loops(1, `#set($n = $n * $n)`), ErrOutput},
		{"width", `#set($s = "")$s.format("%999999d", 1)`, nil},
		{"equal lists", `#set($a = [1])#set($b = [1])` + loops(1, `#set($a = [$a, $a])#set($b = [$b, $b])`) + `#if($a == $b)x#end`, nil},
		{"range", `#foreach($i in [1..999999999999])x#end`, nil},
		{"slow patterns", `#set($s = "aaaaaaaaaaaaaa!")` + loops(2, `#if($s.matches("(?=a)(a+)+\1"))x#end`), ErrWork},
		{"hostile pattern", `#set($s = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!")$s.matches("(?=a)(a+)+\1")`, nil},
	} {
		tmpl, err := Compile(tc.template)
		if err != nil {
			if tc.name == "repeated string" {
				continue
			}
			t.Fatalf("%s: %v", tc.name, err)
		}
		_, err = tmpl.Render(nil, vars{}, Limits{Output: 1 << 17, Work: 1_000_000, Time: time.Hour})
		if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.want)
		}
	}
}

func TestLoopsEndSilentlyAtTheLimit(t *testing.T) {
	tmpl, err := Compile(`#foreach($i in [1..2000])#set($n = $foreach.count)#end$n`)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := tmpl.Render(nil, nil, Limits{}); err != nil || string(out) != "1000" {
		t.Errorf("got %s, %v, want 1000 turns", out, err)
	}
}

func TestTime(t *testing.T) {
	tmpl, err := Compile(`#foreach($i in [1..1000])#foreach($k in [1..1000])x#end#end`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tmpl.Render(nil, nil, Limits{Time: time.Nanosecond}); !errors.Is(err, ErrTime) {
		t.Errorf("got %v, want ErrTime", err)
	}
}

// TestHostileTemplatesCompile: text that nearly is a template must not make the parser try
// the same thing again and again; it would not end within the test's time.
func TestHostileTemplatesCompile(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("$x[", 20000), strings.Repeat("${", 50000), strings.Repeat("$x.a(", 20000),
		strings.Repeat(`\\$x[`, 20000), strings.Repeat("#if(", 20000), strings.Repeat("#set($x=(", 20000),
		strings.Repeat("#macro(m)", 20000), strings.Repeat("$a", 100000), strings.Repeat("\n", 300000), strings.Repeat("$x[$y[1", 20000),
	} {
		_, err := Compile(text)
		var perr *ParseError
		if err != nil && !errors.As(err, &perr) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

func TestTemplatesAreLimitedInSize(t *testing.T) {
	if _, err := Compile(strings.Repeat("x", MaxTemplate+1)); err == nil {
		t.Error("a template above the limit compiles")
	}
}

// FuzzTemplate requires that rendering is bounded and repeatable, and that text without
// special characters is kept.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{
		`#set($x = $j.list)#foreach($i in $x)$i#if($foreach.hasNext),#end#end`, `#macro(m $a)<$a>#end#m($j.obj)`,
		`#define($d)#if($j.t)$!{j.name}#{else}\$x#end#end$d`, `$j.csv.split(",")[0].replaceAll("a","$0") #[[x]]# #* c *#`,
		`#evaluate("$j.n")#set($j.obj["k"] = [1..3])$j.obj`, `#if(!($j.n > 3 && "a" + 1 == 'a1') || 7 / 2 % 2 == 1)#stop#end`,
	} {
		f.Add(s)
	}
	doc, err := ojson.Parse(document, ojson.Limits{})
	if err != nil {
		f.Fatal(err)
	}
	limits := Limits{Output: 1 << 16, Work: 20_000, Time: time.Second}
	f.Fuzz(func(t *testing.T, text string) {
		tmpl, err := Compile(text)
		if err != nil {
			var perr *ParseError
			if !errors.As(err, &perr) || perr.Line < 1 || perr.Column < 1 {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		out, err := tmpl.Render(nil, vars{"j": FromJSON(doc)}, limits)
		again, err2 := tmpl.Render(nil, vars{"j": FromJSON(doc)}, limits)
		if (err == nil) != (err2 == nil) || string(out) != string(again) {
			if errors.Is(err, ErrTime) || errors.Is(err2, ErrTime) {
				return
			}
			t.Fatalf("%q renders as %q, %v, then as %q, %v", text, out, err, again, err2)
		}
		if len(out) > limits.Output {
			t.Fatalf("%q: %d bytes", text, len(out))
		}
		if !strings.ContainsAny(text, `$#\`) && string(out) != text {
			t.Fatalf("%q renders as %q", text, out)
		}
	})
}

const benchTemplate = `#set($root = $j)
#set($customer = $root.order.customer)
{
  "id": "$root.order.id",
  "customer": {
    "name": "$customer.name",
    "email": "$customer.email.toLowerCase()"
  },
  "count": $root.order.items.size(),
  "items": [
#foreach($item in $root.order.items)
    {
      "sku": "$item.id",
#if($item.active && $item.price > 10)
      "price": $item.price,
#end
      "tag": "$item.tags[0]"
    }#if($foreach.hasNext),#end
#end
  ]
}
`

var benchBody = func() string {
	item := `{"id":12345,"name":"Blue Widget","price":19.99,"tags":["a","bb","ccc"],"description":"` + strings.Repeat("lorem ipsum ", 12) + `","stock":{"berlin":4,"paris":0},"active":true,"note":null},`
	return `{"order":{"id":"A-1001","customer":{"name":"Jane Doe","email":"Jane@Example.com"},"items":[` +
		strings.TrimSuffix(strings.Repeat(item, 6), ",") + `]}}`
}()

// BenchmarkTemplate is the whole of a request's work: 2 KB of JSON read, a template of 20
// lines rendered.
func BenchmarkTemplate(b *testing.B) {
	tmpl, err := Compile(benchTemplate)
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%d bytes of JSON", len(benchBody))
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		doc, err := ojson.Parse(benchBody, ojson.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		if buf, err = tmpl.Render(buf[:0], vars{"j": FromJSON(doc)}, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(benchTemplate); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleTemplate_Render() {
	tmpl, _ := Compile("Hello $name.toUpperCase()!")
	out, _ := tmpl.Render(nil, vars{"name": "you"}, Limits{})
	fmt.Println(string(out))
	// Output: Hello YOU!
}
