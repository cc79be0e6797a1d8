package sigv4

import (
	"net/http"
	"strconv"
	"strings"

	"gatehouse/internal/message"
)

// FromMessage takes the signed parts of a request of the engines.
func FromMessage(m *message.Request) *Request {
	return &Request{Method: m.Method, Path: m.Path, RawQuery: m.RawQuery, Host: m.Host, Header: m.Header, Body: m.Body}
}

// FromHTTP takes the signed parts of a request that net/http has received. The raw
// path comes from RequestURI, as URL.Path has lost its escapes. Lines of one name keep
// their order.
func FromHTTP(h *http.Request) *Request {
	target := h.RequestURI
	if target == "" || target[0] != '/' { // made in process, or the absolute form
		target = h.URL.RequestURI()
	}
	path, query, _ := strings.Cut(target, "?")
	r := &Request{Method: h.Method, Path: path, RawQuery: query, Host: h.Host}
	for name, values := range h.Header {
		for _, v := range values {
			r.Header.Add(name, v)
		}
	}
	if h.ContentLength >= 0 && !r.Header.Has("Content-Length") {
		r.Header.Add("Content-Length", strconv.FormatInt(h.ContentLength, 10))
	}
	if h.Body != nil && h.Body != http.NoBody {
		r.Body = h.Body
	}
	return r
}
