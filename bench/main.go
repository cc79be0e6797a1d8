// Command bench measures what the HTTP engine costs beside nginx.
//
//	go run ./bench [run] [-rounds 5] [-seconds 3s] [-only names] [-gatehouse binary]
//
// It starts, on loopback and for a bounded time, a backend (nginx serving fixed
// answers), nginx as a proxy, and a front with Gatehouse's engine and upstream client
// but no gateway; drives each with the same load in interleaved rounds; and prints
// medians of the ratios. With -gatehouse, a real gatehouse takes the place of the
// front: it is started with --dev and configured through its AWS API. The proxies are pinned to one core and everything else to the
// others. It needs Linux, nginx, wrk and h2load:
//
//	apt-get install nginx-light wrk nghttp2-client
//
// "policies" measures what API keys, throttles and quotas add to a request, and what the
// whole chain from client certificate to access log does.
//
// "control" measures management calls on an empty store and on one with many APIs, and imports
// of the largest OpenAPI documents. "revocation" measures what revocation costs on mutual TLS; it
// needs taskset alone. The other subcommands are the parts that these start: "front" is the proxy,
// "sink" a backend for bodies, "judge" the edge of Gatehouse with a trust store.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if filepath.Base(os.Args[0]) == "bootstrap" {
		bootstrap()
	}
	command, args := "run", os.Args[1:]
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	var err error
	switch command {
	case "run":
		err = run(args)
	case "policies":
		err = policies(args)
	case "functions":
		err = functions(args)
	case "front":
		err = front(args)
	case "sink":
		err = sink(args)
	case "control":
		err = measureControl(args)
	case "revocation":
		err = revocation(args)
	case "judge":
		err = judge(args)
	default:
		usage()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: bench [run|policies|functions|front|sink] [flags]")
	os.Exit(2)
}
