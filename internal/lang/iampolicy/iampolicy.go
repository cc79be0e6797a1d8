// Package iampolicy reads and evaluates policies of AWS Identity and Access
// Management: identity, boundary, session, resource, trust and authorizer policies. It
// is the one policy engine: management calls, the gateway's resource policies and
// authorizers, functions and S3 all ask it.
//
// Parse reads a document strictly, with the place of every mistake, and compiles it.
// Evaluate gives one policy's verdict on one request, Set.Decide that of all policies
// of a request together, and Explain says statement by statement why. The semantics
// are those of the IAM User Guide ("IAM JSON policy reference", "Policy evaluation
// logic"); tests compare with a slow evaluator written from the same pages.
//
// A Policy is immutable and safe for concurrent use. Evaluation allocates nothing but
// where a variable has to be filled in or a value has to become text, and its time is
// bounded by the policy's size times the length of the values it is compared with.
package iampolicy

// Effect is a verdict on a request.
type Effect uint8

// The verdicts. The zero value refuses.
const (
	ImplicitDeny Effect = iota // no statement applies
	Allow                      // a statement allows and none denies
	ExplicitDeny               // a statement denies
)

// String returns the verdict's name as the IAM policy simulator writes it.
func (e Effect) String() string {
	switch e {
	case Allow:
		return "allowed"
	case ExplicitDeny:
		return "explicitDeny"
	}
	return "implicitDeny"
}

// Kind is the use of a policy: which elements it must and must not have.
type Kind uint8

// The kinds of policies.
const (
	// Identity policies belong to a user, group, role, boundary or session: no
	// Principal, and a Resource.
	Identity Kind = iota

	// Resource policies belong to a resource: a Principal and a Resource.
	Resource

	// Trust policies say who may assume a role: a Principal and no Resource.
	Trust

	// Authorizer policies are returned by Lambda authorizers: no Principal; a
	// Resource that need not be an ARN.
	Authorizer
)

// A Request is what a policy is asked about. Evaluation does not change it.
type Request struct {
	Action    string     // "execute-api:Invoke", in any case
	Resource  string     // ARN; "*" for actions without a resource
	Principal *Principal // who asks; nil is anonymous
	Keys      Keys       // condition keys; nil has none

	// Spellings are other names that something behind the gateway could read for the
	// resource ("/%61dmin" is "/admin"). They grant nothing: a Deny that is about one of
	// them denies, and an Allow of all but named resources allows none of these.
	Spellings []string
}

// Keys gives the values of condition keys. It is asked only for the keys that
// statements which otherwise apply mention, so values may be computed on demand.
type Keys interface {
	// Value returns the value of the key called name, in lower case
	// ("aws:sourceip", "aws:principaltag/team"): names of condition keys have no
	// case. The zero Value says that the request has no such key.
	Value(name string) Value
}

// A Verdict is the outcome of one policy. It says which statement decided; for an
// implicit deny, none did.
type Verdict struct {
	Effect    Effect
	Statement int    // from 0; -1 when none decided
	Sid       string // of that statement; "" when it has none
	Grant     Grant  // of an Allow by a resource policy: whom it names
}

// Evaluate returns the policy's verdict on r. A nil policy is silent.
func (p *Policy) Evaluate(r *Request) Verdict {
	v := Verdict{Statement: -1}
	if p == nil {
		return v
	}
	for i := range p.statements {
		st := &p.statements[i]
		if !st.deny && v.Effect == Allow && (p.kind == Identity || p.kind == Authorizer) {
			continue // a second Allow changes nothing
		}
		grant, ok := st.applies(r)
		switch {
		case !ok:
		case st.deny:
			return Verdict{ExplicitDeny, i, st.sid, GrantNone}
		case v.Effect != Allow || grant > v.Grant:
			v = Verdict{Allow, i, st.sid, grant}
		}
	}
	return v
}

// NamesCallers reports whether a statement names AWS principals other than everybody. A nil
// policy names nobody.
func (p *Policy) NamesCallers() bool {
	if p == nil {
		return false
	}
	for i := range p.statements {
		for _, who := range p.statements[i].principals.list {
			if who.kind == awsPrincipal {
				return true
			}
		}
	}
	return false
}

// applies reports whether the statement is about the request, and how it names the
// principal. The order is from cheap to dear.
func (st *statement) applies(r *Request) (Grant, bool) {
	if !st.matchesAction(r) || !st.matchesResource(r) {
		return GrantNone, false
	}
	grant, ok := st.principals.match(r.Principal)
	if !ok {
		return GrantNone, false
	}
	for i := range st.conditions {
		if !st.conditions[i].holds(r.Keys) {
			return GrantNone, false
		}
	}
	return grant, true
}

func (st *statement) matchesAction(r *Request) bool {
	return matchAny(st.actions, r.Action, r.Keys, true) != st.notAction
}

func (st *statement) matchesResource(r *Request) bool {
	if st.resources == nil { // trust policies
		return true
	}
	is := matchAny(st.resources, r.Resource, r.Keys, false) != st.notResource
	for _, name := range r.Spellings {
		switch other := matchAny(st.resources, name, r.Keys, false) != st.notResource; {
		case st.deny && other:
			return true
		case !st.deny && st.notResource && !other:
			return false
		}
	}
	return is
}

func matchAny(patterns []pattern, s string, keys Keys, fold bool) bool {
	for i := range patterns {
		if patterns[i].match(s, keys, fold) {
			return true
		}
	}
	return false
}
