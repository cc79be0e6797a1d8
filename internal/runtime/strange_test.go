package runtime_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/internal/runtime"
)

// strangeRuntime asks for events by two connections at a time, gives up many others, answers
// by a third one, twice, and a call that is none. What it was told each time is its next answer.
const strangeRuntime = `import http.client, json, os, select
api = os.environ["AWS_LAMBDA_RUNTIME_API"]
calls = "/2018-06-01/runtime/invocation/"
def ask():
    c = http.client.HTTPConnection(api)
    c.request("GET", calls + "next")
    return c
def answer(call, body):
    c = http.client.HTTPConnection(api)
    c.request("POST", calls + call + "/response", body)
    status = c.getresponse().status
    c.close()
    return status
said = []
while True:
    both = [ask(), ask()]
    ready = select.select([c.sock for c in both], [], [])[0][0]
    res = [c for c in both if c.sock is ready][0].getresponse()
    res.read()
    for c in both + [ask() for _ in range(20)]:
        c.close()
    call = res.headers["Lambda-Runtime-Aws-Request-Id"]
    said = [answer("another", "1"), answer(call, json.dumps(said)), answer(call, "2")]
`

// A call has one answer, the first, and an event goes to who is still there to take it.
func TestStrangeRuntime(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	fn := f.function(func(fn *runtime.Function) { fn.Timeout = 10 * time.Second })
	write(t, filepath.Join(fn.Code, "new"), "#!/usr/bin/python"+hostPython(t)+"\n"+strangeRuntime, 0o755)
	if err := os.Rename(filepath.Join(fn.Code, "new"), filepath.Join(fn.Code, "bootstrap")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`[]`, `[400, 202, 400]`, `[400, 202, 400]`, `[400, 202, 400]`} {
		if res := f.invoke(fn, []byte(`{}`)); string(res.Payload) != want {
			t.Fatalf("%s, want %s\n%s", res.Payload, want, res.LogTail)
		}
	}
}
