package clientcertificates

import (
	"cmp"
	"time"

	"gatehouse/internal/control/tags"
	"gatehouse/internal/model"
)

// The course of an automatic rotation, before the certificate ends.
const (
	publishBefore = 30 * 24 * time.Hour // the successor is made and published
	switchBefore  = 7 * 24 * time.Hour  // and takes its place
	leastOverlap  = 24 * time.Hour      // even when the certificate ends sooner
)

// afterSwitch is how long a certificate stays published after it was replaced: longer than a
// request may take that began before, on any node.
const afterSwitch = 20 * time.Minute

// auto is the value of the tag for rotations that go by the certificate's end.
const auto = "auto"

func init() {
	tags.Define("rotate", tags.Rule{Resource: tags.ClientCertificate, Check: func(v string) string {
		if _, err := time.Parse(time.RFC3339, v); v == auto || err == nil {
			return ""
		}
		return "auto, or the time of the switch such as 2027-01-31T06:00:00Z"
	}})
}

// A step is what is due for a certificate.
type step uint8

const (
	nothing step = iota
	makeSuccessor
	moveSwitch // of a successor whose tag was changed
	dropSuccessor
	switchOver
	forgetPredecessor
)

// due says what is to be done for a certificate at a moment. With nothing, at is when to look
// again, zero for never; with makeSuccessor and moveSwitch it is the switch date. It is a
// pure function: every node comes to the same result, and one of them writes it.
func due(c *model.ClientCertificate, now time.Time) (what step, at time.Time) {
	if p := c.Predecessor; p != nil && !now.Before(p.Until) {
		return forgetPredecessor, time.Time{}
	}
	tag := c.Tags[model.RotateTag]
	if s := c.Successor; s != nil {
		if s.Tag != "" && s.Tag != tag {
			if tag == "" {
				return dropSuccessor, time.Time{}
			}
			if to, ok := wanted(c, tag, now); ok {
				return moveSwitch, to
			}
			return dropSuccessor, time.Time{}
		}
		if !now.Before(s.SwitchDate) {
			return switchOver, time.Time{}
		}
		at = s.SwitchDate
	} else if to, ok := wanted(c, tag, now); ok {
		return makeSuccessor, to
	} else if tag == auto {
		at = c.ExpirationDate.Add(-publishBefore)
	}
	if p := c.Predecessor; p != nil {
		at = sooner(at, p.Until)
	}
	return nothing, at
}

// wanted reports whether a tag asks for a successor now, and when it is to be switched to. A
// date that was acted on, or had passed before anything was published, asks for nothing.
func wanted(c *model.ClientCertificate, tag string, now time.Time) (switchDate time.Time, ok bool) {
	if tag == "" {
		return time.Time{}, false
	}
	if tag == auto {
		if now.Before(c.ExpirationDate.Add(-publishBefore)) {
			return time.Time{}, false
		}
		switchDate = c.ExpirationDate.Add(-switchBefore)
		if least := now.Add(leastOverlap); switchDate.Before(least) {
			switchDate = least
		}
		return switchDate, true
	}
	at, err := time.Parse(time.RFC3339, tag)
	return at.UTC(), err == nil && tag != c.Rotated && now.Before(at)
}

// sooner returns the earlier of two moments; zero is never.
func sooner(a, b time.Time) time.Time {
	switch {
	case a.IsZero():
		return b
	case b.IsZero():
		return a
	}
	if cmp.Compare(a.UnixNano(), b.UnixNano()) < 0 {
		return a
	}
	return b
}
