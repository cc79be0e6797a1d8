package server_test

import (
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/config"
	"gatehouse/internal/server"
)

// What the configuration names is read before the first start too, when there is no data yet.
func TestCheckReadsWhatTheConfigurationNames(t *testing.T) {
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
	for _, c := range []struct {
		name string
		set  func(*config.Config)
		want string
	}{
		{"nothing", func(*config.Config) {}, "no problems"},
		{"authorities of backends", func(c *config.Config) { c.Backends.CABundle = "/nowhere.pem" }, "problem: backends: backends.ca-bundle: open /nowhere.pem"},
		{"robots", func(c *config.Config) { c.Firewall.Bots = "/nowhere.txt" }, "problem: firewall: "},
		{"authorities of the ACME server", func(c *config.Config) {
			c.ACME.Directory, c.ACME.CAFile = "https://acme.example.com/directory", "/nowhere.pem"
		}, "problem: acme: open /nowhere.pem"},
		{"a profile of AWS", func(c *config.Config) {
			c.Functions.Routes = []config.FunctionRoute{{Function: "orders", Lambda: "https://lambda.example.com", Profile: "nobody"}}
		}, "problem: functions: functions.routes[0]: failed to get shared config profile, nobody"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := &config.Config{Data: filepath.Join(t.TempDir(), "data"), HTTP: config.Off, HTTPS: config.Off}
			c.set(cfg)
			var report strings.Builder
			err := server.Check(t.Context(), cfg, &report)
			if !strings.Contains(report.String(), c.want) || (err == nil) != (c.want == "no problems") {
				t.Errorf("found %q (%v), want %q", report.String(), err, c.want)
			}
		})
	}
}
