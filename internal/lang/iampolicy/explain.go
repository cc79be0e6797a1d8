package iampolicy

import "strings"

// A Finding says how one statement stood to a request.
type Finding struct {
	Statement int
	Sid       string
	Deny      bool
	Applies   bool

	// Element is the first element that kept the statement from applying: "Action",
	// "Resource", "Principal" or "Condition" (with Not where it was written so); ""
	// when it applies.
	Element string

	// Conditions are those that did not hold, when everything else matched.
	Conditions []Unmet
}

// Unmet is a condition that did not hold.
type Unmet struct {
	Operator string
	Key      string
	Found    []string // the request's values; nil when it has none
}

// String returns the condition as a sentence for people.
func (u Unmet) String() string {
	if u.Found == nil {
		return u.Operator + " on " + u.Key + ": the request has no such key"
	}
	return u.Operator + " on " + u.Key + ": found " + strings.Join(u.Found, ", ")
}

// Explain says of every statement why it applied to r or not. It is for explaining a
// decision afterwards, not for making one.
func (p *Policy) Explain(r *Request) []Finding {
	if p == nil {
		return nil
	}
	found := make([]Finding, len(p.statements))
	for i := range p.statements {
		found[i] = p.statements[i].explain(r)
		found[i].Statement = i
	}
	return found
}

func (st *statement) explain(r *Request) Finding {
	f := Finding{Sid: st.sid, Deny: st.deny}
	_, principal := st.principals.match(r.Principal)
	switch {
	case !st.matchesAction(r):
		f.Element = elementName("Action", st.notAction)
	case !st.matchesResource(r):
		f.Element = elementName("Resource", st.notResource)
	case !principal:
		f.Element = elementName("Principal", st.principals.not)
	default:
		for i := range st.conditions {
			if c := &st.conditions[i]; !c.holds(r.Keys) {
				f.Conditions = append(f.Conditions, c.unmet(r.Keys))
			}
		}
		if f.Conditions != nil {
			f.Element = "Condition"
		}
	}
	f.Applies = f.Element == ""
	return f
}

func elementName(name string, not bool) string {
	if not {
		return "Not" + name
	}
	return name
}

func (c *condition) unmet(keys Keys) Unmet {
	u := Unmet{Operator: c.name, Key: c.written}
	if keys == nil {
		return u
	}
	v := keys.Value(c.key)
	for i := range v.count() {
		u.Found = append(u.Found, v.text(i))
	}
	return u
}
