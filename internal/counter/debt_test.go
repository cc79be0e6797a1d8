package counter_test

import (
	"context"
	"testing"
	"time"

	"gatehouse/internal/counter"
	"gatehouse/internal/counter/countertest"
)

// lateServer is a server with one bucket that never refills. It settles an exchange when
// told to, so that a test decides what happens before the answer.
type lateServer struct {
	tokens  int64
	arrived chan struct{}
	settle  chan struct{}
}

func (s *lateServer) Exchange(ctx context.Context, b counter.Batch) (counter.Answer, error) {
	ans := counter.Answer{Nodes: 1, Settled: time.Hour}
	if len(b.Rates) == 0 {
		return ans, nil
	}
	s.arrived <- struct{}{}
	<-s.settle
	for _, ask := range b.Rates {
		s.tokens += ask.Back - ask.Debt
		grant := max(0, min(ask.Want, s.tokens))
		s.tokens -= grant
		ans.Rates = append(ans.Rates, counter.RateGrant{Tokens: grant, Left: float64(s.tokens)})
	}
	return ans, nil
}

func (s *lateServer) Leave(context.Context, string) error { return nil }

// Requests that the local share decides while an answer is late are owed to the server.
// The answer's word of what is left does not know of them; taking it for the next share
// would give the burst out a second time, and again with every late answer.
func TestLateAnswerGivesNoTokenTwice(t *testing.T) {
	clock := countertest.NewClock(noon)
	server := &lateServer{tokens: 500, arrived: make(chan struct{}), settle: make(chan struct{})}
	s := openSet(t, counter.Options{Clock: clock, Server: server, Node: "n"})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, time.Second) }()

	b := s.Bucket("b", counter.Limit{Rate: 0, Burst: 500})
	admitted := 0
	take := func() {
		if b.Take(clock.Now()) {
			admitted++
		}
	}
	for range 4 {
		for asked := false; !asked; {
			clock.Advance(time.Millisecond) // past the pause of a bucket that is dry
			take()
			select {
			case <-server.arrived:
				asked = true
			default:
			}
		}
		for range 600 {
			take()
		}
		server.settle <- struct{}{}
	}
	if admitted != 500 {
		t.Errorf("admitted %d while answers were late, want the burst of 500", admitted)
	}
	cancel()
	for {
		select {
		case <-server.arrived:
			server.settle <- struct{}{}
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
			return
		}
	}
}
