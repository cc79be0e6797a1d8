package identities

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/sts"
	"gatehouse/internal/awsapi/sigv4"
	"gatehouse/internal/lang/iampolicy"
)

// STS fills the Backend of sts.
type STS struct {
	sts.Unimplemented
	s *Service
}

// STS returns the operations of sts.
func (s *Service) STS() *STS { return &STS{s: s} }

const (
	// maxSessionPolicy is the most characters of a session policy.
	maxSessionPolicy = 2048

	// chained is how long sessions may last that a session asks for.
	chained = time.Hour

	// tokenLife is how long GetSessionToken's credentials last by default, and
	// rootTokenLife at most for the root key.
	tokenLife     = 12 * time.Hour
	rootTokenLife = time.Hour
)

// GetCallerIdentity says who calls; nothing can deny it.
func (b *STS) GetCallerIdentity(ctx context.Context, _ *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
	id := caller(ctx)
	return &sts.GetCallerIdentityOutput{UserId: &id.ID, Account: &id.Account, Arn: &id.ARN}, nil
}

// GetAccessKeyInfo says which account a key belongs to.
func (b *STS) GetAccessKeyInfo(_ context.Context, in *sts.GetAccessKeyInfoInput) (*sts.GetAccessKeyInfoOutput, error) {
	if *in.AccessKeyId == b.s.config.Root.AccessKeyID {
		return &sts.GetAccessKeyInfoOutput{Account: &b.s.config.Account}, nil
	}
	if k := b.s.dir.key(*in.AccessKeyId); k != nil {
		return &sts.GetAccessKeyInfoOutput{Account: &k.account}, nil
	}
	return nil, awserr.New("ValidationError", http.StatusBadRequest, "Unable to find the account of the access key.")
}

// GetSessionToken gives the caller temporary credentials of its own.
func (b *STS) GetSessionToken(ctx context.Context, in *sts.GetSessionTokenInput) (*sts.GetSessionTokenOutput, error) {
	id := caller(ctx)
	if id.Session != nil {
		return nil, stsDenied("Cannot call GetSessionToken with session credentials")
	}
	if in.SerialNumber != nil || in.TokenCode != nil {
		return nil, stsDenied("MultiFactorAuthentication failed with invalid MFA one time pass code. ")
	}
	life := tokenLife
	if in.DurationSeconds != nil {
		life = time.Duration(*in.DurationSeconds) * time.Second
	}
	c := &session{Account: id.Account}
	if id.Kind == awsapi.Root {
		life = min(life, rootTokenLife)
	} else {
		c.SubjectID = id.ID
	}
	shown, err := b.credentials(c, life)
	return &sts.GetSessionTokenOutput{Credentials: shown}, err
}

func (b *STS) credentials(c *session, life time.Duration) (*sts.Credentials, error) {
	k, token, expires, err := b.s.issue(c, life)
	return &sts.Credentials{AccessKeyId: &k.ID, SecretAccessKey: &k.Secret, SessionToken: &token, Expiration: &expires}, err
}

func stsDenied(message string) error {
	return awserr.New("AccessDenied", http.StatusForbidden, message)
}

// AssumeRole gives credentials of a role to whom its trust policy admits.
func (b *STS) AssumeRole(ctx context.Context, in *sts.AssumeRoleInput) (*sts.AssumeRoleOutput, error) {
	if in.SerialNumber != nil || in.TokenCode != nil {
		return nil, stsDenied("MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.")
	}
	role, err := b.mayAssume(ctx, in)
	if err != nil {
		return nil, err
	}
	life, err := roleLife(caller(ctx), role, in.DurationSeconds)
	if err != nil {
		return nil, err
	}
	c := &session{Account: role.account, SubjectID: role.ID, Name: *in.RoleSessionName, Source: val(in.SourceIdentity), Tags: map[string]string{}}
	if err := b.limitSession(c, in); err != nil {
		return nil, err
	}
	if err := inheritTags(c, caller(ctx), in); err != nil {
		return nil, err
	}
	shown, err := b.credentials(c, life)
	if err != nil {
		return nil, err
	}
	p := rolePrincipal(role, c.Name)
	out := &sts.AssumeRoleOutput{Credentials: shown, AssumedRoleUser: &sts.AssumedRoleUser{AssumedRoleId: &p.ID, Arn: &p.ARN}, SourceIdentity: in.SourceIdentity}
	if n := len(val(in.Policy)); n > 0 {
		out.PackedPolicySize = new(int32((n*100 + maxSessionPolicy - 1) / maxSessionPolicy))
	}
	return out, nil
}

