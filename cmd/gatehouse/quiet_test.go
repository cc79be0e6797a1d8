package main

import (
	"runtime"
	"runtime/debug"
	"testing"
)

// Memory that nobody uses any more is something to gain, and gone behind trim.
func TestTrim(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // no collection but ours
	trim()
	garbage := make([][]byte, 64)
	for i := range garbage {
		garbage[i] = make([]byte, 1<<20)
	}
	runtime.KeepAlive(garbage)
	before := gain()
	if before < 32<<20 {
		t.Fatalf("64 MiB of garbage: gain is %d octets", before)
	}
	trim()
	if after := gain(); after > before/4 {
		t.Errorf("gain is %d octets behind trim, %d before", after, before)
	}
	if processorTime() <= 0 {
		t.Error("the process has used no time")
	}
}
