package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"

	"gatehouse/internal/server"
)

// trustStore runs "truststore plan DOMAIN s3://BUCKET/KEY": which CAs would come and go, what
// is wrong with them, and which clients that were really seen would be locked out. It
// changes nothing, and fails when all of them would be.
func trustStore(ctx context.Context, c *invocation) error {
	fs := flag.NewFlagSet("gatehouse truststore plan DOMAIN s3://BUCKET/KEY", flag.ContinueOnError)
	fs.SetOutput(c.err)
	version := fs.String("version", "", "the object's version; the current one by default")
	asJSON := fs.Bool("json", false, "print JSON")
	if len(c.args) == 0 || c.args[0] != "plan" {
		return fmt.Errorf("%w: gatehouse truststore plan DOMAIN s3://BUCKET/KEY [--version V] [--json]", errUsage)
	}
	var words []string
	for rest := c.args[1:]; len(rest) > 0; rest = fs.Args() {
		if err := fs.Parse(rest); err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		if fs.NArg() > 0 { // flags may come after the words
			words = append(words, fs.Arg(0))
			if err := fs.Parse(fs.Args()[1:]); err != nil {
				return fmt.Errorf("%w: %w", errUsage, err)
			}
		}
	}
	if len(words) != 2 {
		return fmt.Errorf("%w: want a domain name and s3://BUCKET/KEY, got %q", errUsage, words)
	}
	cl, err := newClient(c.environ)
	if err != nil {
		return err
	}
	q := url.Values{"domain": {words[0]}, "uri": {words[1]}, "version": {*version}}
	body, err := cl.call(ctx, http.MethodGet, "/_gatehouse/truststore?"+q.Encode(), nil, 0)
	if err != nil {
		return err
	}
	defer body.Close()
	var plan server.TrustStorePlan
	if err := json.NewDecoder(body).Decode(&plan); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if *asJSON {
		enc := json.NewEncoder(c.stdout)
		enc.SetIndent("", "  ")
		if err := enc.Encode(plan); err != nil {
			return err
		}
		return plan.Err()
	}
	plan.Print(func(format string, args ...any) { fmt.Fprintf(c.stdout, format+"\n", args...) })
	return plan.Err()
}
