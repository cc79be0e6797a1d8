package functionurl

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/message"
)

// CORS says what web pages of other origins may do (Lambda API, Cors).
type CORS struct {
	Origins     []string // "*" for all
	Methods     []string // "*" for all
	Headers     []string // "*" for all
	Expose      []string
	MaxAge      int // seconds; 0 leaves it out
	Credentials bool
}

// isPreflight reports whether a browser asks what it may do: with CORS configured that is
// answered here, and the function does not see it.
func (x *exchange) isPreflight() bool {
	return x.url.CORS != nil && x.req.Method == http.MethodOptions &&
		x.req.Header.Has("Origin") && x.req.Header.Has("Access-Control-Request-Method")
}

// preflight answers what a browser may do. An origin, method or header that is not allowed
// is not named in the answer, which is how browsers are refused.
func (x *exchange) preflight() error {
	c := x.url.CORS
	h := message.Header{{Name: "x-amzn-RequestId", Value: x.id}}
	if origin := c.origin(x.req.Header.Get("Origin")); origin != "" {
		c.allow(&h, origin)
		method := x.req.Header.Get("Access-Control-Request-Method")
		if slices.Contains(c.Methods, "*") || slices.ContainsFunc(c.Methods, func(m string) bool { return strings.EqualFold(m, method) }) {
			h.Add("Access-Control-Allow-Methods", method)
		}
		if names := c.allowed(x.req.Header.Get("Access-Control-Request-Headers")); len(names) > 0 {
			h.Add("Access-Control-Allow-Headers", strings.Join(names, ","))
		}
		if c.MaxAge > 0 {
			h.Add("Access-Control-Max-Age", strconv.Itoa(c.MaxAge))
		}
	}
	x.send(http.StatusOK, h, nil)
	return nil
}

// addCORS adds what a browser wants to see of an answer; it takes the place of what the
// function says.
func (x *exchange) addCORS(h *message.Header) {
	if x.url == nil || x.url.CORS == nil {
		return
	}
	c := x.url.CORS
	for _, name := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers"} {
		h.Del(name)
	}
	origin := c.origin(x.req.Header.Get("Origin"))
	if origin == "" {
		return
	}
	c.allow(h, origin)
	if len(c.Expose) > 0 {
		h.Add("Access-Control-Expose-Headers", strings.Join(c.Expose, ","))
	}
}

func (c *CORS) allow(h *message.Header, origin string) {
	h.Add("Access-Control-Allow-Origin", origin)
	if origin != "*" {
		h.Add("Vary", "Origin")
	}
	if c.Credentials {
		h.Add("Access-Control-Allow-Credentials", "true")
	}
}

// origin is what an allowed origin is answered with, "" for others. With credentials
// browsers do not take "*".
func (c *CORS) origin(of string) string {
	switch {
	case of == "":
		return ""
	case slices.ContainsFunc(c.Origins, func(o string) bool { return strings.EqualFold(o, of) }):
		return of
	case !slices.Contains(c.Origins, "*"):
		return ""
	case c.Credentials:
		return of
	}
	return "*"
}

// allowed are the names of a list that are allowed.
func (c *CORS) allowed(list string) (names []string) {
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		if name != "" && (slices.Contains(c.Headers, "*") || slices.ContainsFunc(c.Headers, func(h string) bool { return strings.EqualFold(h, name) })) {
			names = append(names, name)
		}
	}
	return names
}
