package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"gatehouse/internal/migrate"
	"gatehouse/internal/server"
)

// importFlags are what "import" can be told.
type importFlags struct {
	fromAWS, asJSON, dryRun bool
	to, report              string
	api, stage              string
	basePath, endpointType  string
}

func (f *importFlags) register(set *flag.FlagSet) {
	set.BoolVar(&f.fromAWS, "from-aws", false, "read a live account through the AWS credential chain (profile, region, endpoint)")
	set.StringVar(&f.to, "to", "", "with --from-aws: URL of the server's control port; its root key comes from the configuration or GATEHOUSE_ROOT_*")
	set.StringVar(&f.api, "api", "", "the API to overwrite; with --from-aws the APIs to read, comma-separated, all by default")
	set.StringVar(&f.stage, "stage", "", "a stage to deploy to, when the files tell of none")
	set.StringVar(&f.basePath, "basepath", "", "what becomes of the base path: ignore, prepend or split")
	set.StringVar(&f.endpointType, "endpoint-type", "", "REGIONAL, EDGE or PRIVATE")
	set.BoolVar(&f.dryRun, "dry-run", false, "look at the files only; call no server")
	set.BoolVar(&f.asJSON, "json", false, "write the report as JSON")
	set.StringVar(&f.report, "report", "", "write the report to this file too")
}

// importAPIs runs "import FILE|DIRECTORY" and "import --from-aws": what carries over, what is
// kept without effect, and what was refused.
func importAPIs(ctx context.Context, c *invocation) error {
	var f importFlags
	set := newFlags(c, "import [flags] FILE|DIRECTORY, or gatehouse import --from-aws [flags]",
		"Takes over APIs from OpenAPI documents, into the server at AWS_ENDPOINT_URL, or from a\nlive account into the server at --to; reports what carries over, what has no effect\nand what was refused.")
	f.register(set)
	data := set.String("data", "", "with --from-aws: the server's data folder")
	words, err := parse(set, c.args)
	if err != nil {
		return err
	}
	var report *migrate.Report
	switch {
	case f.fromAWS && len(words) == 0:
		report, err = f.account(ctx, c, *data)
	case !f.fromAWS && len(words) == 1:
		report, err = f.files(ctx, c, words[0])
	default:
		return fmt.Errorf("%w: want one file or folder, or --from-aws, got %q", errUsage, words)
	}
	if report != nil {
		if e := f.write(c, report); err == nil {
			err = e
		}
		if err == nil && report.Count(migrate.Refused) > 0 && f.fromAWS {
			err = errors.New("not everything was brought over: see the report")
		}
	}
	return err
}

// files imports a document, with stages.
func (f *importFlags) files(ctx context.Context, c *invocation, path string) (*migrate.Report, error) {
	var to *migrate.Conn
	if !f.dryRun {
		if _, err := newClient(c.environ); err != nil {
			return nil, err
		}
		cfg, err := awsconfig.LoadDefaultConfig(ctx)
		if err != nil {
			return nil, err
		}
		if to, err = migrate.NewConn(cfg); err != nil {
			return nil, err
		}
	}
	parameters := map[string]string{}
	if f.basePath != "" {
		parameters["basepath"] = f.basePath
	}
	if f.endpointType != "" {
		parameters["endpointConfigurationTypes"] = f.endpointType
	}
	api, report, err := migrate.FromFiles(ctx, to, path, migrate.FileOptions{API: f.api, Stage: f.stage, Parameters: parameters, DryRun: f.dryRun})
	if api != "" && !f.asJSON {
		fmt.Fprintf(c.stdout, "API %s\n\n", api)
	}
	return report, err
}

// account reads an account through the standard chain. The server is where --to or the
// configuration says; its key is the root key, because AWS_* means the account here.
func (f *importFlags) account(ctx context.Context, c *invocation, data string) (*migrate.Report, error) {
	source, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	from, err := migrate.NewConn(source)
	if err != nil {
		return nil, err
	}
	here := *c
	here.args = nil
	if data != "" {
		here.args = []string{"--data", data}
	}
	cfg, err := configure(&here, "import", nil)
	if err != nil {
		return nil, err
	}
	key, err := server.RootKey(cfg)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no root key in %s: name the server's data folder with --data, or give GATEHOUSE_ROOT_ACCESS_KEY_ID and GATEHOUSE_ROOT_SECRET_ACCESS_KEY", cfg.Data)
	}
	if err != nil {
		return nil, err
	}
	if f.to == "" {
		f.to = "http://" + reachable(cfg.Control)
	}
	to := &migrate.Conn{Endpoint: strings.TrimSuffix(f.to, "/"), Region: cfg.Region(), Credentials: aws.NewCredentialsCache(credentials.NewStaticCredentialsProvider(key.AccessKeyID, key.SecretAccessKey, ""))}
	if to.Endpoint == from.Endpoint {
		return nil, fmt.Errorf("%w: %s is both the account and the server: AWS_ENDPOINT_URL is where the account is", errUsage, to.Endpoint)
	}
	var o migrate.AccountOptions
	if f.api != "" {
		o.APIs = strings.Split(f.api, ",")
	}
	return migrate.FromAccount(ctx, from, to, o)
}

// write prints the report, and writes it to the file that was asked for.
func (f *importFlags) write(c *invocation, report *migrate.Report) error {
	print := func(w io.Writer) error {
		if !f.asJSON {
			return report.Print(w)
		}
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(report)
	}
	if err := print(c.stdout); err != nil || f.report == "" {
		return err
	}
	file, err := os.Create(f.report)
	if err != nil {
		return err
	}
	err = print(file)
	if e := file.Close(); err == nil {
		err = e
	}
	return err
}
