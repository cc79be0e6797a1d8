package plan

import "gatehouse/internal/awscall"

// A Service is the AWS service that an AWS integration calls: any but Lambda's functions,
// which are a Function.
type Service struct {
	awscall.Call

	// Own is set for services that Gatehouse serves itself, and AWS for AWS's own endpoints;
	// with neither, the integration's Target is an endpoint that was configured.
	Own, AWS bool

	// Credentials is what the call is signed with: a role's ARN, CallerCredentials or "".
	Credentials string

	// Source is the ARN of the method in whose name the call is made.
	Source string
}
