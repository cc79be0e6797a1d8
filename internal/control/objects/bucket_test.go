package objects_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
)

func TestBuckets(t *testing.T) {
	s, c := start(t, false)
	if out, err := c.CreateBucket(t.Context(), &sdk.CreateBucketInput{Bucket: new("bucket")}); err != nil || *out.Location != "/bucket" {
		t.Errorf("creating one's bucket again in us-east-1: %+v, %v", out, err)
	}
	berlin := s.client(func(o *sdk.Options) { o.Region = "eu-central-1" })
	create := func(c *sdk.Client, name, constraint string) error {
		in := &sdk.CreateBucketInput{Bucket: &name}
		if constraint != "" {
			in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(constraint)}
		}
		return second(c.CreateBucket(t.Context(), in))
	}
	if err := create(berlin, "berlin", "eu-central-1"); err != nil {
		t.Fatal(err)
	}
	fails(t, "again elsewhere", create(berlin, "berlin", "eu-central-1"), "BucketAlreadyOwnedByYou", 409)
	fails(t, "no constraint", create(berlin, "b-1", ""), "IllegalLocationConstraintException", 400)
	fails(t, "other constraint", create(berlin, "b-1", "eu-west-1"), "IllegalLocationConstraintException", 400)
	for _, name := range []string{"ab", "Upper", "a..b", "192.168.0.1", "-ab", "xn--ab", strings.Repeat("a", 64), "under_score"} {
		fails(t, name, create(c, name, ""), "InvalidBucketName", 400)
	}
	location, err := berlin.GetBucketLocation(t.Context(), &sdk.GetBucketLocationInput{Bucket: new("berlin")})
	if err != nil || location.LocationConstraint != "eu-central-1" {
		t.Errorf("location of berlin: %+v, %v", location, err)
	}
	if location, err = c.GetBucketLocation(t.Context(), &sdk.GetBucketLocationInput{Bucket: new("bucket")}); err != nil || location.LocationConstraint != "" {
		t.Errorf("location of bucket: %+v, %v", location, err)
	}
	head, err := berlin.HeadBucket(t.Context(), &sdk.HeadBucketInput{Bucket: new("berlin")})
	if err != nil || *head.BucketRegion != "eu-central-1" {
		t.Errorf("head: %+v, %v", head, err)
	}
	fails(t, "from another region", second(c.HeadBucket(t.Context(), &sdk.HeadBucketInput{Bucket: new("berlin")})), "", 301)
	fails(t, "no bucket", second(c.HeadBucket(t.Context(), &sdk.HeadBucketInput{Bucket: new("nobucket")})), "", 404)

	list, err := c.ListBuckets(t.Context(), &sdk.ListBucketsInput{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, b := range list.Buckets {
		names = append(names, *b.Name+" "+*b.BucketRegion)
	}
	if diff := cmp.Diff([]string{"berlin eu-central-1", "bucket us-east-1"}, names); diff != "" {
		t.Errorf("buckets (-want +got):\n%s", diff)
	}
	names = nil
	for pages := sdk.NewListBucketsPaginator(c, &sdk.ListBucketsInput{MaxBuckets: new(int32(1))}); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range page.Buckets {
			names = append(names, *b.Name)
		}
	}
	if diff := cmp.Diff([]string{"berlin", "bucket"}, names); diff != "" {
		t.Errorf("buckets by page (-want +got):\n%s", diff)
	}

	v := put(t, c, "k", "body")
	drop := func() error {
		return second(c.DeleteBucket(t.Context(), &sdk.DeleteBucketInput{Bucket: new("bucket")}))
	}
	fails(t, "not empty", drop(), "BucketNotEmpty", 409)
	if v != "" {
		t.Errorf("version %q", v)
	}
	if _, err := c.DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: new("bucket"), Key: new("k")}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateMultipartUpload(t.Context(), &sdk.CreateMultipartUploadInput{Bucket: new("bucket"), Key: new("k")}); err != nil {
		t.Fatal(err)
	}
	if err := drop(); err != nil {
		t.Error(err)
	}
	fails(t, "gone", drop(), "NoSuchBucket", 404)
	if err := create(c, "bucket", ""); err != nil { // the name is free again, and the upload went
		t.Error(err)
	}
	if out, err := c.ListMultipartUploads(t.Context(), &sdk.ListMultipartUploadsInput{Bucket: new("bucket")}); err != nil || len(out.Uploads) != 0 {
		t.Errorf("uploads of a new bucket: %+v, %v", out, err)
	}
}

