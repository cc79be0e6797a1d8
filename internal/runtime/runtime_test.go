package runtime_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/runtime"
)

// bootstrapPath is the compiled test function.
var bootstrapPath string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if bootstrapPath = os.Getenv("GATEHOUSE_TEST_BOOTSTRAP"); bootstrapPath != "" {
		return m.Run() // see TestUnprivilegedServer
	}
	dir, err := os.MkdirTemp("", "gatehouse-bootstrap-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	bootstrapPath = filepath.Join(dir, "bootstrap")
	cmd := exec.Command("go", "build", "-o", bootstrapPath, "gatehouse/internal/runtime/boottest/bootstrap")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the test function: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// lines is a Sink that keeps everything.
type lines struct {
	mu  sync.Mutex
	all []runtime.LogLine
}

func (l *lines) Log(line runtime.LogLine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, line)
}

func (l *lines) texts() (out []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.all {
		out = append(out, line.Text)
	}
	return out
}

type fixture struct {
	*runtime.Runner
	t    testing.TB
	logs *lines
	dir  string // the functions' code; nothing else
	data string // a folder that stands for the server's data
}

func newFixture(t testing.TB, change func(*runtime.Options)) *fixture {
	t.Helper()
	f := &fixture{t: t, logs: new(lines), dir: t.TempDir(), data: t.TempDir()}
	o := runtime.Options{RunDir: t.TempDir(), Sink: f.logs}
	if change != nil {
		change(&o)
	}
	var err error
	if f.Runner, err = runtime.New(o); err != nil {
		t.Fatal(err)
	}
	if err := f.Contained(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := f.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return f
}

// function returns the compiled test function.
func (f *fixture) function(change func(*runtime.Function)) *runtime.Function {
	f.t.Helper()
	code, err := os.MkdirTemp(f.dir, "code-")
	if err != nil {
		f.t.Fatal(err)
	}
	if err := os.Chmod(code, 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Link(bootstrapPath, filepath.Join(code, "bootstrap")); err != nil { // it belongs to somebody else
		b, err := os.ReadFile(bootstrapPath)
		if err != nil {
			f.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(code, "bootstrap"), b, 0o755); err != nil {
			f.t.Fatal(err)
		}
	}
	fn := &runtime.Function{
		Key: code, ARN: "arn:aws:lambda:us-east-1:000000000000:function:fn", Name: "fn", Version: "$LATEST",
		Runtime: "provided.al2023", Handler: "bootstrap", Code: code, Memory: 256, Timeout: 20 * time.Second, Region: "us-east-1",
	}
	if change != nil {
		change(fn)
	}
	return fn
}

// script returns a function in Node.js or Python.
func (f *fixture) script(rt, name, handler, source string) *runtime.Function {
	f.t.Helper()
	return f.function(func(fn *runtime.Function) {
		fn.Runtime, fn.Handler = rt, handler
		path := filepath.Join(fn.Code, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			f.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(source), 0o644); err != nil {
			f.t.Fatal(err)
		}
	})
}

func event(do, arg string, n int) []byte {
	b, err := json.Marshal(map[string]any{"Do": do, "Arg": arg, "N": n})
	if err != nil {
		panic(err)
	}
	return b
}

func (f *fixture) invoke(fn *runtime.Function, payload []byte) runtime.Result {
	f.t.Helper()
	res, err := f.Invoke(f.t.Context(), fn, runtime.Request{Payload: payload, Tail: true})
	if err != nil {
		f.t.Fatal(err)
	}
	return res
}

// do invokes the test function and decodes what it answered.
func do[T any](f *fixture, fn *runtime.Function, what, arg string, n int) (v T) {
	f.t.Helper()
	res := f.invoke(fn, event(what, arg, n))
	if res.FunctionError != "" {
		f.t.Fatalf("%s %s: %s %s\n%s", what, arg, res.FunctionError, res.Payload, res.LogTail)
	}
	if err := json.Unmarshal(res.Payload, &v); err != nil {
		f.t.Fatalf("%s %s: answer %s: %v", what, arg, res.Payload, err)
	}
	return v
}

// failure invokes and returns the failure's type and message.
func (f *fixture) failure(fn *runtime.Function, payload []byte) (kind, message string, res runtime.Result) {
	f.t.Helper()
	res = f.invoke(fn, payload)
	var doc struct{ ErrorType, ErrorMessage string }
	if res.FunctionError != "Unhandled" {
		f.t.Fatalf("no failure: %s", res.Payload)
	}
	if err := json.Unmarshal(res.Payload, &doc); err != nil {
		f.t.Fatalf("failure %s: %v", res.Payload, err)
	}
	return doc.ErrorType, doc.ErrorMessage, res
}

func TestWarmProcessIsUsedAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	fn := f.function(nil)
	for want := 1; want <= 5; want++ {
		res := f.invoke(fn, event("calls", "", 0))
		if string(res.Payload) != fmt.Sprint(want) {
			t.Fatalf("call %d: the process counts %s", want, res.Payload)
		}
		if (res.Init > 0) != (want == 1) {
			t.Errorf("call %d: init took %v, want some for the first call only", want, res.Init)
		}
	}
	if all, busy := f.Processes(); all != 1 || busy > 1 {
		t.Errorf("%d processes, %d busy, want one", all, busy)
	}
}

func TestContextOfACall(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	fn := f.function(func(fn *runtime.Function) { fn.Timeout = 7 * time.Second })
	res, err := f.Invoke(t.Context(), fn, runtime.Request{
		ID: "11111111-2222-3333-4444-555555555555", Payload: event("context", "", 0),
		InvokedARN: fn.ARN + ":live", ClientContext: `{"custom":{"k":"v"}}`,
	})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		ID, ARN string
		Left    int64
		Client  struct{ Custom map[string]string }
	}
	if err := json.Unmarshal(res.Payload, &got); err != nil {
		t.Fatalf("%s: %v", res.Payload, err)
	}
	if got.ID != res.RequestID || got.ID != "11111111-2222-3333-4444-555555555555" || got.ARN != fn.ARN+":live" {
		t.Errorf("the function saw %+v", got)
	}
	if got.Left < 3000 || got.Left > 7000 {
		t.Errorf("%d ms were left, want nearly the timeout of 7 s", got.Left)
	}
	if got.Client.Custom["k"] != "v" {
		t.Errorf("client context %+v", got.Client)
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("GATEHOUSE_SECRET_OF_THE_SERVER", "x")
	f := newFixture(t, nil)
	fn := f.function(func(fn *runtime.Function) {
		fn.Env = map[string]string{"MINE": "yes", "AWS_LAMBDA_FUNCTION_NAME": "forged"}
		fn.Credentials = func(context.Context) (runtime.Credentials, error) {
			return runtime.Credentials{AccessKeyID: "ASIA1", SecretAccessKey: "s", SessionToken: "t"}, nil
		}
	})
	env := do[[]string](f, fn, "env", "", 0)
	for _, want := range []string{
		"MINE=yes", "AWS_LAMBDA_FUNCTION_NAME=fn", "AWS_LAMBDA_FUNCTION_VERSION=$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256",
		"AWS_REGION=us-east-1", "_HANDLER=bootstrap", "LAMBDA_TASK_ROOT=/var/task", "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/fn",
		"AWS_ACCESS_KEY_ID=ASIA1", "AWS_SECRET_ACCESS_KEY=s", "AWS_SESSION_TOKEN=t", "TZ=:UTC",
	} {
		if !slices.Contains(env, want) {
			t.Errorf("%s is not in the environment", want)
		}
	}
	for _, kv := range env {
		if strings.HasPrefix(kv, "GATEHOUSE_") {
			t.Errorf("%s is the server's", kv)
		}
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	fn := f.function(nil)
	res := f.invoke(fn, event("log", "hello", 0))
	tail := strings.Split(strings.TrimSuffix(string(res.LogTail), "\n"), "\n")
	id := res.RequestID
	want := []string{"START RequestId: " + id + " Version: $LATEST", "hello", "err hello", "END RequestId: " + id}
	if len(tail) != 5 || !slices.Equal(tail[:4], want) {
		t.Fatalf("log tail %q, want %q and a report", tail, want)
	}
	for _, part := range []string{"REPORT RequestId: " + id + "\tDuration: ", " ms\tBilled Duration: ", "\tMemory Size: 256 MB\tMax Memory Used: ", " MB\tInit Duration: "} {
		if !strings.Contains(tail[4], part) {
			t.Errorf("report %q lacks %q", tail[4], part)
		}
	}
	if got := f.logs.texts(); !slices.Equal(got, tail) {
		t.Errorf("the sink got %q, want the same lines as the tail", got)
	}
	f.logs.mu.Lock()
	line := f.logs.all[1]
	f.logs.mu.Unlock()
	if line.Group != "/aws/lambda/fn" || !strings.Contains(line.Stream, "/[$LATEST]") || line.RequestID != id {
		t.Errorf("line %+v", line)
	}
	res = f.invoke(fn, event("log", strings.Repeat("y", 10000), 0))
	if len(res.LogTail) != 4096 || !strings.Contains(string(res.LogTail), "REPORT RequestId: "+res.RequestID) {
		t.Errorf("tail of a long log has %d bytes, want the last 4096", len(res.LogTail))
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	for _, tt := range []struct {
		name    string
		change  func(*runtime.Function)
		payload []byte
		kind    string
		message string // with ID for the request's id
	}{
		{"an error", nil, event("fail", "no luck", 0), "errorString", "no luck"},
		{"a panic", nil, event("panic", "oh", 0), "string", "oh"},
		{"an exit", nil, event("exit", "7", 0), "Runtime.ExitError", "RequestId: ID Error: Runtime exited with error: exit status 7"},
		{"a clean exit", nil, event("exit", "0", 0), "Runtime.ExitError", "RequestId: ID Error: Runtime exited without providing a reason"},
		{"a timeout", func(fn *runtime.Function) { fn.Timeout = time.Second }, event("sleep", "1m", 0), "Sandbox.Timedout", "RequestId: ID Error: Task timed out after 1.00 seconds"},
		{"an answer that is too large", nil, event("large", "", runtime.MaxPayload), "Function.ResponseSizeTooLarge", "Response payload size exceeded maximum allowed payload size (6291556 bytes)."},
		{"an exit at init", func(fn *runtime.Function) { fn.Env = map[string]string{"EXIT_AT_INIT": "1"} }, nil, "Runtime.ExitError", "RequestId: ID Error: Runtime exited with error: exit status 3"},
		{"no bootstrap", func(fn *runtime.Function) { os.Remove(filepath.Join(fn.Code, "bootstrap")) }, nil, "Runtime.InvalidEntrypoint", "RequestId: ID Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fn := f.function(tt.change)
			kind, message, res := f.failure(fn, tt.payload)
			if want := strings.ReplaceAll(tt.message, "ID", res.RequestID); kind != tt.kind || message != want {
				t.Errorf("%s: %s\nwant %s: %s", kind, message, tt.kind, want)
			}
			// The next call works, on a new process where the last one is gone.
			if tt.change == nil {
				if got := do[string](f, fn, "echo", "well", 0); got != "well" {
					t.Errorf("after the failure: %q", got)
				}
			}
		})
	}
}

func TestTimeoutIsLogged(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	_, _, res := f.failure(f.function(func(fn *runtime.Function) { fn.Timeout = time.Second }), event("sleep", "1m", 0))
	tail := string(res.LogTail)
	if !strings.Contains(tail, " "+res.RequestID+" Task timed out after 1.00 seconds\n") || !strings.Contains(tail, "Status: timeout") {
		t.Errorf("log of a timeout:\n%s", tail)
	}
}

func TestConcurrency(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	fn := f.function(func(fn *runtime.Function) { fn.Concurrency = 3 })
	var wg sync.WaitGroup
	start := make(chan struct{})
	var mu sync.Mutex
	outcomes := make(map[string]int)
	for range 8 {
		wg.Go(func() {
			<-start
			res, err := f.Invoke(t.Context(), fn, runtime.Request{Payload: event("sleep", "1s", 0)})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				outcomes[err.Error()]++
			} else {
				outcomes[string(res.Payload)]++
			}
		})
	}
	close(start)
	wg.Wait()
	if outcomes[`"slept"`] != 3 || outcomes[runtime.ErrThrottled.Error()] != 5 {
		t.Errorf("8 calls at once of a function that may run 3 times: %v", outcomes)
	}
	if all, _ := f.Processes(); all != 3 {
		t.Errorf("%d processes, want 3", all)
	}
}

func TestIdleProcessesGiveWay(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(o *runtime.Options) { o.MaxProcesses = 2 })
	fns := []*runtime.Function{f.function(nil), f.function(nil), f.function(nil)}
	for range 2 {
		for _, fn := range fns {
			if got := do[string](f, fn, "echo", "x", 0); got != "x" {
				t.Errorf("got %q", got)
			}
		}
	}
	if all, _ := f.Processes(); all > 2 {
		t.Errorf("%d processes, want 2 at most", all)
	}
}

