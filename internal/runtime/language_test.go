package runtime_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/runtime"
)

// hostPython returns the version of a Python that tests can use.
func hostPython(t testing.TB) string {
	t.Helper()
	for _, v := range []string{"3.11", "3.12", "3.13", "3.14"} {
		if out, err := exec.Command("/usr/bin/python"+v, "--version").Output(); err == nil && strings.HasPrefix(string(out), "Python "+v) {
			return v
		}
		if r, err := runtime.New(runtime.Options{Uncontained: true}); err == nil && r.Check("python"+v) == nil {
			return v
		}
	}
	t.Fatal("no Python from 3.11 to 3.14 found: run `make test-deps`")
	return ""
}

// hostNode returns the name of the runtime that the machine's Node.js serves.
func hostNode(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("node", "--version").Output()
	if err != nil {
		t.Fatalf("no Node.js found (%v): run `make test-deps`", err)
	}
	major, _, _ := strings.Cut(strings.TrimPrefix(string(out), "v"), ".")
	if !slices.Contains([]string{"20", "22", "24"}, major) {
		t.Fatalf("Node.js %s found, want 20, 22 or 24: run `make test-deps`", out)
	}
	return "nodejs" + major + ".x"
}

func TestPython(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	rt := "python" + hostPython(t)
	source := `
import os, json, sys, time
count = 0
class Oops(Exception): pass
def handler(event, context):
    global count
    count += 1
    do = event.get("do")
    if do == "raise": raise Oops("no luck")
    if do == "unserialisable": return object()
    if do == "print": print("to stdout"); print("to stderr", file=sys.stderr)
    if do == "reopen": open("/dev/stdout", "w").write("by its name\n"); open("/dev/stderr", "w").write("and the other\n")
    if do == "exit": sys.exit(4)
    if do == "write": open("/tmp/x", "w").write("x"); return open("/tmp/x").read()
    return {"count": count, "id": context.aws_request_id, "left": context.get_remaining_time_in_millis(),
            "name": context.function_name, "arn": context.invoked_function_arn, "memory": context.memory_limit_in_mb, "text": "ä\u2028"}
`
	fn := f.script(rt, "app/main.py", "app/main.handler", source)
	for want := 1; want < 4; want++ {
		res := f.invoke(fn, []byte(`{}`))
		var got struct {
			Count, Left           int
			ID, Name, ARN, Memory string
			Text                  string
		}
		if err := json.Unmarshal(res.Payload, &got); err != nil || got.Count != want || got.ID != res.RequestID || got.Name != "fn" || got.ARN != fn.ARN || got.Memory != "256" || got.Left < 1000 || got.Text != "ä\u2028" {
			t.Fatalf("call %d: %s (%v)\n%s", want, res.Payload, err, res.LogTail)
		}
	}
	res := f.invoke(fn, []byte(`{"do":"raise"}`))
	var doc struct {
		ErrorMessage, ErrorType, RequestID string
		StackTrace                         []string
	}
	if err := json.Unmarshal(res.Payload, &doc); err != nil || doc.ErrorMessage != "no luck" || doc.ErrorType != "Oops" || doc.RequestID != res.RequestID {
		t.Errorf("an exception: %s (%v)", res.Payload, err)
	}
	if len(doc.StackTrace) != 1 || !strings.HasPrefix(doc.StackTrace[0], `  File "/var/task/app/main.py", line 9, in handler`) {
		t.Errorf("stack trace %q", doc.StackTrace)
	}
	if !strings.Contains(string(res.LogTail), "[ERROR] Oops: no luck\nTraceback (most recent call last):\n") {
		t.Errorf("log of an exception:\n%s", res.LogTail)
	}
	if kind, message, _ := f.failure(fn, []byte(`{"do":"unserialisable"}`)); kind != "Runtime.MarshalError" || message != "Unable to marshal response: Object of type object is not JSON serializable" {
		t.Errorf("%s: %s", kind, message)
	}
	if res := f.invoke(fn, []byte(`{"do":"write"}`)); string(res.Payload) != `"x"` {
		t.Errorf("writing /tmp: %s", res.Payload)
	}
	if res := f.invoke(fn, []byte(`{"do":"print"}`)); !strings.Contains(string(res.LogTail), "to stdout\n") || !strings.Contains(string(res.LogTail), "to stderr\n") {
		t.Errorf("log:\n%s", res.LogTail)
	}
	if res := f.invoke(fn, []byte(`{"do":"reopen"}`)); !strings.Contains(string(res.LogTail), "by its name\nand the other\n") {
		t.Errorf("writing /dev/stdout: %s\n%s", res.Payload, res.LogTail)
	}
	if kind, message, res := f.failure(fn, []byte(`{"do":"exit"}`)); kind != "Runtime.ExitError" || message != "RequestId: "+res.RequestID+" Error: Runtime exited with error: exit status 4" {
		t.Errorf("%s: %s", kind, message)
	}
}

