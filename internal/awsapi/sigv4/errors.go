package sigv4

import (
	"errors"
	"fmt"
)

// Errors that a Keys implementation returns from Lookup. Any other error means that
// the answer is not known, and the request is refused as a failure of ours.
var (
	// ErrUnknownKey: the access key does not exist, is inactive, or the session
	// token does not belong to it.
	ErrUnknownKey = errors.New("access key is not known")

	// ErrTokenExpired: the session token was good and no longer is.
	ErrTokenExpired = errors.New("session token is expired")
)

// An Error refuses a request. Code, Status and Message are what the service named by
// Family answers; Cause is for the log only and may be nil.
type Error struct {
	Kind    Kind
	Code    string // "SignatureDoesNotMatch"
	Status  int    // HTTP status
	Message string // safe for the caller
	Cause   error
}

// Error returns the code, the message and the cause.
func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %s (%v)", e.Code, e.Message, e.Cause)
	}
	return e.Code + ": " + e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Kind is the reason of a refusal, whatever the protocol calls it.
type Kind uint8

// The kinds of refusals.
const (
	Missing          Kind = iota + 1 // no signature at all
	Incomplete                       // the signature's fields do not parse or are missing
	Mismatch                         // the signature is another one
	SignatureExpired                 // signed too long ago
	NotYetCurrent                    // signed in the future
	PresignExpired                   // the presigned request's time is over
	BadPresign                       // a presigned request's parameter is bad
	UnknownKey                       // access key or session token is not known
	TokenExpired                     // the session token is expired
	WrongRegion                      // the scope names another region
	WrongService                     // the scope names another service
	NotSigned                        // a header that must be signed is not
	Ambiguous                        // something could be read in two ways
	HashMissing                      // x-amz-content-sha256 is absent or unusable
	PayloadMismatch                  // the body is not the one that was signed
	ChunkMismatch                    // a chunk or trailer signature is another one
	BadFraming                       // aws-chunked framing is broken or cut off
	BadTrailer                       // trailers are not those announced
	ChecksumMismatch                 // a checksum trailer is another one
	LengthMissing                    // x-amz-decoded-content-length is absent or bad
	TooLarge                         // the body is larger than what is buffered
	Unavailable                      // keys cannot be looked up now
	numKinds         = int(Unavailable) + 1
)

// Family is a set of codes and statuses: the protocols name the same refusal differently.
type Family uint8

// The families.
const (
	FamilyRestJSON Family = iota // apigateway, lambda, execute-api: 403
	FamilyJSON                   // acm, logs, wafv2: 400
	FamilyQuery                  // iam, sts
	FamilyS3                     // s3
	numFamilies    = int(FamilyS3) + 1
)

type wording struct {
	code    string
	status  int
	message string // used when the place that refuses has no better text
}

const (
	textMismatch   = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	textMismatchS3 = "The request signature we calculated does not match the signature you provided. Check your key and signing method."
	textToken      = "The security token included in the request is invalid."
	textExpired    = "The security token included in the request is expired"
	textBroken     = "The request body is broken."
)

// jsonWordings are shared by REST-JSON and JSON 1.1, whose statuses differ: the
// former answers 403 (reference request-lifecycle.md 4.4), the latter 400.
func jsonWordings(status int) [numKinds]wording {
	const bad = "InvalidSignatureException"
	return [numKinds]wording{
		Missing:          {"MissingAuthenticationTokenException", status, "Missing Authentication Token"},
		Incomplete:       {"IncompleteSignatureException", status, "The request signature does not conform to AWS standards."},
		Mismatch:         {bad, status, textMismatch},
		SignatureExpired: {bad, status, "Signature expired"},
		NotYetCurrent:    {bad, status, "Signature not yet current"},
		PresignExpired:   {bad, status, "Signature expired"},
		BadPresign:       {"IncompleteSignatureException", status, "The presigned request is not complete."},
		UnknownKey:       {"UnrecognizedClientException", status, textToken},
		TokenExpired:     {"ExpiredTokenException", status, textExpired},
		WrongRegion:      {bad, status, "Credential should be scoped to a valid region."},
		WrongService:     {bad, status, "Credential should be scoped to correct service."},
		NotSigned:        {bad, status, textMismatch},
		Ambiguous:        {bad, status, textMismatch},
		HashMissing:      {bad, status, "The value of 'x-amz-content-sha256' is not supported."},
		PayloadMismatch:  {bad, status, textMismatch},
		ChunkMismatch:    {bad, status, textMismatch},
		BadFraming:       {"SerializationException", 400, textBroken},
		BadTrailer:       {"SerializationException", 400, textBroken},
		ChecksumMismatch: {"SerializationException", 400, textBroken},
		LengthMissing:    {"SerializationException", 400, textBroken},
		TooLarge:         {"RequestEntityTooLargeException", 413, "The request body is too large."},
		Unavailable:      {"InternalFailure", 500, "The request processing has failed because of an unknown error, exception or failure."},
	}
}

