package compile

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/gateway/inspect"
	"gatehouse/internal/lang/wafrules/record"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

func TestLoggingOfWebACLs(t *testing.T) {
	const src = `{"ResourceArn":"arn:x","LogDestinationConfigs":["arn:aws:logs:r:a:log-group:aws-waf-logs-x"],
		"RedactedFields":[{"SingleHeader":{"Name":"authorization"}},{"QueryString":{}},{"UriPath":{}},{"Method":{}}],
		"LoggingFilter":{"DefaultBehavior":"DROP","Filters":[
			{"Behavior":"KEEP","Requirement":"MEETS_ANY","Conditions":[{"ActionCondition":{"Action":"BLOCK"}},{"LabelNameCondition":{"LabelName":"awswaf:a:b"}}]},
			{"Behavior":"DROP","Requirement":"MEETS_ALL","Conditions":[{"ActionCondition":{"Action":"COUNT"}}]}]}}`
	got, err := logging(json.RawMessage(src))
	if err != nil {
		t.Fatal(err)
	}
	want := &inspect.Logging{
		Destination: "arn:aws:logs:r:a:log-group:aws-waf-logs-x",
		Redaction:   record.Redaction{Headers: []string{"authorization"}, Query: true, URIPath: true, HTTPVerb: true},
		Filter: &record.Filter{Drop: true, Rules: []record.FilterRule{
			{Any: true, Conditions: []record.FilterCondition{{Action: "BLOCK"}, {Label: "awswaf:a:b"}}},
			{Drop: true, Conditions: []record.FilterCondition{{Action: "COUNT"}}},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, bad := range []string{`{`, `{"LogDestinationConfigs":[]}`, `{"LogDestinationConfigs":["a","b"]}`} {
		if got, err := logging(json.RawMessage(bad)); err == nil {
			t.Errorf("%s: %+v", bad, got)
		}
	}
}

func TestProtectionsOfWebACLs(t *testing.T) {
	const src = `{"DataProtectionConfig":{"DataProtections":[
		{"Field":{"FieldType":"SINGLE_COOKIE","FieldKeys":["sid"]},"Action":"HASH","ExcludeRateBasedDetails":true},
		{"Field":{"FieldType":"BODY"},"Action":"SUBSTITUTION","ExcludeRuleMatchDetails":true}]}}`
	got, err := protections(json.RawMessage(src))
	if err != nil {
		t.Fatal(err)
	}
	want := []record.Protection{{Type: "SINGLE_COOKIE", Keys: []string{"sid"}, Hash: true, ExcludeRateBasedDetails: true}, {Type: "BODY", ExcludeRuleMatchDetails: true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, err := protections(nil); got != nil || err != nil {
		t.Errorf("of nothing: %v, %v", got, err)
	}
}

// A stage follows the set that its web ACL reaches only through a rule group, and no other.
func TestGuardedStagesFollowWhatTheirWebACLIsMadeOf(t *testing.T) {
	st, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	in := store.Scope{Account: "000000000000", Region: "us-east-1"}
	arn := func(kind, id string) string {
		return "arn:aws:wafv2:us-east-1:000000000000:regional/" + kind + "/n/" + id
	}
	refers := func(to string) json.RawMessage {
		return json.RawMessage(`{"Rules":[{"Statement":{"X":{"ARN":"` + to + `"}}}]}`)
	}
	if _, err := st.Update(t.Context(), func(tx *store.Tx) error {
		for _, put := range []error{
			store.Collection[model.IPSet]{Kind: model.KindIPSet}.Put(tx, in, "set", model.IPSet{}),
			store.Collection[model.RuleGroup]{Kind: model.KindRuleGroup}.Put(tx, in, "group", model.RuleGroup{Definition: refers(arn("ipset", "set"))}),
			store.Collection[model.WebACL]{Kind: model.KindWebACL}.Put(tx, in, "through", model.WebACL{Definition: refers(arn("rulegroup", "group"))}),
			store.Collection[model.WebACL]{Kind: model.KindWebACL}.Put(tx, in, "apart", model.WebACL{Definition: json.RawMessage(`{}`)}),
		} {
			if put != nil {
				return put
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var c Compiler
	if err := st.View(t.Context(), func(tx *store.Tx) error {
		for name, acl := range map[string]string{"one": arn("webacl", "through"), "two": arn("webacl", "apart"), "three": "", "four": arn("webacl", "none")} {
			if err := c.noteGuard(tx, unit{kind: stageUnit, id: name}, acl); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for changed, want := range map[store.Key]string{
		in.Key(model.KindIPSet, "set"): "one", in.Key(model.KindRuleGroup, "group"): "one", in.Key(model.KindWebACL, "through"): "one",
		in.Key(model.KindWebACL, "apart"): "two", in.Key(model.KindIPSet, "other"): "", in.Key(model.KindWebACL, "none"): "four",
	} {
		got := ""
		for _, u := range c.guardedBy([]store.Key{changed}) {
			got += u.id
		}
		if got != want {
			t.Errorf("%s changed: stages %q, want %q", changed, got, want)
		}
	}
	// A stage that does not compile is tried again, and one without a web ACL follows none.
	c.problems = map[unit]Problem{{kind: stageUnit, id: "broken"}: {}}
	if err := c.noteGuard(nil, unit{kind: stageUnit, id: "one"}, ""); err != nil {
		t.Fatal(err)
	}
	if got := c.guardedBy([]store.Key{in.Key(model.KindIPSet, "set")}); len(got) != 1 || got[0].id != "broken" {
		t.Errorf("stages %v, want the broken one", got)
	}
}
