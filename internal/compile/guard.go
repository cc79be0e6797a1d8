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
	if st.WebACLARN == "" {
		return nil, nil
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

// guardedBy lists the stages whose web ACL is, or refers to, one of the changed documents.
func guardedBy(tx *store.Tx, changed []store.Key) ([]unit, error) {
	touched, err := touchedACLs(tx, changed)
	if err != nil || len(touched) == 0 {
		return nil, err
	}
	var units []unit
	for st, err := range stages.All(tx) {
		if err != nil {
			return nil, err
		}
		if arn, ok := firewall.ParseARN(st.Value.WebACLARN); ok && touched[arn.Scope.Key(model.KindWebACL, arn.ID)] {
			u, _ := unitOf(st.Key)
			units = append(units, u)
		}
	}
	return units, nil
}

// touchedACLs finds the web ACLs among changed documents, and those that refer to one,
// by way of a rule group too.
func touchedACLs(tx *store.Tx, changed []store.Key) (map[store.Key]bool, error) {
	acls := map[store.Key]bool{}
	parts := slices.Clone(changed)
	for _, k := range changed {
		if k.Kind == model.KindWebACL {
			acls[k] = true
		}
	}
	if len(acls) == len(changed) {
		return acls, nil
	}
	for g, err := range firewall.RuleGroups.All(tx) {
		if err != nil {
			return nil, err
		}
		if refersTo(g.Value.Definition, parts) {
			parts = append(parts, g.Key)
		}
	}
	for a, err := range firewall.WebACLs.All(tx) {
		if err != nil {
			return nil, err
		}
		if refersTo(a.Value.Definition, parts) {
			acls[a.Key] = true
		}
	}
	return acls, nil
}

func refersTo(definition json.RawMessage, keys []store.Key) bool {
	return slices.ContainsFunc(firewall.Referred(definition), func(arn string) bool {
		a, ok := firewall.ParseARN(arn)
		return ok && slices.Contains(keys, a.Scope.Key(a.Kind, a.ID))
	})
}
