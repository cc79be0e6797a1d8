package main

import (
	"bytes"
	"fmt"
	"strings"
)

// emitTypes writes the Go types of structures and enums.
func (p *pkg) emitTypes(b *bytes.Buffer) {
	var body bytes.Buffer
	for _, op := range p.ops {
		if op.inputAlias {
			fmt.Fprintf(&body, "// %[1]sInput is the input of %[1]s.\ntype %[1]sInput = %[2]s\n\n", op.Name, p.goName[op.input])
		}
		if op.outputAlias {
			fmt.Fprintf(&body, "// %[1]sOutput is the output of %[1]s.\ntype %[1]sOutput = %[2]s\n\n", op.Name, p.goName[op.output])
		}
	}
	for _, name := range p.shapes {
		sh := p.model.Shapes.get(name)
		switch {
		case sh.Exception:
		case sh.Type == "structure":
			p.emitStruct(&body, name, sh)
		case len(sh.Enum) > 0:
			p.emitEnum(&body, name, sh)
		}
	}
	fmt.Fprintf(b, "package %s\n\n", p.service.Package)
	var imports []string
	for _, pkg := range []string{"io", "time"} {
		if bytes.Contains(body.Bytes(), []byte(pkg+".")) {
			imports = append(imports, fmt.Sprintf("%q", pkg))
		}
	}
	fmt.Fprintf(b, "import (\n%s\n)\n\n", strings.Join(imports, "\n"))
	b.Write(body.Bytes())
}

func (p *pkg) emitStruct(b *bytes.Buffer, name string, sh *modelShape) {
	role := "the structure " + name
	if r := p.roles[name]; r != "" {
		role = r
	}
	fmt.Fprintf(b, "// %s is %s.\n", p.goName[name], role)
	if sh.Union {
		b.WriteString("// Exactly one member is set.\n")
	}
	fmt.Fprintf(b, "type %s struct {\n", p.goName[name])
	for _, m := range sh.Members.names {
		ref := sh.Members.get(m)
		fmt.Fprintf(b, "%s %s", exported(m), p.memberType(ref))
		if notes := memberNotes(m, ref, sh); notes != "" {
			fmt.Fprintf(b, " // %s", notes)
		}
		b.WriteString("\n")
	}
	b.WriteString("}\n\n")
}

// memberNotes is the comment beside a field: whether it must be there and where it
// travels when that is not the body.
func memberNotes(name string, m *modelMember, sh *modelShape) string {
	var notes []string
	if sh.requires(name) {
		notes = append(notes, "required")
	}
	if m.Sparse {
		notes = append(notes, "nil values are sent as null")
	}
	switch {
	case sh.Payload == name:
		notes = append(notes, "the body")
	case m.Location == "header":
		notes = append(notes, "header "+m.LocationName)
	case m.Location == "headers":
		notes = append(notes, "headers "+m.LocationName+"*")
	case m.Location == "statusCode":
		notes = append(notes, "HTTP status")
	case m.Location == "uri":
		notes = append(notes, "path")
	case m.Location == "querystring" && m.LocationName == "":
		notes = append(notes, "every other query parameter")
	case m.Location == "querystring":
		notes = append(notes, "query "+m.LocationName)
	case m.LocationName != "" && m.LocationName != name:
		notes = append(notes, "sent as "+m.LocationName)
	}
	return strings.Join(notes, ", ")
}

func (p *pkg) emitEnum(b *bytes.Buffer, name string, sh *modelShape) {
	typ := p.goName[name]
	fmt.Fprintf(b, "// %s is one of the values below.\ntype %[1]s string\n\n", typ)
	fmt.Fprintf(b, "// The values of %s.\nconst (\n", typ)
	taken := map[string]int{}
	for _, v := range sh.Enum {
		c := enumConst(typ, v)
		taken[c]++
		if n := taken[c]; n > 1 {
			c = fmt.Sprintf("%s%d", c, n)
		}
		fmt.Fprintf(b, "%s %s = %q\n", c, typ, v)
	}
	b.WriteString(")\n\n")
}

// memberType is the Go type of a structure member: scalars are pointers, nil meaning
// absent; lists, maps, blobs and structures have a nil of their own.
func (p *pkg) memberType(m *modelMember) string {
	sh := p.model.Shapes.get(m.Shape)
	switch {
	case m.Streaming || sh.Streaming:
		return "io.ReadCloser"
	case sh.scalar(), sh.Type == "structure":
		return "*" + p.valueType(m.Shape)
	case m.Sparse:
		return "map[string]*" + p.valueType(sh.Value.Shape)
	}
	return p.valueType(m.Shape)
}

// valueType is the Go type of a list element or map value.
func (p *pkg) valueType(name string) string {
	sh := p.model.Shapes.get(name)
	switch sh.Type {
	case "structure":
		return p.goName[name]
	case "list":
		return "[]" + p.valueType(sh.Member.Shape)
	case "map":
		return "map[string]" + p.valueType(sh.Value.Shape)
	case "string", "character":
		if len(sh.Enum) > 0 {
			return p.goName[name]
		}
		return "string"
	case "timestamp":
		return "time.Time"
	case "blob":
		return "[]byte"
	}
	t, ok := map[string]string{"boolean": "bool", "integer": "int32", "long": "int64", "float": "float32", "double": "float64"}[sh.Type]
	if !ok {
		panic(fmt.Sprintf("shape %s has the unknown type %q", name, sh.Type))
	}
	return t
}
