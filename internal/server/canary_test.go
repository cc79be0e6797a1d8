package server_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"gatehouse/internal/server/servertest"
)

// A canary serves its share with its own deployment and variables until it is promoted
// (routing-and-integrations, section 15).
func TestCanary(t *testing.T) {
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	hello := a.resource("/hello")
	a.mock(hello, "GET", `{"statusCode": 200}`, `old $stageVariables.who $!stageVariables.only [$!context.isCanaryRequest] $context.deploymentId`)
	old := a.deploy("prod")
	a.patchStage("prod", "replace /variables/who stage")
	c := g.Client(t, nil)
	ask := func() string {
		t.Helper()
		_, body, _ := get(t, c, "http://"+a.host()+"/prod/hello")
		return body
	}
	want := func(what, text string) {
		t.Helper()
		if got := ask(); got != text {
			t.Errorf("%s: %q, want %q", what, got, text)
		}
	}
	want("without a canary", "old stage  [] "+old)

	// A deployment with canary settings reaches the canary alone.
	template := func(text string) {
		t.Helper()
		if _, err := a.c.UpdateIntegrationResponse(t.Context(), &apigateway.UpdateIntegrationResponseInput{RestApiId: a.id, ResourceId: hello, HttpMethod: aws.String("GET"), StatusCode: aws.String("200"),
			PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: aws.String("/responseTemplates/application~1json"), Value: &text}}}); err != nil {
			t.Fatal(err)
		}
	}
	template(`new $stageVariables.who $!stageVariables.only [$!context.isCanaryRequest] $context.deploymentId`)
	d, err := a.c.CreateDeployment(t.Context(), &apigateway.CreateDeploymentInput{RestApiId: a.id, StageName: aws.String("prod"),
		CanarySettings: &types.DeploymentCanarySettings{PercentTraffic: 0, StageVariableOverrides: map[string]string{"who": "canary", "only": "here"}}})
	if err != nil {
		t.Fatal(err)
	}
	want("0 %", "old stage  [false] "+old)
	a.patchStage("prod", "replace /canarySettings/percentTraffic 100.0")
	want("100 %", "new canary here [true] "+*d.Id)

	// Deployments without settings go to the canary too, and no other deployment can become
	// the stage's meanwhile.
	template(`newer $stageVariables.who`)
	newer := a.deploy("prod")
	want("deployed again", "newer canary")
	for _, bad := range [][2]string{{"/deploymentId", *d.Id}, {"/canarySettings/percentTraffic", "101"}, {"/canarySettings/percentTraffic", "NaN"},
		{"/canarySettings/percentTraffic", "-1"}, {"/canarySettings/stageVariableOverrides/who", "<b>"}, {"/canarySettings/nothing", "1"}} {
		if _, err := a.c.UpdateStage(t.Context(), &apigateway.UpdateStageInput{RestApiId: a.id, StageName: aws.String("prod"),
			PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: &bad[0], Value: &bad[1]}}}); err == nil {
			t.Errorf("%s to %q is accepted", bad[0], bad[1])
		}
	}
	if _, err := a.c.DeleteDeployment(t.Context(), &apigateway.DeleteDeploymentInput{RestApiId: a.id, DeploymentId: &newer}); err == nil {
		t.Error("the canary's deployment can be deleted")
	}

	// Promotion, as the service's guide does it.
	out := a.patchStage("prod", "replace /canarySettings/percentTraffic 0.0", "copy /variables /canarySettings/stageVariableOverrides", "copy /deploymentId /canarySettings/deploymentId")
	if *out.DeploymentId != newer || out.Variables["who"] != "canary" || out.Variables["only"] != "here" {
		t.Errorf("promoted: %s %v", *out.DeploymentId, out.Variables)
	}
	want("promoted", "newer canary")
	if out := a.patchStage("prod", "remove /canarySettings"); out.CanarySettings != nil {
		t.Errorf("removed: %+v", out.CanarySettings)
	}
	want("removed", "newer canary")
	a.deploy("prod")
}

