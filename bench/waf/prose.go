//go:build ignore

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/corazawaf/coraza/v3"

	"gatehouse/internal/lang/wafrules"
)

var wrongProse = flag.Bool("prose", false, "list the paragraphs that are blocked")

// readProse lists the paragraphs of the documentation of Go's standard library: what people
// write about databases, files, shells and the web, with names of functions and pieces of code.
func readProse() ([]string, error) {
	seen := map[string]bool{}
	var all []string
	root := filepath.Join(runtime.GOROOT(), "src")
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == "vendor" || name == filepath.Join(root, "cmd")) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil // written to be wrong
		}
		ast.Inspect(f, func(n ast.Node) bool {
			c, ok := n.(*ast.CommentGroup)
			if !ok {
				return true
			}
			for p := range strings.SplitSeq(c.Text(), "\n\n") {
				if p = strings.TrimSpace(p); len(p) > 100 && len(p) < 2000 && !seen[p] && !strings.HasPrefix(p, "Copyright") {
					seen[p] = true
					all = append(all, p)
				}
			}
			return true
		})
		return nil
	})
	return all, err
}

// proseSample sends a text as a field of JSON, as a ticket or a comment would be.
func proseSample(text string) (*sample, error) {
	body, err := json.Marshal(map[string]string{"title": "a note", "text": text})
	return &sample{method: "POST", uri: "/v1/tickets", body: string(body), header: [][2]string{{"Host", "api.example.com"},
		{"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"}, {"Accept", "application/json"}, {"Content-Type", "application/json"}}}, err
}

// compareProse prints how much of that is blocked wrongly. Coraza takes a millisecond and
// more for each, so that it sees every tenth only.
func compareProse(acl *wafrules.ACL, waf coraza.WAF) error {
	texts, err := readProse()
	if err != nil {
		return err
	}
	scratch := new(wafrules.Scratch)
	wrong, crsWrong, crsSeen := 0, 0, 0
	for i, text := range texts {
		s, err := proseSample(text)
		if err != nil {
			return err
		}
		v, err := acl.Evaluate(s.request(), scratch)
		if err != nil {
			return err
		}
		if v.Action == wafrules.Block {
			wrong++
			if *wrongProse {
				m := v.Matches[len(v.Matches)-1]
				fmt.Fprintf(os.Stderr, "%s: %.60q in %.200q\n", v.Rules[len(v.Rules)-2].Name, m.Value[m.Start:m.End], text)
			}
		}
		if i%10 == 0 && waf != nil {
			crsSeen++
			if blockedByCoraza(waf, s) {
				crsWrong++
			}
		}
	}
	fmt.Printf("\nProse: %d paragraphs of the documentation of %s; Gatehouse blocks %s of them. Of every tenth, Coraza + CRS PL1 blocks %s.\n",
		len(texts), runtime.Version(), percent(wrong, len(texts)), percent(crsWrong, crsSeen))
	return nil
}
