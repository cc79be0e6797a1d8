// Package pgtest gives tests a real PostgreSQL server. One server runs per test
// process, in a temporary folder, as an unprivileged user, reachable through a
// Unix socket alone; each call of Database makes an empty database on it.
//
// A test package that uses it calls Main from its TestMain, which stops the
// server after the tests.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Main runs the tests, stops the server if one was started, and exits.
func Main(m *testing.M) {
	code := m.Run()
	if s := started.Load(); s != nil {
		if err := s.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

var (
	started atomic.Pointer[server]
	start   = sync.OnceValue(func() error {
		s, err := newServer()
		if err == nil {
			started.Store(s)
		}
		return err
	})
	databases atomic.Int64
)

// Database makes an empty database and returns its URL. It is dropped when t ends,
// so close every connection before. It fails the test when PostgreSQL is not installed.
func Database(t testing.TB) string {
	t.Helper()
	if err := start(); err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("test%d", databases.Add(1))
	s := started.Load()
	s.exec(t, "CREATE DATABASE "+name)
	t.Cleanup(func() { s.exec(t, "DROP DATABASE "+name+" WITH (FORCE)") })
	return s.url(name)
}

// A server is a running PostgreSQL.
type server struct {
	dir     string // data, socket and log
	user    *syscall.Credential
	process *exec.Cmd
}

// binaries returns the folder of the newest installed server. Debian keeps it out
// of PATH.
func binaries() (string, error) {
	if found, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(found), nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		return "", errors.New("PostgreSQL is not installed; install what the tests need with: make test-deps")
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(newest), nil
}

// unprivileged returns whom to run as: PostgreSQL refuses root. Nil means as we are.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("user %s: %w", name, err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("no user to run PostgreSQL as: neither postgres nor nobody exists")
}

func newServer() (_ *server, err error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	s := &server{}
	if s.user, err = unprivileged(); err != nil {
		return nil, err
	}
	// The path of a Unix socket is limited to some 100 bytes, so the folder is short.
	if s.dir, err = os.MkdirTemp("", "pg"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	if s.user != nil {
		if err := os.Chown(s.dir, int(s.user.Uid), int(s.user.Gid)); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(s.dir, "data")
	initdb := s.command(filepath.Join(bin, "initdb"), "--pgdata", data, "--username", "test", "--auth", "trust",
		"--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	// Without fsync a test's database is made in a tenth of the time. What the server
	// promises about crashes is its own to keep; tests crash its clients.
	s.process = s.command(filepath.Join(bin, "postgres"), "-D", data, "-k", s.dir,
		"-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=100", "-c", "shared_buffers=64MB")
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.process.Stdout, s.process.Stderr = log, log
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	return s, s.ready(filepath.Join(s.dir, "log"))
}

// command prepares a program to run as the unprivileged user, in a process group
// of its own so that an interrupt at the terminal leaves ending it to stop, and
// ended by the kernel when the test process dies before that.
func (s *server) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Dir = s.dir
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "HOME=" + s.dir}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: s.user, Setpgid: true, Pdeathsig: syscall.SIGQUIT}
	return c
}

// ready waits until the server answers.
func (s *server) ready(log string) error {
	deadline := time.Now().Add(30 * time.Second)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		conn, err := pgx.Connect(ctx, s.url("postgres"))
		cancel()
		if err == nil {
			return conn.Close(context.Background())
		}
		if time.Now().After(deadline) {
			said, _ := os.ReadFile(log)
			return fmt.Errorf("PostgreSQL did not start within 30 s: %w\n%s", err, said)
		}
		time.Sleep(20 * time.Millisecond) // PostgreSQL has no event to wait for
	}
}

func (s *server) url(database string) string {
	return "postgres://test@/" + database + "?host=" + url.QueryEscape(s.dir)
}

func (s *server) exec(t testing.TB, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.url("postgres"))
	if err == nil {
		defer conn.Close(ctx)
		_, err = conn.Exec(ctx, statement)
	}
	if err != nil {
		t.Fatalf("pgtest: %s: %v", strings.SplitN(statement, " ", 3)[0], err)
	}
}

// stop ends the server at once and removes its folder.
func (s *server) stop() error {
	if s.process != nil && s.process.Process != nil {
		s.process.Process.Signal(syscall.SIGQUIT) // PostgreSQL's immediate shutdown
		s.process.Wait()                          // its status says only that it was told to end
	}
	return os.RemoveAll(s.dir)
}
