package objects

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/store"
)

// A bucket is the document of one bucket; its id is the name.
type bucket struct {
	Region     string `json:"region"`
	Versioning string `json:"versioning,omitempty"` // "", "Enabled" or "Suspended"
	Tags       []tag  `json:"tags,omitempty"`
	Policy     string `json:"policy,omitempty"` // as it was put
	Ownership  string `json:"ownership,omitempty"`
	BucketKey  bool   `json:"bucketKey,omitempty"` // of the default encryption
	Public     *block `json:"publicAccessBlock,omitempty"`
}

// A block is a public access block.
type block struct {
	ACLs           bool `json:"blockPublicAcls"`
	IgnoreACLs     bool `json:"ignorePublicAcls"`
	Policy         bool `json:"blockPublicPolicy"`
	RestrictPublic bool `json:"restrictPublicBuckets"`
}

const (
	versioningEnabled   = "Enabled"
	versioningSuspended = "Suspended"

	// defaultRegion is where a bucket without a location constraint lives.
	defaultRegion = "us-east-1"

	ownershipEnforced = "BucketOwnerEnforced"
)

var buckets = store.Collection[bucket]{Kind: "s3bucket"}

// bucketNames is the scope of bucket names: all accounts share it.
const bucketNames = "s3bucket"

// A place is a bucket as found in a transaction.
type place struct {
	key store.Key
	bucket
}

// find looks a bucket up by its name, whoever owns it.
func find(tx *store.Tx, name string) (place, error) {
	key, err := tx.Holder(bucketNames, name)
	if err != nil {
		return place{}, absent(err, noSuchBucket(name))
	}
	b, err := buckets.Get(tx, key.Scope(), key.ID)
	return place{key, b}, err
}

// locate is find for a call: it also checks what the call says about the bucket. A call
// signed for another region is sent there, as in S3.
func locate(ctx context.Context, tx *store.Tx, name, expectedOwner *string) (place, error) {
	p, err := find(tx, opt.Value(name))
	if err != nil {
		return p, err
	}
	if expectedOwner != nil && *expectedOwner != p.key.Account {
		return p, accessDenied()
	}
	c := caller(ctx)
	if c.Identity.Kind == awsapi.Root && c.Identity.Account != p.key.Account {
		return p, accessDenied() // root is above the policies of its own account only
	}
	if c.Identity.Kind != awsapi.Anonymous && c.Region != p.Region {
		return p, s3.PermanentRedirect("The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.").
			With("Bucket", p.key.ID).WithHeader("x-amz-bucket-region", p.Region)
	}
	return p, nil
}

// version returns the version id that answers show: none while versioning was never
// configured.
func (p place) version(id string) *string {
	if p.Versioning == "" {
		return nil
	}
	return &id
}

// newVersion returns the id for what is put or marked as deleted now.
func (p place) newVersion() string {
	if p.Versioning == versioningEnabled {
		return newID()
	}
	return nullVersion
}

// view runs fn on the bucket of a call.
func (s *Service) view(ctx context.Context, name, expectedOwner *string, fn func(*store.Tx, place) error) error {
	return s.store.View(ctx, func(tx *store.Tx) error {
		p, err := locate(ctx, tx, name, expectedOwner)
		if err != nil {
			return err
		}
		return fn(tx, p)
	})
}

// update runs fn as a writer on the bucket of a call.
func (s *Service) update(ctx context.Context, name, expectedOwner *string, fn func(*store.Tx, place) error) error {
	_, err := s.store.Update(ctx, func(tx *store.Tx) error {
		p, err := locate(ctx, tx, name, expectedOwner)
		if err != nil {
			return err
		}
		return fn(tx, p)
	})
	return err
}

// configure changes the document of a bucket.
func (s *Service) configure(ctx context.Context, name, expectedOwner *string, change func(*bucket) error) error {
	return s.update(ctx, name, expectedOwner, func(tx *store.Tx, p place) error {
		if err := change(&p.bucket); err != nil {
			return err
		}
		return buckets.Put(tx, p.key.Scope(), p.key.ID, p.bucket)
	})
}

