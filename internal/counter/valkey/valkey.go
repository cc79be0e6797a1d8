// Package valkey shares counters through a Valkey server, or a Redis server from
// version 6.2 on: it is the counter.Server that internal/server makes for `--counters`.
// One exchange is one pipelined round trip whatever it settles. A Server is safe for
// concurrent use, but a node has its exchanges one after another (see counter.Set).
//
// The address may name a single server, or Sentinels with the parameter master_set. A
// cluster is refused: a node could not know when one of its shards lost data.
package valkey

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valkey-io/valkey-go"

	"gatehouse/internal/counter"
)

// silence is how long a node counts as there after its last exchange.
const silence = 5 * time.Second

// dialTime bounds connecting, so that a server that is away is known to be.
const dialTime = 250 * time.Millisecond

// Server is a connection to the shared server. Make it with New.
type Server struct {
	option valkey.ClientOption
	prefix string

	mu    sync.Mutex
	conn  *incarnation // nil until connected, and after a failure
	run   string       // of the process that answered last; "" before the first
	since time.Time    // when it began to answer, at the earliest
}

// An incarnation is one server process, as its run id tells.
type incarnation struct {
	client            valkey.Client
	run               string
	since             time.Time // when it began to answer, at the earliest
	uptime            time.Duration
	rate, quota, beat script
	primed            bool         // the scripts are loaded
	nodes             atomic.Int64 // as last answered
}

// New returns a Server for a URL:
//
//	valkey://[user[:password]@]host[:port][/db][?prefix=NAME]
//	valkeys://… with TLS; ca=FILE (PEM), cert=FILE and key=FILE for a client certificate
//
// redis:// and rediss:// mean the same. The password may also be read from a file:
// password_file=FILE. prefix (default "gatehouse") begins all keys. New does not
// connect: a server that is away when the gateway starts is one that is away.
func New(address string) (*Server, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("counters: the address is not a URL") // the cause would print the password
	}
	query := u.Query()
	own := map[string]string{"prefix": "gatehouse", "ca": "", "cert": "", "key": "", "password_file": ""}
	for name := range own {
		if query.Has(name) {
			own[name] = query.Get(name)
			query.Del(name)
		}
	}
	for name := range query {
		if name != "master_set" && name != "addr" {
			return nil, fmt.Errorf("counters: parameter %q of %s: want prefix, ca, cert, key, password_file, master_set or addr", name, u.Redacted())
		}
	}
	u.RawQuery = query.Encode()
	option, err := valkey.ParseURL(u.String())
	if err != nil {
		return nil, fmt.Errorf("counters: %s: %w", u.Redacted(), err)
	}
	if err := secure(&option, own); err != nil {
		return nil, fmt.Errorf("counters: %s: %w", u.Redacted(), err)
	}
	option.ClientName = "gatehouse"
	option.DisableCache = true
	option.DisableRetry = true // a repeated command would count twice, and hide that the server went
	option.ForceSingleClient = option.Sentinel.MasterSet == ""
	option.Dialer.Timeout = dialTime
	option.ConnWriteTimeout = 2 * time.Second
	option.PipelineMultiplex = -1
	return &Server{option: option, prefix: own["prefix"]}, nil
}

// secure sets what New's own parameters say.
func secure(option *valkey.ClientOption, own map[string]string) error {
	if f := own["password_file"]; f != "" {
		b, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		option.Password = strings.TrimRight(string(b), "\r\n")
	}
	if own["ca"] == "" && own["cert"] == "" && own["key"] == "" {
		return nil
	}
	if option.TLSConfig == nil {
		return errors.New("ca, cert and key need TLS: want valkeys://")
	}
	if f := own["ca"]; f != "" {
		pem, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		option.TLSConfig.RootCAs = x509.NewCertPool()
		if !option.TLSConfig.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("%s: no certificate found", f)
		}
	}
	if own["cert"] != "" || own["key"] != "" {
		pair, err := tls.LoadX509KeyPair(own["cert"], own["key"])
		if err != nil {
			return err
		}
		option.TLSConfig.Certificates = []tls.Certificate{pair}
	}
	return nil
}

// errChanged means that another server process answers now. The next exchange goes to it.
var errChanged = errors.New("another server process answers: it may lack what the last one knew")