// What Terraform's aws_s3_bucket asks of a bucket that has nothing configured
// (reference acm-and-s3-subset.md, section 2.4).
func TestUnconfiguredBucket(t *testing.T) {
	_, c := start(t, false)
	ctx, b := t.Context(), new("bucket")
	for name, call := range map[string]struct {
		err  error
		code string
	}{
		"policy":      {second(c.GetBucketPolicy(ctx, &sdk.GetBucketPolicyInput{Bucket: b})), "NoSuchBucketPolicy"},
		"cors":        {second(c.GetBucketCors(ctx, &sdk.GetBucketCorsInput{Bucket: b})), "NoSuchCORSConfiguration"},
		"website":     {second(c.GetBucketWebsite(ctx, &sdk.GetBucketWebsiteInput{Bucket: b})), "NoSuchWebsiteConfiguration"},
		"lifecycle":   {second(c.GetBucketLifecycleConfiguration(ctx, &sdk.GetBucketLifecycleConfigurationInput{Bucket: b})), "NoSuchLifecycleConfiguration"},
		"replication": {second(c.GetBucketReplication(ctx, &sdk.GetBucketReplicationInput{Bucket: b})), "ReplicationConfigurationNotFoundError"},
		"lock":        {second(c.GetObjectLockConfiguration(ctx, &sdk.GetObjectLockConfigurationInput{Bucket: b})), "ObjectLockConfigurationNotFoundError"},
		"tagging":     {second(c.GetBucketTagging(ctx, &sdk.GetBucketTaggingInput{Bucket: b})), "NoSuchTagSet"},
	} {
		fails(t, name, call.err, call.code, 404)
	}
	versioning, err := c.GetBucketVersioning(ctx, &sdk.GetBucketVersioningInput{Bucket: b})
	if err != nil || versioning.Status != "" {
		t.Errorf("versioning %+v, %v", versioning, err)
	}
	payment, err := c.GetBucketRequestPayment(ctx, &sdk.GetBucketRequestPaymentInput{Bucket: b})
	if err != nil || payment.Payer != "BucketOwner" {
		t.Errorf("payment %+v, %v", payment, err)
	}
	logging, err := c.GetBucketLogging(ctx, &sdk.GetBucketLoggingInput{Bucket: b})
	if err != nil || logging.LoggingEnabled != nil {
		t.Errorf("logging %+v, %v", logging, err)
	}
	accelerate, err := c.GetBucketAccelerateConfiguration(ctx, &sdk.GetBucketAccelerateConfigurationInput{Bucket: b})
	if err != nil || accelerate.Status != "" {
		t.Errorf("accelerate %+v, %v", accelerate, err)
	}
	encryption, err := c.GetBucketEncryption(ctx, &sdk.GetBucketEncryptionInput{Bucket: b})
	if err != nil || encryption.ServerSideEncryptionConfiguration.Rules[0].ApplyServerSideEncryptionByDefault.SSEAlgorithm != "AES256" {
		t.Errorf("encryption %+v, %v", encryption, err)
	}
	acl, err := c.GetBucketAcl(ctx, &sdk.GetBucketAclInput{Bucket: b})
	if err != nil || len(acl.Grants) != 1 || acl.Grants[0].Permission != "FULL_CONTROL" || *acl.Grants[0].Grantee.ID != *acl.Owner.ID {
		t.Errorf("acl %+v, %v", acl, err)
	}
	notification, err := c.GetBucketNotificationConfiguration(ctx, &sdk.GetBucketNotificationConfigurationInput{Bucket: b})
	if err != nil || len(notification.QueueConfigurations) != 0 {
		t.Errorf("notification %+v, %v", notification, err)
	}
}

