package plan

// A Function is a Lambda function as an integration calls it.
type Function struct {
	ARN       string // with the version or alias, where the URI names one
	Qualified bool   // the URI names one
	URL       string // of the invocation in AWS, as execution logs tell it
	Host      string // of URL

	// Source is the ARN in whose name the function is called: the method and the resource as
	// they are configured (".../prod/ANY/{proxy+}").
	Source string

	// Credentials is "", a role's ARN or invoke.CallerCredentials.
	Credentials string
}
