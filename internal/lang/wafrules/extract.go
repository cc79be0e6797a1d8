package wafrules

import (
	"strconv"
	"strings"

	"gatehouse/internal/lang/wafrules/transform"
)

// What the service inspects of headers and of cookies.
const (
	maxMapBytes = 8192
	maxMapItems = 200
)

// Components that were larger than what is inspected, as logs name them.
type oversizeSet uint8

const (
	oversizeBody oversizeSet = 1 << iota
	oversizeJSON
	oversizeHeaders
	oversizeCookies
)

func (x *evaluation) singleHeader(vs *nodeState, name string) {
	for i := range x.req.Header {
		if h := &x.req.Header[i]; equalFold(name, h.Name) {
			vs.add(h.Value, h.Name)
		}
	}
}

// A budget is what may still be inspected of a component with many parts.
type budget struct {
	bytes, items int
	over         bool
}

// cut returns what of a pair may be inspected.
func (b *budget) cut(name, value string) (string, string, bool) {
	if b.items == 0 || b.bytes == 0 {
		b.over = true
		return "", "", false
	}
	b.items--
	if b.bytes < len(name)+len(value) {
		b.over = true
		name = name[:min(len(name), b.bytes)]
		value = value[:min(len(value), b.bytes-len(name))]
	}
	b.bytes -= len(name) + len(value)
	return name, value, true
}

func (x *evaluation) headers(vs *nodeState, f *mapField) {
	left := budget{bytes: maxMapBytes, items: maxMapItems}
	for i := range x.req.Header {
		h := &x.req.Header[i]
		name, value, ok := left.cut(h.Name, h.Value)
		if !ok {
			break
		}
		if f.wants(h.Name, true) {
			vs.addPair(name, value, f.scope)
		}
	}
	x.overrun(vs, left.over, oversizeHeaders, f.over)
}

func (x *evaluation) cookies(vs *nodeState, f *mapField) {
	left := budget{bytes: maxMapBytes, items: maxMapItems}
	for i := range x.req.Header {
		h := &x.req.Header[i]
		if !equalFold("cookie", h.Name) {
			continue
		}
		for rest := h.Value; rest != "" && !left.over; {
			var pair string
			from := rest
			pair, rest, _ = strings.Cut(rest, ";")
			name, value, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
			if name == "" && value == "" {
				continue
			}
			name, value, ok := left.cut(name, value)
			if !ok || !f.wants(name, false) {
				continue
			}
			vs.addPair(name, value, f.scope)
			if f.scope.values && strings.HasPrefix(value, `"`) {
				from = from[strings.IndexByte(from, '=')+1:]
				vs.add(x.quotedCookie(from[:min(len(from), len(value)+left.bytes)]), name)
			}
		}
	}
	x.overrun(vs, left.over, oversizeCookies, f.over)
}

// quotedCookie reads the value that begins behind the first quote of s as servers do that
// follow RFC 2109: it may contain semicolons, and backslashes before quotes and octal numbers.
func (x *evaluation) quotedCookie(s string) string {
	_, s, _ = strings.Cut(s, `"`)
	s = s[:closingQuote(s)]
	b := x.arena.reserve(len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			i++
			c = s[i]
			if n, err := strconv.ParseUint(s[i:min(len(s), i+3)], 8, 8); err == nil && i+3 <= len(s) {
				c, i = byte(n), i+2
			}
		}
		b = append(b, c)
	}
	return x.arena.commit(b)
}

// overrun notes that a component was cut and applies its OversizeHandling.
func (x *evaluation) overrun(vs *nodeState, over bool, which oversizeSet, handling decision) {
	if !over {
		return
	}
	x.oversize |= which
	if handling != inspectValues {
		vs.clear()
		vs.decision = handling
	}
}

func (x *evaluation) headerOrder(vs *nodeState, handling decision) {
	total := 0
	hs := x.req.Header
	for i := range hs {
		total += len(hs[i].Name) + 1
	}
	left := budget{bytes: maxMapBytes, items: maxMapItems}
	b := x.arena.reserve(total)
	for i := range hs {
		if _, _, ok := left.cut(hs[i].Name, hs[i].Value); !ok {
			break
		}
		if len(b) > 0 {
			b = append(b, ':')
		}
		b = transform.Lowercase.Append(b, hs[i].Name)
	}
	vs.add(x.arena.commit(b), "")
	x.overrun(vs, left.over, oversizeHeaders, handling)
}

