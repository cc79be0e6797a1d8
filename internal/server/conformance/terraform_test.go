package conformance

import (
	"archive/zip"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	gw "github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"gatehouse/internal/config"
	"gatehouse/internal/server/servertest"
)

// terraform replays what Terraform's AWS provider was recorded to call beside API Gateway
// (terraform-calls): apply, the reads of a plan that must find what was sent, an update in
// place, destroy. testdata/terraform.txt has API Gateway's own part.
type terraform struct {
	*testing.T
	g      *servertest.Gatehouse
	s3     *s3.Client
	acm    *acm.Client
	iam    *iam.Client
	logs   *cloudwatchlogs.Client
	lambda *lambda.Client
	gw     *gw.Client
}

func TestTerraformSequence(t *testing.T) {
	g := servertest.Start(t, func(c *config.Config) { c.Regions = []string{"us-west-2"} })
	cfg := g.AWS(t)
	tf := &terraform{T: t, g: g, s3: s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }), acm: acm.NewFromConfig(cfg),
		iam: iam.NewFromConfig(cfg), logs: cloudwatchlogs.NewFromConfig(cfg), lambda: lambda.NewFromConfig(cfg), gw: gw.NewFromConfig(cfg)}
	if id := must(sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}))(t); *id.Account != "000000000000" {
		t.Errorf("caller: %+v", id)
	}
	tf.bucket()
	versions := []string{tf.object("CA one"), tf.object("CA two")}
	tf.roleAndLogs()
	tf.function()
	tf.domain()
	tf.emptyBucket(versions)
	tf.absentServices()
}

// code wants an error with one of the service's codes.
func (tf *terraform) code(err error, want string) {
	tf.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != want {
		tf.Errorf("got %v, want %s", err, want)
	}
}

var bucket = aws.String("truststore-demo")

// bucket makes the trust store's bucket and reads each of its configurations, which answer or
// say in the service's word that there is none.
func (tf *terraform) bucket() {
	ctx := tf.Context()
	must(tf.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket, CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: "us-west-2"}}))(tf.T)
	must(tf.s3.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: bucket, VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusEnabled}}))(tf.T)
	must(tf.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: bucket}))(tf.T)
	for want, read := range map[string]func() error{
		"NoSuchBucketPolicy": func() error {
			_, err := tf.s3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: bucket})
			return err
		},
		"NoSuchCORSConfiguration": func() error { _, err := tf.s3.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: bucket}); return err },
		"NoSuchWebsiteConfiguration": func() error {
			_, err := tf.s3.GetBucketWebsite(ctx, &s3.GetBucketWebsiteInput{Bucket: bucket})
			return err
		},
		"NoSuchLifecycleConfiguration": func() error {
			_, err := tf.s3.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: bucket})
			return err
		},
		"ReplicationConfigurationNotFoundError": func() error {
			_, err := tf.s3.GetBucketReplication(ctx, &s3.GetBucketReplicationInput{Bucket: bucket})
			return err
		},
		"ObjectLockConfigurationNotFoundError": func() error {
			_, err := tf.s3.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: bucket})
			return err
		},
		"NoSuchTagSet": func() error {
			_, err := tf.s3.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: bucket})
			return err
		},
	} {
		tf.code(read(), want)
	}
	if v := must(tf.s3.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: bucket}))(tf.T); v.Status != s3types.BucketVersioningStatusEnabled {
		tf.Errorf("versioning: %+v", v)
	}
	if acl := must(tf.s3.GetBucketAcl(ctx, &s3.GetBucketAclInput{Bucket: bucket}))(tf.T); acl.Owner == nil || len(acl.Grants) != 1 || acl.Grants[0].Permission != s3types.PermissionFullControl {
		tf.Errorf("acl: %+v", acl)
	}
	must(tf.s3.GetBucketAccelerateConfiguration(ctx, &s3.GetBucketAccelerateConfigurationInput{Bucket: bucket}))(tf.T)
	must(tf.s3.GetBucketRequestPayment(ctx, &s3.GetBucketRequestPaymentInput{Bucket: bucket}))(tf.T)
	must(tf.s3.GetBucketLogging(ctx, &s3.GetBucketLoggingInput{Bucket: bucket}))(tf.T)
	must(tf.s3.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: bucket}))(tf.T)

	// Newer providers read and write tags by way of S3 Control.
	w := newWire(tf.T, tf.g)
	w.service = "s3"
	path := "/v20180820/tags/arn%3Aaws%3As3%3A%3A%3A" + *bucket
	if a := w.call(tf.T, http.MethodPost, path, `<TagResourceRequest xmlns="http://awss3control.amazonaws.com/doc/2018-08-20/"><Tags><Tag><Key>rev</Key><Value>1</Value></Tag></Tags></TagResourceRequest>`); a.status != 204 {
		tf.Errorf("S3 Control TagResource: %d %s", a.status, a.body)
	}
	if a := w.call(tf.T, http.MethodGet, path, ""); a.status != 200 || !strings.Contains(a.body, "<Key>rev</Key><Value>1</Value>") {
		tf.Errorf("S3 Control ListTagsForResource: %d %s", a.status, a.body)
	}
	if tags := must(tf.s3.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: bucket}))(tf.T).TagSet; len(tags) != 1 || *tags[0].Key != "rev" {
		tf.Errorf("tags: %v", tags)
	}
}

