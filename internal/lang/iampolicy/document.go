package iampolicy

import (
	"encoding/json"
	"strings"
)

// A Document is a policy as it was written, with the order of everything kept. It may
// be edited and compiled anew; a Policy made from it is not affected.
type Document struct {
	Kind       Kind
	Version    string // "2012-10-17", "2008-10-17" or "" (which means the latter)
	ID         string
	Statements []Statement
}

// A Statement is one statement of a document. A list of one and a single value are the
// same.
type Statement struct {
	Sid          string
	Deny         bool // Effect
	NotPrincipal bool
	Principals   []PrincipalEntry // nil without the element
	NotAction    bool
	Actions      []string
	NotResource  bool
	Resources    []string // nil without the element
	Conditions   []Condition
	offset       int // of the statement in the text
}

// A PrincipalEntry is one principal. "Principal": "*" has the type "" and the value "*".
type PrincipalEntry struct {
	Type  string // "AWS", "Service", "Federated", "CanonicalUser"
	Value string
}

// A Condition is one operator on one key. Numbers and booleans of the document are
// kept as their text.
type Condition struct {
	Operator string // with prefix and suffix
	Key      string // as written
	Values   []string
}

// A Policy is a compiled document. Its zero value, like a nil Policy, is silent.
type Policy struct {
	kind       Kind
	statements []statement
}

type statement struct {
	sid         string
	deny        bool
	notAction   bool
	notResource bool
	actions     []pattern
	resources   []pattern // nil when the element is not there
	principals  principals
	conditions  []condition
}

// Compile makes a Policy. A document that Parse has accepted compiles; an edited one
// may fail, with an *Error that has no place in a text.
func (d *Document) Compile() (*Policy, error) {
	p := &Policy{kind: d.Kind, statements: make([]statement, len(d.Statements))}
	variables := d.Version == version2012
	for i := range d.Statements {
		if err := p.statements[i].compile(&d.Statements[i], variables); err != nil {
			return nil, &Error{Offset: -1, Message: err.Error(), Summary: syntaxErrors}
		}
	}
	return p, nil
}

func (st *statement) compile(s *Statement, variables bool) error {
	st.sid, st.deny, st.notAction, st.notResource = s.Sid, s.Deny, s.NotAction, s.NotResource
	for _, a := range s.Actions {
		p, err := compilePattern(a, false, true)
		if err != nil {
			return err
		}
		st.actions = append(st.actions, p)
	}
	for _, r := range s.Resources {
		p, err := compilePattern(completeARN(r), variables, true)
		if err != nil {
			return err
		}
		st.resources = append(st.resources, p)
	}
	st.principals = compilePrincipals(s)
	for _, c := range s.Conditions {
		compiled, err := compileCondition(c, variables)
		if err != nil {
			return err
		}
		st.conditions = append(st.conditions, compiled)
	}
	return nil
}

// completeARN appends a wildcard for the fields that an ARN lacks, as IAM does
// ("Resource element", incomplete ARNs).
func completeARN(r string) string {
	if strings.HasPrefix(r, "arn:") && strings.Count(r, ":") < 5 {
		return strings.TrimSuffix(r, ":") + ":*"
	}
	return r
}

func compilePrincipals(s *Statement) principals {
	p := principals{set: s.Principals != nil, not: s.NotPrincipal}
	for _, e := range s.Principals {
		if e.Value == "*" && (e.Type == "" || e.Type == "AWS") {
			p.all = true
			continue
		}
		p.list = append(p.list, principal{principalKinds[e.Type], e.Value})
	}
	return p
}

func compileCondition(c Condition, variables bool) (condition, error) {
	op, set, ifExists, _ := parseOperator(c.Operator)
	out := condition{op: op, name: c.Operator, written: c.Key, key: strings.ToLower(c.Key), set: set, ifExists: ifExists}
	for _, v := range c.Values {
		t, err := compileTest(op.compare, v, variables)
		if err != nil {
			return out, err
		}
		out.tests = append(out.tests, t)
	}
	return out, nil
}

// JSON returns the document as compact JSON. Lists of one are written as one value;
// parsing it gives an equal document.
func (d *Document) JSON() string {
	var b strings.Builder
	b.WriteByte('{')
	if d.Version != "" {
		b.WriteString(`"Version":` + quote(d.Version) + ",")
	}
	if d.ID != "" {
		b.WriteString(`"Id":` + quote(d.ID) + ",")
	}
	b.WriteString(`"Statement":[`)
	for i := range d.Statements {
		if i > 0 {
			b.WriteByte(',')
		}
		d.Statements[i].print(&b)
	}
	b.WriteString("]}")
	return b.String()
}

func (s *Statement) print(b *strings.Builder) {
	b.WriteByte('{')
	if s.Sid != "" {
		b.WriteString(`"Sid":` + quote(s.Sid) + ",")
	}
	if s.Deny {
		b.WriteString(`"Effect":"Deny"`)
	} else {
		b.WriteString(`"Effect":"Allow"`)
	}
	if s.Principals != nil {
		b.WriteString(member("Principal", s.NotPrincipal))
		printPrincipals(b, s.Principals)
	}
	b.WriteString(member("Action", s.NotAction) + values(s.Actions))
	if s.Resources != nil {
		b.WriteString(member("Resource", s.NotResource) + values(s.Resources))
	}
	if len(s.Conditions) > 0 {
		b.WriteString(`,"Condition":{`)
		printConditions(b, s.Conditions)
		b.WriteByte('}')
	}
	b.WriteByte('}')
}

func member(name string, not bool) string {
	if not {
		name = "Not" + name
	}
	return `,"` + name + `":`
}

func printPrincipals(b *strings.Builder, list []PrincipalEntry) {
	if list[0].Type == "" {
		b.WriteString(`"*"`)
		return
	}
	b.WriteByte('{')
	for i := 0; i < len(list); {
		typ, vs := list[i].Type, []string(nil)
		if i > 0 {
			b.WriteByte(',')
		}
		for ; i < len(list) && list[i].Type == typ; i++ {
			vs = append(vs, list[i].Value)
		}
		b.WriteString(quote(typ) + ":" + values(vs))
	}
	b.WriteByte('}')
}

func printConditions(b *strings.Builder, list []Condition) {
	for i := 0; i < len(list); {
		op := list[i].Operator
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(quote(op) + ":{")
		for first := true; i < len(list) && list[i].Operator == op; i++ {
			if !first {
				b.WriteByte(',')
			}
			first = false
			b.WriteString(quote(list[i].Key) + ":" + values(list[i].Values))
		}
		b.WriteByte('}')
	}
}

func values(vs []string) string {
	if len(vs) == 1 {
		return quote(vs[0])
	}
	quoted := make([]string, len(vs))
	for i, v := range vs {
		quoted[i] = quote(v)
	}
	return "[" + strings.Join(quoted, ",") + "]"
}

func quote(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil { // a string always encodes
		panic("iampolicy: " + err.Error())
	}
	return strings.TrimSuffix(b.String(), "\n")
}
