// Package validate checks decoded inputs against the constraints of a service's model
// and words the violations as the service does. It has no state but a cache of
// compiled patterns, which is safe for concurrent use.
//
// Names, texts and their gathering into one error follow the recorded behaviour of API
// Gateway ("Three layers of error"). The other services share its framework and differ
// in the error's code and in how members are named (schema.Convention).
package validate

import (
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf16"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/scalar"
	"gatehouse/internal/awsapi/schema"
)

// Input checks in, a pointer to the operation's input, and returns one error with all
// violations, or nil. Members of the body come first, then those of path, query and
// headers, each in the model's order.
func Input(op *schema.Operation, in any) *awserr.Error {
	c := checker{}
	v := reflect.ValueOf(in).Elem()
	prefix := ""
	if op.Service.Convention.InputPrefix {
		prefix = schema.LowerFirst(op.Name) + "Input."
	}
	for _, body := range []bool{true, false} {
		for i := range op.In.Members {
			m := &op.In.Members[i]
			if inBody := m.Loc == schema.Body; inBody != body {
				continue
			}
			path := schema.LowerFirst(m.Name)
			if body {
				path = prefix + path
			}
			c.member(path, m, v.Field(i))
		}
		if body {
			c.inBody = len(c.violations)
		}
	}
	if len(c.violations) == 0 {
		return nil
	}
	return c.err(op.Service)
}

// err words the violations. S3 has no such list: it calls a body that breaks the
// schema malformed, and any other violation an invalid argument (S3 API reference,
// list of error codes).
func (c *checker) err(svc *schema.Service) *awserr.Error {
	if svc.Protocol == schema.RESTXML && c.inBody > 0 {
		return awserr.New("MalformedXML", http.StatusBadRequest,
			"The XML you provided was not well-formed or did not validate against our published schema").
			Because(fmt.Errorf("%s", strings.Join(c.violations, "; ")))
	}
	word := "errors"
	if len(c.violations) == 1 {
		word = "error"
	}
	return awserr.Newf(svc.Convention.Code, http.StatusBadRequest, "%d validation %s detected: %s",
		len(c.violations), word, strings.Join(c.violations, "; "))
}

// A checker gathers violations.
type checker struct {
	violations []string
	inBody     int // how many of them concern the body
}

func (c *checker) violated(path string, sh *schema.Shape, v reflect.Value, constraint string) {
	value := " '" + display(sh, v) + "'"
	if sh.Sensitive {
		value = ""
	}
	c.violations = append(c.violations, fmt.Sprintf("Value%s at '%s' failed to satisfy constraint: %s", value, path, constraint))
}

// member checks a field of a structure.
func (c *checker) member(path string, m *schema.Member, field reflect.Value) {
	if m.IsStreaming() {
		return
	}
	v, ok := scalar.Present(field)
	if !ok {
		if m.Required {
			c.violations = append(c.violations, fmt.Sprintf("Value null at '%s' failed to satisfy constraint: Member must not be null", path))
		}
		return
	}
	c.value(path, m.Shape, v)
}

// value checks a value that is there.
func (c *checker) value(path string, sh *schema.Shape, v reflect.Value) {
	for _, constraint := range broken(sh, v) {
		c.violated(path, sh, v, constraint)
	}
	switch sh.Kind {
	case schema.Structure:
		c.structure(path, sh, v)
	case schema.List:
		c.list(path, sh, v)
	case schema.Map:
		c.mapping(path, sh, v)
	}
}

func (c *checker) structure(path string, sh *schema.Shape, v reflect.Value) {
	set := 0
	for i := range sh.Members {
		m := &sh.Members[i]
		if _, ok := scalar.Present(v.Field(i)); ok {
			set++
		}
		c.member(path+"."+schema.LowerFirst(m.Name), m, v.Field(i))
	}
	if sh.Union && set != 1 {
		c.violations = append(c.violations, fmt.Sprintf("Value at '%s' failed to satisfy constraint: exactly one member must be set, found %d", path, set))
	}
}

