package wafrules

import "fmt"

// Kind is the exception that an Error becomes on the wire.
type Kind string

// The exceptions that rules can cause.
const (
	InvalidParameter     Kind = "WAFInvalidParameterException"
	LimitsExceeded       Kind = "WAFLimitsExceededException"
	NonexistentItem      Kind = "WAFNonexistentItemException"
	InvalidResource      Kind = "WAFInvalidResourceException"
	UnavailableEntity    Kind = "WAFUnavailableEntityException"
	ExpiredVersion       Kind = "WAFExpiredManagedRuleGroupVersionException"
	ConfigurationWarning Kind = "WAFConfigurationWarningException"
	SubscriptionNotFound Kind = "WAFSubscriptionNotFoundException"
)

// An Error says what the service would say about rules that it refuses. Which members
// are set depends on Kind: Reason, Field and Parameter for InvalidParameter, SourceType for
// LimitsExceeded.
type Error struct {
	Kind      Kind
	Message   string
	Reason    string
	Field     string
	Parameter string
	// SourceType names the limit, such as NUM_CAPACITY_UNITS_IN_RULE_GROUP.
	SourceType string
}

func (e *Error) Error() string { return string(e.Kind) + ": " + e.Message }

// Reasons of WAFInvalidParameterException (reference/wafv2.md section 5).
const (
	reasonExactlyOne   = "You have used none or multiple values for a field that requires exactly one value."
	reasonReference    = "A reference in your rule statement is not valid."
	reasonARN          = "The ARN isn't valid. A valid ARN begins with arn: and includes other information separated by colons or slashes."
	reasonPriority     = "You have a duplicate priority. Priorities must be unique."
	reasonDuplicate    = "You have duplicated some of the information in the parameter."
	reasonThreshold    = "You haven't met a minimum requirement for a threshold setting"
	reasonMissing      = "A required field is missing from the parameter."
	reasonUnsupported  = "The parameter value isn't supported."
	reasonOutOfBounds  = "The parameter value is out of bounds."
	reasonFormat       = "The parameter contains formatting that is not valid."
	reasonMetricName   = "The metric name is not valid."
	reasonIndependent  = "IP or ForwardedIP can't be independent keys for CUSTOM_KEYS"
	reasonCondition    = "You are missing at-least one of condition between some parameters or all parameters of object."
	reasonCoexist      = "EXCLUDED_RULES_COEXIST_RULE_ACTION_OVERRIDES"
	reasonSearchString = "Invalid search string %q for CONTAINS_WORD. Only alphanumeric characters and underscores are allowed."

	messageNonexistentReference = "AWS WAF couldn't find a resource that a parameter references."
	messageCapacity             = "You exceeded the capacity limit for a rule group or web ACL."
	messageLimits               = "AWS WAF couldn’t perform the operation because you exceeded your resource limit."
	messageOversize             = "The rule statement inspects a component that can exceed the inspection limit, without OversizeHandling. Specify how to handle oversize content, or tag the resource with WAF:OversizeFieldsHandlingConstraintOptOut=true."
)

// Invalid makes a WAFInvalidParameterException in the service's wording.
func Invalid(reason, field, parameter string) *Error {
	return &Error{
		Kind:    InvalidParameter,
		Message: fmt.Sprintf("Error reason: %s, field: %s, parameter: %s", reason, field, parameter),
		Reason:  reason, Field: field, Parameter: parameter,
	}
}

func limit(sourceType string) *Error {
	message := messageLimits
	if sourceType == "NUM_CAPACITY_UNITS_IN_RULE_GROUP" || sourceType == "NUM_CAPACITY_UNITS_IN_WEB_ACL" {
		message = messageCapacity
	}
	return &Error{Kind: LimitsExceeded, Message: message, SourceType: sourceType}
}

func nonexistent() *Error {
	return &Error{Kind: NonexistentItem, Message: messageNonexistentReference}
}
