package trial

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"gatehouse/internal/lang/wafrules"
	"gatehouse/internal/lang/wafrules/record"
)

// A Report tells which requests of a log a web ACL would treat differently.
type Report struct {
	Records int `json:"records"`
	Same    int `json:"same"`    // the same rule decides the same
	Rule    int `json:"rule"`    // the same outcome by another rule
	Changed int `json:"changed"` // another outcome

	// Bodies counts requests whose body a rule would inspect: logs do not keep bodies.
	Bodies int `json:"bodiesUnseen"`
	// Hidden counts requests of which the log hides a part: what stands for it was inspected.
	Hidden int `json:"partsHidden"`
	// Unreadable counts records that could not be read; Errors tells of the first ones.
	Unreadable int      `json:"unreadable"`
	Errors     []string `json:"errors,omitempty"`

	// Differences lists the changed ones, the first 1,000; Omitted counts the others.
	Differences []Difference `json:"differences"`
	Omitted     int          `json:"omitted,omitempty"`
}

// A Difference is a request that would be treated differently.
type Difference struct {
	Time      time.Time `json:"time"`
	RequestID string    `json:"requestId"`
	Method    string    `json:"method"`
	URI       string    `json:"uri"`
	Was       Decided   `json:"was"`
	Now       Opinion   `json:"now"`
	// BodyUnseen and PartsHidden say that the outcome may be another with what is not
	// in the log.
	BodyUnseen  bool `json:"bodyUnseen,omitempty"`
	PartsHidden bool `json:"partsHidden,omitempty"`
}

// Decided is what was decided about a request, and by which rule.
type Decided struct {
	Action string `json:"action"`
	Rule   string `json:"rule"`
	Status int    `json:"status,omitempty"` // sent, 0 if the request went on
}

const (
	maxDifferences = 1000
	maxErrors      = 3
	maxValue       = 64 << 20 // bytes of one JSON value of a log
)

// Replay evaluates the requests of a log in its order, at the times at which they came.
//
// A log is a sequence of JSON values with any white space between them: records as the
// service writes them, texts that are records, lists of either, or the answer of
// FilterLogEvents.
func (j *Judge) Replay(log io.Reader) (*Report, error) {
	out := &Report{Differences: []Difference{}}
	src := &allowance{src: log}
	dec := json.NewDecoder(src)
	for {
		src.left = maxValue
		var value json.RawMessage
		err := dec.Decode(&value)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("log, after %d records: %w", out.Records+out.Unreadable, err)
		}
		j.replayValue(out, value, 0)
	}
}

// An allowance bounds what one value may take.
type allowance struct {
	src  io.Reader
	left int
}

func (a *allowance) Read(p []byte) (int, error) {
	if a.left <= 0 {
		return 0, fmt.Errorf("a value is longer than %d bytes", maxValue)
	}
	n, err := a.src.Read(p[:min(len(p), a.left)])
	a.left -= n
	return n, err
}

// maxDepth bounds lists in lists and texts in texts.
const maxDepth = 4

// replayValue finds the records in a value.
func (j *Judge) replayValue(out *Report, value json.RawMessage, depth int) {
	if depth > maxDepth {
		out.unreadable(errors.New("lists and texts are nested too deeply"))
		return
	}
	if len(value) == 0 {
		out.unreadable(errors.New("an event has no message"))
		return
	}
	switch value[0] {
	case '[':
		var list []json.RawMessage
		if json.Unmarshal(value, &list) == nil {
			for _, v := range list {
				j.replayValue(out, v, depth+1)
			}
		}
	case '"':
		var text string
		err := json.Unmarshal(value, &text)
		if err == nil && json.Valid([]byte(text)) {
			j.replayValue(out, json.RawMessage(strings.TrimSpace(text)), depth+1)
			return
		}
		out.unreadable(fmt.Errorf("%.80q is not a record", text))
	default:
		j.replayObject(out, value, depth)
	}
}

