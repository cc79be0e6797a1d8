package layout

import (
	"encoding/json"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// forbidden lists imports that would be a mistake, each with its reason. A pattern ends
// in "/..." to cover a package and all below it.
var forbidden = []struct{ from, to, why string }{
	{"model", "...", "resources know no other package: everything else is built on them"},
	{"message", "...", "both HTTP engines and the gateway meet in it; it must not lean to a side"},
	{"lang/...", "model", "languages are used by both planes and know neither"},
	{"lang/...", "plan", "languages are used by both planes and know neither"},
	{"lang/...", "store", "languages do no I/O"},
	{"lang/...", "control/...", "languages are used by both planes and know neither"},
	{"lang/...", "gateway/...", "languages are used by both planes and know neither"},
	{"awsapi/...", "control/...", "the wire carries operations; what they do is filled in from outside"},
	{"awsapi/...", "gateway/...", "management calls and requests share no code but what is below both"},
	{"awsapi/...", "store", "the wire keeps no state"},
	{"openapi", "store", "a document becomes an API and back by a pure function; restapis applies it"},
	{"openapi", "control/...", "a document becomes an API and back by a pure function; restapis applies it"},
	{"sdk", "store", "a client library is a pure function of what a stage serves"},
	{"migrate", "store", "it carries APIs over the management API alone, on both sides"},
	{"migrate", "control/...", "it carries APIs over the management API alone, on both sides"},
	{"trust", "store", "judging certificates is a pure function of its inputs"},
	{"trust", "edge/...", "the edge asks trust, not the other way"},
	{"plan", "model", "the plan is what is left when the documents are compiled"},
	{"plan", "store", "the data plane serves without the store"},
	{"plan", "gateway", "the gateway runs the plan; limiters, which know no plan, are bound into it"},
	{"plan", "edge/...", "the plan is read by the edge and the gateway"},
	{"control/...", "gateway/...", "the two planes meet in the plan alone"},
	{"control/...", "edge/...", "the two planes meet in the plan alone"},
	{"control/...", "plan", "what an operation did reaches the plan through the compiler"},
	{"gateway/...", "control/...", "requests run on the plan alone"},
	{"gateway/...", "store", "requests run on the plan alone: losing the database must change nothing"},
	{"gateway/...", "model", "requests run on the plan alone"},
	{"invoke", "control/...", "the gateway knows functions by it; what calls them is filled in from outside"},
	{"invoke", "runtime", "the gateway knows functions by it; what calls them is filled in from outside"},
	{"functionurl", "control/...", "function URLs are called without the store; the directory is filled in from outside"},
	{"functionurl", "store", "function URLs are called without the store; the directory is filled in from outside"},
	{"functionurl", "runtime", "requests reach functions through invoke alone"},
	{"runtime", "store", "processes run without the store: losing the database must change nothing"},
	{"runtime", "control/...", "processes run without the store: losing the database must change nothing"},
	{"gateway/...", "runtime", "requests reach functions through invoke alone, which judges the permission"},
	{"edge/...", "control/...", "connections run on the plan alone"},
	{"edge/...", "store", "connections run on the plan alone: losing the database must change nothing"},
	{"edge/...", "gateway/...", "the edge hands connections to an engine, and an engine exchanges to a handler"},
	{"http1/...", "plan", "the engine carries messages and does not know what they mean"},
	{"http1/...", "gateway/...", "the engine carries messages and does not know what they mean"},
	{"store/...", "control/...", "the store keeps documents and does not know what they mean"},
	{"store/...", "compile", "the compiler follows the store"},
}

const module = "gatehouse/internal/"

// within reports whether package p (below internal/) is covered by pattern.
func within(p, pattern string) bool {
	if pattern == "..." {
		return true
	}
	base, tree := strings.CutSuffix(pattern, "/...")
	return p == base || tree && strings.HasPrefix(p, base+"/")
}

func TestForbiddenImports(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := 0
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		seen++
		from := strings.TrimPrefix(p.ImportPath, module)
		for _, imported := range p.Imports {
			to, ours := strings.CutPrefix(imported, module)
			if !ours {
				continue
			}
			if to == "server" && from != "server/servertest" && !strings.HasPrefix(p.ImportPath, "gatehouse/examples/") && !strings.HasPrefix(p.ImportPath, "gatehouse/cmd/") && !strings.HasPrefix(p.ImportPath, "gatehouse/bench") {
				t.Errorf("%s imports server: only commands assemble the whole", from)
			}
			for _, f := range forbidden {
				if within(from, f.from) && within(to, f.to) && !within(to, f.from) {
					t.Errorf("%s imports %s: %s", from, to, f.why)
				}
			}
		}
	}
	if seen < 3 {
		t.Fatalf("go list named %d packages", seen)
	}
}

func TestPackageComments(t *testing.T) {
	documented := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == ".git") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		dir := filepath.Dir(path)
		documented[dir] = documented[dir] || f.Doc != nil
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package in %s has no package comment", dir)
		}
	}
}
