package wafrules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// ParseWebACL reads a web ACL in the JSON of the API, in the form that CreateWebACL
// takes. Members that this package does not evaluate must have been removed; an unknown
// member of a rule is an error, since ignoring it would weaken the rule.
func ParseWebACL(src []byte) (*WebACL, error) {
	acl := new(WebACL)
	return acl, decode(src, acl)
}

// ParseRuleGroup reads a rule group in the JSON of the API.
func ParseRuleGroup(src []byte) (*RuleGroup, error) {
	group := new(RuleGroup)
	return group, decode(src, group)
}

// ParseRules reads a list of rules in the JSON of the API.
func ParseRules(src []byte) ([]Rule, error) {
	var rules []Rule
	return rules, decode(src, &rules)
}

// decode reads exactly one JSON value without unknown members into v.
func decode(src []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(src))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("WAF rules: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return fmt.Errorf("WAF rules: text after the JSON value at offset %d", dec.InputOffset())
	}
	return nil
}
