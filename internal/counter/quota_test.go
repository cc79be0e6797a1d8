package counter_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/counter"
	"gatehouse/internal/counter/countertest"
)

func utc(y int, m time.Month, d, h int) time.Time { return time.Date(y, m, d, h, 0, 0, 0, time.UTC) }

func spendAll(q *counter.Quota, now counter.Instant) (n int) {
	for q.Spend(now) {
		n++
	}
	return n
}

// 1 March 2026 is a Sunday.
func TestPeriods(t *testing.T) {
	for _, tt := range []struct {
		period     counter.Period
		offset     int
		at         time.Time
		start, end time.Time
	}{
		{counter.Day, 0, utc(2026, 3, 4, 0), utc(2026, 3, 4, 0), utc(2026, 3, 5, 0)},
		{counter.Day, 0, utc(2026, 3, 4, 23), utc(2026, 3, 4, 0), utc(2026, 3, 5, 0)},
		{counter.Week, 0, utc(2026, 3, 1, 0), utc(2026, 3, 1, 0), utc(2026, 3, 8, 0)},
		{counter.Week, 0, utc(2026, 3, 7, 23), utc(2026, 3, 1, 0), utc(2026, 3, 8, 0)},
		{counter.Week, 1, utc(2026, 3, 1, 12), utc(2026, 2, 23, 0), utc(2026, 3, 2, 0)},
		{counter.Week, 6, utc(2026, 3, 7, 0), utc(2026, 3, 7, 0), utc(2026, 3, 14, 0)},
		{counter.Month, 0, utc(2026, 2, 28, 12), utc(2026, 2, 1, 0), utc(2026, 3, 1, 0)},
		{counter.Month, 0, utc(2026, 12, 31, 23), utc(2026, 12, 1, 0), utc(2027, 1, 1, 0)},
		{counter.Month, 14, utc(2026, 3, 14, 23), utc(2026, 2, 15, 0), utc(2026, 3, 15, 0)},
		{counter.Month, 14, utc(2026, 3, 15, 0), utc(2026, 3, 15, 0), utc(2026, 4, 15, 0)},
		{counter.Month, 27, utc(2026, 1, 5, 0), utc(2025, 12, 28, 0), utc(2026, 1, 28, 0)},
		{counter.Month, 27, utc(2028, 2, 29, 0), utc(2028, 2, 28, 0), utc(2028, 3, 28, 0)},
	} {
		start, end := counter.Allowance{Period: tt.period, Offset: tt.offset}.Span(tt.at)
		if !start.Equal(tt.start) || !end.Equal(tt.end) {
			t.Errorf("%v offset %d at %v: %v to %v, want %v to %v", tt.period, tt.offset, tt.at, start, end, tt.start, tt.end)
		}
	}
}

func TestQuotaBeginsAnewWithItsPeriod(t *testing.T) {
	for _, tt := range []struct {
		period counter.Period
		offset int
		begin  time.Time // some time in a period
		last   time.Time // still in it
		next   time.Time // no longer
	}{
		{counter.Day, 0, utc(2026, 3, 4, 1), utc(2026, 3, 4, 23), utc(2026, 3, 5, 0)},
		{counter.Week, 2, utc(2026, 3, 4, 1), utc(2026, 3, 9, 23), utc(2026, 3, 10, 0)},
		{counter.Month, 9, utc(2026, 3, 4, 1), utc(2026, 3, 9, 23), utc(2026, 3, 10, 0)},
	} {
		clock := countertest.NewClock(tt.begin)
		q := openSet(t, counter.Options{Clock: clock}).Quota("q", counter.Allowance{Limit: 5, Period: tt.period, Offset: tt.offset})
		if n := spendAll(q, clock.Now()); n != 5 {
			t.Errorf("%v: admitted %d of 5", tt.period, n)
		}
		clock.Set(tt.last)
		if n := spendAll(q, clock.Now()); n != 0 {
			t.Errorf("%v: %d more admitted at %v", tt.period, n, tt.last)
		}
		clock.Set(tt.next)
		if n := spendAll(q, clock.Now()); n != 5 {
			t.Errorf("%v: admitted %d of 5 at %v", tt.period, n, tt.next)
		}
	}
}

