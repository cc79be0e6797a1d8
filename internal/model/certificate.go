package model

import "time"

// Certificate is a certificate of ACM. Its private key is a sealed secret of the store.
type Certificate struct {
	ARN                     string             `json:"certificateArn"`
	Type                    string             `json:"type"`   // IMPORTED, AMAZON_ISSUED, PRIVATE
	Status                  string             `json:"status"` // ISSUED, PENDING_VALIDATION, ...
	DomainName              string             `json:"domainName,omitempty"`
	SubjectAlternativeNames []string           `json:"subjectAlternativeNames,omitempty"`
	CertificatePEM          string             `json:"certificate,omitempty"`
	ChainPEM                string             `json:"certificateChain,omitempty"`
	KeyAlgorithm            string             `json:"keyAlgorithm,omitempty"` // RSA_2048, EC_prime256v1, ...
	CreatedAt               time.Time          `json:"createdAt"`
	ImportedAt              *time.Time         `json:"importedAt,omitempty"`
	IssuedAt                *time.Time         `json:"issuedAt,omitempty"`
	NotBefore               time.Time          `json:"notBefore,omitzero"`
	NotAfter                time.Time          `json:"notAfter,omitzero"`
	ValidationMethod        string             `json:"validationMethod,omitempty"` // DNS, EMAIL, HTTP
	Validations             []DomainValidation `json:"domainValidationOptions,omitempty"`
	TransparencyLogging     string             `json:"certificateTransparencyLoggingPreference,omitempty"`
	Export                  string             `json:"export,omitempty"` // ENABLED or DISABLED
	IdempotencyToken        string             `json:"idempotencyToken,omitempty"`
	CertificateAuthorityARN string             `json:"certificateAuthorityArn,omitempty"`
	FailureReason           string             `json:"failureReason,omitempty"`
	Tags                    map[string]string  `json:"tags,omitempty"`
	Issuer                  string             `json:"issuer,omitempty"` // of AMAZON_ISSUED: "" for the local CA, or "acme"
	Exported                bool               `json:"exported,omitempty"`
	RevokedAt               *time.Time         `json:"revokedAt,omitempty"`
	RevocationReason        string             `json:"revocationReason,omitempty"`
	Renewal                 *Renewal           `json:"renewal,omitempty"`
	Order                   *Order             `json:"order,omitempty"`
	Suggestion              *Suggestion        `json:"suggestion,omitempty"`
}

// Renewal is how the last renewal of an issued certificate went.
type Renewal struct {
	Status    string    `json:"status"` // PENDING_AUTO_RENEWAL, SUCCESS, FAILED
	Reason    string    `json:"reason,omitempty"`
	UpdatedAt time.Time `json:"updatedAt"`
}

// Order is an issuance or renewal that is under way, or waits for another attempt.
type Order struct {
	By       string    `json:"by,omitempty"`   // the node that works on it
	Until    time.Time `json:"until,omitzero"` // when another node may take over
	Failures int       `json:"failures,omitempty"`
	Error    string    `json:"error,omitempty"` // of the last attempt
	Next     time.Time `json:"next,omitzero"`   // attempt, after a failure
}

// Suggestion is when the issuer wants a certificate to be renewed.
type Suggestion struct {
	At    time.Time `json:"at,omitzero"` // zero when it suggests nothing
	Again time.Time `json:"again"`       // when to ask again
}

// CertificateAccount is ACM's configuration of an account.
type CertificateAccount struct {
	DaysBeforeExpiry int32 `json:"daysBeforeExpiry"`
}

// DomainValidation is how the control over one name of a requested certificate is shown.
type DomainValidation struct {
	DomainName       string `json:"domainName"`
	ValidationDomain string `json:"validationDomain,omitempty"`
	RecordName       string `json:"recordName,omitempty"` // of the CNAME
	RecordValue      string `json:"recordValue,omitempty"`
	Status           string `json:"validationStatus,omitempty"`
}
