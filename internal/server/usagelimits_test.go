package server_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/config"
	"gatehouse/internal/server/servertest"
)

// morePlans makes a plan for one stage.
func (a *api) morePlans(name, stage string, limit int32) string {
	a.t.Helper()
	p, err := a.c.CreateUsagePlan(a.t.Context(), &apigateway.CreateUsagePlanInput{Name: &name,
		ApiStages: []types.ApiStage{{ApiId: a.id, Stage: &stage}}, Quota: &types.QuotaSettings{Limit: limit, Period: types.QuotaPeriodTypeDay}})
	if err != nil {
		a.t.Fatal(err)
	}
	return *p.Id
}

func (a *api) addKey(plan, key string) error {
	_, err := a.c.CreateUsagePlanKey(a.t.Context(), &apigateway.CreateUsagePlanKeyInput{UsagePlanId: &plan, KeyId: &key, KeyType: aws.String("API_KEY")})
	return err
}

// used are the requests of each key of a plan today, by name.
func (a *api) used(plan string) map[string]int64 {
	a.t.Helper()
	today := time.Now().UTC().Format("2006-01-02")
	out, err := a.c.GetUsage(a.t.Context(), &apigateway.GetUsageInput{UsagePlanId: &plan, StartDate: &today, EndDate: &today, Limit: aws.Int32(500)})
	if err != nil {
		a.t.Fatal(err)
	}
	used := map[string]int64{}
	for id, days := range out.Items {
		used[id] = days[0][0]
	}
	return used
}

func errorCode(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return fmt.Sprint(err)
}

