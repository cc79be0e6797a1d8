package main

import (
	"bytes"
	"fmt"
	"strings"
)

// emitErrors writes a constructor for each exception.
func (p *pkg) emitErrors(b *bytes.Buffer) {
	fmt.Fprintf(b, "package %s\n\nimport \"gatehouse/internal/awsapi/awserr\"\n\n", p.service.Package)
	for _, e := range p.errors {
		fmt.Fprintf(b, "// %s is the error %s, HTTP status %d.%s\n", e.name, e.code, e.status, p.errorMembers(e))
		fmt.Fprintf(b, "func %s(message string) *awserr.Error {\nreturn awserr.New(%q, %d, message)\n}\n\n", e.name, e.code, e.status)
	}
}

// errorMembers tells which members beside the message With can set.
func (p *pkg) errorMembers(e exception) string {
	if e.shape == "" {
		return ""
	}
	var names []string
	for _, m := range p.model.Shapes.get(e.shape).Members.names {
		if !strings.EqualFold(m, "message") {
			names = append(names, m)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "\n// Further members, set by With: " + strings.Join(names, ", ") + "."
}

// emitBackend writes the Backend interface and the struct that refuses everything.
func (p *pkg) emitBackend(b *bytes.Buffer) {
	name := p.service.Package
	fmt.Fprintf(b, "// Package %s is the wire contract of %s, version %s: the types of its\n", name, p.model.Metadata.ServiceFullName, p.model.Metadata.APIVersion)
	b.WriteString("// messages, the tables that describe them, its errors, and the Backend that control\n// packages fill. All of it is generated; nothing in it has state.\n")
	fmt.Fprintf(b, "package %s\n\nimport (\n\"context\"\n\n\"gatehouse/internal/awsapi/awserr\"\n\"gatehouse/internal/awsapi/schema\"\n)\n\n", name)
	b.WriteString(`// Backend does what the operations say. An input was decoded and satisfies the model's
// constraints: its required members are not nil. A nil output is an answer without
// members. Errors made by the constructors of this package, or by awserr, reach the
// caller; any other becomes an internal failure. Methods are called concurrently.
type Backend interface {
`)
	for _, op := range p.ops {
		fmt.Fprintf(b, "%s(context.Context, *%[1]sInput) (*%s, error)\n", op.Name, p.goName[op.output])
	}
	b.WriteString("}\n\n")
	b.WriteString(`// Unimplemented is a Backend that answers every call with awserr.NotImplemented. Embed
// it beside the packages that fill parts of Backend: its methods lie two levels down,
// so that a method of any type embedded next to it wins.
type Unimplemented struct{ fallback }

type fallback struct{ refusals }

type refusals struct{}

`)
	for _, op := range p.ops {
		fmt.Fprintf(b, "func (refusals) %s(context.Context, *%[1]sInput) (*%s, error) {\nreturn nil, awserr.NotImplemented(%q, %[1]q)\n}\n", op.Name, p.goName[op.output], name)
	}
	fmt.Fprintf(b, `
// Bind joins the service's tables with the backend that serves it.
func Bind(b Backend) schema.Bound { return schema.Bound{Service: Service(), Backend: b, Fallback: Unimplemented{}} }
`)
}
