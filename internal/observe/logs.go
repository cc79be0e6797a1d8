package observe

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"sync"

	"gatehouse/internal/gateway"
	"gatehouse/internal/logstore"
	"gatehouse/internal/plan"
)

// Logs writes the access log and the execution log of each request to the log groups of its
// stage. It is safe for concurrent use and never blocks: what the log store has no room for
// is dropped and counted there.
type Logs struct {
	Store *logstore.Store

	stages sync.Map // *plan.Stage to *stageLogs: writers are made once per stage
	lines  sync.Pool
}

// stageLogs are the writers of one stage: to its log group and, of a canary, to the canary's
// too. access is empty when it has no access log.
type stageLogs struct{ access, execution []*logstore.Writer }

// Done implements gateway.Observer.
func (l *Logs) Done(r *gateway.Record) {
	if r.Stage == nil || r.Stage.AccessLog == nil && !r.HasExecutionLog() {
		return
	}
	to := l.of(r.Stage)
	if r.HasExecutionLog() {
		for at, event := range r.ExecutionLog {
			for _, w := range to.execution {
				w.Append(at.UnixMilli(), event)
			}
		}
	}
	if r.Stage.AccessLog != nil {
		l.access(r, to)
	}
}

func (l *Logs) access(r *gateway.Record, to *stageLogs) {
	b, _ := l.lines.Get().(*[]byte)
	if b == nil {
		b = new([]byte)
	}
	line, ok := r.AppendAccessLog((*b)[:0])
	if ok {
		// The time is that of the answer, as the service writes the record after it.
		for _, w := range to.access {
			w.Append(r.Start.Add(r.Latency).UnixMilli(), bytes.TrimSuffix(line, []byte("\n")))
		}
	}
	*b = line
	l.lines.Put(b)
}

func (l *Logs) of(s *plan.Stage) *stageLogs {
	if v, ok := l.stages.Load(s); ok {
		return v.(*stageLogs)
	}
	n := &stageLogs{execution: l.writers(s, s.ExecutionGroup)}
	if s.AccessLog != nil {
		n.access = l.writers(s, s.AccessLog.Group)
	}
	v, _ := l.stages.LoadOrStore(s, n)
	return v.(*stageLogs)
}

// writers returns the writers of a stage to a group.
func (l *Logs) writers(s *plan.Stage, group string) []*logstore.Writer {
	out := []*logstore.Writer{l.writer(s, group)}
	if s.IsCanary {
		out = append(out, l.writer(s, group+plan.CanarySuffix))
	}
	return out
}

// writer returns the writer of a stage's stream in a group. Streams are named by 32
// hexadecimal digits, one for each deployment of a stage.
func (l *Logs) writer(s *plan.Stage, group string) *logstore.Writer {
	sum := sha256.Sum256([]byte(s.API.Region + "/" + s.API.ID + "/" + s.Name + "/" + s.DeploymentID))
	return l.Store.Writer(logstore.Group{Account: s.Account, Region: s.API.Region, Name: group}, hex.EncodeToString(sum[:16]))
}

// Plan forgets what belongs to stages that are not in p.
func (l *Logs) Plan(p *plan.Plan) { forgetStages(&l.stages, p) }

// forgetStages removes the stages from a map that are no longer served.
func forgetStages(m *sync.Map, p *plan.Plan) {
	served := map[*plan.Stage]bool{nowhere: true}
	for s := range p.Stages {
		served[s] = true
	}
	m.Range(func(k, _ any) bool {
		if !served[k.(*plan.Stage)] {
			m.Delete(k)
		}
		return true
	})
}
