// Package firewall connects stored WAFv2 documents with the rules engine: it finds what rules
// refer to, and makes web ACLs executable.
//
// The control plane validates rules against References; the plan compiler makes ACLs with a
// Compiler. Both read the store within a transaction of their caller. A Compiler is safe for
// concurrent use; References belong to their transaction.
package firewall

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"gatehouse/internal/lang/wafrules"
	"gatehouse/internal/lang/wafrules/managed"
	"gatehouse/internal/model"
	"gatehouse/internal/store"
)

// The WAFv2 documents.
var (
	WebACLs          = store.Collection[model.WebACL]{Kind: model.KindWebACL}
	RuleGroups       = store.Collection[model.RuleGroup]{Kind: model.KindRuleGroup}
	IPSets           = store.Collection[model.IPSet]{Kind: model.KindIPSet}
	RegexPatternSets = store.Collection[model.RegexPatternSet]{Kind: model.KindRegexPatternSet}
)

// Environment is what all web ACLs share.
type Environment struct {
	Catalog   *managed.Catalog
	Geography wafrules.Geography    // nil without a database
	Counters  wafrules.RateCounters // may be nil where nothing is evaluated
}

// An ARN of WAFv2 in its parts.
type ARN struct {
	Scope store.Scope
	Kind  string // "webacl", "rulegroup", "ipset", "regexpatternset"
	Name  string
	ID    string
}

// ParseARN splits the ARN of a regional WAFv2 resource.
func ParseARN(s string) (ARN, bool) {
	a, ok := model.ParseARN(s)
	p := strings.Split(a.Resource, "/")
	if !ok || a.Service != "wafv2" || len(p) != 4 || p[0] != "regional" {
		return ARN{}, false
	}
	return ARN{store.Scope{Account: a.Account, Region: a.Region}, p[1], p[2], p[3]}, true
}

// References finds, in one transaction, what rules refer to. It compiles each set and
// group at most once.
type References struct {
	tx    *store.Tx
	env   Environment
	home  store.Scope // whose rules these are; what belongs to others is not found
	cache *cache
	// Err is the first failure of the store; what failed is reported as absent.
	Err error
}

// NewReferences returns the References of a transaction, for rules of an account and region.
func NewReferences(tx *store.Tx, env Environment, home store.Scope) *References {
	return &References{tx: tx, env: env, home: home, cache: newCache()}
}

// find loads the document that an ARN of the given kind names, nil when there is none. own
// returns a document's own ARN: one with the right id and another name is no reference, for
// nobody would see that the document is in use.
func find[T any](r *References, c store.Collection[T], arn string, own func(*T) string) *store.Item[T] {
	a, ok := ParseARN(arn)
	if !ok || a.Kind != c.Kind || a.Scope != r.home {
		return nil
	}
	item, err := c.Item(r.tx, a.Scope, a.ID)
	if err != nil {
		if !errors.Is(err, store.ErrNotFound) && r.Err == nil {
			r.Err = err
		}
		return nil
	}
	if own(&item.Value) != arn {
		return nil
	}
	return &item
}

func ipSetARN(v *model.IPSet) string                { return v.ARN }
func patternSetARN(v *model.RegexPatternSet) string { return v.ARN }
func ruleGroupARN(v *model.RuleGroup) string        { return v.ARN }

// IPSet implements wafrules.References.
func (r *References) IPSet(arn string) *wafrules.IPSet {
	item := find(r, IPSets, arn, ipSetARN)
	if item == nil {
		return nil
	}
	return cached(r, arn, item.Revision, func() (*wafrules.IPSet, error) { return wafrules.ParseIPSet(item.Value.Addresses) })
}

// RegexPatternSet implements wafrules.References.
func (r *References) RegexPatternSet(arn string) *wafrules.RegexPatternSet {
	item := find(r, RegexPatternSets, arn, patternSetARN)
	if item == nil {
		return nil
	}
	return cached(r, arn, item.Revision, func() (*wafrules.RegexPatternSet, error) {
		return wafrules.NewRegexPatternSet(item.Value.Patterns)
	})
}

