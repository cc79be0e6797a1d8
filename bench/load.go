package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A load drives a proxy at base, "http://host:port", for about d and returns how many
// requests succeeded. A failed request is an error.
type load func(base string, d time.Duration) (requests int, err error)

// wrk makes HTTP/1.1 requests over kept-alive connections, with more header lines.
func wrk(conns int, path, script, dir, host string, more ...string) load {
	return func(base string, d time.Duration) (int, error) {
		args := []string{"-c", loadCPUs, "wrk", "-t1", "-c" + strconv.Itoa(conns), "-d" + seconds(d), "-H", "Host: " + host}
		for _, line := range more {
			args = append(args, "-H", line)
		}
		if script != "" {
			args = append(args, "-s", filepath.Join(dir, script))
		}
		out, err := exec.Command("taskset", append(args, base+path)...).CombinedOutput()
		if err != nil {
			return 0, fmt.Errorf("wrk: %w: %s", err, out)
		}
		if m := regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)|Socket errors: .*`).Find(out); m != nil && !bytes.Contains(m, []byte("connect 0, read 0, write 0")) {
			return 0, fmt.Errorf("wrk: %s", m)
		}
		return number(out, `(\d+) requests in`)
	}
}

// h2load makes HTTP/2 requests over 16 connections with 8 streams each.
func h2load(path, host string) load {
	return func(base string, d time.Duration) (int, error) {
		out, err := exec.Command("taskset", "-c", loadCPUs, "h2load", "-t1", "-c16", "-m8", "-D"+seconds(d), "-H", ":authority: "+host, base+path).CombinedOutput()
		if err != nil {
			return 0, fmt.Errorf("h2load: %w: %s", err, out)
		}
		if !bytes.Contains(out, []byte(" 0 failed, 0 errored")) {
			return 0, fmt.Errorf("h2load: %s", out)
		}
		return number(out, `requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded`)
	}
}

func seconds(d time.Duration) string { return strconv.Itoa(max(1, int(d.Seconds()))) }

func number(out []byte, pattern string) (int, error) {
	m := regexp.MustCompile(pattern).FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("no number in: %s", out)
	}
	return strconv.Atoi(string(m[1]))
}

// writeScripts writes the wrk scripts that post bodies.
func writeScripts(dir string) error {
	for name, size := range map[string]int{"post10k.lua": 10 << 10, "post10m.lua": 10 << 20} {
		s := fmt.Sprintf("wrk.method = 'POST'\nwrk.body = string.rep('x', %d)\n", size)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(s), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// handshakes opens a connection for every request: full TLS 1.3 handshakes, with the
// client certificate of dir when mutual.
func handshakes(dir, host string, mutual bool) load {
	return func(base string, d time.Duration) (int, error) {
		cfg := &tls.Config{InsecureSkipVerify: true, ServerName: host, NextProtos: []string{"http/1.1"}, CurvePreferences: []tls.CurveID{tls.CurveP256}}
		if mutual {
			cert, err := tls.LoadX509KeyPair(filepath.Join(dir, "client.pem"), filepath.Join(dir, "client.key"))
			if err != nil {
				return 0, err
			}
			cfg.Certificates = []tls.Certificate{cert}
		}
		addr, prefix, _ := strings.Cut(strings.TrimPrefix(base, "https://"), "/")
		if prefix != "" {
			prefix = "/" + prefix
		}
		request := "GET " + prefix + "/1k HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n"
		end := time.Now().Add(d)
		var done atomic.Int64
		var once sync.Once
		var failure error
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for time.Now().Before(end) {
					if err := oneRequest(addr, request, cfg); err != nil {
						once.Do(func() { failure = err })
						return
					}
					done.Add(1)
				}
			})
		}
		wg.Wait()
		return int(done.Load()), failure
	}
}

func oneRequest(addr, request string, cfg *tls.Config) error {
	c, err := tls.Dial("tcp", addr, cfg)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err = io.WriteString(c, request); err != nil {
		return err
	}
	b, err := io.ReadAll(c)
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(b, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("unexpected answer %.40q", b)
	}
	return nil
}
