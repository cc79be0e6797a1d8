package objects

import (
	"context"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/control/opt"
	"gatehouse/internal/store"
)

// What a bucket can be told about itself, and what clients such as Terraform ask of
// every bucket: for settings that do not exist here the answer is that they are not
// configured (reference acm-and-s3-subset.md, section 2.4).

// GetBucketVersioning answers nothing while versioning was never configured.
func (s *Service) GetBucketVersioning(ctx context.Context, in *s3.GetBucketVersioningInput) (out *s3.GetBucketVersioningOutput, err error) {
	err = s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(_ *store.Tx, p place) error {
		out = &s3.GetBucketVersioningOutput{Status: opt.Convert[s3.BucketVersioningStatus](p.Versioning)}
		return nil
	})
	return out, err
}

// PutBucketVersioning enables or suspends versioning; it can never be undone.
func (s *Service) PutBucketVersioning(ctx context.Context, in *s3.PutBucketVersioningInput) (*s3.PutBucketVersioningOutput, error) {
	if opt.Text(in.VersioningConfiguration.MFADelete) == "Enabled" {
		return nil, notServed("MFA delete")
	}
	status := opt.Text(in.VersioningConfiguration.Status)
	if status != versioningEnabled && status != versioningSuspended {
		return nil, s3.MalformedXML("The Versioning element must be specified")
	}
	return nil, s.configure(ctx, in.Bucket, in.ExpectedBucketOwner, func(b *bucket) error {
		b.Versioning = status
		return nil
	})
}

// GetBucketEncryption always answers AES256, as S3 does since 2023.
func (s *Service) GetBucketEncryption(ctx context.Context, in *s3.GetBucketEncryptionInput) (out *s3.GetBucketEncryptionOutput, err error) {
	err = s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(_ *store.Tx, p place) error {
		out = &s3.GetBucketEncryptionOutput{ServerSideEncryptionConfiguration: &s3.ServerSideEncryptionConfiguration{Rules: []s3.ServerSideEncryptionRule{{
			ApplyServerSideEncryptionByDefault: &s3.ServerSideEncryptionByDefault{SSEAlgorithm: opt.Of(s3.ServerSideEncryptionAes256)},
			BucketKeyEnabled:                   &p.BucketKey,
		}}}}
		return nil
	})
	return out, err
}

// PutBucketEncryption accepts AES256; there is no KMS.
func (s *Service) PutBucketEncryption(ctx context.Context, in *s3.PutBucketEncryptionInput) (*s3.PutBucketEncryptionOutput, error) {
	rules := in.ServerSideEncryptionConfiguration.Rules
	if len(rules) != 1 {
		return nil, malformedXML()
	}
	if by := rules[0].ApplyServerSideEncryptionByDefault; by != nil {
		if err := checkEncryption(by.SSEAlgorithm, by.KMSMasterKeyID); err != nil {
			return nil, err
		}
	}
	if rules[0].BlockedEncryptionTypes != nil {
		return nil, notServed("blocked encryption types")
	}
	return nil, s.configure(ctx, in.Bucket, in.ExpectedBucketOwner, func(b *bucket) error {
		b.BucketKey = opt.Value(rules[0].BucketKeyEnabled)
		return nil
	})
}

// DeleteBucketEncryption returns to the default, which is the same.
func (s *Service) DeleteBucketEncryption(ctx context.Context, in *s3.DeleteBucketEncryptionInput) (*s3.DeleteBucketEncryptionOutput, error) {
	return nil, s.configure(ctx, in.Bucket, in.ExpectedBucketOwner, func(b *bucket) error {
		b.BucketKey = false
		return nil
	})
}

// checkEncryption refuses keys of a key service and keys of the caller.
func checkEncryption(algorithm *s3.ServerSideEncryption, keys ...*string) error {
	if a := opt.Text(algorithm); a != "" && a != string(s3.ServerSideEncryptionAes256) {
		return notServed("server-side encryption " + a)
	}
	for _, key := range keys {
		if opt.Value(key) != "" {
			return notServed("server-side encryption with a key of KMS or of the caller")
		}
	}
	return nil
}

