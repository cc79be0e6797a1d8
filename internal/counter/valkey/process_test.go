package valkey_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"gatehouse/internal/counter"
	"gatehouse/internal/counter/countertest"
	"gatehouse/internal/counter/valkey"
)

// The soak runs gateways' counters as processes of their own, which are killed, and a
// real server, which is killed, emptied and hung, and checks what must hold all the time.
// What processes admit they note in a shared file that survives them.

const (
	soakQuota = 40_000
	soakRate  = 2000
	soakBurst = 100
)

// soakLength is how long the soak runs: longer under `make test-long`.
func soakLength() time.Duration {
	if countertest.Long() {
		return 10 * time.Minute
	}
	return 20 * time.Second
}

// tallies is the shared file: how many requests each way of counting admitted.
type tallies struct{ quota, rate *atomic.Int64 }

func openTallies(path string) (tallies, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return tallies{}, err
	}
	defer f.Close()
	if err := f.Truncate(2 * 8); err != nil {
		return tallies{}, err
	}
	m, err := syscall.Mmap(int(f.Fd()), 0, 16, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return tallies{}, err
	}
	if n := binary.Size([2]int64{}); len(m) != n {
		return tallies{}, fmt.Errorf("mapped %d bytes, want %d", len(m), n)
	}
	words := (*[2]atomic.Int64)(unsafe.Pointer(&m[0]))
	return tallies{quota: &words[0], rate: &words[1]}, nil
}

// ledgerService serves the parent's ledger to the processes.
type ledgerService struct{ ledger counter.MemoryLedger }

// LoadArgs are the arguments of Ledger.Load; net/rpc wants them exported.
type LoadArgs struct {
	Quota string
	From  int32
}

func (l *ledgerService) Record(es []counter.Entry, _ *bool) error {
	return l.ledger.Record(context.Background(), es)
}

func (l *ledgerService) Load(a LoadArgs, out *[]counter.Entry) (err error) {
	*out, err = l.ledger.Load(context.Background(), a.Quota, a.From)
	return err
}

// remoteLedger is a process' view of it.
type remoteLedger struct{ client *rpc.Client }

func (r remoteLedger) call(ctx context.Context, method string, args, reply any) error {
	c := r.client.Go(method, args, reply, make(chan *rpc.Call, 1))
	select {
	case <-c.Done:
		return c.Error
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r remoteLedger) Record(ctx context.Context, es []counter.Entry) error {
	return r.call(ctx, "Ledger.Record", es, new(bool))
}

func (r remoteLedger) Load(ctx context.Context, quota string, from int32) (es []counter.Entry, err error) {
	err = r.call(ctx, "Ledger.Load", LoadArgs{quota, from}, &es)
	return es, err
}

func TestMain(m *testing.M) {
	if dir := os.Getenv("GATEHOUSE_SOAK_DIR"); dir != "" {
		if err := soakProcess(dir, os.Getenv("GATEHOUSE_SOAK_SERVER")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// soakProcess is one gateway: it spends as fast as it may until SIGTERM.
func soakProcess(dir, address string) error {
	tally, err := openTallies(filepath.Join(dir, "tallies"))
	if err != nil {
		return err
	}
	client, err := rpc.Dial("unix", filepath.Join(dir, "ledger"))
	if err != nil {
		return err
	}
	server, err := valkey.New("redis://" + address)
	if err != nil {
		return err
	}
	clock := counter.NewCoarse()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError + 1}))
	s, err := counter.Open(context.Background(), counter.Options{
		Clock: clock, Ledger: remoteLedger{client}, Server: server, Node: fmt.Sprint("process", os.Getpid(), "-", time.Now().UnixNano()), Log: log,
	})
	if err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	load, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for load.Err() == nil {
				if s.Bucket("b", counter.Limit{Rate: soakRate, Burst: soakBurst}).Take(clock.Now()) {
					tally.rate.Add(1)
				}
				if s.Quota("q", counter.Allowance{Limit: soakQuota, Period: counter.Month}).Spend(clock.Now()) {
					tally.quota.Add(1)
				}
				time.Sleep(100 * time.Microsecond)
			}
		})
	}
	err = s.Run(ctx, 5*time.Second)
	stop()
	wg.Wait()
	return err
}

