package meter_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/counter"
	"gatehouse/internal/counter/countertest"
	"gatehouse/internal/gateway/meter"
	"gatehouse/internal/keyhash"
)

var (
	home   = meter.Place{Account: "1", Region: "r"}
	hasher = keyhash.New([]byte("a secret"))
	start  = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
)

type fixture struct {
	*meter.Meter
	clock *countertest.Clock
	set   *counter.Set
}

func newFixture(t testing.TB) fixture {
	t.Helper()
	clock := countertest.NewClock(start)
	set, err := counter.Open(t.Context(), counter.Options{Clock: clock, Ledger: new(counter.MemoryLedger)})
	if err != nil {
		t.Fatal(err)
	}
	return fixture{Meter: meter.New(set, hasher), clock: clock, set: set}
}

func (f fixture) key(t testing.TB, id string, plans ...string) {
	t.Helper()
	k := meter.Key{Place: home, ID: id, Hash: hasher.Sum(value(id)), Enabled: true, Plans: plans}
	if err := f.SetKey(k); err != nil {
		t.Fatal(err)
	}
}

func value(id string) string { return "value-of-the-key-called-" + id }

func limit(rate float64, burst int64) *counter.Limit { return &counter.Limit{Rate: rate, Burst: burst} }

func plan(id string, l *counter.Limit, quota int64, stages ...string) meter.Plan {
	p := meter.Plan{Place: home, ID: id, Throttle: l}
	if quota >= 0 {
		p.Quota = &counter.Allowance{Limit: quota, Period: counter.Day}
	}
	for _, s := range stages {
		p.Stages = append(p.Stages, meter.PlanStage{API: "api", Stage: s})
	}
	return p
}

func (f fixture) route(stage string) *meter.Route {
	return f.Route(home, "api", stage, "/pets/{id}", "res1", "GET")
}

// outcomes sends n requests and counts answers by type; "" are those admitted.
func (f fixture) outcomes(r *meter.Route, id string, n int) map[string]int {
	got := make(map[string]int)
	for range n {
		_, ref := r.Check(f.clock.Now(), value(id))
		got[ref.Type]++
	}
	return got
}

func TestWhoIsAdmitted(t *testing.T) {
	f := newFixture(t)
	f.SetPlan(plan("gold", nil, -1, "prod"))
	f.SetPlan(plan("silver", nil, -1, "beta"))
	f.key(t, "good", "gold")
	f.key(t, "other-stage", "silver")
	f.key(t, "no-plan")
	f.key(t, "lost-plan", "never-made")
	if err := f.SetKey(meter.Key{Place: home, ID: "off", Hash: hasher.Sum(value("off")), Plans: []string{"gold"}}); err != nil {
		t.Fatal(err)
	}
	abroad := meter.Place{Account: "1", Region: "other"}
	if err := f.SetKey(meter.Key{Place: abroad, ID: "abroad", Hash: hasher.Sum(value("abroad")), Enabled: true, Plans: []string{"gold"}}); err != nil {
		t.Fatal(err)
	}
	r := f.route("prod")
	g, ref := r.Check(f.clock.Now(), value("good"))
	if ref.Refused() || g.KeyID != "good" || g.PlanID != "gold" {
		t.Errorf("good key: %+v, %+v", g, ref)
	}
	for name, v := range map[string]string{
		"disabled": value("off"), "of another stage's plan": value("other-stage"), "in no plan": value("no-plan"),
		"in a plan that is not there": value("lost-plan"), "of another Region": value("abroad"),
		"unknown": value("nobody"), "empty": "", "a part of a key": value("good")[:20], "a key and more": value("good") + "x",
		"longer than keys are": strings.Repeat("x", 4096),
	} {
		if _, ref := r.Check(f.clock.Now(), v); ref.Type != meter.InvalidAPIKey || ref.Message != "Forbidden" {
			t.Errorf("key %s: refusal %+v, want INVALID_API_KEY, Forbidden", name, ref.Refusal)
		}
	}
}

// What a caller and a log reader can tell apart does not depend on whether a key exists.
func TestRefusalDoesNotTellWhetherAKeyExists(t *testing.T) {
	f := newFixture(t)
	f.SetPlan(plan("gold", nil, -1, "prod"))
	if err := f.SetKey(meter.Key{Place: home, ID: "off", Hash: hasher.Sum(value("off")), Plans: []string{"gold"}}); err != nil {
		t.Fatal(err)
	}
	r := f.route("prod")
	_, known := r.Check(f.clock.Now(), value("off"))
	_, unknown := r.Check(f.clock.Now(), value("xxx"))
	if known.Refusal != unknown.Refusal {
		t.Errorf("existing key: %+v, unknown key: %+v", known.Refusal, unknown.Refusal)
	}
	if a, b := known.Log("v"), unknown.Log("v"); a != b {
		t.Errorf("logs differ:\n%s\n%s", a, b)
	}
}

