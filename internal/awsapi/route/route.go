// Package route finds the operation that a REST request means. Paths are matched as
// they were sent: labels are cut out of the escaped path and decoded afterwards, so
// that an escaped slash stays inside its label and doubled slashes stay where they are.
//
// A Table is immutable and safe for concurrent use.
package route

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"gatehouse/internal/awsapi/schema"
)

// A Table holds the routes of one service, those of operations that are not served
// included: "DELETE /bucket?cors" must not be taken for "DELETE /bucket".
type Table struct {
	routes []route
}

// A Match is what a request means.
type Match struct {
	Operation *schema.Operation // nil when the operation is not served
	Name      string            // of the operation, served or not
	Labels    map[string]string // decoded, by wire name
}

// A route is one operation's path and what else it wants to see.
type route struct {
	op       *schema.Operation
	name     string
	method   string
	segments []segment
	query    []parameter // fixed parts of the route
	members  []*schema.Member
}

// A segment is the part of a path between two slashes.
type segment struct {
	label   bool
	greedy  bool   // a label that takes the rest of the path
	literal string // or the label's name
}

// A parameter is a query parameter that must be there, with a value or any.
type parameter struct {
	name, value string
	anyValue    bool
}

// New makes the table of a service.
func New(svc *schema.Service) *Table {
	t := &Table{}
	for i := range svc.Operations {
		op := &svc.Operations[i]
		r := parse(op.Name, op.Method, op.URI)
		r.op = op
		for j := range op.In.Members {
			if m := &op.In.Members[j]; m.Required && (m.Loc == schema.QueryParam || m.Loc == schema.Header) {
				r.members = append(r.members, m)
			}
		}
		t.routes = append(t.routes, r)
	}
	for _, o := range svc.Other {
		t.routes = append(t.routes, parse(o.Name, o.Method, o.URI))
	}
	// Literal paths before labels, whole segments before greedy ones.
	slices.SortStableFunc(t.routes, func(a, b route) int { return b.weight() - a.weight() })
	return t
}

func parse(name, method, uri string) route {
	path, query, _ := strings.Cut(uri, "?")
	r := route{name: name, method: method}
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		label, ok := strings.CutPrefix(part, "{")
		if !ok {
			r.segments = append(r.segments, segment{literal: part})
			continue
		}
		label, greedy := strings.CutSuffix(strings.TrimSuffix(label, "}"), "+")
		r.segments = append(r.segments, segment{label: true, greedy: greedy, literal: label})
	}
	if query == "" {
		return r
	}
	for part := range strings.SplitSeq(query, "&") {
		key, value, valued := strings.Cut(part, "=")
		r.query = append(r.query, parameter{key, value, !valued})
	}
	return r
}

// weight orders routes of one shape of path: the more literal, the heavier.
func (r *route) weight() int {
	w := 0
	for _, s := range r.segments {
		switch {
		case s.greedy:
			w -= 1000
		case !s.label:
			w++
		}
	}
	return w
}

// Find returns what a request means. The path is the escaped one. Among the operations
// whose path and fixed query parameters fit, the one wins that asks for most (score);
// what it misses all the same, the validator names.
func (t *Table) Find(method, path string, query url.Values, header http.Header) (Match, bool) {
	var best *route
	var bestLabels []string
	bestScore := -1
	for i := range t.routes {
		r := &t.routes[i]
		if r.method != method {
			continue
		}
		if best != nil && r.weight() < best.weight() {
			break // only longer labels follow
		}
		labels, ok := r.matchPath(path)
		if !ok {
			continue
		}
		if score := r.score(query, header); score > bestScore {
			best, bestLabels, bestScore = r, labels, score
		}
	}
	if best == nil {
		return Match{}, false
	}
	m := Match{Operation: best.op, Name: best.name}
	return m, m.setLabels(best, bestLabels)
}

// score is -1 when the fixed query parameters do not fit. Otherwise it grows with their
// number first, and then with the number of required members when all are there: an
// upload of a part is not one without its part number, but "mode=import" is an import
// whatever else is missing.
func (r *route) score(query url.Values, header http.Header) int {
	for _, p := range r.query {
		values, ok := query[p.name]
		if !ok || !p.anyValue && (len(values) == 0 || values[0] != p.value) {
			return -1
		}
	}
	for _, m := range r.members {
		if m.Loc == schema.QueryParam && !query.Has(m.Wire) || m.Loc == schema.Header && header.Get(m.Wire) == "" {
			return 100 * len(r.query)
		}
	}
	return 100*len(r.query) + 1 + len(r.members)
}

// matchPath returns the escaped labels of a path that fits.
func (r *route) matchPath(path string) ([]string, bool) {
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return nil, false
	}
	var labels []string
	for i, s := range r.segments {
		last := i == len(r.segments)-1
		part, after, more := strings.Cut(rest, "/")
		if s.greedy && last {
			part, more = rest, false
		}
		if last && more {
			return nil, false
		}
		if !last && !more {
			return nil, false
		}
		if !s.label && part != s.literal || s.label && part == "" {
			return nil, false
		}
		if s.label {
			labels = append(labels, part)
		}
		rest = after
	}
	return labels, true
}

// setLabels decodes the labels; it fails on a broken escape.
func (m *Match) setLabels(r *route, labels []string) bool {
	m.Labels = make(map[string]string, len(labels))
	for _, s := range r.segments {
		if !s.label {
			continue
		}
		value, err := url.PathUnescape(labels[0])
		if err != nil {
			return false
		}
		m.Labels[s.literal] = value
		labels = labels[1:]
	}
	return true
}
