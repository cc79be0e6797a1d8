package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	goruntime "runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Names under which the binary is run again.
const (
	argInit   = "gatehouse-sandbox-init"   // first process of a sandbox
	argLaunch = "gatehouse-sandbox-launch" // becomes a program of the function
)

// A process that was started to be part of a sandbox does that work here and does not
// come to main. It is an init function, and not a call that main owes, so that no program
// with this package in it, a test above all, can be started as itself by mistake.
func init() {
	if len(os.Args) == 0 {
		return
	}
	switch os.Args[0] {
	case argInit:
		runInit()
	case argLaunch:
		runLaunch()
	}
}

// sandboxInit is the first process of a sandbox.
type sandboxInit struct {
	conn *net.UnixConn
	spec sandboxSpec
	self int           // this binary, opened while it could be found
	born chan struct{} // has a value after a program was started

	mu   sync.Mutex
	pids map[int]int // process to index in spec.Programs; -1 in place of one that ended

	peak int64
	over bool

	freezing sync.Mutex // held while the programs stand still
	frozen   bool       // of the goroutine that obeys
}

func runInit() {
	goruntime.LockOSThread()
	f := os.NewFile(3, "control")
	c, err := net.FileConn(f)
	f.Close()
	if err != nil {
		os.Exit(70)
	}
	s := &sandboxInit{conn: c.(*net.UnixConn), pids: make(map[int]int), born: make(chan struct{}, 1)}
	if err := s.begin(); err != nil {
		s.tell(notice{Kind: "failed", Error: err.Error()})
		os.Exit(71)
	}
	go s.obey()
	go s.watchMemory()
	s.reap()
	os.Exit(0)
}

// begin makes the sandbox and starts the programs.
func (s *sandboxInit) begin() error {
	buf := make([]byte, 1<<20)
	n, err := s.conn.Read(buf)
	if err != nil {
		return fmt.Errorf("reading the specification: %w", err)
	}
	if err := json.Unmarshal(buf[:n], &s.spec); err != nil {
		return fmt.Errorf("reading the specification: %w", err)
	}
	exe, err := os.Open("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("opening the binary: %w", err)
	}
	defer exe.Close()
	// Low numbers are those that a program's own files get.
	if s.self, err = unix.FcntlInt(exe.Fd(), unix.F_DUPFD_CLOEXEC, 64); err != nil {
		return fmt.Errorf("opening the binary: %w", err)
	}
	if s.spec.Contained {
		if err := makeRoot(&s.spec); err != nil {
			return err
		}
		if err := loopbackUp(); err != nil {
			return fmt.Errorf("loopback: %w", err)
		}
	}
	if err := s.handOver(); err != nil {
		return err
	}
	return nil
}

// handOver makes the listeners and sends them to the server.
func (s *sandboxInit) handOver() error {
	var fds []int
	for _, addr := range s.spec.Listen {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			return err
		}
		defer f.Close()
		defer l.Close()
		fds = append(fds, int(f.Fd()))
	}
	b, err := json.Marshal(notice{Kind: "ready"})
	if err != nil {
		return err
	}
	_, _, err = s.conn.WriteMsgUnix(b, unix.UnixRights(fds...), nil)
	return err
}

func (s *sandboxInit) tell(n notice) {
	if b, err := json.Marshal(n); err == nil {
		s.conn.Write(b)
	}
}

// start runs a program by way of this binary, which gives up what a program may not have.
func (s *sandboxInit) start(i int) error {
	p := s.spec.Programs[i]
	spec, err := json.Marshal(launchSpec{
		Contained: s.spec.Contained, Program: p, Dir: s.spec.Dir,
		Memory: uint64(s.spec.Memory), Processes: s.spec.Processes, OpenFiles: s.spec.OpenFiles,
	})
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	pid, err := syscall.ForkExec(fdPath(s.self), []string{argLaunch}, &syscall.ProcAttr{
		Env: []string{}, Files: []uintptr{0, 1, 2, r.Fd()}, Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		w.Close()
		return fmt.Errorf("starting %s: %w", p.Path, err)
	}
	s.mu.Lock()
	s.pids[pid] = i
	s.mu.Unlock()
	select {
	case s.born <- struct{}{}:
	default:
	}
	_, err = w.Write(spec)
	w.Close()
	return err
}

// startOrFail starts a program; a sandbox whose program cannot start is no use.
func (s *sandboxInit) startOrFail(i int) {
	if err := s.start(i); err != nil {
		s.tell(notice{Kind: "failed", Error: err.Error()})
		os.Exit(71)
	}
}

// reap waits for programs and their orphans; it returns when the runtime has ended.
func (s *sandboxInit) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if errors.Is(err, syscall.ECHILD) {
			<-s.born // nothing runs yet, or between two programs
			continue
		}
		if err != nil {
			return
		}
		s.mu.Lock()
		i, ours := s.pids[pid]
		delete(s.pids, pid)
		over := s.over
		s.mu.Unlock()
		if !ours {
			continue
		}
		if !over {
			s.tell(notice{Kind: "exited", Index: i, Status: statusText(status)})
		}
		if i == 0 {
			s.signal(syscall.SIGKILL)
			return
		}
	}
}

