// Package expression holds the small languages beside mapping templates: parameter
// mappings (method.request.header.X, 'literal', context.x), the plain substitution of gateway
// responses and access log formats ($context.x), and the placeholders of integration URIs.
//
// The management side parses them to validate what customers send, with the service's
// messages; the plan compiler parses them once more into the forms the gateway executes.
// Parsed values are read-only and safe for concurrent use.
package expression

import (
	"fmt"
	"strings"

	"gatehouse/internal/lang/variable"
)

// Source is where the value of a parameter mapping comes from.
type Source uint8

// The sources (routing-and-integrations reference, section 7).
const (
	Static              Source = iota + 1 // 'literal'
	Path                                  // method.request.path.NAME
	Query                                 // method.request.querystring.NAME: the last value
	MultiQuery                            // method.request.multivaluequerystring.NAME: all values
	Header                                // method.request.header.NAME: the last value
	MultiHeader                           // method.request.multivalueheader.NAME: all values
	Body                                  // method.request.body or integration.response.body
	BodyPath                              // the same with .JSONPATH
	StageVariable                         // stageVariables.NAME
	Context                               // context.NAME
	ResponseHeader                        // integration.response.header.NAME: the last value
	ResponseMultiHeader                   // integration.response.multivalueheader.NAME: all values
)

// An Expression is the right-hand side of a parameter mapping.
type Expression struct {
	Source Source

	// Name is the literal of Static, the name of a parameter, header or stage variable, the
	// JSONPath of BodyPath (with "$." in front), or the path of Context without "context.".
	Name string

	// Variable and Arg are Context's resolved variable. Variable is zero when the service has
	// no variable of that name: the mapping is then never filled.
	Variable variable.ID
	Arg      string
}

// Error is a refusal of an expression in the service's words.
type Error struct {
	Problem string // what stands between the brackets after "errors :"
}

// Error returns the whole message of the service's BadRequestException.
func (e *Error) Error() string {
	return "Invalid mapping expression specified: Validation Result: warnings : [], errors : [" + e.Problem + "]"
}

// Invalid is the refusal of a text that is no expression at all.
func Invalid(text string) *Error {
	return &Error{"Invalid mapping expression specified: " + text}
}

// Undeclared is the refusal of an expression that names a parameter or response header that
// the method does not declare.
func Undeclared(text string) *Error {
	return &Error{"Invalid mapping expression parameter specified: " + text}
}

var errName = &Error{"Parameter name should match the following regular expression: ^[a-zA-Z0-9._$-]+$"}

// validName reports whether s matches ^[a-zA-Z0-9._$-]+$.
func validName(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '.', c == '_', c == '$', c == '-':
		default:
			return false
		}
	}
	return s != ""
}

// A prefix is a beginning of an expression and what it means; the rest is the name.
type prefix struct {
	text   string
	source Source
}

var requestPrefixes = []prefix{
	{"method.request.path.", Path},
	{"method.request.querystring.", Query},
	{"method.request.multivaluequerystring.", MultiQuery},
	{"method.request.header.", Header},
	{"method.request.multivalueheader.", MultiHeader},
	{"method.request.body.", BodyPath},
}

var responsePrefixes = []prefix{
	{"integration.response.header.", ResponseHeader},
	{"integration.response.multivalueheader.", ResponseMultiHeader},
	{"integration.response.body.", BodyPath},
}

var commonPrefixes = []prefix{
	{"stageVariables.", StageVariable},
	{"context.", Context},
}

// parse reads an expression that begins with one of the prefixes, is body, or is common to
// all mappings: a literal, a stage variable, a context variable.
func parse(text string, prefixes []prefix, body string) (Expression, error) {
	if len(text) >= 2 && text[0] == '\'' && text[len(text)-1] == '\'' {
		return Expression{Source: Static, Name: text[1 : len(text)-1]}, nil
	}
	if text == body {
		return Expression{Source: Body}, nil
	}
	for _, list := range [][]prefix{prefixes, commonPrefixes} {
		for _, p := range list {
			if name, ok := strings.CutPrefix(text, p.text); ok {
				return named(p.source, name, text)
			}
		}
	}
	return Expression{}, Invalid(text)
}

