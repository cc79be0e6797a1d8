package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/awscall"
)

// Off is the address of a port that is closed.
const Off = "off"

// Check reports every problem of c at once, each with the setting's name, what was found
// and what is wanted.
func (c *Config) Check() error {
	var p problems
	p.address("control", c.Control, false)
	p.address("http", c.HTTP, true)
	p.address("https", c.HTTPS, true)
	if c.Ops != "" {
		p.address("ops", c.Ops, false)
	}
	p.want(c.Data != "", "data", c.Data, "a folder")
	p.want(len(c.Regions) > 0, "regions", c.Regions, "at least one region")
	for _, r := range c.Regions {
		p.want(isLabel(r), "regions", r, "lower-case letters, digits and hyphens")
	}
	p.want(len(c.Accounts) > 0, "accounts", c.Accounts, "at least one account id")
	for _, a := range c.Accounts {
		p.want(isAccount(a), "accounts", a, "12 digits")
	}
	p.want(isHost(c.DomainSuffix), "domain-suffix", c.DomainSuffix, "a host name such as api.example.com")
	p.url("store", c.Store, "postgres", "postgresql")
	p.url("counters", c.Counters, "redis", "rediss", "valkey", "valkeys")
	p.want(slices.Contains([]string{"auto", "on", "off"}, c.ControlInvoke), "control-invoke", c.ControlInvoke, "auto, on or off")
	p.want((c.RootAccessKeyID == "") == (c.RootSecretAccessKey == ""), "root-access-key-id", c.RootAccessKeyID, "both root-access-key-id and root-secret-access-key, or neither")
	for _, name := range slices.Sorted(maps.Keys(c.AWS.Endpoints)) {
		want := awscall.Check(c.AWS.Endpoints[name])
		p.want(want == "", "aws.endpoints."+name, c.AWS.Endpoints[name], want)
	}
	for _, arn := range slices.Sorted(maps.Keys(c.Backends.LoadBalancers)) {
		p.want(strings.HasPrefix(arn, "arn:") && strings.Contains(arn, ":elasticloadbalancing:"), "backends.load-balancers", arn, "the ARN of a load balancer or of its listener")
		host, port, err := net.SplitHostPort(c.Backends.LoadBalancers[arn])
		n, perr := strconv.ParseUint(port, 10, 16)
		p.want(err == nil && host != "" && perr == nil && n > 0, "backends.load-balancers."+arn, c.Backends.LoadBalancers[arn], "a host and a port such as 10.0.0.7:8443")
	}
	p.want((c.AWS.AccessKeyID == "") == (c.AWS.SecretAccessKey == ""), "aws.access-key-id", c.AWS.AccessKeyID, "both access-key-id and secret-access-key, or neither")
	p.want(c.AWS.AccessKeyID == "" || c.AWS.Profile == "", "aws.profile", c.AWS.Profile, "a profile or access-key-id, not both")
	p.want(c.Functions.Sandbox == "" || c.Functions.Sandbox == "none", "functions.sandbox", c.Functions.Sandbox, "none, or nothing")
	p.functionRoutes(c.Functions.Routes)
	p.want(c.Quotas == "" || c.Quotas == "aws", "quotas", c.Quotas, "aws, or nothing")
	p.networks("proxy-protocol.http", c.ProxyProtocol.HTTP)
	p.networks("proxy-protocol.https", c.ProxyProtocol.HTTPS)
	p.networks("egress.deny", c.Egress.Deny)
	p.networks("egress.allow-fetch", c.Egress.AllowFetch)
	p.want((c.Firewall.Countries == "") == (c.Firewall.Systems == ""), "firewall.systems", c.Firewall.Systems, "a file where firewall.countries has one, and none where it has none")
	p.firewallLogs(c.Firewall.Logs)
	p.userPools(c.UserPools)
	if u, err := url.Parse(c.ACME.Directory); c.ACME.Directory != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		p.want(false, "acme.directory", c.ACME.Directory, "an https URL")
	}
	p.want(c.ACME.DNSHook == "" || filepath.IsAbs(c.ACME.DNSHook), "acme.dns-hook", c.ACME.DNSHook, "the absolute path of a program")
	p.want((c.ACME.KeyID == "") == (c.ACME.MACKey == ""), "acme.key-id", c.ACME.KeyID, "both acme.key-id and acme.mac-key, or neither")
	p.vpcEndpoints(c.VPCEndpoints)
	p.limits(c.Limits)
	p.want(slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level), "log.level", c.Log.Level, "debug, info, warn or error")
	p.want(slices.Contains([]string{"text", "json"}, c.Log.Format), "log.format", c.Log.Format, "text or json")
	if c.Dev {
		p.dev(c)
	}
	return errors.Join(p...)
}

