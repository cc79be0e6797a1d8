package compile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/lang/awsuri"
	"gatehouse/internal/lang/expression"
	"gatehouse/internal/lang/regex"
	"gatehouse/internal/model"
	"gatehouse/internal/plan"
)

// defaultAuthorizerTTL is how long answers are kept when the authorizer does not say
// (authorizers, section 1.6).
const defaultAuthorizerTTL = 300 * time.Second

// stageVariable is a place that a stage variable fills.
var stageVariable = regexp.MustCompile(`\$\{stageVariables\.([a-zA-Z0-9_]+)\}`)

// compileAuthorizers compiles the authorizers of a stage, by id.
func compileAuthorizers(s *plan.Stage, st model.Stage, snapshot *model.Snapshot) (map[string]*plan.Authorizer, error) {
	out := make(map[string]*plan.Authorizer, len(snapshot.Authorizers))
	for _, a := range snapshot.Authorizers {
		c, err := compileAuthorizer(s, st.AuthorizerCacheFlushes, a)
		if err != nil {
			return nil, fmt.Errorf("authorizer %s: %w", a.Name, err)
		}
		out[a.ID] = c
	}
	return out, nil
}

// bindAuthorizer says how callers of m are authorized. A method whose authorizer is not there
// is refused: it would admit everybody.
func bindAuthorizer(m *plan.Method, from *model.Method, asked map[string]*plan.Authorizer) error {
	kinds := map[string]plan.Authorization{
		"NONE": plan.AuthorizeNone, "AWS_IAM": plan.AuthorizeIAM, "CUSTOM": plan.AuthorizeLambda, "COGNITO_USER_POOLS": plan.AuthorizeUserPool,
	}
	var ok bool
	if m.Authorization, ok = kinds[from.AuthorizationType]; !ok {
		return fmt.Errorf("authorization type %q: want NONE, AWS_IAM, CUSTOM or COGNITO_USER_POOLS", from.AuthorizationType)
	}
	if m.Authorization != plan.AuthorizeLambda && m.Authorization != plan.AuthorizeUserPool {
		return nil
	}
	a := asked[from.AuthorizerID]
	if a == nil || (a.Kind == plan.UserPoolAuthorizer) != (m.Authorization == plan.AuthorizeUserPool) {
		m.Refusal = fmt.Sprintf("authorizer %q of the method is not there, or not one for %s", from.AuthorizerID, from.AuthorizationType)
		return nil
	}
	m.Authorizer, m.Scopes = a, from.AuthorizationScopes
	return nil
}

func compileAuthorizer(s *plan.Stage, flushes int64, a model.Authorizer) (*plan.Authorizer, error) {
	out := &plan.Authorizer{
		ID: a.ID, TTL: defaultAuthorizerTTL, URI: fillStageVariables(a.AuthorizerURI, s.Variables), Credentials: a.AuthorizerCredentials,
		ARN: "arn:aws:execute-api:" + s.API.Region + ":" + s.Account + ":" + s.API.ID + "/authorizers/" + a.ID,
	}
	if ttl := a.AuthorizerResultTTLInSeconds; ttl != nil {
		out.TTL = time.Duration(*ttl) * time.Second
	}
	if text := a.IdentityValidationExpression; text != "" {
		re, err := regex.Compile(text, regex.Java, false)
		if err != nil {
			return nil, fmt.Errorf("identityValidationExpression: %w", err)
		}
		out.Validation = pattern{re}
	}
	var err error
	if out.Sources, err = identitySources(a); err != nil {
		return nil, fmt.Errorf("identitySource: %w", err)
	}
	switch a.Type {
	case "COGNITO_USER_POOLS":
		out.Kind = plan.UserPoolAuthorizer
		for _, arn := range a.ProviderARNs {
			out.Pools = append(out.Pools, fillStageVariables(arn, s.Variables))
		}
		return out, nil
	case "REQUEST":
		out.Kind = plan.RequestAuthorizer
	}
	if out.Function, err = functionOf(out.URI); err != nil {
		out.Broken = "Invalid endpoint address: " + err.Error()
	}
	out.Memory = memoryOf(s, out, flushes, a)
	return out, nil
}

// functionOf returns the ARN of the function that an authorizer's URI calls.
func functionOf(uri string) (string, error) {
	u, err := awsuri.Parse(uri)
	if err != nil {
		return "", err
	}
	f, err := u.Function()
	if err == nil && f.Streaming {
		err = errors.New("an authorizer's answer is not streamed")
	}
	return f.ARN, err
}

// identitySources reads what an authorizer reads of the request. A user pool's token is in
// Authorization unless it says otherwise.
func identitySources(a model.Authorizer) ([]plan.IdentitySource, error) {
	text := a.IdentitySource
	if text == "" {
		if a.Type == "REQUEST" {
			return nil, nil
		}
		text = "method.request.header.Authorization"
	}
	list, err := expression.ParseIdentitySource(text)
	if err != nil {
		return nil, err
	}
	if a.Type != "REQUEST" && (len(list) != 1 || list[0].Source != expression.Header) {
		return nil, fmt.Errorf("found %q, want one header", text)
	}
	out := make([]plan.IdentitySource, len(list))
	for i, written := range slices.Collect(strings.SplitSeq(text, ",")) {
		out[i] = plan.IdentitySource{Expression: list[i], Text: strings.TrimSpace(written)}
	}
	return out, nil
}

// memoryOf names what an authorizer's answers are kept under. Another stage, another API,
// a flush, and every change to what is asked and whom make another memory; a deployment
// that changes nothing of that keeps it (authorizers, section 1.6).
func memoryOf(s *plan.Stage, out *plan.Authorizer, flushes int64, a model.Authorizer) string {
	h := sha256.New()
	for _, part := range []string{
		s.Account, s.API.Region, s.API.ID, s.Name, a.ID, fmt.Sprint(flushes),
		a.Type, out.URI, out.Credentials, a.IdentitySource, a.IdentityValidationExpression, fmt.Sprint(out.TTL),
	} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// fillStageVariables puts stage variables in their places; one that is not set leaves
// nothing.
func fillStageVariables(text string, variables map[string]string) string {
	return stageVariable.ReplaceAllStringFunc(text, func(place string) string {
		return variables[stageVariable.FindStringSubmatch(place)[1]]
	})
}
