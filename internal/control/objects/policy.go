package objects

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/store"
)

// maxPolicy is the largest bucket policy, in bytes.
const maxPolicy = 20 << 10

// GetBucketPolicy returns the policy as it was put.
func (s *Service) GetBucketPolicy(ctx context.Context, in *s3.GetBucketPolicyInput) (out *s3.GetBucketPolicyOutput, err error) {
	err = s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(_ *store.Tx, p place) error {
		if p.Policy == "" {
			return noPolicy(p)
		}
		out = &s3.GetBucketPolicyOutput{Policy: &p.Policy}
		return nil
	})
	return out, err
}

func noPolicy(p place) error {
	return s3.NoSuchBucketPolicy("The bucket policy does not exist").With("BucketName", p.key.ID)
}

// PutBucketPolicy replaces the policy.
func (s *Service) PutBucketPolicy(ctx context.Context, in *s3.PutBucketPolicyInput) (*s3.PutBucketPolicyOutput, error) {
	doc, err := checkPolicy(*in.Policy, *in.Bucket)
	if err != nil {
		return nil, err
	}
	return nil, s.configure(ctx, in.Bucket, in.ExpectedBucketOwner, func(b *bucket) error {
		if b.Public != nil && b.Public.Policy && public(doc) {
			return awserr.New("AccessDenied", http.StatusForbidden, "User: "+caller(ctx).Identity.ARN+" is not authorized to perform: s3:PutBucketPolicy on resource: \"arn:aws:s3:::"+*in.Bucket+
				"\" because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.")
		}
		b.Policy = *in.Policy
		return nil
	})
}

// DeleteBucketPolicy removes the policy, there or not.
func (s *Service) DeleteBucketPolicy(ctx context.Context, in *s3.DeleteBucketPolicyInput) (*s3.DeleteBucketPolicyOutput, error) {
	return nil, s.configure(ctx, in.Bucket, in.ExpectedBucketOwner, func(b *bucket) error {
		b.Policy = ""
		return nil
	})
}

// GetBucketPolicyStatus tells whether the policy opens the bucket to the public.
func (s *Service) GetBucketPolicyStatus(ctx context.Context, in *s3.GetBucketPolicyStatusInput) (out *s3.GetBucketPolicyStatusOutput, err error) {
	err = s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(_ *store.Tx, p place) error {
		if p.Policy == "" {
			return noPolicy(p)
		}
		doc, err := iampolicy.ParseDocument(p.Policy, iampolicy.Resource)
		if err != nil {
			return err
		}
		out = &s3.GetBucketPolicyStatusOutput{PolicyStatus: &s3.PolicyStatus{IsPublic: opt.Of(public(doc))}}
		return nil
	})
	return out, err
}

// checkPolicy reads a policy and checks that it is about the bucket.
func checkPolicy(text, name string) (*iampolicy.Document, error) {
	if len(text) > maxPolicy {
		return nil, awserr.New("PolicyTooLarge", 400, "Policy exceeds the maximum allowed document size.")
	}
	doc, err := iampolicy.ParseDocument(text, iampolicy.Resource)
	if err == nil {
		_, err = doc.Compile()
	}
	if err != nil {
		return nil, s3.MalformedPolicy(err.Error()).Because(err)
	}
	arn := "arn:aws:s3:::" + name
	for _, st := range doc.Statements {
		for _, r := range st.Resources {
			if r != arn && !strings.HasPrefix(r, arn+"/") && !(strings.HasPrefix(r, arn) && strings.HasPrefix(r[len(arn):], "*")) {
				return nil, s3.MalformedPolicy("Policy has invalid resource").With("Detail", r)
			}
		}
		for _, a := range st.Actions {
			if a != "*" && !strings.HasPrefix(strings.ToLower(a), "s3:") {
				return nil, s3.MalformedPolicy("Policy has invalid action").With("Detail", a)
			}
		}
	}
	return doc, nil
}

