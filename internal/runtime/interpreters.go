package runtime

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

//go:embed bootstrap/bootstrap.mjs
var nodeBootstrap []byte

//go:embed bootstrap/bootstrap.py
var pythonBootstrap []byte

// language is how a managed runtime is run: by an interpreter of the host and a
// bootstrap of ours that speaks the Runtime API.
type language struct {
	name      string   // for messages
	programs  []string // candidates, looked up in PATH
	versions  []string // what `program --version` must begin with, one of them
	bootstrap string   // where the bootstrap is in the sandbox
	source    []byte
	args      []string
	client    *client // takes the place of a bootstrap of ours; nil for most
	mounts    []mount // what else of the host the interpreter needs
}

// languageOf returns how the runtime is run; nil for runtimes whose code brings its own
// bootstrap. Runtimes that Lambda has and this package does not are refused.
func languageOf(runtime string) (*language, error) {
	switch runtime {
	case "provided.al2023", "provided.al2":
		return nil, nil
	case "nodejs20.x", "nodejs22.x", "nodejs24.x":
		major := strings.TrimSuffix(strings.TrimPrefix(runtime, "nodejs"), ".x")
		return &language{
			name: "Node.js " + major, programs: []string{"node-" + major, "node" + major, "nodejs", "node"}, versions: []string{"v" + major + "."},
			bootstrap: "/var/runtime/bootstrap.mjs", source: nodeBootstrap,
		}, nil
	case "python3.11", "python3.12", "python3.13", "python3.14":
		minor := strings.TrimPrefix(runtime, "python")
		return &language{
			name: "Python " + minor, programs: []string{"python" + minor, "python3"}, versions: []string{"Python " + minor + "."},
			bootstrap: "/var/runtime/bootstrap.py", source: pythonBootstrap, args: []string{"-u"},
		}, nil
	}
	if version, ok := strings.CutPrefix(runtime, "java"); ok && (version == "11" || version == "17" || version == "21" || version == "25") {
		l := &language{name: "Java " + version, programs: []string{"java", "/usr/lib/jvm/*/bin/java"}, client: java()}
		for _, vendor := range []string{"openjdk ", "java "} {
			l.versions = append(l.versions, vendor+version+".", vendor+version+" ")
		}
		// Debian's Java has its configuration there.
		for _, dir := range []string{"/etc/java-" + version + "-openjdk"} {
			l.mounts = append(l.mounts, mount{From: dir, To: dir, Optional: true})
		}
		return l, nil
	}
	if version, ok := strings.CutPrefix(runtime, "ruby"); ok && (version == "3.2" || version == "3.3" || version == "3.4") {
		return &language{
			name: "Ruby " + version, programs: []string{"ruby" + version, "ruby"}, versions: []string{"ruby " + version + "."}, client: ruby(version + ".0"),
		}, nil
	}
	if strings.HasPrefix(runtime, "dotnet") || strings.HasPrefix(runtime, "java") || strings.HasPrefix(runtime, "ruby") {
		return nil, &RuntimeError{runtime, "this version is not offered: use provided.al2023 with a layer that has the language and a bootstrap (/opt/bootstrap)"}
	}
	return nil, &RuntimeError{runtime, "want provided.al2023, provided.al2, nodejs20.x, nodejs22.x, nodejs24.x, python3.11, python3.12, python3.13, python3.14, " +
		"java11, java17, java21, java25, ruby3.2, ruby3.3 or ruby3.4"}
}

// fits reports whether an interpreter's version is the one that is wanted.
func (l *language) fits(version string) bool {
	return slices.ContainsFunc(l.versions, func(prefix string) bool { return strings.HasPrefix(version+" ", prefix) })
}

// interpreters finds interpreters on the host, each once.
type interpreters struct {
	given map[string]string // by runtime: paths from configuration

	mu    sync.Mutex
	found map[string]string // by runtime
}

// find returns the path of the runtime's interpreter, a real executable.
func (in *interpreters) find(runtime string, l *language) (string, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if path := in.found[runtime]; path != "" {
		return path, nil
	}
	candidates := l.programs
	if p := in.given[runtime]; p != "" {
		candidates = []string{p}
	}
	var seen []string
	for _, name := range candidates {
		for _, path := range lookAll(name) {
			version := versionOf(path)
			if l.fits(version) {
				in.found[runtime] = path
				return path, nil
			}
			if found := fmt.Sprintf("%s (%s)", path, version); version != "" && !slices.Contains(seen, found) {
				seen = append(seen, found)
			}
		}
	}
	what := "found none"
	if len(seen) > 0 {
		what = "found " + strings.Join(seen, ", ")
	}
	return "", &RuntimeError{runtime, fmt.Sprintf("it needs %s on this machine: looked for %s, %s; install it or configure its path",
		l.name, strings.Join(candidates, ", "), what)}
}

// lookAll returns the executables called name in PATH, with links followed. Scripts that
// choose a version themselves (pyenv's shims) do not work in a sandbox and are left out.
func lookAll(name string) (paths []string) {
	dirs := filepath.SplitList(os.Getenv("PATH"))
	if strings.Contains(name, "/") {
		found, err := filepath.Glob(name)
		if err != nil || len(found) == 0 {
			return nil
		}
		dirs, name = nil, filepath.Base(name)
		for _, path := range found {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	for _, dir := range dirs {
		path, err := filepath.EvalSymlinks(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		magic := make([]byte, 4)
		_, err = f.Read(magic)
		f.Close()
		if err == nil && string(magic) == "\x7fELF" {
			paths = append(paths, path)
		}
	}
	return paths
}

// versionOf asks an interpreter for its version.
func versionOf(path string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// systemMounts are what programs need of the host: libraries, certificates, time zones.
// Nothing below them is the server's.
var systemMounts = []mount{
	{From: "/usr", To: "/usr"},
	{From: "/bin", To: "/bin", Optional: true}, {From: "/sbin", To: "/sbin", Optional: true},
	{From: "/lib", To: "/lib", Optional: true}, {From: "/lib64", To: "/lib64", Optional: true},
	{From: "/etc/ssl", To: "/etc/ssl", Optional: true}, {From: "/etc/pki", To: "/etc/pki", Optional: true},
	{From: "/etc/ca-certificates", To: "/etc/ca-certificates", Optional: true},
	{From: "/etc/ld.so.cache", To: "/etc/ld.so.cache", Optional: true}, {From: "/etc/alternatives", To: "/etc/alternatives", Optional: true},
}

// interpreterMounts are what an interpreter outside of the system's folders needs: the
// folder that it was installed to.
func interpreterMounts(path string) []mount {
	for _, m := range systemMounts {
		if strings.HasPrefix(path, m.From+"/") {
			return nil
		}
	}
	prefix := filepath.Dir(filepath.Dir(path))
	return []mount{{From: prefix, To: prefix}}
}

// systemFiles are the sandbox's own versions of files that programs look into.
func systemFiles() []file {
	return []file{
		{"/etc/passwd", 0o644, []byte("root:x:0:0:function:/tmp:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n")},
		{"/etc/group", 0o644, []byte("root:x:0:\nnogroup:x:65534:\n")},
		{"/etc/hosts", 0o644, []byte("127.0.0.1 localhost\n::1 localhost\n")},
		{"/etc/nsswitch.conf", 0o644, []byte("passwd: files\ngroup: files\nhosts: files dns\n")},
		{"/etc/resolv.conf", 0o644, nil},
	}
}
