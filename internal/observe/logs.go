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

	stages  sync.Map // *plan.Stage to *stageLogs: writers are made once per stage
	scratch sync.Pool
}

// scratch is what the lines of a request are made in.
type scratch struct {
	text  []byte
	lines logstore.Lines

	stage *plan.Stage // of the last request, with its writers: often that of the next too
	to    *stageLogs
}

// stageLogs are the writers of one stage: to its log group and, of a canary, to the canary's
// too. access is empty when it has no access log.
type stageLogs struct{ access, execution []*logstore.Writer }

// Done implements gateway.Observer.
func (l *Logs) Done(r *gateway.Record) {
	if r.Stage == nil || r.Stage.AccessLog == nil && !r.HasExecutionLog() {
		return
	}
	s, _ := l.scratch.Get().(*scratch)
	if s == nil {
		s = new(scratch)
	}
	if s.stage != r.Stage {
		s.stage, s.to = r.Stage, l.of(r.Stage)
	}
	if r.HasExecutionLog() {
		s.execution(r, s.to.execution)
	}
	if r.Stage.AccessLog != nil {
		s.access(r, s.to.access)
	}
	l.scratch.Put(s)
}

// execution appends the lines of a request together: one costs little more than none.
func (s *scratch) execution(r *gateway.Record, to []*logstore.Writer) {
	s.text = r.AppendExecutionPrefix(s.text[:0])
	s.lines.Reset(s.text)
	for at, message := range r.ExecutionLog {
		if s.lines.Add(at.UnixMilli(), message) {
			continue
		}
		for _, w := range to {
			w.AppendLines(&s.lines)
		}
		s.lines.Reset(s.text)
		s.lines.Add(at.UnixMilli(), message)
	}
	for _, w := range to {
		w.AppendLines(&s.lines)
	}
}

func (s *scratch) access(r *gateway.Record, to []*logstore.Writer) {
	var ok bool
	if s.text, ok = r.AppendAccessLog(s.text[:0]); !ok {
		return
	}
	// The time is that of the answer, as the service writes the record after it.
	at := r.Start.Add(r.Latency).UnixMilli()
	for _, w := range to {
		w.Append(at, bytes.TrimSuffix(s.text, []byte("\n")))
	}
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
