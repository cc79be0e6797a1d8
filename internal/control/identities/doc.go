// Package identities knows who may call: the root key, IAM's users, roles and keys, and
// the sessions of STS.
package identities
