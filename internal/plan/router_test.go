package plan

import (
	"fmt"
	"strings"
	"testing"
)

// tree makes a routing tree of "METHOD /path" lines.
func tree(t testing.TB, lines ...string) *Node {
	t.Helper()
	root := &Node{}
	byPath := map[string]*Resource{}
	for _, line := range lines {
		verb, path, _ := strings.Cut(line, " ")
		r := byPath[path]
		if r == nil {
			r = &Resource{ID: path, Path: path}
			byPath[path] = r
			if !root.Insert(r) {
				t.Fatalf("%s does not fit", path)
			}
		}
		r.SetMethod(verb, &Method{Resource: r, Name: verb})
	}
	return root
}

func TestMatch(t *testing.T) {
	root := tree(t, "GET /", "GET /pets", "GET /pets/{id}", "POST /pets/{id}/toys", "ANY /pets/{id}/{rest+}", "POST /test", "OPTIONS /{proxy+}",
		"GET /a/b", "GET /a/{x}/c", "GET /hardcoded", "ANY /any", "GET /any", "GET /proxy-value/{g+}")
	for _, c := range []struct{ method, path, want, params string }{
		{"GET", "", "GET /", ""},
		{"GET", "/", "GET /", ""},
		{"GET", "/pets", "GET /pets", ""},
		{"GET", "/pets/", "GET /pets", ""},
		{"GET", "//pets", "GET /pets", ""},
		{"GET", "/Pets", "", ""},
		{"GET", "/pets/7", "GET /pets/{id}", "id=7"},
		{"GET", "/pets/a%2Fb", "GET /pets/{id}", "id=a%2Fb"},
		{"POST", "/pets/7/toys", "POST /pets/{id}/toys", "id=7"},
		{"GET", "/pets/7/toys", "ANY /pets/{id}/{rest+}", "id=7 rest=toys"},
		{"GET", "/pets/7/toys/8//9", "ANY /pets/{id}/{rest+}", "id=7 rest=toys/8//9"},
		{"OPTIONS", "/test", "OPTIONS /{proxy+}", "proxy=test"},
		{"POST", "/test", "POST /test", ""},
		{"GET", "/test", "", ""},
		{"POST", "/t%65st", "POST /test", ""},
		{"OPTIONS", "/t%65st%2F", "OPTIONS /{proxy+}", "proxy=t%65st%2F"},
		{"GET", "/p%65ts/%37", "GET /pets/{id}", "id=%37"},
		{"GET", "/pets%2F7", "", ""},
		{"GET", "/a/b/c", "GET /a/{x}/c", "x=b"},
		{"GET", "/a/b", "GET /a/b", ""},
		{"GET", "//hardcoded", "GET /hardcoded", ""},
		{"GET", "/any", "GET /any", ""},
		{"DELETE", "/any", "ANY /any", ""},
		{"BREW", "/any", "", ""},
		{"get", "/any", "", ""},
		{"GET", "/proxy-value//double-slash", "GET /proxy-value/{g+}", "g=/double-slash"},
		{"GET", "/proxy-value/x/", "GET /proxy-value/{g+}", "g=x"},
		{"GET", "/proxy-value", "", ""},
	} {
		var params Params
		m := root.Match(c.path, IndexMethod(c.method), &params)
		got, list := "", []string{}
		if m != nil {
			got = m.Name + " " + m.Resource.Path
			for _, p := range params.All() {
				list = append(list, p.Name+"="+p.Value)
			}
		}
		if got != c.want || strings.Join(list, " ") != c.params {
			t.Errorf("%s %s: got %q with %v, want %q with %q", c.method, c.path, got, list, c.want, c.params)
		}
	}
}

// Matching does the work of one visit to each node at most, however hostile the path.
func FuzzMatch(f *testing.F) {
	root := tree(f, "GET /a/{x}/b/{y}", "GET /{p}/{q}/{r}", "POST /{p}/{q+}", "ANY /a/a/a/a")
	f.Add("GET", "/a/a/b/c")
	f.Add("POST", "/"+strings.Repeat("a/", 100))
	f.Fuzz(func(t *testing.T, method, path string) {
		var params Params
		m := root.Match(path, IndexMethod(method), &params)
		if m == nil {
			if len(params.All()) != 0 {
				t.Errorf("no match, and parameters %v", params.All())
			}
			return
		}
		for _, p := range params.All() {
			if !strings.Contains(path, p.Value) {
				t.Errorf("parameter %s=%q is not in %q", p.Name, p.Value, path)
			}
		}
		if want := strings.Count(m.Resource.Path, "{"); len(params.All()) != want {
			t.Errorf("%s has %d variables, got %v", m.Resource.Path, want, params.All())
		}
	})
}

