// Command gatehouse serves REST APIs as Amazon API Gateway does, and takes its
// configuration through the same calls.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1 // the command failed
	exitUsage   = 2 // the command line or the configuration is wrong
)

// A command is a subcommand of gatehouse.
type command struct {
	name, summary string
	run           func(ctx context.Context, c *invocation) error
}

// An invocation is what a command may use of its process.
type invocation struct {
	program     string // as it was called: "./bin/gatehouse"
	args        []string
	environ     []string
	stdin       io.Reader
	stdout, err io.Writer
}

// commands lists the subcommands in the order of the help. (Their flags tell their summaries, so
// it cannot be a variable.)
func commands() []command {
	return []command{
		{"serve", "run the gateway", serve},
		{"check", "do what start-up does and report every problem; change nothing", check},
		{"env", "print export lines that point AWS clients here", env},
		{"import", "take over APIs from OpenAPI documents or a live account", importAPIs},
		{"backup", "write a backup of the store to a file", backup},
		{"restore", "replace everything that a running server holds by a backup", restore},
		{"truststore", "plan, apply and roll back the trust store of a domain name", trustStore},
		{"client-certificate", "rotate the certificate that a stage presents to backends, or show what is published of it", clientCertificate},
		{"explain", "say how a recent request was answered, and why", explain},
		{"waf", "try a web ACL on a request, or on the requests of a log", waf},
		{"health", "ask a running server whether it is ready", health},
		{"version", "print the version", printVersion},
	}
}

// errUsage is matched by errors that come from how a command was called.
var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, &invocation{program: os.Args[0], args: os.Args[1:], environ: os.Environ(), stdin: os.Stdin, stdout: os.Stdout, err: os.Stderr})
	stop()
	os.Exit(code)
}

// run finds and runs the subcommand, and returns the exit code.
func run(ctx context.Context, c *invocation) int {
	if len(c.args) == 0 {
		usage(c.err)
		return exitUsage
	}
	if c.args[0] == "help" || c.args[0] == "-h" || c.args[0] == "--help" {
		usage(c.stdout)
		return exitOK
	}
	name := c.args[0]
	c.args = c.args[1:]
	for _, cmd := range commands() {
		if cmd.name != name {
			continue
		}
		err := cmd.run(ctx, c)
		switch {
		case err == nil:
			return exitOK
		case errors.Is(err, flag.ErrHelp):
			return exitOK
		case errors.Is(err, errUsage):
			fmt.Fprintf(c.err, "gatehouse %s: %v\n", name, err)
			return exitUsage
		}
		fmt.Fprintf(c.err, "gatehouse %s: %v\n", name, err)
		return exitFailure
	}
	fmt.Fprintf(c.err, "gatehouse: no command %q\n\n", name)
	usage(c.err)
	return exitUsage
}

func usage(w io.Writer) {
	fmt.Fprint(w, "gatehouse is an Amazon API Gateway for your own machines.\n\nusage: gatehouse COMMAND [flags]\n\n")
	for _, cmd := range commands() {
		fmt.Fprintf(w, "  %-18s  %s\n", cmd.name, cmd.summary)
	}
	fmt.Fprint(w, "\n'gatehouse COMMAND -h' lists a command's flags.\n")
}
