package runtime_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gatehouse/internal/runtime"
)

// Each clause of "functions are contained or refused" (DESIGN) is tried from inside.

func TestServersFilesAreNotThere(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	fn := f.function(nil)
	secret := filepath.Join(f.data, "sealing.key")
	if err := os.WriteFile(secret, []byte("the sealing key"), 0o644); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// Even readable for everybody it is not there to be read.
	if err := os.Chmod(f.data, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		secret, f.data, "/proc/1/root" + secret, "/proc/self/root" + secret, "/root/.bashrc", "/etc/shadow", "/etc/hostname", "/home",
		"/.gatehouse", "/proc/1/environ", "/proc/1/maps", "/proc/1/mem", "/var/task/../../.." + secret, self,
	} {
		if got := do[string](f, fn, "read", path, 0); !strings.HasPrefix(got, "error: ") {
			t.Errorf("a function read %s: %.40q", path, got)
		}
	}
	root := do[[]string](f, fn, "list", "/", 0)
	for _, name := range root {
		if !slices.Contains([]string{"bin", "dev", "etc", "lib", "lib64", "opt", "proc", "root", "sbin", "tmp", "usr", "var"}, name) {
			t.Errorf("/%s is visible", name)
		}
	}
	for dir, want := range map[string][]string{"/var/task": {"bootstrap"}, "/tmp": {}, "/root": {}, "/opt": {}} {
		if got := do[[]string](f, fn, "list", dir, 0); !slices.Equal(got, want) {
			t.Errorf("%s has %v, want %v", dir, got, want)
		}
	}
}

func TestOnlyTmpCanBeWritten(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	fn := f.function(nil)
	for _, path := range []string{"/var/task/x", "/opt/x", "/x", "/etc/x", "/usr/x", "/dev/x", "/var/runtime/x", "/var/task/bootstrap", "/proc/sys/kernel/hostname", "/dev/shm/x"} {
		if got := do[string](f, fn, "write", path, 0); got == "<nil>" {
			t.Errorf("a function wrote %s", path)
		}
	}
	for _, path := range []string{"/tmp/x", "/dev/null"} {
		if got := do[string](f, fn, "write", path, 0); got != "<nil>" {
			t.Errorf("writing %s: %s", path, got)
		}
	}
	other := f.function(nil)
	if got := do[[]string](f, other, "list", "/tmp", 0); len(got) != 0 {
		t.Errorf("another function sees %v in /tmp", got)
	}
}

func TestServersProcessesCannotBeReached(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	fn := f.function(nil)
	for _, name := range do[[]string](f, fn, "list", "/proc", 0) {
		if pid, err := strconv.Atoi(name); err == nil && pid > 64 {
			t.Errorf("process %d is visible in a sandbox that has a few", pid)
		}
	}
	pid := os.Getpid()
	for _, what := range []string{fmt.Sprintf("/proc/%d/environ", pid), fmt.Sprintf("/proc/%d/mem", pid), fmt.Sprintf("/proc/%d/cmdline", pid)} {
		if got := do[string](f, fn, "read", what, 0); !strings.HasPrefix(got, "error: ") {
			t.Errorf("a function read %s", what)
		}
	}
	for _, target := range []int{pid, os.Getppid(), 1} {
		if got := do[string](f, fn, "ptrace", strconv.Itoa(target), 0); got == "<nil>" {
			t.Errorf("a function traces process %d", target)
		}
	}
	if got := do[string](f, fn, "kill", strconv.Itoa(pid), 0); got == "<nil>" {
		t.Errorf("a function sent a signal to the server")
	}
}

