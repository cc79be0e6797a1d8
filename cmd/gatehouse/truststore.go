package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"gatehouse/internal/server"
)

const trustStoreUsage = `gatehouse truststore plan DOMAIN s3://BUCKET/KEY [--version V] [--json]
       gatehouse truststore apply DOMAIN [s3://BUCKET/KEY] [--version V] [--force] [--json]
       gatehouse truststore rollback DOMAIN [--force] [--json]
       gatehouse truststore status DOMAIN [--json]`

// trustStore runs the steps of a trust store's roll-out. "plan" says which CAs would come and go,
// what is wrong with them, and which clients that were really seen would be locked out; it
// changes nothing, and fails when all of them would be. "apply" puts a trust store in
// force, the candidate when none is named, and refuses to lock out everybody without --force.
// "rollback" returns to the one before. "status" shows how things stand.
func trustStore(ctx context.Context, c *invocation) error {
	fs := newFlags(c, strings.TrimPrefix(trustStoreUsage, "gatehouse "), "Says who a new trust store would lock out (plan), puts it in force (apply), goes back to\nthe one before (rollback), shows how things stand (status): for a domain name"+calling)
	version := fs.String("version", "", "the object's version; the current one by default")
	force := fs.Bool("force", false, "also when every client that was seen lately is locked out")
	asJSON := fs.Bool("json", false, "print JSON")
	words, err := parse(fs, c.args)
	if err != nil {
		return err
	}
	if len(words) < 2 {
		return fmt.Errorf("%w: %s", errUsage, trustStoreUsage)
	}
	q := url.Values{"domain": {words[1]}}
	if *version != "" {
		q.Set("version", *version)
	}
	if *force {
		q.Set("force", "true")
	}
	out := printer{c.stdout, *asJSON}
	switch step := fmt.Sprint(words[0], " ", len(words)); step {
	case "plan 3":
		q.Set("uri", words[2])
		return show[server.TrustStorePlan](ctx, c, out, http.MethodGet, q)
	case "apply 3":
		q.Set("action", "apply")
		q.Set("uri", words[2])
		return show[server.TrustStoreState](ctx, c, out, http.MethodPost, q)
	case "apply 2":
		q.Set("action", "enforce")
		return show[server.TrustStoreState](ctx, c, out, http.MethodPost, q)
	case "rollback 2":
		q.Set("action", "rollback")
		return show[server.TrustStoreState](ctx, c, out, http.MethodPost, q)
	case "status 2":
		return show[server.TrustStoreState](ctx, c, out, http.MethodGet, q)
	}
	return fmt.Errorf("%w: got %q; %s", errUsage, words, trustStoreUsage)
}

// A printer prints for people, or JSON.
type printer struct {
	to     io.Writer
	asJSON bool
}

// An answer of the server that people may read.
type answer interface {
	Print(line func(format string, args ...any))
	Err() error
}

// show asks the server and prints its answer.
func show[T answer](ctx context.Context, c *invocation, out printer, method string, q url.Values) error {
	cl, err := newClient(c.environ)
	if err != nil {
		return err
	}
	body, err := cl.call(ctx, method, "/_gatehouse/truststore?"+q.Encode(), nil, 0)
	if err != nil {
		return err
	}
	defer body.Close()
	var got T
	if err := json.NewDecoder(body).Decode(&got); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if out.asJSON {
		enc := json.NewEncoder(out.to)
		enc.SetIndent("", "  ")
		if err := enc.Encode(got); err != nil {
			return err
		}
		return got.Err()
	}
	got.Print(func(format string, args ...any) { fmt.Fprintf(out.to, format+"\n", args...) })
	return got.Err()
}
