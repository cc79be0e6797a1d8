package gateway

import (
	"sync/atomic"
	"time"
)

// A second remembers how the latest second that it was asked for is written in access logs:
// nearly all requests ask for the same one. The zero value is ready to use. It is safe for
// concurrent use.
type second struct{ last atomic.Pointer[writtenSecond] }

type writtenSecond struct {
	unix int64
	text string
}

// text returns t as $context.requestTime gives it (mapping-templates, section 5).
func (s *second) text(t time.Time) string {
	unix := t.Unix()
	if w := s.last.Load(); w != nil && w.unix == unix {
		return w.text
	}
	w := &writtenSecond{unix, t.UTC().Format("02/Jan/2006:15:04:05 +0000")}
	s.last.Store(w)
	return w.text
}
