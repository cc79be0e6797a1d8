package server

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/message"
	"gatehouse/internal/plan"
)

// The path forms of the default endpoint on the control port.
const (
	localPrefix  = "/_aws/execute-api/" // {api}/{stage}/…
	legacyPrefix = "/restapis/"         // {api}/{stage}/_user_request_/…
	legacyMark   = "_user_request_"
)

// maxInvokeBody is the largest body of a request to an API, in bytes.
const maxInvokeBody = 10 << 20

// invocation recognises a request to an API on the control port: by the path forms, or by
// the Host of a default endpoint or domain. rest is what follows the stage.
func (s *Server) invocation(r *http.Request) (api, stage, rest string, byPath, byHost bool) {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	if tail, ok := strings.CutPrefix(path, localPrefix); ok {
		api, tail, _ = strings.Cut(tail, "/")
		stage, rest, _ = strings.Cut(tail, "/")
		return api, stage, "/" + rest, true, false
	}
	if tail, ok := strings.CutPrefix(path, legacyPrefix); ok {
		parts := strings.SplitN(tail, "/", 4)
		if len(parts) >= 3 && parts[2] == legacyMark {
			rest = "/"
			if len(parts) == 4 {
				rest += parts[3]
			}
			return parts[0], parts[1], rest, true, false
		}
	}
	host, ok := plan.NormalHost(r.Host)
	if p := s.gateway.Plan(); ok && p != nil && p.IsDefaultEndpoint(host) {
		return "", "", "", false, true
	}
	return "", "", "", false, false
}

// invoke answers a request to an API that came by the control port.
func (s *Server) invoke(w http.ResponseWriter, r *http.Request, api, stage, rest string, byPath bool) {
	if !s.controlInvoke {
		http.Error(w, "invoking APIs through the control port is off (control-invoke)", http.StatusForbidden)
		return
	}
	req, err := messageOf(r)
	if err != nil {
		http.Error(w, "Bad Request", http.StatusBadRequest)
		return
	}
	mw := &messageWriter{w: w, isHead: r.Method == http.MethodHead}
	defer mw.finish()
	if !byPath {
		s.gateway.Serve(r.Context(), req, mw)
		return
	}
	s.gateway.ServePath(r.Context(), req, mw, s.apiKey(api), stage, rest)
}

// apiKey finds the region of an API that is named without one: the first of the configured
// regions that has it.
func (s *Server) apiKey(api string) plan.APIKey {
	if p := s.gateway.Plan(); p != nil {
		for _, region := range append(slices.Clone(s.config.Regions), p.Regions()...) {
			if p.API(region, api) != nil {
				return plan.APIKey{Region: region, ID: api}
			}
		}
	}
	return plan.APIKey{Region: s.config.Region(), ID: api}
}

// messageOf makes the gateway's request of one that net/http parsed. Names of header fields
// are in canonical case: what the client wrote is not known.
func messageOf(r *http.Request) (*message.Request, error) {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(r.RequestURI, "/") {
		return nil, errors.New("request target is not a path")
	}
	path, query, _ := strings.Cut(r.RequestURI, "?")
	req := &message.Request{
		Method: r.Method, Target: r.RequestURI, Path: path, RawQuery: query, Host: r.Host,
		ContentLength: r.ContentLength, Body: limited(r.Body), Received: time.Now(),
		Conn: &message.Conn{Listener: message.ControlListener, Remote: netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())},
	}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		req.Conn.Local, _ = netip.ParseAddrPort(local.String())
	}
	req.Header.Add("Host", r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			req.Header.Add(name, v)
		}
	}
	slices.SortStableFunc(req.Header[1:], func(a, b message.Field) int { return strings.Compare(a.Name, b.Name) })
	return req, nil
}

// limited bounds a body as the data ports do.
func limited(body io.Reader) io.Reader { return &limitedBody{body, maxInvokeBody} }

type limitedBody struct {
	r    io.Reader
	left int64
}

func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, message.ErrBodyTooLarge
	}
	return n, err
}

// messageWriter writes the gateway's answers through net/http.
type messageWriter struct {
	w       http.ResponseWriter
	isHead  bool
	aborted bool
}

func (m *messageWriter) WriteInformational(status int, h message.Header) error {
	setHeader(m.w.Header(), h)
	m.w.WriteHeader(status)
	clear(m.w.Header())
	return nil
}

func (m *messageWriter) WriteHead(status int, h message.Header, length int64) error {
	setHeader(m.w.Header(), h)
	if length >= 0 && !(m.isHead && length == 0) {
		m.w.Header().Set("Content-Length", strconv.FormatInt(length, 10))
	}
	m.w.WriteHeader(status)
	return nil
}

// setHeader keeps the names as they are: net/http would write "X-Amzn-Requestid".
func setHeader(to http.Header, h message.Header) {
	for _, f := range h {
		switch http.CanonicalHeaderKey(f.Name) {
		case "Content-Length", "Transfer-Encoding", "Connection":
			continue
		}
		to[f.Name] = append(to[f.Name], f.Value)
	}
}

func (m *messageWriter) Write(p []byte) (int, error) {
	if m.isHead {
		return len(p), nil
	}
	return m.w.Write(p)
}

func (m *messageWriter) Flush() error { return http.NewResponseController(m.w).Flush() }

func (m *messageWriter) WriteTrailer(h message.Header) error {
	for _, f := range h {
		m.w.Header().Add(http.TrailerPrefix+f.Name, f.Value)
	}
	return nil
}

func (m *messageWriter) Abort() { m.aborted = true }

// finish breaks the connection when the answer must not look complete.
func (m *messageWriter) finish() {
	if m.aborted {
		panic(http.ErrAbortHandler)
	}
}
