package http1

import (
	"fmt"
	"net/http"
	"time"
)

// Limits bound what one request may take. A zero field means the default; a negative
// one means no limit.
type Limits struct {
	Target int   // bytes of the request target; default 10,240, answer 414
	Header int   // bytes of all header lines with their CRLF; default 10,240, answer 431
	Lines  int   // header lines; default 256, answer 431
	Body   int64 // bytes of the decoded body; default 10,485,760, answer 413
}

// Timeouts bound how long a client may take. A zero field means the default; a negative
// one means no limit.
type Timeouts struct {
	Head time.Duration // from the first byte of a request to the end of its head; default 15 s, answer 408
	Idle time.Duration // between requests, and before the first; default 60 s

	// A body, and the reading of a response, may stall for Stall altogether beyond
	// what it takes at Rate bytes per second. Defaults: 20 s and 1,024 bytes per second.
	Stall time.Duration
	Rate  int
}

const unlimited = 1 << 62

// WithDefaults returns l with every zero field replaced by its default and every
// negative one by what no request reaches.
func (l Limits) WithDefaults() Limits {
	fix := func(v *int, normal int) {
		if *v == 0 {
			*v = normal
		} else if *v < 0 {
			*v = 1 << 30
		}
	}
	fix(&l.Target, 10<<10)
	fix(&l.Header, 10<<10)
	fix(&l.Lines, 256)
	if l.Body == 0 {
		l.Body = 10 << 20
	} else if l.Body < 0 {
		l.Body = unlimited
	}
	return l
}

// WithDefaults returns t with every zero field replaced by its default and every
// negative one by what no client reaches.
func (t Timeouts) WithDefaults() Timeouts {
	fix := func(v *time.Duration, normal time.Duration) {
		if *v == 0 {
			*v = normal
		} else if *v < 0 {
			*v = 100 * 365 * 24 * time.Hour
		}
	}
	fix(&t.Head, 15*time.Second)
	fix(&t.Idle, 60*time.Second)
	fix(&t.Stall, 20*time.Second)
	if t.Rate == 0 {
		t.Rate = 1024
	} else if t.Rate < 0 {
		t.Rate = 1 << 40
	}
	return t
}

// Allowance is how long n bytes may take altogether. The fields must not be zero.
func (t *Timeouts) Allowance(n int64) time.Duration {
	return t.Stall + time.Duration(n/int64(t.Rate))*time.Second
}

// RefusalText is the body of the answer to a refused request. The texts for sizes are
// those of the service (request-lifecycle.md section 4.6).
func (l *Limits) RefusalText(status int, reason string) string {
	switch status {
	case 413:
		return fmt.Sprintf("HTTP content length exceeded %d bytes.", l.Body)
	case 414:
		return "Request URI too long"
	case 431:
		return fmt.Sprintf("HTTP header is larger than %d bytes.", l.Header)
	}
	return http.StatusText(status) + ": " + reason
}
