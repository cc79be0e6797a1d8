package wafrules

import "encoding/json"

// The types of this file mirror the shapes of the service (API version 2019-07-29) under
// its member names. A nil pointer is an absent member; exactly-one-of shapes are
// structs with one pointer per choice.

// A WebACL is what its owner configured, as CreateWebACL and UpdateWebACL take it.
type WebACL struct {
	Name                 string                        `json:"Name,omitempty"`
	DefaultAction        *DefaultAction                `json:"DefaultAction,omitempty"`
	Rules                []Rule                        `json:"Rules,omitempty"`
	VisibilityConfig     *VisibilityConfig             `json:"VisibilityConfig,omitempty"`
	CustomResponseBodies map[string]CustomResponseBody `json:"CustomResponseBodies,omitempty"`
	CaptchaConfig        *ImmunityConfig               `json:"CaptchaConfig,omitempty"`
	ChallengeConfig      *ImmunityConfig               `json:"ChallengeConfig,omitempty"`
	TokenDomains         []string                      `json:"TokenDomains,omitempty"`
	AssociationConfig    *AssociationConfig            `json:"AssociationConfig,omitempty"`
}

// A RuleGroup is a customer's rule group.
type RuleGroup struct {
	Name                 string                        `json:"Name,omitempty"`
	Capacity             int64                         `json:"Capacity,omitempty"`
	Rules                []Rule                        `json:"Rules,omitempty"`
	VisibilityConfig     *VisibilityConfig             `json:"VisibilityConfig,omitempty"`
	CustomResponseBodies map[string]CustomResponseBody `json:"CustomResponseBodies,omitempty"`
}

// A Rule is a statement and what to do when it is true.
type Rule struct {
	Name             string            `json:"Name"`
	Priority         *int32            `json:"Priority"`
	Statement        *Statement        `json:"Statement"`
	Action           *RuleAction       `json:"Action,omitempty"`
	OverrideAction   *OverrideAction   `json:"OverrideAction,omitempty"`
	RuleLabels       []Label           `json:"RuleLabels,omitempty"`
	VisibilityConfig *VisibilityConfig `json:"VisibilityConfig"`
	CaptchaConfig    *ImmunityConfig   `json:"CaptchaConfig,omitempty"`
	ChallengeConfig  *ImmunityConfig   `json:"ChallengeConfig,omitempty"`
}

// A Label is the part of a label's name after the prefix of its context.
type Label struct {
	Name string `json:"Name"`
}

// VisibilityConfig names the metric of a rule or container and says what is recorded.
type VisibilityConfig struct {
	SampledRequestsEnabled   bool   `json:"SampledRequestsEnabled"`
	CloudWatchMetricsEnabled bool   `json:"CloudWatchMetricsEnabled"`
	MetricName               string `json:"MetricName"`
}

// Empty is a shape without members, whose presence is its meaning.
type Empty struct{}

// RuleAction is exactly one of its members.
type RuleAction struct {
	Block     *BlockAction  `json:"Block,omitempty"`
	Allow     *CustomAction `json:"Allow,omitempty"`
	Count     *CustomAction `json:"Count,omitempty"`
	Captcha   *CustomAction `json:"Captcha,omitempty"`
	Challenge *CustomAction `json:"Challenge,omitempty"`
}

// DefaultAction is exactly one of its members.
type DefaultAction struct {
	Block *BlockAction  `json:"Block,omitempty"`
	Allow *CustomAction `json:"Allow,omitempty"`
}

// OverrideAction is exactly one of its members.
type OverrideAction struct {
	Count *Empty `json:"Count,omitempty"`
	None  *Empty `json:"None,omitempty"`
}

// BlockAction answers the request, with a response of the owner's choice if given.
type BlockAction struct {
	CustomResponse *CustomResponse `json:"CustomResponse,omitempty"`
}

// CustomAction lets the request go on, with headers inserted if given.
type CustomAction struct {
	CustomRequestHandling *CustomRequestHandling `json:"CustomRequestHandling,omitempty"`
}

// CustomResponse replaces the 403 of a block.
type CustomResponse struct {
	ResponseCode          int32              `json:"ResponseCode"`
	CustomResponseBodyKey string             `json:"CustomResponseBodyKey,omitempty"`
	ResponseHeaders       []CustomHTTPHeader `json:"ResponseHeaders,omitempty"`
}

