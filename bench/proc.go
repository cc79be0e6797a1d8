package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// moveAside moves this program, all threads of it, to loadCPUs: it makes load too, and would
// otherwise compete with the proxy for the core that is measured.
func moveAside() error {
	out, err := exec.Command("taskset", "-a", "-c", "-p", loadCPUs, strconv.Itoa(os.Getpid())).CombinedOutput()
	if err != nil {
		return fmt.Errorf("taskset: %w: %s", err, out)
	}
	return nil
}

// A process is one that this program started, with its children.
type process struct {
	name string
	cmd  *exec.Cmd
}

// launch starts a command pinned to cpus, a list as taskset takes it, and waits until
// addr accepts connections.
func launch(name, cpus, addr string, argv ...string) (*process, error) {
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		return nil, fmt.Errorf("%s is in use: is another measurement running?", addr)
	}
	cmd := exec.Command("taskset", append([]string{"-c", cpus}, argv...)...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p := &process{name, cmd}
	for range 100 {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return p, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.stop()
	return nil, fmt.Errorf("%s does not listen on %s", name, addr)
}

func (p *process) stop() {
	p.cmd.Process.Signal(os.Interrupt)
	done := make(chan struct{})
	go func() { p.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		p.cmd.Process.Kill()
		<-done
	}
}

// family returns the process and its children: a proxy may work in workers.
func (p *process) family() []int {
	pids := []int{p.cmd.Process.Pid}
	kids, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pids[0]))
	for _, k := range kids {
		b, _ := os.ReadFile(k)
		for _, f := range strings.Fields(string(b)) {
			if pid, err := strconv.Atoi(f); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// cpu returns the processor time used so far, user and system, from /proc/PID/stat.
func (p *process) cpu() (time.Duration, error) {
	var total time.Duration
	for _, pid := range p.family() {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, err
		}
		_, rest, ok := strings.Cut(string(b), ") ")
		fields := strings.Fields(rest)
		if !ok || len(fields) < 13 {
			return 0, errors.New("unexpected /proc/PID/stat")
		}
		for _, f := range fields[11:13] { // utime, stime
			n, err := strconv.ParseInt(f, 10, 64)
			if err != nil {
				return 0, err
			}
			total += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return total, nil
}

// memory returns the resident size in bytes.
func (p *process) memory() (int64, error) {
	var total int64
	for _, pid := range p.family() {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if err != nil {
			return 0, err
		}
		f := strings.Fields(string(b))
		if len(f) < 2 {
			return 0, errors.New("unexpected /proc/PID/statm")
		}
		n, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return 0, err
		}
		total += n * int64(os.Getpagesize())
	}
	return total, nil
}

// forgetPeak begins a new measurement of peak.
func (p *process) forgetPeak() {
	for _, pid := range p.family() {
		os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0) // fails for another user's process: its peak is then of all its life
	}
}

// peak returns the greatest resident size since forgetPeak, in bytes.
func (p *process) peak() (int64, error) {
	var total int64
	for _, pid := range p.family() {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return 0, err
		}
		_, rest, ok := strings.Cut(string(b), "VmHWM:")
		fields := strings.Fields(rest)
		if !ok || len(fields) == 0 {
			return 0, errors.New("unexpected /proc/PID/status")
		}
		kib, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil {
			return 0, err
		}
		total += kib << 10
	}
	return total, nil
}