func TestOrderOfLimits(t *testing.T) {
	f := newFixture(t)
	p := plan("gold", limit(0, 6), 4, "prod")
	p.Stages[0].Methods = map[string]counter.Limit{"/pets/{id}/GET": {Rate: 0, Burst: 5}}
	f.SetPlan(p)
	f.key(t, "k", "gold")
	// The method's bucket has 5, the plan's 6, the quota 4: the quota refuses the fifth
	// request, after both buckets gave a token for it; the method refuses the sixth.
	if d := cmp.Diff(map[string]int{"": 4, "QUOTA_EXCEEDED": 1, "THROTTLED": 3}, f.outcomes(f.route("prod"), "k", 8)); d != "" {
		t.Errorf("GET (-want +got):\n%s", d)
	}
	// Another method has no limit of its own in the plan. One token is left there.
	other := f.Route(home, "api", "prod", "/pets", "res2", "ANY")
	if d := cmp.Diff(map[string]int{"QUOTA_EXCEEDED": 1, "THROTTLED": 2}, f.outcomes(other, "k", 3)); d != "" {
		t.Errorf("ANY (-want +got):\n%s", d)
	}
}

// Requests that a throttle refuses do not count against the quota.
func TestThrottledRequestsAreNotCounted(t *testing.T) {
	f := newFixture(t)
	f.SetPlan(plan("gold", limit(1, 2), 10, "prod"))
	f.key(t, "k", "gold")
	r := f.route("prod")
	f.outcomes(r, "k", 100)
	if d := cmp.Diff(map[string]int{"THROTTLED": 5}, f.outcomes(r, "k", 5)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	f.clock.Advance(time.Second)
	g, ref := r.Check(f.clock.Now(), value("k"))
	if ref.Refused() {
		t.Fatalf("refused: %+v", ref)
	}
	left := map[string]int64{}
	for _, p := range g.AppendPolicies(nil, f.clock.Now()) {
		left[p.Name] = p.Left
	}
	if d := cmp.Diff(map[string]int64{"plan": 0, "quota": 7}, left); d != "" {
		t.Errorf("left after 3 admitted requests of 10 (-want +got):\n%s", d)
	}
}

// A plan's throttle and quota are per key, over all stages of the plan, however many
// methods, domains or mappings lead there.
func TestPlanCountsPerKeyAcrossStagesAndRoutes(t *testing.T) {
	f := newFixture(t)
	f.SetPlan(plan("gold", limit(0, 100), 10, "prod", "beta"))
	f.key(t, "a", "gold")
	f.key(t, "b", "gold")
	admitted := 0
	for i := range 10 {
		for _, stage := range []string{"prod", "beta"} {
			r := f.Route(home, "api", stage, fmt.Sprintf("/r%d", i), "x", "GET")
			admitted += f.outcomes(r, "a", 2)[""]
		}
	}
	if admitted != 10 {
		t.Errorf("20 routes admitted %d requests of one key, want its quota of 10", admitted)
	}
	if n := f.outcomes(f.route("prod"), "b", 20)[""]; n != 10 {
		t.Errorf("another key was admitted %d times, want 10", n)
	}
}

func TestMethodLimitsBelongToTheirMethodAndStage(t *testing.T) {
	f := newFixture(t)
	p := plan("gold", nil, -1, "prod", "beta")
	p.Stages[0].Methods = map[string]counter.Limit{"//GET": {Rate: 0, Burst: 1}, "/pets/{id}/GET": {Rate: 0, Burst: 2}, "/free/GET": {Rate: -1, Burst: -1}}
	f.SetPlan(p)
	f.key(t, "k", "gold")
	for _, tt := range []struct {
		stage, resource, method string
		want                    int
	}{
		{"prod", "/", "GET", 1}, {"prod", "/pets/{id}", "GET", 2}, {"prod", "/pets/{id}", "POST", 9},
		{"prod", "/free", "GET", 9}, {"beta", "/", "GET", 9},
	} {
		r := f.Route(home, "api", tt.stage, tt.resource, "x", tt.method)
		if n := f.outcomes(r, "k", 9)[""]; n != tt.want {
			t.Errorf("%s %s on %s: admitted %d of 9, want %d", tt.method, tt.resource, tt.stage, n, tt.want)
		}
	}
}

// A plan or key that is set again, or taken away and put back, finds its counts.
func TestCountsSurviveChanges(t *testing.T) {
	f := newFixture(t)
	f.SetPlan(plan("gold", limit(0, 10), 20, "prod"))
	f.key(t, "k", "gold")
	r := f.route("prod")
	if n := f.outcomes(r, "k", 8)[""]; n != 8 {
		t.Fatalf("admitted %d of 8", n)
	}
	f.RemoveKey(home, "k")
	if n := f.outcomes(r, "k", 1)["INVALID_API_KEY"]; n != 1 {
		t.Error("a removed key was admitted")
	}
	f.key(t, "k", "gold")
	f.SetPlan(plan("gold", limit(0, 10), 20, "prod", "beta"))
	if n := f.outcomes(r, "k", 8)[""]; n != 2 {
		t.Errorf("after the key and the plan were set again: admitted %d, want the 2 that were left", n)
	}
	f.RemovePlan(home, "gold")
	if n := f.outcomes(r, "k", 1)["INVALID_API_KEY"]; n != 1 {
		t.Error("a key of a removed plan was admitted")
	}
	f.SetPlan(plan("gold", nil, 20, "prod"))
	if n := f.outcomes(r, "k", 20)[""]; n != 10 {
		t.Errorf("after the throttle was taken out: admitted %d, want the 10 units left of the quota", n)
	}
	f.SetPlan(plan("gold", nil, 25, "prod"))
	if n := f.outcomes(r, "k", 20)[""]; n != 5 {
		t.Errorf("after the quota was raised by 5: admitted %d", n)
	}
}

func TestKeyValueMayChangeAndMustBeUnique(t *testing.T) {
	f := newFixture(t)
	f.SetPlan(plan("gold", nil, -1, "prod"))
	f.key(t, "a", "gold")
	err := f.SetKey(meter.Key{Place: home, ID: "b", Hash: hasher.Sum(value("a")), Enabled: true})
	if err == nil || !strings.Contains(err.Error(), "API key b: key a has the same value") {
		t.Errorf("two keys of one value: %v", err)
	}
	if err := f.SetKey(meter.Key{Place: home, ID: "a", Hash: hasher.Sum("another-value-of-the-key"), Enabled: true, Plans: []string{"gold"}}); err != nil {
		t.Fatal(err)
	}
	r := f.route("prod")
	if _, ref := r.Check(f.clock.Now(), value("a")); !ref.Refused() {
		t.Error("the old value is still admitted")
	}
	if _, ref := r.Check(f.clock.Now(), "another-value-of-the-key"); ref.Refused() {
		t.Error("the new value is refused")
	}
}

// Unknown keys must not cost memory: nothing is kept for them.
func TestUnknownKeysLeaveNoTrace(t *testing.T) {
	f := newFixture(t)
	f.SetPlan(plan("gold", limit(1, 1), 1, "prod"))
	f.key(t, "k", "gold")
	r := f.route("prod")
	for i := range 10000 {
		r.Check(f.clock.Now(), fmt.Sprintf("no-such-key-%020d", i))
	}
	if b, q := f.set.Len(); b != 0 || q != 0 {
		t.Errorf("%d buckets and %d quotas after unknown keys only", b, q)
	}
}

func TestExecutionLogLines(t *testing.T) {
	f := newFixture(t)
	f.SetPlan(plan("plan1", limit(5, 1), 1, "prod"))
	f.key(t, "k", "plan1")
	r := f.route("prod")
	const v = "0123456789012345678901234567890123bMZHBg"
	masked := "**********************************bMZHBg"
	log := func(r *meter.Route, key string) string {
		_, ref := r.Check(f.clock.Now(), key)
		return ref.Log(v)
	}
	for _, tt := range []struct{ got, want string }{
		{log(r, value("k")), ""},
		{log(r, value("k")), "API Key " + masked + " exceeded throttle limit for API Stage api/prod: Key throttle limit exceeded for Usage Plan ID plan1, RestApi api, Stage prod, Resource res1, HttpMethod GET. Limit: 5.00 Burst: 1"},
		{log(r, "unknown"), "API Key " + masked + " not authorized because method 'GET /pets/{id}' requires API Key and API Key is not associated with a Usage Plan for API Stage api/prod: No Usage Plan found for key and API Stage"},
		{log(f.route("none"), "unknown"), "API Key " + masked + " not authorized because method 'GET /pets/{id}' requires API Key and API Key is not associated with a Usage Plan for API Stage api/none: API Stage is not in a Usage Plan"},
	} {
		if tt.got != tt.want {
			t.Errorf("log line\n got %s\nwant %s", tt.got, tt.want)
		}
	}
	f.clock.Advance(time.Second)
	if got, want := log(r, value("k")), "API Key "+masked+" exceeded quota limit for API Stage api/prod: Key quota exhausted for Usage Plan ID plan1. Limit: 1 Period: DAY"; got != want {
		t.Errorf("log line\n got %s\nwant %s", got, want)
	}
	if meter.Mask("short") != "*****" || meter.Mask("") != "" {
		t.Error("a short key shows in logs")
	}
}

// Checks go on while keys and plans change, and the quota holds to the unit.
func TestChangesUnderLoad(t *testing.T) {
	f := newFixture(t)
	f.SetPlan(plan("gold", nil, 5000, "prod"))
	f.key(t, "k", "gold")
	r := f.route("prod")
	var admitted atomic.Int64
	var checkers, changer sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		checkers.Go(func() {
			for range 4000 {
				if _, ref := r.Check(f.clock.Now(), value("k")); !ref.Refused() {
					admitted.Add(1)
				}
			}
		})
	}
	changer.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			f.SetPlan(plan("gold", limit(1e6, int64(1e6+i%3)), 5000, "prod", fmt.Sprint("s", i%5)))
			f.key(t, "k", "gold", "silver")
			f.key(t, fmt.Sprint("k", i%50), "gold")
			f.set.Sweep()
		}
	})
	checkers.Wait()
	close(stop)
	changer.Wait()
	if n := admitted.Load(); n != 5000 {
		t.Errorf("admitted %d of 16000 while the plan changed, want the quota of 5000", n)
	}
}