func TestForgetEndsProcesses(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	fn := f.function(nil)
	do[string](f, fn, "echo", "x", 0)
	waitFor(t, "the process to be idle", func() bool { _, busy := f.Processes(); return busy == 0 })
	f.Forget(fn.Key)
	if all, _ := f.Processes(); all != 0 {
		t.Errorf("%d processes after Forget", all)
	}
	if got := do[int](f, fn, "calls", "", 0); got != 1 {
		t.Errorf("a call after Forget ran on a process that had %d calls", got)
	}
}

func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for until := time.Now().Add(15 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("waited 15 s for %s", what)
		}
	}
}

// Between calls a process does not run: what it does in the background stands still.
func TestFrozenBetweenCalls(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	fn := f.function(nil)
	f.invoke(fn, event("background", "", 0))
	ticks := func() int {
		var n int
		waitFor(t, "a count", func() bool { // the file is empty while it is being written
			_, err := fmt.Sscan(do[string](f, fn, "read", "/tmp/ticks", 0), &n)
			return err == nil
		})
		return n
	}
	// On a busy machine freezing may come late, and the calls that read take long: then
	// another second shows it. A loop that is never frozen goes on in all of them.
	first, n := 0, 0
	for range 10 {
		first = ticks()
		time.Sleep(time.Second)
		if n = ticks() - first; n <= 60 {
			break
		}
	}
	if n > 60 {
		t.Errorf("a background loop of 200 rounds per second went %d rounds in a second without a call, ten times", n)
	}
	waitFor(t, "50 rounds of the loop in calls of half a second", func() bool {
		do[string](f, fn, "sleep", "500ms", 0)
		return ticks()-first >= 50
	})
}

