package throttle_test

import (
	"testing"
	"time"

	"gatehouse/internal/counter"
	"gatehouse/internal/counter/countertest"
	"gatehouse/internal/gateway/throttle"
)

var unlimited = counter.Limit{Rate: -1, Burst: -1}

func newSet(t testing.TB) (*counter.Set, *countertest.Clock) {
	t.Helper()
	clock := countertest.NewClock(time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC))
	s, err := counter.Open(t.Context(), counter.Options{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	return s, clock
}

func burst(n int64) counter.Limit { return counter.Limit{Rate: 1, Burst: n} }

func admitted(m throttle.Method, now counter.Instant) (n int) {
	for !m.Admit(now).Refused() {
		n++
	}
	return n
}

func TestResolve(t *testing.T) {
	settings := map[string]counter.Limit{
		"*/*": burst(1), "*/POST": burst(2), "pets/*": burst(3), "pets/GET": burst(4), "/GET": burst(5),
		"~1orders~1{id}/PUT": burst(6), "/slash/GET": burst(7),
	}
	for _, tt := range []struct {
		resource, method string
		want             int64
	}{
		{"/pets", "GET", 4}, {"/pets", "POST", 3}, {"/pets", "ANY", 3}, {"/pets/{id}", "GET", 1}, {"/pets/{id}", "POST", 2},
		{"/", "GET", 5}, {"/", "ANY", 1}, {"/orders/{id}", "PUT", 6}, {"/orders/{id}", "GET", 1}, {"/slash", "GET", 7}, {"/Pets", "GET", 1},
	} {
		got, ok := throttle.Resolve(settings, tt.resource, tt.method)
		if !ok || got.Burst != tt.want {
			t.Errorf("%s %s: burst %d (%v), want %d", tt.method, tt.resource, got.Burst, ok, tt.want)
		}
	}
	if _, ok := throttle.Resolve(map[string]counter.Limit{"pets/GET": burst(1)}, "/cats", "GET"); ok {
		t.Error("a method without a setting has a limit")
	}
}

// "*/*" makes one bucket per method, not one that they share.
func TestWildcardIsOneBucketPerMethod(t *testing.T) {
	s, clock := newSet(t)
	th := throttle.New(s, unlimited)
	stage := throttle.Stage{Account: "1", Region: "r", API: "a", Name: "prod"}
	settings := map[string]counter.Limit{"*/*": burst(3)}
	get, post := th.Method(stage, "/x", "GET", settings), th.Method(stage, "/x", "POST", settings)
	if n := admitted(get, clock.Now()); n != 3 {
		t.Errorf("GET admitted %d, want 3", n)
	}
	if n := admitted(post, clock.Now()); n != 3 {
		t.Errorf("POST admitted %d after GET was used up, want 3", n)
	}
}

// However many mappings, domains, listeners or deployments lead to a method, it has one
// bucket. Other gateways multiplied limits by their number.
func TestOneBucketHoweverManyWaysLeadToIt(t *testing.T) {
	s, clock := newSet(t)
	th := throttle.New(s, unlimited)
	stage := throttle.Stage{Account: "1", Region: "r", API: "a", Name: "prod"}
	settings := map[string]counter.Limit{"*/*": burst(5)}
	total := 0
	for range 10 {
		total += admitted(th.Method(stage, "/x", "GET", settings), clock.Now())
	}
	if total != 5 {
		t.Errorf("ten plans of one method admitted %d, want the burst of 5", total)
	}
}

func TestLimitsDoNotLeak(t *testing.T) {
	s, clock := newSet(t)
	th := throttle.New(s, unlimited)
	base := throttle.Stage{Account: "1", Region: "r", API: "a", Name: "prod"}
	settings := map[string]counter.Limit{"*/*": burst(1)}
	admitted(th.Method(base, "/x", "GET", settings), clock.Now())
	for _, other := range []throttle.Stage{
		{Account: "1", Region: "r", API: "a", Name: "beta"},
		{Account: "1", Region: "r", API: "b", Name: "prod"},
		{Account: "1", Region: "q", API: "a", Name: "prod"},
	} {
		if n := admitted(th.Method(other, "/x", "GET", settings), clock.Now()); n != 1 {
			t.Errorf("%+v: admitted %d, want a bucket of its own", other, n)
		}
	}
}

func TestAccountLimitCountsAllItsAPIsInARegion(t *testing.T) {
	s, clock := newSet(t)
	th := throttle.New(s, burst(4))
	m := func(account, region, api string) throttle.Method {
		return th.Method(throttle.Stage{Account: account, Region: region, API: api, Name: "prod"}, "/x", "GET", nil)
	}
	a, b := m("1", "r", "a"), m("1", "r", "b")
	for range 2 {
		if a.Admit(clock.Now()).Refused() || b.Admit(clock.Now()).Refused() {
			t.Fatal("refused within the account's burst")
		}
	}
	if !a.Admit(clock.Now()).Refused() || !b.Admit(clock.Now()).Refused() {
		t.Error("admitted beyond the account's burst")
	}
	for _, other := range []throttle.Method{m("1", "q", "a"), m("2", "r", "c")} {
		if n := admitted(other, clock.Now()); n != 4 {
			t.Errorf("another Region or account admitted %d, want 4", n)
		}
	}
}

// The method is asked before the account, and gives nothing back when the account refuses;
// what the method refuses does not count for the account.
func TestOrderAndNoRefund(t *testing.T) {
	s, clock := newSet(t)
	th := throttle.New(s, counter.Limit{Rate: 0, Burst: 3})
	stage := throttle.Stage{Account: "1", Region: "r", API: "a", Name: "prod"}
	settings := map[string]counter.Limit{"x/GET": {Rate: 0, Burst: 1}, "y/GET": {Rate: 0, Burst: 5}}
	x, y := th.Method(stage, "/x", "GET", settings), th.Method(stage, "/y", "GET", settings)
	if n := admitted(x, clock.Now()); n != 1 {
		t.Errorf("/x admitted %d, want 1", n)
	}
	for range 10 {
		x.Admit(clock.Now())
	}
	if n := admitted(y, clock.Now()); n != 2 {
		t.Errorf("/y admitted %d, want the 2 that /x left to the account", n)
	}
	r := y.Admit(clock.Now())
	if r.Type != throttle.Throttled || r.Message != "Too Many Requests" || r.Limit.Burst != 3 {
		t.Errorf("refusal %+v, want THROTTLED by the account's limit", r)
	}
	for range 10 {
		y.Admit(clock.Now())
	}
	th.Method(throttle.Stage{Account: "2", Region: "r", API: "a", Name: "prod"}, "/y", "GET", settings)
	y2 := throttle.New(s, unlimited).Method(stage, "/y", "GET", settings)
	if n := admitted(y2, clock.Now()); n != 0 {
		t.Errorf("/y has %d tokens after the account refused, want 0: no refunds", n)
	}
}

func TestRedeploymentRefillsNothing(t *testing.T) {
	s, clock := newSet(t)
	th := throttle.New(s, unlimited)
	stage := throttle.Stage{Account: "1", Region: "r", API: "a", Name: "prod"}
	m := th.Method(stage, "/x", "GET", map[string]counter.Limit{"*/*": {Rate: 1, Burst: 10}})
	admitted(m, clock.Now())
	m = th.Method(stage, "/x", "GET", map[string]counter.Limit{"*/*": {Rate: 10, Burst: 10}})
	if n := admitted(m, clock.Now()); n != 0 {
		t.Errorf("a changed rate gave %d tokens", n)
	}
	if n := admitted(m, clock.Advance(500*time.Millisecond)); n != 5 {
		t.Errorf("half a second at the new rate of 10 gave %d tokens, want 5", n)
	}
}

func TestZeroMethodAdmits(t *testing.T) {
	var m throttle.Method
	if m.Limited() || m.Admit(counter.Instant{}).Refused() {
		t.Error("a method without limits is limited")
	}
}

func FuzzSettingKey(f *testing.F) {
	f.Add("pets/{id}/GET")
	f.Add("//GET")
	f.Add("~1a~0b/POST")
	f.Fuzz(func(t *testing.T, key string) {
		path, method := throttle.SettingKey(key)
		// What it splits is found again by the method it was split into, unless the text
		// itself is one of the wildcards.
		l, ok := throttle.Resolve(map[string]counter.Limit{key: burst(9)}, "/"+path, method)
		if !ok || l.Burst != 9 {
			t.Errorf("key %q (path %q, method %q) does not apply to its own method", key, path, method)
		}
	})
}

func BenchmarkAdmit(b *testing.B) {
	clock := counter.NewCoarse()
	defer clock.Stop()
	s, err := counter.Open(b.Context(), counter.Options{Clock: clock})
	if err != nil {
		b.Fatal(err)
	}
	wide := counter.Limit{Rate: 1e9, Burst: 1 << 40}
	m := throttle.New(s, wide).Method(throttle.Stage{API: "a"}, "/x", "GET", map[string]counter.Limit{"*/*": wide})
	b.ReportAllocs()
	for b.Loop() {
		if m.Admit(clock.Now()).Refused() {
			b.Fatal("refused")
		}
	}
}
