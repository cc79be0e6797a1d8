// Command bench measures what the HTTP engine costs beside nginx.
//
//	go run ./bench run [-rounds 5] [-seconds 3] [-only names] [-front command]
//
// It starts, on loopback and for a bounded time, a backend (nginx serving fixed
// answers), nginx as a proxy, and a front with Gatehouse's engine and upstream client
// but no gateway; drives each with the same load in interleaved rounds; and prints
// medians of the ratios. The proxies are pinned to one core and everything else to the
// others. It needs Linux, nginx, wrk and h2load:
//
//	apt-get install nginx-light wrk nghttp2-client
//
// The other subcommands are the parts that run starts: "front" is the
// proxy, "sink" a backend for bodies.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 2 {
		usage()
	}
	var err error
	switch os.Args[1] {
	case "run":
		err = run(os.Args[2:])
	case "front":
		err = front(os.Args[2:])
	case "sink":
		err = sink(os.Args[2:])
	default:
		usage()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: bench run|front|sink [flags]")
	os.Exit(2)
}
