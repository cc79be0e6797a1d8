package restapis

import (
	"context"
	"strings"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/control/tags"
	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/model"
	"gatehouse/internal/trust"
)

// mayManagePolicy refuses callers who may not manage an API's resource policy: who may reach
// an API is more than how it is built, so the service asks for an action of its own beside
// that of the call (Service Authorization Reference). id is "" for an API that is being made.
func (s *RestAPIs) mayManagePolicy(ctx context.Context, id string) error {
	if s.Authorize == nil {
		return nil
	}
	path := "/restapis"
	if id != "" {
		path += "/" + id
	}
	return s.Authorize(ctx, "apigateway:UpdateRestApiPolicy", model.APIGatewayARN(awsapi.CallFrom(ctx).Region, path))
}

// checkPolicy refuses a resource policy that could not be evaluated; "" is no policy.
func checkPolicy(policy string) error {
	if policy == "" {
		return nil
	}
	doc, err := iampolicy.ParseDocument(policy, iampolicy.Resource)
	if err == nil {
		_, err = doc.Compile()
	}
	if err != nil {
		return badRequest("Invalid policy document. Please check the policy syntax and ensure that Principals are valid.").Because(err)
	}
	return checkConditionKeys(doc)
}

// checkConditionKeys refuses misspelt keys of Gatehouse's own: a condition on a key that
// never has a value is no control.
func checkConditionKeys(doc *iampolicy.Document) error {
	for _, st := range doc.Statements {
		for _, c := range st.Conditions {
			if strings.HasPrefix(strings.ToLower(c.Key), tags.Prefix) && !trust.IsConditionKey(c.Key) {
				return badRequest("Invalid policy document. Unknown condition key " + c.Key + "; known are " + trust.ConditionKeys)
			}
		}
	}
	return nil
}

// escapePolicy gives a policy the form that answers have: the text of a JSON string
// without its quotes, so that it is escaped twice on the wire (terraform-calls).
func escapePolicy(policy string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(policy)
}

// checkSecurityPolicy refuses names of security policies that do not exist.
func checkSecurityPolicy(name string) error {
	if name == "" || model.IsSecurityPolicy(name) {
		return nil
	}
	return badRequest("Invalid SecurityPolicy specified: " + name)
}
