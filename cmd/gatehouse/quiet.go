package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"syscall"
	"time"
)

// How the process gives memory back while nothing happens: the collector waits until the heap
// has grown fivefold (see tune), which behind a burst of handshakes can take for ever.
const (
	quietInterval = 5 * time.Second
	quietShare    = 0.02    // of one core: less than this is quiet
	quietGain     = 8 << 20 // octets that must be to gain
	quietRounds   = 4       // a collection halves a stack at most
)

// trimWhenQuiet collects and gives memory back to the system when the process has done next to
// nothing for a while, and there is something to gain. It returns when ctx ends.
func trimWhenQuiet(ctx context.Context) {
	tick := time.NewTicker(quietInterval)
	defer tick.Stop()
	before := processorTime()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		used := processorTime()
		if quiet := float64(used-before) < quietShare*float64(quietInterval); quiet && gain() > quietGain {
			trim()
			used = processorTime() // what trimming took is no sign of work
		}
		before = used
	}
}

// trim collects until stacks shrink no more.
func trim() {
	for range quietRounds {
		before := memory("/memory/classes/heap/stacks:bytes")
		debug.FreeOSMemory()
		if after := memory("/memory/classes/heap/stacks:bytes"); after > before-before/20 {
			return
		}
	}
}

// gain estimates what a collection would give back, in octets: what was allocated since the
// last one, and what is free and not yet the system's again.
func gain() int64 {
	return memory("/memory/classes/heap/objects:bytes") - memory("/gc/heap/live:bytes") + memory("/memory/classes/heap/free:bytes")
}

// memory reads a metric of the runtime, in octets.
func memory(name string) int64 {
	s := []metrics.Sample{{Name: name}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64())
}

// processorTime is what the process has used, in user and system mode.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0 // it fails for arguments that are wrong only
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