var wordings = [numFamilies][numKinds]wording{
	FamilyRestJSON: jsonWordings(403),
	FamilyJSON:     jsonWordings(400),
	FamilyQuery: {
		Missing:          {"MissingAuthenticationToken", 403, "Request is missing Authentication Token"},
		Incomplete:       {"IncompleteSignature", 400, "The request signature does not conform to AWS standards."},
		Mismatch:         {"SignatureDoesNotMatch", 403, textMismatch},
		SignatureExpired: {"SignatureDoesNotMatch", 403, "Signature expired"},
		NotYetCurrent:    {"SignatureDoesNotMatch", 403, "Signature not yet current"},
		PresignExpired:   {"SignatureDoesNotMatch", 403, "Signature expired"},
		BadPresign:       {"IncompleteSignature", 400, "The presigned request is not complete."},
		UnknownKey:       {"InvalidClientTokenId", 403, textToken},
		TokenExpired:     {"ExpiredToken", 403, textExpired},
		WrongRegion:      {"SignatureDoesNotMatch", 403, "Credential should be scoped to a valid region."},
		WrongService:     {"SignatureDoesNotMatch", 403, "Credential should be scoped to correct service."},
		NotSigned:        {"SignatureDoesNotMatch", 403, textMismatch},
		Ambiguous:        {"SignatureDoesNotMatch", 403, textMismatch},
		HashMissing:      {"SignatureDoesNotMatch", 403, "The value of 'x-amz-content-sha256' is not supported."},
		PayloadMismatch:  {"SignatureDoesNotMatch", 403, textMismatch},
		ChunkMismatch:    {"SignatureDoesNotMatch", 403, textMismatch},
		BadFraming:       {"MalformedInput", 400, textBroken},
		BadTrailer:       {"MalformedInput", 400, textBroken},
		ChecksumMismatch: {"MalformedInput", 400, textBroken},
		LengthMissing:    {"MalformedInput", 400, textBroken},
		TooLarge:         {"RequestEntityTooLarge", 413, "The request body is too large."},
		Unavailable:      {"InternalFailure", 500, "The request processing has failed because of an unknown error, exception or failure."},
	},
	FamilyS3: {
		Missing:          {"AccessDenied", 403, "Access Denied"},
		Incomplete:       {"AuthorizationHeaderMalformed", 400, "The authorization header that you provided is not valid."},
		Mismatch:         {"SignatureDoesNotMatch", 403, textMismatchS3},
		SignatureExpired: {"RequestTimeTooSkewed", 403, "The difference between the request time and the current time is too large."},
		NotYetCurrent:    {"RequestTimeTooSkewed", 403, "The difference between the request time and the current time is too large."},
		PresignExpired:   {"AccessDenied", 403, "Request has expired"},
		BadPresign:       {"AuthorizationQueryParametersError", 400, "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."},
		UnknownKey:       {"InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records."},
		TokenExpired:     {"ExpiredToken", 400, "The provided token has expired."},
		WrongRegion:      {"AuthorizationHeaderMalformed", 400, "The authorization header is malformed; the region is wrong"},
		WrongService:     {"AuthorizationHeaderMalformed", 400, "The authorization header is malformed; incorrect service"},
		NotSigned:        {"AccessDenied", 403, "There were headers present in the request which were not signed"},
		Ambiguous:        {"InvalidArgument", 400, "The request can be read in more than one way."},
		HashMissing:      {"InvalidRequest", 400, "Missing required header for this request: x-amz-content-sha256"},
		PayloadMismatch:  {"XAmzContentSHA256Mismatch", 400, "The provided 'x-amz-content-sha256' header does not match what was computed."},
		ChunkMismatch:    {"SignatureDoesNotMatch", 403, textMismatchS3},
		BadFraming:       {"IncompleteBody", 400, "The request body terminated unexpectedly"},
		BadTrailer:       {"MalformedTrailerError", 400, "The request contained trailing data that was not well-formed or did not conform to our published schema."},
		ChecksumMismatch: {"BadDigest", 400, "The checksum you specified did not match the calculated checksum."},
		LengthMissing:    {"MissingContentLength", 411, "You must provide the Content-Length HTTP header."},
		TooLarge:         {"EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size"},
		Unavailable:      {"InternalError", 500, "We encountered an internal error. Please try again."},
	},
}

// refuse makes the Error of a kind in the family's words. A message replaces the
// family's own text when it is not "".
func (f Family) refuse(k Kind, message string, cause error) *Error {
	w := &wordings[f][k]
	if message == "" {
		message = w.message
	}
	return &Error{Kind: k, Code: w.code, Status: w.status, Message: message, Cause: cause}
}

func causef(format string, args ...any) error { return fmt.Errorf(format, args...) }
