package server

import (
	"context"
	"fmt"
	"net"
	"os"

	"gatehouse/internal/config"
	"gatehouse/internal/edge"
	"gatehouse/internal/gateway"
	"gatehouse/internal/lang/iampolicy"
	"gatehouse/internal/message"
)

// An endpointListener is the socket of a VPC endpoint.
type endpointListener struct {
	config   config.VPCEndpoint
	socket   net.Listener
	listener *edge.Listener // nil until the edge is assembled
}

// listenEndpoints binds the sockets of VPC endpoints.
func (s *Server) listenEndpoints() error {
	for _, e := range s.config.VPCEndpoints {
		l, err := net.Listen("tcp", e.Address)
		if err != nil {
			return fmt.Errorf("VPC endpoint %s (%s): %w", e.ID, e.Address, err)
		}
		s.endpoints = append(s.endpoints, &endpointListener{config: e, socket: l})
	}
	return nil
}

// vpcEndpoints reads what requests need to know of the endpoints they come by.
func (s *Server) vpcEndpoints() (map[string]*gateway.Endpoint, error) {
	out := map[string]*gateway.Endpoint{}
	for _, e := range s.config.VPCEndpoints {
		policy, err := endpointPolicy(e)
		if err != nil {
			return nil, err
		}
		out[e.ID] = &gateway.Endpoint{ID: e.ID, VPC: e.VPC, Policy: policy}
	}
	return out, nil
}

// endpointPolicy reads an endpoint's policy; nil when it has none.
func endpointPolicy(e config.VPCEndpoint) (*iampolicy.Policy, error) {
	if e.Policy == "" {
		return nil, nil
	}
	text, err := os.ReadFile(e.Policy)
	if err != nil {
		return nil, fmt.Errorf("VPC endpoint %s: %w", e.ID, err)
	}
	p, err := iampolicy.Parse(string(text), iampolicy.Resource)
	if err != nil {
		return nil, fmt.Errorf("VPC endpoint %s: policy %s: %w", e.ID, e.Policy, err)
	}
	return p, nil
}

// assembleEndpoints makes the listeners of VPC endpoints: TLS as on the public port.
func (s *Server) assembleEndpoints() {
	for _, e := range s.endpoints {
		e.listener = &edge.Listener{Kind: message.TLSListener, Endpoint: e.config.ID, HTTP1: s.engine, HTTP2: s.h2, TLS: s.terminator, Logger: s.log}
	}
}

// serveEndpoints starts the listeners of VPC endpoints.
func (s *Server) serveEndpoints(run func(string, func(context.Context) error)) {
	for _, e := range s.endpoints {
		run("VPC endpoint "+e.config.ID, func(ctx context.Context) error { return e.listener.Serve(ctx, e.socket) })
	}
}

// EndpointAddress returns where a VPC endpoint really listens; "" when there is none of the
// id.
func (s *Server) EndpointAddress(id string) string {
	for _, e := range s.endpoints {
		if e.config.ID == id {
			return e.socket.Addr().String()
		}
	}
	return ""
}