func TestQuotaIsExactUnderConcurrencyAcrossMidnight(t *testing.T) {
	clock := countertest.NewClock(utc(2026, 3, 4, 23))
	ledger := new(counter.MemoryLedger)
	s := openSet(t, counter.Options{Clock: clock, Ledger: ledger})
	a := counter.Allowance{Limit: 1000, Period: counter.Day}
	var admitted [2]atomic.Int64
	for day := range 2 {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 1000 {
					if s.Quota("q", a).Spend(clock.Now()) {
						admitted[day].Add(1)
					}
				}
			})
		}
		wg.Wait()
		clock.Advance(time.Hour)
	}
	if x, y := admitted[0].Load(), admitted[1].Load(); x != 1000 || y != 1000 {
		t.Errorf("admitted %d and %d, want 1000 on each day", x, y)
	}
	got, err := s.Usage(t.Context(), "q", a, utc(2026, 3, 3, 0), utc(2026, 3, 6, 0))
	if err != nil {
		t.Fatal(err)
	}
	want := []counter.DayUsage{
		{Day: utc(2026, 3, 3, 0), Used: 0, Remaining: 1000},
		{Day: utc(2026, 3, 4, 0), Used: 1000, Remaining: 0},
		{Day: utc(2026, 3, 5, 0), Used: 1000, Remaining: 0},
		{Day: utc(2026, 3, 6, 0), Used: 0, Remaining: 1000},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("usage (-want +got):\n%s", d)
	}
}

// A restart keeps what was recorded: used units stay used, and the day's count goes on.
func TestQuotaSurvivesRestart(t *testing.T) {
	clock := countertest.NewClock(utc(2026, 3, 4, 12))
	ledger := new(counter.MemoryLedger)
	a := counter.Allowance{Limit: 10, Period: counter.Month}
	total := 0
	for i := range 4 {
		s := openSet(t, counter.Options{Clock: clock, Ledger: ledger})
		q := s.Quota("q", a)
		for range 4 {
			if q.Spend(clock.Now()) {
				total++
			}
		}
		if err := s.Record(t.Context()); err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			clock.Advance(24 * time.Hour)
		}
	}
	if total != 10 {
		t.Errorf("admitted %d over four lives, want 10", total)
	}
	s := openSet(t, counter.Options{Clock: clock, Ledger: ledger})
	got, err := s.Usage(t.Context(), "q", a, utc(2026, 3, 4, 0), utc(2026, 3, 5, 0))
	if err != nil {
		t.Fatal(err)
	}
	want := []counter.DayUsage{{Day: utc(2026, 3, 4, 0), Used: 8, Remaining: 2}, {Day: utc(2026, 3, 5, 0), Used: 2, Remaining: 0}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("usage (-want +got):\n%s", d)
	}
}

// With Run, a crash loses at most a second: counts reach the ledger by themselves, and
// a failing ledger gets them when it works again.
func TestRunRecordsAndRetries(t *testing.T) {
	clock := countertest.NewClock(utc(2026, 3, 4, 12))
	ledger := &countertest.Ledger{}
	s := openSet(t, counter.Options{Clock: clock, Ledger: ledger})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, time.Second) }()
	ledger.Fail(errors.New("the store is away"))
	q := s.Quota("q", counter.Allowance{Limit: 10, Period: counter.Day})
	q.Spend(clock.Now())
	<-ledger.Called()
	q.Spend(clock.Now())
	ledger.Fail(nil)
	for {
		<-ledger.Called()
		es, err := ledger.Load(t.Context(), "q", 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(es) == 1 && es[0].Used == 2 && es[0].Taken == 2 {
			break
		}
	}
	q.Spend(clock.Now())
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	es, _ := ledger.Load(t.Context(), "q", 0)
	if len(es) != 1 || es[0].Used != 3 {
		t.Errorf("after Run ended the ledger has %+v, want 3 used", es)
	}
}