// current returns the server process to talk to, connecting when needed.
func (s *Server) current(ctx context.Context) (*incarnation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		return s.conn, nil
	}
	client, err := valkey.NewClient(s.option)
	if err != nil {
		return nil, err
	}
	in, err := identify(ctx, client)
	if err != nil {
		client.Close()
		return nil, err
	}
	switch s.run {
	case in.run:
		in.since = s.since
	case "":
		// On first contact the server's own word for how long it has run must do.
		in.since = time.Now().Add(-in.uptime)
	default:
		// It may have run long and answer for another one only now.
		in.since = time.Now()
	}
	s.conn, s.run, s.since = in, in.run, in.since
	return in, nil
}

// identify asks which server process answers.
func identify(ctx context.Context, client valkey.Client) (*incarnation, error) {
	info, err := client.Do(ctx, client.B().Info().Build()).ToString()
	if err != nil {
		return nil, err
	}
	fields := make(map[string]string)
	for line := range strings.SplitSeq(info, "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			fields[name] = value
		}
	}
	run := fields["run_id"]
	switch {
	case run == "" || strings.ContainsAny(run, "'\\\n"):
		return nil, fmt.Errorf("INFO: want a run_id, found %q", run)
	case fields["cluster_enabled"] == "1":
		return nil, errors.New("the server is part of a cluster: want a single server, or Sentinels")
	case fields["role"] == "slave":
		return nil, errors.New("the server is a replica: want its primary")
	}
	up, err := strconv.Atoi(fields["uptime_in_seconds"])
	if err != nil {
		return nil, fmt.Errorf("INFO: uptime_in_seconds: %w", err)
	}
	return &incarnation{
		client: client, run: run, uptime: time.Duration(up) * time.Second,
		rate: newScript(rateScript, run), quota: newScript(quotaScript, run), beat: newScript(beatScript, run),
	}, nil
}

// forget drops a server process that failed or changed.
func (s *Server) forget(in *incarnation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == in {
		s.conn = nil
	}
	in.client.Close()
}

// Exchange implements counter.Server.
func (s *Server) Exchange(ctx context.Context, b counter.Batch) (counter.Answer, error) {
	in, err := s.current(ctx)
	if err != nil {
		return counter.Answer{}, err
	}
	ans, err := s.exchange(ctx, in, b)
	if err != nil {
		s.forget(in)
	}
	return ans, err
}

func (s *Server) exchange(ctx context.Context, in *incarnation, b counter.Batch) (counter.Answer, error) {
	if !in.primed {
		// EVAL loads the scripts. Its asks are harmless: they want and return nothing.
		if err := s.prime(ctx, in); err != nil {
			return counter.Answer{}, err
		}
		in.primed = true
	}
	cmds := make(valkey.Commands, 0, 1+len(b.Rates)+len(b.Quotas))
	cmds = append(cmds, s.command(in, in.beat, s.prefix+":nodes", b.Node, seconds(silence)))
	for i := range b.Rates {
		cmds = append(cmds, s.command(in, in.rate, s.prefix+":rate:"+b.Rates[i].Key, rateArgs(b.Node, &b.Rates[i])...))
	}
	nodes := int(max(1, in.nodes.Load()))
	for i := range b.Quotas {
		cmds = append(cmds, s.command(in, in.quota, s.quotaKey(&b.Quotas[i]), quotaArgs(b.Node, nodes, &b.Quotas[i])...))
	}
	results := in.client.DoMulti(ctx, cmds...)
	return read(results, b, in)
}

func read(results []valkey.ValkeyResult, b counter.Batch, in *incarnation) (counter.Answer, error) {
	ans := counter.Answer{Settled: time.Since(in.since)}
	n, err := results[0].ToInt64()
	if err != nil {
		return ans, translate(err)
	}
	ans.Nodes = int(n)
	in.nodes.Store(n)
	results = results[1:]
	for i := range b.Rates {
		f, err := numbers(results[i], 2)
		if err != nil {
			return ans, fmt.Errorf("bucket %s: %w", b.Rates[i].Key, translate(err))
		}
		ans.Rates = append(ans.Rates, counter.RateGrant{Tokens: int64(f[0]), Left: f[1]})
	}
	results = results[len(b.Rates):]
	for i := range b.Quotas {
		g, err := quotaGrant(results[i])
		if err != nil {
			return ans, fmt.Errorf("quota %s: %w", b.Quotas[i].Key, translate(err))
		}
		ans.Quotas = append(ans.Quotas, g)
	}
	return ans, nil
}