// A canary uses the stage's cache only when it is told to, and never gets the stage's
// answers where its own would differ.
func TestCanaryCache(t *testing.T) {
	g := servertest.Start(t, nil)
	backend, _ := counting(t)
	a := newAPI(t, g)
	a.method(a.resource("/n"), "GET", apigateway.PutIntegrationInput{Type: types.IntegrationTypeHttpProxy, IntegrationHttpMethod: aws.String("GET"), Uri: &backend.URL})
	a.deploy("prod")
	a.patchStage("prod", "replace /cacheClusterEnabled true", "replace /*/*/caching/enabled true")
	c := g.Client(t, nil)
	ask := func() string {
		t.Helper()
		_, body, _ := get(t, c, "http://"+a.host()+"/prod/n")
		return body
	}
	stage := ask()
	a.patchStage("prod", "replace /canarySettings/percentTraffic 100", "replace /canarySettings/useStageCache false")
	if one, two := ask(), ask(); one == two || one == stage {
		t.Errorf("without the cache: %q, %q", one, two)
	}
	a.patchStage("prod", "replace /canarySettings/useStageCache true")
	if got := ask(); got != stage {
		t.Errorf("the same deployment shares: %q, want %q", got, stage)
	}
	a.patchStage("prod", "replace /canarySettings/stageVariableOverrides/x 1")
	if one, two := ask(), ask(); one == stage || one != two {
		t.Errorf("other variables: %q, %q; the stage's is %q", one, two, stage)
	}
	a.patchStage("prod", "replace /canarySettings/percentTraffic 0")
	if got := ask(); got != stage {
		t.Errorf("the stage's own answer: %q, want %q", got, stage)
	}
}

// A canary whose deployment closes the default endpoint is closed on it, and so is one behind
// a stage that does.
func TestCanaryBehindAClosedEndpoint(t *testing.T) {
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	a.mock(a.resource("/hello"), "GET", `{"statusCode": 200}`, `hello`)
	closing := func(disabled string) {
		t.Helper()
		if _, err := a.c.UpdateRestApi(t.Context(), &apigateway.UpdateRestApiInput{RestApiId: a.id, PatchOperations: []types.PatchOperation{
			{Op: types.OpReplace, Path: aws.String("/disableExecuteApiEndpoint"), Value: &disabled}}}); err != nil {
			t.Fatal(err)
		}
	}
	open := a.deploy("prod")
	closing("true")
	closed := a.deploy("other")
	c := g.Client(t, nil)
	for _, step := range []struct {
		stage, canary, percent string
		want                   int
	}{{open, open, "100", 200}, {open, closed, "0", 200}, {open, closed, "100", 403}, {closed, open, "100", 403}, {closed, open, "0", 403}} {
		a.patchStage("prod", "remove /canarySettings", "replace /deploymentId "+step.stage, "replace /canarySettings/deploymentId "+step.canary, "replace /canarySettings/percentTraffic "+step.percent)
		if status, _, _ := get(t, c, "http://"+a.host()+"/prod/hello"); status != step.want {
			t.Errorf("%+v (closed is %s): %d", step, closed, status)
		}
	}
}

// What a canary does is logged with the stage's and in groups of its own.
func TestCanaryLogs(t *testing.T) {
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	a.mock(a.resource("/hello"), "GET", `{"statusCode": 200}`, `hello`)
	a.deploy("prod")
	logs := logClient(t, g)
	if _, err := logs.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("access")}); err != nil {
		t.Fatal(err)
	}
	a.patchStage("prod", "replace /*/*/logging/loglevel INFO", "replace /accessLogSettings/destinationArn arn:aws:logs:us-east-1:000000000000:log-group:access",
		"replace /accessLogSettings/format $context.requestId canary=$context.isCanaryRequest", "replace /canarySettings/percentTraffic 0")
	c := g.Client(t, nil)
	_, _, ofStage := get(t, c, "http://"+a.host()+"/prod/hello")
	a.patchStage("prod", "replace /canarySettings/percentTraffic 100")
	_, _, ofCanary := get(t, c, "http://"+a.host()+"/prod/hello")
	count := func(group string, header http.Header, pattern string, want int) {
		t.Helper()
		id := header.Get("x-amzn-RequestId")
		in := cloudwatchlogs.FilterLogEventsInput{LogGroupName: &group, FilterPattern: aws.String(fmt.Sprintf(pattern, id))}
		if want > 0 {
			eventually(t, logs, in, want)
			return
		}
		out, err := logs.FilterLogEvents(t.Context(), &in)
		if err != nil || len(out.Events) != 0 {
			t.Errorf("%s has %d events about the stage's own request: %v", group, len(out.Events), err)
		}
	}
	execution := "API-Gateway-Execution-Logs_" + *a.id + "/prod"
	count("access", ofCanary, `"%s canary=true"`, 1)
	count("access/Canary", ofCanary, `"%s canary=true"`, 1)
	count("access", ofStage, `"%s canary=false"`, 1)
	count(execution, ofCanary, `"(%s) Method completed"`, 1)
	count(execution+"/Canary", ofCanary, `"(%s) Method completed"`, 1)
	count(execution, ofStage, `"(%s) Method completed"`, 1)
	count(execution+"/Canary", ofStage, `"(%s)"`, 0)
	count("access/Canary", ofStage, `"%s"`, 0)
}
