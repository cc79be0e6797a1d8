package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// The proxies share one core, the load and the backend have the rest.
const proxyCPU = "0"

var loadCPUs = func() string {
	if n := runtime.NumCPU(); n > 1 {
		return fmt.Sprintf("1-%d", n-1)
	}
	return "0"
}()

// A scenario is one line of the table.
type scenario struct {
	name   string
	nginx  string // base URLs
	front  string
	load   load
	target string // what is hoped for, printed beside
}

func scenarios(dir, host, prefix string) []scenario {
	const h, s = "http://", "https://"
	wrk := func(conns int, path, script string) load { return wrk(conns, path, script, dir, host) }
	frontHTTP, frontHTTPS := frontHTTP+prefix, frontHTTPS+prefix
	return []scenario{
		{"http1-1k", h + nginxHTTP, h + frontHTTP, wrk(64, "/1k", ""), "CPU 1.5, then 1.2, 1.0"},
		{"tls-1k", s + nginxHTTPS, s + frontHTTPS, wrk(64, "/1k", ""), "CPU 1.8, then 1.5"},
		{"http2-1k", s + nginxHTTPS, s + frontHTTPS, h2load("/1k", host), "CPU 2.5"},
		{"http1-100k", h + nginxHTTP, h + frontHTTP, wrk(16, "/100k", ""), "throughput 0.95"},
		{"http1-10m", h + nginxHTTP, h + frontHTTP, wrk(4, "/10m", ""), "throughput 0.95"},
		{"tls-100k", s + nginxHTTPS, s + frontHTTPS, wrk(16, "/100k", ""), ""},
		{"post-10k", h + nginxHTTP, h + frontHTTP, wrk(64, "/sink", "post10k.lua"), "throughput 0.95"},
		{"post-10m", h + nginxHTTP, h + frontHTTP, wrk(4, "/sink", "post10m.lua"), "throughput 0.95"},
		{"handshake", s + nginxHTTPS, s + frontHTTPS, handshakes(dir, host, false), "CPU 0.50, then 0.43"},
	}
}

// run measures all scenarios, or those named.
func run(args []string) error {
	fs := flag.NewFlagSet("run", flag.ExitOnError)
	rounds := fs.Int("rounds", 5, "interleaved rounds")
	length := fs.Duration("seconds", 3*time.Second, "length of one measurement")
	only := fs.String("only", "", "comma-separated scenarios; empty means all")
	idle := fs.Int("idle", 1000, "idle TLS connections to measure memory with; 0 skips it")
	gogc := fs.Int("gogc", 400, "garbage collection target of the front, percent")
	bin := fs.String("front", "", "binary with the front subcommand; empty means this one")
	gate := fs.String("gatehouse", "", "gatehouse binary to measure in place of the front; it is configured through its AWS API")
	keep := fs.Duration("keep", 0, "only start everything and keep it running this long")
	fs.Parse(args)
	if err := needTools(); err != nil {
		return err
	}
	if err := moveAside(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "gatehouse-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	// Workers of nginx run as another user.
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	for _, f := range []func(string) error{writeCerts, writeNginx, writeScripts} {
		if err := f(dir); err != nil {
			return err
		}
	}
	if *bin == "" {
		if *bin, err = os.Executable(); err != nil {
			return err
		}
	}
	backend, err := launch("backend", loadCPUs, backendAddr, nginxCommand(dir, "backend")...)
	if err != nil {
		return err
	}
	defer backend.stop()
	sink, err := launch("sink", loadCPUs, sinkAddr, *bin, "sink")
	if err != nil {
		return err
	}
	defer sink.stop()
	prefix := ""
	mutualHost, mutualAddr := "localhost", frontMTLS
	startFront := func() (*process, string, error) {
		p, err := launch("front", proxyCPU, frontHTTP, *bin, "front", "-http", frontHTTP, "-https", frontHTTPS, "-mtls", frontMTLS,
			"-backend", backendAddr, "-sink", sinkAddr, "-certs", dir, "-gogc", fmt.Sprint(*gogc), "-pprof", "127.0.0.1:18119")
		return p, "localhost", err
	}
	if *gate != "" {
		prefix = "/" + stage
		mutualHost, mutualAddr = mutualDomain, frontHTTPS
		startFront = func() (*process, string, error) { return gateway(*gate, dir) }
	}
	start := func() (nginx, front *process, host string, err error) {
		if nginx, err = launch("nginx", proxyCPU, nginxHTTP, nginxCommand(dir, "nginx")...); err != nil {
			return nil, nil, "", err
		}
		if front, host, err = startFront(); err != nil {
			nginx.stop()
		}
		return nginx, front, host, err
	}
	nginx, front, host, err := start()
	if err != nil {
		return err
	}
	defer func() { nginx.stop(); front.stop() }()
	if *keep > 0 {
		fmt.Println("running; nginx", nginxHTTP, nginxHTTPS, nginxMTLS, "front", frontHTTP+prefix, frontHTTPS+prefix, frontMTLS+prefix, "Host", host, "scripts in", dir)
		time.Sleep(*keep)
		return nil
	}
	printMachine()
	header("nginx", "front")
	for _, sc := range slices.Concat(scenarios(dir, host, prefix), mutualScenarios(dir, mutualHost, mutualAddr)) {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), sc.name) {
			continue
		}
		if err := measure(sc, nginx, front, *rounds, *length); err != nil {
			return fmt.Errorf("%s: %w", sc.name, err)
		}
	}
	if *only == "" || slices.Contains(strings.Split(*only, ","), "p99") {
		if err := latency(host, prefix, *rounds, *length, wrk(64, "/1k", "", dir, host)); err != nil {
			return err
		}
	}
	mutual, err := mutualClient(dir, mutualHost)
	if err != nil {
		return err
	}
	plain := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}
	for _, label := range []string{"idle-tls", "idle-mtls"} {
		if *idle == 0 || *only != "" && !strings.Contains(*only, "idle") {
			continue
		}
		// Memory is the measure: nobody has served anything before.
		nginx.stop()
		front.stop()
		if nginx, front, host, err = start(); err != nil {
			return err
		}
		idlers := []idler{{nginx, nginxHTTPS, plain, "/1k", host}, {front, frontHTTPS, plain, prefix + "/1k", host}}
		if label == "idle-mtls" {
			idlers = []idler{{nginx, nginxMTLS, mutual, "/1k", host}, {front, mutualAddr, mutual, "/1k", mutualHost}}
		}
		if err := measureIdle(label, *idle, idlers); err != nil {
			return err
		}
	}
	return nil
}

