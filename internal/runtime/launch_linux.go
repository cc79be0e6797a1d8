package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	goruntime "runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/landlock-lsm/go-landlock/landlock"
	"golang.org/x/sys/unix"
)

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

// niceness is how far the priority of functions is below that of the server, so that busy
// functions do not slow down requests that need none.
const niceness = 5

// giveWay lets functions be ended before the server is when the machine runs out of memory.
func giveWay() error {
	const file = "/proc/self/oom_score_adj"
	b, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("giving way for memory: %w", err)
	}
	now, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return fmt.Errorf("giving way for memory: %w", err)
	}
	if err := os.WriteFile(file, []byte(strconv.Itoa(min(now+oomScore, 1000))), 0); err != nil {
		return fmt.Errorf("giving way for memory: %w", err)
	}
	return nil
}

// oomScore is what the kernel adds, in thousandths of the machine's memory, to what a function
// uses when it chooses whom to end (proc(5), oom_score_adj).
const oomScore = 500

// yield lowers the priority.
func yield() error {
	now, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		return fmt.Errorf("reading the priority: %w", err)
	}
	// The system call answers 20 less the niceness (getpriority(2), notes).
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, min(20-now+niceness, 19)); err != nil {
		return fmt.Errorf("lowering the priority: %w", err)
	}
	return nil
}

func launch(spec *launchSpec) error {
	if err := yield(); err != nil {
		return err
	}
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
	if err := giveWay(); err != nil {
		return err
	}
	if spec.Contained {
		if err := leaveKeyring(); err != nil {
			return err
		}
		if err := dropPrivileges(); err != nil {
			return err
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	if spec.Contained {
		if err := withhold(); err != nil {
			return err
		}
	}
	// Whatever the server itself was started with stays out of its functions' hands.
	if err := unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("closing files: %w", err)
	}
	return syscall.Exec(spec.Program.Path, spec.Program.Args, spec.Program.Env)
}

// leaveKeyring exchanges the session keyring, which is inherited from the server and may
// hold keys of whoever started it, for an empty one. A session keyring belongs to a thread
// (keyrings(7)), so this is for the thread that becomes the program. Where keyrings are
// not to be had or are forbidden, functions have none either.
func leaveKeyring() error {
	// Null makes one without a name, which nobody can join (keyctl(2)).
	_, _, err := unix.Syscall(unix.SYS_KEYCTL, unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0)
	switch err {
	case 0, unix.ENOSYS, unix.EPERM, unix.EACCES, unix.EOPNOTSUPP:
		return nil
	case unix.EDQUOT:
		return fmt.Errorf("leaving the session keyring: %w: the server's user has kernel.keys.maxkeys keys", err)
	}
	return fmt.Errorf("leaving the session keyring: %w", err)
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
