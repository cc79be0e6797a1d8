package counter

import (
	"fmt"
	"time"
)

// A Period is the calendar unit after which a quota begins anew.
type Period uint8

// The periods of the service, in UTC.
const (
	Day   Period = iota // from 00:00
	Week                // from Sunday 00:00, shifted by the offset
	Month               // from the first 00:00, shifted by the offset
)

// String returns the service's name of the period.
func (p Period) String() string {
	switch p {
	case Day:
		return "DAY"
	case Week:
		return "WEEK"
	}
	return "MONTH"
}

// ParsePeriod is the inverse of String.
func ParsePeriod(s string) (Period, error) {
	for _, p := range []Period{Day, Week, Month} {
		if s == p.String() {
			return p, nil
		}
	}
	return 0, fmt.Errorf("quota period %q: want DAY, WEEK or MONTH", s)
}

// An Allowance is a quota's settings (throttling-and-usage-plans.md section 4).
type Allowance struct {
	Limit  int64 // requests per period; 0 admits none
	Period Period
	Offset int // days by which the period starts later: 0 for Day, 0-6 for Week, 0-27 for Month
}

// Span returns the period that contains t: its first moment and the first moment
// after it. The offset is the day on which the period starts, as the service's ranges
// for it suggest, not a number of requests as its prose says.
func (a Allowance) Span(t time.Time) (start, end time.Time) {
	t = t.UTC()
	y, m, d := t.Date()
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	switch a.Period {
	case Day:
		return day(y, m, d), day(y, m, d+1)
	case Week:
		since := (int(t.Weekday()) - a.Offset + 7) % 7
		return day(y, m, d-since), day(y, m, d-since+7)
	}
	if d < 1+a.Offset {
		m--
	}
	return day(y, m, 1+a.Offset), day(y, m+1, 1+a.Offset)
}

// dayOf returns the number of days from 1970-01-01 to t, in UTC.
func dayOf(wall int64) int32 {
	const perDay = int64(24 * time.Hour)
	d := wall / perDay
	if wall%perDay < 0 {
		d--
	}
	return int32(d)
}

// startOfDay returns the wall time at which day number d begins.
func startOfDay(d int32) int64 { return int64(d) * int64(24*time.Hour) }