// statusText says how a process ended, as os.ProcessState does.
func statusText(st syscall.WaitStatus) string {
	if st.Signaled() {
		return "signal: " + st.Signal().String()
	}
	return "exit status " + strconv.Itoa(st.ExitStatus())
}

// obey carries out the server's commands. When the server is gone, so is the sandbox.
func (s *sandboxInit) obey() {
	goruntime.LockOSThread() // programs end with the thread that started them
	buf := make([]byte, 16)
	for {
		n, err := s.conn.Read(buf)
		if err != nil || n == 0 {
			s.signal(syscall.SIGKILL)
			os.Exit(0)
		}
		switch buf[0] {
		case cmdExtensions:
			for i := 1; i < len(s.spec.Programs); i++ {
				s.startOrFail(i)
			}
		case cmdRuntime:
			s.startOrFail(0)
		case cmdFreeze:
			s.freeze(true)
		case cmdThaw:
			s.freeze(false)
		case cmdTerm:
			s.freeze(false)
			s.signal(syscall.SIGTERM)
		case cmdKill:
			s.signal(syscall.SIGKILL)
		}
	}
}

// signal reaches every process of the sandbox, whatever group it moved to. Without
// containment only the programs' own groups can be reached.
func (s *sandboxInit) signal(sig syscall.Signal) {
	if s.spec.Contained {
		syscall.Kill(-1, sig)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for pid := range s.pids {
		syscall.Kill(-pid, sig)
	}
}

// Memory is looked at every so often: soon again when much of it is used or it grows, and
// rarely otherwise, since hundreds of sandboxes do so at the same time. One that is frozen
// cannot take any.
const (
	soon   = 25 * time.Millisecond
	rarely = 100 * time.Millisecond
)

// watchMemory ends the programs when they have more memory than they may. It is what
// holds where cgroups may not be used; the data limit of each process is its backstop.
func (s *sandboxInit) watchMemory() {
	if !s.spec.Contained || s.spec.Memory <= 0 {
		return
	}
	pause := soon
	for {
		time.Sleep(pause)
		s.freezing.Lock() // held while the programs stand still
		now := resident()
		s.freezing.Unlock()
		pause = rarely
		if now > s.spec.Memory/2 || now > s.peak+1<<20 {
			pause = soon
		}
		if now > s.peak {
			if now > s.peak+1<<20 {
				s.tell(notice{Kind: "peak", Peak: now})
			}
			s.peak = now
		}
		if now > s.spec.Memory {
			s.mu.Lock()
			s.over = true
			s.mu.Unlock()
			s.tell(notice{Kind: "memory", Peak: now})
			s.signal(syscall.SIGKILL)
			return
		}
	}
}

// freeze makes the programs stand still, or go on.
func (s *sandboxInit) freeze(stop bool) {
	if s.frozen == stop {
		return
	}
	if s.frozen = stop; stop {
		s.signal(syscall.SIGSTOP)
		s.freezing.Lock()
		return
	}
	s.signal(syscall.SIGCONT)
	s.freezing.Unlock()
}

// resident is the memory of all processes of the sandbox but this one: what each has
// for itself, since code and interpreters are shared with others.
func resident() (total int64) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	page := int64(os.Getpagesize())
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == 1 {
			continue
		}
		b, err := os.ReadFile("/proc/" + e.Name() + "/statm")
		if err != nil {
			continue
		}
		f := strings.Fields(string(b))
		if len(f) < 3 {
			continue
		}
		rss, _ := strconv.ParseInt(f[1], 10, 64)
		shared, _ := strconv.ParseInt(f[2], 10, 64)
		total += (rss - shared) * page
	}
	return total
}
