package compile

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"gatehouse/internal/firewall"
	"gatehouse/internal/gateway/inspect"
	"gatehouse/internal/lang/wafrules"
	"gatehouse/internal/lang/wafrules/record"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// Firewall is what web ACLs are compiled with.
type Firewall struct {
	Compiler  *firewall.Compiler
	Geography wafrules.Geography // nil without a database
	Recorder  inspect.Recorder   // nil forgets what the firewall sees
	// ExplainKey, when not nil, makes log records tell what matched: see inspect.Logging.
	ExplainKey []byte
}

// guard compiles the web ACL of a stage; nil when it has none.
func (c *Compiler) guard(tx *store.Tx, u unit, st model.Stage) (*inspect.Guard, error) {
	if err := c.noteGuard(tx, u, st.WebACLARN); err != nil || st.WebACLARN == "" {
		return nil, err
	}
	if c.Firewall.Compiler == nil {
		return nil, compileError{errors.New("web ACLs are not offered")}
	}
	acl, err := c.Firewall.Compiler.Compile(tx, st.WebACLARN)
	if errors.Is(err, store.ErrNotFound) {
		return nil, compileError{fmt.Errorf("web ACL %s is not there", st.WebACLARN)}
	}
	if err != nil {
		return nil, compileError{err}
	}
	arn, _ := firewall.ParseARN(st.WebACLARN)
	doc, err := firewall.WebACLs.Get(tx, arn.Scope, arn.ID)
	if err != nil {
		return nil, err
	}
	g := &inspect.Guard{ACL: acl, Source: u.account + ":" + u.api + ":" + u.id, Account: u.account,
		Geography: c.Firewall.Geography, Recorder: c.Firewall.Recorder}
	if err := describeGuard(g, &doc); err != nil {
		return nil, compileError{fmt.Errorf("%s: %w", st.WebACLARN, err)}
	}
	if g.Logging != nil {
		g.Logging.ExplainKey = c.Firewall.ExplainKey
	}
	return g, nil
}

// describeGuard adds what a web ACL says about samples and logs.
func describeGuard(g *inspect.Guard, doc *model.WebACL) error {
	definition, err := wafrules.ParseWebACL(doc.Definition)
	if err != nil {
		return err
	}
	g.Metric = definition.VisibilityConfig.MetricName
	if g.Protections, err = protections(doc.Extra); err != nil || doc.Logging == nil {
		return err
	}
	g.Logging, err = logging(doc.Logging)
	return err
}

// protections reads DataProtectionConfig in the API's JSON.
func protections(extra json.RawMessage) ([]record.Protection, error) {
	var in struct {
		DataProtectionConfig struct {
			DataProtections []struct {
				Field struct {
					FieldType string
					FieldKeys []string
				}
				Action                                           string
				ExcludeRuleMatchDetails, ExcludeRateBasedDetails bool
			}
		}
	}
	if len(extra) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(extra, &in); err != nil {
		return nil, fmt.Errorf("data protection: %w", err)
	}
	var out []record.Protection
	for _, p := range in.DataProtectionConfig.DataProtections {
		out = append(out, record.Protection{Type: p.Field.FieldType, Keys: p.Field.FieldKeys, Hash: p.Action == "HASH",
			ExcludeRuleMatchDetails: p.ExcludeRuleMatchDetails, ExcludeRateBasedDetails: p.ExcludeRateBasedDetails})
	}
	return out, nil
}

// logging reads LoggingConfiguration in the API's JSON.
func logging(src json.RawMessage) (*inspect.Logging, error) {
	var in struct {
		LogDestinationConfigs []string
		RedactedFields        []struct {
			SingleHeader                 *struct{ Name string }
			UriPath, QueryString, Method *struct{}
		}
		LoggingFilter *struct {
			DefaultBehavior string
			Filters         []struct {
				Behavior, Requirement string
				Conditions            []struct {
					ActionCondition    struct{ Action string }
					LabelNameCondition struct{ LabelName string }
				}
			}
		}
	}
	if err := json.Unmarshal(src, &in); err != nil {
		return nil, fmt.Errorf("logging: %w", err)
	}
	if len(in.LogDestinationConfigs) != 1 {
		return nil, fmt.Errorf("logging: %d destinations, want one", len(in.LogDestinationConfigs))
	}
	out := &inspect.Logging{Destination: in.LogDestinationConfigs[0]}
	for _, f := range in.RedactedFields {
		switch {
		case f.SingleHeader != nil:
			out.Redaction.Headers = append(out.Redaction.Headers, f.SingleHeader.Name)
		case f.UriPath != nil:
			out.Redaction.URIPath = true
		case f.QueryString != nil:
			out.Redaction.Query = true
		case f.Method != nil:
			out.Redaction.HTTPVerb = true
		}
	}
	if in.LoggingFilter == nil {
		return out, nil
	}
	out.Filter = &record.Filter{Drop: in.LoggingFilter.DefaultBehavior == "DROP"}
	for _, f := range in.LoggingFilter.Filters {
		rule := record.FilterRule{Drop: f.Behavior == "DROP", Any: f.Requirement == "MEETS_ANY"}
		for _, cond := range f.Conditions {
			rule.Conditions = append(rule.Conditions, record.FilterCondition{Action: cond.ActionCondition.Action, Label: cond.LabelNameCondition.LabelName})
		}
		out.Filter.Rules = append(out.Filter.Rules, rule)
	}
	return out, nil
}

// firewallKinds are the documents that web ACLs are made of.
var firewallKinds = []model.Kind{model.KindWebACL, model.KindRuleGroup, model.KindIPSet, model.KindRegexPatternSet}

// guardedBy lists the stages whose web ACL is, or is made of, one of the changed documents.
// Stages that do not compile are tried again with every such change: it may be what they
// wait for.
func (c *Compiler) guardedBy(changed []store.Key) []unit {
	if len(changed) == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var units []unit
	for u := range c.problems {
		if u.kind == stageUnit {
			units = append(units, u)
		}
	}
	for u, parts := range c.guards {
		if slices.ContainsFunc(parts, func(k store.Key) bool { return slices.Contains(changed, k) }) {
			units = append(units, u)
		}
	}
	return units
}

// noteGuard remembers what the web ACL of a stage is made of. A stage follows what it was
// compiled with, whether that succeeded or not.
func (c *Compiler) noteGuard(tx *store.Tx, u unit, arn string) error {
	var parts []store.Key
	if arn != "" {
		var err error
		if parts, err = madeOf(tx, nil, arn); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if parts == nil {
		delete(c.guards, u)
		return nil
	}
	if c.guards == nil {
		c.guards = map[unit][]store.Key{}
	}
	c.guards[u] = parts
	return nil
}

// madeOf appends the documents that a web ACL, group or set is made of, itself first,
// whether they are there or not.
func madeOf(tx *store.Tx, parts []store.Key, arn string) ([]store.Key, error) {
	a, ok := firewall.ParseARN(arn)
	if !ok {
		return parts, nil // it does not compile, which says why
	}
	parts = append(parts, a.Scope.Key(model.Kind(a.Kind), a.ID))
	var definition json.RawMessage
	switch a.Kind {
	case model.KindWebACL:
		acl, err := firewall.WebACLs.Get(tx, a.Scope, a.ID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		definition = acl.Definition
	case model.KindRuleGroup:
		group, err := firewall.RuleGroups.Get(tx, a.Scope, a.ID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		definition = group.Definition
	}
	for _, ref := range firewall.Referred(definition) {
		var err error
		if parts, err = madeOf(tx, parts, ref); err != nil {
			return nil, err
		}
	}
	return parts, nil
}
