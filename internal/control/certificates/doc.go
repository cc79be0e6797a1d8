// Package certificates does what ACM's operations say: certificates that are imported, and
// certificates that the local CA issues at once when they are requested. Private keys are
// sealed secrets of the store and leave it for the TLS listener alone.
//
// A Certificates is safe for concurrent use.
package certificates
