// Package config holds the operator's configuration: one typed struct, read from a
// strict YAML file, the environment and flags, in this order of increasing weight.
// Every mistake is reported with its place, all of them at once. The struct's comments
// are the reference that docs/configuration.md is generated from.
//
// A Config is not modified after Load; it may be read by any number of goroutines.
package config

//go:generate go run gatehouse/internal/config/generate -out ../../docs/configuration.md

import (
	"net/netip"
	"time"
)

// Config is the whole configuration. A zero field takes the default that its comment
// names.
type Config struct {
	// Data is the folder of the embedded store, the local CA and files that Gatehouse
	// makes. Default: gatehouse-data.
	Data string `yaml:"data" env:"DATA" flag:"data" usage:"folder of the embedded store"`

	// Control is the address of the port that takes AWS management calls.
	// Default: 127.0.0.1:4566.
	Control string `yaml:"control" env:"CONTROL" flag:"control" usage:"address for AWS management calls"`

	// HTTP is the address of the plain data port; "off" closes it. Default: 127.0.0.1:8080.
	HTTP string `yaml:"http" env:"HTTP" flag:"http" usage:"address for plain HTTP requests, or off"`

	// HTTPS is the address of the TLS data port; "off" closes it. Default: 127.0.0.1:8443.
	HTTPS string `yaml:"https" env:"HTTPS" flag:"https" usage:"address for HTTPS requests, or off"`

	// Ops is the address of a port for what others must fetch without credentials:
	// health, readiness and published certificates. Default: none.
	Ops string `yaml:"ops" env:"OPS" flag:"ops" usage:"address for health and published certificates"`

	// Regions are the regions that are served, the first of them by default; calls
	// scoped to another are refused. With --dev every region is served. Default: us-east-1.
	Regions []string `yaml:"regions" env:"REGION" flag:"region" usage:"regions served, separated by commas"`

	// Accounts are the 12-digit account ids, the first of them by default.
	// Default: 000000000000.
	Accounts []string `yaml:"accounts" env:"ACCOUNT" flag:"account" usage:"account ids, separated by commas"`

	// DomainSuffix ends the host names of default endpoints:
	// {api}.execute-api.{region}.{suffix}. Default: localhost.
	DomainSuffix string `yaml:"domain-suffix" env:"DOMAIN_SUFFIX" flag:"domain-suffix" usage:"suffix of default endpoints"`

	// Store is the URL of a PostgreSQL database for clusters; empty means SQLite in the
	// data folder. It may hold a password and is not printed.
	Store Secret `yaml:"store" env:"STORE" flag:"store" usage:"PostgreSQL URL; empty for SQLite in the data folder"`

	// Counters is the URL of a Valkey or Redis (6.2 or later) server that nodes share
	// counters through; empty means counters in memory. It may hold a password.
	Counters Secret `yaml:"counters" env:"COUNTERS" flag:"counters" usage:"Valkey or Redis URL; empty for memory"`

	// Dev runs with throw-away state on loopback: any well-formed credentials are accepted on
	// management calls, and POST /_gatehouse/reset empties everything. Default: false.
	Dev bool `yaml:"dev" env:"DEV" flag:"dev" usage:"throw-away state, loopback only"`

	// KeyFile is the file of the key that seals private keys and secrets, made at the
	// first start with mode 0600. Default: sealing.key in the data folder.
	KeyFile string `yaml:"key-file" env:"KEY_FILE" flag:"key-file" usage:"file of the sealing key"`

	// RootAccessKeyID is the id of the root credentials. Default: those made at the first
	// start.
	RootAccessKeyID string `yaml:"root-access-key-id" env:"ROOT_ACCESS_KEY_ID"`

	// RootSecretAccessKey is the secret that goes with root-access-key-id.
	RootSecretAccessKey Secret `yaml:"root-secret-access-key" env:"ROOT_SECRET_ACCESS_KEY"`

	// ControlInvoke says whether APIs can be invoked through the control port:
	// "auto" (only while it listens on loopback), "on" or "off". Default: auto.
	ControlInvoke string `yaml:"control-invoke" env:"CONTROL_INVOKE" flag:"control-invoke" usage:"invoke through the control port: auto, on, off"`

	// ControlHosts are further host names under which the control port may be called,
	// beside its address, localhost and the default endpoints of APIs.
	ControlHosts []string `yaml:"control-hosts" env:"CONTROL_HOSTS"`

	// MetricsToken lets /_gatehouse/metrics be read from elsewhere than loopback, as
	// a bearer token. Default: none.
	MetricsToken Secret `yaml:"metrics-token" env:"METRICS_TOKEN"`

	// PlainDomains serves custom domain names on the plain port too. Domain names with
	// mutual TLS are never served there. Default: false.
	PlainDomains bool `yaml:"plain-domains" env:"PLAIN_DOMAINS"`

	// ProxyProtocol lists, for each data port, the networks whose connections must start
	// with a PROXY protocol header; from other networks such a header is refused.
	ProxyProtocol ProxyProtocol `yaml:"proxy-protocol"`

	// VPCEndpoints are listeners that stand for interface VPC endpoints: private APIs are
	// reached through them alone, and they lead to private APIs alone. Each has id
	// ("vpce-…"), vpc ("vpc-…"), address (host:port, HTTPS), policy (a file with the endpoint's
	// policy; without one everything is allowed) and proxy-protocol (as for the data ports).
	// Default: none.
	VPCEndpoints []VPCEndpoint `yaml:"vpc-endpoints"`

	// Egress rules where integrations and fetches may connect to.
	Egress Egress `yaml:"egress"`

	// Backends says how integrations talk with backends.
	Backends Backends `yaml:"backends"`

	// AWS says where integrations of type AWS go, and with which keys.
	AWS AWS `yaml:"aws"`

	// Functions says how Lambda functions are run.
	Functions Functions `yaml:"functions"`

	// UserPools maps user pools to OpenID Connect issuers (Keycloak, Auth0, Dex) that verify
	// their tokens instead of Cognito: a list of arn (as authorizers name the pool), issuer
	// (the claim iss), key-set (address of its keys; without it, found through the issuer's
	// openid-configuration), audiences (of which a token must have one as aud or client_id;
	// "*" for any) and algorithms (default RS256). Read when Gatehouse starts. Default: none.
	UserPools []UserPool `yaml:"user-pools"`

	// Firewall gives web ACLs what they need to know about addresses.
	Firewall Firewall `yaml:"firewall"`

	// LegacyTLS lets domain names with the security policy TLS_1_0 negotiate TLS 1.0 and 1.1.
	// They are broken (RFC 8996): only for clients that cannot be replaced. Default: false.
	LegacyTLS bool `yaml:"legacy-tls" env:"LEGACY_TLS"`

	// ACME names the server that issues what RequestCertificate asks for. Default: none, the
	// local CA issues.
	ACME ACME `yaml:"acme"`

	// Limits bound what clients can take.
	Limits Limits `yaml:"limits"`

	// Log configures the service log.
	Log Log `yaml:"log"`

	// Quotas set to "aws" restores AWS's quotas on traffic: on the requests of an
	// account in a region (10,000 in a second) and on streams (2 MB/s after their first 10 MB).
	// Default: unlimited.
	Quotas string `yaml:"quotas" env:"QUOTAS"`
}

