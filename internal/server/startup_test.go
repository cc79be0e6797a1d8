package server_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"gatehouse/internal/config"
	"gatehouse/internal/server"
	"gatehouse/internal/server/servertest"
)

// A server that cannot be assembled leaves nothing behind: no goroutine, and no port.
func TestNewLeavesNothingWhenItFails(t *testing.T) {
	before := goleak.IgnoreCurrent()
	c := config.Defaults()
	c.Data = t.TempDir()
	c.Control, c.HTTP, c.HTTPS = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	c.Counters = "gopher://nowhere"
	if s, err := server.New(t.Context(), c, slog.New(slog.DiscardHandler)); err == nil {
		t.Fatalf("made %v", s)
	}
	goleak.VerifyNone(t, before)
}

// Beside a server that runs, its ports are no problems; taken by something else, they are.
func TestCheckBesideAServer(t *testing.T) {
	g := servertest.Start(t, nil)
	c := config.Defaults()
	c.Data = t.TempDir()
	c.Control, c.HTTP, c.HTTPS = g.Control, config.Off, config.Off
	var out bytes.Buffer
	if err := server.Check(t.Context(), c, &out); err != nil || !strings.Contains(out.String(), "warning: port control ("+g.Control+") is taken: a Gatehouse serves") {
		t.Errorf("beside itself: %v\n%s", err, out.String())
	}
	c.Control, c.HTTP = "127.0.0.1:0", g.Control
	out.Reset()
	if err := server.Check(t.Context(), c, &out); err == nil || !strings.Contains(out.String(), "problem: port http ("+g.Control+")") {
		t.Errorf("a port of somebody else's: %v\n%s", err, out.String())
	}
}
