package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/sigv4"
	"gatehouse/internal/compile"
	"gatehouse/internal/config"
	"gatehouse/internal/control/certificates"
	"gatehouse/internal/control/clientcertificates"
	"gatehouse/internal/control/domains"
	"gatehouse/internal/control/functions"
	"gatehouse/internal/control/identities"
	"gatehouse/internal/control/logs"
	"gatehouse/internal/control/objects"
	"gatehouse/internal/control/steering"
	"gatehouse/internal/counter"
	"gatehouse/internal/counter/valkey"
	"gatehouse/internal/edge"
	"gatehouse/internal/edge/seen"
	"gatehouse/internal/functionurl"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/authorizer"
	"gatehouse/internal/gateway/userpool"
	"gatehouse/internal/hold"
	"gatehouse/internal/http1"
	"gatehouse/internal/http1/upstream"
	"gatehouse/internal/http2"
	"gatehouse/internal/invoke/remote"
	"gatehouse/internal/keyhash"
	"gatehouse/internal/localca"
	"gatehouse/internal/logstore"
	"gatehouse/internal/message"
	"gatehouse/internal/observe"
	"gatehouse/internal/plan"
	"gatehouse/internal/runtime"
	"gatehouse/internal/store"
)

// A Server is Gatehouse. It is made by New, runs once, and is closed by Run.
type Server struct {
	config         *config.Config // as at start; what may change later is in live
	live           atomic.Pointer[config.Config]
	log            *slog.Logger
	store          *store.Store
	root           identities.RootKey
	ca             *localca.Authority
	api            *awsapi.Server
	identities     *identities.Service
	certificates   *clientcertificates.Keeper
	objects        *objects.Service
	gateway        *gateway.Gateway
	clock          *counter.Coarse
	counters       *counter.Set
	sharedCounters *valkey.Server
	hasher         *keyhash.Hasher
	runner         *runtime.Runner
	functions      *functions.Functions
	functionKeys   issuedKeys
	functionURLs   *functionurl.Handler
	remote         *remote.Router
	services       *awsServices
	outcomes       *http.Client // delivers outcomes of asynchronous calls
	backend        *upstream.Client
	tokens         *userpool.Verifier
	presented      map[string]bool // client certificates of the last plan; used by publish alone
	firewall       *firewallParts

	compiler   *compile.Compiler
	terminator *edge.Terminator
	serving    *localca.Serving // stands in for names without a certificate
	revocation *revocations
	clients    *seen.Book

	domainNames *domains.DomainNames
	steering    *steering.Guard
	follower    *follower

	acm        *certificates.Certificates
	challenges *challenges // nil without an ACME server
	shadows    *shadows
	domains    domainTable
	metrics    *observe.Metrics
	logs       *observe.Logs
	decisions  *observe.Decisions
	events     *logstore.Store
	logGroups  *logs.Logs

	sockets       sockets
	endpoints     []*endpointListener
	engine        *http1.Server
	h2            *http2.Server
	plain, secure *edge.Listener
	controlHTTP   *http.Server
	controlInvoke bool
	draining      atomic.Bool

	answering chan struct{} // closed when all ports answer
}

// sockets are the bound listeners; nil for ports that are off.
type sockets struct{ control, http, https, ops net.Listener }

