package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// defaultOverlap is how long a successor is published before the switch, unless said
// otherwise: time for backends to fetch it.
const defaultOverlap = 7 * 24 * time.Hour

// clientCertificate runs "client-certificate rotate ID", which makes the successor of a
// client certificate and says when it takes its place, and "client-certificate show ID",
// which prints what backends are to admit.
func clientCertificate(ctx context.Context, c *invocation) error {
	const synopsis = "gatehouse client-certificate rotate ID [--at TIME | --overlap DURATION], or show ID [--format json|pem|spki]"
	if len(c.args) < 2 || c.args[0] != "rotate" && c.args[0] != "show" {
		return fmt.Errorf("%w: %s", errUsage, synopsis)
	}
	verb, id := c.args[0], c.args[1]
	fs := flag.NewFlagSet(synopsis, flag.ContinueOnError)
	fs.SetOutput(c.err)
	at := fs.String("at", "", "time of the switch (RFC 3339)")
	overlap := fs.Duration("overlap", defaultOverlap, "time from now to the switch")
	format := fs.String("format", "json", "json, pem or spki")
	if err := fs.Parse(c.args[2:]); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	cl, err := newClient(c.environ)
	if err != nil {
		return err
	}
	path, method := "/_gatehouse/client-certificates/"+url.PathEscape(id), http.MethodGet
	if verb == "rotate" {
		if *at == "" {
			*at = time.Now().Add(*overlap).UTC().Format(time.RFC3339)
		}
		path, method = path+"/rotate?switch="+url.QueryEscape(*at), http.MethodPost
	} else {
		path += "?format=" + url.QueryEscape(*format)
	}
	body, err := cl.call(ctx, method, path, nil, 0)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(c.stdout, body)
	return err
}
