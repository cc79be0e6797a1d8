package awsapi

import (
	"context"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/schema"
	"gatehouse/internal/awsapi/wire"
)

// s3Actions are the operations of S3 whose action is not called like them (S3 user
// guide, "Required permissions for Amazon S3 API operations").
var s3Actions = map[string]string{
	"ListBuckets":                        "ListAllMyBuckets",
	"HeadBucket":                         "ListBucket",
	"ListObjects":                        "ListBucket",
	"ListObjectsV2":                      "ListBucket",
	"ListObjectVersions":                 "ListBucketVersions",
	"HeadObject":                         "GetObject",
	"GetObjectAttributes":                "GetObject",
	"CopyObject":                         "PutObject",
	"CreateMultipartUpload":              "PutObject",
	"UploadPart":                         "PutObject",
	"UploadPartCopy":                     "PutObject",
	"CompleteMultipartUpload":            "PutObject",
	"ListParts":                          "ListMultipartUploadParts",
	"ListMultipartUploads":               "ListBucketMultipartUploads",
	"DeleteObjects":                      "DeleteObject",
	"DeleteBucketTagging":                "PutBucketTagging",
	"GetBucketCors":                      "GetBucketCORS",
	"GetBucketAccelerateConfiguration":   "GetAccelerateConfiguration",
	"GetBucketLifecycleConfiguration":    "GetLifecycleConfiguration",
	"GetBucketReplication":               "GetReplicationConfiguration",
	"GetBucketEncryption":                "GetEncryptionConfiguration",
	"PutBucketEncryption":                "PutEncryptionConfiguration",
	"DeleteBucketEncryption":             "PutEncryptionConfiguration",
	"GetObjectLockConfiguration":         "GetBucketObjectLockConfiguration",
	"DeleteBucketOwnershipControls":      "PutBucketOwnershipControls",
	"GetPublicAccessBlock":               "GetBucketPublicAccessBlock",
	"PutPublicAccessBlock":               "PutBucketPublicAccessBlock",
	"DeletePublicAccessBlock":            "PutBucketPublicAccessBlock",
	"GetBucketNotificationConfiguration": "GetBucketNotification",
}

// s3Versioned are the actions that have one of their own for a version of an object.
var s3Versioned = map[string]string{
	"GetObject":           "GetObjectVersion",
	"DeleteObject":        "DeleteObjectVersion",
	"GetObjectAcl":        "GetObjectVersionAcl",
	"PutObjectAcl":        "PutObjectVersionAcl",
	"GetObjectTagging":    "GetObjectVersionTagging",
	"PutObjectTagging":    "PutObjectVersionTagging",
	"DeleteObjectTagging": "DeleteObjectVersionTagging",
}

// s3Accesses lists what an operation of S3 needs: itself, reading the source of a copy,
// and what some headers ask for beside the object.
func s3Accesses(op *schema.Operation, req *wire.Request, m inputMembers) []Access {
	action := op.Name
	if a, ok := s3Actions[action]; ok {
		action = a
	}
	if op.Service.WrappedErrors { // S3 Control names buckets by ARN
		return []Access{{Action: "s3:" + action, Resource: m.first("*", "ResourceArn")}}
	}
	bucket, key := m.text("Bucket"), m.text("Key")
	if op.Name == "DeleteObjects" {
		return s3Deletions(bucket, m)
	}
	all := []Access{s3Access(action, bucket, key, m.text("VersionId"))}
	if source := m.text("CopySource"); source != "" {
		all = append(all, copySource(source))
	}
	if key != "" && req.Header.Get("x-amz-tagging") != "" {
		all = append(all, s3Access("PutObjectTagging", bucket, key, ""))
	}
	if key != "" && op.Name != "PutObjectAcl" && grants(req.Header) {
		all = append(all, s3Access("PutObjectAcl", bucket, key, ""))
	}
	return all
}

func s3Access(action, bucket, key, version string) Access {
	if a, ok := s3Versioned[action]; ok && version != "" {
		action = a
	}
	a := Access{Action: "s3:" + action, Resource: "*"}
	switch {
	case key != "":
		a.Resource = "arn:aws:s3:::" + bucket + "/" + key
	case bucket != "":
		a.Resource = "arn:aws:s3:::" + bucket
	}
	return a
}

// s3Deletions asks for each object of the list.
func s3Deletions(bucket string, m inputMembers) []Access {
	all := []Access{}
	if list := m.v.FieldByName("Delete"); list.IsValid() && !list.IsNil() {
		objects := list.Elem().FieldByName("Objects")
		for i := range objects.Len() {
			o := inputMembers{reflect.Indirect(objects.Index(i))}
			all = append(all, s3Access("DeleteObject", bucket, o.text("Key"), o.text("VersionId")))
		}
	}
	if len(all) == 0 { // nothing to delete is refused later; the caller must still be allowed to try
		all = append(all, s3Access("DeleteObject", bucket, "*", ""))
	}
	return all
}

// copySource reads x-amz-copy-source: "/bucket/key?versionId=v", escaped.
func copySource(source string) Access {
	source, version, _ := strings.Cut(source, "?versionId=")
	if path, err := url.PathUnescape(source); err == nil {
		source = path
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(source, "/"), "/")
	return s3Access("GetObject", bucket, key, version)
}

// grants reports whether a request sets an access control list beside its object.
func grants(h http.Header) bool {
	for name := range h {
		lower := strings.ToLower(name)
		if lower == "x-amz-acl" || strings.HasPrefix(lower, "x-amz-grant-") {
			return true
		}
	}
	return false
}

// s3Lists are the actions that the answers "no such key" and "no such version" take.
var s3Lists = map[string]string{"NoSuchKey": "s3:ListBucket", "NoSuchVersion": "s3:ListBucketVersions"}

// conceal refuses callers who may not list a bucket where S3 would tell them that something is
// not in it: they could find out by asking what the list would show (S3 API reference, GetObject,
// "Permissions").
func (x *exchange) conceal(ctx context.Context, in any, err error) error {
	e := awserr.As(err)
	if x.scope != "s3" || e == nil || s3Lists[e.Code] == "" {
		return err
	}
	members := inputMembers{reflect.ValueOf(in).Elem()}
	bucket := "arn:aws:s3:::" + members.text("Bucket")
	if source := members.text("CopySource"); source != "" {
		bucket, _, _ = strings.Cut(copySource(source).Resource, "/")
	}
	a := Access{Call: x.call, Action: s3Lists[e.Code], Resource: bucket, Input: in, Request: x.r}
	if denial := x.server.config.Authorizer.Authorize(ctx, a); denial != nil {
		return denial
	}
	return err
}
