package identities

import (
	"context"
	"reflect"
	"strings"
	"time"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/sigv4"
	"gatehouse/internal/lang/iampolicy"
)

// callKeys are the condition keys of a management call (IAM User Guide, "AWS global
// condition context keys"), computed when a policy asks.
type callKeys struct {
	ctx    context.Context // of the decision that the keys are made for
	s      *Service
	access *awsapi.Access
	more   map[string]string // further keys of one operation

	// What a policy wanted to know of the resource's tags: read at most once.
	tags     map[string]string
	tagsRead bool
	unknown  string // a key that could not be told; the decision must not be trusted
	err      error
}

// neverHere are keys that no management call has here, so that their absence is a fact:
// there is no organization, no VPC endpoint, no second factor, no service that calls for
// somebody. Every other key that is not computed is unknown, and a decision that asked
// for it is not trusted: an absent key satisfies negated conditions, and keeps a Deny
// from applying.
var neverHere = map[string]bool{
	"aws:principalorgid": true, "aws:principalorgpaths": true, "aws:resourceorgid": true, "aws:resourceorgpaths": true,
	"aws:sourcevpc": true, "aws:sourcevpce": true, "aws:vpcsourceip": true, "aws:sourcevpcarn": true,
	"aws:sourcearn": true, "aws:sourceaccount": true, "aws:sourceorgid": true, "aws:sourceorgpaths": true,
	"aws:calledvia": true, "aws:calledviafirst": true, "aws:calledvialast": true,
	"aws:multifactorauthpresent": true, "aws:multifactorauthage": true, "aws:federatedprovider": true,
	"aws:ec2instancesourcevpc": true, "aws:ec2instancesourceprivateipv4": true,
	"sts:externalid": true, "sts:rolesessionname": true, "sts:sourceidentity": true, "iam:passedtoservice": true,
}

// Value implements iampolicy.Keys.
func (k *callKeys) Value(name string) iampolicy.Value {
	if v, ok := k.more[name]; ok {
		return iampolicy.Text(v)
	}
	if v, known := k.ofPrincipal(name); known {
		return v
	}
	if v, known := k.ofCall(name); known {
		return v
	}
	if v, known := k.ofInput(name); known {
		return v
	}
	if !neverHere[name] {
		k.unknown = name
	}
	return iampolicy.Value{}
}

// ofCall are the keys that say how the call came.
func (k *callKeys) ofCall(name string) (v iampolicy.Value, known bool) {
	call := k.access.Call
	switch name {
	case "aws:sourceip":
		if !call.Source.IsValid() {
			return v, false // a service's call for somebody: nobody may conclude anything from its absence
		}
		v = iampolicy.Addr(call.Source)
	case "aws:currenttime":
		v = iampolicy.Time(call.Received)
	case "aws:epochtime":
		v = iampolicy.Number(call.Received.Unix())
	case "aws:securetransport":
		v = iampolicy.Bool(call.TLS)
	case "aws:viaawsservice", "aws:principalisawsservice":
		v = iampolicy.Bool(false)
	case "aws:useragent":
		v = text(call.UserAgent)
	case "aws:referer":
		if k.access.Request != nil {
			v = text(k.access.Request.Referer())
		}
	case "aws:requestedregion":
		v = text(call.Region)
	case "aws:tokenissuetime":
		if c := k.session(); c != nil {
			v = iampolicy.Time(time.Unix(c.Issued, 0))
		}
	case "aws:sourceidentity":
		if c := k.session(); c != nil {
			v = text(c.Source)
		}
	default:
		return v, false
	}
	return v, true
}

// inputKeys are the keys that are members of the call's input.
var inputKeys = map[string]string{
	"iam:policyarn": "PolicyArn", "s3:prefix": "Prefix", "s3:delimiter": "Delimiter", "s3:versionid": "VersionId",
}

