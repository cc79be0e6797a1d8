package runtime

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Control groups (version 2), where the server may make some: a hard bound for what all
// processes of a sandbox have together, which the watch of their memory cannot be, and an end
// that none escapes. They are made below a group that is the server's:
//
//	GROUP             configured, or the server's own when it was delegated to it
//	├── gatehouse     the server, when it was in GROUP: groups with limits have no processes
//	└── functions
//	    ├── PID-1     a sandbox
//	    └── PID-2
type cgroups struct {
	dir   string   // .../functions
	has   []string // controllers that limit sandboxes: "cpu", "memory", "pids"
	count atomic.Int64
	mkdir func(path string) error // os.Mkdir; tests that have no control groups fill the folder
}

// groupWeight is the share of functions together beside the server's 100: as niceness gives it
// to one process (sched(7): a step is about a quarter).
const groupWeight = 33

// groupMemory is what a sandbox's first process has itself, in bytes, beyond what its
// programs may have.
const groupMemory = 64 << 20

// openCgroups prepares the group of the server's that dir is; "" looks for the server's own.
// It returns nil without an error when there is none to be had.
func openCgroups(dir string) (*cgroups, error) {
	own, err := ownCgroup()
	if err != nil {
		return nil, err
	}
	if dir == "" {
		if own == "" || !delegated(own) {
			return nil, nil
		}
		dir = own
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return nil, fmt.Errorf("control group %s: %w", dir, err)
	}
	if st.Type != unix.CGROUP2_SUPER_MAGIC {
		return nil, fmt.Errorf("%s is no control group of version 2", dir)
	}
	return prepareCgroups(dir, filepath.Clean(dir) == own, os.Mkdir)
}

func prepareCgroups(dir string, isOwn bool, mkdir func(string, os.FileMode) error) (*cgroups, error) {
	c := &cgroups{dir: filepath.Join(dir, "functions"), mkdir: func(path string) error { return mkdir(path, 0o755) }}
	available, err := controllers(dir, "cgroup.controllers")
	if err != nil {
		return nil, err
	}
	// The root is the one group that may have both processes and limits below it; it has no type.
	if _, err := os.Stat(filepath.Join(dir, "cgroup.type")); isOwn && err == nil {
		leaf := filepath.Join(dir, "gatehouse")
		if err := c.ensure(leaf); err != nil {
			return nil, err
		}
		if err := put(leaf, "cgroup.procs", "0"); err != nil {
			return nil, err
		}
	}
	if err := c.ensure(c.dir); err != nil {
		return nil, err
	}
	for _, name := range []string{"cpu", "memory", "pids"} {
		if !slices.Contains(available, name) || put(dir, "cgroup.subtree_control", "+"+name) != nil || put(c.dir, "cgroup.subtree_control", "+"+name) != nil {
			continue
		}
		c.has = append(c.has, name)
	}
	if slices.Contains(c.has, "cpu") {
		if err := put(c.dir, "cpu.weight", strconv.Itoa(groupWeight)); err != nil {
			return nil, err
		}
	}
	left, err := os.ReadDir(c.dir)
	if err != nil {
		return nil, err
	}
	for _, e := range left { // of a server that was killed; those of one that lives are not empty
		if e.IsDir() {
			unix.Rmdir(filepath.Join(c.dir, e.Name()))
		}
	}
	return c, nil
}