func (j *Judge) replayObject(out *Report, value json.RawMessage, depth int) {
	var in struct {
		record.Log
		Events  []struct{ Message json.RawMessage }
		Message json.RawMessage
	}
	if err := json.Unmarshal(value, &in); err != nil {
		out.unreadable(fmt.Errorf("%.80q: %w", value, err))
		return
	}
	switch {
	case in.HTTPRequest.HTTPMethod != "":
		j.replay(out, &in.Log)
	case in.Events != nil:
		for _, e := range in.Events {
			j.replayValue(out, e.Message, depth+1)
		}
	case in.Message != nil:
		j.replayValue(out, in.Message, depth+1)
	default:
		out.unreadable(fmt.Errorf("%.80q has no httpRequest", value))
	}
}

func (r *Report) unreadable(err error) {
	r.Unreadable++
	if len(r.Errors) < maxErrors {
		r.Errors = append(r.Errors, err.Error())
	}
}

// replay evaluates the request of one record.
func (j *Judge) replay(out *Report, l *record.Log) {
	r, err := request(l)
	if err != nil {
		out.unreadable(fmt.Errorf("request %q: %w", l.HTTPRequest.RequestID, err))
		return
	}
	now, err := j.judge(r)
	if err != nil {
		out.unreadable(fmt.Errorf("request %q: %w", l.HTTPRequest.RequestID, err))
		return
	}
	out.Records++
	was := Decided{Action: l.Action, Rule: l.TerminatingRuleID}
	if l.ResponseCodeSent != nil {
		was.Status = *l.ResponseCodeSent
	}
	unseen, hidden := j.ACL.UsesBody() && hasBody(r), hides(l)
	count(&out.Bodies, unseen)
	count(&out.Hidden, hidden)
	switch {
	case was.Action == now.Action && (was.Status == 0 || was.Status == now.Status):
		count(&out.Same, was.Rule == now.Rule)
		count(&out.Rule, was.Rule != now.Rule)
		return
	case len(out.Differences) == maxDifferences:
		out.Omitted++
	default:
		out.Differences = append(out.Differences, Difference{Time: r.Time, RequestID: l.HTTPRequest.RequestID, Method: r.Method, URI: r.Path,
			Was: was, Now: now, BodyUnseen: unseen, PartsHidden: hidden})
	}
	out.Changed++
}

func count(n *int, when bool) {
	if when {
		*n++
	}
}

// request is the request of a record, as far as logs keep it.
func request(l *record.Log) (*wafrules.Request, error) {
	h := &l.HTTPRequest
	addr, err := netip.ParseAddr(h.ClientIP)
	if err != nil {
		return nil, fmt.Errorf("client address: %w", err)
	}
	r := &wafrules.Request{Method: h.HTTPMethod, Path: h.URI, Query: h.Args, Version: h.HTTPVersion, ClientIP: addr.Unmap(), Time: time.UnixMilli(l.Timestamp)}
	for _, line := range h.Headers {
		r.Header = append(r.Header, wafrules.Header(line))
	}
	return r, nil
}

// hasBody tells by the header whether the request had one.
func hasBody(r *wafrules.Request) bool {
	for _, h := range r.Header {
		if strings.EqualFold(h.Name, "transfer-encoding") || strings.EqualFold(h.Name, "content-length") && strings.Trim(h.Value, "0 ") != "" {
			return true
		}
	}
	return false
}

// hides reports whether the log shows something else in place of a part of the request.
// Substituted parts can be told; hashes look like any value.
func hides(l *record.Log) bool {
	h := &l.HTTPRequest
	for _, line := range h.Headers {
		if strings.Contains(line.Value, record.Redacted) {
			return true
		}
	}
	return h.URI == record.Redacted || h.HTTPMethod == record.Redacted || strings.Contains(h.Args, record.Redacted)
}