// A VPCEndpoint is a listener that stands for an interface VPC endpoint.
type VPCEndpoint struct {
	ID            string   `yaml:"id"`
	VPC           string   `yaml:"vpc"`
	Address       string   `yaml:"address"`
	Policy        string   `yaml:"policy"`
	ProxyProtocol []string `yaml:"proxy-protocol"`
}

// ProxyProtocol lists the networks, in CIDR form, that speak the PROXY protocol.
type ProxyProtocol struct {
	HTTP  []string `yaml:"http"`
	HTTPS []string `yaml:"https"`
}

// Egress rules outgoing connections. Our own control and operations ports, the store, the
// counters, link-local addresses and others of cloud metadata are always refused.
type Egress struct {
	// Deny lists networks, in CIDR form, that nothing may reach: integrations, functions and
	// fetches.
	Deny []string `yaml:"deny"`

	// AllowFetch lists private or loopback networks that addresses taken from foreign
	// input (certificates, tokens) may point to. Default: none.
	AllowFetch []string `yaml:"allow-fetch"`
}

// Backends says how integrations talk with backends.
type Backends struct {
	// CABundle is a PEM file of the authorities that HTTPS backends are held to, instead of
	// the system's. It is read when Gatehouse starts. Default: the system's.
	CABundle string `yaml:"ca-bundle" env:"BACKENDS_CA_BUNDLE"`

	// LoadBalancers says where the load balancers are that VPC links lead to: a host and a port
	// ("10.0.0.7:8443") by the ARN of the load balancer or of its listener, as it stands in an
	// integration's integrationTarget or a link's targetArns. Default: the link's tag
	// gatehouse:target says it, or else the host of the integration's URI is called.
	LoadBalancers map[string]string `yaml:"load-balancers"`
}

