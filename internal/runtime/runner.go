package runtime

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	goruntime "runtime"
	"slices"
	"sync"
	"time"
)

// Options say how functions are run. The zero value runs them contained or not at all.
type Options struct {
	// RunDir is a folder of the server's for things that live as long as it does; "" makes
	// one in the system's temporary folder.
	RunDir string

	// Uncontained runs functions without a sandbox, with the server's own rights: what
	// functions.sandbox: none configures.
	Uncontained bool

	// Cgroup is the folder of a control group (version 2) of the server's, below which
	// sandboxes have theirs. "" takes the server's own when it was delegated to it, else none.
	Cgroup string

	// Interpreters are paths by runtime name, where PATH does not lead to them.
	Interpreters map[string]string

	// MaxProcesses bounds the processes of all functions; 0 means 1000, AWS' default
	// concurrency of an account. Idle ones give way to others.
	MaxProcesses int

	// IdleTime is how long a process is kept without a call; 0 means 10 minutes.
	IdleTime time.Duration

	// Endpoint serves connections that functions make to the server as their AWS endpoint
	// (AWS_ENDPOINT_URL): it accepts from l until l is closed. nil: they have none.
	Endpoint func(fn *Function, l net.Listener)

	// Dial connects functions to the world: they have no network but a proxy for HTTP and
	// CONNECT (HTTP_PROXY, HTTPS_PROXY) that dials with it. It decides where they may
	// connect to, and must refuse the server's own ports. nil: nowhere.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	Sink Sink         // gets functions' logs; nil for nowhere
	Log  *slog.Logger // nil for none
}

// Starting a process is work for the machine. So many are started at a time, each for
// startTurn at most, so that hundreds of first calls do not take requests' processors.
const (
	startsPerCPU = 2
	startTurn    = 250 * time.Millisecond
)

// A Runner runs functions. Make it with New; Close ends all processes.
type Runner struct {
	o            Options
	sink         Sink
	log          *slog.Logger
	endpoint     func(*Function, net.Listener)
	runDir       string
	ownDir       bool
	refusal      error // why nothing is run; nil when functions can be contained
	interpreters *interpreters
	groups       *cgroups // nil without control groups

	starting chan struct{} // has a value for each process that is being started

	mu     sync.Mutex
	pools  map[string]*pool // by Function.Key
	total  int              // processes, starting ones included
	closed bool
	wg     sync.WaitGroup // calls and ending workers
}

// A pool has the processes of one version of a function.
type pool struct {
	busy int
	idle []*parkedWorker // the most recently used last
	gone bool            // forgotten: its workers end after their call

	// finishing is how many of the busy ones have answered and are about to ask for the
	// next event; freed is closed when one has, for those that wait for it.
	finishing int
	freed     chan struct{}
}

// finishTime is how long a call waits for a process that has just answered another,
// which is much less than a new one takes to start.
const finishTime = 50 * time.Millisecond

type parkedWorker struct {
	*worker
	since  time.Time
	expiry *time.Timer
}

// processLife is how long a process serves calls: its credentials do not last for ever.
const processLife = 2 * time.Hour

