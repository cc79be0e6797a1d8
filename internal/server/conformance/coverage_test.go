package conformance

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/server/servertest"
)

var write = flag.Bool("write", false, "rewrite docs/coverage.md")

// notEnforced are settings that are kept and shown, because clients fail without them, and
// that nothing acts on.
var notEnforced = [][2]string{
	{"endpointConfiguration.types EDGE", "served as REGIONAL is: there are no edge locations"},
	{"endpointConfiguration.ipAddressType", "listeners decide which addresses are served"},
	{"endpointConfiguration.vpcEndpointIds", "in AWS they make DNS names; who may call is for the policies of the API and of the endpoint"},
	{"DomainName.securityPolicy TLS_1_0", "TLS 1.0 and 1.1 are off, unless legacy-tls is configured"},
	{"Stage.tracingEnabled", "no X-Ray segments are written; trace headers are passed on"},
	{"WAFv2 LoggingConfiguration: delivery streams and buckets that `firewall.logs` does not map", "their records are dropped; the service log and `/_gatehouse/ready` name them"},
	{"WAFv2 permission policies, API keys, token domains, immunity times", "there is no other account to share with, and no puzzle to solve"},
	{"VpcLink.targetArns, Integration.integrationTarget", "there is no load balancer to look up: calls go where `backends.load-balancers` or the link's tag `gatehouse:target` says, else to the host of the integration's URI"},
	{"apigatewayv2 VpcLink subnetIds, securityGroupIds", "kept and shown: listeners and routes of this machine decide what is reached"},
}

// TestCoverage compares docs/coverage.md with what the server offers. Run with -args -write
// to rewrite it.
func TestCoverage(t *testing.T) {
	const file = "../../../docs/coverage.md"
	want := coverage(servertest.Start(t, nil))
	if *write {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("docs/coverage.md is not what the server offers: go test ./internal/server/conformance -run TestCoverage -args -write")
	}
}

// coverage writes the page.
func coverage(g *servertest.Gatehouse) string {
	var b strings.Builder
	b.WriteString("# What is served\n\nWritten by a test (internal/server/conformance), from the server itself. An operation that is not served\n" +
		"answers a not-implemented error that names it.\n\n| Service | Served | of |\n|---|---:|---:|\n")
	services := g.Server.Services()
	for _, s := range services {
		fmt.Fprintf(&b, "| %s | %d | %d |\n", s.Service.FullName, len(s.Implemented()), len(s.Service.Operations))
	}
	b.WriteString("\n## Kept, shown and not enforced\n\n| Setting | Why |\n|---|---|\n")
	for _, e := range notEnforced {
		fmt.Fprintf(&b, "| %s | %s |\n", e[0], e[1])
	}
	b.WriteString("\nWhat a plan cannot enforce, and is not listed here, is answered 500 at run time with the reason in the log.\n")
	for _, s := range services {
		if s.Service.Name == "apigateway" {
			b.WriteString("\n## " + s.Service.FullName + "\n" + memberTable(s.Service))
			continue
		}
		implemented := s.Implemented()
		fmt.Fprintf(&b, "\n## %s\n\n| Operation | |\n|---|---|\n", s.Service.FullName)
		for i := range s.Service.Operations {
			name, state := s.Service.Operations[i].Name, "refused"
			if slices.Contains(implemented, name) {
				state = "served"
			}
			fmt.Fprintf(&b, "| %s | %s |\n", name, state)
		}
	}
	return b.String()
}
