package main

import (
	"bytes"
	"strings"
	"testing"
)

// Every command says how it is called and what it does, and succeeds in saying so.
func TestHelp(t *testing.T) {
	for _, c := range []struct {
		args string
		code int
		want string // in what is printed
	}{
		{"", exitUsage, "usage: gatehouse COMMAND"},
		{"-h", exitOK, "usage: gatehouse COMMAND"},
		{"help", exitOK, "client-certificate  rotate"},
		{"nonsense", exitUsage, `no command "nonsense"`},
		{"serve -h", exitOK, "(default 127.0.0.1:4566)"},
		{"check -h", exitOK, "Do what start-up does"},
		{"env -h", exitOK, "usage: gatehouse env"},
		{"import -h", exitOK, "FILE|DIRECTORY"},
		{"backup -h", exitOK, "usage: gatehouse backup [flags] FILE"},
		{"restore -h", exitOK, "usage: gatehouse restore FILE"},
		{"truststore -h", exitOK, "truststore rollback DOMAIN"},
		{"truststore plan -h", exitOK, "truststore rollback DOMAIN"},
		{"client-certificate -h", exitOK, "rotate ID"},
		{"client-certificate show -h", exitOK, "rotate ID"},
		{"client-certificate show", exitUsage, "rotate ID"},
		{"explain -h", exitOK, "REQUEST-ID"},
		{"waf -h", exitOK, "waf replay"},
		{"waf try -h", exitOK, "-acl"},
		{"waf replay -h", exitOK, "-log"},
		{"health -h", exitOK, "-control"},
		{"backup", exitUsage, "want one file, found 0"},
		{"serve --nonsense", exitUsage, "nonsense"},
	} {
		var out bytes.Buffer
		code := run(t.Context(), &invocation{args: strings.Fields(c.args), stdin: strings.NewReader(""), stdout: &out, err: &out})
		if code != c.code || !strings.Contains(out.String(), c.want) {
			t.Errorf("gatehouse %s: code %d, want %d; printed, want %q in it:\n%s", c.args, code, c.code, c.want, out.String())
		}
	}
}
