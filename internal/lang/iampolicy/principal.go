package iampolicy

import "strings"

// A Principal is who makes a request, as resource policies name it. Members that do
// not apply are "". A nil Principal is anonymous.
type Principal struct {
	ARN     string // of the user, the session or the root user
	Account string // 12 digits
	RoleARN string // of a session: the role's ARN
	ID      string // aws:userid: "AIDA…", "AROA…:session"

	Service   string // "apigateway.amazonaws.com"
	Federated string // "cognito-identity.amazonaws.com", or a provider's ARN
	Canonical string // S3's canonical user id
}

// Grant is how a resource policy names the principal that it allows; the later ones are
// more specific.
type Grant uint8

// The forms of grants.
const (
	GrantNone      Grant = iota
	GrantAccount         // the account, which delegates: an identity policy must allow too
	GrantAnyone          // "*"
	GrantRole            // the role of the session
	GrantPrincipal       // the user, the session, or a service
)

// principals is a Principal or NotPrincipal element.
type principals struct {
	set  bool // the element is there
	not  bool // NotPrincipal
	all  bool // "*"
	list []principal
}

type principal struct {
	kind  principalKind
	value string
}

type principalKind uint8

const (
	awsPrincipal principalKind = iota
	servicePrincipal
	federatedPrincipal
	canonicalPrincipal
)

var principalKinds = map[string]principalKind{
	"AWS":           awsPrincipal,
	"Service":       servicePrincipal,
	"Federated":     federatedPrincipal,
	"CanonicalUser": canonicalPrincipal,
}

// match reports whether the element is about who, and how it names it. A statement
// without the element is about everybody that its policy is attached to.
func (p *principals) match(who *Principal) (Grant, bool) {
	if !p.set {
		return GrantNone, true
	}
	best := GrantNone
	if p.all {
		best = GrantAnyone
	}
	if who != nil {
		for i := range p.list {
			best = max(best, p.list[i].grant(who))
		}
	}
	if p.not {
		return GrantNone, best == GrantNone
	}
	return best, best != GrantNone
}

// grant returns how the entry names who, GrantNone when it does not.
func (p *principal) grant(who *Principal) Grant {
	own := ""
	switch p.kind {
	case servicePrincipal:
		own = who.Service
	case federatedPrincipal:
		own = who.Federated
	case canonicalPrincipal:
		own = who.Canonical
	default:
		return p.grantAWS(who)
	}
	if own != "" && own == p.value {
		return GrantPrincipal
	}
	return GrantNone
}

func (p *principal) grantAWS(who *Principal) Grant {
	if who.Account == "" {
		return GrantNone
	}
	if p.value == who.ARN {
		return GrantPrincipal
	}
	if p.value == who.RoleARN {
		return GrantRole
	}
	if account, ok := principalAccount(p.value); ok && account == who.Account {
		return GrantAccount
	}
	if id, _, session := strings.Cut(who.ID, ":"); id == "" || p.value != who.ID && p.value != id {
		return GrantNone
	} else if session && p.value == id {
		return GrantRole
	}
	return GrantPrincipal
}

// principalAccount returns the account that a value names: "123456789012" or the ARN
// of its root.
func principalAccount(v string) (string, bool) {
	if rest, ok := strings.CutPrefix(v, "arn:"); ok {
		_, rest, ok = strings.Cut(rest, ":iam::")
		if !ok {
			return "", false
		}
		if v, ok = strings.CutSuffix(rest, ":root"); !ok {
			return "", false
		}
	}
	return v, isAccount(v)
}

func isAccount(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}

// validAWSPrincipal reports whether v has a form that names somebody: an account, the
// ARN of an account's root, user, role or session, or a unique id. Wildcards within
// are not among them.
func validAWSPrincipal(v string) bool {
	if strings.ContainsAny(v, "*?") {
		return false
	}
	if isAccount(v) {
		return true
	}
	if p := strings.SplitN(v, ":", 6); len(p) == 6 {
		return p[0] == "arn" && p[1] != "" && (p[2] == "iam" || p[2] == "sts") && p[3] == "" && isAccount(p[4]) && p[5] != ""
	}
	return len(v) >= 16 && strings.HasPrefix(v, "A") && strings.ToUpper(v) == v && !strings.ContainsAny(v, ":/ ")
}