func TestServersPortsCannotBeReached(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	fn := f.function(nil)
	var addresses []string
	for _, a := range []struct{ network, address string }{{"tcp", "127.0.0.1:0"}, {"tcp", "[::1]:0"}, {"tcp", "0.0.0.0:0"}, {"unix", filepath.Join(f.data, "control")}, {"unix", "@gatehouse-control-" + strconv.Itoa(os.Getpid())}} {
		l, err := net.Listen(a.network, a.address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		addresses = append(addresses, a.network+" "+l.Addr().String())
		if tcp, ok := l.Addr().(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
			addresses = append(addresses, fmt.Sprintf("tcp 127.0.0.1:%d", tcp.Port))
			ifaces, _ := net.InterfaceAddrs()
			for _, i := range ifaces {
				if ip, ok := i.(*net.IPNet); ok && ip.IP.To4() != nil {
					addresses = append(addresses, fmt.Sprintf("tcp %s:%d", ip.IP, tcp.Port))
				}
			}
		}
	}
	addresses = append(addresses, "tcp 169.254.169.254:80", "udp 169.254.169.254:53", "tcp [fe80::1%lo]:80")
	for _, a := range addresses {
		if got := do[string](f, fn, "connect", a, 0); got == "connected" && !strings.HasPrefix(a, "udp") {
			t.Errorf("a function connected to %s", a)
		}
	}
	// Its own Runtime API is there, on the same address as another function's.
	if got := do[string](f, fn, "connect", "tcp 127.0.0.1:9001", 0); got != "connected" {
		t.Errorf("the Runtime API: %s", got)
	}
}

// What the server was started with, and did not close, is not handed down.
func TestServersFilesAreNotInherited(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("inherited"), 0o644); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(secret, unix.O_RDONLY, 0) // without O_CLOEXEC
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	f := newFixture(t, nil)
	fn := f.function(nil)
	for _, name := range do[[]string](f, fn, "list", "/proc/self/fd", 0) {
		if n, err := strconv.Atoi(name); err != nil || n < 3 {
			continue
		}
		if got := do[string](f, fn, "link", "/proc/self/fd/"+name, 0); strings.HasPrefix(got, "/") {
			t.Errorf("file %s of a function is %s", name, got)
		}
	}
}

// Keys of the session that the server was started in are out of reach. The test is run
// again in a session of its own, which has a key: a keyring belongs to a thread, so that a
// key which this process takes for itself is inherited by whom chance chooses. Where the
// machine has no keyrings there is nothing to be found either.
func TestServersKeysAreNotThere(t *testing.T) {
	const name, inSession = "gatehouse-runtime-test", "GATEHOUSE_TEST_SESSION_KEY"
	switch os.Getenv(inSession) {
	case "":
		again(t, "^TestServersKeysAreNotThere$", inSession+"="+addSessionKey(t, name))
		return
	case "there":
		for range 8 { // from whatever thread
			if _, err := unix.KeyctlSearch(unix.KEY_SPEC_SESSION_KEYRING, "user", name, 0); err != nil {
				t.Fatalf("the server itself has not the key: %v", err)
			}
		}
	}
	f := newFixture(t, nil)
	for range 8 {
		if got := do[string](f, f.function(nil), "key", name, 0); !strings.HasPrefix(got, "error: ") {
			t.Fatalf("a key of the server's session: %s", got)
		}
	}
}

// addSessionKey gives the calling thread, and what it starts, a session with a key, and
// says whether that is "there" or the machine has "none".
func addSessionKey(t *testing.T, name string) string {
	goruntime.LockOSThread() // and never unlocked: the thread ends with its session
	switch _, _, err := unix.Syscall(unix.SYS_KEYCTL, unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0); err {
	case 0:
	case unix.ENOSYS, unix.EPERM:
		return "none"
	default:
		t.Fatal(err)
	}
	if _, err := unix.AddKey("user", name, []byte("secret"), unix.KEY_SPEC_SESSION_KEYRING); err != nil {
		t.Fatal(err)
	}
	return "there"
}

// again runs tests in another process, started by the calling thread.
func again(t *testing.T, tests string, env ...string) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run", tests, "-test.v")
	cmd.Env = append(append(os.Environ(), "GATEHOUSE_TEST_BOOTSTRAP="+bootstrapPath), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: ") {
		t.Errorf("%s in another process: %v\n%s", tests, err, out)
	}
}