// AWS says where integrations of type AWS go, and with which keys.
type AWS struct {
	// Endpoints are URLs by service, as integration URIs name it ("sqs", "runtime.sagemaker"),
	// with "*" for all others; {service} and {region} are replaced in them, and "gatehouse"
	// means Gatehouse itself. Calls there are signed with keys that Gatehouse's own STS made
	// for the integration's role. Default: Gatehouse itself for the services that it serves,
	// s3 among them, and AWS for all others.
	Endpoints map[string]string `yaml:"endpoints"`

	// Profile names the profile in AWS's configuration files, with whose keys the roles of integrations
	// are assumed at AWS, for calls to AWS's own endpoints. Default: what AWS's usual chain
	// of credentials finds.
	Profile string `yaml:"profile" env:"AWS_INTEGRATIONS_PROFILE"`

	// AccessKeyID is the id of such keys, instead of a profile.
	AccessKeyID string `yaml:"access-key-id"`

	// SecretAccessKey is the secret that goes with access-key-id.
	SecretAccessKey Secret `yaml:"secret-access-key"`

	// SessionToken goes with keys that are temporary. Default: none.
	SessionToken Secret `yaml:"session-token"`
}

// Functions says how Lambda functions are run.
type Functions struct {
	// Sandbox is "" to run functions contained or not at all, or "none" to run them with the
	// server's own rights: they can then read its data, its keys and its memory. --dev does
	// so where functions cannot be contained. Default: contained.
	Sandbox string `yaml:"sandbox" env:"FUNCTIONS_SANDBOX"`

	// Cgroup is the folder of a control group (version 2) that Gatehouse may make others in,
	// one for each process of a function: "/sys/fs/cgroup/gatehouse". Default: the group that
	// Gatehouse runs in when that was delegated to it, as systemd does with Delegate=yes; else none.
	Cgroup string `yaml:"cgroup" env:"FUNCTIONS_CGROUP"`

	// Interpreters are paths by runtime ("nodejs22.x: /opt/node22/bin/node"), for those
	// that PATH does not lead to.
	Interpreters map[string]string `yaml:"interpreters"`

	// Routes lists functions that run elsewhere when an API calls them; the first that fits is
	// taken. Each has function (a pattern for names, or for ARNs when it begins with arn:, with
	// * for any text) and one of lambda (the URL of an AWS Lambda endpoint) and http (the URL
	// of a service that takes events as POST requests and answers with the function's
	// result). Calls to lambda are signed for region (default: that of the function's ARN)
	// with access-key-id, secret-access-key and session-token, or as profile of the AWS
	// configuration files, or else with what AWS's usual chain of credentials finds. The
	// route stands in for the function's own policy: credentials of an integration or
	// authorizer are judged as ever. Default: none.
	Routes []FunctionRoute `yaml:"routes"`
}

// A FunctionRoute says where functions run; exactly one of Lambda and HTTP is set.
type FunctionRoute struct {
	Function string `yaml:"function"`
	Lambda   string `yaml:"lambda"`
	HTTP     string `yaml:"http"`

	Region          string `yaml:"region"`
	Profile         string `yaml:"profile"`
	AccessKeyID     string `yaml:"access-key-id"`
	SecretAccessKey Secret `yaml:"secret-access-key"`
	SessionToken    Secret `yaml:"session-token"`
}

