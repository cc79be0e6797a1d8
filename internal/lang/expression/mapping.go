package expression

import "strings"

// Place is the part of the message that a parameter mapping fills.
type Place uint8

// The places.
const (
	ToHeader Place = iota + 1 // a header of the integration request or method response
	ToQuery                   // a query parameter of the integration request
	ToPath                    // a placeholder of the integration's URI
)

// A Mapping is one parameter mapping: a place, and where its value comes from.
type Mapping struct {
	To   Place
	Name string
	From Expression
}

// ParseRequestMapping reads one entry of an integration's requestParameters. declared tells
// whether the method declares a parameter; nil means that everything is declared.
func ParseRequestMapping(key, value string, declared func(Parameter) bool) (Mapping, error) {
	m := Mapping{}
	var ok bool
	for _, p := range []struct {
		text string
		to   Place
	}{
		{"integration.request.header.", ToHeader},
		{"integration.request.querystring.", ToQuery},
		{"integration.request.path.", ToPath},
	} {
		if m.Name, ok = strings.CutPrefix(key, p.text); ok {
			m.To = p.to
			break
		}
	}
	if !ok {
		return Mapping{}, Invalid(key)
	}
	if !validName(m.Name) {
		return Mapping{}, errName
	}
	from, err := ParseRequest(value)
	if err != nil {
		return Mapping{}, err
	}
	if p, reads := from.Declares(); reads && declared != nil && !declared(p) {
		return Mapping{}, Undeclared(value)
	}
	m.From = from
	return m, nil
}

// ParseResponseMapping reads one entry of an integration response's responseParameters.
// declared tells whether the method response declares a header; nil means that it
// declares every one.
func ParseResponseMapping(key, value string, declared func(header string) bool) (Mapping, error) {
	name, err := ParseResponseDeclaration(key, key)
	if err != nil {
		return Mapping{}, err
	}
	if declared != nil && !declared(name) {
		return Mapping{}, Undeclared(key)
	}
	from, err := ParseResponse(value)
	if err != nil {
		return Mapping{}, err
	}
	return Mapping{ToHeader, name, from}, nil
}

// ParseGatewayResponseMapping reads one entry of a gateway response's responseParameters.
// The service also takes gatewayresponse.path and .querystring keys, which have no meaning
// in a response; they are returned with their place so that a caller can refuse them.
func ParseGatewayResponseMapping(key, value string) (Mapping, error) {
	m := Mapping{To: ToHeader}
	var ok bool
	if m.Name, ok = strings.CutPrefix(key, "gatewayresponse.header."); !ok {
		if m.Name, ok = strings.CutPrefix(key, "gatewayresponse.path."); ok {
			m.To = ToPath
		} else if m.Name, ok = strings.CutPrefix(key, "gatewayresponse.querystring."); ok {
			m.To = ToQuery
		} else {
			return Mapping{}, Invalid(key)
		}
	}
	if !validName(m.Name) {
		return Mapping{}, errName
	}
	from, err := ParseGatewayResponse(value)
	if err != nil {
		return Mapping{}, err
	}
	m.From = from
	return m, nil
}

// A CacheKey is one of an integration's cacheKeyParameters: a request parameter, or the
// result of a parameter mapping.
type CacheKey struct {
	Parameter Parameter // of the method request; zero when Mapped is set
	Mapped    Place     // of the integration request; zero when Parameter is set
	Name      string    // name of the mapped parameter
}

// ParseCacheKey reads one of cacheKeyParameters.
func ParseCacheKey(text string) (CacheKey, error) {
	if strings.HasPrefix(text, "method.request.") {
		p, err := ParseDeclaration(text, text)
		return CacheKey{Parameter: p}, err
	}
	m, err := ParseRequestMapping(text, "''", nil)
	if err != nil {
		return CacheKey{}, err
	}
	return CacheKey{Mapped: m.To, Name: m.Name}, nil
}
