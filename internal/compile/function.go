package compile

import (
	"errors"

	"gatehouse/internal/lang/awsuri"
	"gatehouse/internal/lang/expression"
	"gatehouse/internal/model"
	"gatehouse/internal/plan"
)

// What makes every call of a Lambda integration fail, in the words of its execution log.
const (
	brokenFunction = "Invalid function ARN or invalid URI"
	brokenTransfer = "The responseTransferMode of the integration and the URI of the function do not go together"
)

// compileFunction compiles an AWS or AWS_PROXY integration that calls a Lambda function. It
// reports false when u calls another service.
func compileFunction(s *plan.Stage, r *model.Resource, verb string, i *model.Integration, u awsuri.URI, out *plan.Integration) bool {
	f, err := u.Function()
	if errors.Is(err, awsuri.ErrNoFunction) {
		return false
	}
	if err != nil {
		out.Broken = brokenFunction
		return true
	}
	if f.Streaming != out.Stream || f.Streaming && out.Type != plan.AWSProxy {
		out.Broken = brokenTransfer // routing-and-integrations, section 10: combinations
	}
	out.Function = &plan.Function{
		ARN: f.ARN, Qualified: f.Qualifier != "", Host: u.Host(), URL: "https://" + u.Host() + u.Path, Source: sourceARN(s, r, verb),
		Credentials: expression.ResolveStageVariables(i.Credentials, variablesOf(s)),
	}
	return true
}

// sourceARN is the ARN in whose name a method's integration is called
// (routing-and-integrations, section 4.3).
func sourceARN(s *plan.Stage, r *model.Resource, verb string) string {
	return model.ARN{Partition: "aws", Service: "execute-api", Region: s.API.Region, Account: s.Account,
		Resource: s.API.ID + "/" + s.Name + "/" + verb + r.Path}.String()
}

// variablesOf looks a stage's variables up.
func variablesOf(s *plan.Stage) func(name string) (string, bool) {
	return func(name string) (string, bool) { v, ok := s.Variables[name]; return v, ok }
}
