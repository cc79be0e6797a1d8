package sigv4

// A Principal is who a key belongs to.
type Principal struct {
	Kind    PrincipalKind
	Account string // 12 digits

	// ARN is "arn:aws:iam::ACCOUNT:root", "arn:aws:iam::ACCOUNT:user/path/name" or
	// "arn:aws:sts::ACCOUNT:assumed-role/role/session".
	ARN string

	// ID is aws:userid: the account for root, "AIDA…" for users, "AROA…:session" for
	// roles.
	ID string

	// Name is the user's name (aws:username) or, for sessions, the role's name.
	Name string

	// RoleARN is "arn:aws:iam::ACCOUNT:role/path/name" for sessions of roles.
	RoleARN string

	// Session is what the issuer of a session wants to find again (its session
	// policies, say); nil for long-term keys. The verifier does not look into it.
	Session any
}

// PrincipalKind tells the sorts of principals apart.
type PrincipalKind uint8

// The kinds of principals. The zero value is none of them.
const (
	Root PrincipalKind = iota + 1
	User
	AssumedRole
	FederatedUser
)
