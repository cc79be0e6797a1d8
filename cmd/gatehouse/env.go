package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"strings"

	"gatehouse/internal/config"
	"gatehouse/internal/server"
)

// env prints what a shell must export for AWS clients to reach this server.
func env(_ context.Context, c *invocation) error {
	cfg, err := configure(c, "env", nil)
	if err != nil {
		return err
	}
	key, err := server.RootKey(cfg)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no root key in %s yet: it is made when the server first starts there", cfg.Data)
	}
	if err != nil {
		return err
	}
	bundle, err := filepath.Abs(server.CABundle(cfg))
	if err != nil {
		return err
	}
	for _, e := range []struct{ name, value string }{
		{"AWS_ENDPOINT_URL", "http://" + reachable(cfg.Control)},
		{"AWS_ACCESS_KEY_ID", key.AccessKeyID},
		{"AWS_SECRET_ACCESS_KEY", key.SecretAccessKey},
		{"AWS_REGION", cfg.Region()},
		{"AWS_DEFAULT_REGION", cfg.Region()},
		{config.EnvPrefix + "CA_BUNDLE", bundle},
	} {
		fmt.Fprintf(c.stdout, "export %s=%s\n", e.name, quote(e.value))
	}
	return nil
}

// reachable turns an address to listen on into one to connect to.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// quote makes one word of s for a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
