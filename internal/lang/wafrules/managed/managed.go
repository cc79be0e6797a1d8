// Package managed holds rule groups under the names that AWS gives its own: the same
// group and rule names, labels and capacities, so that configuration written for AWS
// works, with rules of our own writing inside. AWS keeps its patterns secret; what ours
// detect is measured in docs/waf-detection.md.
//
// The control plane lists and describes groups, and web ACLs are compiled against them.
// All groups of a Catalog are compiled together, so that an ACL with several of them
// inspects a request once. A Catalog is immutable and safe for concurrent use.
//
// Names: reference/wafv2.md section 9.
package managed

import (
	"slices"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/lang/wafrules"
)

// Vendor is the only vendor whose groups are offered.
const Vendor = "AWS"

// Version is the one version of every versioned group. Its name tells that the content
// is not AWS's.
const Version = "Gatehouse_1.0"

// Released is when Version was made.
var Released = time.Date(2026, time.November, 23, 0, 0, 0, 0, time.UTC)

// Lists are address lists that the operator supplies, for groups that are nothing else.
// A group whose lists are all nil is not offered.
type Lists struct {
	Reputation     *wafrules.IPSet // AWSManagedIPReputationList
	Reconnaissance *wafrules.IPSet // AWSManagedReconnaissanceList
	DDoS           *wafrules.IPSet // AWSManagedIPDDoSList
	Anonymous      *wafrules.IPSet // AnonymousIPList
	Hosting        *wafrules.IPSet // HostingProviderIPList
	Bots           *Bots           // whose addresses verify robots of Bot Control
}

// Info describes a group to the control plane.
type Info struct {
	Name        string
	Description string
	// Versioned says that rules may name Version; the address lists have none.
	Versioned bool
	Group     *wafrules.Group
	// AvailableLabels are the full names of the labels that its rules add.
	AvailableLabels []string
}

// A Catalog is the set of groups that are offered. They are compiled when the first of
// them is asked for: that takes a tenth of a second and 20 MB, which who has no web ACL
// does not need. Make one with New.
type Catalog struct {
	lists  Lists
	once   sync.Once
	groups []Info
}

// source is a group before compilation.
type source struct {
	name, description, namespace string
	capacity                     int64
	unversioned                  bool
	labels                       []string // that rules may add beside their own
	rules                        []wafrules.Rule
}

var standard = new(Catalog)

// New returns the catalog with the given lists. Without lists all callers share one.
func New(lists Lists) *Catalog {
	if lists == (Lists{}) {
		return standard
	}
	return &Catalog{lists: lists}
}

// all returns the compiled groups.
func (c *Catalog) all() []Info {
	c.once.Do(func() { c.groups = compile(c.lists) })
	return c.groups
}

func compile(lists Lists) []Info {
	sources := append(sources(lists.Bots), lists.sources()...)
	groups := make([]wafrules.ManagedGroup, len(sources))
	for i, s := range sources {
		for j := range s.rules {
			priority := int32(j)
			s.rules[j].Priority = &priority
		}
		groups[i] = wafrules.ManagedGroup{ID: Vendor + "#" + s.name, Capacity: s.capacity,
			LabelNamespace: "awswaf:managed:aws:" + s.namespace + ":", Rules: s.rules}
	}
	infos := make([]Info, 0, len(groups))
	for i, g := range wafrules.CompileManaged(groups, nil) {
		info := Info{Name: sources[i].name, Description: sources[i].description, Versioned: !sources[i].unversioned, Group: g}
		for _, r := range g.Rules() {
			for _, l := range r.Labels {
				if !slices.Contains(info.AvailableLabels, l) {
					info.AvailableLabels = append(info.AvailableLabels, l)
				}
			}
		}
		for _, l := range sources[i].labels {
			info.AvailableLabels = append(info.AvailableLabels, g.LabelNamespace+l)
		}
		infos = append(infos, info)
	}
	return infos
}

// sources lists the groups that need nothing from the operator.
func sources(bots *Bots) []source {
	return []source{core(), adminProtection(), knownBadInputs(), sqlDatabase(), linux(), unix(), windows(), php(), wordPress(), botControl(bots)}
}

// List returns all groups in the order in which the service lists them. The slice must
// not be modified.
func (c *Catalog) List() []Info { return c.all() }

// Find returns the group of that name, or nil.
func (c *Catalog) Find(vendor, name string) *Info {
	if vendor != Vendor {
		return nil
	}
	groups := c.all()
	for i := range groups {
		if groups[i].Name == name {
			return &groups[i]
		}
	}
	return nil
}

// Group returns a group for a rule. It returns an error of kind NonexistentItem for an
// unknown group, and of kind ExpiredVersion for a version that is not offered.
func (c *Catalog) Group(vendor, name, version string) (*wafrules.Group, error) {
	info := c.Find(vendor, name)
	if info == nil {
		return nil, &wafrules.Error{Kind: wafrules.NonexistentItem, Message: "AWS WAF couldn't find a resource that a parameter references."}
	}
	if version != "" && (!info.Versioned || version != Version) {
		return nil, &wafrules.Error{Kind: wafrules.ExpiredVersion,
			Message: "The operation failed because the specified version for the managed rule group has expired. " + name + " is offered as version " + Version + "."}
	}
	return info.Group, nil
}