// CustomRequestHandling lists headers to insert into the request, without their prefix.
type CustomRequestHandling struct {
	InsertHeaders []CustomHTTPHeader `json:"InsertHeaders"`
}

// CustomHTTPHeader is a header to insert or send.
type CustomHTTPHeader struct {
	Name  string `json:"Name"`
	Value string `json:"Value"`
}

// CustomResponseBody is a body that custom responses refer to by key.
type CustomResponseBody struct {
	ContentType string `json:"ContentType"`
	Content     string `json:"Content"`
}

// ImmunityConfig says how long a solved puzzle or challenge counts.
type ImmunityConfig struct {
	ImmunityTimeProperty *struct {
		ImmunityTime int64 `json:"ImmunityTime"` // seconds
	} `json:"ImmunityTimeProperty,omitempty"`
}

// AssociationConfig sets how much of a body is inspected, by kind of resource.
type AssociationConfig struct {
	RequestBody map[string]struct {
		DefaultSizeInspectionLimit string `json:"DefaultSizeInspectionLimit"`
	} `json:"RequestBody,omitempty"`
}

// A Statement is exactly one of its members.
type Statement struct {
	ByteMatch                *ByteMatchStatement          `json:"ByteMatchStatement,omitempty"`
	SqliMatch                *SqliMatchStatement          `json:"SqliMatchStatement,omitempty"`
	XssMatch                 *XssMatchStatement           `json:"XssMatchStatement,omitempty"`
	SizeConstraint           *SizeConstraintStatement     `json:"SizeConstraintStatement,omitempty"`
	GeoMatch                 *GeoMatchStatement           `json:"GeoMatchStatement,omitempty"`
	AsnMatch                 *AsnMatchStatement           `json:"AsnMatchStatement,omitempty"`
	RuleGroupReference       *RuleGroupReferenceStatement `json:"RuleGroupReferenceStatement,omitempty"`
	IPSetReference           *IPSetReferenceStatement     `json:"IPSetReferenceStatement,omitempty"`
	RegexPatternSetReference *RegexPatternSetReference    `json:"RegexPatternSetReferenceStatement,omitempty"`
	RateBased                *RateBasedStatement          `json:"RateBasedStatement,omitempty"`
	And                      *ListStatement               `json:"AndStatement,omitempty"`
	Or                       *ListStatement               `json:"OrStatement,omitempty"`
	Not                      *NotStatement                `json:"NotStatement,omitempty"`
	ManagedRuleGroup         *ManagedRuleGroupStatement   `json:"ManagedRuleGroupStatement,omitempty"`
	LabelMatch               *LabelMatchStatement         `json:"LabelMatchStatement,omitempty"`
	RegexMatch               *RegexMatchStatement         `json:"RegexMatchStatement,omitempty"`

	// AnyPattern and AnyAddress exist for managed groups alone: lists that a customer
	// would keep in sets of their own. So does Claim.
	AnyPattern *AnyPatternStatement `json:"-"`
	AnyAddress *AnyAddressStatement `json:"-"`
	Claim      *ClaimStatement      `json:"-"`
}

// ByteMatchStatement looks for a string of bytes.
type ByteMatchStatement struct {
	SearchString         []byte               `json:"SearchString"` // base64 in JSON
	FieldToMatch         *FieldToMatch        `json:"FieldToMatch"`
	TextTransformations  []TextTransformation `json:"TextTransformations"`
	PositionalConstraint string               `json:"PositionalConstraint"`
}

// SqliMatchStatement looks for SQL injection.
type SqliMatchStatement struct {
	FieldToMatch        *FieldToMatch        `json:"FieldToMatch"`
	TextTransformations []TextTransformation `json:"TextTransformations"`
	SensitivityLevel    string               `json:"SensitivityLevel,omitempty"` // LOW if empty
}

// XssMatchStatement looks for cross-site scripting.
type XssMatchStatement struct {
	FieldToMatch        *FieldToMatch        `json:"FieldToMatch"`
	TextTransformations []TextTransformation `json:"TextTransformations"`
}

