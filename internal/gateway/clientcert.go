package gateway

import (
	"slices"

	"gatehouse/internal/http1/upstream"
	"gatehouse/internal/message"
	"gatehouse/internal/trust/forward"
)

// dropReserved removes the headers that tell backends of a client certificate: from a
// client they are a claim that nobody checked. It is done before anything reads the header,
// so that no mapping, template or event carries one on.
func dropReserved(h *message.Header) {
	reserved := func(f message.Field) bool { return forward.IsReserved(f.Name) }
	if slices.ContainsFunc(*h, reserved) {
		*h = slices.DeleteFunc(slices.Clone(*h), reserved)
	}
}

// forwardsCertificate reports whether backends are told of the request's certificate.
func (x *exchange) forwardsCertificate() bool {
	return x.domain != nil && x.domain.Forward != forward.Form{} && x.client != nil && x.client.Path != nil
}

// addClientCertificate hands the verified certificate on in the form that the domain's tag
// gatehouse:forward-client-cert names.
func (x *exchange) addClientCertificate(req *upstream.Request) {
	if !x.forwardsCertificate() {
		return
	}
	form := x.domain.Forward
	fields := x.client.Memo(form, func() any { return form.Headers(x.client.Path.Chain) })
	for _, f := range fields.([]forward.Field) {
		req.Header.Add(f.Name, f.Value)
	}
}
