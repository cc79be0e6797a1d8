package main

import (
	"bytes"
	"fmt"
	"strings"
)

var protocols = map[string]string{"rest-json": "RESTJSON", "json": "JSON11", "query": "Query", "rest-xml": "RESTXML"}

var kinds = map[string]string{"string": "String", "character": "String", "boolean": "Boolean", "integer": "Integer",
	"long": "Long", "float": "Float", "double": "Double", "timestamp": "Timestamp", "blob": "Blob", "list": "List",
	"map": "Map", "structure": "Structure"}

var times = map[string]string{"unixTimestamp": "EpochSeconds", "iso8601": "ISO8601", "rfc822": "HTTPDate"}

// emitSchema writes the tables that describe the service.
func (p *pkg) emitSchema(b *bytes.Buffer) {
	md := p.model.Metadata
	fmt.Fprintf(b, "package %s\n\nimport (\n\"sync\"\n\n\"gatehouse/internal/awsapi/schema\"\n)\n\n", p.service.Package)
	b.WriteString("// Service returns the tables of the service, linked on first use. They must not be modified.\n")
	b.WriteString("var Service = sync.OnceValue(func() *schema.Service {\nreturn (&schema.Service{\n")
	fmt.Fprintf(b, "Name: %q,\nFullName: %q,\nAPIVersion: %q,\nProtocol: schema.%s,\n", p.service.signingName(), md.ServiceFullName, md.APIVersion, protocols[md.Protocol])
	field(b, "TargetPrefix", md.TargetPrefix)
	field(b, "XMLNamespace", p.xmlNamespace())
	fmt.Fprintf(b, "Convention: schema.Convention{Code: %q, InputPrefix: %v},\n", p.service.Code, p.service.InputPrefix)
	mark(b, "WrappedErrors", p.service.WrappedErrors)
	b.WriteString("Operations: operations,\nOther: others,\nShapes: shapes,\nErrors: errorShapes,\n}).Link()\n})\n\n")
	p.emitOperations(b)
	b.WriteString("var shapes = []schema.Shape{\n")
	for _, name := range p.shapes {
		p.emitShape(b, name)
	}
	b.WriteString("}\n\n")
	b.WriteString("var errorShapes = []schema.ErrorShape{\n")
	for _, e := range p.errors {
		p.emitErrorShape(b, e)
	}
	b.WriteString("}\n")
}

// xmlNamespace is the namespace of the service's XML. The S3 model leaves it out of its
// metadata and repeats it on members instead.
func (p *pkg) xmlNamespace() string {
	if p.service.Package == "s3" {
		return "http://s3.amazonaws.com/doc/2006-03-01/"
	}
	return p.model.Metadata.XMLNamespace
}

func (p *pkg) emitOperations(b *bytes.Buffer) {
	rest := strings.HasPrefix(p.model.Metadata.Protocol, "rest")
	b.WriteString("var operations = []schema.Operation{\n")
	for _, op := range p.ops {
		fmt.Fprintf(b, "{Name: %q,", op.Name)
		if rest {
			fmt.Fprintf(b, "Method: %q, URI: %q,", op.HTTP.Method, op.HTTP.RequestURI)
		}
		fmt.Fprintf(b, "Status: %d, Input: %q, Output: %q,", status(op.HTTP.ResponseCode), op.input, op.output)
		if op.Input != nil {
			field(b, "InputRoot", op.Input.LocationName)
		}
		field(b, "OutputRoot", p.outputRoot(op))
		for _, name := range p.service.Unwrapped.Value {
			mark(b, "Unwrapped", name == op.Name)
		}
		fmt.Fprintf(b, "Handler: schema.Bind(Backend.%s)},\n", op.Name)
	}
	b.WriteString("}\n\nvar others = []schema.Other{\n")
	for _, op := range p.others {
		fmt.Fprintf(b, "{Name: %q", op.Name)
		if rest {
			fmt.Fprintf(b, ", Method: %q, URI: %q", op.HTTP.Method, op.HTTP.RequestURI)
		}
		b.WriteString("},\n")
	}
	b.WriteString("}\n\n")
}

// outputRoot is the XML element of an answer where it is not the shape's name: the
// result wrapper of the Query protocol, which operations without an output lack.
func (p *pkg) outputRoot(op operation) string {
	if op.Output != nil && op.Output.ResultWrapper != "" {
		return op.Output.ResultWrapper
	}
	return p.service.Roots.Value[op.Name]
}

