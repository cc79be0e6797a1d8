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
}

// DomainValidation is how the control over one name of a requested certificate is shown.
type DomainValidation struct {
	DomainName       string `json:"domainName"`
	ValidationDomain string `json:"validationDomain,omitempty"`
	RecordName       string `json:"recordName,omitempty"` // of the CNAME
	RecordValue      string `json:"recordValue,omitempty"`
	Status           string `json:"validationStatus,omitempty"`
}
