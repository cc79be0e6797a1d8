package http2

import "time"

// Floods bounds frames that make work without being requests: PING, SETTINGS,
// PRIORITY, empty DATA, CONTINUATION and unknown ones in one budget, RST_STREAM in
// another. A budget begins full and is refilled steadily; a connection that has used
// one up is closed. Zero fields mean the defaults.
type Floods struct {
	Control     int // frames at once; default 1,000
	ControlRate int // frames per second; default 50
	Resets      int // default 200
	ResetRate   int // per second; default 50
}

func (f Floods) withDefaults() Floods {
	fix := func(v *int, normal int) {
		if *v == 0 {
			*v = normal
		}
	}
	fix(&f.Control, 1000)
	fix(&f.ControlRate, 50)
	fix(&f.Resets, 200)
	fix(&f.ResetRate, 50)
	return f
}

// Frame types, RFC 9113 section 6.
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	frameReset        = 0x3
	frameWindowUpdate = 0x8
)

// preface is how many bytes a client sends before its first frame.
const preface = 24

// A meter follows the frame headers in the stream of a client and charges budgets.
// It belongs to the goroutine that reads.
type meter struct {
	limits  Floods
	control budget
	resets  budget
	skip    int     // bytes until the next frame header
	header  [9]byte // of the next frame
	have    int     // bytes of header that have come
}

func newMeter(f Floods) meter {
	return meter{
		limits:  f,
		control: budget{left: f.Control},
		resets:  budget{left: f.Resets},
		skip:    preface,
	}
}

// count follows b. It returns why the connection must be closed, or "".
func (m *meter) count(b []byte, now time.Time) string {
	for len(b) > 0 {
		if m.skip > 0 {
			n := min(m.skip, len(b))
			b, m.skip = b[n:], m.skip-n
			continue
		}
		n := copy(m.header[m.have:], b)
		b = b[n:]
		if m.have += n; m.have < len(m.header) {
			continue
		}
		m.have = 0
		m.skip = int(m.header[0])<<16 | int(m.header[1])<<8 | int(m.header[2])
		switch kind := m.header[3]; {
		case kind == frameHeaders, kind == frameWindowUpdate, kind == frameData && m.skip > 0:
		case kind == frameData && m.header[4]&1 != 0: // an empty frame that ends a stream
		case kind == frameReset:
			if !m.resets.spend(now, m.limits.Resets, m.limits.ResetRate) {
				return "too many streams were reset"
			}
		default:
			if !m.control.spend(now, m.limits.Control, m.limits.ControlRate) {
				return "too many control frames"
			}
		}
	}
	return ""
}

// A budget is a token bucket.
type budget struct {
	left int
	at   time.Time // of the last refill; zero before the first
}

func (b *budget) spend(now time.Time, size, perSecond int) bool {
	if b.at.IsZero() {
		b.at = now
	}
	if gained := int(now.Sub(b.at).Seconds() * float64(perSecond)); gained > 0 {
		b.left = min(size, b.left+gained)
		b.at = now
	}
	b.left--
	return b.left >= 0
}