// The way out of a sandbox is the proxy alone, and it goes where Dial lets it.
func TestEgress(t *testing.T) {
	t.Parallel()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s at %s", r.Method, r.URL, r.Host)
	}))
	defer backend.Close()
	secure := httptest.NewTLSServer(backend.Config.Handler)
	defer secure.Close()
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		switch address {
		case "backend.example:80":
			address = backend.Listener.Addr().String()
		case "backend.example:443":
			address = secure.Listener.Addr().String()
		default:
			return nil, fmt.Errorf("%s is not for functions", address)
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	f := newFixture(t, func(o *runtime.Options) { o.Dial = dial })
	fn := f.function(nil)
	for address, want := range map[string]string{
		"http://backend.example/x?y=1": "200 GET /x?y=1 at backend.example",
		"https://backend.example/x":    "200 GET /x at backend.example",
		backend.URL + "/":              "error",
		"http://127.0.0.2/":            "error: ", // not by the proxy, by NO_PROXY or not: there is no way
		"http://other.example/":        "502 no connection: other.example:80 is not for functions",
		"https://other.example/":       "error: Get \"https://other.example/\": Bad Gateway",
	} {
		if got := strings.TrimSpace(do[string](f, fn, "fetch", address, 0)); !strings.HasPrefix(got, want) && !(want == "error: " && strings.HasPrefix(got, "502 ")) {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
	py := f.script("python"+hostPython(t), "m.py", "m.handler", "import urllib.request\ndef handler(e, c): return urllib.request.urlopen('http://backend.example/py').read().decode()\n")
	if res := f.invoke(py, nil); string(res.Payload) != `"GET /py at backend.example"` {
		t.Errorf("python: %s", res.Payload)
	}
}

func TestNoPrivileges(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	got := do[map[string]string](f, f.function(nil), "privileges", "", 0)
	for _, name := range []string{"CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"} {
		if strings.Trim(got[name], "0") != "" || got[name] == "" {
			t.Errorf("%s is %q, want none", name, got[name])
		}
	}
	if got["NoNewPrivs"] != "1" {
		t.Errorf("NoNewPrivs is %q", got["NoNewPrivs"])
	}
	for _, name := range []string{"mount", "chroot", "setuid", "host", "userns"} {
		if got[name] == "<nil>" {
			t.Errorf("%s succeeded", name)
		}
	}
}

// What no namespace keeps apart, keys above all, cannot be asked for.
func TestNoPrivilegesOfTheKernel(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	fn := f.function(nil)
	if goruntime.GOARCH == "amd64" || goruntime.GOARCH == "arm64" {
		for name, said := range do[map[string]string](f, fn, "withheld", "", 0) {
			want := unix.ENOSYS.Error()
			if name == "getpid" {
				want = "errno 0"
			}
			if said != want {
				t.Errorf("%s: %s, want %s", name, said, want)
			}
		}
	}
	own, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		t.Fatal(err)
	}
	ours, err := strconv.Atoi(strings.TrimSpace(string(own)))
	if err != nil {
		t.Fatal(err)
	}
	if got := do[string](f, fn, "read", "/proc/self/oom_score_adj", 0); strings.TrimSpace(got) != strconv.Itoa(min(ours+500, 1000)) {
		t.Errorf("oom_score_adj is %q, the server's %d", got, ours)
	}
}

func TestForkBombIsContained(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	fn := f.function(func(fn *runtime.Function) { fn.Memory = 10240 })
	// Each child is a Go program with a handful of threads, which count as well.
	if n := do[int](f, fn, "fork", "", 3000); n >= 1024 {
		t.Errorf("a function started %d processes", n)
	}
	waitFor(t, "the call to end", func() bool { _, busy := f.Processes(); return busy == 0 })
	before := children(t)
	f.Forget(fn.Key)
	waitFor(t, "its processes to end with it", func() bool { return children(t) < before-100 })
}

// children counts the host's processes that run the test function.
func children(t testing.TB) (n int) {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		if b, err := os.ReadFile(d); err == nil && strings.HasPrefix(string(b), "/proc/self/exe\x00sleep") {
			n++
		}
	}
	return n
}

func TestMemoryIsLimited(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	fn := f.function(func(fn *runtime.Function) { fn.Memory = 128 })
	if n := do[int](f, fn, "memory", "", 60); n != 60 {
		t.Errorf("a function of 128 MB got %d of 60 MB", n)
	}
	kind, message, res := f.failure(fn, event("memory", "", 2000))
	if kind != "Runtime.OutOfMemory" || message != "RequestId: "+res.RequestID+" Error: Runtime exited with error: signal: killed" {
		t.Errorf("%s: %s", kind, message)
	}
	if res.Memory < 100<<20 || res.Memory > 700<<20 {
		t.Errorf("it had %d MB, want about its 128", res.Memory>>20)
	}
	if !strings.Contains(string(res.LogTail), "Error Type: Runtime.OutOfMemory") {
		t.Errorf("log:\n%s", res.LogTail)
	}
}