// GetPublicAccessBlock returns the block of a bucket.
func (s *Service) GetPublicAccessBlock(ctx context.Context, in *s3.GetPublicAccessBlockInput) (out *s3.GetPublicAccessBlockOutput, err error) {
	err = s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(_ *store.Tx, p place) error {
		if p.Public == nil {
			return s3.NoSuchPublicAccessBlockConfiguration("The public access block configuration was not found").With("BucketName", p.key.ID)
		}
		out = &s3.GetPublicAccessBlockOutput{PublicAccessBlockConfiguration: &s3.PublicAccessBlockConfiguration{
			BlockPublicAcls: &p.Public.ACLs, IgnorePublicAcls: &p.Public.IgnoreACLs,
			BlockPublicPolicy: &p.Public.Policy, RestrictPublicBuckets: &p.Public.RestrictPublic,
		}}
		return nil
	})
	return out, err
}

// PutPublicAccessBlock sets the block: public policies are refused from then on, and
// those that are there open nothing to the public.
func (s *Service) PutPublicAccessBlock(ctx context.Context, in *s3.PutPublicAccessBlockInput) (*s3.PutPublicAccessBlockOutput, error) {
	c := in.PublicAccessBlockConfiguration
	return nil, s.configure(ctx, in.Bucket, in.ExpectedBucketOwner, func(b *bucket) error {
		b.Public = &block{opt.Value(c.BlockPublicAcls), opt.Value(c.IgnorePublicAcls), opt.Value(c.BlockPublicPolicy), opt.Value(c.RestrictPublicBuckets)}
		return nil
	})
}

// DeletePublicAccessBlock removes the block.
func (s *Service) DeletePublicAccessBlock(ctx context.Context, in *s3.DeletePublicAccessBlockInput) (*s3.DeletePublicAccessBlockOutput, error) {
	return nil, s.configure(ctx, in.Bucket, in.ExpectedBucketOwner, func(b *bucket) error {
		b.Public = nil
		return nil
	})
}

// GetBucketOwnershipControls returns who owns objects.
func (s *Service) GetBucketOwnershipControls(ctx context.Context, in *s3.GetBucketOwnershipControlsInput) (out *s3.GetBucketOwnershipControlsOutput, err error) {
	err = s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(_ *store.Tx, p place) error {
		if p.Ownership == "" {
			return s3.OwnershipControlsNotFoundError("The bucket ownership controls were not found").With("BucketName", p.key.ID)
		}
		out = &s3.GetBucketOwnershipControlsOutput{OwnershipControls: &s3.OwnershipControls{
			Rules: []s3.OwnershipControlsRule{{ObjectOwnership: opt.Convert[s3.ObjectOwnership](p.Ownership)}}}}
		return nil
	})
	return out, err
}

// PutBucketOwnershipControls sets who owns objects. Since no access control list is
// accepted that gives anybody anything, all settings come to the same.
func (s *Service) PutBucketOwnershipControls(ctx context.Context, in *s3.PutBucketOwnershipControlsInput) (*s3.PutBucketOwnershipControlsOutput, error) {
	if len(in.OwnershipControls.Rules) != 1 {
		return nil, malformedXML()
	}
	return nil, s.configure(ctx, in.Bucket, in.ExpectedBucketOwner, func(b *bucket) error {
		b.Ownership = opt.Text(in.OwnershipControls.Rules[0].ObjectOwnership)
		return nil
	})
}

// DeleteBucketOwnershipControls removes the setting.
func (s *Service) DeleteBucketOwnershipControls(ctx context.Context, in *s3.DeleteBucketOwnershipControlsInput) (*s3.DeleteBucketOwnershipControlsOutput, error) {
	return nil, s.configure(ctx, in.Bucket, in.ExpectedBucketOwner, func(b *bucket) error {
		b.Ownership = ""
		return nil
	})
}

