//go:build ignore

package main

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/corazawaf/coraza/v3"

	"gatehouse/internal/http1/wire"
	"gatehouse/internal/lang/wafrules"
	"gatehouse/internal/lang/wafrules/managed"
)

// ours are the groups that are compared; groups about robots, administration paths and
// addresses have no counterpart.
var ours = []string{
	"AWSManagedRulesCommonRuleSet", "AWSManagedRulesKnownBadInputsRuleSet", "AWSManagedRulesSQLiRuleSet", "AWSManagedRulesLinuxRuleSet",
	"AWSManagedRulesUnixRuleSet", "AWSManagedRulesWindowsRuleSet", "AWSManagedRulesPHPRuleSet",
}

// catalog is a References with the managed groups alone.
type catalog struct{ *managed.Catalog }

func (catalog) IPSet(string) *wafrules.IPSet                     { return nil }
func (catalog) RegexPatternSet(string) *wafrules.RegexPatternSet { return nil }
func (catalog) RuleGroup(string) *wafrules.Group                 { return nil }
func (catalog) HasGeography() bool                               { return false }
func (c catalog) ManagedGroup(v, n, version string) (*wafrules.Group, error) {
	return c.Group(v, n, version)
}

// newOurs compiles a web ACL of the given groups. The rule on the Host header is left out:
// every sample of the corpus is addressed to localhost.
func newOurs(groups []string) (*wafrules.ACL, error) {
	var rules []string
	for i, g := range groups {
		overrides := ""
		if strings.Contains(g, "KnownBad") {
			overrides = `,"RuleActionOverrides":[{"Name":"Host_localhost_HEADER","ActionToUse":{"Count":{}}}]`
		}
		rules = append(rules, fmt.Sprintf(`{"Name":%q,"Priority":%d,"Statement":{"ManagedRuleGroupStatement":{"VendorName":"AWS","Name":%q%s}},
			"OverrideAction":{"None":{}},"VisibilityConfig":{"MetricName":"m","SampledRequestsEnabled":true,"CloudWatchMetricsEnabled":true}}`, g, i, g, overrides))
	}
	acl, err := wafrules.ParseWebACL([]byte(`{"DefaultAction":{"Allow":{}},"VisibilityConfig":{"MetricName":"m","SampledRequestsEnabled":true,"CloudWatchMetricsEnabled":true},"Rules":[` + strings.Join(rules, ",") + `]}`))
	if err != nil {
		return nil, err
	}
	refs := catalog{managed.New(managed.Lists{})}
	if _, err := wafrules.ValidateWebACL(acl, wafrules.Checks{References: refs}); err != nil {
		return nil, err
	}
	return wafrules.Compile(acl, wafrules.Identity{ARN: "arn:bench"}, wafrules.Environment{References: refs})
}

type bodyText string

func (b bodyText) Peek(limit int) ([]byte, bool, error) {
	return []byte(b[:min(len(b), limit)]), len(b) > limit, nil
}

func (s *sample) request() *wafrules.Request {
	r := &wafrules.Request{Method: s.method, Version: "HTTP/1.1", ClientIP: netip.MustParseAddr("127.0.0.1"), Time: time.Unix(1_700_000_000, 0)}
	r.Path, r.Query, _ = strings.Cut(s.uri, "?")
	for _, h := range s.header {
		r.Header = append(r.Header, wafrules.Header{Name: h[0], Value: h[1]})
	}
	if s.body != "" {
		r.Body = bodyText(s.body)
	}
	return r
}

// refused reports whether the gateway's HTTP/1.1 parser answers the request with 400, so that
// no rule sees it.
func (s *sample) refused() bool {
	line, err := wire.ParseRequestLine(s.method+" "+s.uri+" HTTP/1.1", 10240)
	if err != nil {
		return true
	}
	if path, _, _ := strings.Cut(line.Target, "?"); !wire.IsPath(path) {
		return true
	}
	var block strings.Builder
	hosts := 0
	for _, h := range s.header {
		fmt.Fprintf(&block, "%s: %s\r\n", h[0], h[1])
		switch strings.ToLower(h[0]) {
		case "host":
			hosts++
			if !wire.IsHost(h[1]) {
				return true
			}
		case "content-length":
			if _, ok := wire.ParseLength(h[1]); !ok {
				return true
			}
		case "transfer-encoding":
			if !strings.EqualFold(h[1], "chunked") {
				return true
			}
		}
	}
	_, err = wire.ParseFields(block.String(), nil, 200)
	return err != nil || hosts != 1
}

// newCoraza loads the Core Rule Set at paranoia level 1 with its usual thresholds.
func newCoraza() (coraza.WAF, error) {
	return coraza.NewWAF(coraza.NewWAFConfig().WithRootFS(coreruleset.FS).WithDirectives(`
		Include @coraza.conf-recommended
		Include @crs-setup.conf.example
		SecRuleEngine On
		SecRequestBodyAccess On
		SecAction "id:900005,phase:1,nolog,pass,t:none,setvar:tx.blocking_paranoia_level=1,setvar:tx.detection_paranoia_level=1"
		Include @owasp_crs/*.conf`))
}

// blockedByCoraza runs one sample.
func blockedByCoraza(waf coraza.WAF, s *sample) bool {
	tx := waf.NewTransaction()
	defer tx.Close()
	tx.ProcessConnection("127.0.0.1", 12345, "127.0.0.1", 80)
	tx.ProcessURI(s.uri, s.method, "HTTP/1.1")
	for _, h := range s.header {
		tx.AddRequestHeader(h[0], h[1])
		if strings.EqualFold(h[0], "host") {
			tx.SetServerName(h[1])
		}
	}
	if tx.ProcessRequestHeaders() != nil {
		return true
	}
	if s.body != "" {
		if it, _, err := tx.WriteRequestBody([]byte(s.body)); it != nil || err != nil {
			return it != nil
		}
	}
	it, err := tx.ProcessRequestBody()
	return it != nil && err == nil
}