var (
	bucketForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	addressing = regexp.MustCompile(`^\d+\.\d+\.\d+\.\d+$`)
)

// checkName applies the naming rules of general purpose buckets.
func checkName(name string) error {
	reserved := strings.HasPrefix(name, "xn--") || strings.HasPrefix(name, "sthree-") || strings.HasPrefix(name, "amzn-s3-demo-") ||
		strings.HasSuffix(name, "-s3alias") || strings.HasSuffix(name, "--ol-s3") || strings.HasSuffix(name, "--x-s3") || strings.HasSuffix(name, ".mrap")
	if !bucketForm.MatchString(name) || strings.Contains(name, "..") || addressing.MatchString(name) || reserved {
		return s3.InvalidBucketName("The specified bucket is not valid.").With("BucketName", name)
	}
	return nil
}

// CreateBucket makes a bucket in the region of the call.
func (s *Service) CreateBucket(ctx context.Context, in *s3.CreateBucketInput) (*s3.CreateBucketOutput, error) {
	name := *in.Bucket
	c := caller(ctx)
	if err := checkName(name); err != nil {
		return nil, err
	}
	b := bucket{Ownership: ownershipEnforced, Public: &block{true, true, true, true}}
	var err error
	if b.Region, err = constrain(in.CreateBucketConfiguration, c.Region); err != nil {
		return nil, err
	}
	if in.CreateBucketConfiguration != nil {
		if b.Tags, err = bucketTags(in.CreateBucketConfiguration.Tags); err != nil {
			return nil, err
		}
	}
	if in.ObjectOwnership != nil {
		b.Ownership = string(*in.ObjectOwnership)
	}
	if opt.Value(in.ObjectLockEnabledForBucket) {
		return nil, notServed("object lock")
	}
	if err := checkACL(b, opt.Text(in.ACL), in.GrantFullControl, in.GrantRead, in.GrantReadACP, in.GrantWrite, in.GrantWriteACP); err != nil {
		return nil, err
	}
	_, err = s.store.Update(ctx, func(tx *store.Tx) error {
		if held, err := tx.Holder(bucketNames, name); err == nil {
			return taken(held, c)
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		in := store.Scope{Account: c.Account}
		if err := buckets.Create(tx, in, name, b); err != nil {
			return err
		}
		return tx.Claim(bucketNames, name, buckets.Key(in, name))
	})
	if err != nil && !errors.Is(err, errAgain) {
		return nil, err
	}
	location, arn := "/"+name, "arn:aws:s3:::"+name
	if c.Region != defaultRegion {
		location = "http://" + name + ".s3.amazonaws.com/"
	}
	return &s3.CreateBucketOutput{Location: &location, BucketArn: &arn}, nil
}

// errAgain says that the bucket is there already and that this is well.
var errAgain = errors.New("bucket exists")

// taken is the answer when the name is held. In us-east-1 creating one's own bucket
// again succeeds.
func taken(held store.Key, c *awsapi.Call) error {
	switch {
	case held.Account != c.Account:
		return s3.BucketAlreadyExists("The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.").
			With("BucketName", held.ID)
	case c.Region == defaultRegion:
		return errAgain
	}
	return s3.BucketAlreadyOwnedByYou("Your previous request to create the named bucket succeeded and you already own it.").With("BucketName", held.ID)
}

// constrain returns the region of a new bucket. Only us-east-1 makes buckets elsewhere.
func constrain(config *s3.CreateBucketConfiguration, region string) (string, error) {
	constraint := ""
	if config != nil {
		constraint = opt.Text(config.LocationConstraint)
	}
	if constraint == "EU" {
		constraint = "eu-west-1"
	}
	incompatible := func(which string) error {
		return s3.IllegalLocationConstraintException("The " + which + " location constraint is incompatible for the region specific endpoint this request was sent to.")
	}
	switch {
	case constraint == "" && region == defaultRegion:
		return region, nil
	case constraint == "":
		return "", incompatible("unspecified")
	case constraint != region && region != defaultRegion:
		return "", incompatible(constraint)
	}
	return constraint, nil
}

// HeadBucket tells whether a bucket is there, and its region.
func (s *Service) HeadBucket(ctx context.Context, in *s3.HeadBucketInput) (out *s3.HeadBucketOutput, err error) {
	err = s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(_ *store.Tx, p place) error {
		out = &s3.HeadBucketOutput{BucketRegion: &p.Region, AccessPointAlias: new(false), BucketArn: opt.Of("arn:aws:s3:::" + p.key.ID)}
		return nil
	})
	return out, err
}