// GetBucketAcl answers that the owner, and nobody else, may do everything.
func (s *Service) GetBucketAcl(ctx context.Context, in *s3.GetBucketAclInput) (out *s3.GetBucketAclOutput, err error) {
	err = s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(_ *store.Tx, p place) error {
		out = &s3.GetBucketAclOutput{Owner: owner(p.key.Account), Grants: ownerOnly(p)}
		return nil
	})
	return out, err
}

// PutBucketAcl accepts what GetBucketAcl answers.
func (s *Service) PutBucketAcl(ctx context.Context, in *s3.PutBucketAclInput) (*s3.PutBucketAclOutput, error) {
	return nil, s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(_ *store.Tx, p place) error {
		if err := checkACL(p.bucket, opt.Text(in.ACL), in.GrantFullControl, in.GrantRead, in.GrantReadACP, in.GrantWrite, in.GrantWriteACP); err != nil {
			return err
		}
		return checkGrants(p, in.AccessControlPolicy)
	})
}

// GetObjectAcl is GetBucketAcl for an object.
func (s *Service) GetObjectAcl(ctx context.Context, in *s3.GetObjectAclInput) (out *s3.GetObjectAclOutput, err error) {
	err = s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx *store.Tx, p place) error {
		if _, err := findVersion(tx, p, *in.Key, in.VersionId); err != nil {
			return err
		}
		out = &s3.GetObjectAclOutput{Owner: owner(p.key.Account), Grants: ownerOnly(p)}
		return nil
	})
	return out, err
}

// PutObjectAcl accepts what GetObjectAcl answers.
func (s *Service) PutObjectAcl(ctx context.Context, in *s3.PutObjectAclInput) (*s3.PutObjectAclOutput, error) {
	return nil, s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx *store.Tx, p place) error {
		if _, err := findVersion(tx, p, *in.Key, in.VersionId); err != nil {
			return err
		}
		if err := checkACL(p.bucket, opt.Text(in.ACL), in.GrantFullControl, in.GrantRead, in.GrantReadACP, in.GrantWrite, in.GrantWriteACP); err != nil {
			return err
		}
		return checkGrants(p, in.AccessControlPolicy)
	})
}

func ownerOnly(p place) []s3.Grant {
	return []s3.Grant{{
		Grantee:    &s3.Grantee{ID: opt.Of(ownerID(p.key.Account)), Type: opt.Of(s3.TypeCanonicalUser)},
		Permission: opt.Of(s3.PermissionFullControl),
	}}
}

// checkGrants refuses a list that gives anybody but the owner something.
func checkGrants(p place, list *s3.AccessControlPolicy) error {
	if list == nil {
		return nil
	}
	for _, g := range list.Grants {
		if g.Grantee == nil || opt.Value(g.Grantee.ID) != ownerID(p.key.Account) {
			if p.Ownership == ownershipEnforced {
				return awserr.New("AccessControlListNotSupported", 400, "The bucket does not allow ACLs")
			}
			return notServed("access control lists other than private; use a bucket policy")
		}
	}
	return nil
}

// exists checks the bucket of a call and answers with what is the same for every bucket.
func exists[T any](ctx context.Context, s *Service, name, expectedOwner *string, out *T) (*T, error) {
	err := s.view(ctx, name, expectedOwner, func(*store.Tx, place) error { return nil })
	if err != nil {
		return nil, err
	}
	return out, nil
}

// unset checks the bucket of a call and answers that the setting is not configured.
func unset[T any](ctx context.Context, s *Service, name, expectedOwner *string, e *awserr.Error) (*T, error) {
	return nil, s.view(ctx, name, expectedOwner, func(_ *store.Tx, p place) error { return e.With("BucketName", p.key.ID) })
}

