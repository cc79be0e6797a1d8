package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/landlock-lsm/go-landlock/landlock"
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
			s.signal(syscall.SIGSTOP)
		case cmdThaw:
			s.signal(syscall.SIGCONT)
		case cmdTerm:
			s.signal(syscall.SIGCONT)
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

// memoryPause is how often memory is looked at.
const memoryPause = 25 * time.Millisecond

// watchMemory ends the programs when they have more memory than they may. It is what
// holds where cgroups may not be used; the data limit of each process is its backstop.
func (s *sandboxInit) watchMemory() {
	if !s.spec.Contained || s.spec.Memory <= 0 {
		return
	}
	for {
		time.Sleep(memoryPause)
		now := resident()
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

// makeRoot gives the process a root file system of its own that has what spec says and
// nothing else of the host, and the id of the sandbox's user.
func makeRoot(spec *sandboxSpec) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	mounts := slices.Clone(spec.Mounts)
	for _, dev := range []string{"null", "zero", "full", "random", "urandom"} {
		mounts = append(mounts, mount{From: "/dev/" + dev, To: "/dev/" + dev, Optional: true})
	}
	// What is made visible is opened with the server's id, since its folders are closed
	// to others, and everything else is done with the sandbox's.
	sources := make([]source, 0, len(mounts))
	for _, m := range mounts {
		src, err := open(m)
		if err != nil {
			return fmt.Errorf("making %s visible: %w", m.To, err)
		}
		sources = append(sources, src)
	}
	rootFD, err := unix.Open(spec.Root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening %s: %w", spec.Root, err)
	}
	if err := becomeUser(); err != nil {
		return err
	}
	if err := mountRoot(rootFD); err != nil {
		return fmt.Errorf("mounting a root: %w", err)
	}
	const root = "."
	for _, dir := range []string{"proc", "tmp", "dev", "etc", "var/task", "var/runtime", "opt", "root"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for _, src := range sources {
		if err := src.bind(root); err != nil {
			return fmt.Errorf("making %s visible: %w", src.To, err)
		}
	}
	if err := unix.Mount("tmpfs", "tmp", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("mode=1777,size=%d", spec.Storage)); err != nil {
		return fmt.Errorf("mounting /tmp: %w", err)
	}
	if err := unix.Mount("proc", "proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	for _, f := range spec.Files {
		if err := writeIn(root, f); err != nil {
			return err
		}
	}
	for name, to := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(to, filepath.Join("dev", name)); err != nil {
			return err
		}
	}
	if err := pivot(); err != nil {
		return err
	}
	for _, name := range []string{"user", "mnt", "net", "pid"} {
		// Where this cannot be written, functions lack the privileges for namespaces anyway.
		os.WriteFile("/proc/sys/user/max_"+name+"_namespaces", []byte("0"), 0)
	}
	return nil
}

func fdPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// mountRoot mounts an empty file system on the folder that at is, and goes there. The
// sandbox's user may not walk to the folder, so this is done by descriptors alone.
func mountRoot(at int) error {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(fs)
	for name, value := range map[string]string{"mode": "755", "size": "16m"} {
		if err := unix.FsconfigSetString(fs, name, value); err != nil {
			return err
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return err
	}
	m, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
	if err != nil {
		return err
	}
	defer unix.Close(m)
	if err := unix.MoveMount(m, "", at, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH); err != nil {
		return err
	}
	return unix.Fchdir(m)
}

// source is a mount with its host side opened.
type source struct {
	mount
	fd   int    // -1: it is a link, or not there
	link string // what the link says
	dir  bool
}

func open(m mount) (source, error) {
	s := source{mount: m, fd: -1}
	if link, err := os.Readlink(m.From); err == nil {
		s.link = link // /lib may be one; it is made again
		return s, nil
	}
	fd, err := unix.Open(m.From, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		if m.Optional && errors.Is(err, unix.ENOENT) {
			return s, nil
		}
		return s, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return s, err
	}
	s.fd, s.dir = fd, st.Mode&unix.S_IFMT == unix.S_IFDIR
	return s, nil
}

// bind makes the source visible below root, read-only with all that is mounted below it.
func (s source) bind(root string) error {
	to := filepath.Join(root, s.To)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if s.link != "" {
		if err := os.Symlink(s.link, to); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		return nil
	}
	if s.fd < 0 {
		return nil
	}
	defer unix.Close(s.fd)
	if s.dir {
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
	} else {
		f, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o444)
		if err != nil {
			return err
		}
		f.Close()
	}
	if err := unix.Mount(fdPath(s.fd), to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID}
	if strings.HasPrefix(s.To, "/dev/") {
		attr.Attr_set = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NOEXEC
	}
	return unix.MountSetattr(unix.AT_FDCWD, to, unix.AT_RECURSIVE, &attr)
}

func writeIn(root string, f file) error {
	path := filepath.Join(root, f.Path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, f.Data, os.FileMode(f.Mode)); err != nil {
		return err
	}
	return os.Chmod(path, os.FileMode(f.Mode))
}

// pivot makes the working folder the root and lets go of the old one.
func pivot() error {
	// Both names may be the same: the old root is then mounted over the new one
	// (pivot_root(2), notes).
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("changing the root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leaving the old root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, ""); err != nil {
		return fmt.Errorf("making the root read-only: %w", err)
	}
	return nil
}

// loopbackUp switches the sandbox's own loopback on, its only network.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr)
}