// problems gathers what is wrong.
type problems []error

func (p *problems) want(ok bool, setting string, found any, want string) {
	if !ok {
		*p = append(*p, fmt.Errorf("configuration: %s: found %q, want %s", setting, fmt.Sprint(found), want))
	}
}

func (p *problems) functionRoutes(routes []FunctionRoute) {
	for i, r := range routes {
		setting := fmt.Sprintf("functions.routes[%d].", i)
		p.want(r.Function != "", setting+"function", r.Function, "a name or an ARN, with * for any text")
		p.want((r.Lambda == "") != (r.HTTP == ""), setting+"lambda", r.Lambda, "exactly one of lambda and http")
		for name, text := range map[string]string{"lambda": r.Lambda, "http": r.HTTP} {
			u, err := url.Parse(text)
			p.want(text == "" || err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "", setting+name, text, "http://… or https://…")
		}
		keys := r.AccessKeyID != "" || r.SecretAccessKey != "" || r.SessionToken != ""
		p.want((r.AccessKeyID == "") == (r.SecretAccessKey == "") && (r.SessionToken == "" || r.AccessKeyID != ""), setting+"access-key-id", r.AccessKeyID,
			"access-key-id and secret-access-key together, or neither")
		p.want(!keys || r.Profile == "", setting+"profile", r.Profile, "none beside access-key-id")
		p.want(r.Lambda != "" || !keys && r.Profile == "" && r.Region == "", setting+"http", r.HTTP, "no region and no credentials with http")
	}
}

func (p *problems) firewallLogs(logs []FirewallLog) {
	seen := map[string]bool{}
	for i, l := range logs {
		setting := fmt.Sprintf("firewall.logs[%d].", i)
		known := strings.HasPrefix(l.Destination, "arn:aws:firehose:") || strings.HasPrefix(l.Destination, "arn:aws:s3:::")
		p.want(known && !seen[l.Destination], setting+"destination", l.Destination, "the ARN of a delivery stream or a bucket, once")
		seen[l.Destination] = true
		set := 0
		for _, to := range []string{l.File, l.URL, l.Group} {
			if to != "" {
				set++
			}
		}
		p.want(set == 1, setting+"file", l.File, "exactly one of file, url and group")
		u, err := url.Parse(l.URL)
		p.want(l.URL == "" || err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "", setting+"url", l.URL, "http://… or https://…")
		p.want(l.Token == "" || l.URL != "", setting+"token", l.Token, "none without url")
	}
}

func (p *problems) address(setting, addr string, mayBeOff bool) {
	if mayBeOff && addr == Off {
		return
	}
	_, port, err := net.SplitHostPort(addr)
	ok := err == nil
	if ok {
		_, err = net.LookupPort("tcp", port)
		ok = err == nil
	}
	want := "host:port"
	if mayBeOff {
		want += " or off"
	}
	p.want(ok, setting, addr, want)
}

func (p *problems) url(setting string, s Secret, schemes ...string) {
	if s == "" {
		return
	}
	u, err := url.Parse(s.Reveal())
	if err != nil || !slices.Contains(schemes, u.Scheme) || u.Host == "" {
		// The value may hold a password: it is not shown.
		*p = append(*p, fmt.Errorf("configuration: %s: want a URL that starts with %s://", setting, strings.Join(schemes, ":// or ")))
	}
}

func (p *problems) networks(setting string, list []string) {
	for _, s := range list {
		_, err := netip.ParsePrefix(s)
		p.want(err == nil, setting, s, "a network such as 10.0.0.0/8")
	}
}

func (p *problems) vpcEndpoints(endpoints []VPCEndpoint) {
	seen := map[string]bool{}
	for i, e := range endpoints {
		at := fmt.Sprintf("vpc-endpoints[%d].", i)
		p.want(isResourceID(e.ID, "vpce-"), at+"id", e.ID, "vpce- with lower-case letters and digits")
		p.want(!seen[e.ID], at+"id", e.ID, "each endpoint once")
		seen[e.ID] = true
		p.want(isResourceID(e.VPC, "vpc-"), at+"vpc", e.VPC, "vpc- with lower-case letters and digits")
		p.address(at+"address", e.Address, false)
		p.networks(at+"proxy-protocol", e.ProxyProtocol)
	}
}

