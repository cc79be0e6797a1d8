// Package certificates does what ACM's operations say: certificates that are imported, and
// certificates that are issued when they are requested, by the local CA at once or by an
// ACME server in the background, and renewed ahead of their end while they are in use.
// Private keys are sealed secrets of the store and leave it for the TLS listener, and by
// ExportCertificate where the certificate allows that.
//
// A Certificates is safe for concurrent use.
package certificates
