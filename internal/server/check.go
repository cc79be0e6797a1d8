package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"gatehouse/internal/compile"
	"gatehouse/internal/config"
	"gatehouse/internal/plan"
	"gatehouse/internal/store"
	"gatehouse/internal/trust/backendtls"
)

// Check does what start-up does on a copy of the data and reports every problem it finds to
// w. It changes nothing. The error says how many there were.
//
// Warnings are printed too, and are no problems: ways around mutual TLS, weakened controls.
func Check(ctx context.Context, c *config.Config, w io.Writer) error {
	found := 0
	warn := func(text string) { fmt.Fprintln(w, "warning: "+text) }
	report := func(place string, err error) {
		if err != nil {
			found++
			fmt.Fprintf(w, "problem: %s: %v\n", place, err)
		}
	}
	checkPorts(c, report, warn)
	named := checkNamed(ctx, c, report)
	if named.firewall != nil {
		defer named.firewall.close()
	}
	if c.Store != "" {
		checkDatabase(ctx, c, store.Options{Dir: c.Data, URL: c.Store.Reveal(), KeyFile: c.KeyFile}, named, report, warn)
	} else if checkFolder(c, report) {
		checkCopy(ctx, c, named, report, warn)
	}
	if found > 0 {
		return fmt.Errorf("%d problems", found)
	}
	fmt.Fprintln(w, "no problems")
	return nil
}

// checkPorts binds every port and lets go of it, and reads the policies of VPC endpoints.
func checkPorts(c *config.Config, report func(string, error), warn func(string)) {
	type port struct{ name, addr string }
	ports := []port{{"control", c.Control}, {"http", c.HTTP}, {"https", c.HTTPS}, {"ops", c.Ops}}
	for _, e := range c.VPCEndpoints {
		ports = append(ports, port{e.ID, e.Address})
		_, err := endpointPolicy(e)
		report("vpc-endpoints", err)
	}
	serves := sync.OnceValue(func() bool { return alreadyServes(c.Control) })
	for _, p := range ports {
		if p.addr == "" || p.addr == config.Off {
			continue
		}
		l, err := net.Listen("tcp", p.addr)
		if err == nil {
			err = l.Close()
		}
		if errors.Is(err, syscall.EADDRINUSE) && serves() {
			warn("port " + p.name + " (" + p.addr + ") is taken: a Gatehouse serves at " + c.Control + " already")
			continue
		}
		report("port "+p.name+" ("+p.addr+")", err)
	}
}

// alreadyServes reports whether a Gatehouse answers at a control address: its ports are taken
// then, and a check beside it is about everything else.
func alreadyServes(control string) bool {
	client := http.Client{Timeout: time.Second}
	res, err := client.Get("http://" + control + opsPrefix + "health")
	if err != nil {
		return false
	}
	defer res.Body.Close()
	var health struct{ Status, Version string }
	return json.NewDecoder(io.LimitReader(res.Body, 1<<10)).Decode(&health) == nil && health.Status == "alive"
}

// A named is what the configuration names and compiling needs: nil is what could not be read.
type named struct {
	firewall *firewallParts
	roots    *backendtls.Roots // also nil for the system's
}

// checkNamed reads the files and profiles that the configuration names, with or without data:
// before the first start above all.
func checkNamed(ctx context.Context, c *config.Config, report func(string, error)) (n named) {
	var err error
	n.firewall, err = newFirewallParts(c.Firewall, nil, nil)
	report("firewall", err)
	n.roots, err = backendRoots(c.Backends)
	report("backends", err)
	_, err = functionRoutes(ctx, c.Functions.Routes)
	report("functions", err)
	if c.ACME.Directory != "" {
		_, err = acmeRoots(c.ACME.CAFile)
		report("acme", err)
	}
	return n
}

// checkFolder looks at the data folder, and reports whether it holds a database.
func checkFolder(c *config.Config, report func(string, error)) bool {
	place := "data folder " + c.Data
	info, err := os.Stat(c.Data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false // made at start
	case err != nil:
		report(place, err)
		return false
	case !info.IsDir():
		report(place, errors.New("is not a folder"))
		return false
	}
	if probe, err := os.CreateTemp(c.Data, ".check-*"); err != nil {
		report(place, err)
	} else {
		probe.Close()
		report(place, os.Remove(probe.Name()))
	}
	_, err = os.Stat(filepath.Join(c.Data, store.DatabaseFile))
	return err == nil
}

// checkCopy opens a copy of the database: opening the real one would migrate it.
func checkCopy(ctx context.Context, c *config.Config, n named, report func(string, error), warn func(string)) {
	dir, err := os.MkdirTemp("", "gatehouse-check-")
	if err != nil {
		report("temporary folder", err)
		return
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{store.DatabaseFile, store.DatabaseFile + "-wal"} {
		if err := copyFile(filepath.Join(c.Data, name), filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			report("data folder "+c.Data, err)
			return
		}
	}
	if err := copyFile(c.Key(), filepath.Join(dir, store.SealingKeyFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		report("sealing key "+c.Key(), err)
		return
	}
	checkDatabase(ctx, c, store.Options{Dir: dir}, n, report, warn)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// checkDatabase opens a database and compiles everything in it, when n has what that needs.
func checkDatabase(ctx context.Context, c *config.Config, opts store.Options, n named, report func(string, error), warn func(string)) {
	place := "store in " + c.Data
	st, err := store.Open(ctx, opts)
	if err != nil {
		report(place, err)
		return
	}
	defer st.Close()
	report(place, st.Check(ctx))
	s := &Server{config: c, store: st}
	if c.Store == "" {
		report(place, s.checkDev(ctx))
	}
	if _, err := RootKey(c); err != nil && !errors.Is(err, fs.ErrNotExist) {
		report("root key", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	if n.firewall == nil {
		return
	}
	var compiled *plan.Plan
	compiler := &compile.Compiler{Store: st, Suffix: c.DomainSuffix, Firewall: n.firewall.compiler(), BackendRoots: n.roots, Publish: func(p *plan.Plan) { compiled = p }}
	problems, err := compiler.Once(ctx)
	report(place, err)
	for _, p := range problems {
		report(p.Unit, p.Err)
	}
	warnings := planWarnings(compiled)
	report(place, st.View(ctx, func(tx *store.Tx) (err error) {
		warnings, err = appendWeakenings(warnings, tx, time.Now())
		return err
	}))
	for _, text := range warnings {
		warn(text)
	}
}
