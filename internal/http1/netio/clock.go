package netio

import "time"

// A Time is a moment in nanoseconds on the monotonic clock since the process
// started. Zero means never.
type Time int64

var start = time.Now()

// Now returns the current moment; it is never zero.
func Now() Time { return Time(time.Since(start)) | 1 }

// At converts t, which should carry a monotonic reading.
func At(t time.Time) Time { return Time(t.Sub(start)) | 1 }

// Add returns the moment d later.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }

// Sub returns how long after u the moment t is.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

func (t Time) wall() time.Time { return start.Add(time.Duration(t)) }
