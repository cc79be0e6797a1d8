package wafrules

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

// tenRules is an ACL of an IP set of 10,000 ranges, geography, three byte matches, two
// patterns, a size, a rate and a label.
func tenRules(t testing.TB) *ACL {
	w := newWorld()
	r := rand.New(rand.NewPCG(9, 9))
	var ranges []netip.Prefix
	for range 10_000 {
		a := netip.AddrFrom4([4]byte{byte(11 + r.IntN(100)), byte(r.IntN(256)), byte(r.IntN(256)), 0})
		ranges = append(ranges, netip.PrefixFrom(a, 24))
	}
	w.ipSets[setARN] = NewIPSet(ranges)
	count := `"Action":{"Count":{}}`
	statements := []string{
		fmt.Sprintf(`{"IPSetReferenceStatement":{"ARN":%q}}`, setARN),
		`{"GeoMatchStatement":{"CountryCodes":["KP","RU"]}}`,
		byteMatchJSON("CONTAINS", "badbot", `{"SingleHeader":{"Name":"user-agent"}}`, "LOWERCASE"),
		byteMatchJSON("STARTS_WITH", "/admin", path, "URL_DECODE,LOWERCASE"),
		byteMatchJSON("CONTAINS", "../", `{"AllQueryArguments":{}}`, "URL_DECODE"),
		fmt.Sprintf(`{"RegexMatchStatement":{"RegexString":"(?i)/(wp-admin|phpmyadmin)/","FieldToMatch":%s,"TextTransformations":%s}}`, path, chain("URL_DECODE")),
		fmt.Sprintf(`{"RegexMatchStatement":{"RegexString":"^[a-z0-9-]{1,8}$","FieldToMatch":{"SingleHeader":{"Name":"x-request-id"}},"TextTransformations":%s}}`, chain("NONE")),
		fmt.Sprintf(`{"SizeConstraintStatement":{"FieldToMatch":{"QueryString":{}},"ComparisonOperator":"GT","Size":2048,"TextTransformations":%s}}`, chain("NONE")),
		`{"RateBasedStatement":{"Limit":2000000000,"AggregateKeyType":"IP"}}`,
		`{"LabelMatchStatement":{"Scope":"LABEL","Key":"awswaf:clientip:geo:country:XX"}}`,
	}
	rules := "["
	for i, s := range statements {
		action := block
		if i == 6 {
			action = count
		}
		if i > 0 {
			rules += ","
		}
		rules += ruleJSON(fmt.Sprintf("rule%d", i), i, s, action)
	}
	a := acl(t, w, rules+"]")
	for i := range a.counters {
		a.counters[i].counter = steady{}
	}
	return a
}

// steady is a counter without memory; package ratecount measures its own.
type steady struct{ RateCounter }

func smallRequest() *Request {
	return request("/v1/orders/123?expand=items&limit=20", "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https", "Host: api.example.com",
		"X-Amzn-Trace-Id: Root=1-5e1b4151-5ac6c58f5b5daa6e7a0b1c2d", "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0",
		"Accept: application/json", "X-Request-Id: 7e2f90aa-1", "Cookie: session=0123456789abcdef")
}

func BenchmarkTenRules(b *testing.B) {
	a, r, s := tenRules(b), smallRequest(), new(Scratch)
	b.ReportAllocs()
	defer reportCPU(b)()
	for b.Loop() {
		v, err := a.Evaluate(r, s)
		if err != nil || v.Action != Allow {
			b.Fatal(v, err)
		}
	}
}

// TestCommonPathDoesNotAllocate evaluates the benchmark's ACL, labels included.
func TestCommonPathDoesNotAllocate(t *testing.T) {
	a, r, s := tenRules(t), smallRequest(), new(Scratch)
	if n := testing.AllocsPerRun(100, func() {
		if v, err := a.Evaluate(r, s); err != nil || v.Action != Allow {
			t.Fatal(v, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// Add never limits.
func (steady) Add(string, netip.Addr, time.Time) bool { return false }

// reportCPU adds the processor time per operation, which tells more than the clock on
// a busy machine.
func reportCPU(b *testing.B) func() {
	used := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	start := used()
	return func() { b.ReportMetric(float64(used()-start)/float64(b.N), "cpu-ns/op") }
}