// The keys of a plan come in pages, each with all its days, and every key on one page.
func TestUsageComesInPages(t *testing.T) {
	g := servertest.Start(t, nil)
	a := keyed(t, g)
	c := g.Client(t, nil)
	plan := a.morePlans("many", "prod", 100)
	want := map[string]string{}
	for n := range 5 {
		key, err := a.c.CreateApiKey(t.Context(), &apigateway.CreateApiKeyInput{Name: aws.String(fmt.Sprint("k", n)), Enabled: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.addKey(plan, *key.Id); err != nil {
			t.Fatal(err)
		}
		for range n {
			if status, body := a.with(c, *key.Value); status != 200 {
				t.Fatalf("%d %s", status, body)
			}
		}
		want[*key.Id] = fmt.Sprintf("[[0 100] [%d %d]]", n, 100-n)
	}
	now := time.Now().UTC()
	in := apigateway.GetUsageInput{UsagePlanId: &plan, StartDate: aws.String(now.AddDate(0, 0, -1).Format("2006-01-02")), EndDate: aws.String(now.Format("2006-01-02")), Limit: aws.Int32(2)}
	got := map[string]string{}
	var sizes []int
	pages := apigateway.NewGetUsagePaginator(a.c, &in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(page.Items))
		for id, days := range page.Items {
			if got[id] != "" {
				t.Errorf("key %s is on two pages", id)
			}
			got[id] = fmt.Sprint(days)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || fmt.Sprint(sizes) != "[2 2 1]" {
		t.Errorf("pages of %v keys: %s", sizes, diff)
	}
	for name, c := range map[string]struct {
		change func(*apigateway.GetUsageInput)
		want   string
	}{
		"a position that nobody gave": {func(in *apigateway.GetUsageInput) { in.Position = aws.String("nonsense") }, "BadRequestException"},
		"a key that is not in it":     {func(in *apigateway.GetUsageInput) { in.KeyId = aws.String("nobody") }, "NotFoundException"},
		"an end before the start":     {func(in *apigateway.GetUsageInput) { in.StartDate, in.EndDate = in.EndDate, in.StartDate }, "BadRequestException"},
		"a day that is none":          {func(in *apigateway.GetUsageInput) { in.EndDate = aws.String("2027-02-29") }, "BadRequestException"},
		"half a year": {func(in *apigateway.GetUsageInput) {
			in.StartDate = aws.String(now.AddDate(0, -6, 0).Format("2006-01-02"))
		}, "BadRequestException"},
		"no such plan": {func(in *apigateway.GetUsageInput) { in.UsagePlanId = aws.String("absent") }, "NotFoundException"},
	} {
		in := in
		c.change(&in)
		if _, err := a.c.GetUsage(t.Context(), &in); errorCode(err) != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

// What UpdateUsage tells is of the day that quotas are in, also when a test has turned the clock.
func TestUpdateUsageTellsTheClocksDay(t *testing.T) {
	g := servertest.Start(t, func(c *config.Config) { c.Dev = true })
	a := keyed(t, g)
	plan, key := a.plan(apigateway.CreateUsagePlanInput{Quota: &types.QuotaSettings{Limit: 9, Period: types.QuotaPeriodTypeDay}})
	turnClock(t, g, "freeze=true", 204)
	turnClock(t, g, "advance=72h", 204)
	before := time.Now().UTC()
	out, err := a.c.UpdateUsage(t.Context(), &apigateway.UpdateUsageInput{UsagePlanId: &plan, KeyId: key.Id,
		PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: aws.String("/remaining"), Value: aws.String("4")}}})
	if err != nil {
		t.Fatal(err)
	}
	possible := []string{before.AddDate(0, 0, 3).Format("2006-01-02"), before.Add(-time.Minute).AddDate(0, 0, 3).Format("2006-01-02")} // midnight may have passed
	if *out.StartDate != *out.EndDate || *out.StartDate != possible[0] && *out.StartDate != possible[1] || fmt.Sprint(out.Items[*key.Id]) != "[[0 4]]" {
		t.Errorf("%s to %s: %v, want the day %s with 4 left", *out.StartDate, *out.EndDate, out.Items, possible[0])
	}
}

// A key counts in each of its plans by itself, and in none twice; what is taken out of a plan, be
// it key or stage, is refused with the next request and finds its count when it comes back.
func TestKeysAndStagesComeAndGo(t *testing.T) {
	g := servertest.Start(t, nil)
	a := keyed(t, g)
	a.deploy("beta")
	a.deploy("unplanned")
	c := g.Client(t, nil)
	plan, key := a.plan(apigateway.CreateUsagePlanInput{Quota: &types.QuotaSettings{Limit: 3, Period: types.QuotaPeriodTypeMonth}})
	beta := a.morePlans("beta", "beta", 3)
	if err := a.addKey(beta, *key.Id); err != nil {
		t.Fatal(err)
	}
	ask := func(stage string, want int) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+a.host()+"/"+stage+"/hello", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-API-Key", *key.Value)
		if status, body, _ := do(t, c, req); status != want {
			t.Errorf("%s: %d %s, want %d", stage, status, body, want)
		}
	}
	counts := func(prod, inBeta int64) {
		t.Helper()
		got := map[string]int64{"prod": a.used(plan)[*key.Id], "beta": a.used(beta)[*key.Id]}
		if want := map[string]int64{"prod": prod, "beta": inBeta}; !maps.Equal(got, want) {
			t.Errorf("used %v, want %v", got, want)
		}
	}
	ask("prod", 200)
	ask("beta", 200)
	ask("unplanned", 403)
	counts(1, 1)

	// The same stage by another plan would leave open which one counts.
	if _, err := a.c.UpdateUsagePlan(t.Context(), &apigateway.UpdateUsagePlanInput{UsagePlanId: &beta,
		PatchOperations: []types.PatchOperation{{Op: types.OpAdd, Path: aws.String("/apiStages"), Value: aws.String(*a.id + ":prod")}}}); errorCode(err) != "ConflictException" {
		t.Errorf("a stage of another plan of the key: %v", err)
	}
	if err := a.addKey(a.morePlans("other", "prod", 9), *key.Id); errorCode(err) != "ConflictException" {
		t.Errorf("the key in another plan of the stage: %v", err)
	}

	if _, err := a.c.DeleteUsagePlanKey(t.Context(), &apigateway.DeleteUsagePlanKeyInput{UsagePlanId: &plan, KeyId: key.Id}); err != nil {
		t.Fatal(err)
	}
	ask("prod", 403)
	ask("beta", 200)
	if err := a.addKey(plan, *key.Id); err != nil {
		t.Fatal(err)
	}
	ask("prod", 200)
	counts(2, 2)

	for _, op := range []types.Op{types.OpRemove, types.OpAdd} {
		if _, err := a.c.UpdateUsagePlan(t.Context(), &apigateway.UpdateUsagePlanInput{UsagePlanId: &plan,
			PatchOperations: []types.PatchOperation{{Op: op, Path: aws.String("/apiStages"), Value: aws.String(*a.id + ":prod")}}}); err != nil {
			t.Fatal(err)
		}
		if op == types.OpRemove {
			ask("prod", 403)
		}
	}
	ask("prod", 200)
	ask("prod", 429)
	counts(3, 2)
}

// The canary of a stage is the stage: both spend from one quota.
func TestCanarySpendsTheStagesQuota(t *testing.T) {
	g := servertest.Start(t, nil)
	a := keyed(t, g)
	plan, key := a.plan(apigateway.CreateUsagePlanInput{Quota: &types.QuotaSettings{Limit: 6, Period: types.QuotaPeriodTypeMonth}})
	if _, err := a.c.CreateDeployment(t.Context(), &apigateway.CreateDeploymentInput{RestApiId: a.id, StageName: aws.String("prod"),
		CanarySettings: &types.DeploymentCanarySettings{PercentTraffic: 50}}); err != nil {
		t.Fatal(err)
	}
	c := g.Client(t, nil)
	got := map[int]int{}
	for range 20 {
		status, _ := a.with(c, *key.Value)
		got[status]++
	}
	if want := map[int]int{200: 6, 429: 14}; !maps.Equal(got, want) || a.used(plan)[*key.Id] != 6 {
		t.Errorf("answers %v, want %v; used %v", got, want, a.used(plan))
	}
}

// A backend that closes its connection after each answer, without saying so, has requests sent on
// new ones: none is counted twice for it.
func TestRequestsSentAgainCountOnce(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	backend := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		rw.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		rw.Flush()
		conn.Close()
	})}
	go backend.Serve(l)
	t.Cleanup(func() { backend.Shutdown(context.WithoutCancel(t.Context())) })
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	hello := a.resource("/hello")
	a.method(hello, "GET", apigateway.PutIntegrationInput{Type: types.IntegrationTypeHttpProxy, IntegrationHttpMethod: aws.String("GET"), Uri: aws.String("http://" + l.Addr().String() + "/")})
	if _, err := a.c.UpdateMethod(t.Context(), &apigateway.UpdateMethodInput{RestApiId: a.id, ResourceId: hello, HttpMethod: aws.String("GET"),
		PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: aws.String("/apiKeyRequired"), Value: aws.String("true")}}}); err != nil {
		t.Fatal(err)
	}
	a.deploy("prod")
	plan, key := a.plan(apigateway.CreateUsagePlanInput{})
	c := g.Client(t, nil)
	const requests = 20
	for range requests {
		if status, body := a.with(c, *key.Value); status == 403 || status == 429 {
			t.Fatalf("%d %s", status, body)
		}
	}
	if n := a.used(plan)[*key.Id]; n != requests {
		t.Errorf("%d used by %d requests", n, requests)
	}
}

// A quota that says when it begins and not how long it lasts is refused, not forgotten.
func TestQuotaWithoutPeriod(t *testing.T) {
	g := servertest.Start(t, nil)
	a := newAPI(t, g)
	_, err := a.c.CreateUsagePlan(t.Context(), &apigateway.CreateUsagePlanInput{Name: aws.String("half"), Quota: &types.QuotaSettings{Offset: 3}})
	if err == nil || !strings.Contains(err.Error(), "Invalid Usage Plan quota period specified") {
		t.Errorf("got %v", err)
	}
}