// list checks the elements. Bad scalars are one violation of the list, which names all
// constraints of an element; other elements are checked by their position from 1.
func (c *checker) list(path string, sh *schema.Shape, v reflect.Value) {
	element := sh.Elem.Shape
	if scalar.IsScalar(element) || element.Kind == schema.Blob {
		for i := range v.Len() {
			if len(broken(element, v.Index(i))) > 0 {
				c.violated(path, sh, v, "Member must satisfy constraint: ["+strings.Join(constraints(element), ", ")+"]")
				return
			}
		}
		return
	}
	for i := range v.Len() {
		c.value(path+"."+strconv.Itoa(i+1)+".member", element, v.Index(i))
	}
}

// mapping checks keys and values; bad scalars are one violation of the map for keys
// and one for values.
func (c *checker) mapping(path string, sh *schema.Shape, v reflect.Value) {
	keys := sortedKeys(v)
	for _, k := range keys {
		if len(broken(sh.Key.Shape, k)) > 0 {
			c.violated(path, sh, v, "Map keys must satisfy constraint: ["+strings.Join(constraints(sh.Key.Shape), ", ")+"]")
			break
		}
	}
	element := sh.Elem.Shape
	for _, k := range keys {
		value := v.MapIndex(k)
		if !scalar.IsScalar(element) {
			c.value(path+"."+k.String()+".member", element, value)
			continue
		}
		if len(broken(element, value)) > 0 {
			c.violated(path, sh, v, "Map value must satisfy constraint: ["+strings.Join(constraints(element), ", ")+"]")
			break
		}
	}
}

// broken returns the texts of the constraints of sh itself that v breaks.
func broken(sh *schema.Shape, v reflect.Value) []string {
	if !sh.Min.Set && !sh.Max.Set && sh.Pattern == "" && len(sh.Enum) == 0 {
		return nil
	}
	var bad []string
	over, under := outside(sh, v)
	if over {
		bad = append(bad, maxText(sh))
	}
	if under {
		bad = append(bad, minText(sh))
	}
	if sh.Kind == schema.String {
		if sh.Pattern != "" && !Match(sh.Pattern, v.String()) {
			bad = append(bad, patternText(sh))
		}
		if len(sh.Enum) > 0 && !contains(sh.Enum, v.String()) {
			bad = append(bad, enumText(sh))
		}
	}
	return bad
}

// outside compares a value, or the length of one, with the shape's bounds.
func outside(sh *schema.Shape, v reflect.Value) (over, under bool) {
	switch sh.Kind {
	case schema.Float, schema.Double:
		f := v.Float()
		return sh.Max.Set && f > float64(sh.Max.N), sh.Min.Set && f < float64(sh.Min.N)
	case schema.Structure, schema.Boolean, schema.Timestamp:
		return false, false
	}
	n := int64(0)
	switch sh.Kind {
	case schema.Integer, schema.Long:
		n = v.Int()
	case schema.String:
		n = utf16Length(v.String())
	default:
		n = int64(v.Len())
	}
	return sh.Max.Set && n > sh.Max.N, sh.Min.Set && n < sh.Min.N
}

// utf16Length is the length of s as the services count it.
func utf16Length(s string) int64 {
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return int64(n)
}

// constraints returns the texts of all constraints of sh, broken or not.
func constraints(sh *schema.Shape) []string {
	var all []string
	if sh.Max.Set {
		all = append(all, maxText(sh))
	}
	if sh.Min.Set {
		all = append(all, minText(sh))
	}
	if sh.Pattern != "" {
		all = append(all, patternText(sh))
	}
	if len(sh.Enum) > 0 {
		all = append(all, enumText(sh))
	}
	return all
}

func maxText(sh *schema.Shape) string {
	return fmt.Sprintf("Member must have %s less than or equal to %d", measure(sh), sh.Max.N)
}

func minText(sh *schema.Shape) string {
	return fmt.Sprintf("Member must have %s greater than or equal to %d", measure(sh), sh.Min.N)
}

func patternText(sh *schema.Shape) string {
	return "Member must satisfy regular expression pattern: " + sh.Pattern
}

func enumText(sh *schema.Shape) string {
	return "Member must satisfy enum value set: [" + strings.Join(sh.Enum, ", ") + "]"
}

func measure(sh *schema.Shape) string {
	switch sh.Kind {
	case schema.Integer, schema.Long, schema.Float, schema.Double:
		return "value"
	}
	return "length"
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
