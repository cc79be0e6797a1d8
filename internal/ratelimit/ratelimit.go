// Package ratelimit words what is left of limits in header fields, for clients that pace
// themselves. The service sends none of them; a tag on a stage switches them on. The
// control plane checks the tag's value, the compiler reads it, the gateway writes the
// fields. Everything here is a pure function.
package ratelimit

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"gatehouse/internal/message"
)

// Tag is the steering tag of stages.
const Tag = "gatehouse:rate-limit-headers"

// Style is the set of fields to write.
type Style uint8

// The styles. All but None also put Retry-After (RFC 9110, section 10.2.3) into 429 answers.
const (
	None   Style = iota
	IETF         // RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-10)
	Common       // X-RateLimit-Limit, -Remaining and -Reset, as many gateways have them
)

// Want says what Parse takes, for errors.
const Want = "off, ietf or x-ratelimit"

// Parse reads a tag's value; "" is off.
func Parse(value string) (Style, error) {
	switch value {
	case "", "off":
		return None, nil
	case "ietf":
		return IETF, nil
	case "x-ratelimit":
		return Common, nil
	}
	return None, fmt.Errorf("%s: found %q, want %s", Tag, value, Want)
}

// A Policy is one limit and what is left of it to the caller.
type Policy struct {
	Name  string // letters and hyphens
	Limit int64  // units when nothing is used
	Left  int64  // units that can be used at once

	// Window is the time in which Limit units become available, Reset that until all of
	// them are there again. Zero when they never are.
	Window, Reset time.Duration
}

// Set writes the fields for policies, which come in the order in which they are checked.
// Fields of the same names, a backend's say, are replaced. Without policies it does nothing.
func Set(h *message.Header, style Style, policies []Policy) {
	if len(policies) == 0 {
		return
	}
	switch style {
	case IETF:
		setIETF(h, policies)
	case Common:
		setCommon(h, nearest(policies))
	}
}

func setIETF(h *message.Header, policies []Policy) {
	var what, left []byte
	for i, p := range policies {
		if i > 0 {
			what, left = append(what, ", "...), append(left, ", "...)
		}
		what = append(append(append(what, '"'), p.Name...), `";q=`...)
		what = strconv.AppendInt(what, p.Limit, 10)
		left = append(append(append(left, '"'), p.Name...), `";r=`...)
		left = strconv.AppendInt(left, max(p.Left, 0), 10)
		if p.Window > 0 {
			what = strconv.AppendInt(append(what, ";w="...), seconds(p.Window), 10)
			left = strconv.AppendInt(append(left, ";t="...), seconds(p.Reset), 10)
		}
	}
	h.Set("RateLimit-Policy", string(what))
	h.Set("RateLimit", string(left))
}

func setCommon(h *message.Header, p Policy) {
	h.Set("X-RateLimit-Limit", strconv.FormatInt(p.Limit, 10))
	h.Set("X-RateLimit-Remaining", strconv.FormatInt(max(p.Left, 0), 10))
	if p.Window > 0 {
		h.Set("X-RateLimit-Reset", strconv.FormatInt(seconds(p.Reset), 10))
	}
}

// nearest returns the policy with the fewest units left, the first of equals: the one
// that will refuse next.
func nearest(policies []Policy) Policy {
	least := policies[0]
	for _, p := range policies[1:] {
		if p.Left < least.Left {
			least = p
		}
	}
	return least
}

// longestWait is what clients are told to wait at most: a limit that frees nothing within
// a year frees nothing.
const longestWait = 366 * 24 * time.Hour

// SetRetryAfter writes when to come back, unless that is never.
func SetRetryAfter(h *message.Header, wait time.Duration) {
	if wait > longestWait {
		return
	}
	h.Set("Retry-After", strconv.FormatInt(max(seconds(wait), 1), 10))
}

// seconds rounds up: a client that comes back then finds what it was promised.
func seconds(d time.Duration) int64 { return int64(math.Ceil(max(d, 0).Seconds())) }