func named(src Source, name, text string) (Expression, error) {
	e := Expression{Source: src, Name: name}
	switch src {
	case BodyPath:
		path, err := bodyPath(name)
		if err != nil {
			return Expression{}, Invalid(text)
		}
		e.Name = path
	case Context:
		if name == "" {
			return Expression{}, Invalid(text)
		}
		e.Variable, e.Arg, _ = variable.LookupIn(name, variable.Template|variable.Authorizer|variable.GatewayResponse)
	default:
		if !validName(name) {
			return Expression{}, errName
		}
	}
	return e, nil
}

// ParseRequest reads the value of an integration request parameter.
func ParseRequest(text string) (Expression, error) {
	return parse(text, requestPrefixes, "method.request.body")
}

// ParseResponse reads the value of an integration response parameter.
func ParseResponse(text string) (Expression, error) {
	return parse(text, responsePrefixes, "integration.response.body")
}

// ParseGatewayResponse reads the value of a gateway response header: a literal, a single
// request parameter, a context or a stage variable.
func ParseGatewayResponse(text string) (Expression, error) {
	e, err := parse(text, requestPrefixes, "")
	if err == nil && (e.Source == Body || e.Source == BodyPath) {
		return Expression{}, Invalid(text)
	}
	return e, err
}

// ParseIdentitySource reads an authorizer's comma-separated list of sources: request
// headers and query parameters, context and stage variables. Spaces around commas are allowed.
func ParseIdentitySource(text string) ([]Expression, error) {
	var list []Expression
	for part := range strings.SplitSeq(text, ",") {
		e, err := parse(strings.TrimSpace(part), requestPrefixes, "")
		if err != nil {
			return nil, err
		}
		switch e.Source {
		case Header, Query, MultiHeader, MultiQuery, Context, StageVariable:
		default:
			return nil, Invalid(strings.TrimSpace(part))
		}
		list = append(list, e)
	}
	return list, nil
}

// Declares returns the request parameter that e reads, and false when e reads none.
func (e Expression) Declares() (Parameter, bool) {
	switch e.Source {
	case Path:
		return Parameter{Path, e.Name}, true
	case Query, MultiQuery:
		return Parameter{Query, e.Name}, true
	case Header, MultiHeader:
		return Parameter{Header, e.Name}, true
	}
	return Parameter{}, false
}

// A Parameter is a request parameter that a method declares.
type Parameter struct {
	Place Source // Path, Query or Header
	Name  string
}

// String returns the parameter as methods declare it: "method.request.header.X".
func (p Parameter) String() string {
	switch p.Place {
	case Path:
		return "method.request.path." + p.Name
	case Query:
		return "method.request.querystring." + p.Name
	case Header:
		return "method.request.header." + p.Name
	}
	return fmt.Sprintf("place %d of %s", p.Place, p.Name)
}

// ParseDeclaration reads a key of a method's requestParameters. value is the text of the
// key's value: the service names it, not the key, when it refuses the key.
func ParseDeclaration(key, value string) (Parameter, error) {
	for _, p := range requestPrefixes {
		if name, ok := strings.CutPrefix(key, p.text); ok && p.source != BodyPath {
			if !validName(name) {
				return Parameter{}, errName
			}
			e := Expression{Source: p.source, Name: name}
			param, _ := e.Declares()
			return param, nil
		}
	}
	return Parameter{}, Invalid(value)
}

// ParseResponseDeclaration reads a key of a method response's responseParameters and returns
// the header's name.
func ParseResponseDeclaration(key, value string) (string, error) {
	name, ok := strings.CutPrefix(key, "method.response.header.")
	if !ok {
		return "", Invalid(value)
	}
	if !validName(name) {
		return "", errName
	}
	return name, nil
}