// object puts a version of the trust store and reads it as a plan does.
func (tf *terraform) object(cn string) string {
	ctx, key := tf.Context(), aws.String("ca.pem")
	_, pemCA := authority(tf.T, cn)
	put := must(tf.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: bytes.NewReader(pemCA)}))(tf.T)
	head := must(tf.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: key}))(tf.T)
	if *head.VersionId != *put.VersionId || *head.ETag != *put.ETag || *head.ContentLength != int64(len(pemCA)) {
		tf.Errorf("head: %+v, put: %+v", head, put)
	}
	if tags := must(tf.s3.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: bucket, Key: key}))(tf.T).TagSet; len(tags) != 0 {
		tf.Errorf("object tags: %v", tags)
	}
	return *put.VersionId
}

// emptyBucket destroys it: versions first, versioning suspended, then the bucket.
func (tf *terraform) emptyBucket(versions []string) {
	ctx := tf.Context()
	list := must(tf.s3.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: bucket, Prefix: aws.String("ca.pem")}))(tf.T)
	if len(list.Versions) != len(versions) || *list.Versions[0].VersionId != versions[1] || !*list.Versions[0].IsLatest {
		tf.Errorf("versions: %+v", list.Versions)
	}
	for _, v := range list.Versions {
		must(tf.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: v.Key, VersionId: v.VersionId}))(tf.T)
	}
	must(tf.s3.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: bucket, VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusSuspended}}))(tf.T)
	must(tf.s3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: bucket}))(tf.T)
	_, err := tf.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: bucket})
	tf.code(err, "NotFound")
}

func (tf *terraform) roleAndLogs() {
	ctx, name := tf.Context(), aws.String("gw")
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":["apigateway.amazonaws.com","lambda.amazonaws.com"]},"Action":"sts:AssumeRole"}]}`
	must(tf.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: &trust}))(tf.T)
	policy := aws.String("arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs")
	must(tf.iam.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: name, PolicyArn: policy}))(tf.T)
	role := must(tf.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: name}))(tf.T).Role
	if !strings.Contains(*role.AssumeRolePolicyDocument, "%22Version%22") || *role.Path != "/" || *role.MaxSessionDuration != 3600 {
		tf.Errorf("role: %+v", role)
	}
	if p := must(tf.iam.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: name}))(tf.T).PolicyNames; len(p) != 0 {
		tf.Errorf("inline policies: %v", p)
	}
	if p := must(tf.iam.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: name}))(tf.T).AttachedPolicies; len(p) != 1 || *p[0].PolicyArn != *policy {
		tf.Errorf("attached policies: %v", p)
	}
	group := aws.String("/gw/access")
	must(tf.logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group}))(tf.T)
	must(tf.logs.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: group, RetentionInDays: aws.Int32(7)}))(tf.T)
	found := must(tf.logs.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: group}))(tf.T).LogGroups
	if len(found) != 1 || *found[0].RetentionInDays != 7 || !strings.HasSuffix(*found[0].Arn, ":*") {
		tf.Fatalf("log groups: %+v", found)
	}
	arn := aws.String(strings.TrimSuffix(*found[0].Arn, ":*"))
	must(tf.logs.TagResource(ctx, &cloudwatchlogs.TagResourceInput{ResourceArn: arn, Tags: map[string]string{"rev": "1"}}))(tf.T)
	if tags := must(tf.logs.ListTagsForResource(ctx, &cloudwatchlogs.ListTagsForResourceInput{ResourceArn: arn}))(tf.T).Tags; tags["rev"] != "1" {
		tf.Errorf("tags by the new call: %v", tags)
	}
	//lint:ignore SA1019 the provider still makes this call
	old := must(tf.logs.ListTagsLogGroup(ctx, &cloudwatchlogs.ListTagsLogGroupInput{LogGroupName: group}))(tf.T)
	if old.Tags["rev"] != "1" {
		tf.Errorf("tags by the old call: %v", old.Tags)
	}
	must(tf.logs.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: group}))(tf.T)
	if left := must(tf.logs.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: group}))(tf.T).LogGroups; len(left) != 0 {
		tf.Errorf("log groups after destroy: %v", left)
	}
	must(tf.iam.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: name, PolicyArn: policy}))(tf.T)
}

