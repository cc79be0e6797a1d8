package server_test

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"

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
	move := func(by string, want int) {
		t.Helper()
		req, _ := http.NewRequest("POST", "http://"+g.Control+"/_gatehouse/clock?advance="+by, nil)
		req.Header.Set("X-Gatehouse-Dev", "1")
		if status, body, _ := do(t, http.DefaultClient, req); status != want {
			t.Errorf("advance=%s: %d %s, want %d", by, status, body, want)
		}
	}
	move("nonsense", 400)
	move("24h", 204)
	ask(200)
	ask(429)
	http.DefaultClient.CloseIdleConnections()
}
