package ratelimit_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/message"
	"gatehouse/internal/ratelimit"
)

func TestSet(t *testing.T) {
	method := ratelimit.Policy{Name: "method", Limit: 100, Left: 40, Window: 10 * time.Second, Reset: 5500 * time.Millisecond}
	quota := ratelimit.Policy{Name: "quota", Limit: 5000, Left: 12, Window: 24 * time.Hour, Reset: 90 * time.Minute}
	spent := ratelimit.Policy{Name: "plan", Limit: 3, Left: -1}
	for _, c := range []struct {
		name     string
		style    ratelimit.Style
		policies []ratelimit.Policy
		want     message.Header
	}{
		{"off", ratelimit.None, []ratelimit.Policy{method}, nil},
		{"no limits", ratelimit.IETF, nil, nil},
		{"ietf", ratelimit.IETF, []ratelimit.Policy{method, quota}, message.Header{
			{Name: "RateLimit-Policy", Value: `"method";q=100;w=10, "quota";q=5000;w=86400`},
			{Name: "RateLimit", Value: `"method";r=40;t=6, "quota";r=12;t=5400`}}},
		{"never refilled", ratelimit.IETF, []ratelimit.Policy{spent}, message.Header{
			{Name: "RateLimit-Policy", Value: `"plan";q=3`}, {Name: "RateLimit", Value: `"plan";r=0`}}},
		{"common: the nearest", ratelimit.Common, []ratelimit.Policy{method, quota}, message.Header{
			{Name: "X-RateLimit-Limit", Value: "5000"}, {Name: "X-RateLimit-Remaining", Value: "12"}, {Name: "X-RateLimit-Reset", Value: "5400"}}},
		{"common, never refilled", ratelimit.Common, []ratelimit.Policy{spent}, message.Header{
			{Name: "X-RateLimit-Limit", Value: "3"}, {Name: "X-RateLimit-Remaining", Value: "0"}}},
	} {
		var got message.Header
		ratelimit.Set(&got, c.style, c.policies)
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

// A backend's fields of the same name are not left beside the gateway's.
func TestSetReplaces(t *testing.T) {
	h := message.Header{{Name: "x-ratelimit-limit", Value: "9"}, {Name: "X-Ratelimit-Limit", Value: "8"}}
	ratelimit.Set(&h, ratelimit.Common, []ratelimit.Policy{{Name: "quota", Limit: 5, Left: 1}})
	if vs := h.Values("X-RateLimit-Limit"); len(vs) != 1 || vs[0] != "5" {
		t.Errorf("got %v", h)
	}
}

func TestRetryAfter(t *testing.T) {
	for wait, want := range map[time.Duration]string{
		0: "1", 20 * time.Millisecond: "1", 1001 * time.Millisecond: "2", time.Hour: "3600", 1 << 61: "",
	} {
		var h message.Header
		ratelimit.SetRetryAfter(&h, wait)
		if got := h.Get("Retry-After"); got != want {
			t.Errorf("%v: got %q, want %q", wait, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	for value, want := range map[string]ratelimit.Style{"": ratelimit.None, "off": ratelimit.None, "ietf": ratelimit.IETF, "x-ratelimit": ratelimit.Common} {
		if got, err := ratelimit.Parse(value); got != want || err != nil {
			t.Errorf("%q: %v, %v", value, got, err)
		}
	}
	if _, err := ratelimit.Parse("IETF"); err == nil {
		t.Error("IETF in capitals is taken")
	}
}
