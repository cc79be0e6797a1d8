package model

import "encoding/json"

// The kinds of WAFv2 documents. Their ids are the UUIDs of the API.
const (
	KindWebACL          Kind = "webacl"          // WebACL
	KindRuleGroup       Kind = "rulegroup"       // RuleGroup
	KindIPSet           Kind = "ipset"           // IPSet
	KindRegexPatternSet Kind = "regexpatternset" // RegexPatternSet
	KindFirewallKey     Kind = "firewallkey"     // FirewallKey, id is a hash of the key
)

// FirewallItem is what the WAFv2 documents have in common.
type FirewallItem struct {
	Name        string            `json:"name"` // unique among the account's and region's documents of the kind
	ID          string            `json:"id"`
	ARN         string            `json:"arn"`
	Description string            `json:"description,omitempty"`
	LockToken   string            `json:"lockToken"` // another one after each update
	Tags        map[string]string `json:"tags,omitempty"`
}

// WebACL is a web ACL of WAFv2. Which stages use it is recorded with the stages.
type WebACL struct {
	FirewallItem
	// Definition is the part that is evaluated, in the API's JSON: DefaultAction, Rules and
	// so on, as package wafrules parses it.
	Definition json.RawMessage `json:"definition"`
	// Extra is the rest of what the API takes, in its JSON: DataProtectionConfig and
	// settings that concern other services.
	Extra    json.RawMessage `json:"extra,omitempty"`
	Capacity int64           `json:"capacity"` // capacity units in use
	// Logging is the LoggingConfiguration in the API's JSON; nil when there is none.
	Logging json.RawMessage `json:"logging,omitempty"`
}

// RuleGroup is a rule group of WAFv2.
type RuleGroup struct {
	FirewallItem
	Definition json.RawMessage `json:"definition"` // Capacity, Rules and so on, in the API's JSON
	Policy     string          `json:"policy,omitempty"`
}

// IPSet is an IP set of WAFv2.
type IPSet struct {
	FirewallItem
	Version   string   `json:"version"` // IPV4 or IPV6
	Addresses []string `json:"addresses"`
}

// RegexPatternSet is a regex pattern set of WAFv2.
type RegexPatternSet struct {
	FirewallItem
	Patterns []string `json:"patterns"`
}

// FirewallKey is an API key for the integration of CAPTCHA puzzles.
type FirewallKey struct {
	Key          string   `json:"key"`
	TokenDomains []string `json:"tokenDomains"`
}
