package model

// A Kind names a family of documents in the store. Kinds that belong to another
// resource are kept under that resource's id as parent.
type Kind = string

// The kinds of documents, with their parent in brackets.
const (
	KindAccount           Kind = "account"           // settings of API Gateway in a region; one document, id "account"
	KindRestAPI           Kind = "restapi"           // RestAPI
	KindResource          Kind = "resource"          // Resource [RestAPI]
	KindModel             Kind = "model"             // APIModel [RestAPI], id is the name
	KindRequestValidator  Kind = "requestvalidator"  // RequestValidator [RestAPI]
	KindAuthorizer        Kind = "authorizer"        // Authorizer [RestAPI]
	KindGatewayResponse   Kind = "gatewayresponse"   // GatewayResponse [RestAPI], id is the response type
	KindDocumentationPart Kind = "documentationpart" // DocumentationPart [RestAPI]
	KindDocumentation     Kind = "documentation"     // DocumentationVersion [RestAPI], id is the version
	KindDeployment        Kind = "deployment"        // Deployment [RestAPI]
	KindSnapshot          Kind = "snapshot"          // Snapshot [RestAPI], id is the deployment's
	KindStage             Kind = "stage"             // Stage [RestAPI], id is the name
	KindDomainName        Kind = "domainname"        // DomainName
	KindBasePathMapping   Kind = "basepathmapping"   // BasePathMapping [DomainName], id is the base path
	KindRoutingRule       Kind = "routingrule"       // RoutingRule [DomainName]
	KindAccessAssociation Kind = "accessassociation" // DomainNameAccessAssociation
	KindClientCertificate Kind = "clientcertificate" // ClientCertificate
	KindAPIKey            Kind = "apikey"            // APIKey
	KindUsagePlan         Kind = "usageplan"         // UsagePlan
	KindUsagePlanKey      Kind = "usageplankey"      // UsagePlanKey [UsagePlan], id is the key's
	KindVPCLink           Kind = "vpclink"           // VPCLink
	KindVPCLinkV2         Kind = "vpclink2"          // VPCLink of version 2
	KindCertificate       Kind = "certificate"       // Certificate (ACM), id is the last part of the ARN
	KindACMAccount        Kind = "acmaccount"        // CertificateAccount; one document, id "account"
	KindACMEAccount       Kind = "acmeaccount"       // ACMEAccount; global, id is the directory
	KindACMEChallenge     Kind = "acmechallenge"     // what an ACME server looks for; global, id is the token
	KindTrustStore        Kind = "truststore"        // TrustStore [DomainName]: copies of trust store objects
	KindTagDocument       Kind = "tagdocument"       // TagDocument [DomainName]: copies of documents that tags name, id is the tag
	KindWeakening         Kind = "weakening"         // Weakening, id is the resource's ARN
	KindLogGroup          Kind = "loggroup"          // LogGroup
	KindFunction          Kind = "function"          // Function (Lambda), id is the name
	KindLayer             Kind = "layer"             // Layer (Lambda), id is the name
)

// The names of secrets, which are sealed beside the document that owns them.
const (
	SecretPrivateKey = "private-key" // of a Certificate or ClientCertificate, PEM
	SecretValue      = "value"       // of an APIKey

	SecretSuccessorKey = "successor-private-key" // of a ClientCertificate's successor, PEM
)

// ClientCertificateUsers is the space of names in which stages are entered that present a
// client certificate (an id, or the ARN of an ACM certificate).
func ClientCertificateUsers(account, region, id string) string {
	return "clientcertificate/" + account + "/" + region + "/" + id
}

// LinkTargetTag on a VPC link says where its connections go ("10.0.0.7:8443"), instead of to
// the host of the integration's URI.
const LinkTargetTag = "gatehouse:target"

// RotateTag on a client certificate makes its successor: "auto" some weeks before it ends, or
// the time at which to switch, in RFC 3339.
const RotateTag = "gatehouse:rotate"

// The ids of the TrustStore documents of a domain name.
const (
	CurrentTrustStore   = "current"   // decides
	PreviousTrustStore  = "previous"  // decided before; what a rollback returns to
	CandidateTrustStore = "candidate" // in roll-out: judged beside the current one, for the log
)
