package gateway

import (
	"testing"

	"gatehouse/internal/plan"
)

// Each request is drawn anew: what falls below the canary's share goes to it.
func TestCanaryShare(t *testing.T) {
	canary := &plan.Stage{IsCanary: true}
	for _, c := range []struct {
		share, drawn float64
		canary       bool
	}{
		{0, 0, false}, {0.25, 0, true}, {0.25, 0.249, true}, {0.25, 0.25, false}, {0.25, 0.999, false}, {1, 0.999, true},
	} {
		s := &plan.Stage{Canary: &plan.Canary{Share: c.share, Release: canary}}
		x := &exchange{g: &Gateway{Draw: func() float64 { return c.drawn }}}
		if got := x.release(s); (got == canary) != c.canary {
			t.Errorf("share %v, drawn %v: canary %v, want %v", c.share, c.drawn, got == canary, c.canary)
		}
	}
	if s := (&plan.Stage{}); (&exchange{g: &Gateway{}}).release(s) != s {
		t.Error("a stage without a canary is not its own release")
	}
}

// Without a Draw of the test's own, the choice is a fair one.
func TestCanaryIsDrawnFairly(t *testing.T) {
	s := &plan.Stage{Canary: &plan.Canary{Share: 0.3, Release: &plan.Stage{IsCanary: true}}}
	x := &exchange{g: &Gateway{}}
	n := 0
	for range 100_000 {
		if x.release(s).IsCanary {
			n++
		}
	}
	if n < 28_500 || n > 31_500 { // ten standard deviations
		t.Errorf("%d of 100,000 went to the canary, want about 30,000", n)
	}
}
