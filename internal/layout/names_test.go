package layout

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// declared holds what the code declares: "edge.Listener", "edge.Listener.Serve", and without the
// package "Listener", "Listener.Serve", "Serve"; and its files by name.
func declared(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/gen/") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		names[filepath.Base(path)] = true
		add := func(name string) { names[name], names[f.Name.Name+"."+name] = true, true }
		for _, decl := range f.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if on := receiver(d); on != "" {
					add(on + "." + d.Name.Name)
				}
				add(d.Name.Name)
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if ts, ok := spec.(*ast.TypeSpec); ok {
						add(ts.Name.Name)
						if i, ok := ts.Type.(*ast.InterfaceType); ok {
							for _, m := range i.Methods.List {
								for _, name := range m.Names {
									add(name.Name)
								}
							}
						}
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// receiver names the type that a method is on, "" for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	on := d.Recv.List[0].Type
	if star, ok := on.(*ast.StarExpr); ok {
		on = star.X
	}
	if generic, ok := on.(*ast.IndexExpr); ok {
		on = generic.X
	}
	if id, ok := on.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

var (
	quoted = regexp.MustCompile("`([^`]+)`")
	method = regexp.MustCompile(`^\(\*([\w.]+)\)\.(\w+)$`)
	name   = regexp.MustCompile(`^\*?[A-Za-z][\w.]*$`)
	place  = regexp.MustCompile(`^[\w./…]+/[\w.…]+$`)
)

// What ARCHITECTURE.md says in code letters is there: it is the map by which newcomers walk.
func TestArchitectureNamesWhatIsThere(t *testing.T) {
	text, err := os.ReadFile("../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	names := declared(t)
	exists := func(path string) bool {
		path = strings.TrimSuffix(path, "/…")
		for _, root := range []string{"../..", ".."} {
			if _, err := os.Stat(filepath.Join(root, path)); err == nil {
				return true
			}
		}
		return false
	}
	checked := 0
	for _, q := range quoted.FindAllStringSubmatch(string(text), -1) {
		said := q[1]
		known := false
		switch m := method.FindStringSubmatch(said); {
		case m != nil:
			known = names[m[1]+"."+m[2]]
		case strings.HasPrefix(said, "/"):
			continue // of a URL
		case place.MatchString(said):
			known = exists(said)
		case name.MatchString(said):
			known = names[strings.TrimPrefix(said, "*")] || exists(said)
		default:
			continue // a command, a header
		}
		if checked++; !known {
			t.Errorf("ARCHITECTURE.md names `%s`, which is nowhere", said)
		}
	}
	if checked < 60 {
		t.Errorf("checked %d names of ARCHITECTURE.md", checked)
	}
}
