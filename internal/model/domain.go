package model

import "time"

// DomainName is a custom domain name.
type DomainName struct {
	DomainName               string                `json:"domainName"` // lower case; may start with "*."
	DomainNameID             string                `json:"domainNameId,omitempty"`
	CertificateName          string                `json:"certificateName,omitempty"`
	CertificateARN           string                `json:"certificateArn,omitempty"` // edge-optimised and private
	CertificateUploadDate    *time.Time            `json:"certificateUploadDate,omitempty"`
	RegionalDomainName       string                `json:"regionalDomainName,omitempty"`
	RegionalHostedZoneID     string                `json:"regionalHostedZoneId,omitempty"`
	RegionalCertificateName  string                `json:"regionalCertificateName,omitempty"`
	RegionalCertificateARN   string                `json:"regionalCertificateArn,omitempty"`
	DistributionDomainName   string                `json:"distributionDomainName,omitempty"`
	DistributionHostedZoneID string                `json:"distributionHostedZoneId,omitempty"`
	EndpointConfiguration    EndpointConfiguration `json:"endpointConfiguration"`
	Status                   string                `json:"domainNameStatus"`
	StatusMessage            string                `json:"domainNameStatusMessage,omitempty"`
	SecurityPolicy           string                `json:"securityPolicy"`
	EndpointAccessMode       string                `json:"endpointAccessMode,omitempty"` // BASIC or STRICT
	MutualTLS                *MutualTLS            `json:"mutualTlsAuthentication,omitempty"`
	OwnershipCertificateARN  string                `json:"ownershipVerificationCertificateArn,omitempty"`
	Policy                   string                `json:"policy,omitempty"`
	ManagementPolicy         string                `json:"managementPolicy,omitempty"`
	RoutingMode              string                `json:"routingMode"`
	Tags                     map[string]string     `json:"tags,omitempty"`
	CreatedDate              time.Time             `json:"createdDate"`
}

// ARN is the domain name's in API Gateway's management API. Those of private ones carry their
// account and their id, by which names that several accounts use are told apart.
func (d DomainName) ARN(region, account string) string {
	if d.DomainNameID == "" {
		return APIGatewayARN(region, "/domainnames/"+d.DomainName)
	}
	return ARN{Partition: "aws", Service: "apigateway", Region: region, Account: account, Resource: "/domainnames/" + d.DomainName + "+" + d.DomainNameID}.String()
}

// MutualTLS names the trust store of a domain name.
type MutualTLS struct {
	TruststoreURI      string   `json:"truststoreUri"`               // s3://bucket/key
	TruststoreVersion  string   `json:"truststoreVersion,omitempty"` // S3 version id, as the caller gave it
	TruststoreWarnings []string `json:"truststoreWarnings,omitempty"`
}

// TrustStore is the copy of a trust store object, made by the call that named it, or when
// the object changed where it is followed.
type TrustStore struct {
	PEM       string    `json:"pem"`
	URI       string    `json:"uri"`
	Named     string    `json:"named,omitempty"`     // the version that was asked for; "" is the latest
	VersionID string    `json:"versionId,omitempty"` // the version that was read, even when none was named
	ETag      string    `json:"etag,omitempty"`
	CopiedAt  time.Time `json:"copiedAt"`
	// Passed is the ETag and version of a followed object that was rolled back from: it is
	// not taken again before it changes.
	Passed string `json:"passed,omitempty"`
}

// State names what was read, to tell whether an object has changed since.
func (t TrustStore) State() string { return t.ETag + " " + t.VersionID }

// TagDocument is the copy of a document that a tag names, made by the call that set the tag.
type TagDocument struct {
	Data      []byte    `json:"data"`
	URI       string    `json:"uri"`
	VersionID string    `json:"versionId,omitempty"`
	ETag      string    `json:"etag,omitempty"`
	CopiedAt  time.Time `json:"copiedAt"`
}

