//go:build ignore

package main

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/corazawaf/coraza-coreruleset/v4"
)

// The source does not end in .c, lest the go command takes it for part of the package.
//
//go:embed modsecurity.c.txt
var modSecuritySource []byte

// modSecurityRules precede the rule set: what its recommended configuration does.
const modSecurityRules = `SecRuleEngine On
SecRequestBodyAccess On
SecRule REQUEST_HEADERS:Content-Type "^(?:application(?:/soap\+|/)|text/)xml" "id:200000,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule REQUEST_HEADERS:Content-Type "^application/json" "id:200001,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
SecPcreMatchLimit 500000
SecPcreMatchLimitRecursion 500000
SecAction "id:900005,phase:1,nolog,pass,t:none,setvar:tx.blocking_paranoia_level=1,setvar:tx.detection_paranoia_level=1"
`

// A modSecurity is a process that runs requests through libmodsecurity.
type modSecurity struct {
	in  *bufio.Writer
	out *bufio.Reader
	end func() error
}

// newModSecurity builds and starts the process, with the rule set that Coraza has. It needs a C
// compiler and libmodsecurity's headers (Debian: libmodsecurity-dev).
func newModSecurity() (*modSecurity, error) {
	dir, err := os.MkdirTemp("", "modsecurity-")
	if err != nil {
		return nil, err
	}
	files, err := writeRules(dir)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "m.c"), modSecuritySource, 0o600); err != nil {
		return nil, err
	}
	program := filepath.Join(dir, "m")
	if text, err := exec.Command("cc", "-O2", "-o", program, filepath.Join(dir, "m.c"), "-lmodsecurity").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("libmodsecurity is not compared: %w: %.200s", err, text)
	}
	cmd := exec.Command(program, files...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	end := func() error {
		in.Close()
		return errors.Join(cmd.Wait(), os.RemoveAll(dir))
	}
	return &modSecurity{bufio.NewWriter(in), bufio.NewReader(out), end}, cmd.Start()
}

// writeRules writes the rule files and lists them in order. An empty line stands before each
// directive: libmodsecurity's parser wants one after a chain.
func writeRules(dir string) ([]string, error) {
	first := filepath.Join(dir, "0.conf")
	files := []string{first}
	if err := os.WriteFile(first, []byte(modSecurityRules), 0o600); err != nil {
		return nil, err
	}
	var names []string
	err := fs.WalkDir(coreruleset.FS, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && (strings.HasPrefix(name, "@owasp_crs/") || name == "@crs-setup.conf.example") {
			names = append(names, name)
		}
		return err
	})
	slices.Sort(names)
	for _, name := range names {
		src, err := fs.ReadFile(coreruleset.FS, name)
		if err != nil {
			return nil, err
		}
		to := filepath.Join(dir, path.Base(name))
		if strings.HasSuffix(name, ".conf") || strings.HasSuffix(name, ".example") {
			src = []byte(strings.ReplaceAll("\n"+string(src), "\nSec", "\n\nSec"))
			files = append(files, to)
		}
		if err := os.WriteFile(to, src, 0o600); err != nil {
			return nil, err
		}
	}
	return files, err
}

// run runs a sample, and loops times more to measure the processor time of one.
func (m *modSecurity) run(s *sample, loops int) (blocked bool, each time.Duration, err error) {
	uri := strings.NewReplacer(" ", "%20", "\n", "%0a", "\r", "%0d", "\t", "%09").Replace(s.uri)
	if uri == "" {
		uri = "/"
	}
	fmt.Fprintf(m.in, "%d %s %s %d %d\n", loops, s.method, uri, len(s.header), len(s.body))
	for _, h := range s.header {
		fmt.Fprintf(m.in, "%s\t%s\n", strings.ReplaceAll(h[0], "\t", " "), strings.ReplaceAll(h[1], "\n", " "))
	}
	io.WriteString(m.in, s.body+"\n")
	if err := m.in.Flush(); err != nil {
		return false, 0, err
	}
	var verdict int
	_, err = fmt.Fscanf(m.out, "%d %d\n", &verdict, &each)
	return verdict != 0, each, err
}
