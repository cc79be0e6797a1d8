package server

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"gatehouse/internal/compile"
	"gatehouse/internal/control/webacls"
	"gatehouse/internal/firewall"
	"gatehouse/internal/gateway/inspect"
	"gatehouse/internal/lang/wafrules/managed"
	"gatehouse/internal/lang/wafrules/ratecount"
	"gatehouse/internal/lang/wafrules/record"
	"gatehouse/internal/store"
)

// firewallParts is what web ACLs share: what they are compiled with, the counters of their
// rate-based rules, and what is kept of the requests that they saw. Management calls and the
// gateway meet here.
type firewallParts struct {
	inspect.Samples
	rates *ratecount.Store
	env   firewall.Environment
	log   *slog.Logger

	unmapped sync.Map // log destinations that nothing writes to, warned about once
}

// newFirewallParts makes the parts. A nil log is for compiling alone.
func newFirewallParts(log *slog.Logger) *firewallParts {
	f := &firewallParts{rates: ratecount.NewStore(), log: log}
	f.env = firewall.Environment{Catalog: managed.New(managed.Lists{}), Counters: f.rates}
	return f
}

func (f *firewallParts) compiler() compile.Firewall {
	return compile.Firewall{Compiler: firewall.NewCompiler(f.env), Geography: f.env.Geography, Recorder: f}
}

func (f *firewallParts) operations(st *store.Store) *webacls.WebACLs {
	return &webacls.WebACLs{Store: st, Environment: f.env, Traffic: f}
}

// Limited implements webacls.Traffic.
func (f *firewallParts) Limited(rule string, now time.Time) []netip.Addr {
	return f.rates.Limited(rule, now)
}

// Log implements inspect.Recorder. A destination that nothing writes to is said once.
func (f *firewallParts) Log(to *inspect.Logging, _ *record.Log) {
	if _, said := f.unmapped.LoadOrStore(to.Destination, true); !said {
		f.log.Warn("a web ACL logs to a destination that nothing is mapped to; its records are dropped", "destination", to.Destination)
	}
}

// sweepInterval is how often idle counters of rate-based rules are forgotten.
const sweepInterval = time.Minute

// run forgets idle counters until ctx ends.
func (f *firewallParts) run(ctx context.Context) error {
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			f.rates.Sweep(now)
		case <-ctx.Done():
			return nil
		}
	}
}
