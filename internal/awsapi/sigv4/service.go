package sigv4

import "time"

// A Service says how one AWS service wants its requests signed and how it words
// refusals. The functions below build the usual ones; callers then set Region,
// MaxBody and AllowUnsigned. A Service is read-only once in use.
type Service struct {
	// Name is the service in the credential scope: "apigateway", "s3", "execute-api".
	Name string

	// Family selects the codes and texts of refusals.
	Family Family

	// Region reports whether the region of a credential scope is served. Nil
	// accepts every region.
	Region func(region string) bool

	// HomeRegion is the region that S3 names as the expected one when Region
	// refuses; other families do not show it.
	HomeRegion string

	// Skew is how far the signing time may be from ours, either way.
	Skew time.Duration

	// EncodeOnce is set for S3: the canonical path is the path encoded once and
	// never normalised. Elsewhere the path as sent is encoded once more.
	EncodeOnce bool

	// Streaming accepts the aws-chunked payload forms (STREAMING-...).
	Streaming bool

	// AllowUnsigned accepts UNSIGNED-PAYLOAD.
	AllowUnsigned bool

	// HashRequired wants x-amz-content-sha256 on header-signed requests. Where it
	// is not wanted and not sent, the body is read and hashed, up to MaxBody bytes.
	HashRequired bool

	// MaxBody is how many bytes of a body are buffered when its hash has to be
	// known before the signature can be checked. Longer bodies are refused.
	// Bodies that are verified while reading are not limited here.
	MaxBody int64
}

// DefaultMaxBody is the MaxBody of the services built below: the largest call that is
// not S3 is a function's zip archive, 50 MB in base64.
const DefaultMaxBody = 70 << 20

// S3 is the s3 service: 15 minutes of skew, the path encoded once, every payload form.
func S3() Service {
	return Service{Name: "s3", Family: FamilyS3, Skew: 15 * time.Minute, EncodeOnce: true,
		Streaming: true, AllowUnsigned: true, HashRequired: true, MaxBody: DefaultMaxBody}
}

// RestJSON is a service of the REST-JSON protocol (apigateway, lambda), refusing with 403.
func RestJSON(name string) Service {
	return Service{Name: name, Family: FamilyRestJSON, Skew: 5 * time.Minute, MaxBody: DefaultMaxBody}
}

// JSON is a service of the JSON 1.1 protocol (acm, logs, wafv2), refusing with 400.
func JSON(name string) Service {
	return Service{Name: name, Family: FamilyJSON, Skew: 5 * time.Minute, MaxBody: DefaultMaxBody}
}

// Query is a service of the Query protocol (iam, sts).
func Query(name string) Service {
	return Service{Name: name, Family: FamilyQuery, Skew: 15 * time.Minute, MaxBody: DefaultMaxBody}
}

// ExecuteAPI is the data plane of API Gateway: AWS_IAM methods (reference
// authorizers.md section 3). maxBody is the gateway's body limit in bytes.
func ExecuteAPI(maxBody int64) Service {
	return Service{Name: "execute-api", Family: FamilyRestJSON, Skew: 5 * time.Minute,
		AllowUnsigned: true, MaxBody: maxBody}
}
