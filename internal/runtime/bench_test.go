package runtime_test

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/runtime"
)

// benchmarkWarm calls a function one time after the other. Beside the median wait it tells
// the processor time of this process, which other work on the machine does not change.
func benchmarkWarm(b *testing.B, fn *runtime.Function, f *fixture, payload []byte) {
	f.invoke(fn, payload)
	var took []time.Duration
	before := cpuTime(b)
	for b.Loop() {
		start := time.Now()
		if res, err := f.Invoke(b.Context(), fn, runtime.Request{Payload: payload}); err != nil || res.FunctionError != "" {
			b.Fatalf("%s %v", res.Payload, err)
		}
		took = append(took, time.Since(start))
	}
	b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(len(took)), "own-cpu-µs/op")
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
}

// cpuTime is what this process has used.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A warm call: what the runtime adds to a function that does nothing.
func BenchmarkWarmCall(b *testing.B) {
	f := newFixture(b, nil)
	b.Run("go", func(b *testing.B) { benchmarkWarm(b, f.function(nil), f, event("echo", "x", 0)) })
	b.Run("node", func(b *testing.B) {
		benchmarkWarm(b, f.script(hostNode(b), "m.js", "m.handler", "exports.handler = async (e) => 1;"), f, []byte(`{}`))
	})
	b.Run("python", func(b *testing.B) {
		benchmarkWarm(b, f.script("python"+hostPython(b), "m.py", "m.handler", "def handler(e, c): return 1\n"), f, []byte(`{}`))
	})
}

// A warm call some time after the last one, as gateways make them: the median of what a
// caller waits, while the process still runs and when it was frozen.
func BenchmarkWarmCallApart(b *testing.B) {
	f := newFixture(b, nil)
	fn := f.function(nil)
	for name, pause := range map[string]time.Duration{"running": 3 * time.Millisecond, "frozen": 40 * time.Millisecond} {
		b.Run(name, func(b *testing.B) {
			f.invoke(fn, event("echo", "x", 0))
			var took []time.Duration
			for b.Loop() {
				time.Sleep(pause)
				start := time.Now()
				f.invoke(fn, event("echo", "x", 0))
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
		})
	}
}

func BenchmarkColdStart(b *testing.B) {
	f := newFixture(b, nil)
	fn := f.function(nil)
	for b.Loop() {
		f.invoke(fn, event("echo", "x", 0))
		f.Forget(fn.Key)
	}
}
