// Command bootstrap is the function that tests of the runtime run as provided.al2023. Its
// event says what to do, and the official Go client for the Runtime API carries it out.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"golang.org/x/sys/unix"
)

// An event does one thing: Do names it, Arg is what to do it to.
type event struct {
	Do, Arg string
	N       int
}

var calls int

// versions is what the program says of itself when it stands for an interpreter.
var versions = map[string]string{"java21": "openjdk 21.0.1 2023-10-17\nOpenJDK Runtime Environment", "ruby3.4": "ruby 3.4.1 (2024-12-25 revision 48d4efcb85) +PRISM [x86_64-linux]"}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "--version" {
		fmt.Println(versions[filepath.Base(os.Args[0])])
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "sleep" {
		time.Sleep(time.Hour)
	}
	if os.Getenv("EXIT_AT_INIT") != "" {
		fmt.Println("leaving at init")
		os.Exit(3)
	}
	if os.Getenv("HANG_AT_INIT") != "" {
		time.Sleep(time.Hour)
	}
	if os.Getenv("STREAM") != "" {
		lambda.Start(stream)
	}
	lambda.Start(handle)
}

func stream(_ context.Context, e event) (io.Reader, error) {
	if e.Do == "fail" {
		return nil, errors.New(e.Arg)
	}
	r, w := io.Pipe()
	go func() {
		for i := range e.N {
			fmt.Fprintf(w, "part %d\n", i)
		}
		if e.Do == "break" {
			w.CloseWithError(errors.New(e.Arg))
		}
		w.Close()
	}()
	return r, nil
}

func handle(ctx context.Context, e event) (any, error) {
	calls++
	lc, _ := lambdacontext.FromContext(ctx)
	switch e.Do {
	case "", "echo":
		return e.Arg, nil
	case "calls":
		return calls, nil
	case "env":
		return os.Environ(), nil
	case "args":
		return os.Args, nil
	case "context":
		due, _ := ctx.Deadline()
		return map[string]any{"id": lc.AwsRequestID, "arn": lc.InvokedFunctionArn, "left": time.Until(due).Milliseconds(), "client": lc.ClientContext}, nil
	case "log":
		fmt.Println(e.Arg)
		fmt.Fprintln(os.Stderr, "err "+e.Arg)
		return nil, nil
	case "fail":
		return nil, errors.New(e.Arg)
	case "panic":
		panic(e.Arg)
	case "exit":
		code, _ := strconv.Atoi(e.Arg)
		os.Exit(code)
	case "sleep":
		d, err := time.ParseDuration(e.Arg)
		time.Sleep(d)
		return "slept", err
	case "stubborn": // does not hear signals, nor do its children
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		if err := exec.Command("/proc/self/exe", "sleep").Start(); err != nil {
			return nil, err
		}
		time.Sleep(time.Hour)
	case "fork":
		return fork(e.N), nil
	case "memory":
		return eat(e.N), nil
	case "fill":
		return fill(e.Arg, e.N)
	case "large":
		return strings.Repeat("x", e.N), nil
	case "read":
		b, err := os.ReadFile(e.Arg)
		if err != nil {
			return "error: " + err.Error(), nil
		}
		return string(b), nil
	case "link":
		to, err := os.Readlink(e.Arg)
		if err != nil {
			return "error: " + err.Error(), nil
		}
		return to, nil
	case "fetch":
		return fetch(e.Arg), nil
	case "hold": // until whoever is asked answers
		res, err := http.Get(e.Arg)
		if err != nil {
			return nil, err
		}
		return res.StatusCode, res.Body.Close()
	case "write":
		return fmt.Sprint(os.WriteFile(e.Arg, []byte("x"), 0o666)), nil
	case "list":
		entries, err := os.ReadDir(e.Arg)
		if err != nil {
			return []string{"error: " + err.Error()}, nil
		}
		names := []string{}
		for _, en := range entries {
			names = append(names, en.Name())
		}
		return names, nil
	case "connect":
		network, address, _ := strings.Cut(e.Arg, " ")
		c, err := net.DialTimeout(network, address, 2*time.Second)
		if err != nil {
			return "error: " + err.Error(), nil
		}
		c.Close()
		return "connected", nil
	case "ptrace":
		pid, _ := strconv.Atoi(e.Arg)
		return fmt.Sprint(syscall.PtraceAttach(pid)), nil
	case "kill":
		pid, _ := strconv.Atoi(e.Arg)
		return fmt.Sprint(syscall.Kill(pid, syscall.SIGKILL)), nil
	case "key": // looks for a key of the session
		id, err := unix.KeyctlSearch(unix.KEY_SPEC_SESSION_KEYRING, "user", e.Arg, 0)
		if err != nil {
			return "error: " + err.Error(), nil
		}
		return fmt.Sprint("found ", id), nil
	case "withheld": // what the kernel says to system calls that functions do without
		said := map[string]string{}
		for name, nr := range map[string]uintptr{
			"add_key": unix.SYS_ADD_KEY, "request_key": unix.SYS_REQUEST_KEY, "keyctl": unix.SYS_KEYCTL, "bpf": unix.SYS_BPF,
			"perf_event_open": unix.SYS_PERF_EVENT_OPEN, "userfaultfd": unix.SYS_USERFAULTFD, "open_by_handle_at": unix.SYS_OPEN_BY_HANDLE_AT,
			"io_uring_setup": unix.SYS_IO_URING_SETUP, "io_uring_enter": unix.SYS_IO_URING_ENTER, "io_uring_register": unix.SYS_IO_URING_REGISTER,
			"getpid": unix.SYS_GETPID, "getpid of x32": 1<<30 | unix.SYS_GETPID,
		} {
			_, _, err := unix.RawSyscall6(nr, 0, 0, 0, 0, 0, 0)
			said[name] = err.Error()
		}
		return said, nil
	case "privileges":
		return privileges(), nil
	case "background":
		go func() {
			for i := 0; ; i++ {
				os.WriteFile("/tmp/ticks", []byte(strconv.Itoa(i)), 0o600)
				time.Sleep(5 * time.Millisecond)
			}
		}()
		return nil, nil
	}
	return nil, fmt.Errorf("no such thing to do: %q", e.Do)
}

