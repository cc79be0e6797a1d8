//go:build ignore

package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"gatehouse/internal/lang/wafrules"
)

// fourGroups are those of the design's target.
var fourGroups = []string{"AWSManagedRulesCommonRuleSet", "AWSManagedRulesSQLiRuleSet", "AWSManagedRulesKnownBadInputsRuleSet", "AWSManagedRulesUnixRuleSet"}

// timed are the requests whose cost is compared.
func timed() map[string]*sample {
	header := [][2]string{{"Host", "api.example.com"}, {"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"}, {"Accept", "application/json"},
		{"Accept-Language", "en-GB,en;q=0.5"}}
	var fields []string
	for i := range 44 {
		value := []string{`"Maria Gonzalez"`, `"221B Baker Street, London"`, `"2026-11-23T10:15:00Z"`, `"3fa85f64-5717-4562-b3fc-2c963f66afa6"`, `1299.5`, `"A note of the customer, to be read"`, `true`}[i%7]
		fields = append(fields, fmt.Sprintf(`"order_field_name_%02d": %s`, i, value))
	}
	return map[string]*sample{
		"small GET":                 {method: "GET", uri: "/v1/orders/123?expand=items&limit=20", header: header},
		"JSON of 2 KB in 44 fields": {method: "POST", uri: "/v1/orders", header: append(header, [2]string{"Content-Type", "application/json"}), body: "{" + strings.Join(fields, ", ") + "}"},
	}
}

// compareTimes prints the processor time of one request in both engines.
func compareTimes() error {
	acl, err := newOurs(fourGroups)
	if err != nil {
		return err
	}
	waf, err := newCoraza()
	if err != nil {
		return err
	}
	ms, err := newModSecurity()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	fmt.Println("| Request | Gatehouse, four groups | Coraza + CRS PL1 | libmodsecurity + CRS PL1 |")
	fmt.Println("|---|---:|---:|---:|")
	scratch := new(wafrules.Scratch)
	for name, s := range timed() {
		r := s.request()
		ours := perCall(func() {
			if _, err := acl.Evaluate(r, scratch); err != nil {
				panic(err) // a benchmark of failures measures nothing
			}
		})
		theirs := perCall(func() { blockedByCoraza(waf, s) })
		var compiled time.Duration
		if ms != nil {
			if _, compiled, err = ms.run(s, 200); err != nil {
				return fmt.Errorf("libmodsecurity: %w", err)
			}
		}
		fmt.Printf("| %s | %v | %v | %v |\n", name, ours, theirs, compiled.Round(time.Microsecond))
	}
	if ms != nil {
		return ms.end()
	}
	return nil
}

// perCall returns the processor time of one call, which tells more than the clock on a
// busy machine.
func perCall(f func()) time.Duration {
	f()
	n := 0
	used := processorTime()
	for start := time.Now(); time.Since(start) < 2*time.Second; n++ {
		f()
	}
	return ((processorTime() - used) / time.Duration(n)).Round(100 * time.Nanosecond)
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it takes no argument that could be wrong
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
