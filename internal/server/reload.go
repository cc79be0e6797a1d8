package server

import (
	"errors"
	"fmt"
	"reflect"

	"gatehouse/internal/config"
	"gatehouse/internal/edge"
)

// Reload puts a new configuration in force: limits of connections, networks, tokens and
// host names. Sockets and connections stay. A configuration that changes anything else is
// refused as a whole, naming each setting.
func (s *Server) Reload(c *config.Config) error {
	if err := fixed(s.live.Load(), c); err != nil {
		return err
	}
	s.live.Store(c)
	s.applyListeners(c)
	s.log.Info("the configuration was reloaded")
	return nil
}

// fixed reports the settings that differ and cannot change while the server runs.
func fixed(was, next *config.Config) error {
	a, b := *was, *next
	for _, c := range []*config.Config{&a, &b} {
		c.ControlHosts, c.MetricsToken = nil, ""
		c.ProxyProtocol, c.Egress = config.ProxyProtocol{}, config.Egress{}
		c.Limits.Connections, c.Limits.HandshakeTimeout = 0, 0
	}
	var problems []error
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range va.NumField() {
		if !reflect.DeepEqual(va.Field(i).Interface(), vb.Field(i).Interface()) {
			problems = append(problems, fmt.Errorf("configuration: %s: cannot change while the server runs", va.Type().Field(i).Tag.Get("yaml")))
		}
	}
	return errors.Join(problems...)
}

// applyListeners puts the changeable settings of the data ports in force.
func (s *Server) applyListeners(c *config.Config) {
	settings := edge.Settings{MaxConns: c.Limits.Connections, HandshakeTimeout: c.Limits.HandshakeTimeout}
	settings.ProxyFrom = c.Networks(c.ProxyProtocol.HTTP)
	s.plain.Update(settings)
	settings.ProxyFrom = c.Networks(c.ProxyProtocol.HTTPS)
	s.secure.Update(settings)
	for _, e := range s.endpoints {
		settings.ProxyFrom = c.Networks(e.config.ProxyProtocol)
		e.listener.Update(settings)
	}
}
