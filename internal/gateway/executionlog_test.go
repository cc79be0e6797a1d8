package gateway

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"gatehouse/internal/message"
	"gatehouse/internal/plan"
)

func events(l *executionLog, prefix string) (out []string) {
	for _, m := range func(yield func(time.Time, []byte) bool) { l.each(len(prefix), yield) } {
		out = append(out, prefix+string(m))
	}
	return out
}

func TestExecutionLogLevels(t *testing.T) {
	write := func(level plan.LogLevel, failed bool) string {
		l := &executionLog{level: level, failed: failed}
		l.add("one")
		l.put(true)
		l.add("two")
		l.put(false)
		l.add("three")
		l.put(true)
		return strings.Join(events(l, "> "), " ")
	}
	for _, c := range []struct {
		level  plan.LogLevel
		failed bool
		want   string
	}{
		{plan.LogInfo, false, "> one > two > three"},
		{plan.LogInfo, true, "> one > two > three"},
		{plan.LogError, true, "> one > three"},
		{plan.LogError, false, ""},
	} {
		if got := write(c.level, c.failed); got != c.want {
			t.Errorf("level %d, failed %v: got %q, want %q", c.level, c.failed, got, c.want)
		}
	}
}

func TestExecutionLogMaps(t *testing.T) {
	l := &executionLog{level: plan.LogInfo}
	l.addHeader(message.Header{{Name: "Accept", Value: "a"}, {Name: "x-api-key", Value: "0123456789"}, {Name: "accept", Value: "b"}, {Name: "authorization", Value: "short"}}, nil)
	l.put(false)
	if got, want := events(l, "")[0], "{Accept=a,b, x-api-key=****456789, authorization=*****}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// FuzzExecutionLog: an event is never longer than the service's, a short one is whole, and a
// long one is cut between characters and says so.
func FuzzExecutionLog(f *testing.F) {
	f.Add("(id) ", "message")
	f.Add("(id) ", strings.Repeat("é", 600))
	f.Add("", strings.Repeat("x", 1024))
	f.Fuzz(func(t *testing.T, prefix, text string) {
		if len(prefix) > 128 || !utf8.ValidString(text) {
			return
		}
		l := &executionLog{level: plan.LogInfo}
		l.add("before")
		l.put(false)
		l.add(text)
		l.put(false)
		got := events(l, prefix)[1]
		if len(prefix)+len(text) <= maxEvent {
			if got != prefix+text {
				t.Fatalf("got %q, want %q", got, prefix+text)
			}
			return
		}
		kept, cut := strings.CutSuffix(strings.TrimPrefix(got, prefix), truncated)
		if len(got) > maxEvent || len(got) < maxEvent-utf8.UTFMax || !cut || !strings.HasPrefix(text, kept) || !utf8.ValidString(kept) {
			t.Fatalf("%d bytes: %q", len(got), got)
		}
	})
}
