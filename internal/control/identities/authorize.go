package identities

import (
	"context"
	"net/http"
	"strings"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/sigv4"
	"gatehouse/internal/lang/iampolicy"
)

// free are the actions that need no permission; AssumeRole is judged by the operation,
// together with the role's trust policy.
var free = map[string]bool{
	"sts:GetCallerIdentity": true,
	"sts:GetSessionToken":   true,
	"sts:GetAccessKeyInfo":  true,
	"sts:AssumeRole":        true,
}

// Authorize implements awsapi.Authorizer. The root key may do everything.
func (s *Service) Authorize(ctx context.Context, a awsapi.Access) error {
	return s.authorize(ctx, a, nil)
}

// AuthorizeWith is Authorize with condition keys that only the caller's service knows, by
// their names in lower case.
func (s *Service) AuthorizeWith(ctx context.Context, a awsapi.Access, keys map[string]string) error {
	return s.authorize(ctx, a, keys)
}

// authorize is Authorize with condition keys of one action.
func (s *Service) authorize(ctx context.Context, a awsapi.Access, more map[string]string) error {
	id := &a.Call.Identity
	if id.Kind == awsapi.Root || free[a.Action] && id.Kind != awsapi.Anonymous {
		return nil
	}
	if a.Call.Service == "iam" {
		a.Resource = s.iamResource(&a)
	}
	set, ok := s.policiesOf(id)
	if !ok && id.Kind != awsapi.Anonymous {
		return accessDenied(&a, "")
	}
	if s.config.ResourcePolicy != nil {
		p, owner, err := s.config.ResourcePolicy(ctx, a.Call.Service, a.Resource)
		if err != nil {
			return err
		}
		set.Resource, set.CrossAccount = p, id.Kind != awsapi.Anonymous && owner != "" && owner != id.Account
	}
	keys := &callKeys{ctx: ctx, s: s, access: &a, more: more}
	d := set.Decide(&iampolicy.Request{Action: a.Action, Resource: a.Resource, Principal: principalOf(id), Keys: keys})
	switch {
	case keys.err != nil:
		return keys.err
	case d.Effect != iampolicy.Allow:
		return accessDenied(&a, d.Reason(a.Action))
	case keys.unknown != "": // an absent tag could have allowed, or kept a Deny from applying
		return accessDenied(&a, " because a policy depends on "+keys.unknown+", which is not known here")
	}
	return nil
}

// MayPass reports whether the caller of a may hand a role to a service
// ("lambda.amazonaws.com"): iam:PassRole. The error is the denial.
func (s *Service) MayPass(ctx context.Context, a awsapi.Access, roleARN, service string) error {
	a.Action, a.Resource = "iam:PassRole", roleARN
	return s.authorize(ctx, a, map[string]string{"iam:passedtoservice": service})
}

// policiesOf returns what bears on an identity. It reports false when the user or role
// is gone.
func (s *Service) policiesOf(id *awsapi.Identity) (iampolicy.Set, bool) {
	subjectID, _, _ := strings.Cut(id.ID, ":")
	sub := s.dir.subject(id.Account, subjectID)
	if sub == nil {
		return iampolicy.Set{}, false
	}
	set := s.dir.set(sub)
	if c, ok := id.Session.(*session); ok && len(c.compiled)+len(c.PolicyARNs) > 0 {
		set.Session = s.sessionPolicies(c)
	}
	return set, true
}

func (s *Service) sessionPolicies(c *session) []*iampolicy.Policy {
	ps := append([]*iampolicy.Policy(nil), c.compiled...)
	s.dir.mu.RLock()
	defer s.dir.mu.RUnlock()
	for _, arn := range c.PolicyARNs {
		ps = append(ps, s.dir.policy(arn))
	}
	return ps
}

// Policies returns the policies that bear on a principal whose signature was verified,
// for deciding data plane requests: the caller adds the resource's. It reports false
// when the principal is gone since. Root has none and may do everything.
func (s *Service) Policies(p *sigv4.Principal) (iampolicy.Set, bool) {
	if p.Kind == sigv4.Root {
		return iampolicy.Set{Identity: []*iampolicy.Policy{awsManaged("arn:aws:iam::aws:policy/AdministratorAccess").policy}}, true
	}
	return s.policiesOf(&awsapi.Identity{Account: p.Account, ID: p.ID, Session: p.Session})
}

func principalOf(id *awsapi.Identity) *iampolicy.Principal {
	if id.Kind == awsapi.Anonymous {
		return nil
	}
	return &iampolicy.Principal{ARN: id.ARN, Account: id.Account, RoleARN: id.RoleARN, ID: id.ID}
}

// accessDenied words a denial as the service of the call does.
func accessDenied(a *awsapi.Access, reason string) error {
	code, status := "AccessDeniedException", http.StatusForbidden
	resource := a.Resource
	switch a.Call.Service {
	case "acm", "wafv2", "logs", "tagging":
		status = http.StatusBadRequest
	case "iam":
		code, resource = "AccessDenied", iamNoun(a)
	case "sts":
		code = "AccessDenied"
	case "s3":
		if code = "AccessDenied"; a.Call.Identity.Kind == awsapi.Anonymous {
			return awserr.New(code, status, "Access Denied")
		}
		resource = `"` + resource + `"`
	}
	return awserr.New(code, status, "User: "+a.Call.Identity.ARN+" is not authorized to perform: "+a.Action+" on resource: "+resource+reason)
}

// iamNoun is how IAM names a resource in a denial: "role name", but the ARN of what is
// being created.
func iamNoun(a *awsapi.Access) string {
	kind, name, ok := strings.Cut(strings.TrimPrefix(a.Resource, "arn:aws:iam::"+a.Call.Account+":"), "/")
	if !ok || strings.HasPrefix(a.Action, "iam:Create") || strings.HasPrefix(a.Action, "iam:PassRole") {
		return a.Resource
	}
	if kind == "policy" {
		return "policy " + a.Resource
	}
	return kind + " " + name[strings.LastIndexByte(name, '/')+1:]
}

// iamResource completes the resource of a call to IAM: the path of what exists, the
// path of what is to be created, the caller itself where no user is named.
func (s *Service) iamResource(a *awsapi.Access) string {
	prefix := "arn:aws:iam::" + a.Call.Account + ":"
	kind, name, ok := strings.Cut(strings.TrimPrefix(a.Resource, prefix), "/")
	if !ok {
		if m := membersOf(a.Input); a.Resource == "*" && m.has("UserName") && a.Call.Identity.Kind == awsapi.User {
			return a.Call.Identity.ARN
		}
		return a.Resource
	}
	if path := membersOf(a.Input).text("Path"); path != "" && strings.HasPrefix(a.Action, "iam:Create") {
		return prefix + kind + path + name
	}
	for _, of := range []*sort{&users, &groups, &roles} {
		if of.resource == kind {
			if sub := s.dir.named(of, a.Call.Account, name); sub != nil {
				return sub.arn
			}
		}
	}
	return a.Resource
}