func status(code int) int {
	if code == 0 {
		return 200
	}
	return code
}

func (p *pkg) emitShape(b *bytes.Buffer, name string) {
	sh := p.model.Shapes.get(name)
	fmt.Fprintf(b, "{Name: %q, Kind: schema.%s,", name, kinds[sh.Type])
	if len(sh.Enum) > 0 {
		fmt.Fprintf(b, "Enum: %#v,", sh.Enum)
	}
	field(b, "Pattern", sh.Pattern)
	if min := limit(sh.Min); min != "" {
		fmt.Fprintf(b, "Min: schema.Is(%s),", min)
	}
	if max := limit(sh.Max); max != "" {
		fmt.Fprintf(b, "Max: schema.Is(%s),", max)
	}
	field(b, "Payload", sh.Payload)
	mark(b, "Union", sh.Union)
	mark(b, "Streaming", sh.Streaming)
	mark(b, "Events", sh.EventStream)
	mark(b, "Sensitive", sh.Sensitive)
	mark(b, "Flattened", sh.Flattened)
	if sh.Time != "" {
		fmt.Fprintf(b, "Time: schema.%s,", times[sh.Time])
	}
	field(b, "XMLName", sh.LocationName)
	field(b, "XMLPrefix", sh.XMLNamespace.Prefix)
	field(b, "XMLSpace", sh.XMLNamespace.URI)
	if sh.Member != nil {
		fmt.Fprintf(b, "Elem: &schema.Member%s,", member("", sh.Member, nil))
	}
	if sh.Key != nil {
		fmt.Fprintf(b, "Key: &schema.Member%s,", member("", sh.Key, nil))
		fmt.Fprintf(b, "Elem: &schema.Member%s,", member("", sh.Value, nil))
	}
	p.emitMembers(b, sh)
	b.WriteString("},\n")
}

func (p *pkg) emitMembers(b *bytes.Buffer, sh *modelShape) {
	if len(sh.Members.names) == 0 {
		return
	}
	b.WriteString("Members: []schema.Member{\n")
	for _, m := range sh.Members.names {
		b.WriteString(member(m, sh.Members.get(m), sh) + ",\n")
	}
	b.WriteString("},")
}

func (p *pkg) emitErrorShape(b *bytes.Buffer, e exception) {
	if e.shape == "" {
		return
	}
	fmt.Fprintf(b, "{Code: %q,", e.code)
	p.emitMembers(b, p.model.Shapes.get(e.shape))
	b.WriteString("},\n")
}

// member writes the literal of a schema.Member; in is nil for elements.
func member(name string, m *modelMember, in *modelShape) string {
	var b bytes.Buffer
	b.WriteString("{")
	field(&b, "Name", name)
	if m.LocationName != name {
		field(&b, "Wire", m.LocationName)
	}
	field(&b, "Type", m.Shape)
	if loc := location(m); loc != "" {
		fmt.Fprintf(&b, "Loc: schema.%s,", loc)
	}
	mark(&b, "Required", in != nil && in.requires(name))
	mark(&b, "Streaming", m.Streaming)
	mark(&b, "Flattened", m.Flattened)
	mark(&b, "Token", m.Token)
	mark(&b, "XMLAttr", m.XMLAttribute)
	field(&b, "XMLSpace", m.XMLNamespace.URI)
	if m.Time != "" {
		fmt.Fprintf(&b, "Time: schema.%s,", times[m.Time])
	}
	return strings.TrimSuffix(b.String(), ",") + "}"
}

func location(m *modelMember) string {
	switch m.Location {
	case "uri":
		return "URI"
	case "header":
		return "Header"
	case "headers":
		return "Headers"
	case "statusCode":
		return "StatusCode"
	case "querystring":
		if m.LocationName == "" {
			return "QueryRest"
		}
		return "QueryParam"
	}
	return ""
}

func field(b *bytes.Buffer, name, value string) {
	if value != "" {
		fmt.Fprintf(b, "%s: %q,", name, value)
	}
}

func mark(b *bytes.Buffer, name string, value bool) {
	if value {
		fmt.Fprintf(b, "%s: true,", name)
	}
}
