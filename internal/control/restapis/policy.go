package restapis

import (
	"strings"

	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/model"
)

// checkPolicy refuses a resource policy that could not be evaluated; "" is no policy.
func checkPolicy(policy string) error {
	if policy == "" {
		return nil
	}
	if _, err := iampolicy.Parse(policy, iampolicy.Resource); err != nil {
		return badRequest("Invalid policy document. Please check the policy syntax and ensure that Principals are valid.").Because(err)
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
