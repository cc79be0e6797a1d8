package main

import (
	"fmt"
	"strings"
	"unicode"
)

// pkg is what one package will contain, with the Go names decided.
type pkg struct {
	service *service
	model   *model
	ops     []operation
	others  []*modelOperation // that are not served
	shapes  []string          // reachable shapes that are not exceptions, in the model's order
	goName  map[string]string
	roles   map[string]string // shape to what it is, for its comment
	errors  []exception
}

// operation is one operation with the shapes of its messages; both always exist.
type operation struct {
	*modelOperation
	input, output string
	inputAlias    bool // the Go type is not already called <Name>Input
	outputAlias   bool
}

// exception is one error constructor.
type exception struct {
	name, code string
	status     int
	shape      string // "" when the model lacks it
}

// plan decides what the package of s contains. It adds empty shapes to m for
// operations that take or answer nothing, so that every operation looks alike.
func plan(s *service, m *model) (*pkg, error) {
	p := &pkg{service: s, model: m, goName: map[string]string{}, roles: map[string]string{}}
	uses := map[string]int{} // as input or output
	inner := map[string]bool{}
	for _, name := range m.Operations.names {
		if !s.serves(name) {
			p.others = append(p.others, m.Operations.get(name))
			continue
		}
		mo := m.Operations.get(name)
		op := operation{modelOperation: mo,
			input:  p.message(mo.Input, name+"Input"),
			output: p.message(mo.Output, name+"Output")}
		uses[op.input]++
		uses[op.output]++
		p.ops = append(p.ops, op)
	}
	p.reach(inner)
	for i := range p.ops {
		op := &p.ops[i]
		op.inputAlias = !p.own(op.input, op.Name+"Input", uses, inner)
		op.outputAlias = !p.own(op.output, op.Name+"Output", uses, inner)
		p.roles[op.input] = "the input of " + op.Name
		if !op.outputAlias {
			p.roles[op.output] = "the output of " + op.Name
		}
	}
	p.collectErrors()
	return p, p.checkNames()
}

// message returns the shape of an operation's input or output, making an empty one
// when the model has none.
func (p *pkg) message(ref *modelMember, name string) string {
	if ref != nil {
		return ref.Shape
	}
	p.model.Shapes.add(name, &modelShape{Type: "structure"})
	return name
}

// reach finds the shapes that the served operations are made of, and marks those that
// appear inside another.
func (p *pkg) reach(inner map[string]bool) {
	seen := map[string]bool{}
	var visit func(string)
	visit = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		for _, ref := range p.model.Shapes.get(name).references() {
			inner[ref] = true
			visit(ref)
		}
	}
	for _, op := range p.ops {
		visit(op.input)
		visit(op.output)
		for _, e := range op.Errors {
			for _, ref := range p.model.Shapes.get(e.Shape).references() {
				visit(ref)
			}
		}
	}
	for _, name := range p.model.Shapes.names {
		if seen[name] {
			p.shapes = append(p.shapes, name)
			p.goName[name] = exported(name)
		}
	}
}

// own renames a message shape that serves one operation only to the operation's name
// for it, and reports whether the Go type now has that name.
func (p *pkg) own(shape, want string, uses map[string]int, inner map[string]bool) bool {
	if uses[shape] == 1 && !inner[shape] {
		p.goName[shape] = want
	}
	return p.goName[shape] == want
}

// collectErrors lists the exceptions of the served operations in the model's order,
// then those that the model lacks.
func (p *pkg) collectErrors() {
	used := map[string]bool{}
	for _, op := range p.ops {
		for _, e := range op.Errors {
			used[e.Shape] = true
		}
	}
	for _, name := range p.model.Shapes.names {
		sh := p.model.Shapes.get(name)
		// S3 does not say which operation answers what, so all its exceptions are kept.
		if !sh.Exception || !used[name] && p.model.Metadata.Protocol != "rest-xml" {
			continue
		}
		e := exception{name: exported(name), code: name, status: sh.Error.HTTPStatus, shape: name}
		if sh.Error.Code != "" {
			e.code = sh.Error.Code
		}
		if e.status == 0 {
			e.status = 400
			if sh.Fault {
				e.status = 500
			}
		}
		p.errors = append(p.errors, e)
	}
	for _, code := range sortedKeys(p.service.Errors.Value) {
		p.errors = append(p.errors, exception{name: exported(code), code: code, status: p.service.Errors.Value[code]})
	}
}

// checkNames reports two things of one package that would have the same Go name.
func (p *pkg) checkNames() error {
	taken := map[string]string{"Backend": "the interface", "Unimplemented": "the fallback", "Service": "the table", "Bind": "the function"}
	take := func(name, what string) error {
		if by, ok := taken[name]; ok {
			return fmt.Errorf("%s: %s and %s are both called %s", p.service.Package, by, what, name)
		}
		taken[name] = what
		return nil
	}
	for _, name := range p.shapes {
		if t := p.model.Shapes.get(name).Type; t == "structure" || len(p.model.Shapes.get(name).Enum) > 0 {
			if err := take(p.goName[name], "shape "+name); err != nil {
				return err
			}
		}
	}
	for _, op := range p.ops {
		if op.inputAlias {
			if err := take(op.Name+"Input", "alias of "+op.input); err != nil {
				return err
			}
		}
		if op.outputAlias {
			if err := take(op.Name+"Output", "alias of "+op.output); err != nil {
				return err
			}
		}
	}
	for _, e := range p.errors {
		if err := take(e.name, "error "+e.code); err != nil {
			return err
		}
	}
	return nil
}

// exported returns a model name as an exported Go name.
func exported(name string) string {
	var b strings.Builder
	up := true
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			up = true
		case up:
			b.WriteRune(unicode.ToUpper(r))
			up = false
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// enumConst returns the constant's name for a value of an enum: words in capitals
// become capitalised words, so that AWS_PROXY of IntegrationType is IntegrationTypeAwsProxy.
func enumConst(typeName, value string) string {
	words := strings.FieldsFunc(value, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	var b strings.Builder
	b.WriteString(typeName)
	for _, w := range words {
		if strings.ToUpper(w) == w {
			w = strings.ToLower(w)
		}
		b.WriteString(strings.ToUpper(w[:1]) + w[1:])
	}
	return b.String()
}