// New opens everything that can fail because of the machine or the data: ports, folder,
// store, keys. When it returns nil, Run must be called.
func New(ctx context.Context, c *config.Config, log *slog.Logger) (_ *Server, err error) {
	s := &Server{config: c, log: log, answering: make(chan struct{})}
	s.live.Store(c)
	s.controlInvoke = c.ControlInvoke == "on" || c.ControlInvoke == "auto" && config.IsLoopback(c.Control)
	if err := s.listen(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.closeSockets()
			if s.runner != nil {
				s.closeFunctions()
			}
			if s.clock != nil {
				s.closeCounters()
			}
			if s.store != nil {
				err = errors.Join(err, s.store.Close())
			}
		}
	}()
	if err := s.openData(ctx); err != nil {
		return nil, err
	}
	if err := s.assemble(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// listen binds every configured port.
func (s *Server) listen() (err error) {
	// Engines close what is idle or stalls: probes of the kernel would cost four system
	// calls per connection and find nothing sooner.
	with := net.ListenConfig{KeepAlive: -1}
	for _, l := range []struct {
		name, addr string
		to         *net.Listener
	}{
		{"control", s.config.Control, &s.sockets.control},
		{"http", s.config.HTTP, &s.sockets.http},
		{"https", s.config.HTTPS, &s.sockets.https},
		{"ops", s.config.Ops, &s.sockets.ops},
	} {
		if l.addr == "" || l.addr == config.Off {
			continue
		}
		if *l.to, err = with.Listen(context.Background(), "tcp", l.addr); err != nil {
			s.closeSockets()
			return fmt.Errorf("port %s (%s): %w", l.name, l.addr, err)
		}
	}
	if err := s.listenEndpoints(); err != nil {
		s.closeSockets()
		return err
	}
	return nil
}

func (s *Server) closeSockets() {
	for _, l := range []net.Listener{s.sockets.control, s.sockets.http, s.sockets.https, s.sockets.ops} {
		if l != nil {
			l.Close()
		}
	}
	for _, e := range s.endpoints {
		e.socket.Close()
	}
}

// assemble connects the parts.
func (s *Server) assemble(ctx context.Context) error {
	s.metrics = observe.NewMetrics()
	if err := s.openCounters(ctx); err != nil {
		return err
	}
	var err error
	if s.firewall, err = newFirewallParts(s.config.Firewall, s.log, s.events); err != nil {
		return err
	}
	if err = s.firewall.share(s.config.Counters.Reveal(), s.store.KeyedHash("rate-based-rules", []byte("key of the names of keys"))); err != nil {
		return err
	}
	roots, err := backendRoots(s.config.Backends)
	if err != nil {
		return err
	}
	if err = s.firewall.openLogs(s.matchKey(), s.egress()); err != nil {
		return err
	}
	s.backend = &upstream.Client{Control: s.egress()}
	s.gateway = &gateway.Gateway{Answers: authorizer.NewCache(0), Upstream: s.backend, Observer: s.observers(), Clock: s.clock, Logger: s.log, PlainDomains: s.config.PlainDomains}
	s.gateway.Memory = &hold.Memory{Limit: s.config.BodyMemory()}
	if s.config.Quotas == "aws" {
		s.gateway.StreamRate = streamRate
	}
	s.compiler = &compile.Compiler{Store: s.store, Suffix: s.config.DomainSuffix, Logger: s.log, Limits: s.limits(), Firewall: s.firewall.compiler(), BackendRoots: roots, Balancers: s.config.Backends.LoadBalancers, Publish: s.publish}
	s.objects = objects.New(s.store)
	s.certificates = &clientcertificates.Keeper{Store: s.store, Log: s.log}
	if err := s.openIdentities(ctx); err != nil {
		return err
	}
	s.gateway.Identities = s.identities
	s.gateway.Verifier = &sigv4.Verifier{Keys: s.identities} // --dev's leniency is for management calls alone
	s.gateway.ExecuteAPI = sigv4.ExecuteAPI(maxInvokeBody)
	s.revocation = newRevocations(s)
	s.openClients()
	s.shadows = &shadows{book: s.clients, log: s.log, counts: map[string]*shadow{}}
	s.gateway.Clients = s.shadows
	s.openDomainNames()
	if err := s.openCertificates(); err != nil {
		return err
	}
	s.logGroups = &logs.Logs{Store: s.store, Events: s.events, Log: s.log}
	if s.gateway.Endpoints, err = s.vpcEndpoints(); err != nil {
		return err
	}
	s.tokens = s.openTokens()
	s.gateway.Tokens = s.tokens
	if err := s.openFunctions(ctx); err != nil {
		return err
	}
	s.gateway.Functions = s.Invoker()
	s.functionURLs = s.functionURLHandler()
	s.api = s.managementAPI()
	s.compiler.Services = s.awsEndpoints()
	s.gateway.Services = s.services
	if err := s.assembleEdge(ctx); err != nil {
		return err
	}
	s.controlHTTP = &http.Server{
		Handler:           http.HandlerFunc(s.control),
		ReadHeaderTimeout: s.config.Limits.HeadTimeout,
		IdleTimeout:       s.config.Limits.IdleTimeout,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	return nil
}

// assembleEdge makes the engines and the listeners of the data ports.
func (s *Server) assembleEdge(ctx context.Context) error {
	l := s.config.Limits
	timeouts := http1.Timeouts{Head: l.HeadTimeout, Idle: l.IdleTimeout}
	s.engine = &http1.Server{Handler: s.challenges.before(s.front()), Timeouts: timeouts, Logger: s.log, Refused: s.metrics.Refused, Answer: gateway.EngineHeader}
	s.h2 = &http2.Server{Handler: s.front(), Timeouts: timeouts, Logger: s.log, Refused: s.metrics.Refused, Answer: gateway.EngineHeader}

	serving, err := s.ca.Serve(s.ownNames(), nil)
	if err != nil {
		return err
	}
	tickets, err := edge.NewTickets(s.store.KeyedHash("tls-tickets", []byte("session ticket keys")))
	if err != nil {
		return err
	}
	s.serving = serving
	s.terminator = edge.NewTerminator(tickets, serving.Certificate)
	s.terminator.Legacy = s.config.LegacyTLS
	if s.challenges != nil {
		s.terminator.Challenge = s.challenges.certificate
	}
	s.radarMetrics()
	s.plain = &edge.Listener{Kind: message.PlainListener, HTTP1: s.engine, Logger: s.log}
	s.secure = &edge.Listener{Kind: message.TLSListener, HTTP1: s.engine, HTTP2: s.h2, TLS: s.terminator, Logger: s.log}
	s.watchConnections()
	s.assembleEndpoints()
	s.applyListeners(s.config)
	return nil
}

// publish puts a new plan in force: TLS first, so that no domain is served before its
// handshakes are right, then requests.
func (s *Server) publish(p *plan.Plan) {
	if table, changed := s.domains.of(p); changed {
		t, err := edge.NewTable(table...)
		if err != nil {
			s.log.Error("the domains' TLS settings could not be put in force; the last good ones stay", "error", err)
		} else {
			s.terminator.Publish(t)
		}
	}
	s.revocation.publish(p)
	s.gateway.Publish(p)
	s.retireBackends(p)
	s.metrics.Plan(p)
	s.logs.Plan(p)
}

// Ready is closed when all ports answer.
func (s *Server) Ready() <-chan struct{} { return s.answering }

// Run serves until ctx ends, then drains and closes everything. It returns nil after an
// orderly stop and the first failure otherwise.
func (s *Server) Run(ctx context.Context) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var tasks sync.WaitGroup
	run := func(name string, f func(context.Context) error) {
		tasks.Go(func() {
			if err := f(background); err != nil && background.Err() == nil {
				fail(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	run("compiler", s.compiler.Run)
	run("store", s.store.Run)
	run("client certificates", s.certificates.Run)
	run("revocation", s.revocation.run)
	run("followed objects", s.follower.run)
	run("certificates", s.acm.Run)
	run("expiry", s.watchExpiry)
	run("seen clients", s.keepClients)
	run("identities", s.identities.Run)
	run("tokens", s.tokens.Run)
	run("firewall", s.firewall.run)
	run("backends", s.backend.Run)
	run("events", s.events.Run)
	run("decisions", s.decisions.Run)
	run("log groups", s.logGroups.Run)
	run("functions", s.functions.Run)
	run("counters", func(ctx context.Context) error { return s.counters.Run(ctx, countersGrace) })

	err := s.compiler.Ready(ctx)
	if err == nil {
		s.serve(run)
		close(s.answering)
		<-ctx.Done()
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	s.stop()
	stop()
	tasks.Wait()
	s.closeCounters()
	s.firewall.close()
	s.closeFunctions()
	return errors.Join(ignoreCanceled(err), s.store.Close())
}

// serve starts the ports.
func (s *Server) serve(run func(string, func(context.Context) error)) {
	if l := s.sockets.http; l != nil {
		run("http", func(ctx context.Context) error { return s.plain.Serve(ctx, l) })
	}
	if l := s.sockets.https; l != nil {
		run("https", func(ctx context.Context) error { return s.secure.Serve(ctx, l) })
	}
	s.serveEndpoints(run)
	run("control", func(context.Context) error { return ignoreClosed(s.controlHTTP.Serve(s.sockets.control)) })
	if l := s.sockets.ops; l != nil {
		run("ops", func(ctx context.Context) error { return s.serveOps(ctx, l) })
	}
}

// stop accepts no more, lets open requests end within the limit, and breaks the rest.
func (s *Server) stop() {
	s.draining.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), s.config.Limits.DrainTimeout)
	defer cancel()
	s.plain.Stop()
	s.secure.Stop()
	for _, e := range s.endpoints {
		e.listener.Stop()
	}
	var drains sync.WaitGroup
	for _, drain := range []func(context.Context) error{s.engine.Drain, s.h2.Drain, s.controlHTTP.Shutdown} {
		drains.Go(func() {
			if err := drain(ctx); err != nil {
				s.log.Warn("some connections did not end in time and were closed", "error", err)
			}
		})
	}
	drains.Wait()
	s.controlHTTP.Close()
	s.closeSockets()
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func ignoreCanceled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// Addresses returns where the ports really listen; "" for those that are off.
func (s *Server) Addresses() (control, plain, secure string) {
	addr := func(l net.Listener) string {
		if l == nil {
			return ""
		}
		return l.Addr().String()
	}
	return addr(s.sockets.control), addr(s.sockets.http), addr(s.sockets.https)
}

// serveOps answers health and readiness on the ops port, and which client certificates
// backends are to admit.
func (s *Server) serveOps(ctx context.Context, l net.Listener) error {
	srv := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == opsPrefix+"health", r.URL.Path == opsPrefix+"ready",
			strings.HasPrefix(r.URL.Path, opsPrefix+clientCertificatesPrefix) && isRead(r):
			s.operations(w, r)
		default:
			http.NotFound(w, r)
		}
	})}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	defer srv.Close() // the listener may end before ctx does
	return ignoreClosed(srv.Serve(l))
}
