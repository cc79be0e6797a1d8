package server_test

import (
	"crypto/tls"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/config"
	"gatehouse/internal/server/servertest"
)

// With --dev a test turns the clock instead of waiting: the next day has its own quota.
func TestClockOfQuotas(t *testing.T) {
	g := servertest.Start(t, func(c *config.Config) { c.Dev = true })
	a := keyed(t, g)
	_, key := a.plan(apigateway.CreateUsagePlanInput{Quota: &types.QuotaSettings{Limit: 1, Period: types.QuotaPeriodTypeDay}})
	c := g.Client(t, nil)
	ask := func(want int) {
		t.Helper()
		if status, body := a.with(c, *key.Value); status != want {
			t.Errorf("got %d %s, want %d", status, body, want)
		}
	}
	ask(200)
	ask(429)
	turnClock(t, g, "advance=nonsense", 400)
	turnClock(t, g, "freeze=perhaps", 400)
	turnClock(t, g, "", 400)
	turnClock(t, g, "advance=24h", 204)
	ask(200)
	ask(429)
}

// turnClock moves the clock of a server that runs with --dev.
func turnClock(t *testing.T, g *servertest.Gatehouse, query string, want int) {
	t.Helper()
	req, _ := http.NewRequest("POST", "http://"+g.Control+"/_gatehouse/clock?"+query, nil)
	req.Header.Set("X-Gatehouse-Dev", "1")
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if status, body, _ := do(t, c, req); status != want {
		t.Errorf("%q: %d %s, want %d", query, status, body, want)
	}
}

// Requests at a known schedule, through sockets: what is admitted is what an exact bucket
// admits, to the request, on both engines, and a quota ends where it should.
func TestAdmissionAtASchedule(t *testing.T) {
	g := servertest.Start(t, func(c *config.Config) { c.Dev = true })
	a := keyed(t, g)
	const rate, burst, quota = 2.5, 7, 60
	_, key := a.plan(apigateway.CreateUsagePlanInput{
		Throttle: &types.ThrottleSettings{BurstLimit: burst, RateLimit: rate},
		Quota:    &types.QuotaSettings{Limit: quota, Period: types.QuotaPeriodTypeMonth},
	})
	clients := []*http.Client{g.Client(t, nil), g.Client(t, &tls.Config{NextProtos: []string{"http/1.1"}})}
	turnClock(t, g, "freeze=true", 204)

	tokens, left := float64(burst), quota // the exact model
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 300 {
		if rnd.IntN(3) == 0 {
			pause := time.Duration(rnd.IntN(1000)) * time.Millisecond
			turnClock(t, g, "advance="+pause.String(), 204)
			tokens = min(burst, tokens+rate*pause.Seconds())
		}
		want, body := 200, *key.Id
		switch {
		case tokens < 1-1e-9:
			want, body = 429, `{"message":"Too Many Requests"}`
		case left == 0:
			want, body = 429, `{"message":"Limit Exceeded"}`
			tokens--
		default:
			tokens--
			left--
		}
		if status, got := a.with(clients[i%2], *key.Value); status != want || got != body {
			t.Fatalf("request %d with %.3f tokens and %d units left: %d %s, want %d %s", i, tokens, left, status, got, want, body)
		}
	}
	if left != 0 {
		t.Fatalf("the schedule left %d units: it does not reach the quota", left)
	}
}

// The stage's tag tells callers of their limits; without it nothing is told.
func TestRateLimitHeaders(t *testing.T) {
	g := servertest.Start(t, func(c *config.Config) { c.Dev = true })
	a := keyed(t, g)
	_, key := a.plan(apigateway.CreateUsagePlanInput{
		Throttle: &types.ThrottleSettings{BurstLimit: 2, RateLimit: 0.5},
		Quota:    &types.QuotaSettings{Limit: 10, Period: types.QuotaPeriodTypeDay},
	})
	turnClock(t, g, "freeze=true", 204)
	c := g.Client(t, nil)
	fields := func(want int) (found []string) {
		t.Helper()
		req, _ := http.NewRequest("GET", "https://"+a.host()+"/prod/hello", nil)
		req.Header.Set("X-API-Key", *key.Value)
		status, _, h := do(t, c, req)
		if status != want {
			t.Errorf("status %d, want %d", status, want)
		}
		for _, name := range []string{"RateLimit-Policy", "RateLimit", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After"} {
			for _, v := range h.Values(name) {
				if name == "RateLimit" || name == "RateLimit-Policy" {
					v, _, _ = strings.Cut(v, `, "quota"`) // its reset depends on the time of day
				}
				found = append(found, name+": "+v)
			}
		}
		return found
	}
	if got := fields(200); got != nil {
		t.Errorf("without the tag: %q", got)
	}
	arn := "arn:aws:apigateway:us-east-1::/restapis/" + *a.id + "/stages/prod"
	tag := func(value string) error {
		_, err := a.c.TagResource(t.Context(), &apigateway.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{"gatehouse:rate-limit-headers": value}})
		return err
	}
	if err := tag("all"); err == nil || !strings.Contains(err.Error(), "off, ietf or x-ratelimit") {
		t.Errorf("a bad value: %v", err)
	}
	if err := tag("ietf"); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{`RateLimit-Policy: "plan";q=2;w=4`, `RateLimit: "plan";r=0;t=4`}, fields(200)); d != "" {
		t.Errorf("ietf (-want +got):\n%s", d)
	}
	if err := tag("x-ratelimit"); err != nil {
		t.Fatal(err)
	}
	want := []string{"X-RateLimit-Limit: 2", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 4", "Retry-After: 2"}
	if d := cmp.Diff(want, fields(429)); d != "" {
		t.Errorf("x-ratelimit, refused (-want +got):\n%s", d)
	}
	// What was promised holds.
	turnClock(t, g, "advance=2s", 204)
	if d := cmp.Diff(want[:3], fields(200)); d != "" {
		t.Errorf("after Retry-After (-want +got):\n%s", d)
	}
}
