package gateway

import (
	"strings"

	"gatehouse/internal/message"
	"gatehouse/internal/plan"
)

// What REST APIs do not speak is refused, in words: passed on to a backend as an ordinary
// request it would fail there in a way that tells nobody why.
var (
	errWebSocket = &Refusal{Type: plan.Default4XX, Status: 400, Message: "WebSocket upgrades are not supported by REST APIs", Kind: "BadRequestException", Executing: true, Reason: "websocket"}
	errGRPC      = &Refusal{Type: plan.UnsupportedMediaType, Message: "gRPC is not supported by REST APIs", Kind: "BadRequestException", Executing: true, Reason: "grpc"}
)

// refuseOtherProtocols refuses WebSocket handshakes and gRPC calls to HTTP backends. gRPC-Web,
// which is plain HTTP, passes.
func (x *exchange) refuseOtherProtocols(i *plan.Integration) error {
	if i.Type != plan.HTTPProxy && i.Type != plan.HTTP {
		return nil
	}
	for n := range x.req.Header {
		f := &x.req.Header[n]
		switch len(f.Name) {
		case len("Upgrade"):
			if message.EqualName(f.Name, "Upgrade") && message.HasToken(f.Value, "websocket") {
				return errWebSocket
			}
		case len("Content-Type"):
			if message.EqualName(f.Name, "Content-Type") && isGRPC(f.Value) {
				return errGRPC
			}
		}
	}
	return nil
}

// isGRPC reports whether a media type is application/grpc, or that with a suffix for its
// messages ("+proto").
func isGRPC(contentType string) bool {
	const grpc = "application/grpc"
	if len(contentType) < len(grpc) || !strings.EqualFold(contentType[:len(grpc)], grpc) {
		return false
	}
	rest := contentType[len(grpc):]
	return rest == "" || strings.IndexByte("+; \t", rest[0]) >= 0
}

// transferMode is $context.integration.responseTransferMode.
func (x *exchange) transferMode() string {
	switch {
	case !x.backend.called:
		return ""
	case x.method.Integration.Stream:
		return "STREAMED"
	}
	return "BUFFERED"
}