func (c *cgroups) ensure(path string) error {
	if err := c.mkdir(path); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// ownCgroup is the folder of the server's own group; "" when it has none of version 2.
func ownCgroup() (string, error) {
	membership, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	path, ok := "", false
	for line := range strings.Lines(string(membership)) {
		if rest, is := strings.CutPrefix(line, "0::"); is {
			path, ok = strings.TrimSuffix(rest, "\n"), true
		}
	}
	if !ok {
		return "", nil
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	return locate(mounts, path), nil
}

// locate finds the folder of a group by the mounts of a process (proc(5), mountinfo).
func locate(mountinfo []byte, path string) string {
	for s := bufio.NewScanner(bytes.NewReader(mountinfo)); s.Scan(); {
		left, right, ok := strings.Cut(s.Text(), " - ")
		f := strings.Fields(left)
		if !ok || len(f) < 5 || !strings.HasPrefix(right, "cgroup2 ") {
			continue
		}
		if rest, under := strings.CutPrefix(path, strings.TrimSuffix(f[3], "/")); under && (rest == "" || rest[0] == '/') {
			return filepath.Join(f[4], rest)
		}
	}
	return ""
}

// delegated reports whether a group was given to whoever runs in it: systemd says so by an
// attribute (Delegate=); to others than root, owning it says the same.
func delegated(dir string) bool {
	for _, name := range []string{"trusted.delegate", "user.delegate"} {
		var value [1]byte
		if n, err := unix.Getxattr(dir, name, value[:]); err == nil && n == 1 && value[0] == '1' {
			return true
		}
	}
	var st unix.Stat_t
	return os.Getuid() != 0 && unix.Stat(dir, &st) == nil && int(st.Uid) == os.Getuid()
}

func controllers(dir, file string) ([]string, error) {
	b, err := os.ReadFile(filepath.Join(dir, file))
	return strings.Fields(string(b)), err
}

// put writes a file of a group, which must exist.
func put(dir, name, value string) error {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// A cgroup is that of one sandbox.
type cgroup struct {
	dir string
	fd  *os.File // the folder, for who is to be born in it
	has []string
}

// make makes the group of a sandbox with its limits.
func (c *cgroups) make(spec *sandboxSpec) (*cgroup, error) {
	g := &cgroup{dir: filepath.Join(c.dir, fmt.Sprintf("%d-%d", os.Getpid(), c.count.Add(1))), has: c.has}
	if err := c.mkdir(g.dir); err != nil {
		return nil, err
	}
	for _, s := range limitsOf(spec) {
		if !slices.Contains(c.has, s.controller) {
			continue
		}
		if err := put(g.dir, s.file, s.value); err != nil && !(s.optional && errors.Is(err, os.ErrNotExist)) {
			g.remove()
			return nil, err
		}
	}
	var err error
	if g.fd, err = os.OpenFile(g.dir, unix.O_DIRECTORY|unix.O_PATH|unix.O_CLOEXEC, 0); err != nil {
		g.remove()
		return nil, err
	}
	return g, nil
}

type limit struct {
	controller, file, value string
	optional                bool // not in every kernel, or not without swap
}

// limitsOf are a sandbox's limits (Linux, Documentation/admin-guide/cgroup-v2.rst). What is
// in /tmp counts as memory there, and does not for functions: the group has room for both, and
// the memory of programs alone is watched besides.
func limitsOf(spec *sandboxSpec) (all []limit) {
	if spec.Memory > 0 {
		all = append(all,
			limit{"memory", "memory.max", strconv.FormatInt(spec.Memory+spec.Storage+groupMemory, 10), false},
			limit{"memory", "memory.swap.max", "0", true},
			limit{"memory", "memory.oom.group", "1", true},
			limit{"cpu", "cpu.weight", strconv.FormatInt(min(max(100*spec.Memory/(processorMemory<<20), 1), 10000), 10), false},
		)
	}
	if spec.Processes > 0 {
		all = append(all, limit{"pids", "pids.max", strconv.FormatUint(spec.Processes+initThreads, 10), false})
	}
	return all
}

// initThreads is room for the threads of a sandbox's first process.
const initThreads = 64

// kill ends every process of the group at once.
func (g *cgroup) kill() error { return put(g.dir, "cgroup.kill", "1") }

// exhausted reports whether a process was ended because the group's memory was used up.
func (g *cgroup) exhausted() bool {
	b, err := os.ReadFile(filepath.Join(g.dir, "memory.events"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(b)) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			return strings.TrimSpace(n) != "0"
		}
	}
	return false
}

// remove gives the group up. Processes that have just ended may keep it for a moment.
func (g *cgroup) remove() {
	if g.fd != nil {
		g.fd.Close()
	}
	for pause := time.Millisecond; pause < time.Second; pause *= 2 {
		if err := unix.Rmdir(g.dir); !errors.Is(err, unix.EBUSY) {
			return
		}
		time.Sleep(pause)
	}
}
