package expression

import (
	"errors"
	"strings"

	"gatehouse/internal/lang/jsonpath"
	"gatehouse/internal/lang/ojson"
)

// ErrBody is returned when a mapping needs the body as JSON and it is none: 400 "Invalid JSON
// in request body" for a request, 500 for a response.
var ErrBody = errors.New("invalid JSON in body")

// bodyPath checks the path behind "body." and returns it with "$." in front.
func bodyPath(name string) (string, error) {
	path := "$." + strings.TrimPrefix(name, "$.")
	if strings.HasPrefix(name, "[") {
		path = "$" + name
	}
	_, err := jsonpath.Compile(path)
	return path, err
}

// A BodyReader evaluates the JSONPaths of parameter mappings on one body, which it parses
// once, when the first of them asks. It is for one goroutine.
type BodyReader struct {
	Text string

	read  bool
	value ojson.Value
	err   error
}

// Eval returns what path finds in the body as the text of a parameter: strings bare,
// everything else as JSON. Nothing found, null and an empty string give false: the mapping
// is skipped. A body that does not begin like JSON is one string. The error is ErrBody,
// or the path's cost (jsonpath.ErrBudget).
func (b *BodyReader) Eval(path *jsonpath.Path) (string, bool, error) {
	if !b.read {
		b.read = true
		b.parse()
	}
	if b.err != nil {
		return "", false, b.err
	}
	r, err := path.Eval(b.value, nil)
	if err != nil || !r.Found() {
		return "", false, err
	}
	text := r.Value.Text()
	if r.Value.Kind() != ojson.String {
		text = string(r.Append(nil, ojson.Smart))
	}
	return text, text != "", nil
}

// parse reads the body as JSON when it begins with a brace, a bracket or a quotation mark
// (routing-and-integrations reference, section 7, rules).
func (b *BodyReader) parse() {
	text := strings.TrimSpace(b.Text)
	if text == "" || strings.IndexByte(`{["'`, text[0]) < 0 {
		b.value = ojson.Of(b.Text)
		return
	}
	var err error
	if b.value, err = ojson.ParsePermissive(text, ojson.Limits{}); err != nil {
		b.err = ErrBody
	}
}