// ofInput are the keys that say what the call asks for, and of which resource.
func (k *callKeys) ofInput(name string) (v iampolicy.Value, known bool) {
	input := membersOf(k.access.Input)
	if member, ok := inputKeys[name]; ok {
		return text(input.text(member)), true
	}
	switch name {
	case "aws:tagkeys":
		keys, _ := input.tags()
		return iampolicy.Texts(keys), true
	case "iam:permissionsboundary":
		return k.boundary(), true
	}
	if tag, ok := strings.CutPrefix(name, "aws:requesttag/"); ok {
		keys, values := input.tags()
		return tagValue(keys, values, tag), true
	}
	for _, prefix := range []string{"aws:resourcetag/", "iam:resourcetag/"} {
		if tag, ok := strings.CutPrefix(name, prefix); ok {
			return k.resourceTag(name, tag), true
		}
	}
	return v, false
}

// text is a value that is absent when it is empty.
func text(s string) iampolicy.Value {
	if s == "" {
		return iampolicy.Value{}
	}
	return iampolicy.Text(s)
}

// ofPrincipal are the keys that say who calls.
func (k *callKeys) ofPrincipal(name string) (v iampolicy.Value, known bool) {
	id := &k.access.Call.Identity
	switch name {
	case "aws:username":
		if id.Kind == awsapi.User {
			v = text(id.Name)
		}
	case "aws:userid":
		v = text(id.ID)
	case "aws:principalaccount":
		v = text(id.Account)
	case "aws:principaltype":
		v = text(principalTypes[id.Kind])
	case "aws:principalarn": // of the role, for its sessions
		if v = text(id.RoleARN); id.RoleARN == "" {
			v = text(id.ARN)
		}
	default:
		tag, ok := strings.CutPrefix(name, "aws:principaltag/")
		if !ok {
			return v, false
		}
		if value, tagged := k.principalTag(tag); tagged {
			v = iampolicy.Text(value)
		}
	}
	return v, true
}

// Key returns what a principal has for a condition key on the data plane (authorizers, section
// 4.1); name is in lower case. It reports false for keys that are not about principals. Sessions have no second factor here, and say so; long-term keys
// say nothing of it, as on AWS.
func (s *Service) Key(p *sigv4.Principal, name string) (v iampolicy.Value, known bool) {
	k := &callKeys{s: s, access: &awsapi.Access{Call: &awsapi.Call{Identity: IdentityOf(p)}}}
	if v, known = k.ofPrincipal(name); known {
		return v, true
	}
	c := k.session()
	switch name {
	case "aws:tokenissuetime":
		if c != nil {
			v = iampolicy.Time(time.Unix(c.Issued, 0))
		}
	case "aws:sourceidentity":
		if c != nil {
			v = text(c.Source)
		}
	case "aws:multifactorauthpresent":
		if c != nil {
			v = iampolicy.Bool(false)
		}
	default:
		return v, false
	}
	return v, true
}

var principalTypes = map[awsapi.IdentityKind]string{
	awsapi.Anonymous: "Anonymous", awsapi.Root: "Account", awsapi.User: "User",
	awsapi.AssumedRole: "AssumedRole", awsapi.FederatedUser: "FederatedUser",
}

// principalTag returns a tag of the session or else of the user or role. Names of tags
// have no case here.
func (k *callKeys) principalTag(name string) (string, bool) {
	if c := k.session(); c != nil {
		for key, value := range c.Tags {
			if strings.EqualFold(key, name) {
				return value, true
			}
		}
	}
	id := &k.access.Call.Identity
	subjectID, _, _ := strings.Cut(id.ID, ":")
	if sub := k.s.dir.subject(id.Account, subjectID); sub != nil {
		for _, t := range sub.Tags {
			if strings.EqualFold(t.Key, name) {
				return t.Value, true
			}
		}
	}
	return "", false
}

// resourceTag returns a tag of the resource that the call is about.
func (k *callKeys) resourceTag(key, tag string) iampolicy.Value {
	if !k.tagsRead {
		k.tagsRead = true
		var known bool
		if k.tags, known, k.err = k.s.resourceTags(k.ctx, k.access); !known {
			k.unknown = key
		}
	}
	for name, value := range k.tags {
		if strings.EqualFold(name, tag) {
			return iampolicy.Text(value)
		}
	}
	return iampolicy.Value{}
}