func TestNormalHost(t *testing.T) {
	for in, want := range map[string]string{
		"api.example.com": "api.example.com", "API.Example.com.": "api.example.com", "api.example.com:8443": "api.example.com",
		"[::1]:443": "::1", "127.0.0.1:80": "127.0.0.1", "api.example.com:": "api.example.com",
		"": "", "host:port": "", "a:1:2": "", "host:123456": "", "[::1": "",
	} {
		got, ok := NormalHost(in)
		if got != want && ok || ok != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", in, got, ok, want)
		}
	}
}

func TestHosts(t *testing.T) {
	b := NewBuilder(nil, "localhost")
	b.SetStage(&Stage{API: APIKey{"us-east-1", "abc"}, Name: "prod"})
	b.SetDomain(&Domain{Name: "api.example.com", Mappings: []Mapping{{BasePath: ""}, {BasePath: "orders"}, {BasePath: "orders/v2"}}})
	b.SetDomain(&Domain{Name: "*.example.com"})
	p := b.Build(1)
	for host, want := range map[string]string{
		"api.example.com": "api.example.com", "other.example.com": "*.example.com", "a.b.example.com": "", "example.com": "",
		"abc.execute-api.us-east-1.localhost": "abc", "abc.execute-api.eu-west-1.localhost": "", "nobody.execute-api.us-east-1.localhost": "",
		"x.abc.execute-api.us-east-1.localhost": "",
	} {
		target, got := p.Host(host), ""
		if target.Domain != nil {
			got = target.Domain.Name
		} else if target.API != nil {
			got = target.API.Key.ID
		}
		if got != want {
			t.Errorf("%s leads to %q, want %q", host, got, want)
		}
	}
	d := p.Host("api.example.com").Domain
	for path, want := range map[string]string{"/orders/v2/1": "orders/v2 /1", "/orders/v3": "orders /v3", "/ordersandmore": " /ordersandmore", "/orders": "orders ", "/": " /"} {
		m, rest := d.Mapping(path)
		if got := m.BasePath + " " + rest; got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

// A plan that was published stays as it was when another is built from it.
func TestBuilderSharesAndCopies(t *testing.T) {
	b := NewBuilder(nil, "localhost")
	key := APIKey{"us-east-1", "abc"}
	b.SetStage(&Stage{API: key, Name: "one"})
	first := b.Build(1)
	b = NewBuilder(first, "localhost")
	b.SetStage(&Stage{API: key, Name: "two"})
	b.RemoveStage(key, "one")
	second := b.Build(2)
	if n := len(first.API("us-east-1", "abc").Stages); n != 1 || first.API("us-east-1", "abc").Stages["one"] == nil {
		t.Errorf("the first plan changed: %d stages", n)
	}
	if s := second.API("us-east-1", "abc").Stages; len(s) != 1 || s["two"] == nil {
		t.Errorf("the second plan: %v", s)
	}
	b = NewBuilder(second, "localhost")
	b.RemoveStage(key, "two")
	if b.Build(3).API("us-east-1", "abc") != nil {
		t.Error("an API without stages stays")
	}
}

// Routing among 300 resources, the service's limit, allocates nothing.
func BenchmarkMatch(b *testing.B) {
	var lines []string
	for i := range 100 {
		lines = append(lines, fmt.Sprintf("GET /things%d", i), fmt.Sprintf("GET /things%d/{id}", i), fmt.Sprintf("ANY /things%d/{id}/{rest+}", i))
	}
	root := tree(b, lines...)
	var params Params
	b.ReportAllocs()
	for b.Loop() {
		if root.Match("/things77/12345/parts/7", Get, &params) == nil {
			b.Fatal("no match")
		}
	}
}
