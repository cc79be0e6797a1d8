package server

import (
	"context"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/control/domains"
	"gatehouse/internal/control/objects"
	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/store"
)

// trustStoreObjects reads trust stores from Gatehouse's own S3 in the name of the caller.
type trustStoreObjects struct {
	objects *objects.Service
	may     objects.May
}

// ReadObject implements domains.Objects.
func (t trustStoreObjects) ReadObject(ctx context.Context, tx *store.Tx, bucket, key, version string, limit int64) (domains.Object, error) {
	l := objects.Location{Bucket: bucket, Key: key, Version: version}
	if err := t.may(ctx, l.Action(), l.ARN()); err != nil {
		return domains.Object{}, err
	}
	f, err := t.objects.ReadIn(tx, l, limit)
	if awserr.Code(err) == objects.ErrTooLarge {
		return domains.Object{}, domains.ErrTooLarge
	}
	if err != nil {
		return domains.Object{}, err
	}
	o := domains.Object{Data: f.Body, ETag: f.ETag}
	if f.Versioned {
		o.Version = f.Version
	}
	return o, nil
}

// resourcePolicy returns the policy of a resource that has one of its own: a bucket's or
// a function's.
func (s *Server) resourcePolicy(ctx context.Context, service, arn string) (*iampolicy.Policy, string, error) {
	switch {
	case service == "lambda" && s.functions != nil:
		return s.functions.ResourcePolicy(ctx, arn)
	case service != "s3":
		return nil, "", nil
	}
	return s.objects.ResourcePolicy(ctx, arn)
}
