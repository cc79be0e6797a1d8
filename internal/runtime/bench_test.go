package runtime_test

import (
	"slices"
	"testing"
	"time"

	"gatehouse/internal/runtime"
)

func benchmarkWarm(b *testing.B, fn *runtime.Function, f *fixture, payload []byte) {
	f.invoke(fn, payload)
	for b.Loop() {
		if res := f.invoke(fn, payload); res.FunctionError != "" || res.Init != 0 && b.N < 2 {
			b.Fatalf("%s", res.Payload)
		}
	}
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
