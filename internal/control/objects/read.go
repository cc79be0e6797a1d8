package objects

import (
	"context"
	"strings"
	"time"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/store"
)

// A Location names an object: the form s3://bucket/key, and a version.
type Location struct {
	Bucket, Key string
	Version     string // "" is the latest
}

// ParseURI reads s3://bucket/key.
func ParseURI(uri string) (Location, bool) {
	rest, ok := strings.CutPrefix(uri, "s3://")
	bucket, key, slash := strings.Cut(rest, "/")
	return Location{Bucket: bucket, Key: key}, ok && slash && bucket != "" && key != ""
}

// ARN returns the object's ARN.
func (l Location) ARN() string { return "arn:aws:s3:::" + l.Bucket + "/" + l.Key }

// Action is what reading the location needs permission for.
func (l Location) Action() string {
	if l.Version != "" {
		return "s3:GetObjectVersion"
	}
	return "s3:GetObject"
}

// A File is an object that was read as a whole.
type File struct {
	Body      []byte
	Version   string // version id; "null" in a bucket without versioning
	Versioned bool   // whether versioning was ever enabled in the bucket
	ETag      string // without quotes
	Modified  time.Time
	Region    string // of the bucket
}

// A May decides whether a reader may do an action on a resource; the error is the
// refusal.
type May func(ctx context.Context, action, resource string) error

// ErrTooLarge is the code of the error when an object is larger than its reader's limit.
const ErrTooLarge = "EntityTooLarge"

// Read reads an object of at most limit bytes for another part of the control plane:
// trust stores, code, revocation lists. may judges the reader; nil is the system itself.
// Errors are S3's (awserr.Code tells NoSuchBucket, NoSuchKey, NoSuchVersion,
// InvalidArgument, AccessDenied, MethodNotAllowed), and EntityTooLarge beyond the limit.
func (s *Service) Read(ctx context.Context, l Location, limit int64, may May) (f File, err error) {
	if may != nil {
		if err := may(ctx, l.Action(), l.ARN()); err != nil {
			return f, err
		}
	}
	err = s.store.View(ctx, func(tx *store.Tx) (err error) {
		f, err = s.ReadIn(tx, l, limit)
		return err
	})
	return f, err
}

// ReadIn is Read within a transaction, without judging anybody.
func (s *Service) ReadIn(tx *store.Tx, l Location, limit int64) (File, error) {
	p, err := find(tx, l.Bucket)
	if err != nil {
		return File{}, err
	}
	o, err := findVersion(tx, p, l.Key, &l.Version)
	if err != nil {
		return File{}, err
	}
	if o.Size > limit {
		return File{}, awserr.Newf(ErrTooLarge, 400, "s3://%s/%s has %d bytes, want at most %d", l.Bucket, l.Key, o.Size, limit)
	}
	parts, err := tx.ObjectParts(o.ObjectVersion)
	if err != nil {
		return File{}, err
	}
	body, err := tx.ReadBlobs(parts...)
	return File{Body: body, Version: o.Version, Versioned: p.Versioning != "", ETag: o.ETag, Modified: o.Modified, Region: p.Region}, err
}

// ExistsIn returns ReadIn's error without reading, nil when there is an object.
func (s *Service) ExistsIn(tx *store.Tx, l Location) error {
	p, err := find(tx, l.Bucket)
	if err == nil {
		_, err = findVersion(tx, p, l.Key, &l.Version)
	}
	return err
}

// AsCaller judges reads in the name of whoever makes the call in ctx.
func AsCaller(authorizer awsapi.Authorizer) May {
	return func(ctx context.Context, action, resource string) error {
		c := *caller(ctx)
		c.Service = "s3" // the refusal is worded as S3 does, and the bucket's policy consulted
		return authorizer.Authorize(ctx, awsapi.Access{Call: &c, Action: action, Resource: resource})
	}
}

// AsService judges reads by a service principal, such as apigateway.amazonaws.com, on
// behalf of the resource with the ARN: only the bucket's policy can allow them.
func (s *Service) AsService(principal, sourceARN string) May {
	return func(ctx context.Context, action, resource string) error {
		name, _, _ := strings.Cut(strings.TrimPrefix(resource, "arn:aws:s3:::"), "/")
		var p place
		err := s.store.View(ctx, func(tx *store.Tx) (err error) {
			p, err = find(tx, name)
			return err
		})
		if err != nil {
			return err
		}
		if p.Policy != "" {
			c, err := s.policies.get(name, p.Policy)
			if err != nil {
				return err
			}
			verdict := c.policy.Evaluate(&iampolicy.Request{Action: action, Resource: resource,
				Principal: &iampolicy.Principal{Service: principal}, Keys: serviceKeys{sourceARN}})
			if verdict.Effect == iampolicy.Allow {
				return nil
			}
		}
		return s3.AccessDenied("User: " + principal + " is not authorized to perform: " + action + " on resource: \"" + resource +
			"\" because no resource-based policy allows the " + action + " action")
	}
}

// serviceKeys are the condition keys of a request by a service principal.
type serviceKeys struct{ sourceARN string }

// Value implements iampolicy.Keys.
func (k serviceKeys) Value(name string) iampolicy.Value {
	parts := strings.SplitN(k.sourceARN, ":", 6)
	switch {
	case name == "aws:sourcearn" && k.sourceARN != "":
		return iampolicy.Text(k.sourceARN)
	case name == "aws:sourceaccount" && len(parts) == 6 && parts[4] != "":
		return iampolicy.Text(parts[4])
	case name == "aws:principalisawsservice":
		return iampolicy.Bool(true)
	}
	return iampolicy.Value{}
}
