package conformance

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/awsapi/schema"
	"gatehouse/internal/server/servertest"
)

// membersRead returns, for each type of input ("apigateway.PutMethodInput"), the fields that
// any function of the control plane reads of a parameter of that type.
func membersRead(t *testing.T) map[string]map[string]bool {
	t.Helper()
	read := map[string]map[string]bool{}
	err := filepath.WalkDir("../../control", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body != nil {
				readBy(fn, read)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// readBy adds what one function reads of its inputs. An input that is handed on as a whole, other
// than to a function that is looked at too, counts as read by that one alone.
func readBy(fn *ast.FuncDecl, read map[string]map[string]bool) {
	inputs := map[string]string{} // parameter to type
	for _, p := range fn.Type.Params.List {
		star, ok := p.Type.(*ast.StarExpr)
		if !ok {
			continue
		}
		sel, ok := star.X.(*ast.SelectorExpr)
		if !ok || !strings.HasSuffix(sel.Sel.Name, "Input") {
			continue
		}
		for _, name := range p.Names {
			inputs[name.Name] = sel.Sel.Name
		}
	}
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && inputs[x.Name] != "" {
			kind := inputs[x.Name]
			if read[kind] == nil {
				read[kind] = map[string]bool{}
			}
			read[kind][sel.Sel.Name] = true
		}
		return true
	})
}

// unread are members that nothing reads, each with the reason why that ignores nothing.
var unread = map[string]string{
	"GetSdkTypes.position": "one page always holds the types",
	"GetSdkTypes.limit":    "one page always holds the types",
	"GetTags.position":     "the service has no pages of tags either",
	"GetTags.limit":        "the service has no pages of tags either",
	"ImportApiKeys.format": "csv is its only value",
	// Deprecated: ids are always distinct from values.
	"CreateApiKey.generateDistinctId": "true is what happens",
}

// stored are members that are kept and shown, and that nothing acts on.
var stored = map[string]string{
	"CreateDomainNameAccessAssociation.accessAssociationSource": "private domain names are not served",
	"CreateDomainName.routingMode":                              "ROUTING_RULE_* belong to API version 2",
	"CreateStage.tracingEnabled":                                "no X-Ray segments are written",
	"CreateDeployment.tracingEnabled":                           "no X-Ray segments are written",
}

// refusedMembers are members that are refused by name; TestRefusedMembers sends each.
var refusedMembers = map[string]string{
	"CreateDomainName.certificateBody":       "POST /domainnames {\"domainName\":\"a.example.com\",\"certificateBody\":\"x\"}",
	"CreateDomainName.certificatePrivateKey": "POST /domainnames {\"domainName\":\"a.example.com\",\"certificatePrivateKey\":\"x\"}",
	"CreateDomainName.certificateChain":      "POST /domainnames {\"domainName\":\"a.example.com\",\"certificateChain\":\"x\"}",
}

// Nothing that API Gateway's operations are given is ignored: each member of each input is read,
// or it is listed with a reason.
func TestEveryMemberIsRead(t *testing.T) {
	g := servertest.Start(t, nil)
	read := membersRead(t)
	service := gatewayService(t, g).Service
	for i := range service.Operations {
		op := &service.Operations[i]
		for _, m := range op.In.Members {
			name := op.Name + "." + m.Name
			is := read[op.Name+"Input"][goName(m)]
			if why := unread[name]; is == (why != "") {
				t.Errorf("%s: read %v, listed as unread because %q", name, is, why)
			}
		}
	}
}

// goName is the name of a member's field.
func goName(m schema.Member) string {
	return strings.ToUpper(m.Name[:1]) + m.Name[1:]
}

// What is listed as refused is refused, and named.
func TestRefusedMembers(t *testing.T) {
	w := newWire(t, servertest.Start(t, nil))
	for name, call := range refusedMembers {
		method, rest, _ := strings.Cut(call, " ")
		target, body, _ := strings.Cut(rest, " ")
		_, m, _ := strings.Cut(name, ".")
		if a := w.call(t, method, target, body); a.status != 400 || !strings.Contains(a.message, m) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// memberTable writes what becomes of each member of each operation of API Gateway.
func memberTable(service *schema.Service) string {
	var b strings.Builder
	b.WriteString("\nMembers: *enforced* ones act, *stored* ones are kept and shown only, *refused* ones are answered with an error that names them.\n" +
		"What updates take is in their patch paths, which the scripts in `internal/server/conformance/testdata` go through.\n\n" +
		"| Operation | Enforced | Stored | Refused |\n|---|---|---|---|\n")
	for i := range service.Operations {
		op := &service.Operations[i]
		var lists [3][]string
		for _, m := range op.In.Members {
			name, at := op.Name+"."+m.Name, 0
			switch {
			case stored[name] != "":
				at = 1
			case refusedMembers[name] != "":
				at = 2
			}
			lists[at] = append(lists[at], m.Name)
		}
		fmt.Fprintf(&b, "| %s |", op.Name)
		for _, l := range lists {
			fmt.Fprintf(&b, " %s |", strings.Join(l, ", "))
		}
		b.WriteByte('\n')
	}
	return b.String()
}
