package iampolicy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	version2008 = "2008-10-17"
	version2012 = "2012-10-17"

	// MaxBytes bounds the text of a document. The services' own limits (IAM 6,144
	// to 10,240 characters, resource policies 8,192 to 20,480) are their callers'.
	MaxBytes = 128 << 10
)

// Texts that IAM answers for classes of mistakes (MalformedPolicyDocument).
const (
	syntaxErrors    = "Syntax errors in policy."
	noPrincipal     = "Policy document should not specify a principal."
	needPrincipal   = "Missing required field Principal"
	needActions     = "Policy statement must contain actions."
	needResources   = "Policy statement must contain resources."
	noResource      = "Has prohibited field Resource"
	needVendor      = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
	badSid          = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
	sameSid         = "Statement IDs (SID) in a single policy must be unique."
	notJSON         = "This policy contains invalid Json"
	tooLongDocument = "The policy is too long."
)

// An Error says what is wrong with a document, and where.
type Error struct {
	Offset       int // in bytes from 0; -1 when there is no text
	Line, Column int // from 1; the column counts bytes
	Path         string
	Message      string // what was found and what was expected

	// Summary is how IAM words this class of mistake in MalformedPolicyDocument.
	Summary string
}

// Error returns the place, the path and the message.
func (e *Error) Error() string {
	at := ""
	if e.Offset >= 0 {
		at = fmt.Sprintf("line %d, column %d: ", e.Line, e.Column)
	}
	if e.Path != "" {
		at += e.Path + ": "
	}
	return at + e.Message
}

// Parse reads and compiles a document. An error is an *Error.
func Parse(text string, kind Kind) (*Policy, error) {
	d, err := ParseDocument(text, kind)
	if err != nil {
		return nil, err
	}
	return d.Compile()
}

// ParseDocument reads a document strictly: elements and operators are spelt as the IAM
// reference spells them, nothing is unknown, nothing is there twice, and every value
// is of its operator's type.
func ParseDocument(text string, kind Kind) (*Document, error) {
	if len(text) > MaxBytes {
		return nil, &Error{Offset: MaxBytes, Line: 1, Column: 1, Summary: tooLongDocument,
			Message: fmt.Sprintf("document of %d bytes: want at most %d", len(text), MaxBytes)}
	}
	p := &parser{text: text, dec: json.NewDecoder(strings.NewReader(text))}
	p.dec.UseNumber()
	d := &Document{Kind: kind}
	if err := p.document(d); err != nil {
		return nil, err
	}
	return d, nil
}

// A parser walks the tokens of a document. at is where the last token began.
type parser struct {
	text string
	dec  *json.Decoder
	at   int
	path []string
}

func (p *parser) fail(summary, format string, args ...any) error {
	return p.failAt(p.at, summary, format, args...)
}

func (p *parser) failAt(at int, summary, format string, args ...any) error {
	before := p.text[:at]
	return &Error{
		Offset: at, Line: 1 + strings.Count(before, "\n"), Column: at - strings.LastIndexByte(before, '\n'),
		Path: strings.Join(p.path, "."), Message: fmt.Sprintf(format, args...), Summary: summary,
	}
}

// in runs f with name at the end of the path.
func (p *parser) in(name string, f func() error) error {
	p.path = append(p.path, name)
	err := f()
	p.path = p.path[:len(p.path)-1]
	return err
}

// next returns the next token: a json.Delim, string, json.Number, bool or nil.
func (p *parser) next() (json.Token, error) {
	p.at = int(p.dec.InputOffset())
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n,:", p.text[p.at]) >= 0 {
		p.at++
	}
	t, err := p.dec.Token()
	if err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			p.at = min(int(syntax.Offset), len(p.text))
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, p.fail(notJSON, "not JSON: %v", err)
	}
	return t, nil
}

// describe names a token in messages.
func describe(t json.Token) string {
	switch v := t.(type) {
	case json.Delim:
		if v == '{' {
			return "an object"
		}
		return "a list"
	case string:
		return fmt.Sprintf("%.80q", v)
	case nil:
		return "null"
	}
	return fmt.Sprint(t)
}

