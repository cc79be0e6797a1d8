package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/plan"
	"gatehouse/internal/store"
)

// liveWithin bounds how long a management call waits for its effect to be served.
const liveWithin = 5 * time.Second

// control answers everything on the control port: operations, requests to APIs, and AWS
// management calls.
func (s *Server) control(w http.ResponseWriter, r *http.Request) {
	if !s.allowedHost(r.Host) {
		http.Error(w, "Host "+strconv.Quote(r.Host)+" is not one of this control port's names", http.StatusForbidden)
		return
	}
	if isCrossSite(r) {
		http.Error(w, "calls from web pages are refused on the control port", http.StatusForbidden)
		return
	}
	if strings.HasPrefix(r.URL.Path, opsPrefix) {
		s.operations(w, r)
		return
	}
	if id, region, ok := s.functionURLs.Split(r.Host); ok {
		s.invokeURL(w, r, id, region)
		return
	}
	if api, stage, rest, byPath, byHost := s.invocation(r); byPath || byHost {
		s.invoke(w, r, api, stage, rest, byPath)
		return
	}
	s.api.ServeHTTP(&liveWriter{ResponseWriter: w, s: s, r: r}, r)
}

// allowedHost reports whether the control port may be called as host: by an address of
// its listener, localhost, a configured name, an S3 name below localhost or a default
// endpoint. Anything else would let a web page reach it by rebinding a name of its own.
func (s *Server) allowedHost(hostport string) bool {
	host, ok := plan.NormalHost(hostport)
	if !ok {
		return false
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") || slices.Contains(s.live.Load().ControlHosts, host) {
		return true
	}
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback() || s.isListenerAddress(ip)
	}
	return s.isDefaultEndpoint(host)
}

func (s *Server) isDefaultEndpoint(host string) bool {
	if _, _, ok := s.functionURLs.Split(host); ok {
		return true
	}
	p := s.gateway.Plan()
	return p != nil && p.IsDefaultEndpoint(host)
}

// isListenerAddress reports whether the control port listens on ip; a port that listens
// everywhere takes any address, since an address cannot be rebound.
func (s *Server) isListenerAddress(ip net.IP) bool {
	host, _, err := net.SplitHostPort(s.config.Control)
	if err != nil {
		return false
	}
	own := net.ParseIP(host)
	return host == "" || own != nil && (own.IsUnspecified() || own.Equal(ip))
}

// isCrossSite reports whether a browser sent the request for a page of another site.
func isCrossSite(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return true
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Host != r.Host
}

// liveWriter holds the answer to a call back until what the call changed is served by this
// node: a call answers when its effect is live. After liveWithin it answers all the same,
// and readiness says what lags.
type liveWriter struct {
	http.ResponseWriter
	s    *Server
	r    *http.Request
	once sync.Once
}

func (l *liveWriter) wait() {
	l.once.Do(func() {
		if l.r.Method == http.MethodGet || l.r.Method == http.MethodHead || isInvocation(l.r.URL.Path) {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(l.r.Context()), liveWithin)
		defer cancel()
		revision, err := l.s.revision(ctx)
		if err != nil || errors.Join(l.s.compiler.Wait(ctx, revision), l.s.certificates.Wait(ctx, revision)) != nil {
			l.s.log.Warn("a call is answered before its effect is served", "revision", revision)
		}
	})
}

// isInvocation reports whether a call is to run a function, which changes nothing.
func isInvocation(path string) bool {
	return strings.HasSuffix(path, "/invocations") || strings.HasSuffix(path, "/response-streaming-invocations")
}

func (l *liveWriter) WriteHeader(status int) {
	l.wait()
	l.ResponseWriter.WriteHeader(status)
}

func (l *liveWriter) Write(p []byte) (int, error) {
	l.wait()
	return l.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (l *liveWriter) Unwrap() http.ResponseWriter { return l.ResponseWriter }

// revision is the store's, up to which the plan should be.
func (s *Server) revision(ctx context.Context) (revision int64, err error) {
	err = s.store.View(ctx, func(tx *store.Tx) error { revision = tx.Revision(); return nil })
	return revision, err
}
