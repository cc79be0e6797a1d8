package runtime

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// A client is a language's official runtime client, which a layer or the function's own
// package brings: it speaks the Runtime API, and only its interpreter is the host's.
type client struct {
	name string // for messages: what has to be where

	// start returns what the interpreter is started with, and variables that the client
	// needs, for code that is in the folders task and opt. It is false when the client is
	// not there.
	start func(fn *Function, task, opt string) (args []string, env map[string]string, ok bool)
}

// place is a folder of a function on the host and inside its sandbox.
type place struct{ host, inside string }

// java is the client that AWS publishes as aws-lambda-java-runtime-interface-client.
func java() *client {
	const jar = "aws-lambda-java-runtime-interface-client*.jar"
	return &client{
		name: jar + " in java/lib of a layer, or in lib of the function's package",
		start: func(fn *Function, task, opt string) ([]string, map[string]string, bool) {
			for _, dir := range []string{filepath.Join(fn.Layers, "java/lib"), filepath.Join(fn.Code, "lib"), fn.Code} {
				if found, err := filepath.Glob(filepath.Join(dir, jar)); err != nil || len(found) == 0 {
					continue
				}
				heap := strconv.Itoa(max(fn.Memory*8/10, 64))
				return []string{
					"-Xmx" + heap + "m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
					"-cp", strings.Join([]string{opt + "/java/lib/*", task, task + "/lib/*"}, ":"),
					"com.amazonaws.services.lambda.runtime.api.client.AWSLambda", fn.Handler,
				}, nil, true
			}
			return nil, nil, false
		},
	}
}

// ruby is the client that AWS publishes as the gem aws_lambda_ric; abi is the version in the
// paths of gems: "3.4.0".
func ruby(abi string) *client {
	return &client{
		name: fmt.Sprintf("the gem aws_lambda_ric in ruby/gems/%s of a layer, or in vendor/bundle/ruby/%s of the function's package", abi, abi),
		start: func(fn *Function, task, opt string) ([]string, map[string]string, bool) {
			inLayer, bundled := "ruby/gems/"+abi, "vendor/bundle/ruby/"+abi
			for _, p := range []place{
				{filepath.Join(fn.Layers, inLayer), filepath.Join(opt, inLayer)}, {filepath.Join(fn.Code, bundled), filepath.Join(task, bundled)},
			} {
				const program = "bin/aws_lambda_ric"
				if found, err := filepath.Glob(filepath.Join(p.host, program)); err != nil || len(found) == 0 {
					continue
				}
				return []string{filepath.Join(p.inside, program), fn.Handler}, map[string]string{
					"GEM_PATH": filepath.Join(task, bundled) + ":" + filepath.Join(opt, inLayer), "RUBYLIB": task + ":" + opt + "/ruby/lib",
				}, true
			}
			return nil, nil, false
		},
	}
}