// RuleGroup implements wafrules.References. A group is compiled anew when a set that it
// refers to has changed.
func (r *References) RuleGroup(arn string) *wafrules.Group {
	item := find(r, RuleGroups, arn, ruleGroupARN)
	if item == nil {
		return nil
	}
	revision := item.Revision
	for _, ref := range Referred(item.Value.Definition) {
		revision = max(revision, r.revision(ref))
	}
	return cached(r, arn, revision, func() (*wafrules.Group, error) {
		group, err := wafrules.ParseRuleGroup(item.Value.Definition)
		if err != nil {
			return nil, err
		}
		a, _ := ParseARN(arn)
		return wafrules.CompileGroup(group, wafrules.Identity{ARN: arn, Account: a.Scope.Account, Name: item.Value.Name}, r)
	})
}

func (r *References) revision(arn string) int64 {
	if item := find(r, IPSets, arn, ipSetARN); item != nil {
		return item.Revision
	}
	if item := find(r, RegexPatternSets, arn, patternSetARN); item != nil {
		return item.Revision
	}
	return 0
}

// ManagedGroup implements wafrules.References.
func (r *References) ManagedGroup(vendor, name, version string) (*wafrules.Group, error) {
	return r.env.Catalog.Group(vendor, name, version)
}

// HasGeography implements wafrules.References.
func (r *References) HasGeography() bool { return r.env.Geography != nil }

// Referred lists the ARNs of sets and groups in a definition, each once.
func Referred(definition json.RawMessage) []string {
	var arns []string
	var tree any
	if json.Unmarshal(definition, &tree) != nil {
		return nil
	}
	seen := map[string]bool{}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if arn, ok := v["ARN"].(string); ok && !seen[arn] {
				seen[arn] = true
				arns = append(arns, arn)
			}
			for _, member := range v {
				walk(member)
			}
		case []any:
			for _, member := range v {
				walk(member)
			}
		}
	}
	walk(tree)
	return arns
}

// A cache keeps compiled sets and groups by ARN, as of a revision.
type cache struct {
	mu      sync.Mutex
	entries map[string]entry
}

type entry struct {
	revision int64
	value    any
}

func newCache() *cache { return &cache{entries: map[string]entry{}} }

// cached returns what make makes, from the cache if it was made at this revision.
func cached[T any](r *References, arn string, revision int64, make func() (*T, error)) *T {
	r.cache.mu.Lock()
	have, ok := r.cache.entries[arn]
	r.cache.mu.Unlock()
	if ok && have.revision == revision {
		return have.value.(*T)
	}
	made, err := make()
	if err != nil {
		if r.Err == nil {
			r.Err = fmt.Errorf("%s: %w", arn, err)
		}
		return nil
	}
	r.cache.mu.Lock()
	r.cache.entries[arn] = entry{revision, made}
	r.cache.mu.Unlock()
	return made
}

// A Compiler makes web ACLs executable. Compiled sets and groups are shared by all ACLs,
// and kept until what they are made of changes.
type Compiler struct {
	env   Environment
	cache *cache
}

// NewCompiler returns a Compiler.
func NewCompiler(env Environment) *Compiler {
	return &Compiler{env: env, cache: newCache()}
}

// Compile makes the web ACL with this ARN executable. The error matches store.ErrNotFound
// when there is none.
func (c *Compiler) Compile(tx *store.Tx, arn string) (*wafrules.ACL, error) {
	return c.compile(tx, arn, nil, c.env.Counters)
}

