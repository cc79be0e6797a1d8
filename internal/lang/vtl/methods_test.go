package vtl

import (
	"strings"
	"testing"

	"gatehouse/internal/lang/ojson"
)

// TestMoreMethods: the rest of Java's methods, each case one expression.
func TestMoreMethods(t *testing.T) {
	var cases []golden
	for expr, want := range map[string]string{
		// Strings.
		`$j.empty.isBlank()`: "true", `$j.name.strip()`: "Ann", `$j.name.intern()`: "Ann", `$j.name.toCharArray()`: "[A, n, n]",
		`$j.name.toCharArray().size()`: "3", `$j.name.compareToIgnoreCase("ANN")`: "0", `$j.name.contentEquals("Ann")`: "true",
		`$j.name.valueOf(5)`: "5", `$j.name.valueOf("x")`: "x", `$j.name.valueOf(true)`: "true", `$j.name.lastIndexOf("n")`: "2",
		`$j.name.indexOf(110)`: "1", `$j.uni.lastIndexOf("😀")`: "2", `$j.uni.charAt(1)`: "€", `$j.name.startsWith("n", 1)`: "true",
		`$j.name.subSequence(0, 2)`: "An", `$j.csv.split(",", -1).size()`: "4", `$j.name.repeat(0)`: "", `$j.name.length(1)`: "",
		`$j.name.empty`: "false", `$j.name.foo.bar`: "", `$j.name.compareTo("B")`: "-1", `$j.name.equals("ann")`: "false",
		`$j.name.lastIndexOf("n", -1)`: "-1", `$j.path.indexOf("x", 9)`: "-1", `$j.path.indexOf("x", -4)`: "1",
		// Formats.
		`$j.name.format('%+d|% d|%(d|%x|%X|%o', 5, 5, -5, -1, 255, 8)`:             "+5| 5|(5)|ffffffff|FF|10",
		`$j.name.format('%c%c|%S|%.1s|%b|%e', 65, 'b', 'up', 'cut', $j.nil, 12.5)`: "Ab|UP|c|false|1.250000e+01",
		`$j.name.format('%s %s', [1, 'x'])`:                                        "1 x", `$j.name.format('%,.2f', 1234567.891)`: "1,234,567.89", `$j.name.format('%n%%')`: "\n%",
		`$j.name.format('%s', $j.nil)`: "null", `$j.name.format('%-6.2f|', 1.0)`: "1.00  |", `$j.name.format('%06.1f', -2.5)`: "-002.5",
		// Numbers and booleans.
		`$j.d.longValue()`: "1", `$j.big.intValue()`: "-350287150", `$j.big.longValue()`: "-6101065172474983726", `$j.n.shortValue()`: "7",
		`$j.n.byteValue()`: "7", `$j.d.isNaN()`: "false", `$j.d.isInfinite()`: "false", `$j.d.equals(1.5)`: "true", `$j.n.equals("7")`: "false",
		`$j.n.parseDouble("2.50")`: "2.5", `$j.n.floatValue()`: "7.0", `$j.t.booleanValue()`: "true", `$j.t.compareTo(false)`: "1",
		`$j.t.toString().length()`: "4", `$j.n.foo()`: "", `$j.t.foo()`: "", `$j.big.equals(1)`: "false", `$j.n.hashCode()`: "55",
		`$j.long`: "0.12345678901234567890", `$j.long.doubleValue()`: "0.12345678901234568",
		// Lists.
		`$j.list.empty`: "false", `$j.none.empty`: "true", `$j.list.toArray().size()`: "3", `$j.list.lastIndexOf("two")`: "1",
		`$j.list.indexOf("three")`: "-1", `$j.list.containsAll([1, "two"])`: "true", `$j.list.containsAll([9])`: "false",
		`$j.list.toJSONString()`: `[1,"two",{"three":3}]`, `$j.list.length()`: "3", `$j.list.equals([1])`: "false", `$j.list.foo()`: "",
		`$j.list.remove("nope")`: "false", `$j.list.get("x")`: "", `$j.list.hashCode().toString().isEmpty()`: "false",
		`$j.list.iterator().next()`: "1", `$j.list.iterator().hasNext()`: "true", `$j.none.iterator().hasNext()`: "false",
		// Maps.
		`$j.obj.isEmpty()`: "false", `$j.obj.b.containsValue("deep")`: "true", `$j.obj.b.containsValue("x")`: "false",
		`$j.obj.putIfAbsent("a", "new")`: "x", `$j.obj.putIfAbsent("q", "new")$j.obj.q`: "new", `$j.obj.getOrDefault("a", "d")`: "x",
		`$j.obj.b.entrySet().get(0).getKey()`: "c", `$j.obj.b.entrySet().get(0).getValue()`: "deep",
		`$j.obj.b.entrySet().get(0).setValue("z")$j.obj.b`: "deep{c=z}", `$j.obj.b.clear()$j.obj.b`: "{}", `$j.obj.foo("x", "y", "z")`: "",
		`$j.obj.b.equals({"c": "deep"})`: "true", `$j.obj.b.equals({"c": "x"})`: "false", `$j.obj.values().size()`: "3",
	} {
		cases = append(cases, golden{expr, expr, want})
	}
	check(t, cases)
}