// narrowing are the condition keys with a fixed value that keep a statement for
// everyone from being public (S3 user guide, "The meaning of public").
var narrowing = []string{"aws:sourcearn", "aws:sourceaccount", "aws:sourceowner", "aws:sourcevpc", "aws:sourcevpce", "aws:principalarn",
	"aws:principalaccount", "aws:principalorgid", "aws:principalorgpaths", "aws:userid", "s3:dataaccesspointarn", "s3:dataaccesspointaccount"}

// public reports whether a policy allows anything to everyone.
func public(doc *iampolicy.Document) bool {
	return slices.ContainsFunc(doc.Statements, func(st iampolicy.Statement) bool {
		anyone := st.NotPrincipal || slices.ContainsFunc(st.Principals, func(p iampolicy.PrincipalEntry) bool {
			return p.Value == "*" && (p.Type == "" || p.Type == "AWS")
		})
		return !st.Deny && anyone && !slices.ContainsFunc(st.Conditions, narrows)
	})
}

func narrows(c iampolicy.Condition) bool {
	operator := strings.ToLower(c.Operator)
	if strings.Contains(operator, "not") || strings.HasSuffix(operator, "ifexists") || strings.HasPrefix(operator, "forallvalues") {
		return false
	}
	key := strings.ToLower(c.Key)
	fixed := !slices.ContainsFunc(c.Values, func(v string) bool { return strings.ContainsAny(v, "*?$") })
	if key == "aws:sourceip" {
		return !slices.ContainsFunc(c.Values, wideRange)
	}
	return slices.Contains(narrowing, key) && fixed
}

// wideRange reports whether a range of addresses is so wide that it is public.
func wideRange(cidr string) bool {
	_, n, err := net.ParseCIDR(cidr)
	if err != nil {
		return false // one address
	}
	ones, bits := n.Mask.Size()
	return bits == 32 && ones < 8 || bits == 128 && ones < 32
}

// A policyCache keeps the compiled policies of buckets by bucket; a policy is compiled
// anew when its text changed.
type policyCache struct {
	mu      sync.Mutex
	compile map[string]compiled
}

type compiled struct {
	text   string
	policy *iampolicy.Policy
	public bool
}

func (c *policyCache) get(name, text string) (compiled, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if have := c.compile[name]; have.text == text {
		return have, nil
	}
	doc, err := iampolicy.ParseDocument(text, iampolicy.Resource)
	if err != nil {
		return compiled{}, err
	}
	p, err := doc.Compile()
	if err != nil {
		return compiled{}, err
	}
	if c.compile == nil || len(c.compile) > 1000 { // of no use but to bound it
		c.compile = make(map[string]compiled)
	}
	c.compile[name] = compiled{text, p, public(doc)}
	return c.compile[name], nil
}

// ResourcePolicy returns the policy that guards an S3 ARN and the account that owns the
// bucket, for the judgement of a call. Without a policy, or a bucket, it is nil; a
// bucket that does not exist has no owner. A public policy opens nothing to foreigners
// when RestrictPublicBuckets is set.
func (s *Service) ResourcePolicy(ctx context.Context, arn string) (policy *iampolicy.Policy, account string, err error) {
	rest, ok := strings.CutPrefix(arn, "arn:aws:s3:::")
	if !ok {
		return nil, "", nil
	}
	name, _, _ := strings.Cut(rest, "/")
	var p place
	err = s.store.View(ctx, func(tx *store.Tx) (err error) {
		p, err = find(tx, name)
		return err
	})
	if awserr.Code(err) == "NoSuchBucket" {
		return nil, "", nil
	}
	if err != nil || p.Policy == "" {
		return nil, p.key.Account, err
	}
	c, err := s.policies.get(name, p.Policy)
	if err != nil {
		return nil, p.key.Account, err
	}
	id := caller(ctx).Identity
	foreign := id.Kind == awsapi.Anonymous || id.Account != p.key.Account
	if c.public && foreign && p.Public != nil && p.Public.RestrictPublic {
		return nil, p.key.Account, nil
	}
	return c.policy, p.key.Account, nil
}
