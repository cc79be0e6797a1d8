package main

import (
	"flag"
	"fmt"
)

// newFlags returns the flags of a command. Asked for help, they print how the command is called,
// what it does, and themselves.
func newFlags(c *invocation, synopsis, about string) *flag.FlagSet {
	fs := flag.NewFlagSet("gatehouse "+synopsis, flag.ContinueOnError)
	fs.SetOutput(c.err)
	fs.Usage = func() {
		fmt.Fprintf(c.err, "usage: gatehouse %s\n\n%s\n", synopsis, about)
		any := false
		fs.VisitAll(func(*flag.Flag) { any = true })
		if any {
			fmt.Fprintln(c.err, "\nflags:")
			fs.PrintDefaults()
		}
	}
	return fs
}

// parse reads flags, which may stand before, between and after words.
func parse(fs *flag.FlagSet, args []string) (words []string, err error) {
	for len(args) > 0 {
		if err := fs.Parse(args); err != nil {
			if err == flag.ErrHelp {
				return nil, err
			}
			return nil, fmt.Errorf("%w: %w", errUsage, err)
		}
		if args = fs.Args(); len(args) > 0 {
			words, args = append(words, args[0]), args[1:]
		}
	}
	return words, nil
}

// calling ends the descriptions of commands that call a running server.
const calling = " of the server at\nAWS_ENDPOINT_URL, with the credentials of the environment (gatehouse env)."