func benchmarkCheck(b *testing.B, keys, plans int) {
	clock := counter.NewCoarse()
	defer clock.Stop()
	set, err := counter.Open(b.Context(), counter.Options{Clock: clock})
	if err != nil {
		b.Fatal(err)
	}
	m := meter.New(set, hasher)
	for i := range plans {
		m.SetPlan(meter.Plan{
			Place: home, ID: fmt.Sprint("p", i), Throttle: limit(1e9, 1<<40),
			Quota:  &counter.Allowance{Limit: 1 << 60, Period: counter.Month},
			Stages: []meter.PlanStage{{API: "api", Stage: "prod"}},
		})
	}
	all := make([]meter.Key, keys)
	values := make([]string, 0, 1000)
	for i := range all {
		id := fmt.Sprint("k", i)
		all[i] = meter.Key{Place: home, ID: id, Hash: hasher.Sum(value(id)), Enabled: true, Plans: []string{fmt.Sprint("p", i%plans)}}
		if len(values) < cap(values) {
			values = append(values, value(id))
		}
	}
	if err := m.SetKeys(all); err != nil {
		b.Fatal(err)
	}
	r := m.Route(home, "api", "prod", "/pets", "x", "GET")
	for _, v := range values {
		r.Check(clock.Now(), v)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, ref := r.Check(clock.Now(), values[i%len(values)]); ref.Refused() {
			b.Fatal(ref)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	b.Run("keys=10", func(b *testing.B) { benchmarkCheck(b, 10, 1) })
	b.Run("keys=100000,plans=1000", func(b *testing.B) { benchmarkCheck(b, 100000, 1000) })
}

func BenchmarkUnknownKey(b *testing.B) {
	f := newFixture(b)
	f.SetPlan(plan("gold", nil, -1, "prod"))
	off := meter.Key{Place: home, ID: "off", Hash: hasher.Sum(value("off")), Plans: []string{"gold"}}
	if err := f.SetKey(off); err != nil {
		b.Fatal(err)
	}
	r := f.route("prod")
	for name, v := range map[string]string{"unknown": value("xxx"), "disabled": value("off")} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Check(f.clock.Now(), v)
			}
		})
	}
}