func (tf *terraform) function() {
	ctx, name := tf.Context(), aws.String("auth")
	var code bytes.Buffer
	z := zip.NewWriter(&code)
	h := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate}
	h.SetMode(0o755)
	if f, err := z.CreateHeader(h); err != nil {
		tf.Fatal(err)
	} else if _, err := f.Write([]byte("#!/bin/sh\n")); err != nil {
		tf.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tf.Fatal(err)
	}
	must(tf.lambda.CreateFunction(ctx, &lambda.CreateFunctionInput{FunctionName: name, Code: &lambdatypes.FunctionCode{ZipFile: code.Bytes()}, Description: aws.String(""),
		Handler: aws.String("m.handler"), MemorySize: aws.Int32(128), PackageType: lambdatypes.PackageTypeZip, Role: aws.String("arn:aws:iam::000000000000:role/gw"),
		Runtime: lambdatypes.RuntimeProvidedal2023, Timeout: aws.Int32(3)}))(tf.T)
	f := must(tf.lambda.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: name}))(tf.T)
	if c := f.Configuration; c.State != lambdatypes.StateActive && c.State != lambdatypes.StatePending || *c.MemorySize != 128 || *c.Version != "$LATEST" || *c.TracingConfig == (lambdatypes.TracingConfigResponse{}) {
		tf.Errorf("function: %+v", c)
	}
	if v := must(tf.lambda.ListVersionsByFunction(ctx, &lambda.ListVersionsByFunctionInput{FunctionName: name, MaxItems: aws.Int32(10000)}))(tf.T).Versions; len(v) != 1 {
		tf.Errorf("versions: %v", v)
	}
	if s := must(tf.lambda.GetFunctionCodeSigningConfig(ctx, &lambda.GetFunctionCodeSigningConfigInput{FunctionName: name}))(tf.T); aws.ToString(s.CodeSigningConfigArn) != "" {
		tf.Errorf("code signing: %+v", s)
	}
	_, err := tf.lambda.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: name})
	tf.code(err, "ResourceNotFoundException")
	must(tf.lambda.AddPermission(ctx, &lambda.AddPermissionInput{FunctionName: name, Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("apigateway.amazonaws.com"),
		SourceArn: aws.String("arn:aws:execute-api:us-west-2:000000000000:api/*"), StatementId: aws.String("gw")}))(tf.T)
	if p := must(tf.lambda.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: name}))(tf.T); !strings.Contains(*p.Policy, `"Sid":"gw"`) || !strings.Contains(*p.Policy, `"ArnLike"`) {
		tf.Errorf("policy: %s", *p.Policy)
	}
	must(tf.lambda.RemovePermission(ctx, &lambda.RemovePermissionInput{FunctionName: name, StatementId: aws.String("gw")}))(tf.T)
	must(tf.lambda.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: name}))(tf.T)
	_, err = tf.lambda.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: name})
	tf.code(err, "ResourceNotFoundException")
	must(tf.iam.DeleteRole(tf.Context(), &iam.DeleteRoleInput{RoleName: aws.String("gw")}))(tf.T)
}