// A UserPool is a user pool whose tokens an OpenID Connect issuer signs.
type UserPool struct {
	ARN        string   `yaml:"arn"`
	Issuer     string   `yaml:"issuer"`
	KeySet     string   `yaml:"key-set"`
	Audiences  []string `yaml:"audiences"`
	Algorithms []string `yaml:"algorithms"`
}

// ACME says which server issues certificates (RFC 8555). Names are validated by http-01 on
// the http port or tls-alpn-01 on the https port, which the server must reach as ports 80 and
// 443 of the names. Using a server is agreeing to its terms of service.
type ACME struct {
	// Directory is the URL of the server's directory, https. Default: none.
	Directory string `yaml:"directory" env:"ACME_DIRECTORY"`

	// Email is the contact that the server may write to. Default: none.
	Email string `yaml:"email" env:"ACME_EMAIL"`

	// CAFile has the certificates, PEM, that the server's own may chain to. Default: the
	// system's.
	CAFile string `yaml:"ca-file" env:"ACME_CA_FILE"`

	// KeyID binds the account to one at the server's operator (external account binding).
	// Default: none.
	KeyID string `yaml:"key-id" env:"ACME_KEY_ID"`

	// MACKey is the key that goes with key-id, in base64url.
	MACKey Secret `yaml:"mac-key" env:"ACME_MAC_KEY"`

	// DNSHook is a program that writes DNS records: all names, wildcards too, are then validated
	// by dns-01 alone. It is run as "PROGRAM present _acme-challenge.NAME VALUE" to put a TXT
	// record in place, and with "cleanup" to take it away; it ends with status 0 once that can be seen,
	// within five minutes. It gets the environment without GATEHOUSE_…. Default: none.
	DNSHook string `yaml:"dns-hook" env:"ACME_DNS_HOOK"`
}

// Firewall gives web ACLs what they need to know about addresses. Rules that need what is
// not there are refused, and managed groups without lists are not offered. All files are
// read when Gatehouse starts.
type Firewall struct {
	// Countries is a database of countries or cities in MaxMind's format; it needs systems
	// beside it. Default: none.
	Countries string `yaml:"countries" env:"FIREWALL_COUNTRIES"`

	// Systems is a database of autonomous systems in MaxMind's format; it needs countries
	// beside it. Default: none.
	Systems string `yaml:"systems" env:"FIREWALL_SYSTEMS"`

	// Reputation, Reconnaissance and DDoS are lists of networks for
	// AWSManagedRulesAmazonIpReputationList: text files with one CIDR or address in a line,
	// and comments after "#". Default: none.
	Reputation     string `yaml:"reputation"`
	Reconnaissance string `yaml:"reconnaissance"`
	DDoS           string `yaml:"ddos"`

	// Anonymous and Hosting are the same for AWSManagedRulesAnonymousIpList: networks of
	// anonymising services and of hosting providers. Default: none.
	Anonymous string `yaml:"anonymous"`
	Hosting   string `yaml:"hosting"`

	// Bots is a list of the networks of robots for AWSManagedRulesBotControlRuleSet: a text
	// file with a CIDR or address and a word of the robot's User-Agent in each line
	// ("66.249.64.0/19 googlebot"). A robot from elsewhere, or without a line, counts as
	// unverified. Default: none.
	Bots string `yaml:"bots"`

	// Logs says where the logs of web ACLs go whose destination is a delivery stream or a
	// bucket: a list of destination (the ARN) with one of file (a path: lines are appended),
	// url (a collector that takes POST requests with a JSON record in each line) with token
	// (sent as bearer token), or group (the name of a log group). What is logged to other
	// delivery streams and buckets is dropped, with a warning. Default: none.
	Logs []FirewallLog `yaml:"logs"`

	// ExplainLogs adds to each log record the member explanation: which statement matched
	// which bytes of what, with the bytes as a hash. Default: false.
	ExplainLogs bool `yaml:"explain-logs" env:"FIREWALL_EXPLAIN_LOGS"`
}

// A FirewallLog maps one destination; exactly one of File, URL and Group is set.
type FirewallLog struct {
	Destination string `yaml:"destination"`
	File        string `yaml:"file"`
	URL         string `yaml:"url"`
	Token       Secret `yaml:"token"`
	Group       string `yaml:"group"`
}

