package acme

import (
	"context"
	"crypto/x509"
	"errors"
	"time"

	"github.com/mholt/acmez/v3/acme"
)

// How often a server is asked at the least and at the most when a certificate should be renewed,
// whatever it says itself (RFC 9773 section 4.3.2).
const (
	minAsk = 10 * time.Minute
	maxAsk = 24 * time.Hour
)

// RenewAt asks the server when it wants a certificate to be renewed (RFC 9773): at is a moment
// of the window that it suggests, zero when it suggests none; it is to be asked again at again.
func (c *Client) RenewAt(ctx context.Context, leaf *x509.Certificate, now time.Time) (at, again time.Time, err error) {
	info, err := c.protocol.GetRenewalInfo(ctx, leaf)
	if errors.Is(err, acme.ErrUnsupported) {
		return time.Time{}, now.Add(maxAsk), nil
	}
	if err != nil {
		return time.Time{}, now.Add(maxAsk / 4), err
	}
	wait := maxAsk / 4
	if info.RetryAfter != nil {
		wait = min(max(info.RetryAfter.Sub(now), minAsk), maxAsk)
	}
	if !info.HasWindow() {
		return time.Time{}, now.Add(wait), nil
	}
	return info.SelectedTime, now.Add(wait), nil
}