// TestTheLastPlanCounts changes a plan's limits while requests are checked that began under older
// ones: what a request counts with after a change is what the change said, and stays so.
func TestTheLastPlanCounts(t *testing.T) {
	f := newFixture(t)
	f.SetPlan(plan("gold", limit(1e6, 1e6), 1<<40, "prod"))
	f.key(t, "k", "gold")
	r := f.route("prod")
	var late sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		late.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					r.Check(f.clock.Now(), value("k"))
				}
			}
		})
	}
	for n := range int64(3000) {
		p := plan("gold", limit(1e6, 1e6+n), 1<<40+n, "prod")
		p.Stages[0].Methods = map[string]counter.Limit{"/pets/{id}/GET": *limit(1e6, 2e6+n)}
		f.SetPlan(p)
		for range 3 {
			g, _ := r.Check(f.clock.Now(), value("k"))
			var got []int64
			for _, p := range g.AppendPolicies(nil, f.clock.Now()) {
				got = append(got, p.Limit)
			}
			if want := []int64{2e6 + n, 1e6 + n, 1<<40 + n}; !slices.Equal(got, want) {
				close(stop)
				late.Wait()
				t.Fatalf("after change %d: limits %v, want %v", n, got, want)
			}
		}
	}
	close(stop)
	late.Wait()
}
