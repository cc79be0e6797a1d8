package server

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"gatehouse/internal/config"
	"gatehouse/internal/firewall"
	"gatehouse/internal/gateway/inspect"
	"gatehouse/internal/lang/wafrules/record"
	"gatehouse/internal/logstore"
	"gatehouse/internal/model"
	"gatehouse/internal/observe/sink"
)

// firewallLogs writes the log records of web ACLs: to log groups, and in place of delivery
// streams and buckets to what the configuration maps them to.
type firewallLogs struct {
	events *logstore.Store
	log    *slog.Logger
	mapped []config.FirewallLog

	explain    bool   // records tell what matched
	explainKey []byte // nil unless explain is set

	sinks   map[string]*sink.Sink // by destination
	writers sync.Map              // by destination and web ACL: *logstore.Writer
}

// openLogs opens what destinations are mapped to. allow judges the addresses of collectors.
func (f *firewallLogs) openLogs(key []byte, allow func(string, netip.AddrPort) error) error {
	if f.explain {
		f.explainKey = key
	}
	f.sinks = map[string]*sink.Sink{}
	for _, m := range f.mapped {
		switch {
		case m.File != "":
			k, err := sink.File(m.File, f.log)
			if err != nil {
				return fmt.Errorf("firewall.logs: %w", err)
			}
			f.sinks[m.Destination] = k
		case m.URL != "":
			f.sinks[m.Destination] = sink.HTTP(sink.Collector{URL: m.URL, Token: m.Token.Reveal(), Allow: allow}, f.log)
		}
	}
	return nil
}

// group returns the log group that a destination stands for; "" if it stands for none.
func (f *firewallLogs) group(destination string) logstore.Group {
	arn, _ := model.ParseARN(destination)
	g := logstore.Group{Account: arn.Account, Region: arn.Region}
	if name, ok := strings.CutPrefix(arn.Resource, "log-group:"); ok && arn.Service == "logs" {
		g.Name = name
	}
	for _, m := range f.mapped {
		if m.Destination == destination {
			g.Name = m.Group
		}
	}
	return g
}

// logsTo reports whether anything is written for a destination.
func (f *firewallLogs) logsTo(destination string) bool {
	return f.sinks[destination] != nil || f.group(destination).Name != ""
}

// Log implements inspect.Recorder. Records for destinations that nothing stands for are
// dropped, which PutLoggingConfiguration and readiness say.
func (f *firewallLogs) Log(to *inspect.Logging, l *record.Log) {
	k, w := f.sinks[to.Destination], f.writer(to.Destination, l.WebACLID)
	if k == nil && w == nil {
		return
	}
	line, err := json.Marshal(l)
	if err != nil {
		f.log.Error("a firewall record cannot be written", "error", err)
		return
	}
	if k != nil {
		k.Append(line)
		return
	}
	w.Append(l.Timestamp, line)
}

// writer returns what writes to the log group of a destination, in the stream of the web
// ACL; nil without one.
func (f *firewallLogs) writer(destination, acl string) *logstore.Writer {
	key := destination + "\n" + acl
	if w, ok := f.writers.Load(key); ok {
		return w.(*logstore.Writer)
	}
	var w *logstore.Writer
	of, ok := firewall.ParseARN(acl)
	if group := f.group(destination); group.Name != "" && ok {
		if group.Account == "" { // the ARN of a bucket names neither
			group.Account, group.Region = of.Scope.Account, of.Scope.Region
		}
		w = f.events.Writer(group, of.Scope.Region+"_"+of.Name+"_0")
	}
	kept, _ := f.writers.LoadOrStore(key, w)
	return kept.(*logstore.Writer)
}

// dropped and failed count lines of all sinks.
func (f *firewallLogs) dropped() (n float64) {
	for _, k := range f.sinks {
		n += float64(k.Stats().Dropped)
	}
	return n
}

func (f *firewallLogs) failed() (n float64) {
	for _, k := range f.sinks {
		n += float64(k.Stats().Failed)
	}
	return n
}

// notLogged lists the web ACLs of stages that log to what nothing stands for.
func (s *Server) notLogged() (problems []string) {
	p := s.gateway.Plan()
	if p == nil {
		return nil
	}
	seen := map[string]bool{}
	for stage := range p.Stages {
		g := stage.Guard
		if g == nil || g.Logging == nil || seen[g.ACL.ARN()] || s.firewall.logsTo(g.Logging.Destination) {
			continue
		}
		seen[g.ACL.ARN()] = true
		problems = append(problems, fmt.Sprintf("web ACL %s logs to %s, for which firewall.logs of the configuration has nothing: its records are dropped", g.ACL.ARN(), g.Logging.Destination))
	}
	slices.Sort(problems)
	return problems
}