func translate(err error) error {
	if ve, ok := valkey.IsValkeyErr(err); ok && ve.IsNoScript() {
		return errChanged
	}
	return err
}

func numbers(r valkey.ValkeyResult, want int) ([]float64, error) {
	fields, err := r.AsStrSlice()
	if err != nil {
		return nil, err
	}
	if len(fields) != want {
		return nil, fmt.Errorf("answer has %d fields, want %d", len(fields), want)
	}
	out := make([]float64, want)
	for i, f := range fields {
		if out[i], err = strconv.ParseFloat(f, 64); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func quotaGrant(r valkey.ValkeyResult) (counter.QuotaGrant, error) {
	fields, err := r.AsStrSlice()
	if err != nil {
		return counter.QuotaGrant{}, err
	}
	if len(fields) != 5 {
		return counter.QuotaGrant{}, fmt.Errorf("answer has %d fields, want 5", len(fields))
	}
	var n [5]int64
	for i, f := range fields {
		if n[i], err = strconv.ParseInt(f, 10, 64); err != nil {
			return counter.QuotaGrant{}, err
		}
	}
	return counter.QuotaGrant{Unknown: n[0] == 1, Stale: n[0] == 2, Units: n[1], Left: n[2], Extra: n[3], ExtraAt: n[4]}, nil
}

// Leave implements counter.Server.
func (s *Server) Leave(ctx context.Context, node string) error {
	in, err := s.current(ctx)
	if err != nil {
		return err
	}
	return in.client.Do(ctx, s.command(in, in.beat, s.prefix+":nodes", node, "0")).Error()
}

// Close ends the connection.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		s.conn.client.Close()
		s.conn = nil
	}
}

// prime loads the scripts into the server.
func (s *Server) prime(ctx context.Context, in *incarnation) error {
	load := func(sc script, key string, args ...string) valkey.Completed {
		return in.client.B().Eval().Script(sc.text).Numkeys(1).Key(key).Arg(args...).Build()
	}
	none := counter.QuotaAsk{Serial: 1}
	for _, r := range in.client.DoMulti(ctx,
		load(in.beat, s.prefix+":nodes", "none", "0"),
		load(in.rate, s.prefix+":prime", rateArgs("none", &counter.RateAsk{Since: -1, Known: -1})...),
		load(in.quota, s.prefix+":prime:", quotaArgs("none", 1, &none)...),
	) {
		if err := r.Error(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) command(in *incarnation, sc script, key string, args ...string) valkey.Completed {
	return in.client.B().Evalsha().Sha1(sc.sha).Numkeys(1).Key(key).Arg(args...).Build()
}

func (s *Server) quotaKey(a *counter.QuotaAsk) string {
	return s.prefix + ":quota:" + a.Key + ":" + strconv.FormatInt(a.Start, 10)
}

func rateArgs(node string, a *counter.RateAsk) []string {
	since := int64(-1)
	if a.Since >= 0 {
		since = a.Since.Microseconds()
	}
	return []string{
		node, decimal(a.Limit.Rate), integer(a.Limit.Burst), integer(a.Want), integer(a.Back), integer(a.Debt),
		decimal(a.Demand), integer(since), decimal(a.Known),
	}
}

func quotaArgs(node string, nodes int, a *counter.QuotaAsk) []string {
	remaining, pairs, extra, extraAt := int64(-1), int64(-1), int64(0), int64(0)
	if a.Remaining != nil {
		remaining = *a.Remaining
	}
	if a.Refill != nil {
		pairs, extra, extraAt = int64(len(a.Refill.Shares)), a.Refill.Extra, a.Refill.ExtraAt
	}
	args := []string{
		node, integer(a.Serial), integer(a.Taken), integer(a.Want), integer(a.Limit), integer(a.End), integer(int64(nodes)),
		integer(remaining), integer(pairs), integer(extra), integer(extraAt),
	}
	if a.Refill != nil {
		for name, units := range a.Refill.Shares {
			args = append(args, name, integer(units))
		}
	}
	return args
}

func integer(n int64) string         { return strconv.FormatInt(n, 10) }
func decimal(f float64) string       { return strconv.FormatFloat(f, 'f', -1, 64) }
func seconds(d time.Duration) string { return integer(int64(d / time.Second)) }