// resourceTags finds the tags of a call's resource: IAM's here, others where they are.
// A call about no resource in particular has none.
func (s *Service) resourceTags(ctx context.Context, a *awsapi.Access) (tags map[string]string, known bool, _ error) {
	if a.Resource == "*" {
		return nil, true, nil
	}
	if rest, ok := strings.CutPrefix(a.Resource, "arn:aws:iam::"); ok { // a role to assume may be another account's
		account, resource, _ := strings.Cut(rest, ":")
		return s.entityTags(account, resource)
	}
	if s.config.ResourceTags == nil {
		return nil, false, nil
	}
	return s.config.ResourceTags(ctx, a.Call.Service, a.Resource)
}

// entityTags returns the tags of a user or role, of "user/path/name". Groups have none;
// what does not exist yet has none either. Those of managed policies and instance
// profiles are not held in memory.
func (s *Service) entityTags(account, resource string) (map[string]string, bool, error) {
	kind, name, _ := strings.Cut(resource, "/")
	for _, of := range []*sort{&users, &groups, &roles} {
		if of.resource != kind {
			continue
		}
		tags := map[string]string{}
		if sub := s.dir.named(of, account, name[strings.LastIndexByte(name, '/')+1:]); sub != nil {
			for _, t := range sub.Tags {
				tags[t.Key] = t.Value
			}
		}
		return tags, true, nil
	}
	return nil, false, nil
}

func (k *callKeys) session() *session {
	c, _ := k.access.Call.Identity.Session.(*session)
	return c
}

// boundary is the boundary that the call sets or, for calls on a user or role that
// exists, the one it has.
func (k *callKeys) boundary() iampolicy.Value {
	m := membersOf(k.access.Input)
	if arn := m.text("PermissionsBoundary"); arn != "" {
		return iampolicy.Text(arn)
	}
	if strings.HasPrefix(k.access.Action, "iam:Create") {
		return iampolicy.Value{}
	}
	account := k.access.Call.Account
	for _, of := range []*sort{&users, &roles} {
		if name := m.text(of.title + "Name"); name != "" {
			if sub := k.s.dir.named(of, account, name); sub != nil {
				return text(sub.Boundary)
			}
		}
	}
	return iampolicy.Value{}
}

func tagValue(keys, values []string, name string) iampolicy.Value {
	for i := range keys {
		if strings.EqualFold(keys[i], name) {
			return iampolicy.Text(values[i])
		}
	}
	return iampolicy.Value{}
}

// members reads members of a generated input by name.
type members struct{ v reflect.Value }

func membersOf(input any) members {
	v := reflect.ValueOf(input)
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	return members{v}
}

func (m members) field(name string) reflect.Value {
	if m.v.Kind() != reflect.Struct {
		return reflect.Value{}
	}
	return m.v.FieldByName(name)
}

// has reports whether the input's type has a member called name.
func (m members) has(name string) bool { return m.field(name).IsValid() }

// text returns a text member, "" when it is absent.
func (m members) text(name string) string {
	f := m.field(name)
	if f.IsValid() && f.Kind() == reflect.Pointer && !f.IsNil() && f.Elem().Kind() == reflect.String {
		return f.Elem().String()
	}
	return ""
}

// tags returns the tags that the input sets, or the keys that it removes: a map
// (apigateway, lambda, logs) or a list of structures (the others).
func (m members) tags() (keys, values []string) {
	for _, name := range []string{"Tags", "TagList"} {
		f := m.field(name)
		switch {
		case !f.IsValid():
		case f.Kind() == reflect.Map && f.Type().Key().Kind() == reflect.String:
			for it := f.MapRange(); it.Next(); {
				keys, values = append(keys, it.Key().String()), append(values, it.Value().String())
			}
		case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Struct:
			for i := range f.Len() {
				t := members{f.Index(i)}
				keys, values = append(keys, t.text("Key")), append(values, t.text("Value"))
			}
		}
	}
	if f := m.field("TagKeys"); f.IsValid() && f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.String {
		for i := range f.Len() {
			keys, values = append(keys, f.Index(i).String()), append(values, "")
		}
	}
	return keys, values
}
