package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gatehouse/internal/lang/wafrules/record"
	"gatehouse/internal/server"
)

// explain runs "explain REQUEST-ID": how a recent request was answered, and why.
func explain(ctx context.Context, c *invocation) error {
	fs := newFlags(c, "explain [flags] REQUEST-ID", "Says how a recent request was answered and why: REQUEST-ID is the answer's\nx-amz-apigw-id or x-amzn-RequestId. It asks the decision records"+calling)
	raw := fs.Bool("raw", false, "show the bytes that rules matched (needs gatehouse:ExplainRaw)")
	asJSON := fs.Bool("json", false, "print JSON")
	words, err := parse(fs, c.args)
	if err != nil {
		return err
	}
	if len(words) != 1 {
		return fmt.Errorf("%w: want one request id: the answer's x-amz-apigw-id or x-amzn-RequestId, got %q", errUsage, words)
	}
	cl, err := newClient(c.environ)
	if err != nil {
		return err
	}
	path := "/_gatehouse/decisions/" + url.PathEscape(words[0])
	if *raw {
		path += "?raw=true"
	}
	body, err := cl.call(ctx, http.MethodGet, path, nil, 0)
	if err != nil {
		return err
	}
	defer body.Close()
	if *asJSON {
		_, err := io.Copy(c.stdout, body)
		return err
	}
	var answer struct{ Decisions []server.Explained }
	if err := json.NewDecoder(body).Decode(&answer); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	for i := range answer.Decisions {
		printDecision(c.stdout, &answer.Decisions[i])
	}
	return nil
}

// printDecision tells a person about one request.
func printDecision(w io.Writer, d *server.Explained) {
	fmt.Fprintf(w, "%s  %s %s%s\n", d.Time.UTC().Format("2006-01-02T15:04:05.000Z"), d.Method, d.Host, d.Path)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	optional := func(name, text string) {
		if text != "" {
			line(name, "%s", text)
		}
	}
	line("answered", "%d after %s", d.Status, d.Latency.Round(time.Microsecond))
	optional("because", d.Reason)
	optional("cause", d.Cause)
	if d.API != "" {
		line("stage", "%s/%s %s", d.API, d.Stage, d.Resource)
	}
	optional("certificate", strings.TrimSpace(d.ClientCertificate+" "+d.ClientRefusal))
	if d.IntegrationStatus != 0 {
		line("backend", "%d", d.IntegrationStatus)
	}
	line("ids", "%s, %s", d.RequestID, d.ExtendedID)
	if d.WAF != nil {
		printExplanation(w, d.WAF)
	}
}

// printExplanation tells a person what a web ACL found.
func printExplanation(w io.Writer, x *record.Explanation) {
	fmt.Fprintf(w, "  web ACL      %s\n", x.WebACL)
	fmt.Fprintf(w, "    decided    %s by %s\n", x.Action, x.Rule)
	for i := range x.Matches {
		m := &x.Matches[i]
		rule := m.Rule
		if m.Group != "" {
			rule = m.Group + ": " + rule
		}
		fmt.Fprintf(w, "    matched    %s (%s)\n               %s\n", rule, m.Action, where(m))
	}
	if x.Omitted > 0 {
		fmt.Fprintf(w, "               and %d more\n", x.Omitted)
	}
	for _, r := range x.Rates {
		key := r.LimitValue
		for _, v := range r.CustomValues {
			key += fmt.Sprintf(" %s %s %q", v.Key, v.Name, v.Value)
		}
		fmt.Fprintf(w, "    rate       %s: more than %d requests in %s s for %s%s\n", r.RateBasedRuleName, r.MaxRateAllowed, r.EvaluationWindowSec, r.LimitKey, strings.TrimRight(" "+key, " "))
	}
	if len(x.Labels) > 0 {
		fmt.Fprintf(w, "    labels     %s\n", strings.Join(x.Labels, "\n               "))
	}
}

// where says which statement matched which bytes of what.
func where(m *record.ExplainedMatch) string {
	text := m.Statement
	if m.Component != "" {
		text += " on " + m.Component
	}
	if m.Name != "" {
		text += fmt.Sprintf(" %q", m.Name)
	}
	if len(m.Transformations) > 0 {
		text += " after " + strings.Join(m.Transformations, ", ")
	}
	if m.Length > 0 {
		text += fmt.Sprintf(": bytes %d to %d", m.Offset, m.Offset+m.Length)
	}
	switch {
	case m.Matched != "":
		text += fmt.Sprintf(": %q", m.Matched)
	case m.Hash != "":
		text += ", hash " + m.Hash
	}
	return text
}
