// Package tags judges the tags of resources. What AWS lacks is switched on by tags with
// the prefix "gatehouse:"; an unknown key of that prefix, or a bad value, is refused, so
// that a misspelt control is never taken for one that acts. All other tags are free.
package tags

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"gatehouse/internal/awsapi/gen/apigateway"
)

// Prefix starts the tags that steer Gatehouse.
const Prefix = "gatehouse:"

// Custom is the tag that pins an API's id at its creation, as local stand-ins for AWS
// have it; "gatehouse:id" is the same.
const Custom = "_custom_id_"

// A Resource is a sort of resource that tags can be on.
type Resource string

// The sorts of resources.
const (
	RestAPI           Resource = "RestApi"
	Stage             Resource = "Stage"
	DomainName        Resource = "DomainName"
	APIKey            Resource = "ApiKey"
	UsagePlan         Resource = "UsagePlan"
	ClientCertificate Resource = "ClientCertificate"
	VPCLink           Resource = "VpcLink"
	AccessAssociation Resource = "DomainNameAccessAssociation"
)

// A Rule is what one steering tag takes.
type Rule struct {
	Resource Resource
	Check    func(value string) (want string) // "" when the value is good, else what is wanted
}

// steering are the tags that steer, by key without the prefix. Packages add what they do.
var steering = map[string][]Rule{
	"id": {{RestAPI, func(v string) string {
		if apiID.MatchString(v) {
			return ""
		}
		return "1 to 32 lower-case letters and digits"
	}}},
}

var apiID = regexp.MustCompile(`^[a-z0-9]{1,32}$`)

// Define adds a steering tag. It is called while the program starts, by the package that
// makes the tag act.
func Define(key string, rules ...Rule) { steering[key] = append(steering[key], rules...) }

// Check refuses tags that are wrong on a resource of sort r, with a BadRequestException
// that names the key.
func Check(t map[string]string, r Resource) error {
	for _, key := range slices.Sorted(maps.Keys(t)) {
		if key == Custom && r == RestAPI && !apiID.MatchString(t[key]) {
			return apigateway.BadRequestException("Invalid tag " + Custom + ": found '" + t[key] + "', want 1 to 32 lower-case letters and digits")
		}
		name, ours := strings.CutPrefix(key, Prefix)
		if !ours {
			continue
		}
		i := slices.IndexFunc(steering[name], func(rule Rule) bool { return rule.Resource == r })
		if i < 0 {
			return apigateway.BadRequestException("Unknown tag " + key + " on " + string(r) + ". Tags that start with " + Prefix + " steer Gatehouse; known here: " + known(r))
		}
		if want := steering[name][i].Check(t[key]); want != "" {
			return apigateway.BadRequestException("Invalid tag " + key + ": found '" + t[key] + "', want " + want)
		}
	}
	return nil
}

func known(r Resource) string {
	var keys []string
	for name, rules := range steering {
		if slices.ContainsFunc(rules, func(rule Rule) bool { return rule.Resource == r }) {
			keys = append(keys, Prefix+name)
		}
	}
	if len(keys) == 0 {
		return "none"
	}
	slices.Sort(keys)
	return strings.Join(keys, ", ")
}

// PinnedID returns the id that tags demand for a new API, "" for none.
func PinnedID(t map[string]string) string {
	if id := t[Custom]; id != "" {
		return id
	}
	return t[Prefix+"id"]
}