// fetch asks for a URL as Go programs do, by the proxy of the environment. Certificates
// are not what is tested.
func fetch(url string) string {
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tr.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	res, err := (&http.Client{Transport: tr, Timeout: 5 * time.Second}).Get(url)
	if err != nil {
		return "error: " + err.Error()
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return "error: " + err.Error()
	}
	return fmt.Sprint(res.StatusCode, " ", string(b))
}

// fork starts children until it cannot, n at most, and returns how many it started.
func fork(n int) int {
	for i := range n {
		if err := exec.Command("/proc/self/exe", "sleep").Start(); err != nil {
			return i
		}
	}
	return n
}

// eat takes n MB and touches them, bit by bit.
func eat(n int) int {
	var all [][]byte
	for range n {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		all = append(all, b)
		time.Sleep(200 * time.Microsecond)
	}
	return len(all)
}

// fill writes n MB to a file.
func fill(path string, n int) (string, error) {
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer os.Remove(path)
	defer f.Close()
	b := make([]byte, 1<<20)
	for i := range n {
		if _, err := f.Write(b); err != nil {
			return fmt.Sprintf("%d MB, then %v", i, err), nil
		}
	}
	return "all", nil
}

// privileges tries what only the privileged may.
func privileges() map[string]string {
	out := map[string]string{
		"mount":  fmt.Sprint(syscall.Mount("tmpfs", "/tmp", "tmpfs", 0, "")),
		"chroot": fmt.Sprint(syscall.Chroot("/tmp")),
		"setuid": fmt.Sprint(syscall.Setuid(1)),
		"host":   fmt.Sprint(syscall.Sethostname([]byte("x"))),
	}
	cmd := exec.Command("/proc/self/exe", "sleep")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS}
	err := cmd.Start()
	if err == nil {
		cmd.Process.Kill()
		cmd.Wait()
	}
	out["userns"] = fmt.Sprint(err)
	b, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(b)) {
		for _, name := range []string{"CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb", "NoNewPrivs"} {
			if rest, ok := strings.CutPrefix(line, name+":"); ok {
				out[name] = strings.TrimSpace(rest)
			}
		}
	}
	return out
}