// GetBucketAccelerateConfiguration answers that acceleration is not configured.
func (s *Service) GetBucketAccelerateConfiguration(ctx context.Context, in *s3.GetBucketAccelerateConfigurationInput) (*s3.GetBucketAccelerateConfigurationOutput, error) {
	return exists(ctx, s, in.Bucket, in.ExpectedBucketOwner, &s3.GetBucketAccelerateConfigurationOutput{})
}

// GetBucketLogging answers that logging is not configured.
func (s *Service) GetBucketLogging(ctx context.Context, in *s3.GetBucketLoggingInput) (*s3.GetBucketLoggingOutput, error) {
	return exists(ctx, s, in.Bucket, in.ExpectedBucketOwner, &s3.GetBucketLoggingOutput{})
}

// GetBucketNotificationConfiguration answers that nobody is notified.
func (s *Service) GetBucketNotificationConfiguration(ctx context.Context, in *s3.GetBucketNotificationConfigurationInput) (*s3.GetBucketNotificationConfigurationOutput, error) {
	return exists(ctx, s, in.Bucket, in.ExpectedBucketOwner, &s3.GetBucketNotificationConfigurationOutput{})
}

// GetBucketRequestPayment answers that the owner pays.
func (s *Service) GetBucketRequestPayment(ctx context.Context, in *s3.GetBucketRequestPaymentInput) (*s3.GetBucketRequestPaymentOutput, error) {
	return exists(ctx, s, in.Bucket, in.ExpectedBucketOwner, &s3.GetBucketRequestPaymentOutput{Payer: opt.Of(s3.PayerBucketOwner)})
}

// GetBucketCors answers that there is no CORS configuration.
func (s *Service) GetBucketCors(ctx context.Context, in *s3.GetBucketCorsInput) (*s3.GetBucketCorsOutput, error) {
	return unset[s3.GetBucketCorsOutput](ctx, s, in.Bucket, in.ExpectedBucketOwner,
		s3.NoSuchCORSConfiguration("The CORS configuration does not exist"))
}

// GetBucketWebsite answers that there is no website.
func (s *Service) GetBucketWebsite(ctx context.Context, in *s3.GetBucketWebsiteInput) (*s3.GetBucketWebsiteOutput, error) {
	return unset[s3.GetBucketWebsiteOutput](ctx, s, in.Bucket, in.ExpectedBucketOwner,
		s3.NoSuchWebsiteConfiguration("The specified bucket does not have a website configuration"))
}

// GetBucketLifecycleConfiguration answers that there are no lifecycle rules.
func (s *Service) GetBucketLifecycleConfiguration(ctx context.Context, in *s3.GetBucketLifecycleConfigurationInput) (*s3.GetBucketLifecycleConfigurationOutput, error) {
	return unset[s3.GetBucketLifecycleConfigurationOutput](ctx, s, in.Bucket, in.ExpectedBucketOwner,
		s3.NoSuchLifecycleConfiguration("The lifecycle configuration does not exist"))
}

// GetBucketReplication answers that nothing is replicated.
func (s *Service) GetBucketReplication(ctx context.Context, in *s3.GetBucketReplicationInput) (*s3.GetBucketReplicationOutput, error) {
	return unset[s3.GetBucketReplicationOutput](ctx, s, in.Bucket, in.ExpectedBucketOwner,
		s3.ReplicationConfigurationNotFoundError("The replication configuration was not found"))
}

// GetObjectLockConfiguration answers that there is no object lock.
func (s *Service) GetObjectLockConfiguration(ctx context.Context, in *s3.GetObjectLockConfigurationInput) (*s3.GetObjectLockConfigurationOutput, error) {
	return unset[s3.GetObjectLockConfigurationOutput](ctx, s, in.Bucket, in.ExpectedBucketOwner,
		s3.ObjectLockConfigurationNotFoundError("Object Lock configuration does not exist for this bucket"))
}
