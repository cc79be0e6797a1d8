package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/compile"
	"gatehouse/internal/config"
	"gatehouse/internal/control/webacls"
	"gatehouse/internal/counter/valkey"
	"gatehouse/internal/firewall"
	"gatehouse/internal/firewall/places"
	"gatehouse/internal/gateway/inspect"
	"gatehouse/internal/lang/wafrules"
	"gatehouse/internal/lang/wafrules/managed"
	"gatehouse/internal/lang/wafrules/ratecount"
	"gatehouse/internal/logstore"
	"gatehouse/internal/store"
)

// firewallParts is what web ACLs share: what they are compiled with, the counters of their
// rate-based rules, and what is kept of the requests that they saw. Management calls and the
// gateway meet here.
type firewallParts struct {
	inspect.Samples
	inspect.Explanations
	rates  *ratecount.Store
	env    firewall.Environment
	acls   *firewall.Compiler
	places *places.Places // nil without databases
	log    *slog.Logger
	shared *valkey.Server // where nodes count together; nil while this one counts alone

	firewallLogs
}

// newFirewallParts makes the parts, reading what the configuration names. Without a log
// and events they are for compiling alone.
func newFirewallParts(c config.Firewall, log *slog.Logger, events *logstore.Store) (*firewallParts, error) {
	f := &firewallParts{rates: ratecount.NewStore(), log: log}
	f.firewallLogs = firewallLogs{events: events, log: log, explain: c.ExplainLogs, mapped: c.Logs}
	lists, err := firewallLists(c)
	if err != nil {
		return nil, fmt.Errorf("firewall: %w", err)
	}
	f.env = firewall.Environment{Catalog: managed.New(lists), Counters: f.rates}
	if c.Countries != "" {
		if f.places, err = places.Open(c.Countries, c.Systems); err != nil {
			return nil, fmt.Errorf("firewall: %w", err)
		}
		f.env.Geography = f.places
	}
	f.acls = firewall.NewCompiler(f.env)
	return f, nil
}

// share makes the nodes of a cluster count together for rate-based rules, through the server
// that their other counters use. The connection is one of its own: sheets may be long, and
// throttles must not wait for them.
func (f *firewallParts) share(url string, secret []byte) (err error) {
	if url == "" {
		return nil
	}
	if f.shared, err = valkey.New(url); err == nil {
		f.rates.Share(secret)
	}
	return err
}

// close lets go of databases and connections.
func (f *firewallParts) close() {
	if f != nil && f.places != nil {
		f.places.Close()
	}
	if f != nil && f.shared != nil {
		f.shared.Close()
	}
}

// firewallLists reads the configured lists of networks.
func firewallLists(c config.Firewall) (lists managed.Lists, err error) {
	for _, l := range []struct {
		file string
		set  **wafrules.IPSet
	}{
		{c.Reputation, &lists.Reputation}, {c.Reconnaissance, &lists.Reconnaissance}, {c.DDoS, &lists.DDoS},
		{c.Anonymous, &lists.Anonymous}, {c.Hosting, &lists.Hosting},
	} {
		if l.file == "" {
			continue
		}
		if *l.set, err = readNetworks(l.file); err != nil {
			return lists, err
		}
	}
	if c.Bots != "" {
		lists.Bots, err = readBots(c.Bots)
	}
	return lists, err
}

// readNetworks reads a list of networks: one CIDR or address in a line, comments after "#".
func readNetworks(file string) (*wafrules.IPSet, error) {
	var networks []netip.Prefix
	err := eachNetwork(file, 1, func(p netip.Prefix, _ []string) { networks = append(networks, p) })
	return wafrules.NewIPSet(networks), err
}

// readBots reads a list of networks with a word for the robot that each belongs to.
func readBots(file string) (*managed.Bots, error) {
	networks := map[string][]netip.Prefix{}
	if err := eachNetwork(file, 2, func(p netip.Prefix, rest []string) {
		word := strings.ToLower(rest[0])
		networks[word] = append(networks[word], p)
	}); err != nil {
		return nil, err
	}
	bots := &managed.Bots{Networks: map[string]*wafrules.IPSet{}}
	for word, list := range networks {
		bots.Networks[word] = wafrules.NewIPSet(list)
	}
	return bots, nil
}

// eachNetwork visits the lines of a list, of so many words each, the first of which is a
// network.
func eachNetwork(file string, words int, visit func(p netip.Prefix, rest []string)) error {
	src, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	n := 0
	for line := range strings.Lines(string(src)) {
		n++
		text, _, _ := strings.Cut(line, "#")
		fields := strings.Fields(text)
		if len(fields) == 0 {
			continue
		}
		p, err := netip.ParsePrefix(fields[0])
		if a, notPrefix := netip.ParseAddr(fields[0]); notPrefix == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %q: want an address or a network in CIDR form", file, n, fields[0])
		}
		if len(fields) != words {
			return fmt.Errorf("%s:%d: %q: found %d words, want %d", file, n, strings.TrimSpace(text), len(fields), words)
		}
		visit(p, fields[1:])
	}
	return nil
}

func (f *firewallParts) compiler() compile.Firewall {
	return compile.Firewall{Compiler: f.acls, Geography: f.env.Geography, Recorder: f, ExplainKey: f.explainKey}
}

func (f *firewallParts) operations(st *store.Store, mayAlso func(ctx context.Context, action, arn string) error) *webacls.WebACLs {
	return &webacls.WebACLs{Store: st, Authorize: mayAlso, Environment: f.env, Traffic: f, LogsTo: f.logsTo, Log: f.firewallLogs.log}
}

// Limited implements webacls.Traffic.
func (f *firewallParts) Limited(rule string, now time.Time) []netip.Addr {
	return f.rates.Limited(rule, now)
}

// sweepInterval is how often idle counters of rate-based rules are forgotten.
const sweepInterval = time.Minute

// run forgets idle counters, and shares the others, until ctx ends.
func (f *firewallParts) run(ctx context.Context) error {
	var shared sync.WaitGroup // a Run of these ends with ctx, and without an error
	if f.shared != nil {
		shared.Go(func() { f.rates.RunShared(ctx, f.shared.Board(), rand.Text(), f.log) })
	}
	for _, k := range f.sinks {
		shared.Go(func() { k.Run(ctx) })
	}
	defer shared.Wait()
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
