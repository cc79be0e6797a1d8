package patch

import "testing"

func TestClosedTable(t *testing.T) {
	table := Closed{{"/parentId", []string{"replace"}}, {"/pathPart", []string{"replace"}}}
	for _, c := range []struct{ op, path, want string }{
		{"replace", "/pathPart", ""},
		{"add", "/pathPart", "BadRequestException: Invalid patch path  '/pathPart' specified for op 'add'. Please choose supported operations"},
		{"add", "/nowhere", "BadRequestException: Invalid patch path  '/nowhere' specified for op 'add'. Please choose supported operations"},
		{"replace", "/invalid", "BadRequestException: Invalid patch path  '/invalid' specified for op 'replace'. Must be one of: [/parentId, /pathPart]"},
	} {
		got := ""
		if err := table.Check(Operation{Op: c.op, Path: c.path}); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s %s: got %q, want %q", c.op, c.path, got, c.want)
		}
	}
}

func TestPointers(t *testing.T) {
	if got, ok := (Operation{Path: "/binaryMediaTypes/image~1png"}).Key("/binaryMediaTypes/"); !ok || got != "image/png" {
		t.Errorf("got %q, %v", got, ok)
	}
	if _, ok := (Operation{Path: "/requestModels/application/json"}).Key("/requestModels/"); ok {
		t.Error("a slash in a key must be escaped")
	}
	for _, s := range []string{"a/b", "~", "~1", "a~0/~01", ""} {
		if got := Unescape(Escape(s)); got != s {
			t.Errorf("%q came back as %q", s, got)
		}
	}
}

func TestBooleans(t *testing.T) {
	for value, want := range map[string]bool{"true": true, "True": true, "whatever": false, "": false, "1": false} {
		if got := (Operation{Value: value}).Bool(); got != want {
			t.Errorf("%q: got %v", value, got)
		}
	}
}
