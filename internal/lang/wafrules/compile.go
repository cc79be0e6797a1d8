package wafrules

import (
	"fmt"
	"slices"
	"strings"
)

// defaultBodyLimit is how much of a body is inspected for API Gateway unless configured.
const defaultBodyLimit = 16 << 10

// An Environment is what a web ACL is compiled for.
type Environment struct {
	References References
	Geography  Geography    // required if References.HasGeography
	Counters   RateCounters // required if there are rate-based rules
}

// An Identity tells whose a web ACL or rule group is.
type Identity struct {
	ARN     string
	Account string
	Name    string
}

// An ACL is a compiled web ACL. It is immutable and safe for concurrent use.
type ACL struct {
	arn       string
	rules     []rule
	preset    action // of DefaultAction
	units     []unitRef
	nodes     []planNode
	scans     int // scanners of all units
	bodyLimit int
	usesBody  bool
	counters  []boundCounter
	geography Geography
}

// A planNode is a node of the ACL, made of equal nodes of its units.
type planNode struct {
	unitNode
	parent int32
}

// A unitRef places a unit's nodes, scanners and counters among those of the ACL.
type unitRef struct {
	unit     *unit
	nodes    []uint16
	scanBase int
	rateBase int
}

type boundCounter struct {
	id      string
	counter RateCounter
}

// A rule is compiled; either statement or group is set.
type rule struct {
	name      string
	metric    string
	statement matcher
	action    action
	labels    []string // with their prefix
	rateBased bool
	sampled   bool
	group     *groupUse
}

// A Group is a compiled rule group, shared by all ACLs that refer to it.
type Group struct {
	// ID is the group's name in logs: its ARN, or "AWS#Name" for a managed group.
	ID       string
	Managed  bool
	Capacity int64
	// LabelNamespace is the prefix of the labels that its rules add.
	LabelNamespace string

	rules []rule
	unit  *unit
	rates []RateRule
}

// has reports whether the group has a rule of that name.
func (g *Group) has(name string) bool {
	return slices.ContainsFunc(g.rules, func(r rule) bool { return r.name == name })
}

// Rules returns the names of the group's rules in the order of their evaluation, with
// their actions.
func (g *Group) Rules() []GroupRule {
	all := make([]GroupRule, len(g.rules))
	for i := range g.rules {
		all[i] = GroupRule{g.rules[i].name, g.rules[i].action.kind, g.rules[i].labels}
	}
	return all
}

// A GroupRule describes one rule of a group.
type GroupRule struct {
	Name   string
	Action Action
	Labels []string
}

// A groupUse is a group as one rule of a web ACL uses it.
type groupUse struct {
	group     *Group
	unit      int // index in ACL.units
	scopeDown matcher
	count     bool              // OverrideAction Count
	overrides map[int]*override // by index of the group's rule
}

type override struct {
	action   action
	excluded bool // by ExcludedRules rather than RuleActionOverrides
}

// Compile makes a web ACL that has passed ValidateWebACL executable.
func Compile(acl *WebACL, id Identity, env Environment) (*ACL, error) {
	c := &compiler{env: env, acl: &ACL{arn: id.ARN, bodyLimit: defaultBodyLimit, geography: env.Geography},
		units: map[*unit]int{}, byKey: map[string]uint16{}}
	b := newBuilder(env.References)
	prefix := "awswaf:" + id.Account + ":webacl:" + id.Name + ":"
	c.acl.preset = newAction(&RuleAction{Allow: acl.DefaultAction.Allow, Block: acl.DefaultAction.Block}, acl.CustomResponseBodies)
	for _, r := range byPriority(acl.Rules) {
		compiled, err := c.rule(b, r, prefix, acl.CustomResponseBodies)
		if err != nil {
			return nil, fmt.Errorf("web ACL %q, rule %q: %w", id.Name, r.Name, err)
		}
		c.acl.rules = append(c.acl.rules, compiled)
	}
	own := b.finish()
	c.place(own, b.rates, "")
	// Units were numbered as groups were met; the ACL's own is the last.
	for i := range c.acl.nodes {
		n := c.acl.nodes[i].field.key
		c.acl.usesBody = c.acl.usesBody || strings.HasPrefix(n, "body") || strings.HasPrefix(n, "json")
	}
	if acl.AssociationConfig != nil {
		if size, ok := acl.AssociationConfig.RequestBody["API_GATEWAY"]; ok {
			limit, err := inspectionLimit(size.DefaultSizeInspectionLimit)
			if err != nil {
				return nil, err
			}
			c.acl.bodyLimit = limit
		}
	}
	return c.acl, nil
}

// BodyLimit returns how many bytes of a body are inspected.
func (a *ACL) BodyLimit() int { return a.bodyLimit }

// UsesBody reports whether any rule inspects the body.
func (a *ACL) UsesBody() bool { return a.usesBody }

// ARN returns the web ACL's ARN.
func (a *ACL) ARN() string { return a.arn }

type compiler struct {
	env   Environment
	acl   *ACL
	units map[*unit]int
	byKey map[string]uint16
}

