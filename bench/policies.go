package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
)

// countersAddr is where the shared counter server of a measurement listens.
const countersAddr = "127.0.0.1:18121"

// keyedStage is the stage whose methods require an API key.
const keyedStage = "keyed"

// policies measures what API keys, plan throttles and quotas cost a real gatehouse: the
// same request with the same header through a stage without and one with them, on one
// process, in turns.
func policies(args []string) error {
	fs := flag.NewFlagSet("policies", flag.ExitOnError)
	rounds := fs.Int("rounds", 7, "interleaved rounds")
	length := fs.Duration("seconds", 3*time.Second, "length of one measurement")
	only := fs.String("only", "", "comma-separated scenarios; empty means all")
	gate := fs.String("gatehouse", "", "gatehouse binary")
	fs.Parse(args)
	if *gate == "" {
		return errors.New("-gatehouse BINARY is needed")
	}
	if err := needTools(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "gatehouse-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	if err := errors.Join(writeNginx(dir), writeCerts(dir)); err != nil {
		return err
	}
	backend, err := launch("backend", loadCPUs, backendAddr, nginxCommand(dir, "backend")...)
	if err != nil {
		return err
	}
	defer backend.stop()
	// --dev counts in memory alone, so this is a normal server with a root key that is known.
	os.Setenv("GATEHOUSE_ROOT_ACCESS_KEY_ID", rootKeyID)
	os.Setenv("GATEHOUSE_ROOT_SECRET_ACCESS_KEY", rootSecret)
	printMachine()
	header("plain", "policies")
	for _, sc := range []struct {
		name        string
		keys, plans int
		shared      bool
		target      string
	}{
		{"key", 1, 1, false, "CPU 1.05"},
		{"key-100k", 100_000, 1_000, false, "CPU 1.05"},
		{"key-shared", 1, 1, true, "CPU 1.08"},
	} {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), sc.name) {
			continue
		}
		s := scenario{name: sc.name, target: sc.target}
		if err := measureKeys(s, *gate, filepath.Join(dir, sc.name), sc.keys, sc.plans, sc.shared, *rounds, *length); err != nil {
			return fmt.Errorf("%s: %w", sc.name, err)
		}
	}
	for _, sc := range []struct{ name, level string }{{"access-log", ""}, {"info-log", "INFO"}} {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), sc.name) {
			continue
		}
		s := scenario{name: sc.name, target: "CPU 1.03"}
		if err := measureLogs(s, *gate, filepath.Join(dir, sc.name), sc.level, *rounds, *length); err != nil {
			return fmt.Errorf("%s: %w", sc.name, err)
		}
	}
	if *only == "" || slices.Contains(strings.Split(*only, ","), "chain") {
		return measureChain(scenario{name: "chain", target: "CPU 1.5"}, *gate, dir, *rounds, *length)
	}
	return nil
}

// measureKeys starts a gatehouse with keys in plans, with a shared counter server or
// without, and measures.
func measureKeys(sc scenario, bin, dir string, keys, plans int, shared bool, rounds int, d time.Duration) error {
	command := []string{bin, "serve", "--data", dir, "--control", controlAddr, "--http", frontHTTP, "--https", frontHTTPS}
	if shared {
		server, err := launchCounters()
		if err != nil {
			return err
		}
		defer server.stop()
		command = append(command, "--counters", "redis://"+countersAddr)
	}
	p, err := launch("gatehouse", proxyCPU, controlAddr, command...)
	if err != nil {
		return err
	}
	defer p.stop()
	ctx := context.Background()
	c := client()
	id, err := createAPI(ctx)
	if err != nil {
		return err
	}
	key, err := requireKeys(ctx, c, id, keys, plans)
	if err != nil {
		return err
	}
	sc.nginx, sc.front = "http://"+frontHTTP+"/"+stage, "http://"+frontHTTP+"/"+keyedStage
	sc.load = wrk(64, "/1k", "", dir, id+".execute-api.us-east-1.localhost", "X-API-Key: "+key)
	return measure(sc, p, p, rounds, d)
}

// launchCounters starts Valkey, or Redis, without persistence.
func launchCounters() (*process, error) {
	for _, name := range []string{"valkey-server", "redis-server"} {
		if path, err := exec.LookPath(name); err == nil {
			_, port, _ := strings.Cut(countersAddr, ":")
			return launch("counters", loadCPUs, countersAddr, path, "--port", port, "--save", "", "--appendonly", "no", "--loglevel", "warning")
		}
	}
	return nil, errors.New("neither valkey-server nor redis-server is here; run: apt-get install redis-server")
}

// requireKeys deploys the API again to the stage keyedStage, with methods that require a
// key, and makes plans with a throttle and a quota that nothing exceeds, and keys that are
// spread over them. It returns the value of a key of the first plan, which admits to the stage.
func requireKeys(ctx context.Context, c *apigateway.Client, id string, keys, plans int) (string, error) {
	if err := updateMethods(ctx, c, id, map[string]string{"/apiKeyRequired": "true"}); err != nil {
		return "", err
	}
	if _, err := c.CreateDeployment(ctx, &apigateway.CreateDeploymentInput{RestApiId: &id, StageName: aws.String(keyedStage)}); err != nil {
		return "", err
	}
	ids := make([]string, plans)
	for i := range ids {
		p, err := c.CreateUsagePlan(ctx, &apigateway.CreateUsagePlanInput{
			Name:      aws.String(fmt.Sprintf("plan-%d", i)),
			ApiStages: []types.ApiStage{{ApiId: &id, Stage: aws.String(keyedStage)}},
			Throttle:  &types.ThrottleSettings{RateLimit: 1e6, BurstLimit: 1e6},
			Quota:     &types.QuotaSettings{Limit: 2e9, Period: types.QuotaPeriodTypeMonth},
		})
		if err != nil {
			return "", err
		}
		ids[i] = *p.Id
	}
	const batch = 5000
	for from := 0; from < keys; from += batch {
		csv := "Name,Key,UsagePlanIds\n"
		for i := from; i < min(keys, from+batch); i++ {
			csv += fmt.Sprintf("k%d,%s,%q\n", i, keyValue(i), ids[i%plans])
		}
		if _, err := c.ImportApiKeys(ctx, &apigateway.ImportApiKeysInput{Format: types.ApiKeysFormatCsv, Body: []byte(csv), FailOnWarnings: true}); err != nil {
			return "", err
		}
	}
	return keyValue(0), nil
}

// updateMethods patches all methods of an API.
func updateMethods(ctx context.Context, c *apigateway.Client, id string, values map[string]string) error {
	resources, err := c.GetResources(ctx, &apigateway.GetResourcesInput{RestApiId: &id})
	if err != nil {
		return err
	}
	var patches []types.PatchOperation
	for path, value := range values {
		patches = append(patches, types.PatchOperation{Op: types.OpReplace, Path: &path, Value: &value})
	}
	for _, r := range resources.Items {
		if len(r.ResourceMethods) == 0 {
			continue
		}
		if _, err := c.UpdateMethod(ctx, &apigateway.UpdateMethodInput{RestApiId: &id, ResourceId: r.Id, HttpMethod: aws.String("ANY"), PatchOperations: patches}); err != nil {
			return err
		}
	}
	return nil
}

func keyValue(i int) string { return fmt.Sprintf("benchmark-key-with-the-number-%08d", i) }
