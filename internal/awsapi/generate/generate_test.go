package main

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// library is the entry of services.json for the model in testdata, which has one of
// everything: shared and single outputs, operations without messages, one that is not
// served, enums whose names collide, shapes that nothing reaches.
func library() *service {
	return &service{
		Package: "library", SigningName: "lib", Model: "library.json", Code: "ValidationException", InputPrefix: true,
		Operations: []string{"LendBook", "GetBook", "ReadBook", "CloseLibrary"},
		EnumOrder:  map[string]sourced[[]string]{"State": {Value: []string{"lent", "LENT", "ON_SHELF", "lost-forever"}}},
		Errors:     sourced[map[string]int]{Value: map[string]int{"FloodedException": 503}},
	}
}

func TestGolden(t *testing.T) {
	m, err := readModel("testdata/library.json")
	if err != nil {
		t.Fatal(err)
	}
	files, err := generatePackage(library(), m)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sortedKeys(files) {
		path := filepath.Join("testdata", "library", name+".golden")
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, files[name], 0o666); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), string(files[name])); d != "" {
			t.Errorf("%s (-want +got, -update accepts):\n%s", name, d)
		}
	}
}

// The committed packages are what the generator writes now: run go generate in
// internal/awsapi/gen when this fails.
func TestRegenerateAndCompare(t *testing.T) {
	files, err := generate("../../../models")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sortedKeys(files) {
		committed, err := os.ReadFile(filepath.Join("..", "gen", name))
		if err != nil {
			t.Error(err)
		} else if string(committed) != string(files[name]) {
			t.Errorf("internal/awsapi/gen/%s is not what the generator writes", name)
		}
	}
	err = fs.WalkDir(os.DirFS("../gen"), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.Contains(path, "/") && !d.IsDir() && files[filepath.FromSlash(path)] == nil {
			t.Errorf("internal/awsapi/gen/%s is written by nothing", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A correction that corrects nothing, or what is not there, is noticed.
func TestCorrectionsMustFit(t *testing.T) {
	for name, change := range map[string]func(*service){
		"values of another enum":  func(s *service) { s.EnumOrder = map[string]sourced[[]string]{"State": {Value: []string{"lent"}}} },
		"order of no enum":        func(s *service) { s.EnumOrder = map[string]sourced[[]string]{"Nothing": {}} },
		"the model's own status":  func(s *service) { s.Status = map[string]sourced[int]{"LendBook": {Value: 201}} },
		"status of no operation":  func(s *service) { s.Status = map[string]sourced[int]{"Nothing": {Value: 201}} },
		"no such operation":       func(s *service) { s.Operations = append(s.Operations, "Nothing") },
		"no label to make greedy": func(s *service) { s.Greedy.Value = []string{"CloseLibrary"} },
		"two things of one name":  func(s *service) { s.Errors.Value = map[string]int{"Book": 400} },
	} {
		m, err := readModel("testdata/library.json")
		if err != nil {
			t.Fatal(err)
		}
		s := library()
		change(s)
		if _, err := generatePackage(s, m); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestStatusIsCorrected(t *testing.T) {
	m, err := readModel("testdata/library.json")
	if err != nil {
		t.Fatal(err)
	}
	s := library()
	s.Status = map[string]sourced[int]{"GetBook": {Value: 203}}
	s.Greedy.Value = []string{"GetBook"}
	files, err := generatePackage(s, m)
	if err != nil {
		t.Fatal(err)
	}
	if want := `URI: "/books/{book_id+}", Status: 203`; !strings.Contains(string(files["schema.go"]), want) {
		t.Errorf("the tables do not contain %s", want)
	}
}

func TestModelsThatAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"not JSON":      `{`,
		"missing shape": `{"shapes":{"A":{"type":"list","member":{"shape":"B"}}}}`,
	} {
		path := filepath.Join(t.TempDir(), "model.json")
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := readModel(path); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := readModel("testdata/absent.json"); err == nil {
		t.Error("absent file: no error")
	}
}
