package main

import (
	"context"
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
	const synopsis = "client-certificate rotate ID [--at TIME | --overlap DURATION], or show ID [--format json|pem|spki]"
	fs := newFlags(c, synopsis, "Makes the successor of a client certificate and says when it takes its place (rotate), or\nprints what backends are to admit (show), for a client certificate"+calling)
	at := fs.String("at", "", "time of the switch (RFC 3339)")
	overlap := fs.Duration("overlap", defaultOverlap, "time from now to the switch")
	format := fs.String("format", "json", "json, pem or spki")
	words, err := parse(fs, c.args)
	if err != nil {
		return err
	}
	if len(words) != 2 || words[0] != "rotate" && words[0] != "show" {
		return fmt.Errorf("%w: gatehouse %s", errUsage, synopsis)
	}
	verb, id := words[0], words[1]
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