func TestBucketSettings(t *testing.T) {
	_, c := start(t, false)
	ctx, b := t.Context(), new("bucket")
	block := &types.PublicAccessBlockConfiguration{BlockPublicAcls: new(true), IgnorePublicAcls: new(false), BlockPublicPolicy: new(true), RestrictPublicBuckets: new(false)}
	if _, err := c.PutPublicAccessBlock(ctx, &sdk.PutPublicAccessBlockInput{Bucket: b, PublicAccessBlockConfiguration: block}); err != nil {
		t.Fatal(err)
	}
	got, err := c.GetPublicAccessBlock(ctx, &sdk.GetPublicAccessBlockInput{Bucket: b})
	if err != nil || !*got.PublicAccessBlockConfiguration.BlockPublicPolicy || *got.PublicAccessBlockConfiguration.IgnorePublicAcls {
		t.Errorf("block %+v, %v", got, err)
	}
	if _, err := c.DeletePublicAccessBlock(ctx, &sdk.DeletePublicAccessBlockInput{Bucket: b}); err != nil {
		t.Fatal(err)
	}
	fails(t, "no block", second(c.GetPublicAccessBlock(ctx, &sdk.GetPublicAccessBlockInput{Bucket: b})), "NoSuchPublicAccessBlockConfiguration", 404)

	encrypt := func(algorithm types.ServerSideEncryption) error {
		return second(c.PutBucketEncryption(ctx, &sdk.PutBucketEncryptionInput{Bucket: b, ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{
			Rules: []types.ServerSideEncryptionRule{{ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{SSEAlgorithm: algorithm}, BucketKeyEnabled: new(true)}}}}))
	}
	if err := encrypt("AES256"); err != nil {
		t.Error(err)
	}
	fails(t, "KMS", encrypt("aws:kms"), "NotImplemented", 501)
	encryption, err := c.GetBucketEncryption(ctx, &sdk.GetBucketEncryptionInput{Bucket: b})
	if err != nil || !*encryption.ServerSideEncryptionConfiguration.Rules[0].BucketKeyEnabled {
		t.Errorf("encryption %+v, %v", encryption, err)
	}

	owner := func(o types.ObjectOwnership) error {
		return second(c.PutBucketOwnershipControls(ctx, &sdk.PutBucketOwnershipControlsInput{Bucket: b,
			OwnershipControls: &types.OwnershipControls{Rules: []types.OwnershipControlsRule{{ObjectOwnership: o}}}}))
	}
	acl := func(canned types.BucketCannedACL) error {
		return second(c.PutBucketAcl(ctx, &sdk.PutBucketAclInput{Bucket: b, ACL: canned}))
	}
	fails(t, "ACL under an enforced owner", acl("public-read"), "AccessControlListNotSupported", 400)
	if err := owner("ObjectWriter"); err != nil {
		t.Error(err)
	}
	fails(t, "ACL that opens", acl("public-read"), "NotImplemented", 501)
	if err := acl("private"); err != nil {
		t.Error(err)
	}
	controls, err := c.GetBucketOwnershipControls(ctx, &sdk.GetBucketOwnershipControlsInput{Bucket: b})
	if err != nil || controls.OwnershipControls.Rules[0].ObjectOwnership != "ObjectWriter" {
		t.Errorf("controls %+v, %v", controls, err)
	}
	if _, err := c.DeleteBucketOwnershipControls(ctx, &sdk.DeleteBucketOwnershipControlsInput{Bucket: b}); err != nil {
		t.Fatal(err)
	}
	fails(t, "no controls", second(c.GetBucketOwnershipControls(ctx, &sdk.GetBucketOwnershipControlsInput{Bucket: b})), "OwnershipControlsNotFoundError", 404)

	tags := []types.Tag{{Key: new("z"), Value: new("1")}, {Key: new("a"), Value: new("2")}}
	if _, err := c.PutBucketTagging(ctx, &sdk.PutBucketTaggingInput{Bucket: b, Tagging: &types.Tagging{TagSet: tags}}); err != nil {
		t.Fatal(err)
	}
	tagging, err := c.GetBucketTagging(ctx, &sdk.GetBucketTaggingInput{Bucket: b})
	if err != nil || len(tagging.TagSet) != 2 || *tagging.TagSet[0].Key != "z" {
		t.Errorf("tags %+v, %v", tagging, err)
	}
}