// mayAssume finds the role and judges its trust policy together with the caller's
// policies. A role that does not exist is refused in the same words.
func (b *STS) mayAssume(ctx context.Context, in *sts.AssumeRoleInput) (*subject, error) {
	role := b.s.role(*in.RoleArn)
	actions := []string{"sts:AssumeRole"}
	if len(in.Tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if in.SourceIdentity != nil {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	call := awsapi.CallFrom(ctx)
	for _, action := range actions {
		a := &awsapi.Access{Call: call, Action: action, Resource: *in.RoleArn, Input: in}
		keys := &callKeys{ctx: ctx, s: b.s, access: a, more: map[string]string{"sts:rolesessionname": *in.RoleSessionName}}
		if in.ExternalId != nil {
			keys.more["sts:externalid"] = *in.ExternalId
		}
		if in.SourceIdentity != nil {
			keys.more["sts:sourceidentity"] = *in.SourceIdentity
		}
		if role == nil || !b.trusts(role, &call.Identity, &iampolicy.Request{Action: action, Resource: role.arn, Principal: principalOf(&call.Identity), Keys: keys}, keys) {
			return nil, stsDenied("User: " + call.Identity.ARN + " is not authorized to perform: " + action + " on resource: " + *in.RoleArn)
		}
	}
	return role, nil
}

// trusts decides one action of assuming a role. A trust policy is always needed, as
// identity policies alone admit nobody; for the root key it is enough.
func (b *STS) trusts(role *subject, id *awsapi.Identity, r *iampolicy.Request, keys *callKeys) bool {
	admitted := role.trust.Evaluate(r).Effect == iampolicy.Allow
	if id.Kind != awsapi.Root {
		set, ok := b.s.policiesOf(id)
		set.Resource, set.CrossAccount = role.trust, role.account != id.Account
		d := set.Decide(r)
		admitted = admitted && ok && d.Effect == iampolicy.Allow
	}
	return admitted && keys.unknown == "" && keys.err == nil
}

// role returns the role of an ARN, nil when there is none.
func (s *Service) role(arn string) *subject {
	rest, ok := strings.CutPrefix(arn, "arn:aws:iam::")
	account, path, ok2 := strings.Cut(rest, ":role/")
	if !ok || !ok2 {
		return nil
	}
	role := s.dir.named(&roles, account, path[strings.LastIndexByte(path, '/')+1:])
	if role == nil || role.arn != arn {
		return nil
	}
	return role
}

// roleLife is how long the session lasts.
func roleLife(id *awsapi.Identity, role *subject, seconds *int32) (time.Duration, error) {
	life := time.Duration(defaultSession) * time.Second
	if seconds == nil {
		return life, nil
	}
	life = time.Duration(*seconds) * time.Second
	if life > time.Duration(role.MaxSession)*time.Second {
		return 0, invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	if id.Kind == awsapi.AssumedRole && life > chained {
		return 0, invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	return life, nil
}

// limitSession adds the session policies.
func (b *STS) limitSession(c *session, in *sts.AssumeRoleInput) error {
	if text := val(in.Policy); text != "" {
		if len(text) > maxSessionPolicy {
			return sts.PackedPolicyTooLargeException("The session policy has " + "more than 2048 characters.")
		}
		if _, err := iampolicy.Parse(text, iampolicy.Identity); err != nil {
			return sts.MalformedPolicyDocumentException(err.Error())
		}
		c.Policies = append(c.Policies, text)
	}
	for _, p := range in.PolicyArns {
		arn := val(p.Arn)
		if !b.s.dir.hasPolicy(c.Account, arn) {
			return sts.MalformedPolicyDocumentException("Policy " + arn + " " + notAttachable)
		}
		c.PolicyARNs = append(c.PolicyARNs, arn)
	}
	return nil
}

// hasPolicy reports whether an account can use a managed policy.
func (d *directory) hasPolicy(account, arn string) bool {
	if awsManaged(arn) != nil {
		return true
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	owner, _, ok := policyName(arn)
	return ok && owner == account && d.policies[arn] != nil
}

// inheritTags sets the session's tags: the transitive ones of the caller's session, which
// cannot be changed, and those of the call.
func inheritTags(c *session, id *awsapi.Identity, in *sts.AssumeRoleInput) error {
	if parent, ok := id.Session.(*session); ok && id.Kind == awsapi.AssumedRole {
		for _, key := range parent.Transitive {
			c.Tags[key] = parent.Tags[key]
		}
		c.Transitive = slices.Clone(parent.Transitive)
		if parent.Source != "" {
			c.Source = parent.Source
		}
	}
	for _, t := range in.Tags {
		for key := range c.Tags {
			if strings.EqualFold(key, *t.Key) {
				return sts.InvalidIdentityTokenException("Tag key " + *t.Key + " is there twice or inherited.")
			}
		}
		c.Tags[*t.Key] = *t.Value
	}
	if len(c.Tags) > maxTags {
		return sts.PackedPolicyTooLargeException("A session has at most 50 tags.")
	}
	for _, key := range in.TransitiveTagKeys {
		if _, ok := c.Tags[key]; !ok {
			return invalid("The transitive tag key " + key + " is not among the session's tags.")
		}
		c.Transitive = append(c.Transitive, key)
	}
	return nil
}

// A RoleSession is temporary credentials of a role that a part of Gatehouse uses: a
// function's environment, an integration's call.
type RoleSession struct {
	Key     Key
	Token   string
	Expires time.Time
}

// AssumeForService gives credentials of a role to a service ("lambda.amazonaws.com")
// that its trust policy admits. keys are the condition keys of the service's call
// (aws:SourceArn, say); nil has none. The error says why not.
func (s *Service) AssumeForService(roleARN, name, service string, keys iampolicy.Keys, life time.Duration) (RoleSession, error) {
	role, err := s.assumable(roleARN, service, keys)
	if err != nil {
		return RoleSession{}, err
	}
	k, token, expires, err := s.issue(&session{Account: role.account, SubjectID: role.ID, Name: name}, life)
	return RoleSession{k, token, expires}, err
}

// assumable returns a role whose trust policy admits a service; the error is STS's denial.
func (s *Service) assumable(roleARN, service string, keys iampolicy.Keys) (*subject, error) {
	role := s.role(roleARN)
	r := &iampolicy.Request{Action: "sts:AssumeRole", Resource: roleARN, Principal: &iampolicy.Principal{Service: service}, Keys: keys}
	if role == nil || role.trust.Evaluate(r).Effect != iampolicy.Allow {
		return nil, stsDenied("User: " + service + " is not authorized to perform: sts:AssumeRole on resource: " + roleARN)
	}
	return role, nil
}

// ActAs returns a role as a service acts for it, under a session name, when its trust
// policy admits the service (see AssumeForService): for deciding what the role may do
// without issuing credentials. The error is STS's denial.
func (s *Service) ActAs(roleARN, name, service string, keys iampolicy.Keys) (sigv4.Principal, error) {
	role, err := s.assumable(roleARN, service, keys)
	if err != nil {
		return sigv4.Principal{}, err
	}
	return rolePrincipal(role, name), nil
}