func (c *compiler) rule(b *builder, r *Rule, prefix string, bodies map[string]CustomResponseBody) (rule, error) {
	if r.Statement.RuleGroupReference == nil && r.Statement.ManagedRuleGroup == nil {
		return b.rule(r, prefix, bodies), nil
	}
	out := rule{name: r.Name, metric: r.VisibilityConfig.MetricName, sampled: r.VisibilityConfig.SampledRequestsEnabled}
	use := &groupUse{count: r.OverrideAction.Count != nil, overrides: map[int]*override{}}
	var excluded []ExcludedRule
	var overrides []RuleActionOverride
	if s := r.Statement.RuleGroupReference; s != nil {
		use.group, excluded, overrides = c.env.References.RuleGroup(s.ARN), s.ExcludedRules, s.RuleActionOverrides
		if use.group == nil {
			return out, nonexistent()
		}
	} else {
		s := r.Statement.ManagedRuleGroup
		group, err := c.env.References.ManagedGroup(s.VendorName, s.Name, s.Version)
		if err != nil {
			return out, err
		}
		use.group, excluded, overrides = group, s.ExcludedRules, s.RuleActionOverrides
		if s.ScopeDownStatement != nil {
			use.scopeDown = b.statement(s.ScopeDownStatement, prefix, "ManagedRuleGroup/ScopeDown")
		}
	}
	for i := range use.group.rules {
		use.override(i, excluded, overrides, bodies)
	}
	use.unit = c.place(use.group.unit, use.group.rates, r.Name+"/")
	out.group = use
	return out, nil
}

// override applies what the ACL changes about the group's rule i.
func (u *groupUse) override(i int, excluded []ExcludedRule, overrides []RuleActionOverride, bodies map[string]CustomResponseBody) {
	name := u.group.rules[i].name
	for _, e := range excluded {
		if e.Name == name {
			u.overrides[i] = &override{action: action{kind: Count}, excluded: true}
		}
	}
	for _, o := range overrides {
		if o.Name == name {
			u.overrides[i] = &override{action: newAction(o.ActionToUse, bodies)}
		}
	}
}

// place adds a unit to the ACL and returns its index. A group that counts has counters
// of its own in each rule that refers to it, so its unit is placed once for each.
func (c *compiler) place(u *unit, rates []RateRule, scope string) int {
	if i, ok := c.units[u]; ok && len(rates) == 0 {
		return i
	}
	ref := unitRef{unit: u, nodes: make([]uint16, len(u.nodes)), scanBase: c.acl.scans, rateBase: len(c.acl.counters)}
	for i := range u.nodes {
		ref.nodes[i] = c.intern(&u.nodes[i], ref.nodes)
	}
	c.acl.scans += len(u.nodes)
	for _, r := range rates {
		r.ID = c.acl.arn + "/" + scope + r.ID
		c.acl.counters = append(c.acl.counters, boundCounter{r.ID, c.env.Counters.Counter(r)})
	}
	c.acl.units = append(c.acl.units, ref)
	c.units[u] = len(c.acl.units) - 1
	return c.units[u]
}

func (c *compiler) intern(n *unitNode, placed []uint16) uint16 {
	if i, ok := c.byKey[n.key]; ok {
		return i
	}
	p := planNode{unitNode: *n, parent: -1}
	if n.parent >= 0 {
		p.parent = int32(placed[n.parent]) // parents come before their children
	}
	c.acl.nodes = append(c.acl.nodes, p)
	i := uint16(len(c.acl.nodes) - 1)
	c.byKey[n.key] = i
	return i
}

// CompileGroup makes a rule group that has passed ValidateRuleGroup executable.
func CompileGroup(g *RuleGroup, id Identity, refs References) (*Group, error) {
	b := newBuilder(refs)
	out := &Group{ID: id.ARN, Capacity: g.Capacity, LabelNamespace: "awswaf:" + id.Account + ":rulegroup:" + id.Name + ":"}
	for _, r := range byPriority(g.Rules) {
		out.rules = append(out.rules, b.rule(r, out.LabelNamespace, g.CustomResponseBodies))
	}
	out.unit, out.rates = b.finish(), b.rates
	return out, nil
}

// A ManagedGroup is a vendor's rule group before compilation.
type ManagedGroup struct {
	ID             string // such as "AWS#AWSManagedRulesCommonRuleSet"
	Capacity       int64
	LabelNamespace string
	Rules          []Rule
}

// CompileManaged compiles managed groups together: an ACL that uses several of them
// extracts, transforms and scans every component once for all.
func CompileManaged(groups []ManagedGroup, refs References) []*Group {
	b := newBuilder(refs)
	out := make([]*Group, len(groups))
	for i, g := range groups {
		out[i] = &Group{ID: g.ID, Managed: true, Capacity: g.Capacity, LabelNamespace: g.LabelNamespace, unit: b.unit}
		for _, r := range byPriority(g.Rules) {
			out[i].rules = append(out[i].rules, b.rule(r, g.LabelNamespace, nil))
		}
	}
	b.finish()
	return out
}