// A caller that goes away does not end the call.
func TestAbandonedCallRunsOn(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	fn := f.function(func(fn *runtime.Function) { fn.Concurrency = 1 })
	do[int](f, fn, "calls", "", 0) // starts the process, which may take long
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := f.Invoke(ctx, fn, runtime.Request{Payload: event("sleep", "1s", 0)}); err == nil {
		t.Fatal("the call was answered before its caller left")
	}
	waitFor(t, "the call to end", func() bool { _, busy := f.Processes(); return busy == 0 })
	if got := do[int](f, fn, "calls", "", 0); got != 3 {
		t.Errorf("the process had %d calls, want the first, the abandoned one and this", got)
	}
}

func TestRefusedRuntimes(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	for rt, want := range map[string]string{
		"java8.al2": "use provided.al2023 with a layer", "ruby2.7": "use provided.al2023 with a layer", "dotnet8": "use provided.al2023 with a layer",
		"nodejs18.x": "want provided.al2023", "": "want provided.al2023",
	} {
		_, err := f.Invoke(t.Context(), f.function(func(fn *runtime.Function) { fn.Runtime = rt }), runtime.Request{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("runtime %q: %v, want an error with %q", rt, err, want)
		}
	}
	g := newFixture(t, func(o *runtime.Options) {
		o.Interpreters = map[string]string{"nodejs22.x": "/usr/bin/nonexistent-node", "python3.14": "/bin/true"}
	})
	if err := g.Check("nodejs22.x"); err == nil || !strings.Contains(err.Error(), "it needs Node.js 22 on this machine: looked for /usr/bin/nonexistent-node, found none") {
		t.Errorf("missing interpreter: %v", err)
	}
	if err := g.Check("python3.14"); err == nil || !strings.Contains(err.Error(), "it needs Python 3.14") {
		t.Errorf("wrong interpreter: %v", err)
	}
	if _, err := f.Invoke(t.Context(), f.function(nil), runtime.Request{Payload: make([]byte, runtime.MaxPayload+1)}); err != runtime.ErrPayloadTooLarge {
		t.Errorf("a large event: %v", err)
	}
}

func TestClosedRunnerRefuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	fn := f.function(nil)
	do[string](f, fn, "echo", "x", 0)
	if err := f.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Invoke(t.Context(), fn, runtime.Request{}); err != runtime.ErrClosed {
		t.Errorf("after Close: %v", err)
	}
	if all, _ := f.Processes(); all != 0 {
		t.Errorf("%d processes after Close", all)
	}
}