// isResourceID reports whether s is an id with a prefix, such as vpc-0a1b2c3d.
func isResourceID(s, prefix string) bool {
	rest, ok := strings.CutPrefix(s, prefix)
	return ok && rest != "" && strings.Trim(rest, "0123456789abcdefghijklmnopqrstuvwxyz") == ""
}

func (p *problems) userPools(pools []UserPool) {
	seen := map[string]bool{}
	for i, u := range pools {
		at := fmt.Sprintf("user-pools[%d].", i)
		p.want(strings.HasPrefix(u.ARN, "arn:") && strings.Contains(u.ARN, ":userpool/"), at+"arn", u.ARN, "arn:aws:cognito-idp:{region}:{account}:userpool/{id}")
		p.want(!seen[u.ARN], at+"arn", u.ARN, "each pool once")
		seen[u.ARN] = true
		p.want(isWebURL(u.Issuer), at+"issuer", u.Issuer, "a URL that starts with https:// (or http://)")
		p.want(u.KeySet == "" || isWebURL(u.KeySet), at+"key-set", u.KeySet, "a URL that starts with https:// (or http://), or nothing")
		p.want(len(u.Audiences) > 0, at+"audiences", u.Audiences, "at least one audience, or \"*\" for any: an issuer may sign tokens for others too")
		for _, a := range u.Algorithms {
			p.want(slices.Contains(signatureAlgorithms, a), at+"algorithms", a, "one of "+strings.Join(signatureAlgorithms, ", "))
		}
	}
}

// signatureAlgorithms are those of tokens: all have a public key.
var signatureAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

func isWebURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
}

func (p *problems) limits(l Limits) {
	p.want(l.Connections > 0, "limits.connections", l.Connections, "1 or more")
	p.want(l.Memory >= 0, "limits.memory", l.Memory, "0 or more bytes")
	p.want(l.BodyMemory >= 0, "limits.body-memory", l.BodyMemory, "0 or more bytes")
	p.want(l.CacheMemory >= 0, "limits.cache-memory", l.CacheMemory, "0 or more bytes")
	for _, t := range []struct {
		name     string
		got, max time.Duration
	}{
		{"handshake-timeout", l.HandshakeTimeout, 5 * time.Minute},
		{"head-timeout", l.HeadTimeout, 5 * time.Minute},
		{"idle-timeout", l.IdleTimeout, 24 * time.Hour},
		{"drain-timeout", l.DrainTimeout, time.Hour},
		{"integration-timeout", l.IntegrationTimeout, 15 * time.Minute},
	} {
		p.want(t.got > 0 && t.got <= t.max, "limits."+t.name, t.got, "more than 0s, at most "+t.max.String())
	}
}

// dev checks what --dev demands: it takes any credentials, so nobody else may reach it.
func (p *problems) dev(c *Config) {
	for _, a := range []struct{ setting, addr string }{{"control", c.Control}, {"http", c.HTTP}, {"https", c.HTTPS}, {"ops", c.Ops}} {
		if a.addr != "" && a.addr != Off {
			p.want(IsLoopback(a.addr), a.setting, a.addr, "a loopback address, since --dev accepts any credentials")
		}
	}
	for i, e := range c.VPCEndpoints {
		p.want(IsLoopback(e.Address), fmt.Sprintf("vpc-endpoints[%d].address", i), e.Address, "a loopback address, since --dev accepts any credentials")
	}
	p.want(c.Store == "", "store", c.Store, "nothing, since --dev keeps throw-away state in its data folder")
	p.want(c.Counters == "", "counters", c.Counters, "nothing, since --dev counts in memory")
}

// IsLoopback reports whether addr (host:port) can be reached from this machine alone.
func IsLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// Key returns the path of the sealing key.
func (c *Config) Key() string {
	if c.KeyFile != "" {
		return c.KeyFile
	}
	return filepath.Join(c.Data, "sealing.key")
}

func isAccount(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}

func isLabel(s string) bool {
	return s != "" && len(s) <= 63 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func isHost(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return len(s) <= 253
}
