package conformance

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"gatehouse/internal/server/servertest"
)

// TestScripts runs the scripts in testdata. A script is lines:
//
//	# a remark
//	== a name: what follows is a test of that name
//	> METHOD /path {"a": "body"}
//	< STATUS {"the": "whole answer"}
//	< STATUS Code: message (line feeds and tabs written \n and \t)
//	< STATUS "<_>"        (any answer)
//	< STATUS -            (an answer without a body)
//
// <name> in an answer stands for any string or number, which later requests and answers use as
// <name>; <_> stands for anything. Numbers and strings that are not so written are compared to
// the byte.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("scripts: %v, %v", files, err)
	}
	g := servertest.Start(t, nil)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			run(t, newWire(t, g), string(text))
		})
	}
}

// run runs one script; a name in it is bound from the answer that shows it first.
func run(t *testing.T, w *wire, script string) {
	bound := map[string]string{"ACCT": "000000000000"}
	name, request := "", ""
	var steps []func(t *testing.T)
	flush := func() {
		if len(steps) > 0 {
			todo := steps
			t.Run(name, func(t *testing.T) {
				for _, step := range todo {
					step(t)
				}
			})
		}
		steps = nil
	}
	for i, line := range strings.Split(script, "\n") {
		switch {
		case strings.HasPrefix(line, "== "):
			flush()
			name = line[3:]
		case strings.HasPrefix(line, "> "):
			request = line[2:]
		case strings.HasPrefix(line, "< "):
			ask, want := request, line[2:]
			steps = append(steps, func(t *testing.T) { w.step(t, i+1, ask, want, bound) })
		case line != "" && !strings.HasPrefix(line, "#"):
			t.Fatalf("line %d: %q is neither request nor answer", i+1, line)
		}
	}
	flush()
}

var placeholder = regexp.MustCompile(`<([a-zA-Z0-9_]+)>`)

// step makes one call and compares its answer.
func (w *wire) step(t *testing.T, line int, request, want string, bound map[string]string) {
	t.Helper()
	fill := func(s string) string {
		return placeholder.ReplaceAllStringFunc(s, func(p string) string {
			if v, ok := bound[p[1:len(p)-1]]; ok {
				return v
			}
			return p
		})
	}
	method, rest, _ := strings.Cut(fill(request), " ")
	target, body, _ := strings.Cut(rest, " ")
	a := w.call(t, method, target, body)
	status, text, _ := strings.Cut(fill(want), " ")
	if strconv.Itoa(a.status) != status {
		t.Errorf("line %d: %s %s\n got %d %s %s\nwant %s %s", line, method, target, a.status, a.code, a.body, status, text)
		return
	}
	switch {
	case text == "-":
		if a.body != "" && a.body != "{}" {
			t.Errorf("line %d: %s %s: got the body %s, want none", line, method, target, a.body)
		}
	case strings.HasPrefix(text, "{") || text == `"<_>"`:
		var got, wanted any
		decode(t, a.body, &got)
		decode(t, text, &wanted)
		if where := differ(got, wanted, "", bound); where != "" {
			t.Errorf("line %d: %s %s: %s\n got %s\nwant %s", line, method, target, where, a.body, text)
		}
	default:
		if got := a.code + ": " + strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(a.message); got != text {
			t.Errorf("line %d: %s %s\n got %s\nwant %s", line, method, target, got, text)
		}
	}
}

func decode(t *testing.T, text string, v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}

// differ names the place where got is not what was wanted, "" for none, and binds the names
// that stand in want.
func differ(got, want any, at string, bound map[string]string) string {
	switch w := want.(type) {
	case string:
		if m := placeholder.FindStringSubmatch(w); m != nil && m[0] == w {
			return bind(got, m[1], at, bound)
		}
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return at + ": not an object"
		}
		for _, name := range slices.Sorted(keys(g)) {
			if _, ok := w[name]; !ok {
				return at + "/" + name + ": not wanted"
			}
		}
		for _, name := range slices.Sorted(keys(w)) {
			if _, ok := g[name]; !ok {
				return at + "/" + name + ": missing"
			}
			if where := differ(g[name], w[name], at+"/"+name, bound); where != "" {
				return where
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Sprintf("%s: want a list of %d", at, len(w))
		}
		for i := range w {
			if where := differ(g[i], w[i], at+"/"+strconv.Itoa(i), bound); where != "" {
				return where
			}
		}
		return ""
	}
	if !reflect.DeepEqual(got, want) {
		return fmt.Sprintf("%s: got %v, want %v", at, got, want)
	}
	return ""
}

func keys(m map[string]any) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func bind(got any, name, at string, bound map[string]string) string {
	if name == "_" {
		return ""
	}
	text := fmt.Sprint(got)
	if _, isMap := got.(map[string]any); isMap || got == nil || text == "" {
		return at + ": no value for <" + name + ">"
	}
	bound[name] = text
	return ""
}

// wire makes signed calls of API Gateway's management API.
type wire struct {
	base   string
	region string
	key    aws.Credentials
	accept string // the Accept header of calls, "" for none

	// For other services than API Gateway: the service that is signed for, the X-Amz-Target
	// header, and whether bodies are forms.
	service, target string
	form            bool
}

func newWire(t *testing.T, g *servertest.Gatehouse) *wire {
	t.Helper()
	key, err := g.AWS(t).Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &wire{base: "http://" + g.Control, region: g.Config.Region(), key: key, service: "apigateway"}
}

// answer is what a call was answered.
type answer struct {
	status        int
	body          string
	code, message string // of an error
	header        http.Header
}

func (w *wire) call(t *testing.T, method, target, body string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, w.base+target, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if w.accept != "" {
		req.Header.Set("Accept", w.accept)
	}
	if w.form {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if w.target != "" {
		req.Header.Set("X-Amz-Target", w.target)
	}
	sum := sha256.Sum256([]byte(body))
	if w.service == "s3" {
		req.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
	}
	once := func(o *v4.SignerOptions) { o.DisableURIPathEscaping = w.service == "s3" }
	if err := v4.NewSigner(once).SignHTTP(t.Context(), w.key, req, hex.EncodeToString(sum[:]), w.service, w.region, time.Now()); err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: res.StatusCode, body: string(text), code: res.Header.Get("X-Amzn-Errortype"), header: res.Header}
	if a.code != "" && strings.HasPrefix(a.body, "{") {
		var e struct{ Message string }
		decode(t, a.body, &e)
		a.message = e.Message
	}
	return a
}