// object reads the members of an object whose "{" has been read. A name twice is
// refused.
func (p *parser) object(each func(name string) error) error {
	var seen []string
	for p.dec.More() {
		t, err := p.next()
		if err != nil {
			return err
		}
		name := t.(string) // the decoder takes nothing else as a name
		if slices.Contains(seen, name) {
			return p.fail(syntaxErrors, "%q is there twice", name)
		}
		seen = append(seen, name)
		if err := p.in(name, func() error { return each(name) }); err != nil {
			return err
		}
	}
	_, err := p.next()
	return err
}

func (p *parser) openObject(what string) error {
	t, err := p.next()
	if err == nil && t != json.Delim('{') {
		err = p.fail(syntaxErrors, "%s: found %s, want an object", what, describe(t))
	}
	return err
}

func (p *parser) string(what string) (string, error) {
	t, err := p.next()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", p.fail(syntaxErrors, "%s: found %s, want a string", what, describe(t))
	}
	return s, nil
}

// values reads one value or a list of at least one. check judges each at its place;
// scalars allows numbers and booleans.
func (p *parser) values(what, empty string, scalars bool, check func(string) error) ([]string, error) {
	t, err := p.next()
	if err != nil {
		return nil, err
	}
	if t != json.Delim('[') {
		s, err := p.scalar(t, what, scalars, check)
		return []string{s}, err
	}
	var vs []string
	for p.dec.More() {
		err := p.in(fmt.Sprintf("[%d]", len(vs)), func() error {
			t, err := p.next()
			if err != nil {
				return err
			}
			s, err := p.scalar(t, what, scalars, check)
			vs = append(vs, s)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if len(vs) == 0 {
		return nil, p.fail(empty, "%s: the list is empty", what)
	}
	_, err = p.next()
	return vs, err
}

func (p *parser) scalar(t json.Token, what string, scalars bool, check func(string) error) (string, error) {
	s, ok := t.(string)
	if !ok && scalars {
		switch v := t.(type) {
		case bool:
			s, ok = fmt.Sprint(v), true
		case json.Number:
			s, ok = v.String(), true
		}
	}
	if !ok {
		return "", p.fail(syntaxErrors, "%s: found %s, want a string", what, describe(t))
	}
	return s, check(s)
}

// document reads the whole text.
func (p *parser) document(d *Document) error {
	if !utf8.ValidString(p.text) {
		return p.failAt(firstInvalid(p.text), notJSON, "not UTF-8")
	}
	if err := p.openObject("a policy"); err != nil {
		return err
	}
	statementsAt := -1
	err := p.object(func(name string) (err error) {
		switch name {
		case "Version":
			d.Version, err = p.string("Version")
			if err == nil && d.Version != version2008 && d.Version != version2012 {
				err = p.fail(syntaxErrors, "found %q, want %q or %q", d.Version, version2012, version2008)
			}
		case "Id":
			d.ID, err = p.string("Id")
		case "Statement":
			statementsAt = p.at
		default:
			err = p.fail(syntaxErrors, "unknown element; want Version, Id or Statement")
		}
		if name == "Statement" {
			err = p.statements(d)
		}
		return err
	})
	if err != nil {
		return err
	}
	if statementsAt < 0 {
		return p.fail(syntaxErrors, "the policy has no Statement")
	}
	if _, err := p.dec.Token(); !errors.Is(err, io.EOF) {
		p.at = int(p.dec.InputOffset())
		return p.fail(notJSON, "something follows the policy")
	}
	return p.checkVariables(d)
}

func firstInvalid(s string) int {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(s)
}

// checkVariables compiles the finished document: whether a text has variables depends
// on a Version that may come after it.
func (p *parser) checkVariables(d *Document) error {
	for i := range d.Statements {
		var st statement
		if err := st.compile(&d.Statements[i], d.Version == version2012); err != nil {
			p.path = []string{fmt.Sprintf("Statement[%d]", i)}
			return p.failAt(d.Statements[i].offset, syntaxErrors, "%v", err)
		}
	}
	return nil
}

// statements reads one statement or a list of them.
func (p *parser) statements(d *Document) error {
	t, err := p.next()
	if err != nil {
		return err
	}
	switch t {
	case json.Delim('{'):
		return p.statement(d)
	case json.Delim('['):
	default:
		return p.fail(syntaxErrors, "found %s, want a statement or a list of them", describe(t))
	}
	for p.dec.More() {
		err := p.in(fmt.Sprintf("[%d]", len(d.Statements)), func() error {
			if err := p.openObject("a statement"); err != nil {
				return err
			}
			return p.statement(d)
		})
		if err != nil {
			return err
		}
	}
	if len(d.Statements) == 0 {
		return p.fail(syntaxErrors, "the list is empty")
	}
	_, err = p.next()
	return err
}

// statement reads a statement whose "{" has been read, and judges it as a whole.
func (p *parser) statement(d *Document) error {
	s := Statement{offset: p.at}
	effect := ""
	err := p.object(func(name string) (err error) {
		switch name {
		case "Sid":
			s.Sid, err = p.string("Sid")
			if err == nil {
				err = p.checkSid(d, s.Sid)
			}
		case "Effect":
			effect, err = p.string("Effect")
			if err == nil && effect != "Allow" && effect != "Deny" {
				err = p.fail(syntaxErrors, "found %q, want \"Allow\" or \"Deny\"", effect)
			}
		case "Action", "NotAction":
			err = p.actions(&s, name)
		case "Resource", "NotResource":
			err = p.resources(&s, name, d.Kind)
		case "Principal", "NotPrincipal":
			err = p.principals(&s, name, d.Kind)
		case "Condition":
			err = p.conditions(&s)
		default:
			err = p.fail(syntaxErrors, "unknown element")
		}
		return err
	})
	if err != nil {
		return err
	}
	s.Deny = effect == "Deny"
	if err := p.checkStatement(&s, effect, d.Kind); err != nil {
		return err
	}
	d.Statements = append(d.Statements, s)
	return nil
}

// checkStatement looks for what is absent or does not go together.
func (p *parser) checkStatement(s *Statement, effect string, kind Kind) error {
	fail := func(summary, message string) error { return p.failAt(s.offset, summary, "%s", message) }
	switch {
	case effect == "":
		return fail(syntaxErrors, "the statement has no Effect")
	case s.Actions == nil:
		return fail(needActions, "the statement has neither Action nor NotAction")
	case s.Resources == nil && kind != Trust:
		return fail(needResources, "the statement has neither Resource nor NotResource")
	case s.Principals == nil && (kind == Resource || kind == Trust):
		return fail(needPrincipal, "the statement has no Principal")
	case s.NotPrincipal && !s.Deny:
		return fail(syntaxErrors, "NotPrincipal needs the Effect Deny: with Allow it would admit everybody else, anonymous callers too")
	}
	return nil
}

func (p *parser) checkSid(d *Document, sid string) error {
	for i := 0; i < len(sid); i++ {
		c := sid[i]
		alnum := '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !alnum && (d.Kind == Identity || strings.IndexByte(" -_.", c) < 0) {
			return p.fail(badSid, "found %q, want letters and digits", sid)
		}
	}
	for i := range d.Statements {
		if sid != "" && d.Statements[i].Sid == sid {
			return p.fail(sameSid, "%q is the Sid of statement %d too", sid, i)
		}
	}
	return nil
}

func (p *parser) actions(s *Statement, name string) (err error) {
	if s.Actions != nil {
		return p.fail(syntaxErrors, "the statement has Action and NotAction")
	}
	s.NotAction = name == "NotAction"
	s.Actions, err = p.values(name, needActions, false, func(v string) error {
		vendor, action, ok := strings.Cut(v, ":")
		if v == "*" || ok && action != "" && validVendor(vendor) {
			return nil
		}
		return p.fail(needVendor, "found %q, want \"service:Action\" or \"*\"", v)
	})
	return err
}

func validVendor(s string) bool {
	if s == "*" {
		return true
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '-') {
			return false
		}
	}
	return s != ""
}

func (p *parser) resources(s *Statement, name string, kind Kind) (err error) {
	if kind == Trust {
		return p.fail(noResource, "a trust policy has no %s", name)
	}
	if s.Resources != nil {
		return p.fail(syntaxErrors, "the statement has Resource and NotResource")
	}
	s.NotResource = name == "NotResource"
	s.Resources, err = p.values(name, needResources, false, func(v string) error {
		ok := v == "*" || strings.HasPrefix(v, "arn:") || kind == Authorizer && v != "" ||
			kind == Resource && strings.HasPrefix(v, "execute-api:/") // expanded when it is saved
		if ok {
			return nil
		}
		return p.fail("Resource "+v+" must be in ARN format or \"*\".", "found %q, want an ARN or \"*\"", v)
	})
	return err
}

func (p *parser) principals(s *Statement, name string, kind Kind) error {
	if kind == Identity || kind == Authorizer {
		return p.fail(noPrincipal, "a policy of this kind has no %s", name)
	}
	if s.Principals != nil {
		return p.fail(syntaxErrors, "the statement has Principal and NotPrincipal")
	}
	s.NotPrincipal = name == "NotPrincipal"
	t, err := p.next()
	if err != nil {
		return err
	}
	if t == "*" {
		s.Principals = []PrincipalEntry{{"", "*"}}
		return nil
	}
	if t != json.Delim('{') {
		return p.fail("Invalid principal in policy", "found %s, want \"*\" or an object such as {\"AWS\": …}", describe(t))
	}
	err = p.object(func(typ string) error {
		if _, ok := principalKinds[typ]; !ok {
			return p.fail("Invalid principal in policy", "unknown type; want AWS, Service, Federated or CanonicalUser")
		}
		vs, err := p.values("a principal", needPrincipal, false, func(v string) error { return p.checkPrincipal(typ, v) })
		for _, v := range vs {
			s.Principals = append(s.Principals, PrincipalEntry{typ, v})
		}
		return err
	})
	if err == nil && s.Principals == nil {
		err = p.fail(needPrincipal, "the object is empty")
	}
	return err
}

func (p *parser) checkPrincipal(typ, v string) error {
	ok := v != "" && !strings.ContainsAny(v, "*?")
	if typ == "AWS" {
		ok = v == "*" || validAWSPrincipal(v)
	}
	if ok {
		return nil
	}
	return p.fail(fmt.Sprintf("Invalid principal in policy: \"%s\":\"%s\"", typ, v), "found %q, want one principal of the type %s", v, typ)
}

func (p *parser) conditions(s *Statement) error {
	if err := p.openObject("Condition"); err != nil {
		return err
	}
	return p.object(func(name string) error {
		op, _, _, ok := parseOperator(name)
		if !ok {
			return p.fail(syntaxErrors, "unknown operator")
		}
		if err := p.openObject("an operator"); err != nil {
			return err
		}
		first := len(s.Conditions)
		err := p.object(func(key string) error { return p.condition(s, name, key, op.compare, first) })
		if err == nil && len(s.Conditions) == first {
			err = p.fail(syntaxErrors, "the operator has no key")
		}
		return err
	})
}

// condition reads the values of one key. first is where the operator's conditions
// begin: names that differ in case alone are the same key.
func (p *parser) condition(s *Statement, operator, key string, c comparison, first int) error {
	if vendor, name, ok := strings.Cut(key, ":"); !ok || name == "" || vendor == "" {
		return p.fail(needVendor, "condition key %q: want \"service:key\"", key)
	}
	for _, other := range s.Conditions[first:] {
		if strings.EqualFold(other.Key, key) {
			return p.fail(syntaxErrors, "the key is there twice, as %q too", other.Key)
		}
	}
	vs, err := p.values("a condition's value", syntaxErrors, true, func(v string) error {
		if _, err := compileTest(c, v, strings.Contains(v, "${")); err != nil && !strings.Contains(v, "${") {
			return p.fail(syntaxErrors, "%s: found %q: %v", operator, v, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.Conditions = append(s.Conditions, Condition{operator, key, vs})
	return nil
}
