package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"gatehouse/internal/config"
	"gatehouse/internal/server"
	"gatehouse/internal/version"
)

// configure reads the configuration of a command, with further flags defined by more.
func configure(c *invocation, name string, more func(*flag.FlagSet)) (*config.Config, error) {
	about := ""
	for _, cmd := range commands() {
		if cmd.name == name {
			about = strings.ToUpper(cmd.summary[:1]) + cmd.summary[1:] + "."
		}
	}
	fs := newFlags(c, name+" [flags]", about+"\nEach flag is also a setting of the file and of the environment (GATEHOUSE_DATA=...).")
	var flags config.Flags
	flags.Register(fs)
	if more != nil {
		more(fs)
	}
	if err := fs.Parse(c.args); err != nil {
		if err == flag.ErrHelp {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("%w: unexpected argument %q", errUsage, fs.Arg(0))
	}
	cfg, err := config.Load(&flags, c.environ)
	if err != nil {
		return nil, fmt.Errorf("%w:\n%w", errUsage, err)
	}
	return cfg, nil
}

// logger makes the service log.
func logger(w io.Writer, c config.Log) *slog.Logger {
	var level slog.Level
	level.UnmarshalText([]byte(c.Level)) // checked by the configuration
	opts := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// tune sets how the process uses memory. The collector runs less often than by default: the
// live heap is the plan, which is small beside what an API gateway's machine has.
func tune(c *config.Config) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if limit := c.MemoryLimit(); limit > 0 && (c.Limits.Memory > 0 || os.Getenv("GOMEMLIMIT") == "") {
		debug.SetMemoryLimit(limit)
	}
}

// serve runs the gateway until SIGTERM or an interrupt.
func serve(ctx context.Context, c *invocation) error {
	cfg, err := configure(c, "serve", nil)
	if err != nil {
		return err
	}
	tune(cfg)
	s, err := server.New(ctx, cfg, logger(c.err, cfg.Log))
	if err != nil {
		return err
	}
	go reloadOnHangup(ctx, c, s)
	go trimWhenQuiet(ctx)
	announced := make(chan struct{})
	go func() {
		defer close(announced)
		select {
		case <-s.Ready():
			announce(c, cfg, s)
			debug.FreeOSMemory() // compiling everything took more than serving does
		case <-ctx.Done():
		}
	}()
	err = s.Run(ctx)
	if err == nil {
		<-announced
	}
	return err
}

// reloadOnHangup reads the configuration again on SIGHUP. A configuration that is wrong, or
// that would change what cannot change while running, leaves everything as it is.
func reloadOnHangup(ctx context.Context, c *invocation, s *server.Server) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
		}
		cfg, err := configure(c, "serve", nil)
		if err == nil {
			err = s.Reload(cfg)
		}
		if err != nil {
			fmt.Fprintf(c.err, "gatehouse serve: the configuration was not reloaded: %v\n", err)
		}
	}
}

// announce tells a person where everything is.
func announce(c *invocation, cfg *config.Config, s *server.Server) {
	w, program := c.stdout, cmp.Or(c.program, "gatehouse")
	control, plain, secure := s.Addresses()
	fmt.Fprintf(w, "Gatehouse %s is serving.\n\n", version.String())
	fmt.Fprintf(w, "  AWS calls  http://%s   point clients here: eval \"$(%s env%s)\"\n", control, program, envFlags(cfg))
	if plain != "" {
		fmt.Fprintf(w, "  HTTP       http://%s\n", plain)
	}
	if secure != "" {
		fmt.Fprintf(w, "  HTTPS      https://%s  certificate authority: %s\n", secure, server.CABundle(cfg))
	}
	fmt.Fprintf(w, "  APIs       http://{api}.execute-api.%s.%s:PORT/{stage}/\n", cfg.Region(), cfg.DomainSuffix)
	fmt.Fprintf(w, "  health     http://%s/_gatehouse/ready\n\n", control)
	if cfg.Dev {
		fmt.Fprintln(w, "  --dev: any well-formed credentials are accepted; state is throw-away.")
	}
}

// envFlags repeats the flags that `gatehouse env` needs to find the same server.
func envFlags(cfg *config.Config) string {
	d := config.Defaults()
	out := ""
	if cfg.Dev {
		out += " --dev"
	}
	if cfg.Data != d.Data {
		out += " --data " + cfg.Data
	}
	if cfg.Control != d.Control {
		out += " --control " + cfg.Control
	}
	return out
}

// check does what start-up does, without serving.
func check(ctx context.Context, c *invocation) error {
	cfg, err := configure(c, "check", nil)
	if err != nil {
		return err
	}
	return server.Check(ctx, cfg, c.stdout)
}

func printVersion(_ context.Context, c *invocation) error {
	_, err := fmt.Fprintln(c.stdout, "gatehouse", version.String())
	return err
}