// New returns a Runner. It finds out whether functions can be contained here; when they
// cannot, New succeeds and Invoke refuses with a NotContainedError, which Contained tells.
func New(o Options) (*Runner, error) {
	r := &Runner{
		o: o, sink: o.Sink, log: o.Log, endpoint: o.Endpoint, runDir: o.RunDir,
		interpreters: &interpreters{given: o.Interpreters, found: make(map[string]string)}, pools: make(map[string]*pool),
		starting: make(chan struct{}, startsPerCPU*goruntime.NumCPU()),
	}
	if r.sink == nil {
		r.sink = discard{}
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.o.MaxProcesses == 0 {
		r.o.MaxProcesses = 1000
	}
	if r.o.IdleTime == 0 {
		r.o.IdleTime = 10 * time.Minute
	}
	if r.runDir == "" {
		dir, err := os.MkdirTemp("", "gatehouse-functions-")
		if err != nil {
			return nil, err
		}
		r.runDir, r.ownDir = dir, true
	}
	if !o.Uncontained {
		if err := r.openGroups(); err != nil {
			return nil, err
		}
		if err := probe(r.runDir, nil); err != nil {
			r.refusal = &NotContainedError{Reasons: []string{err.Error()}}
			r.log.Warn("functions will not be invoked", "error", r.refusal)
		}
	} else {
		r.log.Warn("functions run without a sandbox: they can do all that the server can")
	}
	return r, nil
}

// openGroups finds out whether sandboxes can have control groups. Those that are configured
// must be there; others are done without.
func (r *Runner) openGroups() error {
	groups, err := openCgroups(r.o.Cgroup)
	if err == nil && groups != nil {
		if err = probe(r.runDir, groups); err == nil {
			r.groups = groups
			r.log.Info("functions run in control groups", "below", groups.dir, "controllers", groups.has)
		}
	}
	if err != nil && r.o.Cgroup != "" {
		return fmt.Errorf("functions.cgroup: %w", err)
	}
	if err != nil {
		r.log.Warn("functions run without control groups", "error", err)
	}
	return nil
}

// Contained returns nil when functions are run, contained or because Uncontained says
// so; else the NotContainedError with which Invoke refuses.
func (r *Runner) Contained() error { return r.refusal }

// Check reports whether a runtime can be run here: a RuntimeError names what is missing.
func (r *Runner) Check(runtime string) error {
	l, err := languageOf(runtime)
	if err != nil || l == nil {
		return err
	}
	_, err = r.interpreters.find(runtime, l)
	return err
}

// Invoke calls a function and waits for its answer. A function that fails is a Result
// with FunctionError; errors are ErrThrottled, ErrPayloadTooLarge, ErrClosed, a
// NotContainedError, a RuntimeError, or the context's. When ctx ends first the call goes on
// without anybody to answer to, as in Lambda.
func (r *Runner) Invoke(ctx context.Context, fn *Function, req Request) (Result, error) {
	c, w, err := r.begin(fn, req, nil)
	if err != nil {
		return Result{}, err
	}
	if w != nil {
		out, left := w.carryOut(ctx, c)
		if left {
			return Result{}, ctx.Err()
		}
		return out.Result, nil
	}
	done := make(chan Result, 1)
	go r.serve(context.WithoutCancel(ctx), nil, c, func(out outcome) { done <- out.Result })
	select {
	case res := <-done:
		return res, nil
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
}

// answered notes that a call is over, and its process is free soon.
func (r *Runner) answered(c *call) {
	c.finishing = true
	r.mu.Lock()
	r.pools[c.fn.Key].finishing++
	r.mu.Unlock()
	c.end()
}

// freed takes a worker back after a call.
func (r *Runner) freed(w *worker, c *call, alive bool) {
	defer r.wg.Done()
	c.timer.Stop()
	if !c.finishing {
		c.end()
	}
	if !alive {
		w.discard()
		w = nil
	}
	r.release(c.fn, w, c.finishing)
}

// A Stream is an answer that is read while the function writes it.
type Stream struct {
	RequestID   string
	Version     string // that was executed
	ContentType string

	// Body has the answer. Reading it ends in a *StreamError when the function failed
	// after it had begun to answer. The caller closes it; doing so early does not stop
	// the function.
	Body io.ReadCloser

	// FunctionError is "Unhandled" when the function failed before it answered; Body then
	// has the document.
	FunctionError string

	call *call
}

// Result tells how the call ended, without the payload. It is known once reading Body came
// to an end, and is the zero Result before.
func (s *Stream) Result() Result {
	if s.call == nil {
		return Result{}
	}
	return *s.call.result.Load()
}

// A StreamError is the failure of a function that had begun to answer.
type StreamError struct {
	Payload []byte // document with errorType and errorMessage
}

func (e *StreamError) Error() string { return "function failed: " + errorType(e.Payload) }

// InvokeStream calls a function and returns as soon as it begins to answer. Errors are
// those of Invoke. A function that answers in one piece is streamed all the same.
func (r *Runner) InvokeStream(ctx context.Context, fn *Function, req Request) (*Stream, error) {
	c, w, err := r.begin(fn, req, make(chan error, 1))
	if err != nil {
		return nil, err
	}
	done := make(chan *Stream, 1)
	go r.serve(context.WithoutCancel(ctx), w, c, func(out outcome) {
		s := &Stream{RequestID: c.id, Version: fn.Version, ContentType: out.contentType, FunctionError: out.FunctionError, call: c}
		if out.body != nil {
			s.Body = out.body
		} else {
			s.Body = io.NopCloser(bytes.NewReader(out.Payload))
			c.result.Store(&out.Result)
		}
		done <- s
	})
	select {
	case s := <-done:
		return s, nil
	case <-ctx.Done():
		go func() { (<-done).Body.Close() }()
		return nil, ctx.Err()
	}
}

// begin admits a call and finds a worker for it: an idle one, or the right to start one
// (nil). Whoever gets it must serve the call, and then say that it is done.
func (r *Runner) begin(fn *Function, req Request, stream chan error) (*call, *worker, error) {
	if r.refusal != nil {
		return nil, nil, r.refusal
	}
	if len(req.Payload) > MaxPayload {
		return nil, nil, ErrPayloadTooLarge
	}
	c := &call{
		fn: fn, id: req.ID, arn: req.InvokedARN, trace: req.TraceID, client: req.ClientContext, payload: req.Payload,
		tail: req.Tail || stream != nil, stream: stream, told: req.Ended, done: make(chan outcome, 1),
	}
	c.result.Store(new(Result))
	if c.id == "" {
		c.id = newID()
	}
	if c.arn == "" {
		c.arn = fn.ARN
	}
	if len(c.payload) == 0 {
		c.payload = []byte("{}")
	}
	if err := r.Check(fn.Runtime); err != nil {
		return nil, nil, err
	}
	w, err := r.acquire(fn)
	return c, w, err
}

// serve carries a call out on w, or on a new worker when w is nil. told is called once, with
// the outcome.
func (r *Runner) serve(ctx context.Context, w *worker, c *call, told func(outcome)) {
	if w == nil {
		var o *outcome
		var err error
		w, o, err = r.startWorker(ctx, c.fn, c.id)
		if err != nil {
			r.log.Error("a function's process could not be started", "function", c.fn.ARN, "error", err)
			o = new(failedWith(failure{"Sandbox.Failure", "RequestId: " + c.id + " Error: the sandbox could not be made"}.payload()))
		}
		if o != nil {
			defer r.wg.Done()
			c.end()
			r.release(c.fn, nil, false)
			o.RequestID, o.Version = c.id, c.fn.Version
			told(*o)
			return
		}
	}
	out, _ := w.carryOut(context.WithoutCancel(ctx), c)
	told(out)
	if out.body != nil {
		w.followStream(c, out)
	}
}

// acquire takes an idle worker, or the right to start one (nil). It counts the call.
func (r *Runner) acquire(fn *Function) (*worker, error) {
	deadline := time.Now().Add(finishTime)
	for {
		w, freed, err := r.tryAcquire(fn, time.Now().Before(deadline))
		if freed == nil {
			return w, err
		}
		t := time.NewTimer(time.Until(deadline))
		select {
		case <-freed:
		case <-t.C:
		}
		t.Stop()
	}
}

// tryAcquire does what acquire does, once. When a process is about to be free and the
// caller has patience, it returns what to wait for instead.
func (r *Runner) tryAcquire(fn *Function, patient bool) (w *worker, freed <-chan struct{}, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, nil, ErrClosed
	}
	p := r.pools[fn.Key]
	if p == nil {
		p = &pool{freed: make(chan struct{})}
		r.pools[fn.Key] = p
	}
	if w := r.takeIdle(p); w != nil {
		p.busy++
		r.wg.Add(1)
		return w, nil, nil
	}
	if p.finishing > 0 && patient {
		return nil, p.freed, nil
	}
	if fn.Concurrency > 0 && p.busy >= fn.Concurrency || r.total >= r.o.MaxProcesses && !r.evict() {
		r.dropPool(fn.Key, p)
		return nil, nil, ErrThrottled
	}
	r.total++
	p.busy++
	r.wg.Add(1)
	return nil, nil, nil
}

// takeIdle returns the worker that was used last, nil when none is idle. The caller
// holds r.mu.
func (r *Runner) takeIdle(p *pool) *worker {
	for len(p.idle) > 0 {
		last := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		last.expiry.Stop()
		select {
		case <-last.box.exited: // it ended while it was idle
			r.total--
			r.end(last.worker)
		default:
			return last.worker
		}
	}
	return nil
}

// evict ends the process that has been idle for longest. The caller holds r.mu.
func (r *Runner) evict() bool {
	var oldest *pool
	for _, p := range r.pools {
		if len(p.idle) > 0 && (oldest == nil || p.idle[0].since.Before(oldest.idle[0].since)) {
			oldest = p
		}
	}
	if oldest == nil {
		return false
	}
	w := oldest.idle[0]
	oldest.idle = oldest.idle[1:]
	w.expiry.Stop()
	r.total--
	r.end(w.worker)
	return true
}

// end discards a worker in the background; Close waits for it. The caller holds r.mu.
func (r *Runner) end(w *worker) { r.wg.Go(w.discard) }

// release gives a worker back, or the right to one when it is gone (nil).
func (r *Runner) release(fn *Function, w *worker, finished bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.pools[fn.Key]
	p.busy--
	if finished {
		p.finishing--
	}
	close(p.freed)
	p.freed = make(chan struct{})
	if w == nil {
		r.total--
	} else if r.closed || p.gone || time.Since(w.started) > processLife {
		r.total--
		r.end(w)
	} else {
		parked := &parkedWorker{worker: w, since: time.Now()}
		parked.expiry = time.AfterFunc(r.o.IdleTime, func() { r.expire(fn.Key, parked) })
		p.idle = append(p.idle, parked)
		w.rest()
	}
	r.dropPool(fn.Key, p)
}

func (r *Runner) dropPool(key string, p *pool) {
	if p.busy == 0 && len(p.idle) == 0 {
		delete(r.pools, key)
	}
}

func (r *Runner) expire(key string, w *parkedWorker) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.pools[key]
	if p == nil {
		return
	}
	if i := slices.Index(p.idle, w); i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
		r.total--
		r.end(w.worker)
		r.dropPool(key, p)
	}
}

// Forget ends the processes of a key, those that are busy after their call. Calls that
// come later with the key start new ones.
func (r *Runner) Forget(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.pools[key]
	if p == nil {
		return
	}
	r.emptyPool(p)
	p.gone = p.busy > 0
	r.dropPool(key, p)
}

// emptyPool ends a pool's idle workers. The caller holds r.mu.
func (r *Runner) emptyPool(p *pool) {
	for _, w := range p.idle {
		w.expiry.Stop()
		r.total--
		r.end(w.worker)
	}
	p.idle = nil
}

// Processes returns how many processes there are, and how many of them are busy.
func (r *Runner) Processes() (all, busy int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p := range maps.Values(r.pools) {
		busy += p.busy
	}
	return r.total, busy
}

// Close refuses new calls, waits for those under way until ctx ends, and ends all
// processes.
func (r *Runner) Close(ctx context.Context) error {
	r.mu.Lock()
	r.closed = true
	for _, p := range r.pools {
		r.emptyPool(p)
	}
	r.mu.Unlock()
	done := make(chan struct{})
	go func() {
		r.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		return fmt.Errorf("functions are still running: %w", ctx.Err())
	}
	if r.ownDir {
		return os.RemoveAll(r.runDir)
	}
	return nil
}
