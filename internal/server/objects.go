package server

import (
	"context"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/control/domains"
	"gatehouse/internal/control/objects"
	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/store"
)

// trustStoreObjects reads trust stores and what tags name from Gatehouse's own S3: in the name
// of the caller, or of the service on behalf of a domain name.
type trustStoreObjects struct {
	objects *objects.Service
	caller  objects.May
}

// may judges the reader and then returns whether the object is there.
func (t trustStoreObjects) may(ctx context.Context, domainARN string, l objects.Location) error {
	if domainARN == "" {
		return t.caller(ctx, l.Action(), l.ARN())
	}
	return t.objects.AsService(servicePrincipal, domainARN)(ctx, l.Action(), l.ARN())
}

// MayRead implements domains.Objects.
func (t trustStoreObjects) MayRead(ctx context.Context, tx *store.Tx, domainARN, bucket, key, version string) error {
	l := objects.Location{Bucket: bucket, Key: key, Version: version}
	if err := t.may(ctx, domainARN, l); err != nil {
		return err
	}
	return t.objects.ExistsIn(tx, l)
}

// ReadObject implements domains.Objects.
func (t trustStoreObjects) ReadObject(ctx context.Context, tx *store.Tx, domainARN, bucket, key, version string, limit int64) (domains.Object, error) {
	l := objects.Location{Bucket: bucket, Key: key, Version: version}
	if err := t.may(ctx, domainARN, l); err != nil {
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