func TestRemainingIsSetForThePresentPeriod(t *testing.T) {
	clock := countertest.NewClock(utc(2026, 3, 4, 12))
	ledger := new(counter.MemoryLedger)
	a := counter.Allowance{Limit: 5, Period: counter.Day}
	s := openSet(t, counter.Options{Clock: clock, Ledger: ledger})
	q := s.Quota("q", a)
	spendAll(q, clock.Now())
	if err := s.SetRemaining(t.Context(), "q", a, 3); err != nil {
		t.Fatal(err)
	}
	if n := spendAll(q, clock.Now()); n != 3 {
		t.Errorf("admitted %d after 3 were made to remain", n)
	}
	if err := s.SetRemaining(t.Context(), "q", a, 7); err != nil {
		t.Fatal(err)
	}
	if err := s.Record(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The extension is part of what survives a restart.
	s = openSet(t, counter.Options{Clock: clock, Ledger: ledger})
	q = s.Quota("q", a)
	q.Spend(clock.Now())
	if err := s.SetRemaining(t.Context(), "q", a, 2); err != nil {
		t.Fatal(err)
	}
	if n := spendAll(q, clock.Now()); n != 2 {
		t.Errorf("admitted %d after 2 were made to remain", n)
	}
	clock.Advance(24 * time.Hour)
	if n := spendAll(q, clock.Now()); n != 5 {
		t.Errorf("admitted %d in the next period, want the usual 5", n)
	}
}

func TestChangedQuotaKeepsItsCount(t *testing.T) {
	clock := countertest.NewClock(utc(2026, 3, 4, 12))
	s := openSet(t, counter.Options{Clock: clock})
	q := s.Quota("q", counter.Allowance{Limit: 5, Period: counter.Day})
	spendAll(q, clock.Now())
	s.Quota("q", counter.Allowance{Limit: 8, Period: counter.Day})
	if n := spendAll(q, clock.Now()); n != 3 {
		t.Errorf("limit raised from 5 to 8: admitted %d more, want 3", n)
	}
	s.Quota("q", counter.Allowance{Limit: 2, Period: counter.Day})
	if n := spendAll(q, clock.Now()); n != 0 {
		t.Errorf("limit lowered below the count: admitted %d more", n)
	}
	s.Quota("q", counter.Allowance{Limit: 5, Period: counter.Week})
	if n := spendAll(q, clock.Now()); n != 5 {
		t.Errorf("another kind of period: admitted %d, want a new count of 5", n)
	}
}

func TestUnusedQuotasAreDropped(t *testing.T) {
	clock := countertest.NewClock(utc(2026, 3, 4, 12))
	s := openSet(t, counter.Options{Clock: clock})
	a := counter.Allowance{Limit: 5, Period: counter.Day}
	idle, used := s.Quota("idle", a), s.Quota("used", a)
	used.Spend(clock.Now())
	if err := s.Record(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Sweep()
	if _, n := s.Len(); n != 1 {
		t.Errorf("%d quotas, want the used one only", n)
	}
	if got := spendAll(idle, clock.Now()) + spendAll(s.Quota("idle", a), clock.Now()); got != 5 {
		t.Errorf("two holders of a dropped quota spent %d, want 5", got)
	}
	if got := spendAll(used, clock.Now()); got != 4 {
		t.Errorf("the used quota has %d left, want 4", got)
	}
	clock.Advance(24 * time.Hour)
	if err := s.Record(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Sweep()
	if _, n := s.Len(); n != 0 {
		t.Errorf("%d quotas after their period, want none", n)
	}
	if got := spendAll(used, clock.Now()); got != 5 {
		t.Errorf("the next period has %d units, want 5", got)
	}
}

func TestCountOnly(t *testing.T) {
	clock := countertest.NewClock(utc(2026, 3, 4, 12))
	s := openSet(t, counter.Options{Clock: clock, Ledger: new(counter.MemoryLedger)})
	a := counter.Allowance{Limit: counter.CountOnly, Period: counter.Day}
	q := s.Quota("q", a)
	for range 100 {
		if !q.Spend(clock.Now()) {
			t.Fatal("a counter without a limit refused")
		}
	}
	got, err := s.Usage(t.Context(), "q", a, utc(2026, 3, 4, 0), utc(2026, 3, 4, 0))
	if err != nil {
		t.Fatal(err)
	}
	if want := []counter.DayUsage{{Day: utc(2026, 3, 4, 0), Used: 100}}; !cmp.Equal(want, got) {
		t.Errorf("usage %+v, want %+v", got, want)
	}
	if err := s.SetRemaining(t.Context(), "q", a, 5); err == nil {
		t.Error("a counter without a limit was extended")
	}
}

func BenchmarkQuota(b *testing.B) {
	clock := counter.NewCoarse()
	defer clock.Stop()
	q := openSet(b, counter.Options{Clock: clock}).Quota("q", counter.Allowance{Limit: 1 << 60, Period: counter.Month})
	b.ReportAllocs()
	for b.Loop() {
		q.Spend(clock.Now())
	}
}

// A clock that is set back over the start of a period gives no quota twice: what was spent stays
// spent until the clock has passed the period's end again, also after a restart.
func TestClockSetBackGivesNoQuotaTwice(t *testing.T) {
	for _, a := range []counter.Allowance{
		{Limit: 5, Period: counter.Day}, {Limit: 5, Period: counter.Week, Offset: 3}, {Limit: 5, Period: counter.Month, Offset: 27},
	} {
		clock := countertest.NewClock(utc(2028, 2, 28, 12)) // of a leap year; each period has a start near it
		ledger := new(counter.MemoryLedger)
		s := openSet(t, counter.Options{Clock: clock, Ledger: ledger})
		q := s.Quota("q", a)
		spendAll(q, clock.Now())
		start, end := a.Span(clock.Now().Time())
		clock.Set(end)
		if n := spendAll(q, clock.Now()); n != 5 {
			t.Errorf("%v: admitted %d in the next period, want 5", a.Period, n)
		}
		for _, back := range []time.Time{end.Add(-time.Second), start, end} {
			clock.Set(back)
			if n := spendAll(q, clock.Now()); n != 0 {
				t.Errorf("%v: admitted %d after the clock was set back to %v", a.Period, n, back)
			}
		}
		if err := s.Record(t.Context()); err != nil {
			t.Fatal(err)
		}
		clock.Set(end.Add(-time.Second))
		again := openSet(t, counter.Options{Clock: clock, Ledger: ledger}).Quota("q", a)
		if n := spendAll(again, clock.Now()); n != 0 {
			t.Errorf("%v: admitted %d in the period before, after a restart", a.Period, n)
		}
		clock.Set(end)
		if n := spendAll(again, clock.Now()); n != 0 {
			t.Errorf("%v: admitted %d in the second period again, after a restart", a.Period, n)
		}
	}
}

// What remains is set while requests spend: at no time is more given than the limit and all
// that was added to it, and the last word holds to the unit.
func TestRemainingIsSetUnderLoad(t *testing.T) {
	clock := countertest.NewClock(utc(2026, 3, 4, 12))
	a := counter.Allowance{Limit: 1000, Period: counter.Day}
	s := openSet(t, counter.Options{Clock: clock, Ledger: new(counter.MemoryLedger)})
	q := s.Quota("q", a)
	var admitted atomic.Int64
	var spenders sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		spenders.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if q.Spend(clock.Now()) {
						admitted.Add(1)
					}
				}
			}
		})
	}
	most := a.Limit
	for range 100 {
		const extension = 7
		most += extension
		before := admitted.Load()
		if err := s.SetRemaining(t.Context(), "q", a, extension); err != nil {
			t.Fatal(err)
		}
		for admitted.Load() == before {
			runtime.Gosched() // there are some to be had
		}
		if n := admitted.Load(); n > most {
			t.Fatalf("admitted %d, want at most %d", n, most)
		}
	}
	close(stop)
	spenders.Wait()
	if err := s.SetRemaining(t.Context(), "q", a, 3); err != nil {
		t.Fatal(err)
	}
	if n := spendAll(q, clock.Now()); n != 3 {
		t.Errorf("admitted %d after 3 were made to remain", n)
	}
	usage, err := s.Usage(t.Context(), "q", a, utc(2026, 3, 4, 0), utc(2026, 3, 4, 0))
	if err != nil || len(usage) != 1 || usage[0].Used != admitted.Load()+3 || usage[0].Remaining != 0 {
		t.Errorf("usage %+v, %v, want %d used", usage, err, admitted.Load()+3)
	}
}
