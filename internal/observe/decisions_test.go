package observe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/gateway"
	"gatehouse/internal/plan"
)

func record(n int, reason string) *gateway.Record {
	return &gateway.Record{
		Stage: &plan.Stage{API: plan.APIKey{Region: "us-east-1", ID: "abc"}, Name: "prod"}, Method: &plan.Method{Resource: &plan.Resource{Path: "/x"}},
		RequestID: "same", ExtendedID: fmt.Sprint(n), HTTPMethod: "GET", Host: "h", Path: "/prod/x", Status: 200 + n%2*203, Reason: reason,
		Cause: strings.Repeat("c", 5000), Start: time.Unix(int64(n), 0), Latency: time.Millisecond,
	}
}

func TestTrafficThatIsServedKeepsRefusals(t *testing.T) {
	d := NewDecisions(slog.New(slog.DiscardHandler))
	d.Done(record(1, "throttled"))
	for n := range 2*Window + 5 {
		d.Done(record(100+n, ""))
	}
	if got := d.Find("1"); len(got) != 1 || got[0].Reason != "throttled" || got[0].Resource != "/x" || len(got[0].Cause) != maxCause {
		t.Errorf("the refused request: %+v", got)
	}
	if got := d.Find(fmt.Sprint(100 + Window + 4)); len(got) != 0 {
		t.Errorf("a request outside of the window is there: %+v", got)
	}
	if got := d.Find(fmt.Sprint(100 + Window + 5)); len(got) != 1 {
		t.Errorf("the oldest request of the window: %+v", got)
	}
	all := d.Find("same")
	if len(all) != Window+1 || all[1].ExtendedID != fmt.Sprint(100+Window+5) || all[Window].ExtendedID != fmt.Sprint(100+2*Window+4) {
		t.Errorf("%d of one request id, want the window in order", len(all))
	}
}

func TestRefusedRequestsAreLoggedAtABoundedRate(t *testing.T) {
	var mu sync.Mutex
	var out bytes.Buffer
	logged := make(chan struct{}, 1000)
	d := NewDecisions(slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		logged <- struct{}{}
		return out.Write(p)
	}), nil)))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := d.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	r := record(1, "throttled")
	for range 1000 {
		d.Done(r)
	}
	for range linesPerSecond {
		<-logged
	}
	d.Done(record(2, "quota-exceeded")) // a second later
	<-logged
	cancel()
	running.Wait()
	text := out.String()
	if got := strings.Count(text, "\n"); got != linesPerSecond+1 {
		t.Errorf("%d lines, want %d", got, linesPerSecond+1)
	}
	if !strings.Contains(text, "reason=quota-exceeded status=200") || strings.Count(text, "notLogged=0") == linesPerSecond+1 {
		t.Errorf("what was left out is not told:\n%s", text)
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func BenchmarkDecision(b *testing.B) {
	d := NewDecisions(slog.New(slog.DiscardHandler))
	r := record(2, "")
	r.Cause = ""
	for range Window {
		d.Done(r)
	}
	b.ReportAllocs()
	for b.Loop() {
		d.Done(r)
	}
}
