package trust

import (
	"context"
	"time"
)

// Revocation is what is known about revoked certificates of one domain.
type Revocation struct{}

// A Finding is what the revocation data said about a chain.
type Finding struct{}

func (r *Revocation) apply(ctx context.Context, v *Verdict, now time.Time) {}