// header prints the head of a table that compares b with a.
func header(a, b string) {
	fmt.Printf("%-15s %9s %9s %9s %9s %11s   %7s %7s   %s\n", "", a, b, a, b, "both", "CPU", "thrpt", "")
	fmt.Printf("%-15s %9s %9s %9s %9s %11s   %7s %7s   %s\n", "", "us/req", "us/req", "req/s", "req/s", "peak MiB", "ratio", "ratio", "target")
}

func needTools() error {
	for _, tool := range []string{"nginx", "wrk", "h2load", "taskset"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is missing; run: apt-get install nginx-light wrk nghttp2-client util-linux", tool)
		}
	}
	return nil
}

// A sample is one measurement of one proxy.
type sample struct {
	cpu  float64 // microseconds per request
	rate float64 // requests per second
	peak float64 // resident memory at most, MiB
}

// measure runs rounds of both proxies, one after the other, and prints medians.
func measure(sc scenario, nginx, front *process, rounds int, d time.Duration) error {
	var ns, fs []sample
	var cpu, rate []float64
	for i := range rounds {
		var pair [2]sample
		for j := range 2 {
			k := (i + j) % 2 // who goes first alternates
			p, base := nginx, sc.nginx
			if k == 1 {
				p, base = front, sc.front
			}
			var err error
			for range 3 { // a machine that is busy otherwise can starve a short measurement
				if pair[k], err = one(sc.load, p, base, d); err == nil {
					break
				}
			}
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}
		ns, fs = append(ns, pair[0]), append(fs, pair[1])
		cpu = append(cpu, pair[1].cpu/pair[0].cpu)
		rate = append(rate, pair[1].rate/pair[0].rate)
	}
	pick := func(ss []sample, f func(sample) float64) float64 {
		var v []float64
		for _, s := range ss {
			v = append(v, f(s))
		}
		return median(v)
	}
	cpuOf := func(s sample) float64 { return s.cpu }
	rateOf := func(s sample) float64 { return s.rate }
	peakOf := func(s sample) float64 { return s.peak }
	fmt.Printf("%-15s %9.1f %9.1f %9.0f %9.0f %5.0f %5.0f   %7.2f %7.2f   %s\n", sc.name,
		pick(ns, cpuOf), pick(fs, cpuOf), pick(ns, rateOf), pick(fs, rateOf), pick(ns, peakOf), pick(fs, peakOf), median(cpu), median(rate), sc.target)
	return nil
}

func one(l load, p *process, base string, d time.Duration) (sample, error) {
	p.forgetPeak()
	before, err := p.cpu()
	if err != nil {
		return sample{}, err
	}
	begin := time.Now()
	n, err := l(base, d)
	took := time.Since(begin)
	if err != nil {
		return sample{}, err
	}
	if n == 0 {
		return sample{}, fmt.Errorf("no request succeeded")
	}
	after, err := p.cpu()
	if err != nil {
		return sample{}, err
	}
	peak, err := p.peak()
	return sample{float64((after - before).Microseconds()) / float64(n), float64(n) / took.Seconds(), float64(peak) / (1 << 20)}, err
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// collect asks the front for a heap profile after a collection, twice: memory is given
// back to the system in the background only.
func collect() {
	for range 2 {
		c, err := net.Dial("tcp", "127.0.0.1:18119")
		if err != nil {
			return
		}
		fmt.Fprintf(c, "GET /debug/pprof/heap?gc=1 HTTP/1.0\r\n\r\n")
		buf := make([]byte, 1<<16)
		for {
			if _, err := c.Read(buf); err != nil {
				break
			}
		}
		c.Close()
	}
}

func printMachine() {
	model := "unknown processor"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	version, _ := exec.Command("nginx", "-v").CombinedOutput()
	loads, _ := os.ReadFile("/proc/loadavg")
	fmt.Printf("%s, %d cores, Linux %s, %s, %s, load %s\n\n", model, runtime.NumCPU(), strings.TrimSpace(string(kernel)),
		runtime.Version(), strings.TrimSpace(string(version)), strings.TrimSpace(string(loads)))
}