// Weakening records that a control was made weaker by tags.
type Weakening struct {
	ARN  string    `json:"arn"`
	What string    `json:"what"`
	By   string    `json:"by"` // ARN of the caller
	At   time.Time `json:"at"`
}

// BasePathMapping leads a base path of a domain name to a stage.
type BasePathMapping struct {
	BasePath  string `json:"basePath"` // "(none)" for the root
	RestAPIID string `json:"restApiId"`
	Stage     string `json:"stage,omitempty"` // "": the stage is the next path segment

	// ID names the mapping in version 2 of the API; "" for mappings of before it had one.
	ID string `json:"apiMappingId,omitempty"`
}

// RoutingRule leads requests of a domain name to a stage by what they carry
// (routing-and-integrations, section 3.2). All conditions must hold.
type RoutingRule struct {
	ID       string        `json:"routingRuleId"`
	Priority int           `json:"priority"` // from 1, the first to be tried; unique in a domain name
	Headers  []HeaderMatch `json:"headers,omitempty"`

	// BasePath is without slashes at its ends; "" when the rule has no such condition.
	BasePath string `json:"basePath,omitempty"`

	APIID         string `json:"apiId"`
	Stage         string `json:"stage"`
	StripBasePath bool   `json:"stripBasePath,omitempty"`
}

// HeaderMatch is a condition on a header field: a value, or one with an asterisk at an end
// or at both.
type HeaderMatch struct {
	Header    string `json:"header"`
	ValueGlob string `json:"valueGlob"`
}

// The routing modes of domain names.
const (
	RouteByMapping           = "BASE_PATH_MAPPING_ONLY"
	RouteByRule              = "ROUTING_RULE_ONLY"
	RouteByRuleThenByMapping = "ROUTING_RULE_THEN_BASE_PATH_MAPPING"
)

// NoBasePath is how the root mapping of a domain name is written.
const NoBasePath = "(none)"

// DomainNameAccessAssociation lets a VPC endpoint use a private domain name.
type DomainNameAccessAssociation struct {
	ARN           string            `json:"domainNameAccessAssociationArn"`
	DomainNameARN string            `json:"domainNameArn"`
	SourceType    string            `json:"accessAssociationSourceType"`
	Source        string            `json:"accessAssociationSource"`
	Tags          map[string]string `json:"tags,omitempty"`
}

// ClientCertificate is what the gateway presents to HTTPS backends of a stage. Its
// private key is a sealed secret of the store.
type ClientCertificate struct {
	ID             string            `json:"clientCertificateId"`
	Description    string            `json:"description,omitempty"`
	PEM            string            `json:"pemEncodedCertificate"`
	CreatedDate    time.Time         `json:"createdDate"`
	ExpirationDate time.Time         `json:"expirationDate"`
	Tags           map[string]string `json:"tags,omitempty"`

	// Successor is published and takes the certificate's place at its switch date; its key is
	// the secret SecretSuccessorKey. Predecessor is what it took the place of a moment ago.
	Successor   *SuccessorCertificate   `json:"successor,omitempty"`
	Predecessor *PredecessorCertificate `json:"predecessor,omitempty"`

	// Rotated is the value of RotateTag by which the certificate was replaced last.
	Rotated string `json:"rotated,omitempty"`
}

// SuccessorCertificate waits for its switch date.
type SuccessorCertificate struct {
	PEM            string    `json:"pemEncodedCertificate"`
	CreatedDate    time.Time `json:"createdDate"`
	ExpirationDate time.Time `json:"expirationDate"`
	SwitchDate     time.Time `json:"switchDate"`
	Tag            string    `json:"tag,omitempty"` // the value of RotateTag that made it; "" for a command
}

// PredecessorCertificate was presented until a moment ago, and stays published for a while.
type PredecessorCertificate struct {
	PEM   string    `json:"pemEncodedCertificate"`
	Until time.Time `json:"until"`
}