// The transformations that rules share; equal chains are computed once per request.
var (
	// plain takes values as they are.
	plain = transformations("NONE")
	// decoded undoes what carries text through URLs and pages, twice encoded included.
	decoded = transformations("URL_DECODE_UNI", "URL_DECODE_UNI", "HTML_ENTITY_DECODE", "REMOVE_NULLS")
	// unescaped undoes JavaScript's escapes too.
	unescaped = append(slices.Clip(decoded), wafrules.TextTransformation{Priority: int32(len(decoded)), Type: "JS_DECODE"})
	// shell and cmd undo what Unix shells and the Windows command line ignore.
	shell = transformations("URL_DECODE_UNI", "CMD_LINE_UNIX")
	cmd   = transformations("URL_DECODE_UNI", "CMD_LINE_WIN")
)

func transformations(names ...string) []wafrules.TextTransformation {
	ts := make([]wafrules.TextTransformation, len(names))
	for i, n := range names {
		ts[i] = wafrules.TextTransformation{Priority: int32(i), Type: n}
	}
	return ts
}

// part is a component that a rule name ends in.
type part struct {
	suffix string // of the rule
	label  string // of its label
	field  *wafrules.FieldToMatch
}

var (
	header         = part{"_HEADER", "_Header", &wafrules.FieldToMatch{Headers: allHeaders()}}
	cookie         = part{"_COOKIE", "_Cookie", &wafrules.FieldToMatch{Cookies: namesAndValues()}}
	body           = part{"_BODY", "_Body", &wafrules.FieldToMatch{BodyValues: &wafrules.Empty{}}}
	uriPath        = part{"_URIPATH", "_URIPath", &wafrules.FieldToMatch{UriPath: &wafrules.Empty{}}}
	queryString    = part{"_QUERYSTRING", "_QueryString", &wafrules.FieldToMatch{QueryString: &wafrules.Empty{}}}
	queryArguments = part{"_QUERYARGUMENTS", "_QueryArguments", &wafrules.FieldToMatch{QueryNamesAndValues: &wafrules.Empty{}}}
)

func allHeaders() *wafrules.MapField {
	return &wafrules.MapField{MatchPattern: &wafrules.MapPattern{All: &wafrules.Empty{}}, MatchScope: "VALUE", OversizeHandling: "CONTINUE"}
}

// namesAndValues inspects names too: an application may show either.
func namesAndValues() *wafrules.MapField {
	m := allHeaders()
	m.MatchScope = "ALL"
	return m
}

// single is one header.
func single(name string) *wafrules.FieldToMatch {
	return &wafrules.FieldToMatch{SingleHeader: &wafrules.NamedField{Name: name}}
}

// rule makes a rule that blocks. label is the last part of its label.
func rule(name, label string, s wafrules.Statement) wafrules.Rule {
	return wafrules.Rule{
		Name: name, Statement: &s, Action: &wafrules.RuleAction{Block: &wafrules.BlockAction{}},
		RuleLabels:       []wafrules.Label{{Name: label}},
		VisibilityConfig: &wafrules.VisibilityConfig{MetricName: name, SampledRequestsEnabled: true, CloudWatchMetricsEnabled: true},
	}
}

// family makes the rules that look for the same thing in several parts.
func family(name string, make func(part) wafrules.Statement, parts ...part) []wafrules.Rule {
	var rules []wafrules.Rule
	for _, p := range parts {
		rules = append(rules, rule(name+p.suffix, name+p.label, make(p)))
	}
	return rules
}

// patterns looks for any of the patterns in f.
func patterns(list []string, f *wafrules.FieldToMatch, ts []wafrules.TextTransformation) wafrules.Statement {
	return wafrules.Statement{AnyPattern: &wafrules.AnyPatternStatement{Patterns: list, FieldToMatch: f, TextTransformations: ts}}
}

// in returns a maker for family that looks for the patterns in its part.
func in(list []string, ts []wafrules.TextTransformation) func(part) wafrules.Statement {
	return func(p part) wafrules.Statement { return patterns(list, p.field, ts) }
}

func anyOf(list ...wafrules.Statement) wafrules.Statement {
	return wafrules.Statement{Or: &wafrules.ListStatement{Statements: list}}
}

// longer is true of values of more than n bytes.
func longer(f *wafrules.FieldToMatch, n int64) wafrules.Statement {
	return wafrules.Statement{SizeConstraint: &wafrules.SizeConstraintStatement{FieldToMatch: f, ComparisonOperator: "GT", Size: n, TextTransformations: plain}}
}

// words joins alternatives of a pattern, written with spaces between them.
func words(list string) string { return strings.Join(strings.Fields(list), "|") }
