package runtime

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// specify says what a function's sandbox is like. A function that cannot be started for
// reasons of its own is an outcome.
func (r *Runner) specify(ctx context.Context, fn *Function, id, stream string) (*sandboxSpec, *outcome, error) {
	l, err := languageOf(fn.Runtime)
	if err != nil {
		return nil, nil, err
	}
	spec := &sandboxSpec{
		Contained: !r.o.Uncontained, Storage: int64(max(fn.Storage, 512)) << 20, Memory: int64(fn.Memory) << 20,
		Processes: 1024, OpenFiles: 1024, Files: systemFiles(),
	}
	task, opt := "/var/task", "/opt"
	addresses := []string{apiAddress, endpointAddress, proxyAddress}
	if r.o.Uncontained {
		task, opt = fn.Code, fn.Layers
		addresses = addresses[:2] // the network is the server's: it needs no proxy, and others must not have one
		if spec.listeners, err = listenHere(addresses); err != nil {
			return nil, nil, err
		}
	} else {
		spec.Listen = addresses
	}
	spec.Dir = task
	spec.Mounts = append(slices.Clone(systemMounts), mount{From: fn.Code, To: "/var/task"})
	if fn.Layers != "" {
		spec.Mounts = append(spec.Mounts, mount{From: fn.Layers, To: "/opt"})
	}
	p, failed, more, err := r.program(spec, fn, l, id, task, opt)
	if err != nil || failed != nil {
		return nil, failed, err
	}
	if p.Env, err = r.environment(ctx, fn, task, stream, addresses, more); err != nil {
		return nil, nil, err
	}
	spec.Programs = append(spec.Programs, p)
	for _, name := range extensionsOf(fn) {
		path := filepath.Join(opt, "extensions", name)
		spec.Programs = append(spec.Programs, program{Path: path, Args: []string{path}, Env: p.Env})
	}
	if spec.Root, err = os.MkdirTemp(r.runDir, "root-"); err != nil {
		return nil, nil, err
	}
	return spec, nil, nil
}

// program is how a function's runtime is started: a bootstrap that the code brings, or an
// interpreter with our bootstrap or with the language's own client. env are variables that
// it needs beyond the usual ones.
func (r *Runner) program(spec *sandboxSpec, fn *Function, l *language, id, task, opt string) (p program, failed *outcome, env map[string]string, err error) {
	invalid := func(what string) (program, *outcome, map[string]string, error) {
		return program{}, new(failedWith(invalidEntrypoint(id, what).payload())), nil, nil
	}
	if l == nil {
		path, ok := findBootstrap(fn, task, opt)
		if !ok {
			return invalid("Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]")
		}
		return program{Path: path, Args: []string{path}}, nil, nil, nil
	}
	path, err := r.interpreters.find(fn.Runtime, l)
	if err != nil {
		return program{}, nil, nil, err
	}
	spec.Mounts = append(append(spec.Mounts, interpreterMounts(path)...), l.mounts...)
	if l.client != nil {
		if args, env, ok := l.client.start(fn, task, opt); ok {
			return program{Path: path, Args: append([]string{path}, args...)}, nil, env, nil
		}
		if path, ok := findBootstrap(fn, task, opt); ok {
			return program{Path: path, Args: []string{path}}, nil, nil, nil
		}
		return invalid(fn.Runtime + " needs its runtime client: found neither " + l.client.name + ", nor a bootstrap")
	}
	bootstrap := l.bootstrap
	if r.o.Uncontained {
		bootstrap = filepath.Join(r.runDir, filepath.Base(l.bootstrap))
		if err := os.WriteFile(bootstrap, l.source, 0o644); err != nil {
			return program{}, nil, nil, err
		}
	} else {
		spec.Files = append(spec.Files, file{l.bootstrap, 0o644, l.source})
	}
	return program{Path: path, Args: append(append([]string{path}, l.args...), bootstrap)}, nil, nil, nil
}

