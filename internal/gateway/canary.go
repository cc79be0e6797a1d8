package gateway

import (
	"math/rand/v2"
	"strconv"

	"gatehouse/internal/plan"
)

// release chooses, for each request anew, between a stage and its canary
// (routing-and-integrations, section 15).
func (x *exchange) release(s *plan.Stage) *plan.Stage {
	if c := s.Canary; c != nil && x.g.draw() < c.Share {
		return c.Release
	}
	return s
}

// draw returns a number from 0 to less than 1, all of them equally likely.
func (g *Gateway) draw() float64 {
	if g.Draw != nil {
		return g.Draw()
	}
	return rand.Float64()
}

// canaryText is $context.isCanaryRequest: unset on stages without a canary.
func (x *exchange) canaryText() string {
	if x.stage == nil || x.stage.Canary == nil && !x.stage.IsCanary {
		return ""
	}
	return strconv.FormatBool(x.stage.IsCanary)
}