// TestThrowingMethods fail the rendering, as an exception does in Java.
func TestThrowingMethods(t *testing.T) {
	for _, expr := range []string{
		`$j.name.charAt(9)`, `$j.name.substring(2, 1)`, `$j.name.codePointAt(3)`, `$j.name.repeat(-1)`, `$j.n.parseInt("x")`, `$j.n.parseDouble("x")`,
		`$j.none.iterator().next()`, `$j.list.remove(9)`, `$j.list.add(9, "x")`, `$j.list.set(-1, "x")`, `$j.list.subList(2, 1)`, `$j.list.get(-1)`,
		`$j.name.format("%q")`, `$j.name.format("%d")`, `$j.name.format("%s %s", 1)`, `$j.name.format("%c", "long")`, `$j.name.format("%f", "x")`,
		`$j.name.replaceAll("n", "$5")`, `$j.csv.split("(")`,
	} {
		if out, err := render(t, expr); err == nil {
			t.Errorf("%s prints %q, want an error", expr, out)
		}
	}
}

// host is an object of the host for tests.
type host struct{ set map[string]Value }

func (h *host) Property(name string) Value { return h.set[name] }
func (h *host) String() string             { return "host" }
func (h *host) SetProperty(name string, v Value) error {
	h.set[name] = v
	return nil
}

func (h *host) Values() *List { return NewList("v1", int64(2)) }

func (h *host) Call(c *Call, name string, args []Value) (Value, bool, error) {
	switch name {
	case "join":
		text := ""
		for _, a := range args {
			s, err := c.Text(a)
			if err != nil {
				return nil, true, err
			}
			text += s
		}
		return text, true, c.Fits(len(text))
	case "keys":
		v, err := c.Invoke(args[0], "keySet", nil)
		return v, true, err
	case "spend":
		return nil, true, c.Spend(c.Budget() + 1)
	}
	return nil, false, nil
}

func TestObjectsOfTheHost(t *testing.T) {
	run := func(text string) (string, error) {
		tmpl, err := Compile(text)
		if err != nil {
			t.Fatal(err)
		}
		out, err := tmpl.Render([]byte("kept "), vars{"h": &host{set: map[string]Value{}}, "m": fromJSON(t, `{"a":1}`)}, Limits{})
		return string(out), err
	}
	for _, tc := range []golden{
		{"methods", `$h.join("a", 1, [2], $null) $h.keys($m) [$h.nope()]`, "kept a1[2] [a] []"},
		{"properties", `#set($h.x = 5)#set($h["y"] = "z")$h.x$h.y$h["x"]`, "kept 5z5"},
		{"text", `$h #set($l = [$h])$l #set($m.h = $h)$m`, "kept host[host]{a=1, h=host}"},
		{"loop", `#foreach($v in $h)$v,#end`, "kept v1,2,"},
	} {
		if got, err := run(tc.template); err != nil || got != tc.want {
			t.Errorf("%s: got %q, %v, want %q", tc.name, got, err, tc.want)
		}
	}
	if _, err := run(`$h.spend()`); err == nil {
		t.Error("a method that spends more than is left does not fail")
	}
}

// TestPrintingOfValues covers the two printers for callers outside of templates.
func TestPrintingOfValues(t *testing.T) {
	doc, err := ojson.Parse(`{"a":[1,2.50,"x/y",null,true,{"b":12345678901234567890}]}`, ojson.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	m := FromJSON(doc).(*Map)
	inner, _ := m.Get("a")
	inner.(*List).Add(&Entry{m, "k"})
	m.Put("list", FromJSONList([]ojson.Value{doc}))
	m.Put("own", NewList("p", nil))
	m.Put("host", &host{})
	m.Put("decimal", Decimal("1.50"))
	text, err := AppendJSON(nil, m, 1000)
	want := `{"a":[1,2.5,"x\/y",null,true,{"b":12345678901234567890},"k="],"list":[{"a":[1,2.5,"x\/y",null,true,{"b":12345678901234567890}]}],"own":["p",null],"host":"host","decimal":1.50}`
	if err != nil || string(text) != want {
		t.Errorf("got  %s, %v\nwant %s", text, err, want)
	}
	if _, err := AppendJSON(nil, m, 10); err != ErrOutput {
		t.Errorf("above the limit: %v, want ErrOutput", err)
	}
	text, err = AppendText(nil, NewList(int64(1), nil, "s"), 1000)
	if err != nil || string(text) != "[1, null, s]" {
		t.Errorf("got %s, %v", text, err)
	}
	if text, err := AppendText(nil, nil, 10); err != nil || len(text) > 0 {
		t.Errorf("null prints %q, %v", text, err)
	}
	loop := NewList()
	loop.Add(loop)
	if _, err := AppendText(nil, loop, 1<<20); err != ErrDepth {
		t.Errorf("a list in itself gives %v, want ErrDepth", err)
	}
	changed := false
	tracked := FromJSONTracked(doc, &changed).(*Map)
	a, _ := tracked.Get("a")
	a.(*List).At(5).(*Map).Get("b")
	if changed {
		t.Error("looking counts as a change")
	}
	a.(*List).At(5).(*Map).Put("c", "d")
	if !changed {
		t.Error("a change deep inside is not noticed")
	}
	if !strings.Contains(string(must(AppendJSON(nil, tracked, 1000))), `"c":"d"`) {
		t.Error("a change deep inside is not printed")
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}
