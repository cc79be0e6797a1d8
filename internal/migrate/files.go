package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gatehouse/internal/openapi"
)

// mover carries things to one server and notes what became of them.
type mover struct {
	to     *Conn
	report *Report
}

// FileOptions say how files are imported.
type FileOptions struct {
	API        string            // the API to overwrite; "" makes a new one
	Stage      string            // a stage that serves it when the files tell of none; "" for none
	Parameters map[string]string // of the import: basepath, endpointConfigurationTypes
	DryRun     bool              // look at the files only
}

// maxFile bounds what is read of a file, in bytes: the service's limit for documents.
const maxFile = 6 << 20

// files is what a file or a folder holds.
type files struct {
	document []byte
	name     string // of the document
	stages   []*stage
}

// FromFiles imports the OpenAPI document at path: a file, or a folder that holds one beside what
// `aws apigateway get-stage` and `get-stages` print. It returns the API's id with the report,
// which is complete also when err is not nil.
func FromFiles(ctx context.Context, to *Conn, path string, o FileOptions) (api string, report *Report, err error) {
	m := &mover{to, &Report{}}
	f, err := readFiles(path)
	if err != nil {
		return "", m.report, err
	}
	if o.DryRun || to == nil {
		return "", m.report, m.examine(f)
	}
	q := url.Values{}
	for k, v := range o.Parameters {
		q.Set(k, v)
	}
	method, at := http.MethodPost, "/restapis"
	q.Set("mode", "import")
	if o.API != "" {
		method, at = http.MethodPut, "/restapis/"+url.PathEscape(o.API)
		q.Set("mode", "overwrite")
	}
	var made restAPI
	if err := to.call(ctx, method, at+"?"+q.Encode(), document(f.document), &made); err != nil {
		m.report.add(Refused, f.name, "%v", err)
		return "", m.report, fmt.Errorf("%s was refused", f.name)
	}
	what := "API " + made.ID + " " + fmt.Sprintf("%q", made.Name)
	m.report.add(Carried, what, "from %s", f.name)
	for _, w := range made.Warnings {
		m.report.add(Warned, what, "%s", w)
	}
	if doc, err := openapi.Read(f.document, openapi.Options{API: made.ID}); err == nil {
		if c := made.EndpointConfiguration; c != nil {
			doc.Snapshot.API.EndpointConfiguration = *c
		}
		examineAPI(m.report, what, &doc.API)
	}
	if len(f.stages) == 0 && o.Stage != "" {
		f.stages = []*stage{{StageName: o.Stage}}
	}
	for _, s := range f.stages {
		if err := m.deploy(ctx, made.ID, s); err != nil {
			m.report.add(Refused, fmt.Sprintf("stage %s of %s", s.StageName, what), "%v", err)
			return made.ID, m.report, fmt.Errorf("stage %s was refused", s.StageName)
		}
	}
	return made.ID, m.report, nil
}

// examine reports what an import of the files would find, as far as the files alone tell.
func (m *mover) examine(f *files) error {
	doc, err := openapi.Read(f.document, openapi.Options{API: "api"})
	if err != nil {
		m.report.add(Refused, f.name, "%v", err)
		return fmt.Errorf("%s would be refused", f.name)
	}
	for _, w := range doc.Warnings {
		m.report.add(Warned, f.name, "%s", w)
	}
	examineAPI(m.report, f.name, &doc.API)
	for _, s := range f.stages {
		s.examine(m.report, "stage "+s.StageName)
	}
	if len(doc.Problems) > 0 {
		m.report.add(Refused, f.name, "%s", openapi.Refused(doc.Problems, nil))
		return fmt.Errorf("%s would be refused", f.name)
	}
	return nil
}

// readFiles reads a document, or a folder with one.
func readFiles(path string) (*files, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	names := []string{path}
	if info.IsDir() {
		names = nil
		for _, pattern := range []string{"*.json", "*.yaml", "*.yml"} {
			found, err := filepath.Glob(filepath.Join(path, pattern))
			if err != nil {
				return nil, err
			}
			names = append(names, found...)
		}
		slices.Sort(names)
	}
	f := &files{}
	for _, name := range names {
		if err := f.read(name); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if f.document == nil {
		return nil, fmt.Errorf("%s: no OpenAPI document is there", path)
	}
	return f, nil
}

func (f *files) read(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if info.Size() > maxFile {
		return fmt.Errorf("found %d bytes, expected at most %d", info.Size(), maxFile)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if found := stagesIn(text); len(found) > 0 {
		f.stages = append(f.stages, found...)
		return nil
	}
	if f.document != nil {
		return errors.New("found a second document beside " + f.name + ": one folder holds one API")
	}
	f.document, f.name = text, filepath.Base(name)
	return nil
}

// stagesIn returns the stages that a text of JSON tells of: one, or a list of them.
func stagesIn(text []byte) []*stage {
	if !strings.HasPrefix(strings.TrimSpace(string(text)), "{") {
		return nil
	}
	var one struct {
		stage
		Item []*stage `json:"item"`
	}
	if json.Unmarshal(text, &one) != nil {
		return nil
	}
	if one.StageName != "" {
		return []*stage{&one.stage}
	}
	return slices.DeleteFunc(one.Item, func(s *stage) bool { return s == nil || s.StageName == "" })
}
