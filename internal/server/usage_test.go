package server_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"

	"gatehouse/internal/server/servertest"
)

// keyed makes an API with a method that requires a key, deployed to "prod".
func keyed(t *testing.T, g *servertest.Gatehouse) *api {
	t.Helper()
	a := newAPI(t, g)
	hello := a.resource("/hello")
	a.mock(hello, "GET", `{"statusCode": 200}`, `$context.identity.apiKeyId`)
	if _, err := a.c.UpdateMethod(t.Context(), &apigateway.UpdateMethodInput{RestApiId: a.id, ResourceId: hello, HttpMethod: aws.String("GET"),
		PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: aws.String("/apiKeyRequired"), Value: aws.String("true")}}}); err != nil {
		t.Fatal(err)
	}
	a.deploy("prod")
	return a
}

// plan makes a usage plan for the API's stage with one key, and returns plan and key.
func (a *api) plan(in apigateway.CreateUsagePlanInput) (plan string, key *apigateway.CreateApiKeyOutput) {
	a.t.Helper()
	ctx := a.t.Context()
	in.Name = aws.String("gold")
	in.ApiStages = []types.ApiStage{{ApiId: a.id, Stage: aws.String("prod")}}
	p, err := a.c.CreateUsagePlan(ctx, &in)
	if err != nil {
		a.t.Fatal(err)
	}
	key, err = a.c.CreateApiKey(ctx, &apigateway.CreateApiKeyInput{Name: aws.String("partner"), Enabled: true})
	if err != nil {
		a.t.Fatal(err)
	}
	if _, err := a.c.CreateUsagePlanKey(ctx, &apigateway.CreateUsagePlanKeyInput{UsagePlanId: p.Id, KeyId: key.Id, KeyType: aws.String("API_KEY")}); err != nil {
		a.t.Fatal(err)
	}
	return *p.Id, key
}

// with asks for /prod/hello with an API key.
func (a *api) with(c *http.Client, key string) (int, string) {
	a.t.Helper()
	req, err := http.NewRequest("GET", "https://"+a.host()+"/prod/hello", nil)
	if err != nil {
		a.t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("x-api-key", key)
	}
	status, body, _ := do(a.t, c, req)
	return status, body
}

func TestAPIKeysAndQuota(t *testing.T) {
	g := servertest.Start(t, nil)
	a := keyed(t, g)
	c := g.Client(t, nil)
	if status, body := a.with(c, ""); status != 403 || body != `{"message":"Forbidden"}` {
		t.Errorf("no key: %d %s", status, body)
	}
	plan, key := a.plan(apigateway.CreateUsagePlanInput{Quota: &types.QuotaSettings{Limit: 3, Period: types.QuotaPeriodTypeMonth}})
	if status, body := a.with(c, "not-a-key-of-anybody"); status != 403 || body != `{"message":"Forbidden"}` {
		t.Errorf("unknown key: %d %s", status, body)
	}
	for i := range 3 {
		if status, body := a.with(c, *key.Value); status != 200 || body != *key.Id {
			t.Fatalf("request %d: %d %s", i, status, body)
		}
	}
	if status, body := a.with(c, *key.Value); status != 429 || body != `{"message":"Limit Exceeded"}` {
		t.Errorf("over the quota: %d %s", status, body)
	}
	today := time.Now().UTC().Format("2006-01-02")
	usage, err := a.c.GetUsage(t.Context(), &apigateway.GetUsageInput{UsagePlanId: &plan, StartDate: &today, EndDate: &today})
	if err != nil || fmt.Sprint(usage.Items[*key.Id]) != "[[3 0]]" {
		t.Errorf("usage: %v, %v", usage, err)
	}
	// An extension acts at once, and the count survives a restart.
	if _, err := a.c.UpdateUsage(t.Context(), &apigateway.UpdateUsageInput{UsagePlanId: &plan, KeyId: key.Id,
		PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: aws.String("/remaining"), Value: aws.String("2")}}}); err != nil {
		t.Fatal(err)
	}
	if status, _ := a.with(c, *key.Value); status != 200 {
		t.Errorf("after the extension: %d", status)
	}
	g = g.Restart(t)
	a.c = apigateway.NewFromConfig(g.AWS(t))
	c = g.Client(t, nil)
	if status, _ := a.with(c, *key.Value); status != 200 {
		t.Errorf("the last unit after a restart: %d", status)
	}
	if status, _ := a.with(c, *key.Value); status != 429 {
		t.Errorf("no unit is left: %d", status)
	}
	// A disabled key is refused with its next request.
	if _, err := a.c.UpdateApiKey(t.Context(), &apigateway.UpdateApiKeyInput{ApiKey: key.Id,
		PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: aws.String("/enabled"), Value: aws.String("false")}}}); err != nil {
		t.Fatal(err)
	}
	if status, _ := a.with(c, *key.Value); status != 403 {
		t.Errorf("disabled key: %d", status)
	}
}

// A stage's throttle is one bucket per method, whatever leads to the stage, and a plan's one
// for each key.
func TestThrottles(t *testing.T) {
	g := servertest.Start(t, nil)
	a := keyed(t, g)
	c := g.Client(t, nil)
	// A rate of nothing: what the bucket holds is all there is, so the test needs no clock.
	_, key := a.plan(apigateway.CreateUsagePlanInput{Throttle: &types.ThrottleSettings{BurstLimit: 2, RateLimit: 0}})
	var got []int
	for range 4 {
		status, _ := a.with(c, *key.Value)
		got = append(got, status)
	}
	if fmt.Sprint(got) != "[200 200 429 429]" {
		t.Errorf("plan throttle: %v", got)
	}

	b := newAPI(t, g)
	b.mock(b.resource("/hello"), "GET", `{"statusCode": 200}`, `ok`)
	b.deploy("prod")
	for path, value := range map[string]string{"/*/*/throttling/burstLimit": "3", "/*/*/throttling/rateLimit": "0"} {
		if _, err := b.c.UpdateStage(t.Context(), &apigateway.UpdateStageInput{RestApiId: b.id, StageName: aws.String("prod"),
			PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: aws.String(path), Value: aws.String(value)}}}); err != nil {
			t.Fatal(err)
		}
	}
	got = nil
	for i := range 5 {
		url := "https://" + b.host() + "/prod/hello"
		if i%2 == 1 { // another way to the same stage
			url = "http://" + b.host() + "/prod/hello"
		}
		status, body, _ := get(t, c, url)
		if status == 429 && body != `{"message":"Too Many Requests"}` {
			t.Errorf("body: %s", body)
		}
		got = append(got, status)
	}
	if fmt.Sprint(got) != "[200 200 200 429 429]" {
		t.Errorf("stage throttle: %v", got)
	}
	// A new deployment does not refill the bucket.
	b.deploy("prod")
	if status, _, _ := get(t, c, "https://"+b.host()+"/prod/hello"); status != 429 {
		t.Errorf("after a deployment: %d", status)
	}
}