// SizeConstraintStatement compares a length in bytes.
type SizeConstraintStatement struct {
	FieldToMatch        *FieldToMatch        `json:"FieldToMatch"`
	ComparisonOperator  string               `json:"ComparisonOperator"`
	Size                int64                `json:"Size"`
	TextTransformations []TextTransformation `json:"TextTransformations"`
}

// GeoMatchStatement asks for the country of an address.
type GeoMatchStatement struct {
	CountryCodes      []string           `json:"CountryCodes"`
	ForwardedIPConfig *ForwardedIPConfig `json:"ForwardedIPConfig,omitempty"`
}

// AsnMatchStatement asks for the autonomous system of an address.
type AsnMatchStatement struct {
	AsnList           []int64            `json:"AsnList"`
	ForwardedIPConfig *ForwardedIPConfig `json:"ForwardedIPConfig,omitempty"`
}

// ForwardedIPConfig takes the address from a header. Position is used by IP sets only.
type ForwardedIPConfig struct {
	HeaderName       string `json:"HeaderName"`
	FallbackBehavior string `json:"FallbackBehavior"`
	Position         string `json:"Position,omitempty"`
}

// IPSetReferenceStatement asks whether an address is in a set.
type IPSetReferenceStatement struct {
	ARN                    string             `json:"ARN"`
	IPSetForwardedIPConfig *ForwardedIPConfig `json:"IPSetForwardedIPConfig,omitempty"`
}

// RegexPatternSetReference looks for any pattern of a set.
type RegexPatternSetReference struct {
	ARN                 string               `json:"ARN"`
	FieldToMatch        *FieldToMatch        `json:"FieldToMatch"`
	TextTransformations []TextTransformation `json:"TextTransformations"`
}

// RegexMatchStatement looks for one pattern.
type RegexMatchStatement struct {
	RegexString         string               `json:"RegexString"`
	FieldToMatch        *FieldToMatch        `json:"FieldToMatch"`
	TextTransformations []TextTransformation `json:"TextTransformations"`
}

// LabelMatchStatement looks for labels that earlier rules added.
type LabelMatchStatement struct {
	Scope string `json:"Scope"`
	Key   string `json:"Key"`
}

// ListStatement is the shape of And and Or.
type ListStatement struct {
	Statements []Statement `json:"Statements"`
}

// NotStatement negates.
type NotStatement struct {
	Statement *Statement `json:"Statement"`
}

// RateBasedStatement is true for requests of whoever sends too many.
type RateBasedStatement struct {
	Limit               int64              `json:"Limit"`
	EvaluationWindowSec int64              `json:"EvaluationWindowSec,omitempty"` // 300 if 0
	AggregateKeyType    string             `json:"AggregateKeyType"`
	ScopeDownStatement  *Statement         `json:"ScopeDownStatement,omitempty"`
	ForwardedIPConfig   *ForwardedIPConfig `json:"ForwardedIPConfig,omitempty"`
	CustomKeys          []RateKey          `json:"CustomKeys,omitempty"`
}

// RateKey is exactly one of its members.
type RateKey struct {
	Header         *NamedRateKey     `json:"Header,omitempty"`
	Cookie         *NamedRateKey     `json:"Cookie,omitempty"`
	QueryArgument  *NamedRateKey     `json:"QueryArgument,omitempty"`
	QueryString    *TextRateKey      `json:"QueryString,omitempty"`
	UriPath        *TextRateKey      `json:"UriPath,omitempty"`
	HTTPMethod     *Empty            `json:"HTTPMethod,omitempty"`
	ForwardedIP    *Empty            `json:"ForwardedIP,omitempty"`
	IP             *Empty            `json:"IP,omitempty"`
	LabelNamespace *NamespaceRateKey `json:"LabelNamespace,omitempty"`
	JA3Fingerprint *Fallback         `json:"JA3Fingerprint,omitempty"`
	JA4Fingerprint *Fallback         `json:"JA4Fingerprint,omitempty"`
	ASN            *Empty            `json:"ASN,omitempty"`
}

// NamedRateKey aggregates by the value of a named header, cookie or argument.
type NamedRateKey struct {
	Name                string               `json:"Name"`
	TextTransformations []TextTransformation `json:"TextTransformations"`
}

