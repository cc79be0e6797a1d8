package gateway

import (
	"strconv"

	"gatehouse/internal/lang/mapping"
	"gatehouse/internal/plan"
)

// mock answers without a backend: the rendered request template names the status that
// selects the integration response (routing-and-integrations, section 4.1).
func (x *exchange) mock(i *plan.Integration) error {
	t, err := x.requestTemplate(i)
	if err != nil {
		return err
	}
	text, err := x.requestPayload(i, t)
	if err != nil {
		return err
	}
	status, ok := mapping.MockStatus(string(text))
	if !ok {
		return misconfigured("mock-status", "Unable to parse statusCode. It should be an integer that is defined in the request template.")
	}
	r, err := selectResponse(i, strconv.Itoa(status), status)
	if err != nil {
		return err
	}
	return x.finish(r, noSource{})
}
