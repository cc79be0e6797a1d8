package main

import (
	"bytes"
	"strings"
	"testing"

	"gatehouse/internal/server"
	"gatehouse/internal/server/servertest"
)

// The example tells its story to the end against a real server.
func TestStory(t *testing.T) {
	g := servertest.Start(t, nil)
	key, err := server.RootKey(g.Config)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ENDPOINT_URL", "http://"+g.Control)
	t.Setenv("AWS_ACCESS_KEY_ID", key.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", key.SecretAccessKey)
	t.Setenv("AWS_REGION", "us-east-1")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	var out bytes.Buffer
	if err := run(t.Context(), &out, g.HTTPS, server.CABundle(g.Config), "./authorizer"); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, line := range []string{"in force: good 200, stolen 200", "in the list: good 200, stolen 403", "no list: nobody gets in: good 500, stolen 500"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no line has %q:\n%s", line, out.String())
		}
	}
}
