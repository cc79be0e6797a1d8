package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"go.uber.org/goleak"

	"gatehouse/internal/server/servertest"
)

func TestMain(m *testing.M) {
	// pebble's validation authority has no end.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/letsencrypt/pebble/v2/va.VAImpl.processTasks"))
}

// A deployment that does not compile leaves the last good one serving, and readiness says
// which stage it is and why, until it is mended.
func TestLastGoodDeploymentServes(t *testing.T) {
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	hello := a.resource("/hello")
	a.mock(hello, "GET", `{"statusCode": 200}`, `first`)
	a.deploy("prod")
	c := g.Client(t, nil)
	template := func(text string) {
		t.Helper()
		if _, err := a.c.UpdateIntegrationResponse(t.Context(), &apigateway.UpdateIntegrationResponseInput{RestApiId: a.id, ResourceId: hello, HttpMethod: aws.String("GET"),
			StatusCode: aws.String("200"), PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: aws.String("/responseTemplates/application~1json"), Value: &text}}}); err != nil {
			t.Fatal(err)
		}
		a.deploy("prod")
	}
	ask := func() string {
		t.Helper()
		_, body, _ := get(t, c, "http://"+a.host()+"/prod/hello")
		return body
	}
	ready := func() string {
		t.Helper()
		_, body, _ := get(t, http.DefaultClient, "http://"+g.Control+"/_gatehouse/ready")
		return body
	}
	template("#if($x) never ended")
	if got := ask(); got != "first" {
		t.Errorf("after a deployment that does not compile: %q", got)
	}
	if got := ready(); !strings.Contains(got, *a.id+"/prod") || !strings.Contains(got, "expected #end") {
		t.Errorf("readiness: %s", got)
	}
	template("second")
	if got := ask(); got != "second" {
		t.Errorf("mended: %q", got)
	}
	if got := ready(); strings.Contains(got, "problems") {
		t.Errorf("readiness when mended: %s", got)
	}
	http.DefaultClient.CloseIdleConnections()
}