func TestTmpIsLimited(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	fn := f.function(func(fn *runtime.Function) { fn.Memory = 2048 })
	if got := do[string](f, fn, "fill", "/tmp/big", 600); !strings.HasPrefix(got, "512 MB, then") || !strings.Contains(got, "no space left") {
		t.Errorf("filling /tmp: %s", got)
	}
	if got := do[string](f, fn, "fill", "/tmp/big", 400); got != "all" {
		t.Errorf("after the file was removed: %s", got)
	}
}

// A function that hears no signal, nor its children, is ended all the same.
func TestStubbornFunctionIsEnded(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	fn := f.function(func(fn *runtime.Function) { fn.Timeout = time.Second })
	start := time.Now()
	kind, _, _ := f.failure(fn, event("stubborn", "", 0))
	if kind != "Sandbox.Timedout" {
		t.Errorf("failure %s", kind)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %v to end it after its timeout of 1 s", took)
	}
	waitFor(t, "its processes to be gone", func() bool { all, _ := f.Processes(); return all == 0 })
}

// The refusal names what is missing and what to do about it.
func TestRefusalWhereNotContained(t *testing.T) {
	t.Parallel()
	r, err := runtime.New(runtime.Options{RunDir: filepath.Join(t.TempDir(), "nonexistent")})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(t.Context())
	_, err = r.Invoke(t.Context(), &runtime.Function{Runtime: "provided.al2023"}, runtime.Request{})
	if err == nil || !strings.Contains(err.Error(), "functions cannot be contained on this machine") || !strings.Contains(err.Error(), "functions.sandbox: none") {
		t.Errorf("a machine that cannot contain functions: %v", err)
	}
}

func TestUncontainedWhenConfigured(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(o *runtime.Options) { o.Uncontained = true })
	fn := f.function(nil)
	if got := do[int](f, fn, "calls", "", 0); got != 1 {
		t.Errorf("got %d", got)
	}
	if got := do[int](f, fn, "calls", "", 0); got != 2 {
		t.Errorf("got %d", got)
	}
	kind, _, _ := f.failure(f.function(func(fn *runtime.Function) { fn.Timeout = time.Second }), event("sleep", "1m", 0))
	if kind != "Sandbox.Timedout" {
		t.Errorf("failure %s", kind)
	}
	py := f.script("python"+hostPython(t), "m.py", "m.handler", "def handler(event, context):\n    return event['n'] + 1\n")
	if res := f.invoke(py, []byte(`{"n": 41}`)); string(res.Payload) != "42" {
		t.Errorf("python: %s\n%s", res.Payload, res.LogTail)
	}
}

// A server that is not privileged contains functions just as well: the tests are run
// again by nobody.
func TestUnprivilegedServer(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		return // the tests themselves are that
	}
	dir, err := os.MkdirTemp("", "gatehouse-unprivileged-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe", "-test.run", "^Test(Warm|Logs|Frozen|Servers|OnlyTmp|NoPrivileges|Memory|Tmp|Stubborn|Harden)", "-test.v")
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/bin:/bin", "TMPDIR=" + dir, "GATEHOUSE_TEST_BOOTSTRAP=" + bootstrapPath}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestServersFilesAreNotThere") {
		t.Errorf("as user 65534: %v\n%s", err, out)
	}
}

// A server that made itself undumpable can still make sandboxes, and is undumpable again
// when it has.
func TestHardenedServer(t *testing.T) {
	if os.Getenv("GATEHOUSE_TEST_BOOTSTRAP") == "" {
		return // the tests' own process stays as it is: TestUnprivilegedServer comes here in another
	}
	if err := runtime.Harden(); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, nil)
	if got := do[string](f, f.function(nil), "echo", "x", 0); got != "x" {
		t.Errorf("got %q", got)
	}
	if n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || n != 0 {
		t.Errorf("dumpable is %d (%v) after a sandbox was made, want 0", n, err)
	}
}
