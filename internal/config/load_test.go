package config

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// load runs Load as the command does: args on a flag set, environ, and a file when given.
func load(t *testing.T, file string, environ []string, args ...string) (*Config, error) {
	t.Helper()
	if file != "" {
		name := filepath.Join(t.TempDir(), "gatehouse.yaml")
		if err := os.WriteFile(name, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append([]string{"--config", name}, args...)
	}
	fs := flag.NewFlagSet("serve", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	var f Flags
	f.Register(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return Load(&f, environ)
}

func TestDefaults(t *testing.T) {
	got, err := load(t, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Defaults(), got); diff != "" {
		t.Error(diff)
	}
}

func TestWeight(t *testing.T) {
	file := "http: 127.0.0.1:1\nhttps: 127.0.0.1:2\ndata: from-file\nlimits:\n  drain-timeout: 5s\n"
	env := []string{"GATEHOUSE_HTTPS=127.0.0.1:22", "GATEHOUSE_DATA=from-env", "GATEHOUSE_REGION=eu-west-1, us-east-1", "HOME=/"}
	got, err := load(t, file, env, "--data", "from-flag", "--dev")
	if err != nil {
		t.Fatal(err)
	}
	want := Defaults()
	want.HTTP, want.HTTPS, want.Data = "127.0.0.1:1", "127.0.0.1:22", "from-flag"
	want.Regions, want.Dev, want.Limits.DrainTimeout = []string{"eu-west-1", "us-east-1"}, true, 5*time.Second
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		name, file string
		env, args  []string
		want       []string // parts of the error
	}{
		{"unknown key", "htpp: x\n", nil, nil, []string{"line 1", "htpp"}},
		{"wrong type", "limits:\n  connections: many\n", nil, nil, []string{"line 2", "many"}},
		{"two documents", "http: off\n---\nhttp: off\n", nil, nil, []string{"more than one YAML document"}},
		{"all at once", "", nil, []string{"--http", "nowhere", "--account", "12", "--region", "Mars"},
			[]string{`http: found "nowhere"`, `accounts: found "12", want 12 digits`, `regions: found "Mars"`}},
		{"control cannot be off", "", nil, []string{"--control", "off"}, []string{`control: found "off", want host:port`}},
		{"dev elsewhere", "", nil, []string{"--dev", "--http", "0.0.0.0:80"}, []string{"http: found", "loopback"}},
		{"dev with a shared store", "", nil, []string{"--dev", "--store", "postgres://u:hunter2@h/db"}, []string{"store: found", "throw-away"}},
		{"bad boolean", "", []string{"GATEHOUSE_DEV=perhaps"}, nil, []string{"GATEHOUSE_DEV", "perhaps"}},
		{"half a root key", "", []string{"GATEHOUSE_ROOT_ACCESS_KEY_ID=AKIA"}, nil, []string{"both root-access-key-id"}},
		{"bad network", "proxy-protocol:\n  https: [10.0.0.0/33]\n", nil, nil, []string{"proxy-protocol.https", "10.0.0.0/33"}},
		{"foreign store", "store: mysql://u:hunter2@h/db\n", nil, nil, []string{"store: want a URL that starts with postgres://"}},
		{"function routes", "functions:\n  routes:\n    - {lambda: 'ftp://h', http: 'http://h', access-key-id: A, profile: p}\n    - {function: f, http: 'http://h', region: r}\n", nil, nil,
			[]string{"functions.routes[0].function", "functions.routes[0].lambda: found \"ftp://h\", want exactly one", "functions.routes[0].lambda: found \"ftp://h\", want http", "functions.routes[0].access-key-id", "functions.routes[0].profile", "functions.routes[1].http"}},
		{"firewall logs", "firewall:\n  logs:\n    - {destination: arn:aws:logs:us-east-1:000000000000:log-group:aws-waf-logs-x, file: f, url: 'ftp://h', token: hunter2}\n    - {destination: 'arn:aws:s3:::aws-waf-logs-x', token: hunter2}\n", nil, nil,
			[]string{"firewall.logs[0].destination", "firewall.logs[0].file: found \"f\", want exactly one of", "firewall.logs[0].url: found", "firewall.logs[1].file", "firewall.logs[1].token"}},
		{"no file", "", nil, []string{"--config", "/nonexistent.yaml"}, []string{"/nonexistent.yaml"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := load(t, c.file, c.env, c.args...)
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q lacks %q", err, part)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error shows a password: %q", err)
			}
		})
	}
}