// TextRateKey aggregates by the query string or the path.
type TextRateKey struct {
	TextTransformations []TextTransformation `json:"TextTransformations"`
}

// NamespaceRateKey aggregates by the labels below a namespace.
type NamespaceRateKey struct {
	Namespace string `json:"Namespace"`
}

// RuleGroupReferenceStatement runs the rules of a customer's group.
type RuleGroupReferenceStatement struct {
	ARN                 string               `json:"ARN"`
	ExcludedRules       []ExcludedRule       `json:"ExcludedRules,omitempty"`
	RuleActionOverrides []RuleActionOverride `json:"RuleActionOverrides,omitempty"`
}

// ManagedRuleGroupStatement runs the rules of a vendor's group.
type ManagedRuleGroupStatement struct {
	VendorName              string                   `json:"VendorName"`
	Name                    string                   `json:"Name"`
	Version                 string                   `json:"Version,omitempty"`
	ExcludedRules           []ExcludedRule           `json:"ExcludedRules,omitempty"`
	ScopeDownStatement      *Statement               `json:"ScopeDownStatement,omitempty"`
	ManagedRuleGroupConfigs []ManagedRuleGroupConfig `json:"ManagedRuleGroupConfigs,omitempty"`
	RuleActionOverrides     []RuleActionOverride     `json:"RuleActionOverrides,omitempty"`
}

// ManagedRuleGroupConfig configures the groups that take configuration; of the ones
// offered here that is Bot Control. The other members are refused.
type ManagedRuleGroupConfig struct {
	AWSManagedRulesBotControlRuleSet *BotControlConfig `json:"AWSManagedRulesBotControlRuleSet,omitempty"`
	LoginPath                        json.RawMessage   `json:"LoginPath,omitempty"`
	PayloadType                      json.RawMessage   `json:"PayloadType,omitempty"`
	UsernameField                    json.RawMessage   `json:"UsernameField,omitempty"`
	PasswordField                    json.RawMessage   `json:"PasswordField,omitempty"`
	AWSManagedRulesATPRuleSet        json.RawMessage   `json:"AWSManagedRulesATPRuleSet,omitempty"`
	AWSManagedRulesACFPRuleSet       json.RawMessage   `json:"AWSManagedRulesACFPRuleSet,omitempty"`
	AWSManagedRulesAntiDDoSRuleSet   json.RawMessage   `json:"AWSManagedRulesAntiDDoSRuleSet,omitempty"`
}

// unsupported reports whether c configures a group that is not offered.
func (c *ManagedRuleGroupConfig) unsupported() bool {
	return c.LoginPath != nil || c.PayloadType != nil || c.UsernameField != nil || c.PasswordField != nil ||
		c.AWSManagedRulesATPRuleSet != nil || c.AWSManagedRulesACFPRuleSet != nil || c.AWSManagedRulesAntiDDoSRuleSet != nil
}

// BotControlConfig chooses the level of inspection.
type BotControlConfig struct {
	InspectionLevel       string `json:"InspectionLevel"` // COMMON or TARGETED
	EnableMachineLearning *bool  `json:"EnableMachineLearning,omitempty"`
}

// ExcludedRule is the old way to set one rule's action to Count.
type ExcludedRule struct {
	Name string `json:"Name"`
}

// RuleActionOverride replaces the action of one rule of a group.
type RuleActionOverride struct {
	Name        string      `json:"Name"`
	ActionToUse *RuleAction `json:"ActionToUse"`
}

// TextTransformation is one link of a chain that Priority orders.
type TextTransformation struct {
	Priority int32  `json:"Priority"`
	Type     string `json:"Type"`
}

// AnyPatternStatement looks for any of many patterns.
type AnyPatternStatement struct {
	Patterns            []string
	FieldToMatch        *FieldToMatch
	TextTransformations []TextTransformation
}

// ClaimStatement is true of requests that claim something and cannot prove it, and with
// Always of those that can. It adds labels to both.
type ClaimStatement struct {
	Claim  *Statement
	Proof  *Statement // nil when nobody can
	Always bool
	// Proven and Unproven are labels without the prefix of the rule's context.
	Proven, Unproven []string
}

// AnyAddressStatement asks whether the client's address is in a set.
type AnyAddressStatement struct {
	Set *IPSet
}