func TestPythonThatCannotBeLoaded(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	rt := "python" + hostPython(t)
	for _, tt := range []struct{ handler, source, kind, message string }{
		{"m", "", "Runtime.MalformedHandlerName", "Bad handler 'm': not enough values to unpack (expected 2, got 1)"},
		{"n.handler", "", "Runtime.ImportModuleError", "Unable to import module 'n': No module named 'n'"},
		{"m.absent", "", "Runtime.HandlerNotFound", "Handler 'absent' missing on module 'm'"},
		{"m.handler", "def handler(:", "Runtime.UserCodeSyntaxError", "Syntax error in module 'm':"},
		{"m.handler", "import nothing_of_that_name", "Runtime.ImportModuleError", "Unable to import module 'm': No module named 'nothing_of_that_name'"},
		{"m.handler", "raise ValueError('at import')", "ValueError", "at import"},
	} {
		kind, message, res := f.failure(f.script(rt, "m.py", tt.handler, tt.source), nil)
		if kind != tt.kind || !strings.HasPrefix(message, tt.message) {
			t.Errorf("%s of %q: %s: %s\nwant %s: %s\n%s", tt.handler, tt.source, kind, message, tt.kind, tt.message, res.LogTail)
		}
	}
}

func TestNode(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	rt := hostNode(t)
	source := `
let count = 0;
class Oops extends Error { constructor(m) { super(m); this.name = 'Oops'; } }
exports.handler = async (event, context) => {
  count++;
  switch (event.do) {
    case 'throw': throw new Oops('no luck');
    case 'string': throw 'just text';
    case 'cycle': { const o = {}; o.o = o; return o; }
    case 'nothing': return;
    case 'log': console.log('hello', { a: 1 }); console.error('bad'); return null;
    case 'exit': process.exit(5);
    case 'reject': Promise.reject(new Oops('nobody waits')); await new Promise(r => setTimeout(r, 1000)); return 1;
    case 'write': require('fs').writeFileSync('/tmp/x', 'x'); return require('fs').readFileSync('/tmp/x', 'utf8');
  }
  return { count, id: context.awsRequestId, left: context.getRemainingTimeInMillis(), name: context.functionName, arn: context.invokedFunctionArn, text: 'ä\u2028' };
};
exports.old = (event, context, callback) => { setTimeout(() => callback(event.fail ? new Oops('called back') : null, { ok: true }), 5); };
exports.plain = (event) => event.n + 1;
exports.deep = { inner: { handler: async () => 'deep' } };
`
	fn := f.script(rt, "app/main.js", "app/main.handler", source)
	for want := 1; want < 4; want++ {
		res := f.invoke(fn, []byte(`{}`))
		var got struct {
			Count, Left   int
			ID, Name, ARN string
			Text          string
		}
		if err := json.Unmarshal(res.Payload, &got); err != nil || got.Count != want || got.ID != res.RequestID || got.Name != "fn" || got.ARN != fn.ARN || got.Left < 1000 || got.Text != "ä\u2028" {
			t.Fatalf("call %d: %s (%v)\n%s", want, res.Payload, err, res.LogTail)
		}
	}
	res := f.invoke(fn, []byte(`{"do":"throw"}`))
	var doc struct {
		ErrorMessage, ErrorType string
		Trace                   []string
	}
	if err := json.Unmarshal(res.Payload, &doc); err != nil || doc.ErrorMessage != "no luck" || doc.ErrorType != "Oops" || len(doc.Trace) < 2 || doc.Trace[0] != "Oops: no luck" && doc.Trace[0] != "Error: no luck" || !strings.Contains(doc.Trace[1], "/var/task/app/main.js:7:") {
		t.Errorf("an exception: %s (%v)", res.Payload, err)
	}
	for payload, want := range map[string]string{
		`{"do":"string"}`: "string: just text", `{"do":"cycle"}`: "Runtime.MarshalError: Unable to stringify response body:",
		`{"do":"exit"}`: "Runtime.ExitError: RequestId: ID Error: Runtime exited with error: exit status 5", `{"do":"reject"}`: "Runtime.ExitError: RequestId: ID Error: Runtime exited with error: exit status 128",
	} {
		kind, message, res := f.failure(fn, []byte(payload))
		if got := strings.ReplaceAll(kind+": "+message, res.RequestID, "ID"); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", payload, got, want)
		}
	}
	for _, tt := range []struct{ handler, payload, want string }{
		{"app/main.handler", `{"do":"nothing"}`, "null"}, {"app/main.handler", `{"do":"write"}`, `"x"`},
		{"app/main.old", `{}`, `{"ok":true}`}, {"app/main.plain", `{"n":41}`, "42"}, {"app/main.deep.inner.handler", `{}`, `"deep"`},
	} {
		if res := f.invoke(f.script(rt, "app/main.js", tt.handler, source), []byte(tt.payload)); string(res.Payload) != tt.want {
			t.Errorf("%s %s: %s, want %s\n%s", tt.handler, tt.payload, res.Payload, tt.want, res.LogTail)
		}
	}
	if kind, message, _ := f.failure(f.script(rt, "app/main.js", "app/main.old", source), []byte(`{"fail":true}`)); kind != "Oops" || message != "called back" {
		t.Errorf("an error by callback: %s: %s", kind, message)
	}
	res = f.invoke(fn, []byte(`{"do":"log"}`))
	line := regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t` + res.RequestID + `\t(INFO\thello \{ a: 1 \}|ERROR\tbad)$`)
	if n := len(line.FindAllString(string(res.LogTail), -1)); n != 2 {
		t.Errorf("%d of two lines as Lambda writes them:\n%s", n, res.LogTail)
	}
}

func TestNodeModules(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	rt := hostNode(t)
	for _, tt := range []struct{ name, handler, source, want string }{
		{"m.mjs", "m.handler", "import os from 'node:os'; const x = await Promise.resolve(7); export const handler = async () => x;", "7"},
		{"m.cjs", "m.handler", "module.exports.handler = async () => 8;", "8"},
		{"m.js", "m.handler", "module.exports = { handler: async () => 9 };", "9"},
		{"m.mjs", "m.handler", "export default { handler: () => 10 };", "10"},
	} {
		if res := f.invoke(f.script(rt, tt.name, tt.handler, tt.source), nil); string(res.Payload) != tt.want {
			t.Errorf("%s: %s, want %s\n%s", tt.name, res.Payload, tt.want, res.LogTail)
		}
	}
	for _, tt := range []struct{ name, handler, source, kind string }{
		{"m.js", "nodot", "", "Runtime.MalformedHandlerName"},
		{"m.js", "n.handler", "", "Runtime.ImportModuleError"},
		{"m.js", "m.absent", "exports.handler = 1", "Runtime.HandlerNotFound"},
		{"m.js", "m.handler", "exports.handler = 1", "Runtime.HandlerNotFound"},
		{"m.js", "m.handler", "function (", "Runtime.UserCodeSyntaxError"},
		{"m.js", "m.handler", "require('nothing-of-that-name')", "Runtime.ImportModuleError"},
		{"m.js", "m.handler", "throw new RangeError('at import')", "RangeError"},
	} {
		if kind, message, res := f.failure(f.script(rt, tt.name, tt.handler, tt.source), nil); kind != tt.kind {
			t.Errorf("%s of %q: %s: %s, want %s\n%s", tt.handler, tt.source, kind, message, tt.kind, res.LogTail)
		}
	}
}

func TestStreaming(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	goFn := f.function(func(fn *runtime.Function) { fn.Env = map[string]string{"STREAM": "1"} })
	node := f.script(hostNode(t), "m.mjs", "m.handler", `
