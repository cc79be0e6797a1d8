package http2_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"gatehouse/internal/http1"
	"gatehouse/internal/http2"
	"gatehouse/internal/message"
)

// impatient gives clients very little time.
var impatient = http1.Timeouts{Stall: 60 * time.Millisecond, Rate: 1 << 30}

// TestStalledBody checks that a client that stops in the middle of a body does not hold
// a handler, though it keeps the connection alive.
func TestStalledBody(t *testing.T) {
	failed := make(chan error, 1)
	addr, _ := start(t, &http2.Server{Timeouts: impatient, Logger: quiet(), Handler: handlerFunc(func(_ context.Context, req *message.Request, w message.Writer) {
		_, err := io.Copy(io.Discard, req.Body)
		failed <- err
		w.WriteHead(408, nil, 0)
	})})
	c := dialRaw(t, addr)
	c.frame(headers, endHeaders, 1, block(":method: POST", ":scheme: https", ":path: /", ":authority: a", "content-length: 1000"))
	c.frame(data, 0, 1, []byte("abc"))
	if err := <-failed; !errors.Is(err, http1.ErrBodyTimeout) {
		t.Errorf("the handler was told %v", err)
	}
}

// TestStalledReader checks the same for a client that opens no window for an answer.
func TestStalledReader(t *testing.T) {
	failed := make(chan error, 1)
	addr, _ := start(t, &http2.Server{Timeouts: impatient, Logger: quiet(), Handler: handlerFunc(func(_ context.Context, req *message.Request, w message.Writer) {
		w.WriteHead(200, nil, 1<<20)
		_, err := w.Write(make([]byte, 1<<20))
		failed <- err
	})})
	c := dialRaw(t, addr)
	c.frame(settings, 0, 0, []byte{0, 4, 0, 0, 0, 0}) // SETTINGS_INITIAL_WINDOW_SIZE 0
	c.frame(headers, endStream|endHeaders, 1, block(":method: GET", ":scheme: https", ":path: /", ":authority: a"))
	if err := <-failed; err != message.ErrClientGone {
		t.Errorf("the handler was told %v", err)
	}
}
