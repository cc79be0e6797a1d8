package netio

import "time"

// SetSettleAfter makes TLS connections quiet after d, until the function that it returns is called.
func SetSettleAfter(d time.Duration) (restore func()) {
	before := settleAfter
	settleAfter = d
	return func() { settleAfter = before }
}
