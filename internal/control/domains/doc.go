// Package domains does what API Gateway's operations on custom domain names and base path
// mappings say, mutual TLS included (mutual-tls, part A).
//
// A trust store is copied from S3 by the call that names it and kept beside the domain name:
// what happens to the object later does not act until the next such call. A DomainNames is
// safe for concurrent use.
package domains
