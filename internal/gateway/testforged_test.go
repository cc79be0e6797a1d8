package gateway

import (
	"io"
	"net/http"
	"testing"

	"gatehouse/internal/message"
	"gatehouse/internal/plan"
)

// Whoever may try a method may not thereby show its backend a client certificate that nobody
// verified.
func TestTestsClaimNoClientCertificate(t *testing.T) {
	b := proxyBench(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Header.Get("X-Seen")+r.Header.Get("Client-Cert")+r.Header.Get("X-Forwarded-Client-Cert")+r.Header.Get("X-Amzn-Mtls-Clientcert-Subject"))
	}, nil)
	for s := range b.Plan().Stages {
		r := b.Test(t.Context(), &Test{
			Stage: s, Method: s.Root.Greedy.Resource.Method(plan.IndexMethod("GET")), Verb: "GET", Path: "/x",
			Header: message.Header{{Name: "X-Seen", Value: "seen"}, {Name: "Client-Cert", Value: ":bWluZQ==:"}, {Name: "X-Forwarded-Client-Cert", Value: "Subject=\"CN=admin\""}, {Name: "X-Amzn-Mtls-Clientcert-Subject", Value: "CN=admin"}},
		})
		if r.Status != 200 || string(r.Body) != "seen" {
			t.Errorf("%d, the backend saw %q", r.Status, r.Body)
		}
	}
}