// GetBucketLocation answers from every region; us-east-1 is the empty constraint.
func (s *Service) GetBucketLocation(ctx context.Context, in *s3.GetBucketLocationInput) (out *s3.GetBucketLocationOutput, err error) {
	err = s.store.View(ctx, func(tx *store.Tx) error {
		p, err := find(tx, *in.Bucket)
		if err != nil {
			return err
		}
		if in.ExpectedBucketOwner != nil && *in.ExpectedBucketOwner != p.key.Account {
			return accessDenied()
		}
		out = &s3.GetBucketLocationOutput{}
		if p.Region != defaultRegion {
			out.LocationConstraint = opt.Convert[s3.BucketLocationConstraint](p.Region)
		}
		return nil
	})
	return out, err
}

// DeleteBucket removes a bucket without objects; uploads in progress go with it.
func (s *Service) DeleteBucket(ctx context.Context, in *s3.DeleteBucketInput) (*s3.DeleteBucketOutput, error) {
	return nil, s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx *store.Tx, p place) error {
		holds, err := tx.HasObjects(p.key)
		if err != nil {
			return err
		}
		if holds {
			message := "The bucket you tried to delete is not empty"
			if p.Versioning != "" {
				message += ". You must delete all versions in the bucket."
			}
			return s3.BucketNotEmpty(message).With("BucketName", p.key.ID)
		}
		if _, err := uploads.DeleteAll(tx, p.uploads()); err != nil {
			return err
		}
		return tx.Delete(p.key)
	})
}

// ListBuckets lists the caller's buckets by name, page by page if asked to.
func (s *Service) ListBuckets(ctx context.Context, in *s3.ListBucketsInput) (*s3.ListBucketsOutput, error) {
	c := caller(ctx)
	if c.Identity.Kind == awsapi.Anonymous {
		return nil, accessDenied()
	}
	limit := int(opt.Or(in.MaxBuckets, 10_000))
	if limit < 1 || limit > 10_000 {
		return nil, invalidArgument("Argument max-buckets must be an integer between 1 and 10000", "max-buckets", "")
	}
	after := ""
	if in.ContinuationToken != nil {
		var err error
		if after, err = readToken(*in.ContinuationToken); err != nil {
			return nil, err
		}
	}
	out := &s3.ListBucketsOutput{Owner: owner(c.Account), Prefix: in.Prefix, Buckets: []s3.Bucket{}}
	err := s.store.View(ctx, func(tx *store.Tx) error {
		all, _, err := buckets.List(tx, store.Scope{Account: c.Account}, store.Page{Order: store.ByID})
		for _, item := range all {
			name := item.Key.ID
			if name <= after || !strings.HasPrefix(name, opt.Value(in.Prefix)) || in.BucketRegion != nil && *in.BucketRegion != item.Value.Region {
				continue
			}
			if len(out.Buckets) == limit {
				out.ContinuationToken = opt.Of(makeToken(*out.Buckets[limit-1].Name))
				break
			}
			out.Buckets = append(out.Buckets, s3.Bucket{Name: &name, CreationDate: &item.Created, BucketRegion: &item.Value.Region})
		}
		return err
	})
	return out, err
}

// checkACL accepts what gives nobody but the owner access, which is how all buckets and
// objects are, and refuses what could not be enforced.
func checkACL(b bucket, canned string, grants ...*string) error {
	granted := slices.ContainsFunc(grants, func(g *string) bool { return opt.Value(g) != "" })
	switch {
	case !granted && (canned == "" || canned == "private" || canned == "bucket-owner-full-control"):
		return nil
	case b.Ownership == ownershipEnforced:
		return awserr.New("AccessControlListNotSupported", 400, "The bucket does not allow ACLs")
	}
	return notServed("access control lists other than private; use a bucket policy")
}
