package wafrules

// FieldToMatch is exactly one of its members: the component of the request to inspect.
type FieldToMatch struct {
	SingleHeader        *NamedField `json:"SingleHeader,omitempty"`
	SingleQueryArgument *NamedField `json:"SingleQueryArgument,omitempty"`
	AllQueryArguments   *Empty      `json:"AllQueryArguments,omitempty"`
	UriPath             *Empty      `json:"UriPath,omitempty"`
	QueryString         *Empty      `json:"QueryString,omitempty"`
	Body                *BodyField  `json:"Body,omitempty"`
	Method              *Empty      `json:"Method,omitempty"`
	JsonBody            *JSONField  `json:"JsonBody,omitempty"`
	Headers             *MapField   `json:"Headers,omitempty"`
	Cookies             *MapField   `json:"Cookies,omitempty"`
	HeaderOrder         *BodyField  `json:"HeaderOrder,omitempty"`
	JA3Fingerprint      *Fallback   `json:"JA3Fingerprint,omitempty"`
	JA4Fingerprint      *Fallback   `json:"JA4Fingerprint,omitempty"`
	UriFragment         *Fallback   `json:"UriFragment,omitempty"`

	// BodyValues exists for managed groups alone: the keys and values of a form, JSON or
	// multipart body, by content, else the whole body.
	BodyValues *Empty `json:"-"`
	// QueryNamesAndValues exists for managed groups alone: names as well as values.
	QueryNamesAndValues *Empty `json:"-"`
}

// NamedField is a header or query argument, its name without regard to case.
type NamedField struct {
	Name string `json:"Name"`
}

// BodyField is a component that may be larger than what is inspected. An empty
// OversizeHandling means CONTINUE.
type BodyField struct {
	OversizeHandling string `json:"OversizeHandling,omitempty"`
}

// Fallback says what to decide when a fingerprint or fragment is not known.
type Fallback struct {
	FallbackBehavior string `json:"FallbackBehavior"`
}

// MapField inspects headers or cookies.
type MapField struct {
	MatchPattern     *MapPattern `json:"MatchPattern"`
	MatchScope       string      `json:"MatchScope"`
	OversizeHandling string      `json:"OversizeHandling,omitempty"`
}

// MapPattern is exactly one choice; the lists' member names differ between headers and
// cookies.
type MapPattern struct {
	All             *Empty   `json:"All,omitempty"`
	IncludedHeaders []string `json:"IncludedHeaders,omitempty"`
	ExcludedHeaders []string `json:"ExcludedHeaders,omitempty"`
	IncludedCookies []string `json:"IncludedCookies,omitempty"`
	ExcludedCookies []string `json:"ExcludedCookies,omitempty"`
}

// JSONField inspects keys and values of a JSON body.
type JSONField struct {
	MatchPattern            *JSONPattern `json:"MatchPattern"`
	MatchScope              string       `json:"MatchScope"`
	InvalidFallbackBehavior string       `json:"InvalidFallbackBehavior,omitempty"`
	OversizeHandling        string       `json:"OversizeHandling,omitempty"`
}

// JSONPattern is exactly one choice.
type JSONPattern struct {
	All           *Empty   `json:"All,omitempty"`
	IncludedPaths []string `json:"IncludedPaths,omitempty"`
}
