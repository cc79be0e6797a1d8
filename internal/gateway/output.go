package gateway

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"gatehouse/internal/http1/wire"
	"gatehouse/internal/lang/ojson"
	"gatehouse/internal/message"
)

// A functionOutput is what a function behind AWS_PROXY answered (routing-and-integrations,
// section 8.2).
type functionOutput struct {
	status  int
	header  message.Header
	body    string
	encoded bool // isBase64Encoded
}

// Bounds of the header of a function's answer, as for backends: name and value bytes, lines.
const (
	maxOutputHeader = 64 << 10
	maxOutputLines  = 256
)

// outputLimits are what an answer can need: names and values of the largest header, in
// objects in an object.
var outputLimits = ojson.Limits{Depth: 8, Values: 8 * maxOutputLines}

// delimiter ends the metadata of a streamed answer.
const delimiter = "\x00\x00\x00\x00\x00\x00\x00\x00"

// decodeOutput reads a function's result. Its errors say what makes it none. A result in the
// format of streams gives status and header alone (section 10, combinations).
func decodeOutput(text string) (*functionOutput, error) {
	v, err := ojson.Parse(text, outputLimits)
	if err != nil {
		if metadata, _, ok := strings.Cut(text, delimiter); ok {
			return decodeMetadata(metadata)
		}
		return nil, err
	}
	if v.Kind() != ojson.Object {
		return nil, fmt.Errorf("found %s, expected an object", v.Kind())
	}
	out := &functionOutput{status: 200}
	var single, multi ojson.Value
	for name, member := range v.Members() {
		switch name {
		case "statusCode":
			err = out.setStatus(member)
		case "headers":
			single = member
		case "multiValueHeaders":
			multi = member
		case "body":
			err = out.setBody(member)
		case "isBase64Encoded":
			err = out.setEncoded(member)
		default:
			err = fmt.Errorf("found member %q", name)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, out.setHeader(multi, single)
}

// decodeMetadata reads what precedes a streamed body.
func decodeMetadata(text string) (*functionOutput, error) {
	v, err := ojson.Parse(text, outputLimits)
	if err != nil {
		return nil, err
	}
	if v.Kind() != ojson.Object {
		return nil, fmt.Errorf("found %s, expected an object", v.Kind())
	}
	out := &functionOutput{status: 200}
	var single, multi, cookies ojson.Value
	for name, member := range v.Members() {
		switch name {
		case "statusCode":
			err = out.setStatus(member)
		case "headers":
			single = member
		case "multiValueHeaders":
			multi = member
		case "cookies":
			cookies = member
		default:
			err = fmt.Errorf("found member %q", name)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := out.setHeader(multi, single); err != nil {
		return nil, err
	}
	return out, out.addList("Set-Cookie", cookies)
}

// setStatus reads statusCode: an integer, or a string of digits. What HTTP cannot send as a
// final answer is refused.
func (out *functionOutput) setStatus(v ojson.Value) error {
	if v.Kind() == ojson.Null {
		return nil
	}
	n, err := strconv.Atoi(v.Text())
	if k := v.Kind(); err != nil || k != ojson.Number && k != ojson.String || n < 200 || n > 599 {
		return fmt.Errorf("statusCode: found %.40s, expected 200 to 599", v.Raw())
	}
	out.status = n
	return nil
}

func (out *functionOutput) setBody(v ojson.Value) error {
	switch v.Kind() {
	case ojson.Null:
	case ojson.Object, ojson.Array:
		return fmt.Errorf("body: found %s, expected string", v.Kind())
	default:
		out.body = v.Text()
	}
	return nil
}

func (out *functionOutput) setEncoded(v ojson.Value) error {
	switch {
	case v.Kind() == ojson.Null:
	case v.IsBool() || v.Kind() == ojson.String && (v.Text() == "true" || v.Text() == "false"):
		out.encoded = v.Text() == "true"
	default:
		return fmt.Errorf("isBase64Encoded: found %.40s, expected boolean", v.Raw())
	}
	return nil
}

// setHeader merges the two maps: of a name in both, the values of multiValueHeaders come first
// and its spelling wins; a pair that is in both is sent once.
func (out *functionOutput) setHeader(multi, single ojson.Value) error {
	if !isMap(single) {
		return fmt.Errorf("headers: found %s, expected object", single.Kind())
	}
	if !isMap(multi) {
		return fmt.Errorf("multiValueHeaders: found %s, expected object", multi.Kind())
	}
	if multi.Len()+single.Len() > maxOutputLines {
		return errors.New("header: found more than 256 fields")
	}
	for name, list := range multi.Members() {
		if err := out.addList(name, list); err != nil {
			return err
		}
		for other, v := range single.Members() {
			if !message.EqualName(other, name) {
				continue
			}
			if err := out.addOnce(name, v); err != nil {
				return err
			}
		}
	}
	lists := len(out.header)
	for name, v := range single.Members() {
		if out.header[:lists].Has(name) {
			continue
		}
		if err := out.add(name, v); err != nil {
			return err
		}
	}
	return out.checkSize()
}

// isMap reports whether v is an object, null or absent.
func isMap(v ojson.Value) bool {
	k := v.Kind()
	return k == ojson.Object || k == ojson.Null || k == ojson.None
}

func (out *functionOutput) checkSize() error {
	size := 0
	for _, f := range out.header {
		size += len(f.Name) + len(f.Value)
	}
	if size > maxOutputHeader || len(out.header) > maxOutputLines {
		return fmt.Errorf("header: found %d bytes in %d lines, expected at most %d in %d", size, len(out.header), maxOutputHeader, maxOutputLines)
	}
	return nil
}

// addList adds a line for each element of a list.
func (out *functionOutput) addList(name string, list ojson.Value) error {
	if k := list.Kind(); k == ojson.Null || k == ojson.None {
		return nil
	} else if k != ojson.Array {
		return fmt.Errorf("header %q: found %s, expected array", name, k)
	}
	if len(out.header)+list.Len() > maxOutputLines {
		return fmt.Errorf("header %q: found more than %d lines", name, maxOutputLines)
	}
	for v := range list.Elements() {
		if err := out.add(name, v); err != nil {
			return err
		}
	}
	return nil
}

// addOnce adds a line unless the same is there.
func (out *functionOutput) addOnce(name string, v ojson.Value) error {
	for _, f := range out.header {
		if f.Name == name && f.Value == v.Text() {
			return nil
		}
	}
	return out.add(name, v)
}

// add adds a line. What could end it early, or be read as another line, is refused.
func (out *functionOutput) add(name string, v ojson.Value) error {
	switch v.Kind() {
	case ojson.Null:
		return nil
	case ojson.Object, ojson.Array:
		return fmt.Errorf("header %q: found %s, expected string", name, v.Kind())
	}
	if !wire.IsToken(name) {
		return fmt.Errorf("header %q: expected a name", name)
	}
	if !wire.IsValue(v.Text()) {
		return fmt.Errorf("header %q: found control characters in its value", name)
	}
	out.header.Add(name, v.Text())
	return nil
}
