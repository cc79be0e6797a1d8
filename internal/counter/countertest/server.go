package countertest

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// programs are the servers that tests can run, best first.
var programs = []string{"valkey-server", "redis-server"}

// A Server is a real server process of one test, listening on loopback, run by an
// unprivileged user where the test has a choice.
type Server struct {
	Addr string // host:port

	t    testing.TB
	args []string
	dir  string
	cmd  *exec.Cmd
	out  bytes.Buffer
}

// StartServer runs a server with the given extra arguments until the test ends. A
// machine without one fails the test.
func StartServer(t testing.TB, args ...string) *Server {
	t.Helper()
	port := freePort(t)
	return start(t, port, append([]string{"--port", port}, args...))
}

// StartTLSServer runs a server that listens with TLS only, and takes clients with the
// same certificate only. The server's user must be able to read the files.
func StartTLSServer(t testing.TB, cert, key string) *Server {
	t.Helper()
	port := freePort(t)
	return start(t, port, []string{
		"--port", "0", "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert,
	})
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func start(t testing.TB, port string, args []string) *Server {
	t.Helper()
	s := &Server{t: t, Addr: net.JoinHostPort("127.0.0.1", port), dir: serverDir(t)}
	s.args = append([]string{"--bind", "127.0.0.1", "--dir", s.dir, "--save", "", "--appendonly", "no", "--daemonize", "no"}, args...)
	t.Cleanup(s.Kill)
	s.Start()
	return s
}

// serverDir is a folder that the server's user may write to.
func serverDir(t testing.TB) string {
	dir, err := os.MkdirTemp("", "gatehouse-counters-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Dir returns the folder that the server's files are in; it survives Kill and Start.
func (s *Server) Dir() string { return s.dir }

// Start runs the server again, empty unless its arguments make it keep its data.
func (s *Server) Start() {
	s.t.Helper()
	program := ""
	for _, p := range programs {
		if path, err := exec.LookPath(p); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		s.t.Fatal("no valkey-server or redis-server found: run `make test-deps`")
	}
	s.cmd = exec.Command(program, s.args...)
	s.out.Reset()
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Getuid() == 0 {
		s.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534, NoSetGroups: true}
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		conn, err := net.Dial("tcp", s.Addr)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			s.Kill()
			s.t.Fatalf("%s does not listen on %s: %v\n%s", filepath.Base(program), s.Addr, err, s.out.String())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Kill ends the server at once, as a crash does.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	s.cmd.Process.Kill()
	s.cmd.Wait()
	s.cmd = nil
}

// Freeze stops the server without closing its connections; Thaw lets it go on.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw undoes Freeze.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}
