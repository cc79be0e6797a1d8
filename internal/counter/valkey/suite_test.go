package valkey_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	driver "github.com/valkey-io/valkey-go"

	"gatehouse/internal/counter"
	"gatehouse/internal/counter/countertest"
	"gatehouse/internal/counter/valkey"
)

// nodes numbers the nodes of all tests.
var nodes atomic.Int64

// A cluster is some nodes that share a server and a ledger.
type cluster struct {
	server *countertest.Server
	clock  *counter.Coarse
	ledger countertest.Ledger

	mu      sync.Mutex
	watched []*countertest.Watched // one for each node that open made
}

func newCluster(t *testing.T, args ...string) *cluster {
	c := &cluster{server: countertest.StartServer(t, args...), clock: counter.NewCoarse()}
	t.Cleanup(c.clock.Stop)
	return c
}

// open returns the set of a new node, not running yet.
func (c *cluster) open(t *testing.T) *counter.Set {
	t.Helper()
	server, err := valkey.New("redis://" + c.server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	watched := countertest.Watch(server)
	c.mu.Lock()
	c.watched = append(c.watched, watched)
	c.mu.Unlock()
	s, err := counter.Open(t.Context(), counter.Options{
		Clock: c.clock, Ledger: &c.ledger, Server: watched, Node: fmt.Sprint("node", nodes.Add(1)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (c *cluster) run(t *testing.T) (*counter.Set, func()) {
	s := c.open(t)
	return s, countertest.Run(t, s)
}

// failed reports whether the server ever failed to answer a node in time.
func (c *cluster) failed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.watched, (*countertest.Watched).Failed)
}

// watch begins to measure how well the nodes are served.
func (c *cluster) watch() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.watched {
		w.Reset()
	}
}

// alone returns what nodes may have admitted since watch on their own.
func (c *cluster) alone(l counter.Limit) (tokens float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.watched {
		tokens += w.Alone(l, len(c.watched))
	}
	return tokens
}

// gather waits until every node knows of all: before, each takes a greater share.
func gather(t *testing.T, sets []*counter.Set) {
	t.Helper()
	for until := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if !slices.ContainsFunc(sets, func(s *counter.Set) bool { return s.Nodes() != len(sets) }) {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("the %d nodes do not know of each other", len(sets))
		}
	}
}

func TestSuite(t *testing.T) {
	countertest.Suite(t, func(t *testing.T) countertest.Kind {
		t.Parallel()
		c := newCluster(t)
		return countertest.Kind{Clock: c.clock, Open: c.run, Failed: c.failed}
	})
}

// command runs one command at the server, past the counters.
func (c *cluster) command(t *testing.T, args ...string) {
	t.Helper()
	client, err := driver.NewClient(driver.ClientOption{InitAddress: []string{c.server.Addr}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Do(t.Context(), client.B().Arbitrary(args...).Build()).Error(); err != nil {
		t.Fatal(err)
	}
}
