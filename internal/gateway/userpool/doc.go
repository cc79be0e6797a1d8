// Package userpool verifies the tokens of COGNITO_USER_POOLS authorizers: signature, issuer,
// lifetime and kind, by the keys that the issuer publishes (authorizers, section 2).
//
// A pool is named by the ARN of a Cognito user pool. Its issuer is Cognito's, derived from the
// ARN, or any OpenID Connect issuer that the operator maps the ARN to. Keys are fetched when
// they are first needed, kept in memory and on disk, renewed in the background, and fetched
// anew when a token names one that is not known, at most every half minute. While they cannot
// be fetched the last ones serve until a limit; after that no token is accepted.
//
// Algorithms are an allow-list with public keys only: a token cannot choose to be verified
// with a secret, or not at all (RFC 8725, section 3). A Verifier is safe for concurrent use.
package userpool
