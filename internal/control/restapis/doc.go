// Package restapis does what API Gateway's operations on REST APIs and what belongs to
// them say: resources, methods, integrations, models, authorizers, deployments, stages.
//
// Each operation is one transaction of the store. What an operation answers, and in which
// words it refuses, follows aws-behaviour-recorded.md; where that is silent,
// apigateway-operations.md. A RestAPIs is safe for concurrent use.
package restapis
