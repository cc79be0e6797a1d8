package expression

import (
	"strings"

	"gatehouse/internal/lang/variable"
)

// A Template is text with references that are replaced by plain substitution, compiled to
// segments: an access log format or the body of a gateway response. It has no
// directives; what is not a reference is literal. The zero value is the empty text.
type Template struct {
	segments []segment
	use      variable.Use
}

// segment is literal text followed by one reference, or by nothing when source is zero.
type segment struct {
	literal string
	source  Source // Context, StageVariable, Path, Query, Header, or 0
	id      variable.ID
	arg     string // of a Context variable; otherwise the name
}

// Parameters supplies what references other than $context stand for. It belongs to
// one request.
type Parameters interface {
	// Parameter returns the value of a stage variable or of a request parameter: source is
	// StageVariable, Path, Query or Header. Without a value it returns "".
	Parameter(source Source, name string) string
}

// CompileAccessLog compiles an access log format. References are $context.x alone; one
// that does not exist, or not in access logs, is written as "-" like one without a value.
func CompileAccessLog(format string) *Template {
	return compile(format, variable.AccessLog)
}

// CompileGatewayResponse compiles the body of a gateway response. Its references are
// $context.x, $stageVariables.x and $method.request.{path,querystring,header}.x; what has
// no value is written as nothing.
func CompileGatewayResponse(text string) *Template {
	return compile(text, variable.GatewayResponse)
}

func compile(text string, use variable.Use) *Template {
	t := &Template{use: use}
	literal := 0
	for i := 0; i < len(text); {
		if text[i] != '$' {
			i++
			continue
		}
		sg, n := reference(text[i:], use)
		if n == 0 {
			i++
			continue
		}
		sg.literal = text[literal:i]
		t.segments = append(t.segments, sg)
		i += n
		literal = i
	}
	if literal < len(text) {
		t.segments = append(t.segments, segment{literal: text[literal:]})
	}
	return t
}

// reference reads the reference at the start of text, which begins with '$'. It returns its
// length, 0 when there is none.
func reference(text string, use variable.Use) (segment, int) {
	if rest, ok := strings.CutPrefix(text, "$context."); ok {
		path, n := dotted(rest, false)
		if n == 0 {
			return segment{}, 0
		}
		sg := segment{source: Context}
		sg.id, sg.arg, _ = variable.LookupIn(path, use)
		return sg, len("$context.") + n
	}
	if use != variable.GatewayResponse {
		return segment{}, 0
	}
	for _, p := range []prefix{
		{"$stageVariables.", StageVariable},
		{"$method.request.path.", Path},
		{"$method.request.querystring.", Query},
		{"$method.request.header.", Header},
	} {
		if rest, ok := strings.CutPrefix(text, p.text); ok {
			name, n := dotted(rest, p.source != StageVariable)
			return segment{source: p.source, arg: name}, map[bool]int{true: len(p.text) + n}[n > 0]
		}
	}
	return segment{}, 0
}

// dotted reads a path of names joined by dots, with ['name'] for names of other characters;
// hyphens belong to names only where they may. It returns the path with brackets
// resolved to dots, and how many bytes it took.
func dotted(s string, hyphens bool) (string, int) {
	var b strings.Builder
	i := 0
	for i < len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-' && hyphens:
			b.WriteByte(c)
			i++
			continue
		case c == '.' && i > 0 && i+1 < len(s) && nameByte(s[i+1]):
			b.WriteByte(c)
			i++
			continue
		case c == '[' && i > 0 && i+1 < len(s) && (s[i+1] == '\'' || s[i+1] == '"'):
			if end := strings.Index(s[i+2:], s[i+1:i+2]+"]"); end > 0 {
				b.WriteByte('.')
				b.WriteString(s[i+2 : i+2+end])
				i += 2 + end + 2
				continue
			}
		}
		break
	}
	return b.String(), i
}

func nameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

// Append appends the text with its references replaced. ps may be nil for access logs.
func (t *Template) Append(dst []byte, vars variable.Source, ps Parameters) []byte {
	for i := range t.segments {
		sg := &t.segments[i]
		dst = append(dst, sg.literal...)
		switch sg.source {
		case 0:
		case Context:
			ok := false
			if sg.id != 0 {
				dst, ok = vars.AppendVariable(dst, sg.id, sg.arg)
			}
			if !ok && t.use == variable.AccessLog {
				dst = append(dst, '-')
			}
		default:
			dst = append(dst, ps.Parameter(sg.source, sg.arg)...)
		}
	}
	return dst
}

// Uses reports whether the template has a reference to id.
func (t *Template) Uses(id variable.ID) bool {
	for i := range t.segments {
		if t.segments[i].id == id {
			return true
		}
	}
	return false
}

// HasRequestID reports whether an access log format names the request, which the
// service demands: by $context.requestId or $context.extendedRequestId.
func (t *Template) HasRequestID() bool {
	return t.Uses(variable.RequestID) || t.Uses(variable.ExtendedRequestID)
}
