package managed

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/lang/wafrules"
)

// onlyManaged is a References with the catalog alone.
type onlyManaged struct{ *Catalog }

func (onlyManaged) IPSet(string) *wafrules.IPSet                     { return nil }
func (onlyManaged) RegexPatternSet(string) *wafrules.RegexPatternSet { return nil }
func (onlyManaged) RuleGroup(string) *wafrules.Group                 { return nil }
func (onlyManaged) HasGeography() bool                               { return false }
func (c onlyManaged) ManagedGroup(v, n, version string) (*wafrules.Group, error) {
	return c.Group(v, n, version)
}

// aclOf compiles a web ACL that refers to the named groups in order.
func aclOf(t testing.TB, catalog *Catalog, names ...string) *wafrules.ACL {
	return aclWith(t, catalog, "None", names...)
}

// aclWith compiles one with the given OverrideAction.
func aclWith(t testing.TB, catalog *Catalog, override string, names ...string) *wafrules.ACL {
	t.Helper()
	var rules []string
	for i, n := range names {
		rules = append(rules, fmt.Sprintf(`{"Name":%q,"Priority":%d,"OverrideAction":{%q:{}},"VisibilityConfig":{"MetricName":"m"},
			"Statement":{"ManagedRuleGroupStatement":{"VendorName":"AWS","Name":%q}}}`, n, i, override, n))
	}
	acl, err := wafrules.ParseWebACL([]byte(`{"DefaultAction":{"Allow":{}},"VisibilityConfig":{"MetricName":"m"},"Rules":[` + strings.Join(rules, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	refs := onlyManaged{catalog}
	if _, err := wafrules.ValidateWebACL(acl, wafrules.Checks{References: refs}); err != nil {
		t.Fatal(err)
	}
	compiled, err := wafrules.Compile(acl, wafrules.Identity{ARN: "arn:test"}, wafrules.Environment{References: refs})
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// fourGroups are those of the design's target.
var fourGroups = []string{"AWSManagedRulesCommonRuleSet", "AWSManagedRulesSQLiRuleSet", "AWSManagedRulesKnownBadInputsRuleSet", "AWSManagedRulesUnixRuleSet"}

type bodyText []byte

func (b bodyText) Peek(limit int) ([]byte, bool, error) {
	return b[:min(len(b), limit)], len(b) > limit, nil
}

func newRequest(method, target, body string, headers ...string) *wafrules.Request {
	r := &wafrules.Request{Method: method, Version: "HTTP/1.1", ClientIP: netip.MustParseAddr("192.0.2.7"), Time: time.Unix(1_700_000_000, 0)}
	r.Path, r.Query, _ = strings.Cut(target, "?")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header = append(r.Header, wafrules.Header{Name: name, Value: value})
	}
	if body != "" {
		r.Body = bodyText(body)
	}
	return r
}

// usual are the headers that every request of these tests has.
var usual = []string{"X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https", "X-Forwarded-Port: 443", "Host: api.example.com",
	"X-Amzn-Trace-Id: Root=1-5e1b4151-5ac6c58f5b5daa6e7a0b1c2d", "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
	"Accept: application/json", "Accept-Language: en-GB,en;q=0.5"}

func smallGET() *wafrules.Request {
	return newRequest("GET", "/v1/orders/123?expand=items&limit=20", "", usual...)
}

// largePOST has a JSON body of 2 KB with 44 fields.
func largePOST() *wafrules.Request {
	var fields []string
	for i := range 44 {
		value := []string{`"Maria Gonzalez"`, `"221B Baker Street, London"`, `"2026-11-23T10:15:00Z"`, `"3fa85f64-5717-4562-b3fc-2c963f66afa6"`, `1299.5`, `"A note of the customer, to be read"`, `true`}[i%7]
		fields = append(fields, fmt.Sprintf(`"order_field_name_%02d": %s`, i, value))
	}
	body := "{" + strings.Join(fields, ", ") + "}"
	return newRequest("POST", "/v1/orders", body, append([]string{"Content-Type: application/json"}, usual...)...)
}

func benchmark(b *testing.B, r *wafrules.Request) {
	acl, s := aclOf(b, New(Lists{}), fourGroups...), new(wafrules.Scratch)
	b.ReportAllocs()
	start := processorTime(b)
	for b.Loop() {
		if v, err := acl.Evaluate(r, s); err != nil || v.Action != wafrules.Allow {
			b.Fatalf("%+v, %v", v, err)
		}
	}
	b.ReportMetric(float64(processorTime(b)-start)/float64(b.N), "cpu-ns/op")
}

// processorTime tells more than the clock on a busy machine.
func processorTime(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func BenchmarkFourGroupsSmallGET(b *testing.B)  { benchmark(b, smallGET()) }
func BenchmarkFourGroupsLargePOST(b *testing.B) { benchmark(b, largePOST()) }

func BenchmarkCompileCatalog(b *testing.B) {
	for b.Loop() {
		compile(Lists{})
	}
}

// BenchmarkIdleACL measures what one more web ACL of four managed groups costs.
func BenchmarkIdleACL(b *testing.B) {
	catalog := New(Lists{})
	acls := make([]*wafrules.ACL, 0, 1<<16)
	b.ReportAllocs()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for b.Loop() {
		acls = append(acls, aclOf(b, catalog, fourGroups...))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(acls)), "heap-B/acl")
	runtime.KeepAlive(acls)
}
