package runtime

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// The group of a process is found by its mounts, in containers too.
func TestLocateCgroup(t *testing.T) {
	const host = "25 20 0:22 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
	const mixed = "30 20 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n31 20 0:31 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 none rw\n"
	const container = "40 20 0:22 /system.slice/box /sys/fs/cgroup rw - cgroup2 cgroup rw\n"
	for _, c := range []struct{ mounts, path, want string }{
		{host, "/system.slice/gatehouse.service", "/sys/fs/cgroup/system.slice/gatehouse.service"},
		{host, "/", "/sys/fs/cgroup"},
		{mixed, "/", "/sys/fs/cgroup/unified"},
		{container, "/system.slice/box/inner", "/sys/fs/cgroup/inner"},
		{container, "/system.slice/box", "/sys/fs/cgroup"},
		{container, "/system.slice/boxer", ""},
		{container, "/elsewhere", ""},
		{"not a line of it\n", "/", ""},
	} {
		if got := locate([]byte(c.mounts), c.path); got != c.want {
			t.Errorf("group %s is at %q, want %q", c.path, got, c.want)
		}
	}
}

// fakeGroups stands for a kernel: folders have the files that groups have. What the kernel
// does with them is not tested by it.
func fakeGroups(t *testing.T, has string) (dir string, mkdir func(string, os.FileMode) error) {
	fill := func(path string) error {
		for name, content := range map[string]string{
			"cgroup.controllers": has, "cgroup.subtree_control": "", "cgroup.procs": "", "cgroup.type": "domain", "cgroup.kill": "", "cpu.weight": "", "pids.max": "",
			"memory.max": "", "memory.oom.group": "", "memory.events": "low 0\nhigh 0\nmax 7\noom 1\noom_kill 2\noom_group_kill 1\n",
		} {
			if err := os.WriteFile(filepath.Join(path, name), []byte(content), 0o644); err != nil {
				return err
			}
		}
		return nil
	}
	dir = t.TempDir()
	if err := fill(dir); err != nil {
		t.Fatal(err)
	}
	return dir, func(path string, mode os.FileMode) error {
		if err := os.Mkdir(path, mode); err != nil {
			return err
		}
		return fill(path)
	}
}

// Sandboxes get the limits of the controllers that are there; the server leaves a group that
// is to have limits below it.
func TestCgroupLimits(t *testing.T) {
	spec := &sandboxSpec{Memory: 512 << 20, Storage: 1 << 30, Processes: 1024}
	for _, c := range []struct {
		has  string
		own  bool
		want map[string]string
	}{
		{"cpuset cpu io memory pids\n", true, map[string]string{"memory.max": "1677721600", "memory.oom.group": "1", "pids.max": "1088", "cpu.weight": "28"}},
		{"pids\n", false, map[string]string{"memory.max": "", "memory.oom.group": "", "pids.max": "1088", "cpu.weight": ""}},
		{"hugetlb\n", false, map[string]string{"memory.max": "", "memory.oom.group": "", "pids.max": "", "cpu.weight": ""}},
	} {
		dir, mkdir := fakeGroups(t, c.has)
		groups, err := prepareCgroups(dir, c.own, mkdir)
		if err != nil {
			t.Fatal(err)
		}
		moved, err := os.ReadFile(filepath.Join(dir, "gatehouse", "cgroup.procs"))
		if c.own && string(moved) != "0" || !c.own && !os.IsNotExist(err) {
			t.Errorf("%s: the server's own group: %q, %v", c.has, moved, err)
		}
		g, err := groups.make(spec)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for name := range c.want {
			b, err := os.ReadFile(filepath.Join(g.dir, name))
			if err != nil {
				t.Fatal(err)
			}
			got[name] = string(b)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.has, d)
		}
		if !g.exhausted() {
			t.Error("a process that was ended for its group's memory is not noticed")
		}
		if err := g.kill(); err != nil {
			t.Error(err)
		}
		g.fd.Close()
	}
}

// Where a group is no group, or takes no limit, that is told.
func TestCgroupRefusals(t *testing.T) {
	if _, err := openCgroups(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no control group") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := New(Options{RunDir: t.TempDir(), Cgroup: "/nowhere"}); err == nil || !strings.Contains(err.Error(), "functions.cgroup: ") {
		t.Errorf("a group that is not there: %v", err)
	}
	dir, mkdir := fakeGroups(t, "pids")
	groups, err := prepareCgroups(dir, false, mkdir)
	if err != nil {
		t.Fatal(err)
	}
	groups.mkdir = func(path string) error { return os.Mkdir(path, 0o755) } // without its files
	if _, err := groups.make(&sandboxSpec{Processes: 1}); err == nil {
		t.Error("a sandbox whose limit could not be set was begun")
	}
	if left, err := os.ReadDir(groups.dir); err != nil || slices.ContainsFunc(left, os.DirEntry.IsDir) {
		t.Errorf("its group is still there: %v, %v", left, err)
	}
}

// With a kernel's groups: a sandbox is born in one, all of it ends by it, and it is gone
// afterwards. Only root can mount them.
func TestSandboxInCgroup(t *testing.T) {
	if os.Getuid() != 0 {
		if groups, err := openCgroups(""); err == nil && groups == nil {
			return // nothing was delegated: functions run without, as all other tests show
		}
	}
	at := t.TempDir()
	if err := unix.Mount("none", at, "cgroup2", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(at, 0); err != nil {
			t.Error(err)
		}
	})
	dir, err := os.MkdirTemp(at, "gatehouse-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, d := range []string{filepath.Join(dir, "functions"), dir} {
			if err := os.Remove(d); err != nil {
				t.Error(err)
			}
		}
	})
	r, err := New(Options{RunDir: t.TempDir(), Cgroup: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(context.Background())
	if r.groups == nil {
		t.Fatal("groups are not used")
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	root := t.TempDir()
	spec := &sandboxSpec{
		Contained: true, Root: root, Storage: 1 << 20, Memory: 128 << 20, Processes: 100, OpenFiles: 100, Dir: "/",
		Mounts:   []mount{{From: "/usr", To: "/usr"}, {From: "/bin", To: "/bin", Optional: true}, {From: "/lib", To: "/lib", Optional: true}, {From: "/lib64", To: "/lib64", Optional: true}},
		Programs: []program{{Path: "/bin/sh", Args: []string{"sh", "-c", "setsid sleep 600 & setsid sleep 600 & wait"}}},
	}
	box, err := startSandbox(spec, null, null, nil, r.groups)
	if err != nil {
		t.Fatal(err)
	}
	if err := box.command(cmdRuntime); err != nil {
		t.Fatal(err)
	}
	procs := func() int {
		b, err := os.ReadFile(filepath.Join(box.group.dir, "cgroup.procs"))
		if err != nil {
			t.Fatal(err)
		}
		return len(strings.Fields(string(b)))
	}
	// Its first process, the shell and both that it started.
	for until := time.Now().Add(20 * time.Second); procs() != 4; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%d processes in the group, want 4", procs())
		}
	}
	if err := box.group.kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-box.exited:
	case <-time.After(20 * time.Second):
		t.Fatal("the sandbox lives on")
	}
	if _, err := os.Stat(box.group.dir); !os.IsNotExist(err) {
		t.Errorf("its group is still there: %v", err)
	}
}
