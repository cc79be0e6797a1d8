package server_test

import (
	"net/http"
	"strings"
	"testing"

	"gatehouse/internal/server/servertest"
)

// A method's settings are its own entry's, else its resource's, else its verb's, else those of
// all methods: shown by detailed metrics, which each of them switches.
func TestMethodSettingsByPath(t *testing.T) {
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	for _, path := range []string{"/pets/{id}", "/shops"} {
		r := a.resource(path)
		for _, verb := range []string{"GET", "POST", "ANY"} {
			a.mock(r, verb, `{"statusCode": 200}`, `ok`)
		}
	}
	a.deploy("prod")
	c := g.Client(t, nil)
	counted := func() string {
		t.Helper()
		var methods []string
		for _, call := range [][2]string{{"GET", "/pets/1"}, {"POST", "/pets/1"}, {"PUT", "/pets/1"}, {"GET", "/shops"}, {"POST", "/shops"}} {
			req, _ := http.NewRequest(call[0], "http://"+a.host()+"/prod"+call[1], nil)
			before := metricLines(t, g)
			if status, _, _ := do(t, c, req); status != 200 {
				t.Fatalf("%v: %d", call, status)
			}
			if metricLines(t, g) != before {
				methods = append(methods, call[0]+call[1])
			}
		}
		return strings.Join(methods, " ")
	}
	for _, step := range []struct{ patch, want string }{
		{"replace /*/*/metrics/enabled false", ""},
		{"replace /~1pets~1{id}/GET/metrics/enabled true", "GET/pets/1"},
		{"replace /*/*/metrics/enabled true", "GET/pets/1 POST/pets/1 PUT/pets/1 GET/shops POST/shops"},
		{"replace /~1pets~1{id}/*/metrics/enabled false", "GET/pets/1 GET/shops POST/shops"},
		{"replace /~1pets~1{id}/ANY/metrics/enabled true", "GET/pets/1 PUT/pets/1 GET/shops POST/shops"},
		{"remove /~1pets~1{id}/GET", "PUT/pets/1 GET/shops POST/shops"},
		{"replace /*/POST/metrics/enabled false", "PUT/pets/1 GET/shops"},
	} {
		a.patchStage("prod", step.patch)
		if got := counted(); got != step.want {
			t.Errorf("after %s: %q, want %q", step.patch, got, step.want)
		}
	}
	if text := metricLines(t, g); !strings.Contains(text, `gatehouse_method_requests_total{api="`+*a.id+`",method="ANY",resource="/pets/{id}",stage="prod",status="200"}`) {
		t.Errorf("metrics:\n%s", text)
	}
	http.DefaultClient.CloseIdleConnections()
}

// metricLines are the lines about methods.
func metricLines(t *testing.T, g *servertest.Gatehouse) string {
	t.Helper()
	_, text, _ := get(t, http.DefaultClient, "http://"+g.Control+"/_gatehouse/metrics")
	var lines []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "gatehouse_method_requests_total") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}
