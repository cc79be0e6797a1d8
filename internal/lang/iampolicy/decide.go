package iampolicy

// A Set is all policies that bear on one request.
type Set struct {
	// Identity policies are those of the user and its groups, or of the role.
	Identity []*Policy

	// Boundary is the permissions boundary of the user or role; nil without one.
	Boundary *Policy

	// Session policies were given when the session was made; nil without any.
	Session []*Policy

	// Resource is the policy of the resource; nil without one.
	Resource *Policy

	// CrossAccount is set when the principal and the resource belong to different
	// accounts: both sides must allow then.
	CrossAccount bool
}

// PolicyType names the policies of a Set in a Decision.
type PolicyType uint8

// The types of policies. NoType is that of a decision by silence.
const (
	NoType PolicyType = iota
	IdentityType
	BoundaryType
	SessionType
	ResourceType
)

// A Decision is the verdict of a Set. By says which type of policy decided: the one
// that denies, the one that allows, or for an implicit deny the one whose Allow was
// missing.
type Decision struct {
	Effect  Effect
	By      PolicyType
	Policy  int // index within its type
	Verdict Verdict
}

// Decide evaluates the set (IAM User Guide, "Policy evaluation logic"): an explicit
// Deny anywhere wins. Then a resource policy of the same account allows by itself; it
// is not limited by boundary and session when it names the user or session, limited by
// them when it names the role or anyone, and needs an identity policy too when it
// names but the account. Otherwise identity, boundary and session policies must all
// allow, and across accounts the resource policy as well.
func (s *Set) Decide(r *Request) Decision {
	identity := evaluateAll(s.Identity, IdentityType, r)
	if identity.Effect == ExplicitDeny {
		return identity
	}
	boundary := Decision{Effect: Allow, By: BoundaryType}
	if s.Boundary != nil {
		v := s.Boundary.Evaluate(r)
		boundary.Effect, boundary.Verdict = v.Effect, v
		if v.Effect == ExplicitDeny {
			return boundary
		}
	}
	session := Decision{Effect: Allow, By: SessionType}
	if s.Session != nil {
		if session = evaluateAll(s.Session, SessionType, r); session.Effect == ExplicitDeny {
			return session
		}
	}
	v := s.Resource.Evaluate(r)
	resource := Decision{Effect: v.Effect, By: ResourceType, Verdict: v}
	if v.Effect == ExplicitDeny {
		return resource
	}
	return s.combine(identity, boundary, session, resource)
}

// combine decides among policies of which none denies explicitly.
func (s *Set) combine(identity, boundary, session, resource Decision) Decision {
	grant := resource.Verdict.Grant
	alone := resource.Effect == Allow && !s.CrossAccount && grant != GrantAccount
	switch {
	case alone && grant == GrantPrincipal:
		return resource
	case identity.Effect != Allow && !alone:
		return identity
	case boundary.Effect != Allow:
		return boundary
	case session.Effect != Allow:
		return session
	case s.CrossAccount && resource.Effect != Allow:
		return resource
	case identity.Effect == Allow:
		return identity
	}
	return resource
}

// evaluateAll joins policies of one type: any may deny, any may allow.
func evaluateAll(policies []*Policy, by PolicyType, r *Request) Decision {
	d := Decision{By: by, Verdict: Verdict{Statement: -1}}
	for i, p := range policies {
		switch v := p.Evaluate(r); {
		case v.Effect == ExplicitDeny:
			return Decision{ExplicitDeny, by, i, v}
		case v.Effect == Allow && d.Effect != Allow:
			d = Decision{Allow, by, i, v}
		}
	}
	return d
}

// Reason words a refusal as the services end their messages: " because no
// identity-based policy allows the apigateway:GET action", " with an explicit deny in
// a resource-based policy". It is "" for an Allow.
func (d *Decision) Reason(action string) string {
	names := [...]string{
		IdentityType: "identity-based policy",
		BoundaryType: "permissions boundary",
		SessionType:  "session policy",
		ResourceType: "resource-based policy",
	}
	by := d.By
	if by == NoType {
		by = IdentityType
	}
	switch d.Effect {
	case Allow:
		return ""
	case ExplicitDeny:
		article := " a "
		if by == IdentityType {
			article = " an "
		}
		return " with an explicit deny in" + article + names[by]
	}
	return " because no " + names[by] + " allows the " + action + " action"
}