// domain makes a mutual TLS domain with an ownership certificate and a mapping, and moves its trust
// store to another version: uri, version and ownership certificate in one patch, in place.
func (tf *terraform) domain() {
	ctx, name := tf.Context(), aws.String("api.example.test")
	key, cert := authority(tf.T, *name)
	imported := must(tf.acm.ImportCertificate(ctx, &acm.ImportCertificateInput{Certificate: cert, PrivateKey: key}))(tf.T).CertificateArn
	d := must(tf.acm.DescribeCertificate(ctx, &acm.DescribeCertificateInput{CertificateArn: imported}))(tf.T).Certificate
	if d.Status != "ISSUED" || d.Type != "IMPORTED" || *d.DomainName != *name {
		tf.Errorf("certificate: %+v", d)
	}
	if tags := must(tf.acm.ListTagsForCertificate(ctx, &acm.ListTagsForCertificateInput{CertificateArn: imported}))(tf.T).Tags; len(tags) != 0 {
		tf.Errorf("certificate tags: %v", tags)
	}
	owned := must(tf.acm.RequestCertificate(ctx, &acm.RequestCertificateInput{DomainName: name, ValidationMethod: "DNS"}))(tf.T).CertificateArn
	if c := must(tf.acm.DescribeCertificate(ctx, &acm.DescribeCertificateInput{CertificateArn: owned}))(tf.T).Certificate; c.Status != "ISSUED" || c.DomainValidationOptions[0].ResourceRecord == nil {
		tf.Errorf("requested certificate: %+v", c)
	}
	versions := must(tf.s3.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: bucket}))(tf.T).Versions
	uri := aws.String("s3://" + *bucket + "/ca.pem")
	made := must(tf.gw.CreateDomainName(ctx, &gw.CreateDomainNameInput{DomainName: name, RegionalCertificateArn: imported, OwnershipVerificationCertificateArn: owned,
		SecurityPolicy: types.SecurityPolicyTls12, EndpointConfiguration: &types.EndpointConfiguration{Types: []types.EndpointType{types.EndpointTypeRegional}},
		MutualTlsAuthentication: &types.MutualTlsAuthenticationInput{TruststoreUri: uri, TruststoreVersion: versions[1].VersionId}, Tags: map[string]string{"rev": "1"}}))(tf.T)
	got := must(tf.gw.GetDomainName(ctx, &gw.GetDomainNameInput{DomainName: name}))(tf.T)
	if *got.MutualTlsAuthentication.TruststoreVersion != *versions[1].VersionId || *got.OwnershipVerificationCertificateArn != *owned || got.Tags["rev"] != "1" {
		tf.Errorf("domain: %+v", got)
	}
	changed := must(tf.gw.UpdateDomainName(ctx, &gw.UpdateDomainNameInput{DomainName: name, PatchOperations: []types.PatchOperation{
		{Op: types.OpReplace, Path: aws.String("/mutualTlsAuthentication/truststoreUri"), Value: uri},
		{Op: types.OpReplace, Path: aws.String("/mutualTlsAuthentication/truststoreVersion"), Value: versions[0].VersionId},
		{Op: types.OpReplace, Path: aws.String("/ownershipVerificationCertificateArn"), Value: owned}}}))(tf.T)
	if *changed.MutualTlsAuthentication.TruststoreVersion != *versions[0].VersionId || *changed.RegionalDomainName != *made.RegionalDomainName {
		tf.Errorf("changed: %+v", changed)
	}
	_, err := tf.acm.DeleteCertificate(ctx, &acm.DeleteCertificateInput{CertificateArn: imported})
	tf.code(err, "ResourceInUseException")
	must(tf.gw.DeleteDomainName(ctx, &gw.DeleteDomainNameInput{DomainName: name}))(tf.T)
	for _, arn := range []*string{imported, owned} {
		must(tf.acm.DeleteCertificate(ctx, &acm.DeleteCertificateInput{CertificateArn: arn}))(tf.T)
	}
}

// absentServices are asked for by configurations that hold more than an API. The answer is an
// error in the service's own protocol that says what is missing.
func (tf *terraform) absentServices() {
	w := newWire(tf.T, tf.g)
	for _, c := range []struct{ service, target, body, header string }{
		{"ec2", "/", "Action=DescribeVpcs&Version=2016-11-15", ""},
		{"elasticloadbalancing", "/", "Action=DescribeLoadBalancers&Version=2015-12-01", ""},
		{"route53", "/2013-04-01/hostedzone", "", ""},
		{"cognito-idp", "/", "{}", "AWSCognitoIdentityProviderService.DescribeUserPool"},
	} {
		w.service, w.target, w.form = c.service, c.header, strings.HasPrefix(c.body, "Action=")
		method := http.MethodPost
		if c.body == "" {
			method = http.MethodGet
		}
		a := w.call(tf.T, method, c.target, c.body)
		if a.status < 400 || a.status == 500 || !strings.Contains(strings.ToLower(a.body), "not implemented") && !strings.Contains(a.body, "NotImplemented") || !strings.Contains(a.body, c.service) {
			tf.Errorf("%s: %d %s", c.service, a.status, a.body)
		}
	}
}

// authority is a certificate of its own authority and its key, as PEM.
func authority(t *testing.T, cn string) (key, cert []byte) {
	t.Helper()
	k := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: cn}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	if strings.Contains(cn, ".") {
		template.DNSNames = []string{cn}
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k))(t)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(k))(t)}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
