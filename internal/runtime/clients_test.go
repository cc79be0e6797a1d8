package runtime_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/runtime"
)

// Java and Ruby run with the official client of a layer or of the package, and the host's
// interpreter, which the test function stands for here.
func TestRuntimeClients(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	program, err := os.ReadFile(bootstrapPath)
	if err != nil {
		t.Fatal(err)
	}
	interpreters := map[string]string{}
	for _, rt := range []string{"java21", "ruby3.4"} {
		// Interpreters are mounted with the folder that they were installed to.
		path := filepath.Join(bin, rt, "bin", rt)
		write(t, path, string(program), 0o755)
		interpreters[rt] = path
	}
	f := newFixture(t, func(o *runtime.Options) { o.Interpreters = interpreters })
	const class = "com.amazonaws.services.lambda.runtime.api.client.AWSLambda"
	for name, tt := range map[string]struct {
		runtime, code, layer string // files
		want                 []string
		env                  string
	}{
		"java, layer": {"java21", "", "java/lib/aws-lambda-java-runtime-interface-client-2.6.0.jar",
			[]string{"-Xmx204m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", "/opt/java/lib/*:/var/task:/var/task/lib/*", class, "pkg.Class::method"}, ""},
		"java, package": {"java21", "lib/aws-lambda-java-runtime-interface-client.jar", "",
			[]string{"-Xmx204m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", "/opt/java/lib/*:/var/task:/var/task/lib/*", class, "pkg.Class::method"}, ""},
		"ruby, layer": {"ruby3.4", "", "ruby/gems/3.4.0/bin/aws_lambda_ric",
			[]string{"/opt/ruby/gems/3.4.0/bin/aws_lambda_ric", "pkg.Class::method"}, "GEM_PATH=/var/task/vendor/bundle/ruby/3.4.0:/opt/ruby/gems/3.4.0"},
		"ruby, package": {"ruby3.4", "vendor/bundle/ruby/3.4.0/bin/aws_lambda_ric", "",
			[]string{"/var/task/vendor/bundle/ruby/3.4.0/bin/aws_lambda_ric", "pkg.Class::method"}, "RUBYLIB=/var/task:/opt/ruby/lib"},
	} {
		fn := f.function(func(fn *runtime.Function) {
			fn.Runtime, fn.Handler = tt.runtime, "pkg.Class::method"
			os.Remove(filepath.Join(fn.Code, "bootstrap"))
			if tt.code != "" {
				write(t, filepath.Join(fn.Code, tt.code), "", 0o755)
			}
			if tt.layer != "" {
				fn.Layers = t.TempDir()
				write(t, filepath.Join(fn.Layers, tt.layer), "", 0o755)
			}
		})
		args := do[[]string](f, fn, "args", "", 0)
		if !slices.Equal(args[1:], tt.want) {
			t.Errorf("%s: started with %q, want %q", name, args[1:], tt.want)
		}
		if env := do[[]string](f, fn, "env", "", 0); tt.env != "" && !slices.Contains(env, tt.env) {
			t.Errorf("%s: environment %q, want %s", name, env, tt.env)
		}
	}
	bootstrapped := f.function(func(fn *runtime.Function) { fn.Runtime = "java21" })
	if args := do[[]string](f, bootstrapped, "args", "", 0); args[0] != "/var/task/bootstrap" {
		t.Errorf("with a bootstrap and no client: %q", args)
	}
	none := f.function(func(fn *runtime.Function) {
		fn.Runtime = "ruby3.4"
		os.Remove(filepath.Join(fn.Code, "bootstrap"))
	})
	if kind, message, _ := f.failure(none, []byte("{}")); kind != "Runtime.InvalidEntrypoint" || !strings.Contains(message, "aws_lambda_ric in ruby/gems/3.4.0") {
		t.Errorf("without a client: %s %s", kind, message)
	}
	if err := f.Check("ruby3.3"); err == nil || !strings.Contains(err.Error(), "it needs Ruby 3.3 on this machine") {
		t.Errorf("an interpreter that is missing: %v", err)
	}
}

// write makes a file and its folders, readable for everybody.
func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}