// arguments lists the values of the query. The service treats ";" as a separator as well;
// backends differ, so that a value with semicolons is inspected whole and in parts.
func (x *evaluation) arguments(vs *nodeState, names bool) {
	x.eachArgument(func(name, value string) {
		if names && name != "" {
			vs.add(name, name)
		}
		vs.add(value, name)
	})
	if names {
		x.joinedArguments(vs)
	}
}

// maxJoined bounds the arguments among which equal names are looked for.
const maxJoined = 64

// joinedArguments adds, for a name that comes several times, its values with commas between
// them: what some servers make of it, so that an attack may come in pieces. vs has, for
// each argument, its name and its value, or the value alone where there is no name.
func (x *evaluation) joinedArguments(vs *nodeState) {
	var at [maxJoined]int // where values are whose names were not seen before
	n := 0
	for i, end := 0, len(vs.values); i < end && n < maxJoined; i++ {
		if vs.names[i] == "" {
			continue
		}
		i++ // from the name to the value
		at[n] = i
		n++
	}
	for i := range n {
		if at[i] < 0 {
			continue
		}
		name, joined := x.decoded(vs.names[at[i]]), ""
		for j := i + 1; j < n; j++ {
			if at[j] < 0 || !strings.EqualFold(name, x.decoded(vs.names[at[j]])) {
				continue
			}
			if joined == "" {
				joined = vs.values[at[i]]
			}
			joined += "," + vs.values[at[j]]
			at[j] = -1
		}
		if joined != "" {
			vs.add(joined, name)
		}
	}
}

func (x *evaluation) singleArgument(vs *nodeState, want string) {
	x.eachArgument(func(name, value string) {
		if equalFold(want, name) || equalFold(want, x.decoded(name)) {
			vs.add(value, name)
		}
	})
}

func (x *evaluation) decoded(name string) string {
	if !transform.URLDecode.MayChange(name) {
		return name
	}
	return x.arena.commit(transform.URLDecode.Append(x.arena.reserve(len(name)), name))
}

func (x *evaluation) eachArgument(yield func(name, value string)) {
	for rest := x.req.Query; rest != ""; {
		var pair string
		pair, rest, _ = strings.Cut(rest, "&")
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		yield(name, value)
		if strings.IndexByte(pair, ';') < 0 {
			continue
		}
		for parts := pair; parts != ""; {
			var part string
			part, parts, _ = strings.Cut(parts, ";")
			name, value, _ := strings.Cut(part, "=")
			if part != "" {
				yield(name, value)
			}
		}
	}
}

// loadBody asks for the body once.
func (x *evaluation) loadBody() (text string, more bool) {
	if !x.bodyLoaded {
		x.bodyLoaded = true
		if x.req.Body != nil {
			b, more, err := x.req.Body.Peek(x.acl.bodyLimit)
			if err != nil {
				x.fail(err)
				return "", false
			}
			x.body, x.bodyMore = view(b), more
			x.loadSent()
		}
	}
	return x.body, x.bodyMore
}

// loadSent asks for a body as it was sent when its coding was undone.
func (x *evaluation) loadSent() {
	coded, ok := x.req.Body.(CodedBody)
	if !ok {
		return
	}
	b, err := coded.Sent(x.acl.bodyLimit)
	if err != nil {
		x.fail(err)
	}
	x.sent = view(b)
}

// asSent names a value that was sent where another is what its coding stands for.
const asSent = "as sent"

func (x *evaluation) wholeBody(vs *nodeState, handling decision) {
	text, more := x.loadBody()
	vs.add(text, "")
	if x.sent != "" {
		vs.add(x.sent, asSent)
	}
	x.overrun(vs, more, oversizeBody, handling)
}

// loadJSON parses the body once.
func (x *evaluation) loadJSON() {
	if !x.jsonParsed {
		x.jsonParsed = true
		x.json.Parse(x.body, x.bodyMore)
	}
}

func (x *evaluation) jsonValues(vs *nodeState, f *jsonField) {
	text, more := x.loadBody()
	if text == "" {
		return // no body: a missing component
	}
	if more {
		x.oversize |= oversizeJSON
		if f.over != inspectValues {
			vs.decision = f.over
			return
		}
	}
	x.loadJSON()
	if x.json.Err != nil {
		if f.asString {
			vs.add(text, "")
			return
		}
		if f.onError != inspectValues {
			vs.decision = f.onError
			return
		}
	}
	for i := range x.json.Elements[:x.json.Valid] {
		if e := &x.json.Elements[i]; f.selects(&x.json, e) {
			vs.add(e.Text, "")
		}
	}
}
