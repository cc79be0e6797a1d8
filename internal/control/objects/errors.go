package objects

import (
	"errors"
	"net/http"

	"gatehouse/internal/awsapi/awserr"
	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/store"
)

// The texts of S3's errors (S3 API reference, "Error responses"; members as the service
// sends them).

func noSuchBucket(name string) error {
	return s3.NoSuchBucket("The specified bucket does not exist").With("BucketName", name)
}

func noSuchKey(key string) *awserr.Error {
	return s3.NoSuchKey("The specified key does not exist.").With("Key", key)
}

func noSuchVersion(key, version string) error {
	return s3.NoSuchVersion("The specified version does not exist.").With("Key", key).With("VersionId", version)
}

func noSuchUpload(id string) error {
	return s3.NoSuchUpload("The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.").With("UploadId", id)
}

func invalidArgument(message, name, value string) error {
	return s3.InvalidArgument(message).With("ArgumentName", name).With("ArgumentValue", value)
}

func invalidVersion(version string) error {
	return invalidArgument("Invalid version id specified", "versionId", version)
}

func malformedXML() error {
	return s3.MalformedXML("The XML you provided was not well-formed or did not validate against our published schema")
}

func preconditionFailed(condition string) error {
	return s3.PreconditionFailed("At least one of the pre-conditions you specified did not hold").With("Condition", condition)
}

func entityTooLarge(proposed int64) error {
	return s3.EntityTooLarge("Your proposed upload exceeds the maximum allowed size").
		With("ProposedSize", proposed).With("MaxSizeAllowed", int64(MaxObject))
}

func accessDenied() error { return s3.AccessDenied("Access Denied") }

// notServed refuses what would silently do nothing, and names it.
func notServed(what string) error {
	return awserr.New("NotImplemented", http.StatusNotImplemented, "A header or setting you provided implies functionality that Gatehouse does not have: "+what)
}

// absent turns the store's "not found" into the service's error.
func absent(err, instead error) error {
	if errors.Is(err, store.ErrNotFound) {
		return instead
	}
	return err
}