// What accepts a setting that Gatehouse could not keep is refused by name.
func TestRefusals(t *testing.T) {
	_, c := start(t, false)
	for name, change := range map[string]func(*sdk.PutObjectInput){
		"KMS":         func(in *sdk.PutObjectInput) { in.ServerSideEncryption = "aws:kms" },
		"customer":    func(in *sdk.PutObjectInput) { in.SSECustomerAlgorithm, in.SSECustomerKey = new("AES256"), new("a2V5") },
		"object lock": func(in *sdk.PutObjectInput) { in.ObjectLockLegalHoldStatus = "ON" },
	} {
		in := &sdk.PutObjectInput{Bucket: new("bucket"), Key: new("k"), Body: strings.NewReader("x")}
		change(in)
		fails(t, name, second(c.PutObject(t.Context(), in)), "NotImplemented", 501)
	}
	for name, r := range map[string]struct {
		change func(*sdk.PutObjectInput)
		code   string
	}{
		"storage class": {func(in *sdk.PutObjectInput) { in.StorageClass = "DEEP_ARCHIVE" }, "InvalidStorageClass"},
		"ACL":           {func(in *sdk.PutObjectInput) { in.ACL = "public-read" }, "AccessControlListNotSupported"},
		"long key":      {func(in *sdk.PutObjectInput) { in.Key = new(strings.Repeat("k", 1025)) }, "KeyTooLongError"},
		"metadata":      {func(in *sdk.PutObjectInput) { in.Metadata = map[string]string{"k": strings.Repeat("v", 2048)} }, "MetadataTooLarge"},
		"tags":          {func(in *sdk.PutObjectInput) { in.Tagging = new("a=%zz") }, "InvalidArgument"},
	} {
		in := &sdk.PutObjectInput{Bucket: new("bucket"), Key: new("k"), Body: strings.NewReader("x")}
		r.change(in)
		fails(t, name, second(c.PutObject(t.Context(), in)), r.code, 400)
	}
	list, err := c.ListObjectsV2(t.Context(), &sdk.ListObjectsV2Input{Bucket: new("bucket")})
	if err != nil || len(list.Contents) != 0 {
		t.Errorf("refused objects are there: %+v, %v", list, err)
	}
}

// The tag operations of S3 Control, which newer Terraform providers use, are checked by
// raw requests: the SDK's client of S3 Control is no dependency.
func TestControlTags(t *testing.T) {
	s, c := start(t, false)
	arn := "arn%3Aaws%3As3%3A%3A%3Abucket"
	send := func(method, path, body string) *http.Response {
		return s.signed(t, method, path, body, http.Header{"X-Amz-Account-Id": {account}})
	}
	const ns = ` xmlns="http://awss3control.amazonaws.com/doc/2018-08-20/"`
	if res := send("POST", "/v20180820/tags/"+arn, `<TagResourceRequest`+ns+`><Tags><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value>2</Value></Tag></Tags></TagResourceRequest>`); res.StatusCode != 204 {
		t.Fatalf("tag: status %d: %s", res.StatusCode, text(t, res))
	}
	if res := send("DELETE", "/v20180820/tags/"+arn+"?tagKeys=a", ""); res.StatusCode != 204 {
		t.Fatalf("untag: status %d: %s", res.StatusCode, text(t, res))
	}
	res := send("GET", "/v20180820/tags/"+arn, "")
	if body := text(t, res); res.StatusCode != 200 || !strings.Contains(body, "<Key>b</Key><Value>2</Value>") || strings.Contains(body, "<Key>a</Key>") {
		t.Errorf("list: status %d: %s", res.StatusCode, body)
	}
	tags, err := c.GetBucketTagging(context.Background(), &sdk.GetBucketTaggingInput{Bucket: new("bucket")})
	if err != nil || len(tags.TagSet) != 1 || aws.ToString(tags.TagSet[0].Key) != "b" {
		t.Errorf("tags by S3: %+v, %v", tags, err)
	}
}
