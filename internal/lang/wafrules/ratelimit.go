package wafrules

import (
	"encoding/json"
	"hash/fnv"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// id names what a key aggregates by; equal keys in one rule are an error.
func (k *RateKey) id() string {
	switch {
	case k.Header != nil:
		return "header:" + strings.ToLower(k.Header.Name)
	case k.Cookie != nil:
		return "cookie:" + k.Cookie.Name
	case k.QueryArgument != nil:
		return "argument:" + strings.ToLower(k.QueryArgument.Name)
	case k.LabelNamespace != nil:
		return "labels:" + k.LabelNamespace.Namespace
	case k.QueryString != nil:
		return "query"
	case k.UriPath != nil:
		return "path"
	case k.HTTPMethod != nil:
		return "method"
	case k.ForwardedIP != nil:
		return "forwarded address"
	case k.IP != nil:
		return "address"
	case k.JA3Fingerprint != nil:
		return "ja3"
	case k.JA4Fingerprint != nil:
		return "ja4"
	}
	return "asn"
}

func (k *RateKey) transformations() []TextTransformation {
	switch {
	case k.Header != nil:
		return k.Header.TextTransformations
	case k.Cookie != nil:
		return k.Cookie.TextTransformations
	case k.QueryArgument != nil:
		return k.QueryArgument.TextTransformations
	case k.QueryString != nil:
		return k.QueryString.TextTransformations
	case k.UriPath != nil:
		return k.UriPath.TextTransformations
	}
	return nil
}

// logKind is the key's kind in logs.
func (k *RateKey) logKind() string {
	kind, _, _ := strings.Cut(k.id(), ":")
	return map[string]string{"header": "HEADER", "cookie": "COOKIE", "argument": "QUERY_ARGUMENT", "labels": "LABEL_NAMESPACE",
		"query": "QUERY_STRING", "path": "URI_PATH", "method": "HTTP_METHOD", "forwarded address": "FORWARDED_IP", "address": "IP",
		"ja3": "JA3_FINGERPRINT", "ja4": "JA4_FINGERPRINT", "asn": "ASN"}[kind]
}

// rateBased is true for requests whose key is over the limit.
type rateBased struct {
	index     int // of the counter among those of the unit
	limit     int64
	window    time.Duration
	kind      string // AggregateKeyType
	scopeDown matcher
	origin    origin // of the address, or of the ForwardedIP key
	keys      []rateKey
	info      *leafInfo
	name      string
}

// A rateKey yields one part of an aggregation key.
type rateKey struct {
	kind   string // as logs name it
	name   string // of a header, cookie or argument
	node   uint16 // of the unit; values of text keys
	prefix string // of labels, completed with the context
}

// A RateMatch tells how a rate-based rule saw the request.
type RateMatch struct {
	Rule      string // name
	ID        string // of the counter; "" if nothing was evaluated because a key was missing
	Kind      string // IP, FORWARDED_IP, CUSTOM_KEYS or CONSTANT
	Limit     int64
	Window    time.Duration
	Address   netip.Addr // of the IP kinds; invalid when the header's address was
	Values    []RateValue
	Evaluated bool
}

// A RateValue is one part of a custom key.
type RateValue struct {
	Kind, Name, Value string
}

// maxRateKey bounds what one value adds to a key.
const maxRateKey = 4096

func (m *rateBased) match(x *evaluation) bool {
	if m.scopeDown != nil {
		mark := len(x.trail)
		if !m.scopeDown.match(x) {
			return false
		}
		x.trail = x.trail[:mark]
	}
	counter := x.acl.counters[x.unit.rateBase+m.index]
	report := RateMatch{Rule: m.name, ID: counter.id, Kind: m.kind, Limit: m.limit, Window: m.window, Evaluated: true}
	x.rateKey = x.rateKey[:0]
	if !m.key(x, &report) {
		if m.kind == "CUSTOM_KEYS" {
			report.ID, report.Evaluated, report.Values = "", false, nil
			x.verdict.Rates = append(x.verdict.Rates, report)
		}
		return false
	}
	if !counter.counter.Add(view(x.rateKey), report.Address, x.req.Time) {
		return false
	}
	x.verdict.Rates = append(x.verdict.Rates, report)
	x.trail = append(x.trail, trace{info: m.info, value: -1})
	return true
}

// key builds the aggregation key and reports whether the request counts at all.
func (m *rateBased) key(x *evaluation, report *RateMatch) bool {
	switch m.kind {
	case "CONSTANT":
		return true
	case "IP", "FORWARDED_IP":
		return m.addressKey(x, m.origin, report)
	}
	from := len(x.rateValues)
	for i := range m.keys {
		if !m.keys[i].add(x, m) {
			return false
		}
	}
	report.Values = x.rateValues[from:len(x.rateValues):len(x.rateValues)]
	return true
}

// addressKey counts malformed addresses together when the fallback is MATCH.
func (m *rateBased) addressKey(x *evaluation, o origin, report *RateMatch) bool {
	a, state := o.address(x)
	if state == addressMissing || state == addressInvalid && !o.fallback {
		return false
	}
	if state == addressInvalid {
		x.rateKey = append(x.rateKey, "INVALID"...)
		return true
	}
	a = a.Unmap()
	report.Address = a
	bytes := a.As16()
	x.rateKey = append(x.rateKey, bytes[:]...)
	return true
}

// add appends the key's value and reports whether the request has one.
func (k *rateKey) add(x *evaluation, m *rateBased) bool {
	value := ""
	switch k.kind {
	case "IP", "FORWARDED_IP", "ASN":
		o := m.origin
		if k.kind == "IP" {
			o = origin{}
		}
		a, state := o.address(x)
		if state == addressMissing || state == addressInvalid && !o.fallback {
			return false
		}
		value = "INVALID"
		if state == addressValid && k.kind == "ASN" {
			value = strconv.FormatUint(uint64(x.acl.geography.ASN(a)), 10)
		} else if state == addressValid {
			value = a.Unmap().String()
		}
	case "LABEL_NAMESPACE":
		return k.addLabels(x)
	default:
		state := x.at(k.node)
		if state.decision == decideNoMatch || state.decision == inspectValues && len(state.values) == 0 {
			return false
		}
		if len(state.values) > 0 {
			value = state.values[0]
		}
	}
	x.appendRate(k, value)
	return true
}

// addLabels counts by all labels below the namespace that were added so far.
func (k *rateKey) addLabels(x *evaluation) bool {
	found := false
	for _, l := range x.labels {
		if strings.HasPrefix(l, k.prefix) {
			x.appendRate(k, l)
			found = true
		}
	}
	return found
}

// appendRate appends a value with its length, so that no two lists of values make one key.
func (x *evaluation) appendRate(k *rateKey, value string) {
	value = value[:min(len(value), maxRateKey)]
	x.rateKey = append(strconv.AppendInt(x.rateKey, int64(len(value)), 10), ':')
	x.rateKey = append(x.rateKey, value...)
	x.rateValues = append(x.rateValues, RateValue{k.kind, k.name, value})
}

// rateBased compiles a rate-based statement of the rule called name.
func (b *builder) rateBased(r *RateBasedStatement, context string, name string) matcher {
	m := &rateBased{index: len(b.rates), limit: r.Limit, window: 300 * time.Second, kind: r.AggregateKeyType,
		origin: newOrigin(r.ForwardedIPConfig), name: name, info: b.plainInfo("RateBased")}
	if r.EvaluationWindowSec != 0 {
		m.window = time.Duration(r.EvaluationWindowSec) * time.Second
	}
	if m.kind == "IP" {
		m.origin = origin{}
	}
	if r.ScopeDownStatement != nil {
		m.scopeDown = b.statement(r.ScopeDownStatement, context, "RateBased/ScopeDown")
	}
	for i := range r.CustomKeys {
		m.keys = append(m.keys, b.rateKey(&r.CustomKeys[i], context))
	}
	b.rates = append(b.rates, RateRule{ID: counterID(name, r), Limit: m.limit, Window: m.window})
	return m
}

// CounterID returns the identity of the counter of the rate-based rule called rule in a web
// ACL; via is the name of the ACL's rule that refers to the group which holds it, or "".
func CounterID(acl, via, rule string, r *RateBasedStatement) string {
	if via != "" {
		via += "/"
	}
	return acl + "/" + via + counterID(rule, r)
}

func counterID(rule string, r *RateBasedStatement) string { return rule + "#" + fingerprint(r) }

// fingerprint identifies everything whose change starts a new count.
func fingerprint(r *RateBasedStatement) string {
	h := fnv.New64a()
	_ = json.NewEncoder(h).Encode(r) // plain data into a hash: cannot fail
	return strconv.FormatUint(h.Sum64(), 36)
}

func (b *builder) rateKey(k *RateKey, context string) rateKey {
	out := rateKey{kind: k.logKind()}
	var f *FieldToMatch
	switch {
	case k.Header != nil:
		out.name, f = k.Header.Name, &FieldToMatch{SingleHeader: &NamedField{k.Header.Name}}
	case k.QueryArgument != nil:
		out.name, f = k.QueryArgument.Name, &FieldToMatch{SingleQueryArgument: &NamedField{k.QueryArgument.Name}}
	case k.Cookie != nil:
		out.name, f = k.Cookie.Name, &FieldToMatch{Cookies: &MapField{MatchScope: "VALUE",
			MatchPattern: &MapPattern{IncludedCookies: []string{k.Cookie.Name}}}}
	case k.QueryString != nil:
		f = &FieldToMatch{QueryString: &Empty{}}
	case k.UriPath != nil:
		f = &FieldToMatch{UriPath: &Empty{}}
	case k.HTTPMethod != nil:
		f = &FieldToMatch{Method: &Empty{}}
	case k.JA3Fingerprint != nil:
		f = &FieldToMatch{JA3Fingerprint: k.JA3Fingerprint}
	case k.JA4Fingerprint != nil:
		f = &FieldToMatch{JA4Fingerprint: k.JA4Fingerprint}
	case k.LabelNamespace != nil:
		out.prefix = k.LabelNamespace.Namespace
		if !strings.HasPrefix(out.prefix, "awswaf:") {
			out.prefix = context + out.prefix
		}
		return out
	default:
		return out
	}
	out.node = b.node(f, slices.Clone(k.transformations()))
	return out
}