// listenHere listens on free ports of this machine, in place of a sandbox's addresses,
// which it replaces.
func listenHere(addresses []string) (ls []net.Listener, err error) {
	for i := range addresses {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			for _, l := range ls {
				l.Close()
			}
			return nil, err
		}
		ls = append(ls, l)
		addresses[i] = l.Addr().String()
	}
	return ls, nil
}

// findBootstrap looks for the executable of a runtime that the code brings, as Lambda
// does: in the code, then in the layers.
func findBootstrap(fn *Function, task, opt string) (path string, ok bool) {
	for _, place := range []struct{ host, inside string }{{fn.Code, task}, {fn.Layers, opt}} {
		if place.host == "" {
			continue
		}
		if info, err := os.Stat(filepath.Join(place.host, "bootstrap")); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return filepath.Join(place.inside, "bootstrap"), true
		}
	}
	return "", false
}

// extensionsOf lists the executables in /opt/extensions.
func extensionsOf(fn *Function) (names []string) {
	if fn.Layers == "" {
		return nil
	}
	entries, err := os.ReadDir(filepath.Join(fn.Layers, "extensions"))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			names = append(names, e.Name())
		}
	}
	return names
}

// processorMemory is how many MB of memory come with a processor (Lambda guide, "Configure
// memory").
const processorMemory = 1769

// environment is what a function's programs find: its own variables and Lambda's, which
// win; more are what a runtime client needs, which a function may change. Nothing of the server's own environment is in it.
func (r *Runner) environment(ctx context.Context, fn *Function, task, stream string, addresses []string, more map[string]string) ([]string, error) {
	env := map[string]string{
		"PATH": "/usr/local/bin:/usr/bin/:/bin:/opt/bin", "LANG": "en_US.UTF-8", "TZ": ":UTC", "HOME": "/tmp",
		"LD_LIBRARY_PATH": "/var/task:/var/task/lib:/opt/lib", "NODE_PATH": "/opt/nodejs/node_modules",
	}
	// Go programs take all processors that they see for their own, and pay for it with every
	// message that one of them has to wake another for.
	env["GOMAXPROCS"] = strconv.Itoa(max(fn.Memory/processorMemory, 1))
	maps.Copy(env, more)
	maps.Copy(env, fn.Env)
	group := fn.LogGroup
	if group == "" {
		group = "/aws/lambda/" + fn.Name
	}
	maps.Copy(env, map[string]string{
		"_HANDLER": fn.Handler, "LAMBDA_TASK_ROOT": task, "LAMBDA_RUNTIME_DIR": "/var/runtime",
		"AWS_LAMBDA_FUNCTION_NAME": fn.Name, "AWS_LAMBDA_FUNCTION_VERSION": fn.Version,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(fn.Memory), "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME": group, "AWS_LAMBDA_LOG_STREAM_NAME": stream,
		"AWS_EXECUTION_ENV": "AWS_Lambda_" + fn.Runtime, "AWS_REGION": fn.Region, "AWS_DEFAULT_REGION": fn.Region,
		"AWS_LAMBDA_RUNTIME_API": addresses[0],
	})
	if r.endpoint != nil {
		env["AWS_ENDPOINT_URL"] = "http://" + addresses[1]
	}
	if r.o.Dial != nil && !r.o.Uncontained {
		// NODE_USE_ENV_PROXY makes Node.js heed them too, from version 24 on.
		proxy := "http://" + addresses[2]
		maps.Copy(env, map[string]string{
			"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "http_proxy": proxy, "https_proxy": proxy, "NODE_USE_ENV_PROXY": "1",
			"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost",
		})
	}
	if fn.Credentials != nil {
		c, err := fn.Credentials(ctx)
		if err != nil {
			return nil, fmt.Errorf("credentials of the execution role: %w", err)
		}
		env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env["AWS_SESSION_TOKEN"] = c.AccessKeyID, c.SecretAccessKey, c.SessionToken
	}
	list := make([]string, 0, len(env))
	for _, k := range slices.Sorted(maps.Keys(env)) {
		list = append(list, k+"="+env[k])
	}
	return list, nil
}