export const handler = awslambda.streamifyResponse(async (event, stream, context) => {
  if (event.Do === 'fail') throw new Error(event.Arg);
  if (event.Do === 'http') stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201 });
  for (let i = 0; i < event.N; i++) stream.write('part ' + i + '\n');
  if (event.Do === 'break') throw new Error(event.Arg);
  stream.end();
});`)
	parts := func(n int) (s string) {
		for i := range n {
			s += fmt.Sprintf("part %d\n", i)
		}
		return s
	}
	for name, fn := range map[string]*runtime.Function{"go": goFn, "node": node} {
		s, err := f.InvokeStream(t.Context(), fn, runtime.Request{Payload: event("go", "", 1000)})
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(s.Body)
		if err != nil || string(b) != parts(1000) {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
		// The same function answers a caller that wants the whole.
		if res := f.invoke(fn, event("go", "", 3)); string(res.Payload) != parts(3) {
			t.Errorf("%s, not streamed: %q", name, res.Payload)
		}
		s, err = f.InvokeStream(t.Context(), fn, runtime.Request{Payload: event("break", "half way", 3)})
		if err != nil {
			t.Fatal(err)
		}
		b, err = io.ReadAll(s.Body)
		var se *runtime.StreamError
		// The Go client sees an early failure before it begins to send, and reports it whole.
		whole := s.FunctionError == "Unhandled" && strings.Contains(string(b), "half way")
		if !whole && (string(b) != parts(3) || !errors.As(err, &se) || !strings.Contains(string(se.Payload), "half way")) {
			t.Errorf("%s: a stream that breaks gave %q, %v", name, b, err)
		}
	}
	s, err := f.InvokeStream(t.Context(), goFn, runtime.Request{Payload: event("fail", "before it began", 0)})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(s.Body); s.FunctionError != "Unhandled" || err != nil || !strings.Contains(string(b), "before it began") {
		t.Errorf("a failure before the stream began: %q %s %v", s.FunctionError, b, err)
	}
	s, err = f.InvokeStream(t.Context(), node, runtime.Request{Payload: event("http", "", 1)})
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(s.Body)
	if want := `{"statusCode":201}` + strings.Repeat("\x00", 8) + "part 0\n"; err != nil || string(b) != want || s.ContentType != "application/vnd.awslambda.http-integration-response" {
		t.Errorf("an HTTP response stream: %q %q %v", s.ContentType, b, err)
	}
	// A caller that leaves does not stop the function, which then serves the next.
	s, err = f.InvokeStream(t.Context(), goFn, runtime.Request{Payload: event("go", "", 100000)})
	if err != nil {
		t.Fatal(err)
	}
	s.Body.Close()
	if res := f.invoke(goFn, event("go", "", 1)); string(res.Payload) != parts(1) {
		t.Errorf("after an abandoned stream: %s", res.Payload)
	}
}

// An extension is a program in a layer that hears of calls and of the end.
func TestExtensions(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	layers := t.TempDir()
	os.Chmod(layers, 0o755)
	if err := os.MkdirAll(filepath.Join(layers, "extensions"), 0o755); err != nil {
		t.Fatal(err)
	}
	source := `#!/usr/bin/env python3
