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
	if err := run(t.Context(), &out, g.HTTPS, server.CABundle(g.Config)); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, line := range []string{"with no certificate: no answer", "partner 200, retired 403", "rolled back: partner 200, retired 200",
		"ann's certificate was revoked while her connection was open", "the plan: CN=Retired CA goes", "deciding nothing: partner 200, retired 200",
		"the candidate would have refused", "enforced, on the connections that are open: partner 200, retired 403", "clients that were seen lately would be locked out"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no line has %q:\n%s", line, out.String())
		}
	}
}
