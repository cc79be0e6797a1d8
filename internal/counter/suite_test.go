package counter_test

import (
	"testing"

	"gatehouse/internal/counter"
	"gatehouse/internal/counter/countertest"
)

func TestSuiteInMemory(t *testing.T) {
	countertest.Suite(t, func(t *testing.T) countertest.Kind {
		t.Parallel()
		clock := counter.NewCoarse()
		t.Cleanup(clock.Stop)
		ledger := new(counter.MemoryLedger)
		return countertest.Kind{Clock: clock, Open: func(t *testing.T) (*counter.Set, func()) {
			s := openSet(t, counter.Options{Clock: clock, Ledger: ledger})
			return s, countertest.Run(t, s)
		}}
	})
}
