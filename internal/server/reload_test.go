package server_test

import (
	"net/http"
	"strings"
	"testing"

	"gatehouse/internal/server/servertest"
)

// A reload acts on running ports, and one that asks for too much changes nothing.
func TestReload(t *testing.T) {
	g := servertest.Start(t, nil)
	health := func() int {
		req, _ := http.NewRequest("GET", "http://"+g.Control+"/_gatehouse/health", nil)
		req.Host = "gateway.internal"
		status, _, _ := do(t, http.DefaultClient, req)
		return status
	}
	if status := health(); status != 403 {
		t.Fatalf("before: %d", status)
	}
	next := *g.Config
	next.ControlHosts = []string{"gateway.internal"}
	next.HTTP = "127.0.0.1:1"
	if err := g.Server.Reload(&next); err == nil || !strings.Contains(err.Error(), "http: cannot change") {
		t.Errorf("a reload that moves a port: %v", err)
	}
	if status := health(); status != 403 {
		t.Errorf("a refused reload acted: %d", status)
	}
	next.HTTP = g.Config.HTTP
	if err := g.Server.Reload(&next); err != nil {
		t.Fatal(err)
	}
	if status := health(); status != 200 {
		t.Errorf("after: %d", status)
	}
}