// Rehearse makes the web ACL with this ARN executable for trials: with other counters, and
// with another definition unless that is nil. A definition is what GetWebACL shows or
// UpdateWebACL takes, of which members that do not matter for evaluation are ignored, or a
// list of rules that takes the place of the web ACL's.
func (c *Compiler) Rehearse(tx *store.Tx, arn string, definition json.RawMessage, counters wafrules.RateCounters) (*wafrules.ACL, error) {
	var parse func(stored json.RawMessage) (*wafrules.WebACL, error)
	switch text := bytes.TrimLeft(definition, " \t\r\n"); {
	case len(text) == 0:
		parse = nil
	case text[0] == '[':
		parse = func(stored json.RawMessage) (*wafrules.WebACL, error) {
			whole, err := replaceRules(stored, definition)
			if err != nil {
				return nil, err
			}
			return wafrules.ParseWebACL(whole)
		}
	default:
		parse = func(json.RawMessage) (*wafrules.WebACL, error) { return parseDefinition(definition) }
	}
	return c.compile(tx, arn, parse, counters)
}

// parseDefinition takes what is evaluated from a definition.
func parseDefinition(src json.RawMessage) (*wafrules.WebACL, error) {
	var in struct {
		WebACL json.RawMessage
		definition
	}
	if err := json.Unmarshal(src, &in); err != nil {
		return nil, fmt.Errorf("definition: %w", err)
	}
	if in.WebACL != nil { // the answer of GetWebACL
		if err := json.Unmarshal(in.WebACL, &in.definition); err != nil {
			return nil, fmt.Errorf("definition: %w", err)
		}
	}
	if in.DefaultAction == nil {
		return nil, errors.New("definition: want DefaultAction, found none")
	}
	evaluated, err := json.Marshal(in.definition)
	if err != nil {
		return nil, fmt.Errorf("definition: %w", err)
	}
	return wafrules.ParseWebACL(evaluated)
}

// replaceRules is a definition with other rules, in the JSON of a list of them.
func replaceRules(definition, rules json.RawMessage) (json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(definition, &members); err != nil {
		return nil, fmt.Errorf("definition: %w", err)
	}
	members["Rules"] = rules
	return json.Marshal(members)
}

// definition are the members of a web ACL that are evaluated.
type definition struct {
	DefaultAction, Rules, VisibilityConfig, CustomResponseBodies, AssociationConfig json.RawMessage `json:",omitempty"`
}

// compile makes a web ACL executable. parse makes its definition of the stored one; nil takes
// that.
func (c *Compiler) compile(tx *store.Tx, arn string, parse func(stored json.RawMessage) (*wafrules.WebACL, error), counters wafrules.RateCounters) (*wafrules.ACL, error) {
	a, ok := ParseARN(arn)
	if !ok || a.Kind != model.KindWebACL {
		return nil, fmt.Errorf("%q is not the ARN of a regional web ACL", arn)
	}
	acl, err := WebACLs.Get(tx, a.Scope, a.ID)
	if err != nil {
		return nil, err
	}
	if parse == nil {
		parse = func(stored json.RawMessage) (*wafrules.WebACL, error) { return wafrules.ParseWebACL(stored) }
	}
	definition, err := parse(acl.Definition)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", arn, err)
	}
	refs := &References{tx: tx, env: c.env, home: a.Scope, cache: c.cache}
	compiled, err := validated(definition, wafrules.Identity{ARN: arn, Account: a.Scope.Account, Name: acl.Name},
		wafrules.Environment{References: refs, Geography: c.env.Geography, Counters: counters})
	if refs.Err != nil {
		return nil, fmt.Errorf("%s: %w", arn, refs.Err)
	}
	return compiled, err
}

// validated compiles after validation: a database that was configured when the rules were accepted may
// be gone since, and a rule that cannot be enforced must not be left out.
func validated(acl *wafrules.WebACL, id wafrules.Identity, env wafrules.Environment) (*wafrules.ACL, error) {
	if _, err := wafrules.ValidateWebACL(acl, wafrules.Checks{References: env.References, AllowImplicitOversize: true}); err != nil {
		return nil, fmt.Errorf("%s: %w", id.ARN, err)
	}
	return wafrules.Compile(acl, id, env)
}
