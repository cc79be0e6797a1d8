package inspect

import (
	"strconv"
	"strings"
	"sync"

	"gatehouse/internal/lang/wafrules"
	"gatehouse/internal/message"
)

// A describer makes the firewall's view of a request, reusing its memory.
type describer struct {
	request wafrules.Request
	header  []wafrules.Header
}

var describers = sync.Pool{New: func() any { return new(describer) }}

func (d *describer) release() {
	clear(d.header)
	*d = describer{header: d.header[:0]}
	describers.Put(d)
}

// View shows a request as Inspect does to a web ACL, in memory of its own.
func View(s *Subject) *wafrules.Request { return new(describer).describe(s) }

// own are the fields that the gateway writes itself, in the order in which the service's
// logs show them; what the client sent of them is not shown again.
var own = []string{"x-forwarded-for", "x-forwarded-proto", "x-forwarded-port", "host", "x-amzn-trace-id"}

// describe shows the request as the service's firewall sees it: with the forwarding fields
// that the backend will get, before the client's own header.
func (d *describer) describe(s *Subject) *wafrules.Request {
	req := s.Request
	conn := req.Conn
	proto := "http"
	if conn.TLS != nil {
		proto = "https"
	}
	forwarded := conn.Remote.Addr().Unmap().String()
	if before := req.Header.Values("X-Forwarded-For"); len(before) > 0 {
		forwarded = strings.Join(before, ", ") + ", " + forwarded
	}
	d.header = append(d.header[:0],
		wafrules.Header{Name: "X-Forwarded-For", Value: forwarded},
		wafrules.Header{Name: "X-Forwarded-Proto", Value: proto},
		wafrules.Header{Name: "X-Forwarded-Port", Value: strconv.Itoa(int(conn.Local.Port()))},
		wafrules.Header{Name: "Host", Value: req.Host},
		wafrules.Header{Name: "X-Amzn-Trace-Id", Value: s.Trace})
	for _, f := range req.Header {
		if !isOwn(f.Name) {
			d.header = append(d.header, wafrules.Header(f))
		}
	}
	d.request = wafrules.Request{Method: req.Method, Path: s.Path, Query: req.RawQuery, Version: req.Proto.String(), Header: d.header,
		ClientIP: conn.Remote.Addr().Unmap(), Time: s.Time}
	if s.Body != nil {
		d.request.Body = s.Body
		if list := codingsOf(req.Header); len(list) > 0 && !s.Decoded {
			d.request.Body = &inflated{body: s.Body, codings: list}
		}
	}
	return &d.request
}

func isOwn(name string) bool {
	for _, o := range own {
		if message.EqualName(o, name) {
			return true
		}
	}
	return false
}
