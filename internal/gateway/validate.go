package gateway

import (
	"strings"

	"gatehouse/internal/lang/expression"
	"gatehouse/internal/lang/jsonschema"
	"gatehouse/internal/lang/ojson"
	"gatehouse/internal/message"
	"gatehouse/internal/plan"
)

// validate checks what the method's request validator asks for: parameters first, then the
// body (request-lifecycle, section 4.7). The first check that fails ends the request.
func (x *exchange) validate() error {
	v := x.method.Validation
	if v == nil {
		return nil
	}
	if err := x.checkParameters(v.Required); err != nil {
		return err
	}
	if !v.Body {
		return nil
	}
	return x.checkBody(v)
}

// checkParameters refuses a request without parameters that are required: absent and
// blank are the same. All missing ones are named, in the plan's order.
func (x *exchange) checkParameters(required []plan.Parameter) error {
	var missing []string
	for _, p := range required {
		if !x.given(p) {
			missing = append(missing, p.Name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &Refusal{Type: plan.BadRequestParameters, Message: "Missing required request parameters: [" + strings.Join(missing, ", ") + "]",
		Kind: "BadRequestException", Executing: true, Reason: "missing-parameters"}
}

// given reports whether a parameter is there and not blank. A signature is there, though
// mappings do not see it.
func (x *exchange) given(p plan.Parameter) bool {
	v, ok := x.parameter(p.Place, p.Name)
	if !ok && p.Place == expression.Header && message.EqualName(p.Name, "Authorization") {
		v = x.req.Header.Get("Authorization")
	}
	return strings.TrimSpace(v) != ""
}

// checkBody holds the body against the model for its content type. Without a body there is
// still something to validate: an empty object.
func (x *exchange) checkBody(v *plan.Validation) error {
	model := v.Models[strings.ToLower(x.contentType())]
	if model == nil {
		model = v.Models["$default"]
	}
	if model == nil {
		return nil
	}
	body, err := x.readBody()
	if err != nil {
		return err
	}
	text := string(body)
	if strings.TrimSpace(text) == "" {
		text = "{}"
	}
	doc, err := ojson.Parse(text, ojson.Limits{})
	if err != nil {
		return invalidBody(jsonschema.Unparsable, err)
	}
	ok, err := model.Valid(doc)
	if err != nil {
		return invalidBody("", err)
	}
	if !ok {
		return invalidBody(model.Explain(doc), nil)
	}
	return nil
}

func invalidBody(detail string, cause error) error {
	return &Refusal{Type: plan.BadRequestBody, Message: "Invalid request body", Kind: "BadRequestException", Executing: true,
		Reason: "invalid-body", Detail: detail, Cause: cause}
}