// soak is the parent's side.
type soak struct {
	t      *testing.T
	dir    string
	server *countertest.Server
	tally  tallies
	cmds   [3]*exec.Cmd
}

func (s *soak) start(i int) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "GATEHOUSE_SOAK_DIR="+s.dir, "GATEHOUSE_SOAK_SERVER="+s.server.Addr)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.cmds[i] = cmd
}

func (s *soak) end(i int, sig syscall.Signal) error {
	s.cmds[i].Process.Signal(sig)
	return s.cmds[i].Wait()
}

// harm does one thing that must not matter, and returns what it was worth to the rate:
// each outage lets nodes run on shares, which begin with what the bucket held; a killed
// process takes what it owes along, and the next one begins with a burst.
func (s *soak) harm(r *rand.Rand) (excess float64) {
	switch r.IntN(4) {
	case 0:
		i := r.IntN(len(s.cmds))
		s.end(i, syscall.SIGKILL)
		s.start(i)
	case 1:
		i := r.IntN(len(s.cmds))
		s.end(i, syscall.SIGTERM) // it may not have come to listen to signals yet
		s.start(i)
	case 2:
		s.server.Kill()
		time.Sleep(time.Duration(r.IntN(800)) * time.Millisecond)
		s.server.Start()
		return 2 * soakBurst
	case 3:
		s.server.Freeze()
		time.Sleep(time.Duration(r.IntN(800)) * time.Millisecond)
		s.server.Thaw()
		return 2 * soakBurst
	}
	return 2 * soakBurst
}

func TestThreeProcessesUnderHarm(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	service := new(ledgerService)
	rpcServer := rpc.NewServer()
	if err := rpcServer.RegisterName("Ledger", service); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "ledger"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go rpcServer.ServeConn(conn)
		}
	}()
	tally, err := openTallies(filepath.Join(dir, "tallies"))
	if err != nil {
		t.Fatal(err)
	}
	s := &soak{t: t, dir: dir, server: countertest.StartServer(t), tally: tally}
	begin := time.Now()
	excess := 0.0
	for i := range s.cmds {
		s.start(i)
		excess += soakBurst // with which a process begins that has not met the others yet
	}
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	for time.Since(begin) < soakLength() {
		time.Sleep(time.Duration(300+r.IntN(900)) * time.Millisecond)
		excess += s.harm(r)
		s.check(begin, excess)
	}
	// In peace again, what is left of the quota is spent: nothing was lost but the leases
	// of processes that were killed.
	last := s.tally.quota.Load()
	for quiet := time.Now(); time.Since(quiet) < 4*time.Second; time.Sleep(50 * time.Millisecond) {
		if n := s.tally.quota.Load(); n != last {
			last, quiet = n, time.Now()
		}
		if time.Since(begin) > soakLength()+90*time.Second {
			break
		}
	}
	for i := range s.cmds {
		if err := s.end(i, syscall.SIGTERM); err != nil {
			t.Errorf("process %d: %v", i, err)
		}
	}
	s.check(begin, excess)
	if n := s.tally.quota.Load(); n < soakQuota/2 {
		t.Errorf("of a quota of %d only %d were ever admitted", soakQuota, n)
	}
	t.Logf("admitted %d of the quota of %d, and %d by the rate in %v", s.tally.quota.Load(), soakQuota, s.tally.rate.Load(), time.Since(begin))
}

func (s *soak) check(begin time.Time, excess float64) {
	s.t.Helper()
	rate := s.tally.rate.Load()
	elapsed := time.Since(begin).Seconds()
	if n := s.tally.quota.Load(); n > soakQuota {
		s.t.Fatalf("admitted %d of a quota of %d", n, soakQuota)
	}
	if most := 1.02*soakRate*elapsed + excess; float64(rate) > most {
		s.t.Fatalf("admitted %d by a rate of %d in %.1f s, want at most %.0f", rate, soakRate, elapsed, most)
	}
}
