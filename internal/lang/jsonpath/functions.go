package jsonpath

import (
	"math"
	"slices"
	"strconv"

	"gatehouse/internal/lang/ojson"
)

type function uint8

const (
	fnMin function = iota + 1
	fnMax
	fnAvg
	fnStddev
	fnSum
	fnLength
	fnKeys
	fnConcat
	fnAppend
	fnFirst
	fnLast
	fnIndex
)

// functions are Jayway's. size is a synonym of length.
var functions = map[string]function{
	"min": fnMin, "max": fnMax, "avg": fnAvg, "stddev": fnStddev, "sum": fnSum,
	"length": fnLength, "size": fnLength, "keys": fnKeys, "concat": fnConcat,
	"append": fnAppend, "first": fnFirst, "last": fnLast, "index": fnIndex,
}

// call applies the function to v. Where Jayway fails (a minimum of nothing, the first of
// no array) there is no value.
func (e *evaluation) call(t *token, v ojson.Value) ojson.Value {
	var list []ojson.Value
	isList := v.Kind() == ojson.Array
	if isList {
		list = slices.AppendSeq(make([]ojson.Value, 0, v.Len()), v.Elements())
		e.spend(len(list))
	}
	switch t.function {
	case fnLength:
		return e.length(t, v)
	case fnKeys:
		return e.keys(v)
	case fnAppend:
		if !isList {
			return v
		}
	case fnFirst, fnLast, fnIndex:
		if !isList {
			return ojson.Value{}
		}
	}
	return e.callOn(t, list)
}

// callOnList applies the function to what an indefinite path found.
func (e *evaluation) callOnList(t *token, list []ojson.Value) ojson.Value {
	switch t.function {
	case fnLength:
		return e.number(strconv.Itoa(len(list)))
	case fnKeys:
		return ojson.Value{}
	}
	return e.callOn(t, list)
}

func (e *evaluation) callOn(t *token, list []ojson.Value) ojson.Value {
	switch t.function {
	case fnFirst:
		return at(list, 0)
	case fnLast:
		return at(list, -1)
	case fnIndex:
		if args := e.arguments(t); len(args) > 0 {
			if n, ok := args[0].Int(); ok && n > math.MinInt32 && n < math.MaxInt32 {
				return at(list, int(n))
			}
		}
		return ojson.Value{}
	case fnConcat:
		return e.concat(append(list, e.arguments(t)...))
	case fnAppend:
		return e.build(Result{List: append(list, e.arguments(t)...)}.Append(nil, ojson.Raw))
	}
	return e.aggregate(t.function, append(list, e.arguments(t)...))
}

func at(list []ojson.Value, i int) ojson.Value {
	if i < 0 {
		i += len(list)
	}
	if i < 0 || i >= len(list) {
		return ojson.Value{}
	}
	return list[i]
}

// arguments evaluates the function's arguments; an array or a list gives all its elements.
func (e *evaluation) arguments(t *token) []ojson.Value {
	var all []ojson.Value
	for i := range t.arguments {
		r, err := t.arguments[i].eval(e, e.root)
		switch {
		case err != nil:
			return nil
		case r.List != nil:
			all = append(all, r.List...)
		case r.Value.Kind() == ojson.Array:
			all = slices.AppendSeq(all, r.Value.Elements())
		case r.Value.Kind() != ojson.None:
			all = append(all, r.Value)
		}
	}
	e.spend(len(all))
	return all
}

func (e *evaluation) length(t *token, v ojson.Value) ojson.Value {
	if len(t.arguments) > 0 {
		r, err := t.arguments[0].eval(e, e.root)
		if err != nil {
			return ojson.Value{}
		}
		if r.List != nil {
			return e.number(strconv.Itoa(len(r.List)))
		}
		v = r.Value
	}
	if k := v.Kind(); k != ojson.Array && k != ojson.Object {
		return ojson.Value{}
	}
	return e.number(strconv.Itoa(v.Len()))
}

func (e *evaluation) keys(v ojson.Value) ojson.Value {
	if v.Kind() != ojson.Object {
		return ojson.Value{}
	}
	text := []byte{'['}
	for name := range v.Members() {
		if len(text) > 1 {
			text = append(text, ',')
		}
		text = ojson.AppendQuoted(text, name, ojson.Smart)
	}
	return e.build(append(text, ']'))
}

// concat joins the strings of list, numbers as they print.
func (e *evaluation) concat(list []ojson.Value) ojson.Value {
	var text []byte
	for _, v := range list {
		switch v.Kind() {
		case ojson.String:
			text = append(text, v.Text()...)
		case ojson.Number:
			text = ojson.AppendNumber(text, v.Text())
		}
	}
	if !e.spend(len(text) / 16) {
		return ojson.Value{}
	}
	return ojson.Of(string(text))
}

// aggregate computes over the numbers of list; the result is a double.
func (e *evaluation) aggregate(f function, list []ojson.Value) ojson.Value {
	var n, sum, squares float64
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range list {
		x, ok := v.Float()
		if !ok {
			continue
		}
		n++
		sum += x
		squares += x * x
		low, high = min(low, x), max(high, x)
	}
	if n == 0 {
		return ojson.Value{}
	}
	var r float64
	switch f {
	case fnMin:
		r = low
	case fnMax:
		r = high
	case fnSum:
		r = sum
	case fnAvg:
		r = sum / n
	case fnStddev:
		r = math.Sqrt(squares/n - sum*sum/n/n)
	}
	return e.number(string(ojson.AppendDouble(nil, r)))
}

func (e *evaluation) number(text string) ojson.Value { return e.build([]byte(text)) }
