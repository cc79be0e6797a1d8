package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A sandbox is one function process and whatever it starts, apart from everything else:
//
//   - a user namespace, in which it is nobody outside;
//   - a mount namespace, whose root has the code, the interpreter and system libraries,
//     all read-only, and a /tmp of its own; no file of the server is there to be opened;
//   - a pid namespace: no process outside can be seen, signalled or traced, and none
//     inside outlives its first one;
//   - a network namespace with a loopback of its own: it reaches what this process serves
//     there, the Runtime API first of all, and nothing else;
//   - no capabilities, no_new_privs, Landlock, resource limits.
//
// Its first process is this binary again, which makes all that, hands the
// listeners to this process and starts the programs.
type sandbox struct {
	spec      *sandboxSpec
	cmd       *exec.Cmd
	conn      *net.UnixConn
	group     *cgroup // nil without control groups
	listeners []net.Listener

	exited chan struct{} // closed when nothing of the sandbox is left
	onExit func()        // called once, before exited is closed; nil for nothing
	peak   atomic.Int64

	mu      sync.Mutex
	how     string // how the runtime ended
	memory  bool   // it was ended for its memory
	crashed string // which extension ended first, and how
}

// hostUIDs is where the user ids begin that sandboxes of a privileged server have
// outside: far from those of people and services.
const hostUIDs = 1_879_048_192

var sandboxCount atomic.Uint32

// dumping orders the moments in which the server may be looked into: writing a child's
// user mapping needs it, unless the server is privileged.
var dumping sync.Mutex

// startSandbox makes a sandbox and hands its listeners over; its programs start by
// command. What they write goes to stdout and stderr.
func startSandbox(spec *sandboxSpec, stdout, stderr *os.File, onExit func(), groups *cgroups) (_ *sandbox, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "control"), os.NewFile(uintptr(pair[1]), "control")
	defer theirs.Close()
	c, err := net.FileConn(ours)
	ours.Close()
	if err != nil {
		return nil, err
	}
	s := &sandbox{spec: spec, conn: c.(*net.UnixConn), exited: make(chan struct{}), onExit: onExit}
	s.cmd = &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{argInit}, Env: []string{}, Dir: "/",
		Stdout: stdout, Stderr: stderr, ExtraFiles: []*os.File{theirs},
		SysProcAttr: attributes(spec),
	}
	if groups != nil {
		if s.group, err = groups.make(spec); err != nil {
			s.conn.Close()
			return nil, fmt.Errorf("control group: %w", err)
		}
		s.cmd.SysProcAttr.UseCgroupFD, s.cmd.SysProcAttr.CgroupFD = true, int(s.group.fd.Fd())
		defer func() {
			if err != nil {
				s.group.remove()
			}
		}()
	}
	if err := startDumpable(s.cmd); err != nil {
		s.conn.Close()
		return nil, err
	}
	if err := s.setUp(); err != nil {
		s.conn.Close()
		s.cmd.Process.Kill()
		s.cmd.Wait()
		return nil, err
	}
	go s.watch()
	return s, nil
}

// attributes says how the first process is cloned.
func attributes(spec *sandboxSpec) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if !spec.Contained {
		return a
	}
	a.Cloneflags = syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET |
		syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid = hostUIDs + int(sandboxCount.Add(1)%65536)
		gid = uid
		a.GidMappingsEnableSetgroups = true
	}
	a.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
	a.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: gid, Size: 1}}
	// Until it has made its root the first process keeps the server's id outside, to
	// find the code; capabilities inside its namespace must outlast the exec then.
	a.AmbientCaps = []uintptr{
		unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_SETUID, unix.CAP_SETGID, unix.CAP_SYS_RESOURCE, unix.CAP_SETPCAP,
		unix.CAP_DAC_OVERRIDE, unix.CAP_CHOWN, unix.CAP_FOWNER, unix.CAP_KILL,
	}
	return a
}

func startDumpable(cmd *exec.Cmd) error {
	dumping.Lock()
	defer dumping.Unlock()
	if os.Getuid() != 0 && cmd.SysProcAttr.Cloneflags != 0 {
		if was, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err == nil && was == 0 {
			unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0)
			defer unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
		}
	}
	return cmd.Start()
}

// Harden keeps other processes of the server's user from reading its memory and its
// /proc entry. The server calls it at start.
func Harden() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }

// setUpTime bounds the making of a sandbox.
const setUpTime = 10 * time.Second