// Limits bound what clients can take. Zero means the default.
type Limits struct {
	// Connections is the number of client connections of each data port. Default: 100000.
	Connections int `yaml:"connections"`

	// HandshakeTimeout bounds the TLS handshake. Default: 10s.
	HandshakeTimeout time.Duration `yaml:"handshake-timeout"`

	// HeadTimeout bounds the time from the first byte of a request to the end of its
	// header. Default: 10s.
	HeadTimeout time.Duration `yaml:"head-timeout"`

	// IdleTimeout closes keep-alive connections without a request. Default: 310s, as AWS.
	IdleTimeout time.Duration `yaml:"idle-timeout"`

	// DrainTimeout bounds how long open requests may take after SIGTERM. Default: 30s.
	DrainTimeout time.Duration `yaml:"drain-timeout"`

	// IntegrationTimeout is the largest timeoutInMillis that an integration may have.
	// Default: 29s, as AWS; at most 15m.
	IntegrationTimeout time.Duration `yaml:"integration-timeout"`

	// CacheMemory is how many bytes the response caches of all stages may take together,
	// whatever the sizes of their clusters; what was not used for longest goes first.
	// Default: 512 MiB.
	CacheMemory int64 `yaml:"cache-memory"`

	// BodyMemory is how many bytes of bodies the data ports hold in memory together, beyond
	// 64 KiB of each request and answer; what passes through unchanged (HTTP_PROXY, streams)
	// does not count. A request that needs more is answered 503. Default: an eighth of
	// limits.memory.
	BodyMemory int64 `yaml:"body-memory"`

	// Memory is the soft limit of the process, as GOMEMLIMIT, in bytes. Default: three quarters
	// of the memory of the machine, or of the control group that the process is in.
	Memory int64 `yaml:"memory"`
}

// Log configures the service log, which goes to standard error.
type Log struct {
	// Level is the least level written: debug, info, warn or error. Default: info.
	Level string `yaml:"level" env:"LOG_LEVEL"`

	// Format is text or json. Default: text.
	Format string `yaml:"format" env:"LOG_FORMAT"`
}

// Region returns the default region.
func (c *Config) Region() string { return c.Regions[0] }

// Account returns the default account.
func (c *Config) Account() string { return c.Accounts[0] }

// Secret is a string that does not print.
type Secret string

// String hides the value.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "(hidden)"
}

// GoString hides the value.
func (s Secret) GoString() string { return s.String() }

// MarshalText hides the value, also from JSON and slog.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal returns the value.
func (s Secret) Reveal() string { return string(s) }

// Defaults returns a Config with every default in place.
func Defaults() *Config {
	return &Config{
		Data:          "gatehouse-data",
		Control:       "127.0.0.1:4566",
		HTTP:          "127.0.0.1:8080",
		HTTPS:         "127.0.0.1:8443",
		Regions:       []string{"us-east-1"},
		Accounts:      []string{"000000000000"},
		DomainSuffix:  "localhost",
		ControlInvoke: "auto",
		Limits: Limits{
			Connections:        100_000,
			HandshakeTimeout:   10 * time.Second,
			HeadTimeout:        10 * time.Second,
			IdleTimeout:        310 * time.Second,
			DrainTimeout:       30 * time.Second,
			IntegrationTimeout: 29 * time.Second,
			CacheMemory:        512 << 20,
		},
		Log: Log{Level: "info", Format: "text"},
	}
}

// MemoryLimit is limits.memory or its default; 0 when how much memory there is cannot be told.
func (c *Config) MemoryLimit() int64 {
	if c.Limits.Memory > 0 {
		return c.Limits.Memory
	}
	return machineMemory("/") / 4 * 3
}

// BodyMemory is limits.body-memory or its default; 0, no bound, when it cannot be told.
func (c *Config) BodyMemory() int64 {
	if c.Limits.BodyMemory > 0 {
		return c.Limits.BodyMemory
	}
	return c.MemoryLimit() / 8
}

// Networks parses a list of networks that Check has accepted.
func (c *Config) Networks(list []string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		if p, err := netip.ParsePrefix(s); err == nil {
			out = append(out, p.Masked())
		}
	}
	return out
}