import http.client, json, os
c = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, body=None, headers={}):
    c.request(method, "/2020-01-01/extension/" + path, body, headers)
    r = c.getresponse()
    return r, json.loads(r.read())
r, registered = call("POST", "register", json.dumps({"events": ["INVOKE", "SHUTDOWN"]}), {"Lambda-Extension-Name": "watcher"})
me = {"Lambda-Extension-Identifier": r.headers["Lambda-Extension-Identifier"]}
print("extension registered for", registered["functionName"], flush=True)
while True:
    _, event = call("GET", "event/next", None, me)
    print("extension heard", event["eventType"], event.get("requestId", event.get("shutdownReason")), flush=True)
    if event["eventType"] == "SHUTDOWN":
        break
`
	if err := os.WriteFile(filepath.Join(layers, "extensions", "watcher"), []byte(source), 0o755); err != nil {
		t.Fatal(err)
	}
	fn := f.function(func(fn *runtime.Function) { fn.Layers = layers })
	first, second := f.invoke(fn, event("echo", "a", 0)), f.invoke(fn, event("echo", "b", 0))
	if string(first.Payload) != `"a"` || string(second.Payload) != `"b"` {
		t.Errorf("answers %s, %s\n%s", first.Payload, second.Payload, first.LogTail)
	}
	waitFor(t, "the calls to be over", func() bool { _, busy := f.Processes(); return busy == 0 })
	f.Forget(fn.Key)
	want := []string{"extension registered for fn", "extension heard INVOKE " + first.RequestID, "extension heard INVOKE " + second.RequestID, "extension heard SHUTDOWN spindown"}
	waitFor(t, "the extension to hear of the end", func() bool { return slices.Contains(f.logs.texts(), want[3]) })
	for _, line := range want {
		if !slices.Contains(f.logs.texts(), line) {
			t.Errorf("the log lacks %q", line)
		}
	}
}
