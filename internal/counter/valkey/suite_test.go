package valkey_test

import (
	"fmt"
	"sync/atomic"
	"testing"

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
	s, err := counter.Open(t.Context(), counter.Options{
		Clock: c.clock, Ledger: &c.ledger, Server: server, Node: fmt.Sprint("node", nodes.Add(1)),
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

func TestSuite(t *testing.T) {
	countertest.Suite(t, func(t *testing.T) countertest.Kind {
		t.Parallel()
		c := newCluster(t)
		return countertest.Kind{Clock: c.clock, Open: c.run}
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
