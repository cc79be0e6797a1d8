package gateway

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/http1/wire"
	"gatehouse/internal/message"
)

// TestDecodeOutput holds the table of routing-and-integrations, section 8.2, and
// aws-behaviour-recorded, section 22.
func TestDecodeOutput(t *testing.T) {
	type out = functionOutput
	for _, c := range []struct {
		text string
		want *functionOutput // nil: malformed
	}{
		{`{"statusCode":200}`, &out{status: 200}},
		{`{}`, &out{status: 200}},
		{`{"statusCode":"201","body":"b"}`, &out{status: 201, body: "b"}},
		{`{"statusCode":null,"headers":null,"multiValueHeaders":null,"body":null,"isBase64Encoded":null}`, &out{status: 200}},
		{`{"headers":{"b":true,"n":1.50,"s":"t","no":null}}`, &out{status: 200, header: message.Header{{Name: "b", Value: "true"}, {Name: "n", Value: "1.50"}, {Name: "s", Value: "t"}}}},
		{`{"body":7,"isBase64Encoded":true}`, &out{status: 200, body: "7", encoded: true}},
		{`{"multiValueHeaders":{"X-A":["value-multi"]},"headers":{"x-a":"value-solo","Y":"1"}}`,
			&out{status: 200, header: message.Header{{Name: "X-A", Value: "value-multi"}, {Name: "X-A", Value: "value-solo"}, {Name: "Y", Value: "1"}}}},
		{`{"headers":{"a":"1","b":"2"},"multiValueHeaders":{"a":["1","2"]}}`,
			&out{status: 200, header: message.Header{{Name: "a", Value: "1"}, {Name: "a", Value: "2"}, {Name: "b", Value: "2"}}}},
		{`{"statusCode":200,"headers":{"a":"b"}}` + delimiter + "body", &out{status: 200, header: message.Header{{Name: "a", Value: "b"}}}},

		{`{"statusCode":"test"}`, nil}, {`{"statusCode":""}`, nil}, {`{"statusCode":true}`, nil}, {`{"statusCode":[200]}`, nil}, {`{"statusCode":200.5}`, nil},
		{`{"statusCode":0}`, nil}, {`{"statusCode":-1}`, nil}, {`{"statusCode":100}`, nil}, {`{"statusCode":101}`, nil}, {`{"statusCode":199}`, nil},
		{`{"statusCode":600}`, nil}, {`{"statusCode":99999999999999999999}`, nil},
		{`{"wrongValue":1}`, nil}, {`{"StatusCode":200}`, nil}, {`{"cookies":[]}`, nil},
		{``, nil}, {`null`, nil}, {`"text"`, nil}, {`[]`, nil}, {`7`, nil}, {`{`, nil}, {`{"statusCode":200} x`, nil}, {"{\"body\":\"\xff\"}", nil},
		{`{"headers":[]}`, nil}, {`{"headers":"a"}`, nil}, {`{"headers":{"a":{}}}`, nil}, {`{"headers":{"a":["b"]}}`, nil},
		{`{"multiValueHeaders":{"x":"not a list"}}`, nil}, {`{"multiValueHeaders":{"x":[["y"]]}}`, nil},
		{`{"body":{}}`, nil}, {`{"body":[]}`, nil}, {`{"isBase64Encoded":"yes"}`, nil}, {`{"isBase64Encoded":1}`, nil},
		{`{"headers":{"a":"b\r\nSet-Cookie: s=1"}}`, nil}, {`{"headers":{"a\r\nB":"c"}}`, nil}, {`{"headers":{"a: b":"c"}}`, nil}, {`{"headers":{"":"c"}}`, nil},
		{`{"headers":{"a":"b\u0000c"}}`, nil}, {`{"multiValueHeaders":{"a":["b\nc"]}}`, nil},
		{`{"headers":{"a":"` + strings.Repeat("x", maxOutputHeader) + `"}}`, nil},
		{`{"multiValueHeaders":{"a":[` + strings.Repeat(`"x",`, maxOutputLines) + `"x"]}}`, nil},
		{`{"headers":{"cookies":"1"}}` + delimiter[:7], nil},
	} {
		got, err := decodeOutput(c.text)
		if (err == nil) != (c.want != nil) {
			t.Errorf("%.100q: %+v, %v", c.text, got, err)
			continue
		}
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(functionOutput{})); c.want != nil && diff != "" {
			t.Errorf("%.100q (-want +got):\n%s", c.text, diff)
		}
	}
}

func TestDecodeMetadata(t *testing.T) {
	got, err := decodeMetadata(`{"statusCode":201,"headers":{"a":"b"},"cookies":["c=1","d=2"]}`)
	want := &functionOutput{status: 201, header: message.Header{{Name: "a", Value: "b"}, {Name: "Set-Cookie", Value: "c=1"}, {Name: "Set-Cookie", Value: "d=2"}}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(functionOutput{})); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, text := range []string{`{"body":"x"}`, `{"isBase64Encoded":true}`, `[]`, ``, `{"cookies":"c=1"}`, `{"cookies":["a\nb"]}`} {
		if got, err := decodeMetadata(text); err == nil {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

// FuzzDecodeOutput: what a function makes of its answer can be sent, and stays within bounds.
func FuzzDecodeOutput(f *testing.F) {
	f.Add(`{"statusCode":"201","headers":{"a":true},"multiValueHeaders":{"A":["x",1]},"body":"b","isBase64Encoded":false}`)
	f.Add(`{"cookies":["a=b"]}` + delimiter)
	f.Add(`{"headers":{"a":"\r\n"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		out, err := decodeOutput(text)
		if err != nil {
			return
		}
		if out.status < 200 || out.status > 599 || len(out.body) > len(text)*3 || len(out.header) > maxOutputLines {
			t.Fatalf("%q: status %s, %d bytes of body, %d lines", text, strconv.Itoa(out.status), len(out.body), len(out.header))
		}
		for _, h := range out.header {
			if !wire.IsToken(h.Name) || !wire.IsValue(h.Value) {
				t.Fatalf("%q: header %q", text, h)
			}
		}
	})
}