func (s *sandbox) setUp() error {
	s.conn.SetDeadline(time.Now().Add(setUpTime))
	defer s.conn.SetDeadline(time.Time{})
	b, err := json.Marshal(s.spec)
	if err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fdOf(s.conn), unix.SOL_SOCKET, unix.SO_SNDBUF, 1<<20); err != nil {
		return err
	}
	if _, err := s.conn.Write(b); err != nil {
		return fmt.Errorf("sandbox: sending its specification: %w", err)
	}
	buf, oob := make([]byte, 1<<16), make([]byte, unix.CmsgSpace(4*len(s.spec.Listen)))
	n, oobn, _, _, err := s.conn.ReadMsgUnix(buf, oob)
	if err != nil {
		return fmt.Errorf("sandbox: it ended before it was ready: %w", err)
	}
	var first notice
	if err := json.Unmarshal(buf[:n], &first); err != nil {
		return fmt.Errorf("sandbox: its first message: %w", err)
	}
	if first.Kind != "ready" {
		return fmt.Errorf("sandbox: %s", first.Error)
	}
	return s.receive(oob[:oobn])
}

func fdOf(c *net.UnixConn) (fd int) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1
	}
	raw.Control(func(p uintptr) { fd = int(p) })
	return fd
}

// receive turns the descriptors of a message into listeners.
func (s *sandbox) receive(oob []byte) error {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return err
	}
	var fds []int
	for i := range msgs {
		got, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			return err
		}
		fds = append(fds, got...)
	}
	for _, fd := range fds {
		unix.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), "listener")
		l, err := net.FileListener(f)
		f.Close()
		if err != nil {
			return err
		}
		s.listeners = append(s.listeners, l)
	}
	s.listeners = append(s.listeners, s.spec.listeners...)
	if len(s.listeners) != len(s.spec.Listen)+len(s.spec.listeners) {
		return fmt.Errorf("sandbox: %d listeners came, want %d", len(s.listeners), len(s.spec.Listen))
	}
	return nil
}

func (s *sandbox) command(c byte) error {
	_, err := s.conn.Write([]byte{c})
	return err
}

// watch takes in the sandbox's notices until it is gone.
func (s *sandbox) watch() {
	buf := make([]byte, 1<<16)
	for {
		n, err := s.conn.Read(buf)
		if err != nil || n == 0 {
			break
		}
		var m notice
		if json.Unmarshal(buf[:n], &m) == nil {
			s.note(m)
		}
	}
	err := s.cmd.Wait()
	s.conn.Close()
	exhausted := false
	if s.group != nil {
		s.group.kill() // the pid namespace is gone already; without a sandbox there was none
		exhausted = s.group.exhausted()
		s.group.remove()
	}
	for _, l := range s.listeners {
		l.Close()
	}
	s.mu.Lock()
	s.memory = s.memory || exhausted
	if s.how == "" {
		s.how = "signal: killed"
		if err == nil {
			s.how = "exit status 0"
		}
	}
	s.mu.Unlock()
	if s.onExit != nil {
		s.onExit()
	}
	close(s.exited)
}

func (s *sandbox) note(m notice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.Peak > s.peak.Load() {
		s.peak.Store(m.Peak)
	}
	switch m.Kind {
	case "memory":
		s.memory = true
		s.how = "signal: killed"
	case "failed":
		s.how = m.Error
	case "exited":
		if m.Index == 0 {
			s.how = m.Status
		} else if s.crashed == "" {
			s.crashed = fmt.Sprintf("extension %s: %s", s.spec.Programs[m.Index].Path, m.Status)
			s.command(cmdKill)
			s.cmd.Process.Kill() // the runtime may not have been started, whose end would be the sandbox's
		}
	}
}

// outcome tells how a sandbox that is gone ended.
func (s *sandbox) outcome() (how string, memory bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.crashed != "" {
		return s.crashed, false
	}
	return s.how, s.memory
}

// kill ends the sandbox and waits until nothing of it is left: the first process goes
// down and the kernel takes all others of its pid namespace with it.
func (s *sandbox) kill() {
	if s.group != nil {
		s.group.kill()
	}
	s.command(cmdKill)
	s.cmd.Process.Kill()
	<-s.exited
}

// stop asks the programs to end, and ends them when they have not within grace.
func (s *sandbox) stop(grace time.Duration) {
	if grace > 0 && s.command(cmdTerm) == nil {
		t := time.NewTimer(grace)
		defer t.Stop()
		select {
		case <-s.exited:
			return
		case <-t.C:
		}
	}
	s.kill()
}

// probe makes a sandbox as functions get it, runs nothing in it, and reports why that is
// not possible here.
func probe(runDir string, groups *cgroups) error {
	root, err := os.MkdirTemp(runDir, "probe-")
	if err != nil {
		return err
	}
	defer os.Remove(root)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	s, err := startSandbox(&sandboxSpec{Contained: true, Root: root, Listen: []string{apiAddress}, Storage: 1 << 20}, null, null, nil, groups)
	if err != nil {
		switch {
		case errors.Is(err, unix.EPERM), errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EINVAL), errors.Is(err, io.EOF):
			return fmt.Errorf("user namespaces: %w", err)
		}
		return err
	}
	s.kill()
	return nil
}
