package compile

import (
	"encoding/json"
	"fmt"
	"runtime"
	"testing"
	"time"

	"gatehouse/internal/firewall"
	"gatehouse/internal/lang/wafrules/managed"
	"gatehouse/internal/lang/wafrules/ratecount"
	"gatehouse/internal/model"
	"gatehouse/internal/plan"
	"gatehouse/internal/store"
)

// manyACLs fills a store with stages that each have a web ACL of their own: two managed
// groups, a rate-based rule and a set of addresses. Every hundredth refers to set "s".
func manyACLs(b *testing.B, st *store.Store, n int) {
	in := store.Scope{Account: "000000000000", Region: "us-east-1"}
	rule := func(name string, priority int, action, statement string) string {
		return fmt.Sprintf(`{"Name":%q,"Priority":%d,%s,"Statement":%s,"VisibilityConfig":{"MetricName":"m","SampledRequestsEnabled":true,"CloudWatchMetricsEnabled":true}}`, name, priority, action, statement)
	}
	group := func(name string) string {
		return `{"ManagedRuleGroupStatement":{"VendorName":"AWS","Name":"` + name + `"}}`
	}
	set := func(id string) string { return "arn:aws:wafv2:us-east-1:000000000000:regional/ipset/n/" + id }
	if _, err := st.Update(b.Context(), func(tx *store.Tx) error {
		for _, id := range []string{"s", "t"} {
			if err := firewall.IPSets.Put(tx, in, id, model.IPSet{Addresses: []string{"192.0.2.0/24"}}); err != nil {
				return err
			}
		}
		for i := range n {
			id, api := fmt.Sprintf("acl%06d", i), fmt.Sprintf("api%05d", i)
			use := set("t")
			if i%100 == 0 {
				use = set("s")
			}
			acl := model.WebACL{Definition: json.RawMessage(`{"DefaultAction":{"Allow":{}},"VisibilityConfig":{"MetricName":"m","SampledRequestsEnabled":true,"CloudWatchMetricsEnabled":true},"Rules":[` +
				rule("common", 0, `"OverrideAction":{"None":{}}`, group("AWSManagedRulesCommonRuleSet")) + "," + rule("sql", 1, `"OverrideAction":{"None":{}}`, group("AWSManagedRulesSQLiRuleSet")) + "," +
				rule("rate", 2, `"Action":{"Block":{}}`, `{"RateBasedStatement":{"Limit":1000,"AggregateKeyType":"IP"}}`) + "," +
				rule("addresses", 3, `"Action":{"Block":{}}`, `{"IPSetReferenceStatement":{"ARN":"`+use+`"}}`) + `]}`)}
			acl.Name, acl.ID = "n", id
			snapshot := model.Snapshot{API: model.RestAPI{ID: api, Name: "n"}, Resources: []model.Resource{{ID: "r", Path: "/"}}}
			for _, err := range []error{
				firewall.WebACLs.Put(tx, in, id, acl),
				snapshots.Put(tx, in.Of(api), "d", snapshot),
				stages.Put(tx, in.Of(api), "prod", model.Stage{StageName: "prod", DeploymentID: "d", WebACLARN: "arn:aws:wafv2:us-east-1:000000000000:regional/webacl/n/" + id}),
			} {
				if err != nil {
					return err
				}
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkTenThousandWebACLs tells what 10,000 stages with a web ACL each cost: compiling
// all, memory, and the time until a change is served. The design wants 50 ms for a change.
func BenchmarkTenThousandWebACLs(b *testing.B) {
	st, err := store.Open(b.Context(), store.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	manyACLs(b, st, 10_000)
	catalog := managed.New(managed.Lists{})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c := &Compiler{Store: st, Suffix: "localhost", Publish: func(*plan.Plan) {},
		Firewall: Firewall{Compiler: firewall.NewCompiler(firewall.Environment{Catalog: catalog, Counters: ratecount.NewStore()})}}
	began := time.Now()
	problems, err := c.Once(b.Context())
	if err != nil || len(problems) > 0 {
		b.Fatal(problems, err)
	}
	all := time.Since(began)
	runtime.GC()
	runtime.ReadMemStats(&after)
	change := func(what string, key store.Key, put func(tx *store.Tx) error) {
		var times []time.Duration
		for range 5 {
			revision, err := st.Update(b.Context(), put)
			if err != nil {
				b.Fatal(err)
			}
			began := time.Now()
			units, err := c.touched(b.Context(), store.Commit{Revision: revision, Changes: []store.Change{{Key: key}}})
			if err == nil {
				err = c.apply(b.Context(), units, revision)
			}
			if err != nil || len(units) == 0 {
				b.Fatal(what, units, err)
			}
			times = append(times, time.Since(began))
		}
		b.ReportMetric(float64(min(times[0], times[1], times[2], times[3], times[4]).Microseconds())/1000, "ms/change-of-"+what)
	}
	in := store.Scope{Account: "000000000000", Region: "us-east-1"}
	for b.Loop() {
		change("web-ACL", in.Key(model.KindWebACL, "acl000500"), func(tx *store.Tx) error {
			acl, err := firewall.WebACLs.Item(tx, in, "acl000500")
			if err != nil {
				return err
			}
			return firewall.WebACLs.Put(tx, in, "acl000500", acl.Value)
		})
		change("set-of-100", in.Key(model.KindIPSet, "s"), func(tx *store.Tx) error {
			return firewall.IPSets.Put(tx, in, "s", model.IPSet{Addresses: []string{"198.51.100.0/24"}})
		})
	}
	b.ReportMetric(all.Seconds(), "s/all")
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/10_000, "heap-B/stage")
}
