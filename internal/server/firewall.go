package server

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/compile"
	"gatehouse/internal/control/webacls"
	"gatehouse/internal/firewall"
	"gatehouse/internal/gateway/inspect"
	"gatehouse/internal/lang/wafrules/managed"
	"gatehouse/internal/lang/wafrules/ratecount"
	"gatehouse/internal/lang/wafrules/record"
	"gatehouse/internal/logstore"
	"gatehouse/internal/model"
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

	events  *logstore.Store
	writers sync.Map // by destination: *logstore.Writer, nil for what nothing writes to
}

// newFirewallParts makes the parts. Without a log and events they are for compiling alone.
func newFirewallParts(log *slog.Logger, events *logstore.Store) *firewallParts {
	f := &firewallParts{rates: ratecount.NewStore(), log: log, events: events}
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

// Log implements inspect.Recorder: it writes to log groups. Records for delivery streams
// and buckets are dropped, which is said once for each.
func (f *firewallParts) Log(to *inspect.Logging, l *record.Log) {
	w := f.writer(to.Destination, l.WebACLID)
	if w == nil {
		return
	}
	line, err := json.Marshal(l)
	if err != nil {
		f.log.Error("a firewall record cannot be written", "error", err)
		return
	}
	w.Append(l.Timestamp, line)
}

// writer returns what writes to a destination, in the stream of the web ACL; nil if nothing
// does.
func (f *firewallParts) writer(destination, acl string) *logstore.Writer {
	key := destination + "\n" + acl
	if w, ok := f.writers.Load(key); ok {
		return w.(*logstore.Writer)
	}
	var w *logstore.Writer
	arn, _ := model.ParseARN(destination)
	group, isGroup := strings.CutPrefix(arn.Resource, "log-group:")
	if of, ok := firewall.ParseARN(acl); arn.Service == "logs" && isGroup && ok {
		w = f.events.Writer(logstore.Group{Account: arn.Account, Region: arn.Region, Name: group}, arn.Region+"_"+of.Name+"_0")
	}
	kept, existed := f.writers.LoadOrStore(key, w)
	if !existed && w == nil {
		f.log.Warn("a web ACL logs to a destination that nothing writes to; its records are dropped", "webACL", acl, "destination", destination)
	}
	return kept.(*logstore.Writer)
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
