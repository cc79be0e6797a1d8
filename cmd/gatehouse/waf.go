package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"gatehouse/internal/firewall/trial"
	"gatehouse/internal/server"
)

// waf runs "waf try" and "waf replay": what a web ACL makes of a request, and which requests
// of a log it would treat differently. Neither changes anything or counts for a rate.
func waf(ctx context.Context, c *invocation) error {
	const synopsis = "gatehouse waf try --acl ARN < REQUEST, or gatehouse waf replay --acl ARN --log FILE"
	if len(c.args) > 0 {
		verb := c.args[0]
		c.args = c.args[1:]
		switch verb {
		case "try":
			return tryRequest(ctx, c)
		case "replay":
			return replayLog(ctx, c)
		case "-h", "--help", "-help":
			fmt.Fprintln(c.err, "usage: "+synopsis+"\n\n'gatehouse waf try -h' and 'gatehouse waf replay -h' list the flags.")
			return flag.ErrHelp
		}
	}
	return fmt.Errorf("%w: %s", errUsage, synopsis)
}

// A wafTrial is what both verbs take.
type wafTrial struct {
	in     server.WAFTrial
	rules  string
	asJSON bool
}

func (t *wafTrial) register(fs *flag.FlagSet) {
	fs.StringVar(&t.in.WebACL, "acl", "", "ARN of the web ACL")
	fs.StringVar(&t.rules, "rules", "", "file with another definition for the web ACL, as GetWebACL shows or UpdateWebACL takes it")
	fs.BoolVar(&t.asJSON, "json", false, "print JSON")
}

// parse reads the command line and the definition.
func (t *wafTrial) parse(fs *flag.FlagSet, c *invocation) error {
	words, err := parse(fs, c.args)
	if err != nil {
		return err
	}
	if len(words) > 0 || t.in.WebACL == "" {
		return fmt.Errorf("%w: want --acl ARN, got --acl %q and %q", errUsage, t.in.WebACL, words)
	}
	if t.rules == "" {
		return nil
	}
	if t.in.Definition, err = os.ReadFile(t.rules); err == nil && !json.Valid(t.in.Definition) {
		err = fmt.Errorf("%s: want JSON", t.rules)
	}
	return err
}

// ask sends the trial, and more after it, and decodes the answer; with --json it prints it.
func (t *wafTrial) ask(ctx context.Context, c *invocation, verb string, more io.Reader, answer any) error {
	cl, err := newClient(c.environ)
	if err != nil {
		return err
	}
	head, err := json.Marshal(t.in)
	if err != nil {
		return err
	}
	body, length := io.Reader(bytes.NewReader(head)), int64(len(head))
	if more != nil {
		body, length = io.MultiReader(body, more), -1
	}
	src, err := cl.call(ctx, http.MethodPost, "/_gatehouse/waf/"+verb, body, length)
	if err != nil {
		return err
	}
	defer src.Close()
	if t.asJSON {
		_, err := io.Copy(c.stdout, src)
		return err
	}
	if err := json.NewDecoder(src).Decode(answer); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return nil
}

// maxTried bounds the request that is read: API Gateway takes 10 MB.
const maxTried = 11 << 20

func tryRequest(ctx context.Context, c *invocation) error {
	fs := newFlags(c, "waf try --acl ARN [flags] < REQUEST", "Says what a web ACL makes of the HTTP request on standard input; it asks the web ACL"+calling)
	var t wafTrial
	t.register(fs)
	fs.StringVar(&t.in.Client, "client", "127.0.0.1", "address that the request comes from")
	fs.BoolVar(&t.in.Plain, "plain", false, "the request comes over HTTP rather than HTTPS")
	if err := t.parse(fs, c); err != nil {
		return err
	}
	var err error
	if t.in.Request, err = io.ReadAll(io.LimitReader(c.stdin, maxTried)); err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	var answer trial.Opinion
	if err := t.ask(ctx, c, "try", nil, &answer); err != nil || t.asJSON {
		return err
	}
	printOpinion(c.stdout, &answer)
	return nil
}

func printOpinion(w io.Writer, o *trial.Opinion) {
	printExplanation(w, o.Explanation)
	if o.Status != 0 {
		fmt.Fprintf(w, "    answer     %d\n", o.Status)
	}
	for _, h := range o.Inserted {
		fmt.Fprintf(w, "    inserted   %s: %s\n", h.Name, h.Value)
	}
	if len(o.Oversize) > 0 {
		fmt.Fprintf(w, "    oversize   %s\n", strings.Join(o.Oversize, ", "))
	}
}

func replayLog(ctx context.Context, c *invocation) error {
	fs := newFlags(c, "waf replay --acl ARN --log FILE [flags]", "Says which requests of a log a web ACL would treat differently; it asks the web ACL"+calling)
	var t wafTrial
	t.register(fs)
	file := fs.String("log", "", "file of log records in JSON, also with gzip; - for standard input")
	if err := t.parse(fs, c); err != nil {
		return err
	}
	log, err := openLog(*file, c.stdin)
	if err != nil {
		return err
	}
	defer log.Close()
	var answer trial.Report
	if err := t.ask(ctx, c, "replay", log, &answer); err != nil || t.asJSON {
		return err
	}
	printReport(c.stdout, &answer)
	return nil
}

// openLog opens a log; one that begins as gzip does is unpacked.
func openLog(file string, stdin io.Reader) (io.ReadCloser, error) {
	if file == "" {
		return nil, fmt.Errorf("%w: want --log FILE", errUsage)
	}
	src := io.NopCloser(stdin)
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		src = f
	}
	var head [2]byte
	n, err := io.ReadFull(src, head[:])
	if err != nil && n == 0 && err != io.EOF {
		src.Close()
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	whole := io.MultiReader(bytes.NewReader(head[:n]), src)
	if head != [2]byte{0x1f, 0x8b} {
		return joined{whole, src}, nil
	}
	unpacked, err := gzip.NewReader(whole)
	if err != nil {
		src.Close()
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return joined{unpacked, src}, nil
}

// joined reads from one and closes the other.
type joined struct {
	io.Reader
	io.Closer
}

func printReport(w io.Writer, r *trial.Report) {
	for i := range r.Differences {
		d := &r.Differences[i]
		fmt.Fprintf(w, "%s  %s %s  %s\n", d.Time.UTC().Format(time.RFC3339Nano), d.Method, d.URI, d.RequestID)
		fmt.Fprintf(w, "  was          %s by %s\n", d.Was.Action, d.Was.Rule)
		printOpinion(w, &d.Now)
		if d.BodyUnseen {
			fmt.Fprintln(w, "  not sure     the request had a body, which logs do not keep")
		}
		if d.PartsHidden {
			fmt.Fprintln(w, "  not sure     the log hides parts of the request")
		}
	}
	if r.Omitted > 0 {
		fmt.Fprintf(w, "and %d more that would be treated differently\n", r.Omitted)
	}
	fmt.Fprintf(w, "%d requests: %d treated differently, %d the same by another rule, %d the same\n", r.Records, r.Changed, r.Rule, r.Same)
	if r.Bodies > 0 {
		fmt.Fprintf(w, "%d of them had a body, which logs do not keep: rules that inspect bodies saw none\n", r.Bodies)
	}
	if r.Hidden > 0 {
		fmt.Fprintf(w, "of %d the log hides parts\n", r.Hidden)
	}
	if r.Unreadable > 0 {
		fmt.Fprintf(w, "%d records could not be read: %s\n", r.Unreadable, strings.Join(r.Errors, "; "))
	}
}