// becomeUser takes the id of the sandbox's user, which outside is nobody in particular.
func becomeUser() error {
	if err := syscall.Setgroups(nil); err != nil && !errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("leaving groups: %w", err)
	}
	if err := syscall.Setgid(0); err != nil {
		return fmt.Errorf("becoming the sandbox's group: %w", err)
	}
	if err := syscall.Setuid(0); err != nil {
		return fmt.Errorf("becoming the sandbox's user: %w", err)
	}
	// Changing the id took this away.
	return unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0)
}

// runLaunch turns into a program, without what programs may not have.
func runLaunch() {
	goruntime.LockOSThread()
	var spec launchSpec
	in := os.NewFile(3, "specification")
	err := json.NewDecoder(in).Decode(&spec)
	in.Close()
	if err == nil {
		err = launch(&spec)
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", spec.Program.Path, err)
	os.Exit(127)
}

// dataSlack is what a process may have beyond the function's memory before its
// allocations fail, rather than the whole sandbox being ended: stacks of threads and
// pages that are mapped and not touched.
const dataSlack = 1 << 30

func launch(spec *launchSpec) error {
	limits := map[int]uint64{
		unix.RLIMIT_CORE: 0, unix.RLIMIT_NOFILE: spec.OpenFiles, unix.RLIMIT_MEMLOCK: 64 << 10, unix.RLIMIT_MSGQUEUE: 0,
	}
	if spec.Contained {
		// These count by user, and only a sandbox's user is nobody else's.
		limits[unix.RLIMIT_NPROC] = spec.Processes
		limits[unix.RLIMIT_DATA] = spec.Memory + dataSlack
	}
	for which, limit := range limits {
		if err := unix.Setrlimit(which, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
			return fmt.Errorf("limit %d: %w", which, err)
		}
	}
	if err := os.Chdir(spec.Dir); err != nil {
		return err
	}
	if spec.Contained {
		if err := dropPrivileges(); err != nil {
			return err
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	// Whatever the server itself was started with stays out of its functions' hands.
	if err := unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("closing files: %w", err)
	}
	return syscall.Exec(spec.Program.Path, spec.Program.Args, spec.Program.Env)
}

// dropPrivileges gives up every capability for good and lets Landlock watch over what
// the mounts say already: only /tmp can be written to.
func dropPrivileges() error {
	err := landlock.V5.BestEffort().RestrictPaths(
		landlock.RODirs("/"), landlock.RWDirs("/tmp"), landlock.RWFiles("/dev/null", "/dev/zero", "/dev/full").IgnoreIfMissing(),
		landlock.RWDirs("/proc"),
	)
	if err != nil {
		return fmt.Errorf("landlock: %w", err)
	}
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("capability %d: %w", c, err)
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("ambient capabilities: %w", err)
	}
	const locked = 1<<0 | 1<<1 | 1<<2 | 1<<3 | 1<<5 | 1<<6 | 1<<7 // noroot, no setuid fixup, no ambient raise; each for good
	if err := unix.Prctl(unix.PR_SET_SECUREBITS, locked, 0, 0, 0); err != nil {
		return fmt.Errorf("secure bits: %w", err)
	}
	var none [2]unix.CapUserData
	return unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0])
}
