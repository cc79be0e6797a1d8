package runtime_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/runtime"
)

// While 200 calls of a slow function wait, another function answers as if it were alone.
func TestCrowdOfSlowCalls(t *testing.T) {
	const crowd = 200
	var waiting atomic.Int32
	release := make(chan struct{})
	backend := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		waiting.Add(1)
		<-release
	}))
	defer backend.Close()
	f := newFixture(t, func(o *runtime.Options) {
		o.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, backend.Listener.Addr().String())
		}
	})
	slow, quick := f.function(nil), f.function(nil)
	slow.Timeout = 2 * time.Minute
	var calls sync.WaitGroup
	var slowAnswers atomic.Int32
	for range crowd {
		calls.Go(func() {
			res, err := f.Invoke(t.Context(), slow, runtime.Request{Payload: event("hold", "http://backend.example/", 0)})
			if err != nil || res.FunctionError != "" {
				t.Errorf("a slow call: %s, %v", res.Payload, err)
			}
			slowAnswers.Add(1)
		})
	}
	for waiting.Load() < crowd && slowAnswers.Load() == 0 { // starting them takes what the machine takes
		time.Sleep(time.Millisecond)
	}
	for range 20 {
		if got := do[string](f, quick, "echo", "x", 0); got != "x" {
			t.Errorf("the other function: %s", got)
		}
	}
	if all, busy := f.Processes(); busy < crowd || all < crowd+1 || slowAnswers.Load() != 0 {
		t.Errorf("%d processes, %d busy, %d slow answers while all should wait", all, busy, slowAnswers.Load())
	}
	close(release)
	calls.Wait()
}

// An extension that ends before the runtime begins ends the sandbox at once, and is named.
func TestExtensionThatCannotStart(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	fn := f.function(func(fn *runtime.Function) {
		fn.Layers = t.TempDir()
		write(t, filepath.Join(fn.Layers, "extensions/watcher"), "#!/bin/sh\nexit 3\n", 0o755)
	})
	kind, message, _ := f.failure(fn, []byte("{}"))
	if kind != "Runtime.ExitError" || !strings.Contains(message, "extension /opt/extensions/watcher: exit status 3") {
		t.Errorf("%s: %s", kind, message)
	}
}
